// Frames in memory that several threads see: one reader copies batches in, every worker walks its
// own frames in place. It says which frame is whose; it waits for nobody's answer and starts no
// thread. Assumes one reader, which alone writes frames, and workers that go through the slots in
// the order in which they were published.

import { FrameBatch, frameMax, slack } from './source.js';
import { steer } from './steer.js';

/** A batch as all workers see it. */
export interface FrameShare {
  readonly batch: FrameBatch;
  /** Worker of each frame. */
  readonly owner: Uint8Array;
  /** Frames of the stream before this batch. */
  readonly first: number;
}

/**
 * Slots are gone through in turn. Eight of them are enough for the reader to be ahead of a worker
 * that has all the work for a while, and little enough for the third-level cache.
 */
const slots = 8;
/** A reader's portion and its unfinished frame, see open.ts; never less than one frame. */
const areaBytes = 256 * 1024 + frameMax + slack;
const capacity = 8192;
const headBytes = 64;
/** Offsets in a slot: head (count, first, clock), the columns, the byte area. */
const timeAt = headBytes;
const columnsAt = timeAt + capacity * 8;
const ownerAt = columnsAt + capacity * 4 * 4;
const bytesAt = ownerAt + capacity;
const slotBytes = Math.ceil((bytesAt + areaBytes) / 64) * 64;
/** A worker looks at least this often whether something was published, or everything is over. */
const patience_ms = 1000;
/** Words before the first slot: batches published, batches each worker is done with, the end. */
const wordsMax = 512;

/** One slot, seen through the types that batches have. */
class Slot implements FrameShare {
  readonly batch: FrameBatch;
  readonly owner: Uint8Array;
  /** Count, first, clock. */
  readonly head: Float64Array;
  readonly #time: Float64Array;

  constructor(memory: SharedArrayBuffer, at: number) {
    this.head = new Float64Array(memory, at, 3);
    this.batch = new FrameBatch(Buffer.from(memory, at + bytesAt, areaBytes), capacity);
    this.#time = new Float64Array(memory, at + timeAt, capacity);
    const column = (index: number): Int32Array =>
      new Int32Array(memory, at + columnsAt + index * capacity * 4, capacity);
    this.batch.offset = column(0);
    this.batch.length = column(1);
    this.batch.wireLength = column(2);
    this.batch.link = column(3);
    this.owner = new Uint8Array(memory, at + ownerAt, capacity);
  }

  get first(): number {
    return this.head[1]!;
  }

  /** The reader's side: what goes with the frames that were put into the columns. */
  publish(count: number, first: number, clock: number, time: Float64Array): void {
    this.head[0] = count;
    this.head[1] = first;
    this.head[2] = clock;
    this.#time.set(time);
  }

  /** A worker's side. Each has times of its own, because the engine writes into them. */
  take(): void {
    const count = this.head[0]!;
    this.batch.count = count;
    this.batch.clock = this.head[2]!;
    this.batch.time.set(this.#time.subarray(0, count));
  }
}

/** Both ends of the slots: `publish` is the reader's, `wait`, `take` and `done` a worker's. */
export class FrameSlots {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #slots: readonly Slot[];
  readonly #workers: number;
  /** Frames published so far. */
  frames = 0;

  constructor(workers: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(wordsMax * 4 + slots * slotBytes);
    this.#words = new Int32Array(this.memory, 0, wordsMax);
    this.#workers = workers;
    this.#slots = Array.from(
      { length: slots },
      (_, index) => new Slot(this.memory, wordsMax * 4 + index * slotBytes),
    );
  }

  /** Batches published; the place of the next one. */
  get published(): number {
    return Atomics.load(this.#words, 0);
  }

  /** Batches that worker `index` is done with. */
  doneBy(index: number): number {
    return Atomics.load(this.#words, 1 + index);
  }

  /** Whether a slot is free to be filled. */
  get free(): boolean {
    let least = this.published;
    for (let worker = 0; worker < this.#workers; worker += 1) {
      least = Math.min(least, this.doneBy(worker));
    }
    return this.published - least < slots;
  }

  /**
   * Copies frames of `batch` from index `from` on into the next slot, as many as fit, and hands
   * them to the workers; gives the index of the first that did not. Ask `free` before. The batch's
   * clock goes with its last frame.
   */
  publish(batch: FrameBatch, from: number): number {
    const slot = this.#slots[this.published % slots]!;
    const to = this.#fit(batch, from);
    let low = 0;
    let high = 0;
    if (to > from) {
      [low, high] = this.#span(batch, from, to);
      // One copy for all: most of the bytes between the first and the last frame are frames.
      batch.bytes.copy(slot.batch.bytes, 0, low, high);
    }
    const { offset, length, wireLength, link } = slot.batch;
    for (let index = from; index < to; index += 1) {
      const at = index - from;
      const start = batch.offset[index]!;
      const end = Math.min(start + batch.length[index]!, low + areaBytes - slack);
      offset[at] = start - low;
      length[at] = end - start;
      wireLength[at] = batch.wireLength[index]!;
      link[at] = batch.link[index]!;
      slot.owner[at] = steer(batch.bytes, start, end, batch.link[index]!, this.#workers);
    }
    const clock = to === batch.count ? batch.clock : 0;
    slot.publish(to - from, this.frames, clock, batch.time.subarray(from, to));
    this.frames += to - from;
    Atomics.add(this.#words, 0, 1);
    Atomics.notify(this.#words, 0);
    return to;
  }

  /** The reader: nothing more will be published. */
  end(): void {
    Atomics.store(this.#words, wordsMax - 1, 1);
    Atomics.notify(this.#words, 0);
  }

  /** Waits in a worker until batch number `number` is there; false if there will be none. */
  wait(number: number): boolean {
    for (;;) {
      const ended = Atomics.load(this.#words, wordsMax - 1) === 1;
      const { published } = this;
      if (published > number) return true;
      if (ended) return false;
      Atomics.wait(this.#words, 0, published, patience_ms);
    }
  }

  /** Batch number `number`, once it is published. */
  take(number: number): FrameShare {
    const slot = this.#slots[number % slots]!;
    slot.take();
    return slot;
  }

  /** Worker `worker` is done with one more batch. */
  done(worker: number): void {
    Atomics.add(this.#words, 1 + worker, 1);
  }

  /** The first frame that does not fit with those from `from` on: at least one always does. */
  #fit(batch: FrameBatch, from: number): number {
    const most = Math.min(batch.count, from + capacity);
    if (batch.count === 0) return 0;
    let low = batch.offset[from]!;
    let high = low;
    for (let index = from; index < most; index += 1) {
      const start = batch.offset[index]!;
      low = Math.min(low, start);
      high = Math.max(high, start + batch.length[index]!);
      if (high - low + slack > areaBytes) return Math.max(index, from + 1);
    }
    return most;
  }

  #span(batch: FrameBatch, from: number, to: number): [number, number] {
    let low = batch.offset[from]!;
    let high = low;
    for (let index = from; index < to; index += 1) {
      const start = batch.offset[index]!;
      low = Math.min(low, start);
      high = Math.max(high, start + batch.length[index]!);
    }
    return [low, high];
  }
}
