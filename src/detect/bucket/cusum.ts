// Change detection: cumulative sums (Page 1954) over counts in bins. A count x becomes 2 sqrt(x +
// 3/8) (Anscombe 1948), which has about the same spread for small and large counts; z is its
// distance from an exponentially weighted mean in standard deviations; S = max(0, S + z - k). With
// k = 0.5 and h = 8 a series without change passes h once in 19,112 bins, and a shift of two
// deviations in six.
//
//   words  0 bin at hand  1 count in it  2 bins learnt  3 S (float32)  4 mean (float32)
//          5 variance (float32)  6 bin of the last alarm  7 bins in a row above the limit
//
// The mean may be one for each hour of the week; those 168 belong to the bucket and serve one
// subject, the network.

import type { Facts } from '../facts.js';
import type { Cells } from '../state/subjects.js';
import { type Bucket, type Evidence, rounded, Verdict } from './bucket.js';

export interface CusumOptions {
  /** Slot of what is added up; -1: observations. */
  readonly countSlot: number;
  readonly seconds: number;
  readonly slack: number;
  readonly limit: number;
  readonly smooth: number;
  readonly learn: number;
  readonly seasonal: boolean;
  /** How many times the usual count a bin must have to fire. */
  readonly times: number;
  /** Bins in a row that must be above the limit. */
  readonly lasting: number;
}

const hoursOfWeek = 168;
/** Bins without traffic that are added one by one; after more it learns anew. */
const silentBinsMax = 288;

export class Cusum implements Bucket {
  readonly words = 8;
  readonly #is: CusumOptions;
  readonly #season = new Float32Array(hoursOfWeek);

  constructor(options: CusumOptions) {
    this.#is = options;
  }

  observe(cells: Cells, at: number, facts: Facts): number {
    const { words, floats } = cells;
    const is = this.#is;
    const bin = Math.floor(facts.second / is.seconds);
    const amount = is.countSlot < 0 ? 1 : Math.max(0, facts.values[is.countSlot]!);
    let verdict: number = Verdict.none;
    if (words[at] === 0) words[at] = bin;
    const behind = bin - words[at]!;
    if (behind > silentBinsMax) words.fill(0, at + 1, at + this.words);
    for (let i = 0; i < Math.min(behind, silentBinsMax); i++) {
      if (this.#close(words, floats, at, i === 0 ? words[at + 1]! : 0)) verdict = Verdict.suspected;
      words[at]!++;
    }
    if (behind > 0) {
      words[at] = bin;
      words[at + 1] = 0;
    }
    words[at + 1]! += amount;
    return verdict;
  }

  /** A bin is over; true if the sum passes the limit. */
  #close(words: Int32Array, floats: Float32Array, at: number, count: number): boolean {
    const is = this.#is;
    const x = 2 * Math.sqrt(count + 0.375);
    const learnt = words[at + 2]!;
    words[at + 2]!++;
    if (learnt === 0) {
      floats[at + 4] = x;
      floats[at + 5] = 1;
      this.#remember(words[at]!, x);
      return false;
    }
    const season = this.#expected(words[at]!, floats[at + 4]!);
    const deviation = Math.sqrt(Math.max(1, floats[at + 5]!));
    const z = (x - season) / deviation;
    // While learning it weighs what comes as much as all before it together.
    const weight = Math.max(is.smooth, 1 / (learnt + 1));
    const before = x - floats[at + 4]!;
    // A jump is not learnt as if it were usual: its effect on the mean is held to three deviations.
    const held = Math.max(-3 * deviation, Math.min(3 * deviation, before));
    floats[at + 4]! += weight * held;
    floats[at + 5]! += weight * (held * held - floats[at + 5]!);
    this.#remember(words[at]!, season + held);
    if (learnt < is.learn) return false;
    floats[at + 3] = Math.max(0, floats[at + 3]! + z - is.slack);
    const isHigh = floats[at + 3]! >= is.limit && count >= is.times * (season / 2) ** 2;
    words[at + 7] = isHigh ? words[at + 7]! + 1 : 0;
    if (floats[at + 3]! < is.limit) return false;
    // It stays at the limit while the change lasts, and falls from there when it is over.
    floats[at + 3] = is.limit;
    words[at + 6] = words[at]!;
    return words[at + 7]! >= is.lasting;
  }

  /** The mean for the hour of the week of a bin, where one was learnt. */
  #expected(bin: number, mean: number): number {
    if (!this.#is.seasonal) return mean;
    return this.#season[this.#hour(bin)]! || mean;
  }

  #remember(bin: number, x: number): void {
    if (!this.#is.seasonal) return;
    const hour = this.#hour(bin);
    const before = this.#season[hour]!;
    this.#season[hour] = before === 0 ? x : before + this.#is.smooth * (x - before);
  }

  #hour(bin: number): number {
    return Math.floor((bin * this.#is.seconds) / 3600) % hoursOfWeek;
  }

  evidence(cells: Cells, at: number): Evidence {
    const { words, floats } = cells;
    return {
      sum: rounded(floats[at + 3]!),
      limit: this.#is.limit,
      // Back from Anscombe's scale.
      usual: Math.round((floats[at + 4]! / 2) ** 2),
      bins: words[at + 2]!,
      bin_s: this.#is.seconds,
    };
  }

  release(): void {}
}
