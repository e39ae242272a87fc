// The packet workers of a live tap, seen from the main thread: starts them, takes their rows, keeps
// their figures, and starts one again that died. A main thread that is busy elsewhere costs rows,
// which the workers count, never packets.

import { Worker } from 'node:worker_threads';
import { RowMerge } from '../batch/merge.js';
import { openPipeMemory, RowPipe } from '../batch/pipe.js';
import type { RowSink } from '../batch/row.js';
import { portionBytesMax } from '../batch/writer.js';
import type { LivePlan } from '../capture/live.js';
import type { Config } from '../config.js';
import { Figure, figureCount } from '../figures.js';
import type { StopWord, WorkerOrder, WorkerWord } from '../worker.js';
import { CommandError } from './fail.js';

/** Rows of one worker that wait for the main thread: a second or two of the busiest tap. */
const rowBytesDefault = 32 * 1024 * 1024;
/** Rows that are handed on before signals and timers have their turn. */
const turnBytes = 1024 * 1024;
/** A worker that dies this often within a minute will not live; then the daemon ends. */
const deathsMax = 5;
const minute_ms = 60_000;
/** A worker that died is started again after this time. */
const rest_ms = 200;

/** What became of a worker that died, for the log. */
export interface Death {
  readonly worker: number;
  readonly error: string;
  /** Connections that were open in it; what they would have told is lost. */
  readonly flows: number;
}

export interface CrewOptions {
  readonly config: Config;
  /** What each worker listens to. */
  readonly plans: readonly LivePlan[];
  readonly sink: RowSink;
  /**
   * Called between two turns of rows; the next turn waits for its answer. False: nobody takes more
   * rows, what is left of them is dropped and counted.
   */
  readonly drain: () => Promise<boolean>;
  /** A worker died and is started again. */
  readonly died: (death: Death) => void;
  /** Called when no thread listens any more. */
  readonly close?: () => void;
  /** See `EngineOptions`. */
  readonly factsKey?: Uint8Array;
  readonly rowBytes?: number;
  /** The compiled worker, where it does not lie beside this folder (tests run from the sources). */
  readonly workerFile?: URL;
}

/** One worker, whichever thread it is at the moment. */
class Seat {
  order: WorkerOrder;
  readonly figures: Float64Array;
  /** Figures of the threads before this one. */
  readonly before = new Float64Array(figureCount);
  readonly deaths: number[] = [];
  thread: Worker | null = null;
  /** Its sources ended: one line for each that did so too early. */
  problems: readonly string[] | null = null;

  constructor(config: Config, plan: LivePlan, rowBytes: number, factsKey?: Uint8Array) {
    this.order = {
      config,
      factsKey,
      work: { kind: 'tap', plan, rehearse: plan.kind !== 'file' },
      rows: openPipeMemory(rowBytes, portionBytesMax(config.smtp.rcpt_max)),
      figures: new SharedArrayBuffer(figureCount * 8),
      bell: new SharedArrayBuffer(4),
    };
    this.figures = new Float64Array(this.order.figures);
  }

  get total(): Float64Array {
    return this.figures.map((value, slot) => value + this.before[slot]!);
  }

  /** The thread is dead: its counters stay, what it held is lost. Gives the connections of that. */
  bury(): number {
    const flows = this.figures[Figure.flowsOpen]!;
    const total = this.total;
    total[Figure.flowsOpen] = 0;
    total[Figure.now] = 0;
    total[Figure.ringFill] = 0;
    total[Figure.interfacesDown] = 0;
    total[Figure.flowsLost]! += flows;
    total[Figure.restarts]! += 1;
    this.before.set(total);
    this.figures.fill(0);
    return flows;
  }
}

export class Crew {
  readonly #options: CrewOptions;
  readonly #seats: readonly Seat[];
  readonly #merge: RowMerge;
  /** No worker waits for another here: rows are handed on as they come. */
  readonly #bounds: Float64Array;
  /** Settled when all workers listen. */
  readonly ready: Promise<void>;
  #ready: () => void = () => {};
  #stopping = false;
  /** The turns that are going on, and whether there is more to do than they knew of. */
  #turns: Promise<void> | null = null;
  #more = false;
  #deaf = false;
  #failure: Error | null = null;
  #ended: () => void = () => {};

