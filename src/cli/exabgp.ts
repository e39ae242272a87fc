// `mailweir exabgp`: a process of ExaBGP. It hears from the daemon's stream that the list changed,
// fetches it (where there is no stream, again and again) and says on standard output which FlowSpec
// rules to announce and to withdraw. The stream only says when: the document has nested entries
// merged and what is held back left out. Rules never outlive the list:
// they go when it expires, when ExaBGP closes the door, and on a signal; what a crash left behind
// is withdrawn by the next process, which finds it in the file of `--state`.

import { readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { FlowRules, type Listed } from '../enforce/flow-rules.js';
import { loadRegister } from '../register/load.js';
import { CommandError, complain, Exit } from './fail.js';
import { type CommonOptions, settings } from './words.js';

export interface ExabgpOptions extends CommonOptions {
  /** Where the daemon's API is; without it `serve.http` of the configuration. */
  readonly url?: string;
  /** Seconds between two looks where nothing is heard. */
  readonly interval: number;
  readonly rules: number;
  readonly state?: string;
}

/** A list of a million entries; more is no list. */
const bodyMax = 512 * 1024 ** 2;
const patience_ms = 10_000;
/** Without a sound for so long the stream is dead: the daemon says something every 15 s. */
const silence_ms = 40_000;
/** The daemon, and a document as of a change, are asked for again after at most so long. */
const again_ms = 5000;
const lag_ms = 1000;
/** Between two looks, however much is heard. */
const gap_ms = 250;
/** Of one line of the stream. */
const lineMax = 1024 ** 2;

const document = z.object({
  revision: z.number(),
  generated: z.iso.datetime({ offset: true }),
  expires: z.iso.datetime({ offset: true }),
  entries: z.array(z.object({ cidr: z.string(), action: z.string(), rate: z.number().optional() })),
});

/** Runs until ExaBGP closes its end or a signal comes; gives the exit status. */
export async function exabgp(options: ExabgpOptions): Promise<number> {
  const config = await settings(options.config, undefined);
  const register = await loadRegister(config);
  const url = options.url ?? (config.serve.http && `http://${config.serve.http}`);
  if (url === undefined) {
    throw new CommandError('exabgp: where is the daemon? Give --url, or serve.http in --config');
  }
  const rules = new FlowRules({
    owns: (prefix) => register.ownsAll(prefix),
    rulesMax: options.rules,
  });
  return new Follower(new URL('/v1/blocklist.json?action=all', url), rules, options).run();
}

class Follower {
  readonly #url: URL;
  readonly #rules: FlowRules;
  readonly #options: ExabgpOptions;
  #tag: string | null = null;
  /** For how long the list may be used, and when the rules must go, by `performance.now`. */
  #life_ms = 0;
  #expires = Number.NEGATIVE_INFINITY;
  #told = '';
  readonly #stopping = new AbortController();
  readonly #stopped = new Promise<void>((resolve) => {
    this.#stopping.signal.addEventListener('abort', () => resolve());
  });
  /** Wakes the loop. */
  #poke: () => void = () => {};
  /** The stream is open. */
  #hears = false;
  /** The revision of the document, and the latest one that the stream told of. */
  #revision = 0;
  #wanted = 0;

  constructor(url: URL, rules: FlowRules, options: ExabgpOptions) {
    this.#url = url;
    this.#rules = rules;
    this.#options = options;
  }

  async run(): Promise<number> {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, this.#stop);
    // What ExaBGP answers does not matter; that it is there does.
    process.stdin.on('end', this.#stop).resume();
    this.#restore();
    const { signal } = this.#stopping;
    const listening = this.#listen();
    while (!signal.aborted) {
      const poked = new Promise<void>((resolve) => {
        this.#poke = resolve;
      });
      const began = performance.now();
      await this.#look();
      if (!signal.aborted) await this.#rest(this.#pause(), poked);
      // A list that changes all the time is not fetched all the time.
      const early_ms = gap_ms - (performance.now() - began);
      if (!signal.aborted && early_ms > 0) await this.#rest(early_ms, this.#stopped);
    }
    await listening;
    this.#say(this.#rules.clear());
    process.stdin.destroy();
    return Exit.done;
  }

  readonly #stop = (): void => {
    this.#stopping.abort();
    this.#poke();
  };

  /** Milliseconds to the next look, if nothing is heard before. */
  #pause(): number {
    // A document may be some changes behind while the next one is printed.
    if (this.#hears && this.#revision < this.#wanted) return lag_ms;
    const usual = this.#options.interval * 1000;
    if (this.#tag === null) return Math.min(usual, again_ms);
    const left = Math.max(lag_ms, this.#expires - performance.now());
    return Math.min(this.#hears ? Math.max(usual, silence_ms) : usual, left);
  }

  async #rest(pause_ms: number, woken: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, pause_ms);
    });
    await Promise.race([over, woken]);
    clearTimeout(timer);
  }

  /** Hears the stream, and opens it again when it ends, until all is over. */
  async #listen(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      // Why there is no stream is told with the document, which comes the same way.
      await this.#hear(signal).catch(() => {});
      this.#hears = false;
      this.#poke();
      const pause_ms = Math.min(this.#options.interval * 1000, again_ms);
      if (!signal.aborted) await this.#rest(pause_ms, this.#stopped);
    }
  }

  /** One stream of server-sent events up to its end; whatever it tells wakes the loop. */
  async #hear(stopping: AbortSignal): Promise<void> {
    const silent = new AbortController();
    const timer = setTimeout(() => silent.abort(), silence_ms);
    try {
      const response = await fetch(new URL('/v1/blocklist/stream?action=all', this.#url), {
        signal: AbortSignal.any([stopping, silent.signal]),
        redirect: 'error',
        headers: this.#headers(),
      });
      if (!response.ok || response.body === null) return;
      this.#hears = true;
      // Whatever changed before it was open.
      this.#poke();
      const decoder = new TextDecoder();
      let rest = '';
      for await (const part of response.body) {
        timer.refresh();
        const lines = (rest + decoder.decode(part, { stream: true })).split('\n');
        rest = lines.pop()!;
        if (rest.length > lineMax) return;
        for (const line of lines) {
          const [, revision] = /^id: (\d{1,15})$/.exec(line) ?? [];
          if (revision !== undefined) this.#wanted = Number(revision);
        }
        if (this.#wanted > this.#revision) this.#poke();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #headers(): Record<string, string> {
    const token = process.env['MAILWEIR_TOKEN'];
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** Fetches the list where it changed, and goes by it; without one until the old one expires. */
  async #look(): Promise<void> {
    try {
      const entries = await this.#fetch();
      if (entries !== null) this.#say(this.#rules.follow(entries));
      const { foreign, beyond, count } = this.#rules;
      const left = `${foreign} entries are not about own prefixes, ${beyond} beyond --rules`;
      this.#tell(foreign + beyond > 0 ? `exabgp: ${count} rules announced; ${left}` : '');
    } catch (error) {
      const { message, cause } = error as Error;
      const why = cause instanceof Error ? cause.message : message;
      this.#tell(`exabgp: no list from ${this.#url.origin}: ${why}`);
    }
    if (performance.now() < this.#expires || this.#rules.count === 0) return;
    this.#tag = null;
    complain('exabgp: the list has expired; all rules are withdrawn');
    this.#say(this.#rules.clear());
  }

  async #fetch(): Promise<readonly Listed[] | null> {
    const response = await fetch(this.#url, {
      signal: AbortSignal.timeout(patience_ms),
      redirect: 'error',
      headers: {
        ...this.#headers(),
        ...(this.#tag !== null && { 'if-none-match': this.#tag }),
      },
    });
    if (response.status === 304) {
      // The same entries, of a daemon that lives.
      this.#expires = performance.now() + this.#life_ms;
      return null;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    const text = await response.text();
    if (text.length > bodyMax) throw new Error('the list is too long');
    const result = document.safeParse(JSON.parse(text));
    if (!result.success) throw new Error('the answer is no list');
    const { revision, generated, expires, entries } = result.data;
    this.#revision = revision;
    this.#tag = response.headers.get('etag');
    // As long from now, whatever the clocks of both machines are.
    this.#life_ms = Date.parse(expires) - Date.parse(generated);
    this.#expires = performance.now() + this.#life_ms;
    return entries;
  }

  /** The file says more than was announced rather than less, whenever this process dies. */
  #say(commands: readonly string[]): void {
    if (commands.length === 0) return;
    const { state } = this.#options;
    const announced = commands.filter((line) => line.startsWith('announce'));
    if (state !== undefined && announced.length > 0) this.#store(state);
    let text = Buffer.from(`${commands.join('\n')}\n`);
    while (text.length > 0) {
      try {
        text = text.subarray(writeSync(1, text));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
          this.#stop();
          return;
        }
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
    if (state !== undefined) this.#store(state);
  }

  #store(path: string): void {
    try {
      writeFileSync(`${path}.new`, this.#rules.stored(), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (error) {
      this.#tell(`exabgp: cannot write ${path} (${(error as NodeJS.ErrnoException).code})`);
    }
  }

  #restore(): void {
    const { state } = this.#options;
    if (state === undefined) return;
    try {
      this.#rules.restore(readFileSync(state, 'utf8'));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') this.#tell(`exabgp: cannot read ${state} (${code})`);
    }
  }

  /** One line for people, when it is another one than before. */
  #tell(line: string): void {
    if (line !== '' && line !== this.#told) complain(line);
    this.#told = line;
  }
}
