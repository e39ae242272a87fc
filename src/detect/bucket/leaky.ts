// Rates, by the generic cell rate algorithm (ITU-T I.371, virtual scheduling): one number a
// subject, the theoretical arrival time. With T = 3600/rate seconds and tau = T (burst - 1), an
// event of cost n at time t conforms if max(t, TAT) + n T - t <= tau + T; then that is the new TAT.
// Events that do not conform leave it alone, as an enforcing limiter would, and are what this rule
// finds.
//
//   words  0,1 TAT (float64, seconds)  2 events over the limit  3 cost since the first of them
//          4 first of them, second  5 last of them, second  6 cost in all since then  7 free
//          8 .. the set of what it touches, where one is asked for

import type { Facts } from '../facts.js';
import type { Cells } from '../state/subjects.js';
import { setWords, type Tallies } from '../state/tally.js';
import { type Bucket, type Evidence, rounded, Verdict } from './bucket.js';

export interface Limit {
  /** Units an hour; 0: no limit. */
  readonly rate: number;
  readonly burst: number;
}

export interface LeakyOptions {
  /** A limit for each role, in the order of `roleNames`. */
  readonly limits: readonly Limit[];
  /** Slot of the cost; -1: each observation costs 1. */
  readonly costSlot: number;
  /** Rate and burst of the register, for servers that have declared them; null: it has not. */
  /** Different things in a day that it takes too; null: none. */
  readonly and: { readonly slot: number; readonly over: number } | null;
  readonly tallies: Tallies;
  readonly declared: ((facts: Facts) => Limit | null) | null;
}

const setAt = 8;
const day_s = 86_400;
/** After this time within its limit a subject begins anew. */
const quiet_s = 3600;

export class Leaky implements Bucket {
  readonly words: number;
  readonly #is: LeakyOptions;

  constructor(options: LeakyOptions) {
    this.#is = options;
    this.words = setAt + (options.and === null ? 0 : setWords);
  }

  observe(cells: Cells, at: number, facts: Facts): number {
    const { words, doubles } = cells;
    const limit = this.#limit(facts);
    if (limit.rate === 0) return Verdict.none;
    const cost = this.#is.costSlot < 0 ? 1 : facts.values[this.#is.costSlot]!;
    if (!(cost > 0)) return Verdict.none;
    const { and, tallies } = this.#is;
    if (and !== null) {
      tallies.add(cells, at + setAt, facts.values[and.slot]! | 0, facts.second, day_s);
    }
    const now = facts.time / 1e6;
    // A shared address is as many customers as share it.
    const interval = 3600 / limit.rate / facts.customers;
    const next = Math.max(now, doubles[at >> 1]!) + cost * interval;
    if (words[at + 2] !== 0) words[at + 6]! += cost;
    if (next - now <= limit.burst * facts.customers * interval) {
      doubles[at >> 1] = next;
      return Verdict.none;
    }
    if (words[at + 2] !== 0 && facts.second - words[at + 5]! > quiet_s) words[at + 2] = 0;
    if (words[at + 2] === 0) {
      words[at + 3] = 0;
      words[at + 4] = facts.second;
      words[at + 6] = cost;
    }
    words[at + 2]!++;
    words[at + 3]! += cost;
    words[at + 5] = facts.second;
    if (and === null) return Verdict.suspected;
    const spread = tallies.atLeast(cells, at + setAt, facts.second, day_s);
    return spread > and.over * facts.customers ? Verdict.suspected : Verdict.noted;
  }

  #limit(facts: Facts): Limit {
    return this.#is.declared?.(facts) ?? this.#is.limits[facts.role]!;
  }

  evidence(cells: Cells, at: number, facts: Facts): Evidence {
    const { words } = cells;
    const limit = this.#limit(facts);
    const rate = limit.rate * facts.customers;
    const burst = limit.burst * facts.customers;
    // Since the first event over the limit; at least a minute, or two events would be any rate.
    const seconds = Math.max(60, facts.second - words[at + 4]!);
    const { and, tallies } = this.#is;
    const spread =
      and === null ? {} : { distinct: tallies.count(cells, at + setAt, facts.second, day_s) };
    return {
      ...spread,
      rate_per_hour: rate,
      burst,
      over_limit: words[at + 3]!,
      measured_per_hour: Math.round((words[at + 6]! * 3600) / seconds),
      times_limit: rounded((words[at + 6]! * 3600) / seconds / rate),
    };
  }

  release(cells: Cells, at: number): void {
    if (this.#is.and !== null) this.#is.tallies.release(cells, at + setAt);
  }
}
