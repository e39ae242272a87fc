// `mailweir run`: the daemon. It captures until a signal ends it, hands finished transactions over
// at least every second, and writes its figures at a steady interval.

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Source } from '../capture/source.js';
import type { Config } from '../config.js';
import { Engine } from '../engine.js';
import { Out } from '../output/out.js';
import { complain, Exit } from './fail.js';
import type { Events, Office } from './office.js';
import { nextOf, problemOf } from './replay.js';
import { type CommonOptions, settings, usage } from './words.js';

export interface RunOptions extends CommonOptions {
  readonly interface?: string;
  readonly replay?: string;
  readonly loop?: boolean;
  readonly speed?: number;
  readonly format: 'none' | 'eve';
  readonly clear?: boolean;
}

/** Rows leave at least this often. */
const flush_ms = 500;
/** A source that always has packets gives way to signals and timers this often. */
const yield_ms = 20;
/** At the end, a reader that stopped reading is waited for this long. */
const lastWords_ms = 2000;

/** Runs until a signal, the end of the file, or a failure; gives the exit status. */
export async function run(options: RunOptions): Promise<number> {
  check(options);
  const config = await settings(options.config, undefined);
  const live = options.replay === undefined;
  const log = await logger();
  const sources = live ? await interfaces(options, config, log) : [await file(options, config)];
  const out = new Out({ path: options.output ?? '-', append: true });
  const events = options.format === 'eve' ? await eve(out, config, options) : quiet(log);
  const office = await judging(options, config, { events, log, observe: live });
  const daemon = new Daemon(config, sources, { out, office, log, live });
  return daemon.run();
}

function check(options: RunOptions): void {
  if (options.replay !== undefined && options.interface !== undefined) {
    throw usage('--interface and --replay: give one of them');
  }
  if (options.replay === undefined && (options.loop || options.speed !== undefined)) {
    throw usage('--loop and --speed: they need --replay FILE');
  }
  if (options.replay === '-' && options.loop) {
    throw usage('--loop: standard input cannot be read twice; give a file');
  }
  if (options.output !== undefined && options.format !== 'eve') {
    throw usage('--output: there is nothing to write; add --format eve');
  }
}

async function interfaces(options: RunOptions, config: Config, log: Logger): Promise<Source[]> {
  const { capture } = config;
  const names = options.interface === undefined ? capture.interface : [options.interface];
  if (names.length === 0) {
    throw usage(
      'run: nothing to listen on; give --interface IF, capture.interface in the file of ' +
        '--config, or --replay FILE',
    );
  }
  const { liveSources } = await import('./live.js');
  return liveSources(capture, names, log);
}

async function file(options: RunOptions, config: Config): Promise<Source> {
  const path = options.replay!;
  const { openCapture } = await import('../capture/open.js');
  const { PacedSource } = await import('./pace.js');
  // Between two rounds everything of the first one times out, so that each stands on its own.
  const gap = (config.flow.timeout_established_s + 1) * 1e6;
  const pace = { loop: options.loop ?? false, speed: options.speed ?? null, gap };
  return new PacedSource(() => openCapture(path), pace);
}

async function logger(): Promise<Logger> {
  const { pino, stdTimeFunctions } = await import('pino');
  const form = { base: null, timestamp: stdTimeFunctions.isoTime };
  return pino(form, pino.destination({ fd: 2, sync: true }));
}

async function eve(out: Out, config: Config, options: RunOptions): Promise<Events> {
  const { EveWriter } = await import('../output/eve.js');
  const clear = (options.clear ?? false) || options.replay !== undefined;
  const { sensor } = config;
  return new EveWriter(out, { clear, sensor, key: randomBytes(32) });
}

function quiet(log: Logger): Events {
  return {
    rows: () => {},
    alert: () => {},
    decision: () => {},
    flush: () => {},
    stats: (stats) => log.info({ stats }, 'figures'),
  };
}

