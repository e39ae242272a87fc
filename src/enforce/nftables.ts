// What of the block list is enforced on this box: keeps the kernel's sets as the list is, through
// the helper, which alone may touch them. One order is on its way at a time; what changes meanwhile
// is one transaction more. While the daemon lives it says so every few seconds; the rules do
// nothing without that word, and members end with their entries, so nothing outlives a daemon that
// died.

import type { ListChange, ListedEntry } from '../block/entry.js';
import { EntryCursor, type Snapshot } from '../block/rows.js';
import type { Answer, Line } from './helper.js';
import type { Member } from './script.js';

/** Whom orders go to; answers come in order. */
export interface Hand {
  ask(line: Line): Promise<Answer>;
}

export interface EnforcerOptions {
  readonly ports: readonly number[];
  /** Seconds after the last word of this daemon in which the rules still work. */
  readonly life_s: number;
  /** Entries that are enforced; more are counted and left out. */
  readonly entriesMax: number;
  /** The kernel has the list as of this revision. */
  readonly enforced?: ((revision: number) => void) | undefined;
  /** Orders fail from now on; they are tried again. The message is one line. */
  readonly trouble: (message: string) => void;
}

/** A source that has used up its messages: until when, microseconds. */
export interface Shut {
  readonly cidr: string;
  readonly ports: readonly number[];
  readonly until: number;
}

/** Figures of the enforcer; those of the kernel are in packets, see `counterNames`. */
export interface EnforcerStats {
  /** The revision of the list that the kernel has. */
  readonly revision: number;
  readonly entries: number;
  readonly left_out: number;
  readonly orders: number;
  readonly failed: number;
  /** Milliseconds that the latest order took, and the longest one. */
  readonly order_ms: number;
  readonly order_ms_max: number;
  readonly kernel: Readonly<Record<string, number>>;
}

/** After an order failed, the table is made anew this much later. */
const retry_ms = 2000;

/** What the kernel was told of one prefix, by kind. */
type Told = Map<Member['kind'], Member>;

export class Enforcer {
  readonly #hand: Hand;
  readonly #options: EnforcerOptions;
  readonly #entries = new Map<string, Map<string, ListedEntry>>();
  readonly #told = new Map<string, Told>();
  readonly #dirty = new Set<string>();
  readonly #shut = new Map<string, Shut>();
  #count = 0;
  #leftOut = 0;
  #now = 0;
  /** The latest revision, and the one that the kernel has. */
  #asked = 0;
  #revision = 0;
  /** The table must be made anew. */
  #anew = true;
  #alive = Number.NEGATIVE_INFINITY;
  #retry = Number.NEGATIVE_INFINITY;
  #working: Promise<void> | null = null;
  #closing = false;
  #failing = false;
  readonly #figures = { orders: 0, failed: 0, order_ms: 0, order_ms_max: 0 };
  #kernel: Readonly<Record<string, number>> = {};

  constructor(hand: Hand, options: EnforcerOptions) {
    this.#hand = hand;
    this.#options = options;
  }

  /** Whether the kernel has what the list says. */
  get isSound(): boolean {
    return !this.#anew;
  }

  /** Begins with a list as it is. */
  begin(snapshot: Snapshot): void {
    this.#now = Math.max(this.#now, snapshot.generated);
    const cursor = new EntryCursor(snapshot);
    while (cursor.next()) this.#enter(cursor.keep());
    this.#asked = snapshot.revision;
    this.#pump();
  }

  /** The list changed. */
  changes(changes: readonly ListChange[]): void {
    for (const { kind, entry, revision, time } of changes) {
      if (kind === 'removed') this.#leave(entry);
      else this.#enter(entry);
      this.#asked = revision;
      this.#now = Math.max(this.#now, time);
    }
    this.#pump();
  }

