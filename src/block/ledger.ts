// The list's state while it changes: what stands on it, what ends when, and the draft of what the
// store has to write before anybody may see it. It judges nothing; `operate.ts` does.

import { Heap } from '../lib/heap.js';
import type { Prefix } from '../lib/prefix.js';
import type { Appeal } from './appeal.js';
import { type Act, type AuditRecord, seal } from './audit.js';
import { type Ending, type Entry, type ListChange, listed } from './entry.js';
import { type Batch, BlockError, type BlockStore, type RuleQuality } from './store.js';
import { Rows } from './table.js';

/** What a group of operations has changed so far. */
interface Draft {
  readonly entries: Map<string, Entry>;
  readonly changes: ListChange[];
  readonly audit: AuditRecord[];
  readonly appeals: Map<string, Appeal>;
  readonly quality: Map<string, RuleQuality>;
  readonly grace: Map<string, number>;
}

export class Ledger {
  readonly rows: Rows;
  readonly quality: Map<string, RuleQuality>;
  /** Appeals that nobody decided yet, by the id of their entry. */
  readonly open = new Map<string, Appeal>();
  /** Prefixes of the entries that allow, by id: few, and asked for with every prefix. */
  readonly allows = new Map<string, string>();
  /** Something is, or was, held back. */
  hasHeld = false;
  readonly #store: BlockStore;
  /** Rows by the end of their entries. */
  readonly #ends = new Heap<number>();
  readonly #grace: Map<string, number>;
  #draft: Draft = empty();
  #revision: number;
  #audit: { sequence: number; hash: string };
  /** The latest time that anybody told, microseconds. */
  now: number;

  /** Takes up what the store has; throws a `BlockError` where that does not fit together. */
  constructor(store: BlockStore, entriesMax: number) {
    this.#store = store;
    this.rows = new Rows(entriesMax);
    const { revision, audit, count, now } = store.progress();
    this.#revision = revision;
    this.#audit = { ...audit };
    this.now = now;
    this.quality = store.quality();
    this.#grace = store.grace();
    if (store.rowCount === count) for (const packed of store.rows()) this.#unpack(packed);
    else this.#rebuild();
    if (this.rows.count !== count) {
      throw new BlockError(
        `the block list has ${this.rows.count} entries where ${count} were written; ` +
          'raise block.entries_max if it was lowered, else restore the state from a backup',
      );
    }
    for (const appeal of store.appeals()) {
      if (appeal.state === 'open') this.open.set(appeal.id, appeal);
    }
  }

  get revision(): number {
    return this.#revision;
  }

  /** The entry as it is now, on the list or ended; undefined if nobody remembers it. */
  entry(id: string): Entry | undefined {
    return this.#draft.entries.get(id) ?? this.#store.entry(id);
  }

  /** Whether an entry of this id was ever there, as far as is remembered. */
  knows(id: string): boolean {
    return this.rows.has(id) || this.#draft.entries.has(id) || this.#store.hasEnded(id);
  }

  /** Entries that cover all of `prefix`, or have exactly it. */
  covering(prefix: Prefix, exact = false): Entry[] {
    return this.rows.covering(prefix, exact).map((id) => this.entry(id)!);
  }

