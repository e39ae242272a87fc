// What the dates of the register ask for, as findings: filings that are due, late or missing, codes
// that end (Order 38/2006 art. 6, Circular 12/2008 II). They are looked at once a day of the zone
// in which filings count, as of the time of the rows, and again when the register changed. It
// decides nothing about traffic: mail before a start is for the rule's own expression.

import { isoTime } from '../lib/iso-time.js';
import { type Prefix, prefixText } from '../lib/prefix.js';
import { type ClockItem, codeClockItems, serverClockItems } from '../register/clock.js';
import type { ProfileName } from '../register/profile.js';
import type { Register } from '../register/register.js';
import { roleNames } from '../register/server.js';
import type { Finding, RuleMeta, Severity, Subject } from './finding.js';

/** Servers that are looked at in one go: some milliseconds; a sweep later the next. */
const sliceServers = 20_000;
/** What was late longer ago than this is for `register lint`, not for an alert. */
const late_us = 366 * 86_400e6;
/** Findings of one day; more entries than this need a register, not alerts. */
const openMax = 1000;
const day_s = 86_400;

/** Who keeps findings that no row led to. */
export interface ClockSink {
  /** There is such a finding, or there still is; told where it is new or graver. */
  raise(key: string, finding: Omit<Finding, 'state'>): void;
  /** It is over. */
  lower(key: string, now: number): void;
}

export class Clocks {
  readonly #sink: ClockSink;
  #register: Register;
  #profiles: readonly ProfileName[];
  #meta: RuleMeta | null = null;
  /** Day that is looked at, and the next server of it; -1: the day is done. */
  #day = Number.NEGATIVE_INFINITY;
  #next = -1;
  /** Findings that are open, and those of them that were met again today. */
  readonly #open = new Set<string>();
  readonly #met = new Set<string>();
  /** Entries that had no room. */
  dropped = 0;

  constructor(sink: ClockSink, register: Register, profiles: readonly ProfileName[]) {
    this.#sink = sink;
    this.#register = register;
    this.#profiles = profiles;
  }

  /** Goes by another register and other profiles, and looks at once. */
  use(register: Register, profiles: readonly ProfileName[]): void {
    this.#register = register;
    this.#profiles = profiles;
    this.#begin();
  }

  /** The rule that the findings are of; null: none asks for them. */
  get rule(): RuleMeta | null {
    return this.#meta;
  }

  /** Another rule, or none: what was open is forgotten. */
  set rule(meta: RuleMeta | null) {
    if (meta?.sha256 === this.#meta?.sha256) return;
    this.#meta = meta;
    this.#open.clear();
    this.#begin();
  }

  #begin(): void {
    this.#day = Number.NEGATIVE_INFINITY;
    this.#next = -1;
  }

  /** Looks at the next entries, if there are any left today. `now` is in microseconds. */
  look(now: number): void {
    if (this.#meta === null || this.#profiles.length === 0) return;
    const zone_s = this.#register.notice.offsetHours * 3600;
    const day = Math.floor((now / 1e6 + zone_s) / day_s);
    if (day > this.#day) {
      this.#day = day;
      this.#next = 0;
      this.#met.clear();
    }
    if (this.#next < 0) return;
    const to = Math.min(this.#next + sliceServers, this.#register.servers.length);
    this.#raise(serverClockItems(this.#register, this.#profiles, now, [this.#next, to]), now);
    this.#next = to;
    if (to < this.#register.servers.length) return;
    this.#raise(codeClockItems(this.#register, this.#profiles, now), now);
    this.#next = -1;
    for (const key of this.#open) {
      if (this.#met.has(key)) continue;
      this.#open.delete(key);
      this.#sink.lower(key, now);
    }
  }

  /** One finding for an entry, whatever its dates ask for. */
  #raise(items: readonly ClockItem[], now: number): void {
    const byEntry = new Map<string, ClockItem[]>();
    for (const item of items) {
      if (!isPressing(item, now)) continue;
      const key = this.#keyOf(item);
      byEntry.set(key, [...(byEntry.get(key) ?? []), item]);
    }
    for (const [key, some] of byEntry) {
      if (!this.#open.has(key) && this.#open.size >= openMax) {
        this.dropped++;
        continue;
      }
      this.#open.add(key);
      this.#met.add(key);
      this.#sink.raise(key, this.#finding(some, now));
    }
  }

  #keyOf({ register, index }: ClockItem): string {
    if (register === 'codes') return `clock code ${this.#register.codes.entries[index]!.code}`;
    return `clock ${prefixText(this.#register.prefixOf(index))}`;
  }

  #finding(items: readonly ClockItem[], now: number): Omit<Finding, 'state'> {
    const worst = items.find(({ severity }) => severity === 'medium') ?? items[0]!;
    const { register, index, line, words, legal, due } = worst;
    const severity: Severity = worst.severity;
    const code = register === 'codes' ? this.#register.codes.entries[index]!.code : null;
    return {
      rule: this.#meta!,
      subject: this.#subject(worst),
      time: now,
      severity,
      evidence: {
        clocks: [...new Set(items.map(({ name }) => name))].join(' '),
        words: code === null ? words : `code ${code}: ${words}`,
        legal,
        register,
        line,
        ...(code === null ? {} : { code }),
        ...(Number.isNaN(due) ? {} : { due: isoTime(due, 'Z') ?? '' }),
      },
      samples: [],
      handshake: true,
      degraded: false,
      ...(register === 'servers' && { server: index }),
    };
  }

  /** The addresses of a server. A code has none of its own: it is a matter of the network. */
  #subject({ register, index }: ClockItem): Subject {
    if (register !== 'servers') return { cidr: '', words: [0, 0, 0, 0], bits: 0, role: '' };
    return subjectOf(this.#register.prefixOf(index), this.#register.servers[index]!.role);
  }
}

/** Whether an alert should tell of it: it has a date, and is not long over. */
function isPressing({ name, event }: ClockItem, now: number): boolean {
  if (Number.isNaN(event)) return false;
  return event > now - late_us || name.endsWith('never-filed');
}

function subjectOf(prefix: Prefix, role: number): Subject {
  const { w0, w1, w2, w3, isIpv4, bits } = prefix;
  return {
    cidr: prefixText(prefix),
    words: [w0, w1, w2, w3],
    bits: isIpv4 ? bits - 96 : bits,
    role: roleNames[role]!,
  };
}
