// Sequential probability ratio test (Wald 1945): is the share of bad outcomes that of the good or
// that of the bad? Each outcome moves a sum of log-likelihood ratios; at the upper bound the
// subject is found, at the lower bound the walk begins again.
//
//   step(1) = ln(theta1/theta0)      step(0) = ln((1-theta1)/(1-theta0))
//   upper   = ln((1-beta)/alpha)     lower   = ln(beta/(1-alpha))
//
// The bounds hold for independent outcomes, and outcomes of one session are not: so one session
// moves the sum by at most `session_cap` outcomes each way. In simulation that took the false
// alarms of a mailing list from 1,143 to 1.5 a million outcomes, and cost a bot that sends one
// recipient a session nothing.
//
//   words  0 sum (float32)  1 outcomes  2 of them bad  3 sessions  4 alarms  5 last outcome, second
//          6 second of the first alarm  7 sum at the last alarm (float32)  8 .. the guard's set

import type { Facts } from '../facts.js';
import type { Test } from '../fold.js';
import type { RecentPairs } from '../state/recent.js';
import { type Cells, hashOf } from '../state/subjects.js';
import { setWords, type Tallies } from '../state/tally.js';
import { type Bucket, type Evidence, rounded, Verdict } from './bucket.js';

export interface SprtSettings {
  readonly theta0: number;
  readonly theta1: number;
  readonly alpha: number;
  readonly beta: number;
}

/** The constants of a walk. */
export interface Walk {
  readonly up: number;
  readonly down: number;
  readonly upper: number;
  readonly lower: number;
}

/** Wald's bounds and steps. */
export function walkOf({ theta0, theta1, alpha, beta }: SprtSettings): Walk {
  return {
    up: Math.log(theta1 / theta0),
    down: Math.log((1 - theta1) / (1 - theta0)),
    upper: Math.log((1 - beta) / alpha),
    lower: Math.log(beta / (1 - alpha)),
  };
}

export interface SprtOptions {
  readonly observe: Test;
  /** A walk for each role, in the order of `roleNames`. */
  readonly walks: readonly Walk[];
  /** Outcomes one session may contribute each way; 0: any. */
  readonly sessionCap: number;
  readonly idleSeconds: number;
  /** Share of bad outcomes over all outcomes so far that it takes to fire. */
  readonly atLeast: number;
  readonly sessions: RecentPairs;
  /** Tells this rule's sessions from those of others. */
  readonly salt: number;
  /** Different things that bad outcomes must have touched, for each role. */
  readonly guard?: {
    readonly slot: number;
    readonly atLeast: readonly number[];
    readonly seconds: number;
  };
  readonly tallies: Tallies;
}

const sessionLife_s = 86_400;
/** A session's sum is kept in thousandths. */
const perUnit = 1000;

export class Sprt implements Bucket {
  readonly words: number;
  readonly #is: SprtOptions;

  constructor(options: SprtOptions) {
    this.#is = options;
    this.words = 8 + (options.guard === undefined ? 0 : setWords);
  }

  observe(cells: Cells, at: number, facts: Facts): number {
    const { words, floats } = cells;
    const is = this.#is;
    const { second } = facts;
    if (words[at + 1] !== 0 && second - words[at + 5]! > is.idleSeconds) this.#forget(cells, at);
    words[at + 5] = second;
    const walk = is.walks[facts.role]!;
    const bad = is.observe(facts.values);
    if (is.guard !== undefined && bad) {
      const { slot, seconds } = is.guard;
      is.tallies.add(cells, at + 8, facts.values[slot]! | 0, second, seconds);
    }
    const step = this.#step(cells, at, facts, bad ? walk.up : walk.down);
    if (Math.abs(step) < 1 / perUnit) return Verdict.none;
    words[at + 1]!++;
    if (bad) words[at + 2]!++;
    const sum = floats[at]! + step;
    if (sum <= walk.lower) {
      floats[at] = 0;
      return Verdict.none;
    }
    floats[at] = sum;
    if (sum < walk.upper) return bad && sum > walk.upper / 3 ? Verdict.noted : Verdict.none;
    return this.#alarm(cells, at, facts, walk.upper);
  }

  /** What this outcome may still add, after what its session has added already. */
  #step(cells: Cells, at: number, facts: Facts, step: number): number {
    const { sessions, salt, sessionCap } = this.#is;
    const key = hashOf(facts.flowLow, facts.flowHigh, salt, 0, 0);
    if (sessions.open(key, facts.flowLow ^ salt, facts.second, sessionLife_s)) {
      cells.words[at + 3]!++;
    }
    if (sessionCap === 0) return step;
    const cap = sessionCap * this.#is.walks[facts.role]!.up;
    const before = sessions.value / perUnit;
    const after = Math.max(-cap, Math.min(cap, before + step));
    sessions.value = Math.round(after * perUnit);
    return after - before;
  }

  #alarm(cells: Cells, at: number, facts: Facts, upper: number): number {
    const { words, floats } = cells;
    const { second, role } = facts;
    const is = this.#is;
    const share = words[at + 2]! / words[at + 1]!;
    const few =
      is.guard !== undefined &&
      is.tallies.count(cells, at + 8, second, is.guard.seconds) < is.guard.atLeast[role]!;
    if (share < is.atLeast || few) {
      // Held at the bound: it fires as soon as what is missing is there.
      floats[at] = upper;
      return Verdict.noted;
    }
    floats[at + 7] = floats[at]!;
    // The walk begins again; the counts stay, for they are the evidence of the whole.
    floats[at] = 0;
    words[at + 4]!++;
    if (words[at + 6] === 0) words[at + 6] = second;
    return Verdict.suspected;
  }

  evidence(cells: Cells, at: number, facts: Facts): Evidence {
    const { words, floats } = cells;
    const walk = this.#is.walks[facts.role]!;
    return {
      llr: rounded(floats[at + 7]!),
      threshold: rounded(walk.upper),
      outcomes: words[at + 1]!,
      failed: words[at + 2]!,
      sessions: words[at + 3]!,
      alarms: words[at + 4]!,
    };
  }

  release(cells: Cells, at: number): void {
    if (this.#is.guard !== undefined) this.#is.tallies.release(cells, at + 8);
  }

  #forget(cells: Cells, at: number): void {
    this.release(cells, at);
    cells.words.fill(0, at, at + this.words);
  }
}
