// Different things in a sliding window: how many recipients, servers or names a subject touches.
// Fires above `over`. Up to 64 the count is exact; above, the sketch's lower bound decides, so that
// nobody is found for the error of an estimate.
//
//   words  0 observations  1 of them in the share  2 first, second  3 last, second
//          4 candidate of `same`  5 its run  6,7 free  8 .. sets: of, or, and

import type { Facts } from '../facts.js';
import type { Test } from '../fold.js';
import type { Cells } from '../state/subjects.js';
import { setWords, type Tallies } from '../state/tally.js';
import { type Bucket, type Evidence, rounded, Verdict } from './bucket.js';

interface Limit {
  readonly seconds: number;
  readonly over: number;
}

export interface DistinctOptions extends Limit {
  /** Slot of the thing that is counted. */
  readonly slot: number;
  /** The same thing over another window: either fires. */
  readonly or?: Limit | undefined;
  /** Another thing that must be above its limit too. */
  readonly and?: { readonly slot: number; readonly over: number } | undefined;
  /** Share of observations that must satisfy a test. */
  readonly share?: { readonly when: Test; readonly over: number } | undefined;
  /** Share of observations that must have one value of a field in common. */
  readonly same?: { readonly slot: number; readonly over: number } | undefined;
  /** How many times the limits hold for each role, in the order of `roleNames`. */
  readonly times: readonly number[];
  /** Above this in the first window it is probable. */
  readonly probableOver?: number | undefined;
  readonly tallies: Tallies;
}

const head = 8;

export class Distinct implements Bucket {
  readonly words: number;
  readonly #is: DistinctOptions;
  readonly #orAt: number;
  readonly #andAt: number;
  readonly #longest: number;

  constructor(options: DistinctOptions) {
    this.#is = options;
    this.#orAt = head + setWords;
    this.#andAt = this.#orAt + (options.or === undefined ? 0 : setWords);
    this.words = this.#andAt + (options.and === undefined ? 0 : setWords);
    this.#longest = Math.max(options.seconds, options.or?.seconds ?? 0);
  }

  observe(cells: Cells, at: number, facts: Facts): number {
    const is = this.#is;
    const { words } = cells;
    const { second, values } = facts;
    const thing = values[is.slot]! | 0;
    if (thing === 0) return Verdict.none;
    // Shares speak of the same window as the counts; they begin again after a silence of its
    // length.
    if (second - words[at + 3]! > this.#longest) words.fill(0, at, at + head);
    if (words[at] === 0) words[at + 2] = second;
    words[at]!++;
    words[at + 3] = second;
    if (is.share?.when(values) === true) words[at + 1]!++;
    if (is.same !== undefined) elect(words, at, values[is.same.slot]! | 0);
    is.tallies.add(cells, at + head, thing, second, is.seconds);
    if (is.or !== undefined) is.tallies.add(cells, at + this.#orAt, thing, second, is.or.seconds);
    if (is.and !== undefined) {
      const other = values[is.and.slot]! | 0;
      if (other !== 0) is.tallies.add(cells, at + this.#andAt, other, second, this.#longest);
    }
    return this.#judge(cells, at, facts);
  }

  /** A shared address is as many customers as share it: so many times the limits. */
  #times(facts: Facts): number {
    return this.#is.times[facts.role]! * facts.customers;
  }

  #judge(cells: Cells, at: number, facts: Facts): number {
    const is = this.#is;
    const { words } = cells;
    const { second } = facts;
    const times = this.#times(facts);
    const count = is.tallies.atLeast(cells, at + head, second, is.seconds);
    const { or, and, share, same } = is;
    const enough =
      count > is.over * times ||
      (or !== undefined &&
        is.tallies.atLeast(cells, at + this.#orAt, second, or.seconds) > or.over * times);
    if (!enough) return count * 2 > is.over * times ? Verdict.noted : Verdict.none;
    if (
      and !== undefined &&
      is.tallies.atLeast(cells, at + this.#andAt, second, this.#longest) <= and.over * times
    ) {
      return Verdict.noted;
    }
    if (share !== undefined && words[at + 1]! < share.over * words[at]!) return Verdict.noted;
    if (same !== undefined && words[at + 5]! < same.over * words[at]!) return Verdict.noted;
    if (is.probableOver !== undefined && count > is.probableOver * times) return Verdict.probable;
    return Verdict.suspected;
  }

  evidence(cells: Cells, at: number, facts: Facts): Evidence {
    const is = this.#is;
    const { words } = cells;
    const { second } = facts;
    const evidence: Evidence = {
      distinct: is.tallies.count(cells, at + head, second, is.seconds),
      over: is.over * this.#times(facts),
      window_s: is.seconds,
      exact: is.tallies.isExact(cells, at + head) ? 1 : 0,
      observations: words[at]!,
    };
    if (is.or !== undefined) {
      evidence['distinct_long'] = is.tallies.count(cells, at + this.#orAt, second, is.or.seconds);
      evidence['over_long'] = is.or.over * this.#times(facts);
      evidence['window_long_s'] = is.or.seconds;
    }
    if (is.and !== undefined) {
      evidence['distinct_other'] = is.tallies.count(cells, at + this.#andAt, second, this.#longest);
      evidence['over_other'] = is.and.over * this.#times(facts);
    }
    if (is.share !== undefined) evidence['share'] = rounded(words[at + 1]! / words[at]!);
    if (is.same !== undefined) evidence['same'] = rounded(words[at + 5]! / words[at]!);
    return evidence;
  }

  release(cells: Cells, at: number): void {
    for (let set = at + head; set < at + this.words; set += setWords) {
      this.#is.tallies.release(cells, set);
    }
  }
}

/**
 * Majority vote of Boyer and Moore with a count of the winner's own votes since it was elected:
 * never more than it really had.
 */
function elect(words: Int32Array, at: number, value: number): void {
  if (value === words[at + 4]) {
    words[at + 5]!++;
    words[at + 6]!++;
  } else if (words[at + 6]! > 0) words[at + 6]!--;
  else {
    words[at + 4] = value;
    words[at + 5] = 1;
    words[at + 6] = 1;
  }
}
