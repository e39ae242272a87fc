// What policy remembers of each source: marks of rules, the open entry, the step of the ladder. In
// bounded memory: the source that was silent longest goes first, one with an open entry never.

import type { Finding, Subject } from '../detect/finding.js';
import type { Decision } from './decision.js';
import { type Mark, marked, markLife } from './fusion.js';
import { automaticMax, faded } from './ladder.js';
import type { Remembered } from './remembered.js';

/** Rules that are remembered per source; there are 22 shipped ones. */
const marksMax = 32;

export class Source {
  /** The prefix of its entries. */
  readonly cidr: string;
  /** Of the finding that made it known. */
  readonly subject: Subject;
  readonly firstSeen: number;
  lastSeen: number;
  /** The open entry, as it was last written. */
  entry: Decision | null = null;
  /** Length of the open entry's renewals in microseconds. */
  length = 0;
  /** What is left of the level of the last block, and when that ended: all before is used up. */
  level = 0;
  blockEnded = Number.NEGATIVE_INFINITY;
  /** After a person released it: the rule that only observes, and until when. */
  graceRule = '';
  graceUntil = Number.NEGATIVE_INFINITY;
  readonly #marks = new Map<string, Mark>();

  constructor(cidr: string, { subject, time }: Pick<Finding, 'subject' | 'time'>) {
    this.cidr = cidr;
    this.subject = subject;
    this.firstSeen = time;
    this.lastSeen = time;
  }

  get marks(): readonly Mark[] {
    return [...this.#marks.values()];
  }

  mark(finding: Finding): void {
    // What ways of a rule find is not the same evidence twice.
    const key = `${finding.rule.id} ${finding.evidence['way'] ?? ''}`;
    const before = this.#marks.get(key);
    this.#marks.delete(key);
    this.#marks.set(key, marked(before, finding));
    // Quiet time counts when it is over, and none passes while an entry is open.
    if (this.entry === null) {
      this.level = faded(this.level, finding.time - Math.max(this.blockEnded, this.lastSeen));
    }
    this.lastSeen = finding.time;
    for (const [old, { last }] of this.#marks) {
      if (finding.time - last > markLife || this.#marks.size > marksMax) this.#marks.delete(old);
    }
  }

  /** What a rule said is over. */
  clear(rule: string): void {
    for (const [key, mark] of this.#marks) {
      if (mark.finding.rule.id === rule) this.#marks.set(key, { ...mark, cleared: true });
    }
  }
}

/** Sources by the prefix of their entries. */
export class Sources {
  readonly #capacity: number;
  /** Least recently touched first. */
  readonly #idle = new Map<string, Source>();
  readonly #open = new Map<string, Source>();
  /** Sources forgotten for lack of room. */
  evicted = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#idle.size + this.#open.size;
  }

  /** Sources with an open entry. */
  get open(): readonly Source[] {
    return [...this.#open.values()];
  }

  get openCount(): number {
    return this.#open.size;
  }

  find(cidr: string): Source | undefined {
    return this.#open.get(cidr) ?? this.#idle.get(cidr);
  }

  /** The source, new where it is not known. */
  at(cidr: string, finding: Finding): Source {
    const open = this.#open.get(cidr);
    if (open !== undefined) return open;
    let source = this.#idle.get(cidr);
    if (source !== undefined) this.#idle.delete(cidr);
    else {
      source = new Source(cidr, finding);
      this.#makeRoom();
    }
    this.#idle.set(cidr, source);
    return source;
  }

  /** Takes up a source that somebody remembers; null where there is no room. */
  restore(known: Remembered): Source | null {
    const { cidr, subject, firstSeen: time } = known;
    if (this.find(cidr) !== undefined) return null;
    if (known.entry === null && this.#idle.size >= this.#capacity) return null;
    const source = new Source(cidr, { subject, time });
    source.lastSeen = known.lastSeen;
    source.level = known.level;
    source.blockEnded = known.blockEnded;
    source.graceRule = known.graceRule;
    source.graceUntil = known.graceUntil;
    source.entry = known.entry;
    if (known.entry !== null) {
      // It was renewed for as long as is between its last finding and its end.
      source.length = Math.min(automaticMax, known.entry.until - known.entry.lastSeen);
      this.#open.set(cidr, source);
    } else this.#idle.set(cidr, source);
    return source;
  }

  /** The source has an open entry from now on; it is not forgotten while it has. */
  hold(source: Source): void {
    this.#idle.delete(source.cidr);
    this.#open.set(source.cidr, source);
  }

  letGo(source: Source): void {
    this.#open.delete(source.cidr);
    this.#makeRoom();
    this.#idle.set(source.cidr, source);
  }

  #makeRoom(): void {
    for (const cidr of this.#idle.keys()) {
      if (this.#idle.size < this.#capacity) return;
      this.#idle.delete(cidr);
      this.evicted += 1;
    }
  }
}
