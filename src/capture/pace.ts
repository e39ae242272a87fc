// Makes a capture file look like a live tap: packets come at the pace they were recorded, or as
// fast as they can, and the file may begin again for ever. It moves times; it reads no bytes.

import { setTimeout as sleep } from 'node:timers/promises';
import { FrameBatch, type Source, type SourceProblem } from './source.js';

export interface PaceOptions {
  readonly loop: boolean;
  /** Times real time; null is as fast as it can. */
  readonly speed: number | null;
  /** Microseconds between the end of a round and the next, in packet time only: nobody waits. */
  readonly gap: number;
}

/** An idle moment is told to the engine this often, so that its clock moves. */
const idle_ms = 200;

/** A source over the source that `open` gives. Time never runs backwards between rounds. */
export class PacedSource implements Source {
  readonly #open: () => Source;
  readonly #options: PaceOptions;
  #inner: Source;
  #problem: SourceProblem | null = null;
  #closed = false;
  /** Microseconds added to the times of this round. */
  #shift = 0;
  #latest = 0;
  #packets = 0;
  /** First packet of this round in shifted time, NaN before it, and when it came. */
  #start = Number.NaN;
  #startWall = 0;
  #held: FrameBatch | null = null;
  #at = 0;
  readonly #view = new FrameBatch(Buffer.alloc(0), 4096);

  constructor(open: () => Source, options: PaceOptions) {
    this.#open = open;
    this.#options = options;
    this.#inner = open();
  }

  get name(): string {
    return this.#inner.name;
  }

  get problem(): SourceProblem | null {
    return this.#problem ?? this.#inner.problem;
  }

  get drops(): number {
    return 0;
  }

  progress(): { read: number; total: number } {
    return this.#inner.progress();
  }

  close(): void {
    this.#closed = true;
    this.#inner.close();
  }

  async next(): Promise<FrameBatch | null> {
    while (!this.#closed) {
      if (this.#held !== null) return this.#portion(this.#held);
      const batch = await this.#inner.next();
      if (batch === null && !this.#again()) return null;
      if (batch === null || batch.count === 0) continue;
      this.#take(batch);
      if (this.#options.speed === null) return batch;
      this.#held = batch;
      this.#at = 0;
    }
    return null;
  }

  /** Begins the next round; false when this was the last. */
  #again(): boolean {
    this.#problem ??= this.#inner.problem;
    // A round without a packet would repeat itself for ever.
    if (!this.#options.loop || this.#closed || this.#packets === 0) return false;
    this.#inner.close();
    this.#inner = this.#open();
    this.#packets = 0;
    this.#start = Number.NaN;
    return true;
  }

  /** Moves the times of a batch into this round. */
  #take(batch: FrameBatch): void {
    const { time, count } = batch;
    if (Number.isNaN(this.#start)) {
      if (this.#latest > 0) this.#shift = this.#latest + this.#options.gap - time[0]!;
      this.#start = time[0]! + this.#shift;
      this.#startWall = performance.now();
    }
    this.#packets += count;
    for (let frame = 0; frame < count; frame++) {
      const moved = time[frame]! + this.#shift;
      time[frame] = moved;
      if (moved > this.#latest) this.#latest = moved;
    }
  }

  /** The frames that are due; an empty batch that moves the clock when none is. */
  async #portion(held: FrameBatch): Promise<FrameBatch> {
    const due = this.#wallOf(held.time[this.#at]!) - performance.now();
    if (due > 0) await sleep(Math.min(due, idle_ms));
    const now = this.#now();
    const from = this.#at;
    const most = Math.min(held.count, from + this.#view.capacity);
    let to = from;
    while (to < most && held.time[to]! <= now) to += 1;
    this.#at = to;
    const view = show(this.#view, held, from, to);
    // Beyond the end of what is held, frames that are due may still be in the file.
    view.clock = to < most ? now : 0;
    if (to === held.count) this.#held = null;
    return view;
  }

  #now(): number {
    return this.#start + (performance.now() - this.#startWall) * 1000 * this.#speed;
  }

  #wallOf(time: number): number {
    return this.#startWall + (time - this.#start) / 1000 / this.#speed;
  }

  get #speed(): number {
    return this.#options.speed ?? 1;
  }
}

/** Frames `from` to `to` of `held` as a batch of their own over the same bytes. */
function show(view: FrameBatch, held: FrameBatch, from: number, to: number): FrameBatch {
  view.bytes = held.bytes;
  view.count = to - from;
  view.offset.set(held.offset.subarray(from, to));
  view.length.set(held.length.subarray(from, to));
  view.wireLength.set(held.wireLength.subarray(from, to));
  view.time.set(held.time.subarray(from, to));
  view.link.set(held.link.subarray(from, to));
  return view;
}
