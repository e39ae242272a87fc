// `mailweir run`: the daemon. It captures until a signal ends it, hands finished transactions over
// at least every second, and writes its figures at a steady interval.

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { RowSink } from '../batch/row.js';
import type { Config } from '../config.js';
import type { HelperHand } from '../enforce/hand.js';
import { Figure, statsOf } from '../figures.js';
import { Out } from '../output/out.js';
import type { Stats } from '../output/stats.js';
import type { LookupDesk } from '../serve/lookup/desk.js';
import type { Death } from './crew.js';
import { complain, Exit } from './fail.js';
import type { Law } from './judge.js';
import type { Listing } from './listing.js';
import type { Live } from './live.js';
import type { Events, Office } from './office.js';
import type { Open, Publication } from './publish.js';
import { lineOf } from './replay.js';
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
/** At the end, a reader that stopped reading is waited for this long. */
const lastWords_ms = 2000;

/** Where rows go, and where a slow reader holds them back; see `CrewOptions`. */
interface Way {
  readonly office: RowSink;
  readonly drain: () => Promise<boolean>;
}

/** What gives rows: files in this thread, or workers that listen. */
interface Packets {
  /** Settled when all that is to be listened to is. */
  readonly ready: Promise<void>;
  /** Counters of each engine. */
  readonly figures: readonly Float64Array[];
  /** Runs until its sources end; gives a line for each that did so before its real end. */
  run(): Promise<readonly string[]>;
  /** Rows so far leave. */
  flush(): void;
  stop(): void;
}

