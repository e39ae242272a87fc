// Counts of values by how large they are, for percentiles that somebody computes later. It lives in
// numbers of its own or in shared memory, so that a thread can count and another one read.

/** What was counted; `counts` are of each bucket alone, the last one is beyond all bounds. */
export interface HistogramFigures {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

export class Histogram {
  readonly #bounds: readonly number[];
  /** A count for each bucket, and at the end the sum of the values. */
  readonly #area: Float64Array;

  /** `bounds` are upper ends, included, ascending. `area` has `slotsOf(bounds)` numbers. */
  constructor(bounds: readonly number[], area: Float64Array = new Float64Array(slotsOf(bounds))) {
    this.#bounds = bounds;
    this.#area = area;
  }

  /** Counts a value; what is no number, or negative because a clock was set back, counts as 0. */
  observe(value: number): void {
    const size = Number.isNaN(value) ? 0 : Math.max(0, value);
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && size > bounds[bucket]!) bucket += 1;
    this.#area[bucket]! += 1;
    this.#area[bounds.length + 1]! += size;
  }

  get figures(): HistogramFigures {
    const bounds = this.#bounds;
    const counts = Array.from(this.#area.subarray(0, bounds.length + 1));
    return { bounds, counts, sum: this.#area[bounds.length + 1]! };
  }
}

/** Numbers that a histogram with these bounds takes. */
export function slotsOf(bounds: readonly number[]): number {
  return bounds.length + 2;
}
