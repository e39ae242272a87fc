// Observations, or the sum of the weights of signs that were seen: each sign counts once in the
// window, however often it shows, so that a habit of one program is not taken for a crowd of
// proofs. A sign may be that more than so many different things were seen, such as names: those are
// counted in a sliding window of their own, and of a sketch only what was surely there.
//
//   words  0 observations (sessions) in the window  1 signs seen, one bit each
//          2 start of the window, second  3 last session counted
//          4 .. the sets of the signs that count, in the order of the signs

import type { Asks } from '../asks.js';
import type { Facts } from '../facts.js';
import type { Cells } from '../state/subjects.js';
import { setWords, type Tallies } from '../state/tally.js';
import { type Bucket, type Evidence, rounded, Verdict } from './bucket.js';

export interface Weight {
  readonly name: string;
  readonly add: number;
  /** The sign is more than `over` different values of the slot, where its expression holds. */
  readonly many?: { readonly slot: number; readonly over: number };
}

export interface TriggerOptions {
  /** The expression of each sign, in their order. */
  readonly signs: Asks;
  /** Signs; empty: every observation counts. */
  readonly weights: readonly Weight[];
  /** The sum that it takes. */
  readonly over: number;
  /** Observations that it takes; with weights, sessions that showed a sign. */
  readonly count: number;
  readonly seconds: number;
  readonly tallies: Tallies;
}

const setsAt = 4;

export class Trigger implements Bucket {
  readonly words: number;
  readonly #is: TriggerOptions;
  /** First word of each sign's set; -1: it has none. */
  readonly #sets: readonly number[];
  /** Signs that count, one bit each. */
  readonly #counted: number;

  constructor(options: TriggerOptions) {
    this.#is = options;
    let words = setsAt;
    this.#sets = options.weights.map(({ many }) => {
      if (many === undefined) return -1;
      words += setWords;
      return words - setWords;
    });
    this.words = words;
    this.#counted = options.weights.reduce(
      (bits, { many }, i) => (many === undefined ? bits : bits | (1 << i)),
      0,
    );
  }

  observe(cells: Cells, at: number, facts: Facts): number {
    const is = this.#is;
    const { words } = cells;
    if (facts.second - words[at + 2]! >= is.seconds) {
      words[at] = 0;
      words[at + 1] = 0;
      words[at + 2] = facts.second;
      words[at + 3] = 0;
    }
    if (is.weights.length === 0) {
      words[at]!++;
      return words[at]! >= is.count ? Verdict.suspected : Verdict.noted;
    }
    let signs = is.signs.ask(facts.values);
    for (let left = signs & this.#counted; left !== 0; left &= left - 1) {
      const sign = 31 - Math.clz32(left & -left);
      if (!this.#isMany(sign, cells, at, facts)) signs &= ~(1 << sign);
    }
    if (signs === 0) return Verdict.none;
    words[at + 1]! |= signs;
    // A session shows itself in several rows; it counts once.
    const session = facts.flowLow | 1;
    if (words[at + 3] !== session) {
      words[at + 3] = session;
      words[at]!++;
    }
    const enough = words[at]! >= is.count && this.#sum(words[at + 1]!) >= is.over;
    return enough ? Verdict.suspected : Verdict.noted;
  }

  /** Whether there are enough different things for a sign that counts them. */
  #isMany(sign: number, cells: Cells, at: number, facts: Facts): boolean {
    const { weights, seconds, tallies } = this.#is;
    const many = weights[sign]!.many!;
    const value = facts.values[many.slot]! | 0;
    if (value === 0) return false;
    const set = at + this.#sets[sign]!;
    tallies.add(cells, set, value, facts.second, seconds);
    // A shared address is as many customers as share it.
    const seen = tallies.atLeast(cells, set, facts.second, seconds);
    return seen > many.over * facts.customers;
  }

  #sum(signs: number): number {
    let sum = 0;
    for (let i = 0; i < this.#is.weights.length; i++) {
      if (((signs >> i) & 1) === 1) sum += this.#is.weights[i]!.add;
    }
    return sum;
  }

  evidence(cells: Cells, at: number): Evidence {
    const { weights, over, seconds } = this.#is;
    const signs = cells.words[at + 1]!;
    const evidence: Evidence = { observations: cells.words[at]!, window_s: seconds };
    if (weights.length === 0) return evidence;
    evidence['score'] = rounded(this.#sum(signs));
    evidence['over'] = over;
    evidence['signs'] = weights
      .filter((_, i) => ((signs >> i) & 1) === 1)
      .map(({ name }) => name)
      .join(' ');
    return evidence;
  }

  release(cells: Cells, at: number): void {
    for (const set of this.#sets) if (set >= 0) this.#is.tallies.release(cells, at + set);
  }
}
