// Hot sources by Space-Saving (Metwally, Agrawal, El Abbadi 2005): of all subjects the k counters
// keep those above N/k for certain. A counter's error is what it inherited when it was taken over;
// only the guaranteed part, count minus error, is ever reported. Counts are halved at the end of
// each window, which keeps their order.
//
// Prefixes stand above sources: one is hot by what is left of it without its hot sources (the
// hierarchical heavy hitters of Cormode, Korn, Muthukrishnan and Srivastava 2003), so a prefix is
// told of only for a crowd that no single source explains.
//
//   words  0 counter, plus 1  1 guaranteed part at the last observation
//          2 of it in hot sources below  3 of the rest told to the level above  4 halvings so far
//
// The counters are the bucket's own.

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
  /** The level of the sources, where this one counts prefixes; it hears of the same first. */
  readonly below?: Heavy;
}

export class Heavy implements Bucket {
  readonly words = 6;
  /** Observations of hot subjects that the level above has to leave out, since the last one. */
  passed = 0;
  readonly #is: HeavyOptions;
  readonly #space: SpaceSaving;
  #window = 0;
  #halvings = 0;

  constructor(options: HeavyOptions) {
    this.#is = options;
    this.#space = new SpaceSaving(options.counters);
  }

  observe(cells: Cells, at: number, facts: Facts): number {
    const window = Math.floor(facts.second / this.#is.seconds);
    if (this.#window !== window) {
      if (this.#window !== 0) this.#halve();
      this.#window = window;
    }
    this.#age(cells, at);
    const below = this.#is.below?.passed ?? 0;
    const counter = this.#space.add(cells.keyOf(at), cells.words[at]! - 1);
    const guaranteed = this.#space.guaranteed(counter);
    cells.words[at] = counter + 1;
    cells.words[at + 1] = guaranteed;
    cells.words[at + 2]! += below;
    const left = guaranteed - cells.words[at + 2]!;
    this.passed = below;
    const limit = Math.max(this.#is.atLeast, this.#is.share * this.#space.total);
    if (left < limit) return Verdict.none;
    this.passed += Math.max(0, left - cells.words[at + 3]!);
    cells.words[at + 3] = left;
    return Verdict.suspected;
  }

  #halve(): void {
    this.#space.halve();
    this.#halvings++;
  }

  /** What stands here is halved like the counts; upwards, so that rather too much is left out. */
  #age({ words }: Cells, at: number): void {
    const times = 2 ** Math.min(31, this.#halvings - words[at + 4]!);
    words[at + 4] = this.#halvings;
    if (times === 1) return;
    words[at + 2] = Math.ceil(words[at + 2]! / times);
    words[at + 3] = Math.floor(words[at + 3]! / times);
  }

  evidence(cells: Cells, at: number): Evidence {
    const guaranteed = cells.words[at + 1]!;
    const { below } = this.#is;
    return {
      guaranteed,
      ...(below && { of_hot_sources: cells.words[at + 2]! }),
      of: this.#space.total,
      share: rounded(guaranteed / Math.max(1, this.#space.total)),
      error_max: Math.ceil(this.#space.total / this.#is.counters),
      window_s: this.#is.seconds,
    };
  }

  moved(cells: Cells, at: number, before: number): void {
    this.#space.rename(before, cells.keyOf(at), cells.words[at]! - 1);
  }

  release(cells: Cells, at: number): void {
    this.#space.forget(cells.keyOf(at), cells.words[at]! - 1);
  }
}

/**
 * The counters, as the stream summary of that paper: counters with equal counts hang on one node,
 * nodes are linked by count, so that counting one up and finding the least take a few steps however
 * many there are. A counter never moves: who knows its number need not search.
 */
export class SpaceSaving {
  readonly #capacity: number;
  readonly #keys: Float64Array;
  readonly #errors: Float64Array;
  /** Node of each counter, and its neighbours on the node. */
  readonly #node: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Count of each node, its first counter, the nodes with more and with less. */
  readonly #counts: Float64Array;
  readonly #first: Int32Array;
  readonly #more: Int32Array;
  readonly #less: Int32Array;
  readonly #free: number[] = [];
  #least = -1;
  #size = 0;
  /** Observations in all, halved with the counts. */
  total = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#keys = new Float64Array(capacity);
    this.#errors = new Float64Array(capacity);
    this.#node = new Int32Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#previous = new Int32Array(capacity);
    this.#counts = new Float64Array(capacity + 1);
    this.#first = new Int32Array(capacity + 1);
    this.#more = new Int32Array(capacity + 1);
    this.#less = new Int32Array(capacity + 1);
    for (let node = capacity; node >= 0; node--) this.#free.push(node);
  }

  /** Counts `key` (not 0) once. `known` is its counter as far as the caller knows; gives it. */
  add(key: number, known: number): number {
    this.total++;
    let counter = known;
    if (counter < 0 || this.#keys[counter] !== key) {
      if (this.#size < this.#capacity) {
        counter = this.#size++;
        this.#hang(counter, this.#nodeOf(0, -1));
      } else {
        counter = this.#first[this.#least]!;
        this.#errors[counter] = this.#counts[this.#least]!;
      }
      this.#keys[counter] = key;
    }
    this.#raise(counter);
    return counter;
  }

  /** How often the key of the counter was seen at least. */
  guaranteed(counter: number): number {
    return this.#counts[this.#node[counter]!]! - this.#errors[counter]!;
  }

  /** Its subject has another key from now on. */
  rename(before: number, key: number, counter: number): void {
    if (counter >= 0 && this.#keys[counter] === before) this.#keys[counter] = key;
  }

  /** Its subject is gone: nothing of the counter is guaranteed to anybody. */
  forget(key: number, counter: number): void {
    if (counter < 0 || this.#keys[counter] !== key) return;
    this.#keys[counter] = 0;
    this.#errors[counter] = this.#counts[this.#node[counter]!]!;
  }

  /** Halves all counts. */
  halve(): void {
    this.total = Math.floor(this.total / 2);
    const halves: { readonly counter: number; readonly count: number }[] = [];
    for (let node = this.#least; node >= 0; node = this.#more[node]!) {
      for (let one = this.#first[node]!; one >= 0; one = this.#next[one]!) {
        const guaranteed = Math.floor(this.guaranteed(one) / 2);
        const count = Math.floor(this.#counts[node]! / 2);
        this.#errors[one] = count - guaranteed;
        halves.push({ counter: one, count });
      }
      this.#free.push(node);
    }
    this.#least = -1;
    let last = -1;
    for (const { counter, count } of halves) {
      last = this.#nodeOf(count, last);
      this.#hang(counter, last);
    }
  }

  /** The node of `count`, which stands at `before` or right behind it; made if it is missing. */
  #nodeOf(count: number, before: number): number {
    if (before >= 0 && this.#counts[before] === count) return before;
    const behind = before < 0 ? this.#least : this.#more[before]!;
    if (behind >= 0 && this.#counts[behind] === count) return behind;
    const node = this.#free.pop()!;
    this.#counts[node] = count;
    this.#first[node] = -1;
    this.#less[node] = before;
    this.#more[node] = behind;
    if (before < 0) this.#least = node;
    else this.#more[before] = node;
    if (behind >= 0) this.#less[behind] = node;
    return node;
  }

  #hang(counter: number, node: number): void {
    const first = this.#first[node]!;
    this.#node[counter] = node;
    this.#previous[counter] = -1;
    this.#next[counter] = first;
    if (first >= 0) this.#previous[first] = counter;
    this.#first[node] = counter;
  }

  /** Moves a counter to the node with one more; a node without counters goes. */
  #raise(counter: number): void {
    const node = this.#node[counter]!;
    const up = this.#nodeOf(this.#counts[node]! + 1, node);
    const next = this.#next[counter]!;
    const previous = this.#previous[counter]!;
    if (previous >= 0) this.#next[previous] = next;
    else this.#first[node] = next;
    if (next >= 0) this.#previous[next] = previous;
    this.#hang(counter, up);
    if (this.#first[node]! >= 0) return;
    const less = this.#less[node]!;
    if (less >= 0) this.#more[less] = up;
    else this.#least = up;
    this.#less[up] = less;
    this.#free.push(node);
  }
}