  constructor(options: CrewOptions) {
    const { config, plans, sink, rowBytes = rowBytesDefault } = options;
    const memory = Math.floor(config.flow.memory_bytes / plans.length);
    const own = { ...config, flow: { ...config.flow, memory_bytes: memory } };
    this.#options = options;
    this.#seats = plans.map((plan) => new Seat(own, plan, rowBytes, options.factsKey));
    this.#merge = new RowMerge(
      this.#seats.map(({ order }) => new RowPipe(order.rows)),
      sink,
    );
    this.#bounds = new Float64Array(plans.length).fill(Number.POSITIVE_INFINITY);
    this.ready = new Promise((resolve) => {
      let left = plans.length;
      this.#ready = () => {
        left -= 1;
        if (left === 0) resolve();
      };
    });
  }

  /** Figures of each worker. */
  get figures(): readonly Float64Array[] {
    return this.#seats.map((seat) => seat.total);
  }

  /** Threads at work; for tests that end one. */
  get threads(): readonly (Worker | null)[] {
    return this.#seats.map((seat) => seat.thread);
  }

  /** Runs until all sources ended, and gives a line for each that did so before its real end. */
  async run(): Promise<readonly string[]> {
    const over = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    for (const [index, seat] of this.#seats.entries()) this.#start(seat, index);
    await over;
    this.#options.close?.();
    await this.#take();
    if (this.#failure !== null) throw this.#failure;
    this.#seats[0]!.before[Figure.rowsDropped]! += this.#merge.drop();
    // What one of them says of an interface the others say, too, with other figures behind it.
    const lines = new Map<string, string>();
    for (const line of this.#seats.flatMap((seat) => seat.problems ?? [])) {
      const what = line.split(' (', 1)[0]!;
      if (!lines.has(what)) lines.set(what, line);
    }
    return [...lines.values()];
  }

  /** Workers leave their rows by themselves. */
  flush(): void {
    void this.#take();
  }

  /** Ends the sources; `run` then answers. */
  stop(): void {
    this.#stopping = true;
    const word: StopWord = 'stop';
    for (const seat of this.#seats) seat.thread?.postMessage(word);
    this.#look();
  }

  #start(seat: Seat, index: number): void {
    if (this.#stopping) return;
    const file = this.#options.workerFile ?? new URL('../worker.js', import.meta.url);
    const thread = new Worker(file, { workerData: seat.order });
    const { work } = seat.order;
    if (work.kind === 'tap') seat.order = { ...seat.order, work: { ...work, rehearse: false } };
    const bell = new Int32Array(seat.order.bell);
    Atomics.store(bell, 0, 0);
    seat.thread = thread;
    let error = 'it ended by itself';
    thread.on('error', (reason) => {
      error = reason instanceof Error ? reason.message : String(reason);
    });
    thread.on('message', (word: WorkerWord) => {
      if (word === 0) {
        Atomics.store(bell, 0, 0);
        void this.#take();
      } else if (word === 'ready') this.#ready();
      else if ('ended' in word) seat.problems = word.ended;
      else this.#fail(new CommandError(word.failed));
    });
    thread.on('exit', () => {
      seat.thread = null;
      if (seat.problems === null) this.#dead(seat, index, error);
      this.#look();
    });
  }

  #dead(seat: Seat, index: number, error: string): void {
    if (this.#failure !== null) return;
    const flows = seat.bury();
    const now = performance.now();
    seat.deaths.push(now);
    const recent = seat.deaths.filter((time) => now - time < minute_ms).length;
    if (this.#stopping) seat.problems = [`worker ${index}: ${error}, with ${flows} connections`];
    else if (recent > deathsMax) {
      this.#fail(
        new CommandError(`worker ${index}: ${error}; it died ${recent} times in a minute`),
      );
    } else {
      this.#options.died({ worker: index, error, flows });
      setTimeout(() => this.#start(seat, index), rest_ms);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.stop();
  }

  /** Whether everything is over. */
  #look(): void {
    const left = this.#seats.filter((seat) => seat.thread !== null);
    const open = this.#seats.filter((seat) => seat.problems === null);
    if (left.length === 0 && (this.#stopping || open.length === 0)) this.#ended();
  }

  /** Hands rows on, turn by turn, until there are none. */
  #take(): Promise<void> {
    this.#more = true;
    this.#turns ??= this.#turn().finally(() => {
      this.#turns = null;
    });
    return this.#turns;
  }

  async #turn(): Promise<void> {
    try {
      while (this.#more && !this.#deaf) {
        this.#more = this.#merge.flush(this.#bounds, turnBytes) > 0;
        this.#merge.flushRest();
        this.#deaf = !(await this.#options.drain());
        await new Promise<void>((resume) => setImmediate(resume));
      }
    } catch (error) {
      this.#deaf = true;
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
