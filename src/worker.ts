// A packet worker: a thread with a packet line of its own, which shares nothing with the others. It
// takes its frames out of shared memory, and leaves rows and figures in shared memory. The main
// thread's side is cli/steered.ts.

import { parentPort, workerData } from 'node:worker_threads';
import { RowPipe } from './batch/pipe.js';
import { FrameSlots } from './capture/share.js';
import type { Config } from './config.js';
import { Engine } from './engine.js';

/** What a worker is told when it starts. All memory is made by the main thread. */
export interface WorkerOrder {
  readonly config: Config;
  /** See `EngineOptions`: the same for all workers. */
  readonly factsKey?: Uint8Array | undefined;
  /** Number of this worker, and how many there are. */
  readonly index: number;
  readonly workers: number;
  /** Frames of all workers, see capture/share.ts. */
  readonly frames: SharedArrayBuffer;
  /** Rows of this worker, see batch/pipe.ts. */
  readonly rows: SharedArrayBuffer;
  /** Figures of this worker, see figures.ts. */
  readonly figures: SharedArrayBuffer;
  /** One word: 1 while a message to the main thread is on its way. */
  readonly bell: SharedArrayBuffer;
}

/** How long a worker waits for room for its rows before it rings again. */
const patience_ms = 1000;

/** Runs over the frames of a capture to their end. Nothing is lost: it waits where it must. */
class Share {
  readonly #order: WorkerOrder;
  readonly #bell: Int32Array;

  constructor(order: WorkerOrder) {
    this.#order = order;
    this.#bell = new Int32Array(order.bell);
  }

  run(): void {
    const { config, index, workers, frames, factsKey } = this.#order;
    const slots = new FrameSlots(workers, frames);
    const pipe = new RowPipe(this.#order.rows);
    const figures = new Float64Array(this.#order.figures);
    const rows = (area: ArrayBuffer, length: number): void => {
      while (!pipe.write(area, length)) {
        this.#ring();
        pipe.wait(patience_ms);
      }
    };
    const engine = new Engine(config, { rows }, { factsKey });
    for (let batch = 0; slots.wait(batch); batch += 1) {
      engine.feedShare(slots.take(batch), index);
      engine.flush();
      slots.done(index);
      this.#ring();
    }
    engine.finish();
    engine.count(figures);
    slots.done(index);
    this.#ring();
  }

  /** Wakes the main thread, unless it is about to look anyway. */
  #ring(): void {
    if (Atomics.exchange(this.#bell, 0, 1) === 0) parentPort?.postMessage(0);
  }
}

new Share(workerData as WorkerOrder).run();
