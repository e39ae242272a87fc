// Observations, or the sum of the weights of signs that were seen: each sign counts once in the
// window, however often it shows, so that a habit of one program is not taken for a crowd of
// proofs.
//
//   words  0 observations (sessions) in the window  1 signs seen, one bit each
//          2 start of the window, second  3 last session counted

import type { Facts } from '../facts.js';
import type { Test } from '../fold.js';
import type { Cells } from '../state/subjects.js';
import { type Bucket, type Evidence, rounded, Verdict } from './bucket.js';

export interface Weight {
  readonly name: string;
  readonly when: Test;
  readonly add: number;
}

export interface TriggerOptions {
  /** Signs; empty: every observation counts. */
  readonly weights: readonly Weight[];
  /** The sum that it takes. */
  readonly over: number;
  /** Observations that it takes; with weights, sessions that showed a sign. */
  readonly count: number;
  readonly seconds: number;
}

export class Trigger implements Bucket {
  readonly words = 4;
  readonly #is: TriggerOptions;

  constructor(options: TriggerOptions) {
    this.#is = options;
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
    let signs = 0;
    for (let i = 0; i < is.weights.length; i++) {
      if (is.weights[i]!.when(facts.values)) signs |= 1 << i;
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

  release(): void {}
}