  /** Puts an entry on the list, or changes it; false if the list is full. */
  put(entry: Omit<Entry, 'revision'>): Entry | null {
    const isNew = !this.rows.has(entry.id);
    if (isNew && this.rows.isFull) return null;
    const whole: Entry = { ...entry, revision: this.#revision + 1 };
    if (!this.#stand(whole)) return null;
    this.#revision += 1;
    this.#step(isNew ? 'added' : 'changed', whole);
    return whole;
  }

  /** Takes an entry from the list; `how` says why. */
  end(entry: Entry, how: Omit<Ending, 'revision'>): Entry {
    this.rows.remove(entry.id);
    this.allows.delete(entry.id);
    this.#revision += 1;
    const ended: Entry = {
      ...entry,
      revision: this.#revision,
      ended: { ...how, revision: this.#revision },
    };
    this.#step('removed', ended);
    return ended;
  }

  /** Ids whose time is over at `now`, at most `limit`. */
  due(now: number, limit: number): string[] {
    const found = new Set<string>();
    while (this.#ends.least <= now && found.size < limit) {
      const due = this.#ends.least;
      const row = this.#ends.take()!;
      // An entry that was renewed is in the heap again with its later end; one that left has given
      // its row to nobody, or to one whose end is in the heap as well.
      if (this.rows.untilAt(row) === due) found.add(this.rows.idAt(row));
    }
    return [...found];
  }

  /** Whether something is due at `now`. */
  isDue(now: number): boolean {
    return this.#ends.least <= now;
  }

  appeal(id: string): Appeal | undefined {
    return this.#draft.appeals.get(id) ?? this.open.get(id) ?? this.#store.appeal(id);
  }

  putAppeal(appeal: Appeal): void {
    this.#draft.appeals.set(appeal.id, appeal);
    if (appeal.state === 'open') this.open.set(appeal.id, appeal);
    else this.open.delete(appeal.id);
  }

  putQuality(rule: string, quality: RuleQuality): void {
    this.quality.set(rule, quality);
    this.#draft.quality.set(rule, quality);
  }

  /** Until `until` the rule only observes this source. */
  putGrace(cidr: string, rule: string, until: number): void {
    const key = `${cidr} ${rule}`;
    this.#grace.set(key, until);
    this.#draft.grace.set(key, until);
  }

  hasGrace(cidr: string, rule: string, now: number): boolean {
    const key = `${cidr} ${rule}`;
    const until = this.#grace.get(key);
    if (until === undefined) return false;
    if (until > now) return true;
    this.#grace.delete(key);
    this.#draft.grace.set(key, until);
    return false;
  }

  note(act: Omit<Act, 'time'>): void {
    const whole = { ...act, time: this.now };
    const sequence = this.#audit.sequence + 1;
    const hash = seal(whole, sequence, this.#audit.hash);
    this.#draft.audit.push({ ...whole, sequence, hash });
    this.#audit = { sequence, hash };
  }

  /** What has to be written; null where nothing changed. The draft is empty afterwards. */
  take(): Batch | null {
    const draft = this.#draft;
    const { entries, changes, audit, appeals, quality, grace } = draft;
    if (audit.length + changes.length + appeals.size + quality.size + grace.size === 0) return null;
    const progress = {
      version: 1,
      revision: this.#revision,
      count: this.rows.count,
      audit: this.#audit,
      now: this.now,
    };
    const rows = new Map<string, Buffer>();
    for (const { id, ended } of entries.values()) {
      if (ended === undefined) rows.set(id, this.rows.pack(id));
    }
    const lists = { entries: [...entries.values()], rows, appeals: [...appeals.values()] };
    return { ...lists, changes, audit, quality, grace, progress };
  }

  /** What `take` gave is written. */
  settle(): void {
    this.#draft = empty();
  }

  #stand(entry: Entry): boolean {
    if (!this.rows.put(listed(entry))) return false;
    this.#watch(this.rows.rowOf(entry.id));
    return true;
  }

  /** A million entries stand again within seconds: nothing of them is read but their rows. */
  #unpack(packed: Buffer): void {
    const row = this.rows.unpack(packed);
    if (row >= 0) this.#watch(row);
  }

  #watch(row: number): void {
    const until = this.rows.untilAt(row)!;
    this.hasHeld ||= this.rows.isHeldAt(row);
    if (this.rows.allowsAt(row)) this.allows.set(this.rows.idAt(row), this.rows.cidrAt(row));
    if (until !== Number.POSITIVE_INFINITY) this.#ends.add(until, row);
  }

  /** Rows out of the entries, where the store is of a time before it had them. */
  #rebuild(): void {
    const rows = new Map<string, Buffer>();
    for (const entry of this.#store.entries()) {
      if (this.#stand(entry)) rows.set(entry.id, this.rows.pack(entry.id));
    }
    this.#store.putRows(rows);
  }

  #step(kind: ListChange['kind'], entry: Entry): void {
    this.#draft.entries.set(entry.id, entry);
    const state = entry.ended?.state ?? null;
    const { revision } = entry;
    this.#draft.changes.push({ revision, kind, time: this.now, entry: listed(entry), state });
  }
}

function empty(): Draft {
  return {
    entries: new Map(),
    changes: [],
    audit: [],
    appeals: new Map(),
    quality: new Map(),
    grace: new Map(),
  };
}
