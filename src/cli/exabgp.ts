// `mailweir exabgp`: a process of ExaBGP. It fetches the daemon's list again and again and says on
// standard output which FlowSpec rules to announce and to withdraw. Rules never outlive the list:
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
  /** Seconds between two looks. */
  readonly interval: number;
  readonly rules: number;
  readonly state?: string;
}

/** A list of a million entries; more is no list. */
const bodyMax = 512 * 1024 ** 2;
const patience_ms = 10_000;

const document = z.object({
  revision: z.number(),
  generated: z.iso.datetime({ offset: true }),
  expires: z.iso.datetime({ offset: true }),
  entries: z.array(z.object({ cidr: z.string(), action: z.string() })),
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
  #stop: () => void = () => {};
  readonly #stopped = new Promise<void>((resolve) => {
    this.#stop = resolve;
  });

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
    let isOver = false;
    void this.#stopped.then(() => {
      isOver = true;
    });
    while (!isOver) {
      await this.#look();
      const rest = new Promise((resolve) => {
        setTimeout(resolve, this.#options.interval * 1000).unref();
      });
      await Promise.race([this.#stopped, rest]);
    }
    this.#say(this.#rules.clear());
    process.stdin.destroy();
    return Exit.done;
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
    const token = process.env['MAILWEIR_TOKEN'];
    const response = await fetch(this.#url, {
      signal: AbortSignal.timeout(patience_ms),
      redirect: 'error',
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
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
    const { generated, expires, entries } = result.data;
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
