// A share of outcomes with a minimum of them in a window, such as unknown recipients among all. The
// window is counted in two halves: what is judged covers between half and the whole of it.
//
// Outcomes of one session may be one event: a domain that is gone answers a mailing list for all of
// its members there. Where a rule says so, only the first few of a session count, good and bad
// alike, so that the share stays what it is.
//
//   words  per window: 0 generation  1,2 for, against (older half)  3,4 for, against (this half)
//          5 free; then the set of sources, where one is asked for

import type { Facts } from '../facts.js';
import type { Test } from '../fold.js';
import type { RecentPairs } from '../state/recent.js';
import { type Cells, hashOf } from '../state/subjects.js';
import { setWords, type Tallies } from '../state/tally.js';
import { type Bucket, type Evidence, rounded, Verdict } from './bucket.js';

export interface RatioWindow {
  readonly seconds: number;
  /** Outcomes for that it takes. */
  readonly atLeast: number;
  /** Their share that it takes. */
  readonly over: number;
}

export interface RatioOptions {
  readonly observe: Test;
  /** Any of these fires. */
  readonly windows: readonly RatioWindow[];
  readonly sources?: { readonly slot: number; readonly atLeast: number } | undefined;
  /** Outcomes of one session that count, of those for which `when` holds; `salt` is the rule's. */
  readonly cap?:
    | {
        readonly outcomes: number;
        readonly when: Test;
        readonly sessions: RecentPairs;
        readonly salt: number;
      }
    | undefined;
  readonly tallies: Tallies;
}

const sessionLife_s = 86_400;
const perWindow = 6;

export class Ratio implements Bucket {
  readonly words: number;
  readonly #is: RatioOptions;
  readonly #setAt: number;
  readonly #longest: number;

  constructor(options: RatioOptions) {
    this.#is = options;
    this.#setAt = options.windows.length * perWindow;
    this.words = this.#setAt + (options.sources === undefined ? 0 : setWords);
    this.#longest = Math.max(...options.windows.map(({ seconds }) => seconds));
  }

  observe(cells: Cells, at: number, facts: Facts): number {
    const is = this.#is;
    const { words } = cells;
    const bad = is.observe(facts.values);
    if (this.#isOverCap(facts)) return Verdict.none;
    let fires = false;
    let half = false;
    for (let i = 0; i < is.windows.length; i++) {
      const window = is.windows[i]!;
      const base = at + i * perWindow;
      turn(words, base, Math.floor(facts.second / (window.seconds / 2)));
      words[base + (bad ? 3 : 4)]!++;
      const hits = words[base + 1]! + words[base + 3]!;
      const misses = words[base + 2]! + words[base + 4]!;
      half ||= hits * 2 >= window.atLeast;
      if (hits >= window.atLeast && hits >= window.over * (hits + misses)) fires = true;
    }
    const { sources } = is;
    if (sources !== undefined && bad) {
      const source = facts.values[sources.slot]! | 0;
      const set = at + this.#setAt;
      is.tallies.add(cells, set, source, facts.second, this.#longest);
      const seen = is.tallies.atLeast(cells, set, facts.second, this.#longest);
      if (seen < sources.atLeast) fires = false;
    }
    if (!bad) return Verdict.none;
    if (fires) return Verdict.suspected;
    return half ? Verdict.noted : Verdict.none;
  }

  #isOverCap({ values, flowHigh, flowLow, second }: Facts): boolean {
    const { cap } = this.#is;
    if (cap === undefined || !cap.when(values)) return false;
    const { sessions, salt } = cap;
    sessions.open(hashOf(flowLow, flowHigh, salt, 0, 0), flowLow ^ salt, second, sessionLife_s);
    if (sessions.value >= cap.outcomes) return true;
    sessions.value++;
    return false;
  }

  evidence(cells: Cells, at: number, facts: Facts): Evidence {
    const { words } = cells;
    const evidence: Evidence = {};
    this.#is.windows.forEach((window, i) => {
      const base = at + i * perWindow;
      const hits = words[base + 1]! + words[base + 3]!;
      const all = hits + words[base + 2]! + words[base + 4]!;
      const name = i === 0 ? '' : '_long';
      evidence[`hits${name}`] = hits;
      evidence[`share${name}`] = all === 0 ? 0 : rounded(hits / all);
      evidence[`window${name}_s`] = window.seconds;
    });
    if (this.#is.sources !== undefined) {
      const { tallies } = this.#is;
      const set = at + this.#setAt;
      evidence['sources'] = tallies.count(cells, set, facts.second, this.#longest);
    }
    return evidence;
  }

  release(cells: Cells, at: number): void {
    if (this.#is.sources !== undefined) this.#is.tallies.release(cells, at + this.#setAt);
  }
}

/** Brings the halves of a window up to the present. */
function turn(words: Int32Array, base: number, now: number): void {
  const behind = now - words[base]!;
  if (behind <= 0) return;
  words[base + 1] = behind === 1 ? words[base + 3]! : 0;
  words[base + 2] = behind === 1 ? words[base + 4]! : 0;
  words[base + 3] = 0;
  words[base + 4] = 0;
  words[base] = now;
}
