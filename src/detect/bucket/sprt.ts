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
// Bad outcomes of a class apart have a walk of their own (policy refusals beside unknown users): in
// each of the two the good outcomes count, and the bad ones of the other class do not. The walk of
// the class apart alone is a suspicion; the other one is probable, where the share of its bad
// outcomes among all is more than that of the good: a server that is listed somewhere, and refused
// for that, has its few unknown users left and hardly anybody who takes its mail.
//
//   words  0 sum (float32)  1 outcomes  2 of them bad  3 sessions  4 alarms  5 last outcome, second
//          6 second of the first alarm  7 sum at the last alarm (float32)
//          where a class is apart: 8 its sum (float32)  9 its outcomes  10, 11 free
//          then the guard's set

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
  /** The share of bad outcomes that the good have. */
  readonly theta0: number;
}

/** Wald's bounds and steps. */
export function walkOf({ theta0, theta1, alpha, beta }: SprtSettings): Walk {
  return {
    up: Math.log(theta1 / theta0),
    down: Math.log((1 - theta1) / (1 - theta0)),
    upper: Math.log((1 - beta) / alpha),
    lower: Math.log(beta / (1 - alpha)),
    theta0,
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
  /** Bad outcomes with a walk of their own, and the names of both classes in the evidence. */
  readonly apart?:
    | { readonly when: Test; readonly name: string; readonly rest: string }
    | undefined;
  readonly tallies: Tallies;
}

const sessionLife_s = 86_400;
/** A session's sum is kept in thousandths; with a class apart, each of the two in half a word. */
const perUnit = 1000;
/** The most that one session may add where there are two sums. */
export const halfWordMax = 0x7fff / perUnit;
const apartAt = 8;
const apartWords = 4;

export class Sprt implements Bucket {
  readonly words: number;
  readonly #is: SprtOptions;
  readonly #setAt: number;

  constructor(options: SprtOptions) {
    this.#is = options;
    this.#setAt = apartAt + (options.apart === undefined ? 0 : apartWords);
    this.words = this.#setAt + (options.guard === undefined ? 0 : setWords);
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
      is.tallies.add(cells, at + this.#setAt, facts.values[slot]! | 0, second, seconds);
    }
    if (is.apart !== undefined) return this.#observeApart(cells, at, facts, bad);
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
    return this.#alarm(cells, at, facts, { sum: at, upper: walk.upper });
  }

  /** The same with two walks. */
  #observeApart(cells: Cells, at: number, facts: Facts, bad: boolean): number {
    const { words, floats } = cells;
    const walk = this.#is.walks[facts.role]!;
    const isApart = bad && this.#is.apart!.when(facts.values);
    const value = this.#session(cells, at, facts);
    const [rest, apart] = [(value << 16) >> 16, value >> 16];
    const step = bad ? walk.up : walk.down;
    const one = isApart ? 0 : this.#capped(rest, step, walk);
    const other = bad && !isApart ? 0 : this.#capped(apart, step, walk);
    if (this.#is.sessionCap > 0) {
      const sums = [rest + Math.round(one * perUnit), apart + Math.round(other * perUnit)] as const;
      this.#is.sessions.value = (sums[1] << 16) | (sums[0] & 0xffff);
    }
    if (Math.max(Math.abs(one), Math.abs(other)) < 1 / perUnit) return Verdict.none;
    words[at + 1]!++;
    if (bad) words[at + 2]!++;
    if (isApart) words[at + apartAt + 1]!++;
    const sum = walked(floats[at]! + one, walk);
    const sumApart = walked(floats[at + apartAt]! + other, walk);
    floats[at] = sum;
    floats[at + apartAt] = sumApart;
    const verdict = sum < walk.upper ? Verdict.none : this.#alarmRest(cells, at, facts, walk);
    if (verdict > Verdict.noted) return verdict;
    if (sumApart >= walk.upper) {
      return this.#alarm(cells, at, facts, { sum: at + apartAt, upper: walk.upper });
    }
    return bad && Math.max(sum, sumApart) > walk.upper / 3 ? Verdict.noted : Verdict.none;
  }

  /** The walk of the outcomes that are not apart is at its bound. */
  #alarmRest(cells: Cells, at: number, facts: Facts, walk: Walk): number {
    const { words, floats } = cells;
    const rest = words[at + 2]! - words[at + apartAt + 1]!;
    if (rest < walk.theta0 * words[at + 1]!) {
      floats[at] = walk.upper;
      return Verdict.noted;
    }
    const verdict = this.#alarm(cells, at, facts, { sum: at, upper: walk.upper });
    return verdict === Verdict.suspected ? Verdict.probable : verdict;
  }

  /** What this outcome may still add, after what its session has added already. */
  #step(cells: Cells, at: number, facts: Facts, step: number): number {
    const before = this.#session(cells, at, facts);
    const added = this.#capped(before, step, this.#is.walks[facts.role]!);
    if (this.#is.sessionCap > 0) {
      this.#is.sessions.value = Math.round(before + added * perUnit);
    }
    return added;
  }

  /** Finds the session at hand, and gives its value. */
  #session(cells: Cells, at: number, facts: Facts): number {
    const { sessions, salt } = this.#is;
    const key = hashOf(facts.flowLow, facts.flowHigh, salt, 0, 0);
    if (sessions.open(key, facts.flowLow ^ salt, facts.second, sessionLife_s)) {
      cells.words[at + 3]!++;
    }
    return sessions.value;
  }

  /** What is left of a step after `before`, thousandths that the session has added. */
  #capped(before: number, step: number, walk: Walk): number {
    const { sessionCap } = this.#is;
    if (sessionCap === 0) return step;
    const cap = sessionCap * walk.up;
    return Math.max(-cap, Math.min(cap, before / perUnit + step)) - before / perUnit;
  }

  /** `sum` is the word of the walk's sum. */
  #alarm(
    cells: Cells,
    at: number,
    facts: Facts,
    { sum, upper }: { readonly sum: number; readonly upper: number },
  ): number {
    const { words, floats } = cells;
    const { second, role } = facts;
    const is = this.#is;
    const share = words[at + 2]! / words[at + 1]!;
    const few =
      is.guard !== undefined &&
      is.tallies.count(cells, at + this.#setAt, second, is.guard.seconds) < is.guard.atLeast[role]!;
    if (share < is.atLeast || few) {
      // Held at the bound: it fires as soon as what is missing is there.
      floats[sum] = upper;
      return Verdict.noted;
    }
    floats[at + 7] = floats[sum]!;
    // The walk begins again; the counts stay, for they are the evidence of the whole.
    floats[sum] = 0;
    words[at + 4]!++;
    if (words[at + 6] === 0) words[at + 6] = second;
    return Verdict.suspected;
  }

  evidence(cells: Cells, at: number, facts: Facts): Evidence {
    const { words, floats } = cells;
    const walk = this.#is.walks[facts.role]!;
    const { apart } = this.#is;
    const ofApart = words[at + apartAt + 1]!;
    return {
      llr: rounded(floats[at + 7]!),
      threshold: rounded(walk.upper),
      outcomes: words[at + 1]!,
      failed: words[at + 2]!,
      ...(apart && { [apart.rest]: words[at + 2]! - ofApart, [apart.name]: ofApart }),
      sessions: words[at + 3]!,
      alarms: words[at + 4]!,
    };
  }

  release(cells: Cells, at: number): void {
    if (this.#is.guard !== undefined) this.#is.tallies.release(cells, at + this.#setAt);
  }

  #forget(cells: Cells, at: number): void {
    this.release(cells, at);
    cells.words.fill(0, at, at + this.words);
  }
}

/** A sum below the lower bound begins again. */
function walked(sum: number, { lower }: Walk): number {
  return sum <= lower ? 0 : sum;
}
