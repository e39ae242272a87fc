// Hot sources by Space-Saving (Metwally, Agrawal, El Abbadi 2005): of all subjects the k counters
// keep those above N/k for certain. A counter's error is what it inherited when it was taken over;
// only the guaranteed part, count minus error, is ever reported. Counts are halved at the end of
// each window, which keeps their order.
//
//   state words: two; the counters are the bucket's own, a heap with the least on top

import type { Facts } from '../facts.js';
import type { Cells } from '../state/subjects.js';
import { type Bucket, type Evidence, rounded, Verdict } from './bucket.js';

export interface HeavyOptions {
  readonly counters: number;
  readonly seconds: number;
  /** Share of all observations that is hot. */
  readonly share: number;
  /** Guaranteed observations that it takes. */
  readonly atLeast: number;
}

export class Heavy implements Bucket {
  /** Word 1: guaranteed part at the last observation. */
  readonly words = 2;
  readonly #is: HeavyOptions;
  readonly #space: SpaceSaving;
  #window = 0;

  constructor(options: HeavyOptions) {
    this.#is = options;
    this.#space = new SpaceSaving(options.counters);
  }

  observe(cells: Cells, at: number, facts: Facts): number {
    const window = Math.floor(facts.second / this.#is.seconds);
    if (this.#window !== window) {
      if (this.#window !== 0) this.#space.halve();
      this.#window = window;
    }
    const guaranteed = this.#space.add(cells.keyOf(at));
    cells.words[at + 1] = guaranteed;
    const hot = guaranteed >= this.#is.atLeast && guaranteed >= this.#is.share * this.#space.total;
    return hot ? Verdict.suspected : Verdict.none;
  }

  evidence(cells: Cells, at: number): Evidence {
    const guaranteed = cells.words[at + 1]!;
    return {
      guaranteed,
      of: this.#space.total,
      share: rounded(guaranteed / Math.max(1, this.#space.total)),
      error_max: Math.ceil(this.#space.total / this.#is.counters),
      window_s: this.#is.seconds,
    };
  }

  release(cells: Cells, at: number): void {
    this.#space.forget(cells.keyOf(at));
  }
}

/** The counters: count, error and key of each, in a binary heap by count. */
export class SpaceSaving {
  readonly #capacity: number;
  readonly #counts: Float64Array;
  readonly #errors: Float64Array;
  readonly #keys: Float64Array;
  /** Key to place in the heap. */
  readonly #places = new Map<number, number>();
  #size = 0;
  /** Observations in all, halved with the counts. */
  total = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#counts = new Float64Array(capacity);
    this.#errors = new Float64Array(capacity);
    this.#keys = new Float64Array(capacity);
  }

  /** Counts `key` once; gives how often it was seen at least. */
  add(key: number): number {
    this.total++;
    let at = this.#places.get(key);
    if (at === undefined) {
      if (this.#size < this.#capacity) {
        at = this.#size++;
        this.#put(at, key, 0, 0);
        at = this.#rise(at);
      } else {
        at = 0;
        this.#places.delete(this.#keys[0]!);
        this.#put(0, key, this.#counts[0]!, this.#counts[0]!);
      }
    }
    this.#counts[at]!++;
    at = this.#sink(at);
    return this.#counts[at]! - this.#errors[at]!;
  }

  /** The subject of this key is another from now on: its counter is anybody's. */
  forget(key: number): void {
    const at = this.#places.get(key);
    if (at === undefined) return;
    this.#errors[at] = this.#counts[at]!;
    this.#places.delete(key);
    this.#keys[at] = -key;
    this.#places.set(-key, at);
  }

  /** Halves all counts; their order, and so the heap, stays. */
  halve(): void {
    this.total = Math.floor(this.total / 2);
    for (let at = 0; at < this.#size; at++) {
      const guaranteed = Math.floor((this.#counts[at]! - this.#errors[at]!) / 2);
      this.#counts[at] = Math.floor(this.#counts[at]! / 2);
      this.#errors[at] = this.#counts[at]! - guaranteed;
    }
  }

  #put(at: number, key: number, count: number, error: number): void {
    this.#keys[at] = key;
    this.#counts[at] = count;
    this.#errors[at] = error;
    this.#places.set(key, at);
  }

  #swap(a: number, b: number): void {
    const key = this.#keys[a]!;
    const count = this.#counts[a]!;
    const error = this.#errors[a]!;
    this.#put(a, this.#keys[b]!, this.#counts[b]!, this.#errors[b]!);
    this.#put(b, key, count, error);
  }

  /** Moves a counter down to where its children have more; gives its place. */
  #sink(from: number): number {
    let at = from;
    for (;;) {
      let least = at;
      const left = at * 2 + 1;
      if (left < this.#size && this.#counts[left]! < this.#counts[least]!) least = left;
      const right = left + 1;
      if (right < this.#size && this.#counts[right]! < this.#counts[least]!) least = right;
      if (least === at) return at;
      this.#swap(at, least);
      at = least;
    }
  }

  #rise(from: number): number {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#counts[above]! <= this.#counts[at]!) break;
      this.#swap(at, above);
      at = above;
    }
    return at;
  }
}
