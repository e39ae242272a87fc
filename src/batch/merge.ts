// Rows of several workers in the order in which a single one would have written them (`RowOrder`).
// It copies rows from the workers' rings into portions of its own; it knows no row's meaning.

import type { RowPipe } from './pipe.js';
import { At, type RowSink } from './row.js';
import { portionBytes } from './writer.js';

/** The next row of one worker. */
class Head {
  readonly pipe: RowPipe;
  /** Bytes of the portion at hand, and word of the next row in the ring and behind the last. */
  length = 0;
  at = 0;
  end = 0;

  constructor(pipe: RowPipe) {
    this.pipe = pipe;
  }

  /** Whether there is a row; looks for the next portion when one was read to its end. */
  ready(): boolean {
    if (this.at < this.end) return true;
    if (this.length > 0) this.pipe.release(this.length);
    this.length = this.pipe.peek();
    this.at = this.pipe.from >> 2;
    this.end = this.at + (this.length >> 2);
    return this.length > 0;
  }

  double(at: number): number {
    return this.pipe.doubles[(this.at + at) >> 1]!;
  }

  word(at: number): number {
    return this.pipe.words[this.at + at]!;
  }

  /** Negative if this row comes before that of `other`. */
  compare(other: Head): number {
    return (
      this.double(At.order) - other.double(At.order) ||
      this.double(At.last) - other.double(At.last) ||
      this.word(At.flowHigh) - other.word(At.flowHigh) ||
      this.word(At.flowLow) - other.word(At.flowLow)
    );
  }
}

export class RowMerge {
  readonly #heads: readonly Head[];
  readonly #sink: RowSink;
  #area: ArrayBuffer;
  #bytes: Uint8Array;
  #used = 0;

  constructor(pipes: readonly RowPipe[], sink: RowSink) {
    this.#heads = pipes.map((pipe) => new Head(pipe));
    this.#sink = sink;
    this.#area = new ArrayBuffer(2 * portionBytes);
    this.#bytes = new Uint8Array(this.#area);
  }

  /**
   * Takes every row whose turn has come, and hands on what fills a portion: the portions are those
   * that a single `RowWriter` makes. `bounds`, one for each worker and read before this call: all
   * of its rows with a lower order are in its ring. Ends once `bytesMax` were taken; gives how many
   * were.
   */
  flush(bounds: Float64Array, bytesMax: number): number {
    let bytes = 0;
    while (bytes < bytesMax) {
      const next = this.#next(bounds);
      if (next === null) break;
      bytes += this.#keep(next);
    }
    return bytes;
  }

  /** Hands on what does not fill a portion. */
  flushRest(): void {
    const length = this.#used;
    this.#used = 0;
    if (length > 0) this.#sink.rows(this.#area, length);
  }

  /** Throws away what is in the rings; gives the number of rows. */
  drop(): number {
    let rows = 0;
    for (const head of this.#heads) {
      for (; head.ready(); head.at += head.word(At.size)) rows++;
    }
    return rows;
  }

  /** The worker whose row is next; null while one that is behind may give an earlier one. */
  #next(bounds: Float64Array): Head | null {
    let first: Head | null = null;
    let bound = Number.POSITIVE_INFINITY;
    for (let index = 0; index < this.#heads.length; index++) {
      const head = this.#heads[index]!;
      if (!head.ready()) bound = Math.min(bound, bounds[index]!);
      else if (first === null || head.compare(first) < 0) first = head;
    }
    return first !== null && first.double(At.order) < bound ? first : null;
  }

  #keep(head: Head): number {
    const bytes = head.word(At.size) * 4;
    if (this.#used > portionBytes) this.flushRest();
    if (this.#used + bytes > this.#area.byteLength) this.#grow(this.#used + bytes);
    const from = head.at * 4;
    this.#bytes.set(head.pipe.bytes.subarray(from, from + bytes), this.#used);
    this.#used += bytes;
    head.at += bytes >> 2;
    return bytes;
  }

  #grow(bytes: number): void {
    const before = this.#bytes;
    this.#area = new ArrayBuffer(bytes);
    this.#bytes = new Uint8Array(this.#area);
    this.#bytes.set(before.subarray(0, this.#used));
  }
}
