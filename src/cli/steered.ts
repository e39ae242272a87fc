// Several workers over one stream of frames: the main thread reads and steers, the workers do the
// rest, and their rows come back in the order in which one engine would have given them.

import { Worker } from 'node:worker_threads';
import { RowMerge } from '../batch/merge.js';
import { openPipeMemory, RowPipe } from '../batch/pipe.js';
import type { RowSink } from '../batch/row.js';
import { portionBytesMax } from '../batch/writer.js';
import { FrameSlots } from '../capture/share.js';
import type { FrameBatch } from '../capture/source.js';
import type { Config } from '../config.js';
import type { EngineOptions } from '../engine.js';
import { Figure, figureCount, statsOf } from '../figures.js';
import type { Stats } from '../output/stats.js';
import type { WorkerOrder } from '../worker.js';
import { CommandError } from './fail.js';

/** Rows of one worker that wait for the others'. */
const rowBytes = 2 * 1024 * 1024;

/** What turns frames into rows: the engine, or workers that each have one. */
export interface Line {
  /** Microseconds of the latest packet. */
  readonly now: number;
  /** Counters, one for each engine. */
  readonly figures: readonly Float64Array[];
  /** Takes a batch, which is borrowed until it answers. */
  feed(batch: FrameBatch): void | Promise<void>;
  /** Rows so far go to the sink. */
  flush(): void;
  /** The input is over; answers when every row is with the sink. */
  finish(): void | Promise<void>;
  stats(): Stats;
  /** Ends whatever runs, at once. */
  stop(): void | Promise<void>;
}

export class Steered implements Line {
  readonly #workers: readonly Worker[];
  readonly #slots: FrameSlots;
  readonly #merge: RowMerge;
  readonly figures: readonly Float64Array[];
  readonly #began = performance.now();
  readonly #bounds: Float64Array;
  /** Frames before each batch that is not done, from batch number `#oldest` on. */
  readonly #firsts: number[] = [];
  #oldest = 0;
  #rung = false;
  #failure: Error | null = null;
  #wake: () => void = () => {};

  constructor(config: Config, workers: number, sink: RowSink, options: EngineOptions = {}) {
    this.#slots = new FrameSlots(workers);
    // Each worker has its share of the memory, as it has its share of the connections.
    const flow = { ...config.flow, memory_bytes: Math.floor(config.flow.memory_bytes / workers) };
    const orders = Array.from({ length: workers }, (_, index) => ({
      config: { ...config, flow },
      factsKey: options.factsKey,
      work: { kind: 'share' as const, index, workers, frames: this.#slots.memory },
      rows: openPipeMemory(rowBytes, portionBytesMax(config.smtp.rcpt_max)),
      figures: new SharedArrayBuffer(figureCount * 8),
      bell: new SharedArrayBuffer(4),
    }));
    this.figures = orders.map(({ figures }) => new Float64Array(figures));
    this.#bounds = new Float64Array(workers);
    this.#merge = new RowMerge(
      orders.map(({ rows }) => new RowPipe(rows)),
      sink,
    );
    this.#workers = orders.map((order, index) => this.#start(order, index));
  }

  get now(): number {
    return this.figures.reduce((latest, figures) => Math.max(latest, figures[Figure.now]!), 0);
  }

  async feed(batch: FrameBatch): Promise<void> {
    let from = 0;
    do {
      while (!this.#slots.free) await this.#rings();
      this.#firsts.push(this.#slots.frames);
      from = this.#slots.publish(batch, from);
    } while (from < batch.count);
    this.#take();
  }

  flush(): void {
    this.#take();
    this.#merge.flushRest();
  }

  async finish(): Promise<void> {
    const last = this.#slots.published;
    this.#firsts.push(this.#slots.frames);
    this.#slots.end();
    while (this.#workers.some((_, index) => this.#slots.doneBy(index) <= last)) {
      await this.#rings();
    }
    this.flush();
    await this.stop();
  }

  stats(): Stats {
    return statsOf(this.figures, Math.round(performance.now() - this.#began));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start(order: WorkerOrder, index: number): Worker {
    const worker = new Worker(new URL('../worker.js', import.meta.url), { workerData: order });
    const bell = new Int32Array(order.bell);
    worker.on('message', () => {
      Atomics.store(bell, 0, 0);
      this.#ring();
    });
    worker.on('error', (error) => this.#fail(index, error.message));
    worker.on('exit', () => {
      if (this.#slots.doneBy(index) <= this.#slots.published) this.#fail(index, 'it ended');
    });
    return worker;
  }

  #fail(index: number, why: string): void {
    this.#failure ??= new CommandError(
      `worker ${index}: ${why}; run it again with --workers 1, and report it if that works`,
    );
    this.#ring();
  }

  #ring(): void {
    this.#rung = true;
    this.#wake();
  }

  /** Waits until a worker has done something, and takes what there is. */
  async #rings(): Promise<void> {
    this.#take();
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#rung = false;
    if (this.#failure !== null) throw this.#failure;
    this.#take();
  }

  #take(): void {
    let least = Number.POSITIVE_INFINITY;
    this.#workers.forEach((_, index) => {
      const done = this.#slots.doneBy(index);
      least = Math.min(least, done);
      this.#bounds[index] = this.#firsts[done - this.#oldest] ?? Number.POSITIVE_INFINITY;
    });
    const passed = least - this.#oldest;
    this.#firsts.splice(0, passed);
    this.#oldest += passed;
    this.#merge.flush(this.#bounds, Number.POSITIVE_INFINITY);
  }
}
