// A packet worker: a thread with a packet line of its own that shares nothing with others. Its
// frames come from shared memory (a replay) or from sources that it opens itself (a live tap); it
// leaves rows and figures in shared memory. The main thread's sides: cli/steered.ts, cli/crew.ts.

import { parentPort, workerData } from 'node:worker_threads';
import { RowPipe } from './batch/pipe.js';
import { RowCursor, type RowSink } from './batch/row.js';
import { type LivePlan, openLive } from './capture/live.js';
import type { RingSource } from './capture/ring/open.js';
import { FrameSlots } from './capture/share.js';
import { CaptureError, nextOf, problemOf, type Source } from './capture/source.js';
import type { Config } from './config.js';
import { Engine } from './engine.js';
import { Figure } from './figures.js';
import { rehearse } from './rehearsal.js';

/** What a worker is told when it starts. All memory is made by the main thread. */
export interface WorkerOrder {
  readonly config: Config;
  /** See `EngineOptions`: the same for all workers. */
  readonly factsKey?: Uint8Array | undefined;
  readonly work: Share | Tap;
  /** Rows of this worker, see batch/pipe.ts. */
  readonly rows: SharedArrayBuffer;
  /** Figures of this worker, see figures.ts. */
  readonly figures: SharedArrayBuffer;
  /** One word: 1 while a bell (message 0) to the main thread is on its way. */
  readonly bell: SharedArrayBuffer;
}

/** The frames of one worker among those of all, see capture/share.ts. */
interface Share {
  readonly kind: 'share';
  readonly index: number;
  readonly workers: number;
  readonly frames: SharedArrayBuffer;
}

/** A tap of its own. */
interface Tap {
  readonly kind: 'tap';
  readonly plan: LivePlan;
  /** Whether to play made-up mail first: not where a worker died and frames wait. */
  readonly rehearse: boolean;
}

/** What a worker says. 0 is the bell: there are rows, or a batch is done. */
export type WorkerWord =
  | 0
  /** It listens. */
  | 'ready'
  /** Its sources ended; a line for each that did so before its real end. */
  | { readonly ended: readonly string[] }
  /** A source cannot be used; one line. */
  | { readonly failed: string };

/** What a worker is told, and then ends as if its sources had. Only types leave this file. */
export type StopWord = 'stop';

/** How long a worker waits for room for its rows before it rings again. */
const patience_ms = 1000;
/** Rows and figures of a tap leave at least this often. */
const flush_ms = 250;
/** A source that always has packets gives way to messages and timers this often. */
const yield_ms = 20;
/** When a tap ends, a main thread that takes no rows is waited for this long. */
const lastWords_ms = 2000;

/** What both kinds of work have in common. */
class Line {
  readonly engine: Engine;
  readonly #pipe: RowPipe;
  readonly figures: Float64Array;
  readonly #bell: Int32Array;
  readonly #cursor = new RowCursor();
  /** Until when rows wait for room, by `performance.now`; then they are dropped and counted. */
  patience = Number.POSITIVE_INFINITY;
  #rowsDropped = 0;

