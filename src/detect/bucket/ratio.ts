// A share of outcomes with a minimum of them in a window, such as unknown recipients among all. The
// window is counted in two halves: what is judged covers between half and the whole of it.
//
// Outcomes of one session may be one event: a domain that is gone answers a mailing list for all of
// its members there. Where a rule says so, only the first few of a session count, good and bad
// alike, so that the share stays what it is.
//
// A crowd of sources counts together where each of them has few: of one source only the first
// outcomes count. How grave it is may depend on how the names asked for look (mailboxes.ts) and on
// the share of mails for which no message was meant.
//
//   words  per window: 0 generation  1,2 for, against (older half)  3,4 for, against (this half)
//          5 free; then the set of sources, where one is asked for; then, where it may be grave:
//          0-3 of the mailbox before (mailboxes.ts)  4 mailboxes looked at  5 of them generated
//          6 mails  7 of them not meant  8 the mail at hand  9 free

import { AtTx } from '../../batch/row.js';
import type { Facts } from '../facts.js';
import { Slot } from '../fields.js';
import type { Test } from '../fold.js';
import { mailboxWords } from '../mailboxes.js';
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
  /** Outcomes of one session that count, of those for which `when` holds; `salt` is the rule's. */
  readonly cap?:
    | {
        readonly outcomes: number;
        readonly when: Test;
        readonly salt: number;
      }
    | undefined;
  /** Different sources that it takes; with `under`, of each only less than so many outcomes. */
  readonly sources?:
    | { readonly slot: number; readonly atLeast: number; readonly under?: number | undefined }
    | undefined;
  /** Shares of generated names, and of mails that nobody meant to send; either makes it graver. */
  readonly grave?: { readonly generated: number; readonly notMeant: number } | undefined;
  /** Where outcomes of a session and of a source are counted. */
  readonly sessions: RecentPairs;
  readonly tallies: Tallies;
}

const sessionLife_s = 86_400;
const perWindow = 6;
/** Words of what makes it grave, behind those of the mailbox before. */
const G = { looked: mailboxWords, generated: 5, mails: 6, notMeant: 7, mail: 8 } as const;
const graveWords = 10;
/** Names and mails before their shares say anything. */
const enough = 10;

export class Ratio implements Bucket {
  readonly words: number;
  readonly #is: RatioOptions;
  readonly #setAt: number;
  readonly #graveAt: number;
  readonly #longest: number;

  constructor(options: RatioOptions) {
    this.#is = options;
    this.#setAt = options.windows.length * perWindow;
    this.#graveAt = this.#setAt + (options.sources === undefined ? 0 : setWords);
    this.words = this.#graveAt + (options.grave === undefined ? 0 : graveWords);
    this.#longest = Math.max(...options.windows.map(({ seconds }) => seconds));
  }

  observe(cells: Cells, at: number, facts: Facts): number {
    const is = this.#is;
    const { words } = cells;
    const bad = is.observe(facts.values);
    if (this.#isOverCap(facts)) return Verdict.none;
    if (bad && !this.#isCounted(cells, at, facts)) return Verdict.none;
    if (is.grave !== undefined) this.#look(cells, at + this.#graveAt, facts, bad);
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
    if (fires) return this.#isGrave(words, at) ? Verdict.probable : Verdict.suspected;
    return half ? Verdict.noted : Verdict.none;
  }

  #isOverCap({ values, flowHigh, flowLow, second }: Facts): boolean {
    const { cap, sessions } = this.#is;
    if (cap === undefined || !cap.when(values)) return false;
    const { salt } = cap;
    sessions.open(hashOf(flowLow, flowHigh, salt, 0, 0), flowLow ^ salt, second, sessionLife_s);
    if (sessions.value >= cap.outcomes) return true;
    sessions.value++;
    return false;
  }

  /** Whether the bad outcome at hand is one of the first few of its source. */
  #isCounted(cells: Cells, at: number, facts: Facts): boolean {
    const { sources, sessions } = this.#is;
    if (sources?.under === undefined) return true;
    const source = facts.values[sources.slot]!;
    const key = cells.keyOf(at);
    const low = hashOf(source, key, 5, 0, 0);
    sessions.open(hashOf(key, source, 7, 0, 0), low, facts.second, this.#longest);
    sessions.value++;
    return sessions.value < sources.under;
  }

  /** Looks at the mailbox and the mail of the outcome at hand; `at` is the first word for that. */
  #look(cells: Cells, at: number, facts: Facts, bad: boolean): void {
    const { words } = cells;
    if (this.#isOver(words, at, facts)) words.fill(0, at, at + graveWords);
    const mail = hashOf(facts.flowLow, facts.flowHigh, facts.row.word(AtTx.txId), 1, 0) | 1;
    if (words[at + G.mail] !== mail) {
      words[at + G.mail] = mail;
      words[at + G.mails]!++;
      if (facts.values[Slot.mailMeant] === 0) words[at + G.notMeant]!++;
    }
    if (!bad) return;
    const isGenerated = facts.mailbox(words, at);
    if (isGenerated === null) return;
    words[at + G.looked]!++;
    if (isGenerated) words[at + G.generated]!++;
  }

  /** Whether all windows are empty by now. */
  #isOver(words: Int32Array, grave: number, { second }: Facts): boolean {
    const base = grave - this.#graveAt;
    return this.#is.windows.every(({ seconds }, i) => {
      return Math.floor(second / (seconds / 2)) - words[base + i * perWindow]! > 1;
    });
  }

  #isGrave(words: Int32Array, at: number): boolean {
    const { grave } = this.#is;
    if (grave === undefined) return false;
    const from = at + this.#graveAt;
    return (
      isShare(words[from + G.generated]!, words[from + G.looked]!, grave.generated) ||
      isShare(words[from + G.notMeant]!, words[from + G.mails]!, grave.notMeant)
    );
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
    if (this.#is.grave !== undefined) {
      const from = at + this.#graveAt;
      evidence['generated'] = shareOf(words[from + G.generated]!, words[from + G.looked]!);
      evidence['not_meant'] = shareOf(words[from + G.notMeant]!, words[from + G.mails]!);
    }
    return evidence;
  }

  release(cells: Cells, at: number): void {
    if (this.#is.sources !== undefined) this.#is.tallies.release(cells, at + this.#setAt);
  }
}

function isShare(part: number, all: number, over: number): boolean {
  return all >= enough && part >= over * all;
}

function shareOf(part: number, all: number): number {
  return all === 0 ? 0 : rounded(part / all);
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