/** What judges the rows, with the law that the configuration names. */
async function judging(
  options: RunOptions,
  config: Config,
  parts: { events: Events; log: Logger; observe: boolean },
): Promise<Office> {
  const { lawOf } = await import('./judge.js');
  const { Office } = await import('./office.js');
  const reload = async () => lawOf(await settings(options.config, undefined));
  // Without a file nothing is enforced, and no state is to be kept.
  const observe = parts.observe && options.config !== undefined;
  return new Office({ ...parts, observe, law: await lawOf(config), reload });
}

interface Parts {
  readonly out: Out;
  readonly office: Office;
  readonly log: Logger;
  /** The sources are interfaces: the wall clock counts. */
  readonly live: boolean;
}

class Daemon {
  readonly #config: Config;
  readonly #sources: readonly Source[];
  readonly #parts: Parts;
  readonly #engine: Engine;
  #stopping = false;
  #failure: unknown = null;

  constructor(config: Config, sources: readonly Source[], parts: Parts) {
    this.#config = config;
    this.#sources = sources;
    this.#parts = parts;
    this.#engine = new Engine(config, parts.office, { factsKey: randomBytes(16) });
  }

  async run(): Promise<number> {
    const { out, log } = this.#parts;
    this.#listen();
    const every = (ms: number, work: () => void) => setInterval(() => this.#guard(work), ms);
    const timers = [
      every(flush_ms, () => this.#flush()),
      every(this.#config.stats.interval_s * 1000, () => this.#stats()),
    ];
    log.info({ sources: this.#sources.map((source) => source.name) }, 'started');
    await Promise.all(this.#sources.map((source) => this.#pump(source)));
    for (const timer of timers) clearInterval(timer);
    this.#guard(() => this.#end());
    await this.#parts.office.close(lastWords_ms);
    if (this.#failure !== null && !out.lost) throw this.#failure;
    const problems = this.#sources.map(problemOf).filter((problem) => problem !== null);
    for (const problem of problems) complain(problem);
    log.info('stopped');
    return problems.length > 0 && !out.lost ? Exit.failed : Exit.done;
  }

  #listen(): void {
    const { log, out } = this.#parts;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      // Once: a second signal ends the process at once, as the system does by default.
      process.once(signal, () => {
        log.info({ signal }, 'stopping');
        this.#stop();
      });
    }
    process.on('SIGHUP', () => {
      this.#guard(() => out.reopen());
      void this.#parts.office.reload();
    });
  }

  #stop(): void {
    this.#stopping = true;
    for (const source of this.#sources) source.close();
  }

  /** Work outside the pumps: its failure ends the daemon as theirs does. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failure ??= error;
      this.#stop();
    }
  }

  async #pump(source: Source): Promise<void> {
    try {
      await this.#read(source);
    } catch (error) {
      this.#failure ??= error;
      this.#stop();
    }
  }

  async #read(source: Source): Promise<void> {
    const { out } = this.#parts;
    let yielded = performance.now();
    while (!this.#stopping) {
      const batch = await nextOf(source);
      if (batch === null) return;
      this.#engine.feed(batch);
      await out.drain(() => this.#stopping);
      if (out.closed) this.#stop();
      const now = performance.now();
      if (now - yielded < yield_ms) continue;
      yielded = now;
      await new Promise<void>((resume) => setImmediate(resume));
    }
  }

  #flush(): void {
    this.#engine.flush();
    this.#parts.office.tick(this.#engine.now);
    this.#parts.out.offer();
    if (this.#parts.out.closed) this.#stop();
  }

  #stats(): void {
    const { office, out, live } = this.#parts;
    const drops = this.#sources.reduce((sum, source) => sum + source.drops, 0);
    const stats = { ...this.#engine.stats(), kernel_drops: drops };
    const clock = live ? Date.now() * 1000 : 0;
    office.stats(stats, Math.max(this.#engine.now, clock));
    out.offer();
  }

  #end(): void {
    this.#engine.finish();
    this.#parts.office.tick(this.#engine.now);
    this.#stats();
    this.#parts.out.close(lastWords_ms);
  }
}