  constructor(order: WorkerOrder) {
    this.#pipe = new RowPipe(order.rows);
    this.figures = new Float64Array(order.figures);
    this.#bell = new Int32Array(order.bell);
    const sink: RowSink = { rows: (area, length) => this.#send(area, length) };
    this.engine = new Engine(order.config, sink, { factsKey: order.factsKey });
  }

  /** Leaves the figures where the main thread looks. */
  count(): void {
    this.engine.count(this.figures);
    this.figures[Figure.rowsDropped]! += this.#rowsDropped;
  }

  /** Wakes the main thread, unless it is about to look anyway. */
  ring(): void {
    if (Atomics.exchange(this.#bell, 0, 1) === 0) say(0);
  }

  #send(area: ArrayBuffer, length: number): void {
    while (!this.#pipe.write(area, length)) {
      this.ring();
      const left = this.patience - performance.now();
      if (left <= 0) {
        this.#drop(area, length);
        return;
      }
      this.#pipe.wait(Math.min(left, patience_ms));
    }
  }

  #drop(area: ArrayBuffer, length: number): void {
    this.#cursor.open(area, length);
    while (this.#cursor.next()) this.#rowsDropped++;
  }
}

/** Works through its share of the frames, to their end. Nothing is lost: it waits where it must. */
function share(order: WorkerOrder, { index, workers, frames }: Share): void {
  const line = new Line(order);
  const slots = new FrameSlots(workers, frames);
  for (let batch = 0; slots.wait(batch); batch += 1) {
    line.engine.feedShare(slots.take(batch), index);
    line.engine.flush();
    line.count();
    slots.done(index);
    line.ring();
  }
  line.engine.finish();
  line.count();
  slots.done(index);
  line.ring();
}

/** Listens until its sources end or it is told to. It never waits for the main thread. */
class TapWork {
  readonly #line: Line;
  readonly #sources: readonly Source[];
  readonly #ring: RingSource | null;
  #stopped = false;

  constructor(order: WorkerOrder, { plan, rehearse: rehearses }: Tap) {
    this.#line = new Line(order);
    this.#line.patience = 0;
    if (rehearses) rehearse(order.config, { factsKey: order.factsKey });
    const { sources, ring } = openLive(plan);
    this.#sources = sources;
    this.#ring = ring;
  }

  async run(): Promise<void> {
    parentPort?.on('message', () => this.#stop());
    const timer = setInterval(() => this.#flush(), flush_ms);
    try {
      await Promise.all(this.#sources.map((source) => this.#pump(source)));
    } finally {
      clearInterval(timer);
      this.#stop();
    }
    this.#line.patience = performance.now() + lastWords_ms;
    this.#line.engine.finish();
    this.#flush();
    say({ ended: this.#sources.map(problemOf).filter((line) => line !== null) });
    parentPort?.close();
  }

  #stop(): void {
    this.#stopped = true;
    for (const source of this.#sources) source.close();
  }

  async #pump(source: Source): Promise<void> {
    const line = this.#line;
    let yielded = performance.now();
    while (!this.#stopped) {
      const batch = await nextOf(source);
      if (batch === null) return;
      const now = performance.now();
      if (now - yielded >= yield_ms) {
        yielded = now;
        await new Promise<void>((resume) => setImmediate(resume));
        // Then the batch is no more.
        if (this.#stopped) return;
      }
      line.engine.feed(batch);
      // Should this thread die, only the batch in hand is lost, and that is counted.
      line.engine.flush();
      line.count();
    }
  }

  #flush(): void {
    const line = this.#line;
    line.engine.flush();
    line.count();
    line.figures[Figure.kernelDrops] = this.#sources.reduce((sum, one) => sum + one.drops, 0);
    if (this.#ring !== null) this.#countRing(this.#ring);
    line.ring();
  }

  #countRing(ring: RingSource): void {
    const { figures } = this.#line;
    const { fill, freezes, unsteered, down } = ring.figures();
    figures[Figure.ringFill] = fill;
    figures[Figure.ringFull] = freezes;
    figures[Figure.unsteered] = unsteered;
    figures[Figure.interfacesDown] = down.length;
    figures[Figure.framesLost] = ring.lost;
  }
}

function say(word: WorkerWord): void {
  parentPort?.postMessage(word);
}

async function main(order: WorkerOrder): Promise<void> {
  const { work } = order;
  if (work.kind === 'share') return share(order, work);
  const failed = (error: unknown) => {
    say({ failed: error instanceof Error ? error.message : String(error) });
    parentPort?.close();
  };
  let tap: TapWork;
  try {
    tap = new TapWork(order, work);
  } catch (error) {
    failed(error);
    return;
  }
  say('ready');
  try {
    await tap.run();
  } catch (error) {
    // Any other error is a defect that some frame brought to light: the thread dies of it, and
    // the next one reads on behind that frame.
    if (!(error instanceof CaptureError)) throw error;
    failed(error);
  }
}

await main(workerData as WorkerOrder);