/** Runs until a signal, the end of the file, or a failure; gives the exit status. */
export async function run(options: RunOptions): Promise<number> {
  check(options);
  const config = await settings(options.config, undefined);
  const log = await logger();
  const names = options.replay === undefined ? interfaces(options, config) : [options.replay];
  const live = options.replay === undefined;
  const hand = live ? await helper(config) : null;
  // First of all: privileges are given up as soon as the sockets are open.
  const tap = live ? await openTap(names, config, log) : null;
  const out = new Out({ path: options.output ?? '-', append: true });
  const events = options.format === 'eve' ? await eve(out, config, options) : quiet(log);
  // The server is there before the daemon is: until then there is nothing to tell.
  let daemon: Daemon | null = null;
  const figures = () => daemon?.figures() ?? {};
  const parts = { events, log, observe: live, hand, figures };
  const office = await judging(options, config, parts);
  daemon = new Daemon(config, { out, office, log, live });
  const drain = () => daemon.drain();
  const packets =
    tap !== null
      ? await listen(tap, config, { office, drain, log })
      : await read(options, config, { office, drain });
  void packets.ready.then(() => log.info({ sources: names }, 'started'));
  return daemon.run(packets);
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

function interfaces(options: RunOptions, config: Config): readonly string[] {
  const { capture } = config;
  const names = options.interface === undefined ? capture.interface : [options.interface];
  if (names.length > 0) return names;
  throw usage(
    'run: nothing to listen on; give --interface IF, capture.interface in the file of ' +
      '--config, or --replay FILE',
  );
}

async function openTap(names: readonly string[], config: Config, log: Logger): Promise<Live> {
  const { openLivePlans } = await import('./live.js');
  return openLivePlans(config.capture, names, log);
}

/** Workers that listen. Even one has a thread, so that a slow reader costs rows and no packets. */
async function listen(
  { plans, close }: Live,
  config: Config,
  { office, drain, log }: Way & { log: Logger },
): Promise<Packets> {
  const { Crew } = await import('./crew.js');
  const died = (death: Death) => log.error(death, 'a worker died and is started again');
  const factsKey = randomBytes(16);
  return new Crew({ config, plans, close, sink: office, drain, died, factsKey });
}

/** A file, by the engine in this thread or by as many workers as the configuration names. */
async function read(options: RunOptions, config: Config, way: Way): Promise<Packets> {
  const path = options.replay!;
  const { openCapture } = await import('../capture/open.js');
  const { PacedSource } = await import('../capture/pace.js');
  const { Feed } = await import('./feed.js');
  // Between two rounds everything of the first one times out, so that each stands on its own.
  const gap = (config.flow.timeout_established_s + 1) * 1e6;
  const pace = { loop: options.loop ?? false, speed: options.speed ?? null, gap };
  const { workers } = config.capture;
  const threads = workers === 'auto' ? undefined : workers;
  const line = await lineOf(config, threads, way.office, { factsKey: randomBytes(16) });
  return new Feed([new PacedSource(() => openCapture(path), pace)], line, way.drain);
}

/** The process that may change the kernel's rules, where they are to be changed. */
async function helper({ enforce, capture }: Config): Promise<HelperHand | null> {
  if (enforce.nftables === undefined) return null;
  const { HelperHand } = await import('../enforce/hand.js');
  return new HelperHand(capture.user);
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
  parts: {
    events: Events;
    log: Logger;
    observe: boolean;
    hand: HelperHand | null;
    figures: Open['figures'];
  },
): Promise<Office> {
  const { lawOf } = await import('./judge.js');
  const { Office } = await import('./office.js');
  const reload = async () => lawOf(await settings(options.config, undefined));
  // Without a file nothing is enforced, and no state is to be kept.
  const observe = parts.observe && options.config !== undefined;
  const law = await lawOf(config);
  const { log, hand, figures } = parts;
  const listing = await listingOf(law, log);
  const { Enforcement } = await import('./enforcement.js');
  const enforcement = listing && new Enforcement(config, listing.list, { log, hand });
  const lookup = listing && (await openDoors(config, listing, log));
  const seen = enforcement;
  const publication =
    listing && seen && (await publicationOf(config, listing, { log, seen, figures, law }));
  const doors = { listing, enforcement, lookup, publication };
  return new Office({ ...parts, observe, law, reload, ...doors });
}

/** The list by HTTP, where it is asked for. */
async function publicationOf(
  config: Config,
  { list }: Listing,
  open: Open,
): Promise<Publication | undefined> {
  if (config.serve.http === undefined) return undefined;
  const { Publication } = await import('./publish.js');
  return Publication.open(config, list, open);
}

/** DNSBL and policy server, where they are configured. */
async function openDoors(
  config: Config,
  { list }: Listing,
  log: Logger,
): Promise<LookupDesk | undefined> {
  const { openLookup } = await import('./lookup.js');
  const trouble = (problem: string) => log.error({ problem }, 'serve.dnsbl, serve.policy');
  return (await openLookup(config, () => list.snapshot(), trouble)) ?? undefined;
}

/** The block list, where somebody is to be served from it or it is enforced here. */
async function listingOf(law: Law, log: Logger): Promise<Listing | undefined> {
  const { serve, enforce } = law.config;
  const asked = [serve.http, serve.dnsbl, serve.policy, enforce.nftables];
  if (asked.every((one) => one === undefined)) return undefined;
  const { Listing } = await import('./listing.js');
  return new Listing(law, log);
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
  readonly #parts: Parts;
  readonly #began = performance.now();
  #packets: Packets | null = null;
  #stopping = false;
  /** When nobody waits for the reader of the events any more, by `performance.now`. */
  #deadline = Number.POSITIVE_INFINITY;
  #failure: unknown = null;

  constructor(config: Config, parts: Parts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Where a slow reader of the events holds back the rows; false when it is given up. */
  async drain(): Promise<boolean> {
    const { out } = this.#parts;
    const late = () => performance.now() > this.#deadline;
    await out.drain(late);
    if (out.closed) this.#stop();
    return !out.closed && !late();
  }

  async run(packets: Packets): Promise<number> {
    const { out, log } = this.#parts;
    this.#packets = packets;
    this.#listen();
    const every = (ms: number, work: () => void) => setInterval(() => this.#guard(work), ms);
    const timers = [
      every(flush_ms, () => this.#flush()),
      every(this.#config.stats.interval_s * 1000, () => this.#stats()),
    ];
    let problems: readonly string[] = [];
    try {
      problems = await packets.run();
    } catch (error) {
      this.#failure ??= error;
    }
    for (const timer of timers) clearInterval(timer);
    this.#guard(() => this.#end());
    await this.#parts.office.close(lastWords_ms);
    if (this.#failure !== null && !out.lost) throw this.#failure;
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
    if (this.#stopping) return;
    this.#stopping = true;
    this.#deadline = performance.now() + lastWords_ms;
    this.#packets?.stop();
  }

  /** Work of timers and signals: its failure ends the daemon as that of the packets does. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failure ??= error;
      this.#stop();
    }
  }

  #flush(): void {
    this.#packets?.flush();
    this.#parts.office.tick(this.#now);
    this.#parts.out.offer();
    if (this.#parts.out.closed) this.#stop();
  }

  /** Microseconds of the latest packet of all. */
  get #now(): number {
    const figures = this.#packets?.figures ?? [];
    return figures.reduce((time, each) => Math.max(time, each[Figure.now]!), 0);
  }

  /** What the metrics are made from. */
  figures(): Readonly<Record<string, unknown>> {
    return { ...this.#parts.office.figures(this.#counted) };
  }

  get #counted(): Stats {
    const figures = this.#packets?.figures ?? [];
    return statsOf(figures, Math.round(performance.now() - this.#began));
  }

  #stats(): void {
    const { office, out, live } = this.#parts;
    office.stats(this.#counted, Math.max(this.#now, live ? Date.now() * 1000 : 0));
    out.offer();
  }

  #end(): void {
    this.#parts.office.tick(this.#now);
    this.#stats();
    this.#parts.out.close(lastWords_ms);
  }
}