  /** A limited source gets nothing through until a time. A later call may only lengthen it. */
  shut(shut: Shut): void {
    if ((this.#shut.get(shut.cidr)?.until ?? 0) >= shut.until) return;
    this.#shut.set(shut.cidr, shut);
    this.#dirty.add(shut.cidr);
    this.#pump();
  }

  /** Time runs on, microseconds. Call it at least every second. */
  tick(now: number): void {
    this.#now = Math.max(this.#now, now);
    for (const [cidr, { until }] of this.#shut) {
      if (until <= this.#now) {
        this.#shut.delete(cidr);
        this.#dirty.add(cidr);
      }
    }
    this.#pump();
  }

  /** Asks the kernel for its counters; the next `stats` has them. */
  async count(): Promise<void> {
    if (this.#closing) return;
    const { counters } = await this.#hand.ask({ count: true });
    if (counters !== undefined) this.#kernel = counters;
  }

  stats(): EnforcerStats {
    return {
      revision: this.#revision,
      entries: this.#count,
      left_out: this.#leftOut,
      ...this.#figures,
      kernel: this.#kernel,
    };
  }

  /** Takes the table away. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#working;
    const { error } = await this.#hand.ask({ end: true });
    if (error !== null) this.#options.trouble(error);
  }

  #enter(entry: ListedEntry): void {
    let standing = this.#entries.get(entry.cidr);
    const isNew = standing?.has(entry.id) !== true;
    if (isNew && this.#count >= this.#options.entriesMax) {
      this.#leftOut += 1;
      return;
    }
    if (standing === undefined) {
      standing = new Map();
      this.#entries.set(entry.cidr, standing);
    }
    standing.set(entry.id, entry);
    if (isNew) this.#count += 1;
    this.#dirty.add(entry.cidr);
  }

  #leave({ cidr, id }: ListedEntry): void {
    const standing = this.#entries.get(cidr);
    if (standing?.delete(id) !== true) return;
    this.#count -= 1;
    if (standing.size === 0) {
      this.#entries.delete(cidr);
      // Who is limited again later begins anew.
      this.#shut.delete(cidr);
    }
    this.#dirty.add(cidr);
  }

  #pump(): void {
    if (this.#working !== null || this.#closing) return;
    const clock = performance.now();
    const due = clock - this.#alive >= (this.#options.life_s * 1000) / 4;
    if (this.#anew ? clock < this.#retry : this.#dirty.size === 0 && !due) return;
    this.#working = this.#order().finally(() => {
      this.#working = null;
      if (this.#dirty.size > 0) this.#pump();
    });
  }

  async #order(): Promise<void> {
    // Changes of one turn of the event loop are one transaction.
    await new Promise<void>((resume) => setImmediate(resume));
    const { ports, life_s, trouble, enforced } = this.#options;
    const anew = this.#anew;
    const revision = this.#asked;
    if (anew) {
      this.#told.clear();
      for (const cidr of this.#entries.keys()) this.#dirty.add(cidr);
    }
    const put: Member[] = [];
    const drop: Member[] = [];
    for (const cidr of this.#dirty) this.#differences(cidr, put, drop);
    this.#dirty.clear();
    const began = performance.now();
    const { error } = await this.#hand.ask({
      ...(anew && { begin: { ports } }),
      put,
      drop,
      alive: life_s,
    });
    const took = performance.now() - began;
    const figures = this.#figures;
    figures.orders += 1;
    figures.order_ms = Math.round(took);
    figures.order_ms_max = Math.max(figures.order_ms_max, figures.order_ms);
    this.#anew = error !== null;
    if (error === null) {
      this.#alive = began;
      this.#revision = revision;
      this.#failing = false;
      enforced?.(revision);
      return;
    }
    figures.failed += 1;
    this.#retry = performance.now() + retry_ms;
    if (!this.#failing) trouble(error);
    this.#failing = true;
  }

  /** What must be said so that the kernel has of a prefix what the list has. */
  #differences(cidr: string, put: Member[], drop: Member[]): void {
    const before: Told = this.#told.get(cidr) ?? new Map();
    const after: Told = new Map();
    for (const member of this.#members(cidr)) {
      after.set(member.kind, member);
      const old = before.get(member.kind);
      const isSame =
        old?.meter?.rate === member.meter?.rate && old?.meter?.burst === member.meter?.burst;
      // A meter that goes on keeps what it has counted.
      put.push(isSame && old !== undefined ? { ...member, meter: undefined } : member);
      const gone = old?.ports.filter((port) => !member.ports.includes(port)) ?? [];
      if (gone.length > 0) drop.push({ ...member, ports: gone });
    }
    for (const [kind, member] of before) if (!after.has(kind)) drop.push(member);
    if (after.size === 0) this.#told.delete(cidr);
    else this.#told.set(cidr, after);
  }

  /** What the list says about a prefix now. */
  #members(cidr: string): Member[] {
    const standing = [...(this.#entries.get(cidr)?.values() ?? [])];
    const members: Member[] = [];
    for (const kind of ['allow', 'block', 'limit'] as const) {
      const some = standing.filter((entry) => entry.action === kind);
      const ports = this.#portsOf(some, kind === 'allow');
      if (some.length === 0 || ports.length === 0) continue;
      const ends = some.map(({ until }) => until ?? Number.POSITIVE_INFINITY);
      const seconds = this.#seconds(Math.max(...ends));
      if (seconds === 0) continue;
      const meter = kind === 'limit' ? strictest(some) : undefined;
      members.push({ kind, cidr, ports, seconds, meter });
      const shut = this.#shut.get(cidr);
      if (kind !== 'limit' || shut === undefined) continue;
      const rest = this.#seconds(shut.until);
      const closed = shut.ports.filter((port) => ports.includes(port));
      if (rest !== 0) members.push({ kind: 'shut', cidr, ports: closed, seconds: rest });
    }
    return members;
  }

  #portsOf(entries: readonly ListedEntry[], all: boolean): number[] {
    const { ports } = this.#options;
    return ports.filter((port) => all || entries.some(({ scope }) => scope.dport.includes(port)));
  }

  /** Whole seconds up to a time; null for ever, 0 where it is over. */
  #seconds(until: number): number | null {
    if (until === Number.POSITIVE_INFINITY) return null;
    return Math.max(0, Math.ceil((until - this.#now) / 1e6));
  }
}

/** Of several limits of one prefix the lowest rate, and its burst. */
function strictest(entries: readonly ListedEntry[]): { rate: number; burst: number } {
  const rates = entries.map(({ scope }) => ({ rate: scope.rate ?? 1, burst: scope.burst ?? 1 }));
  return rates.reduce((one, other) => (other.rate < one.rate ? other : one));
}
