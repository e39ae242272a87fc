// The list on the disk: an LMDB environment in a folder of its own. What one `commit` is given is
// there whole or not at all, and when its promise resolves it survives a kill and a power cut. Only
// one process has it open. It decides nothing.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { Appeal } from './appeal.js';
import { type AuditRecord, auditStart } from './audit.js';
import type { Entry, ListChange } from './entry.js';

/** A list that cannot be opened or written. The message is one line for people. */
export class BlockError extends Error {
  override name = 'BlockError';
}

/** Steps that are kept for those who ask what changed; who is further behind starts over. */
const changesMax = 200_000;
/** Ended entries are kept as long as anybody may appeal or ask, and no more than so many. */
const endedMax = 200_000;
export const endedKept = 60 * 86_400 * 1e6;
/** Audit records that are kept; some years of them. */
const auditMax = 5_000_000;
/** What is thrown away in one go, so that nobody waits for it. */
const pruneMax = 2000;
const version = 1;

/** What has to go on where it stopped. */
export interface Progress {
  readonly version: number;
  readonly revision: number;
  /** Entries on the list; a store that holds another number is damaged. */
  readonly count: number;
  /** Sequence and hash of the last audit record. */
  readonly audit: { readonly sequence: number; readonly hash: string };
  /** Latest time that the list knew, microseconds. */
  readonly now: number;
}

/** How a rule did: what makes it fall back to observe. */
export interface RuleQuality {
  /** Entries of the rule that were wrong, and the seconds that they stood on the list. */
  readonly wrong: number;
  readonly wrongSeconds: number;
  /** Times of the latest wrong ones, microseconds. */
  readonly recent: readonly number[];
  /** Since when it only observes, or null; and which text of it: another one is another rule. */
  readonly demoted: number | null;
  readonly sha256: string;
}

/** Everything that one group of changes writes. */
export interface Batch {
  readonly entries: readonly Entry[];
  /** Of those that stand on the list, by id, what `Rows` needs to know of them. */
  readonly rows: ReadonlyMap<string, Buffer>;
  readonly changes: readonly ListChange[];
  readonly audit: readonly AuditRecord[];
  readonly appeals: readonly Appeal[];
  readonly quality: ReadonlyMap<string, RuleQuality>;
  /** Until when a rule only observes a source: `cidr rule` and microseconds. */
  readonly grace: ReadonlyMap<string, number>;
  readonly progress: Progress;
}

export class BlockStore {
  readonly #root: RootDatabase;
  readonly #entries: Database<Entry, string>;
  /** The same entries as rows of the list in memory, so that it opens without reading them. */
  readonly #rows: Database<Buffer, string>;
  readonly #ended: Database<Entry, string>;
  /** Ended entries by time, for those who throw them away. */
  readonly #endings: Database<true, [number, string]>;
  readonly #changes: Database<ListChange, number>;
  readonly #audit: Database<AuditRecord, number>;
  readonly #appeals: Database<Appeal, string>;
  readonly #quality: Database<RuleQuality, string>;
  readonly #grace: Database<number, string>;
  readonly #meta: Database<Progress, string>;
  /** Seconds since 1970 of the latest document that is out. */
  readonly #published: Database<number, string>;

  /** Opens or makes the store in `directory`; throws a `BlockError`. */
  constructor(directory: string) {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      this.#root = open({ path: join(directory, 'block'), noSubdir: false, maxDbs: 16 });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      throw new BlockError(
        `${directory}: cannot keep the block list there (${code}); check state.directory`,
      );
    }
    const part = { encoding: 'msgpack', useRecords: false } as const;
    const named = <V, K extends string | number | [number, string]>(name: string) =>
      this.#root.openDB<V, K>({ name, ...part });
    this.#entries = named('entries');
    this.#rows = this.#root.openDB<Buffer, string>({ name: 'rows', encoding: 'binary' });
    this.#ended = named('ended');
    this.#endings = named('endings');
    this.#changes = named('changes');
    this.#audit = named('audit');
    this.#appeals = named('appeals');
    this.#quality = named('quality');
    this.#grace = named('grace');
    this.#meta = named('meta');
    this.#published = named('published');
    const found = this.#meta.get('progress');
    if (found !== undefined && found.version !== version) {
      throw new BlockError(
        `${directory}: the block list there was written by another version (${found.version})`,
      );
    }
  }

  /** Where it stopped; the beginning in a new store. */
  progress(): Progress {
    const audit = { sequence: 0, hash: auditStart };
    const fresh = { version, revision: 0, count: 0, audit, now: 0 };
    return this.#meta.get('progress') ?? fresh;
  }

  /** Seconds since 1970 of the latest document, 0 where there was none. */
  get published(): number {
    return this.#published.get('modified') ?? 0;
  }

  /** Notes it; nobody waits for that. */
  publish(modified: number): void {
    void this.#published.put('modified', modified);
  }

  /** Every entry on the list, in the order of ids. */
  *entries(): Generator<Entry> {
    for (const { value } of this.#entries.getRange()) yield value;
  }

  /** How many entries have a row; another number than of entries means that there are none yet. */
  get rowCount(): number {
    return (this.#rows.getStats() as { entryCount: number }).entryCount;
  }

  *rows(): Generator<Buffer> {
    for (const { value } of this.#rows.getRange()) yield value;
  }

  /** Writes rows of entries that are there; nobody waits for that. */
  putRows(rows: ReadonlyMap<string, Buffer>): void {
    void this.#root.batch(() => {
      for (const [id, row] of rows) void this.#rows.put(id, row);
    });
  }

  /** Entries on the list whose id follows `after`, in the order of ids. */
  *entriesAfter(after: string): Generator<Entry> {
    for (const { key, value } of this.#entries.getRange({ start: after })) {
      if (key !== after) yield value;
    }
  }

  /** An entry on the list, or one that left it a while ago. */
  entry(id: string): Entry | undefined {
    return this.#entries.get(id) ?? this.#ended.get(id);
  }

  hasEnded(id: string): boolean {
    return this.#ended.doesExist(id);
  }

  /** Entries that left the list since a time, the latest first. */
  *endedSince(time: number): Generator<Entry> {
    for (const [, id] of this.#endings.getKeys({ reverse: true, end: [time, ''] })) {
      const entry = this.#ended.get(id);
      if (entry !== undefined) yield entry;
    }
  }

  /** Steps after `revision`, at most `limit`; null if some of them are not kept any more. */
  changesAfter(revision: number, limit: number): ListChange[] | null {
    const found: ListChange[] = [];
    for (const { value } of this.#changes.getRange({ start: revision + 1, limit })) {
      found.push(value);
    }
    if (found.length === 0) return revision === this.progress().revision ? found : null;
    return found[0]!.revision === revision + 1 ? found : null;
  }

  /** Audit records from `sequence` on, at most `limit`. */
  auditFrom(sequence: number, limit: number): AuditRecord[] {
    return [...this.#audit.getRange({ start: sequence, limit })].map(({ value }) => value);
  }

  appeal(id: string): Appeal | undefined {
    return this.#appeals.get(id);
  }

  *appeals(): Generator<Appeal> {
    for (const { value } of this.#appeals.getRange()) yield value;
  }

  quality(): Map<string, RuleQuality> {
    return new Map([...this.#quality.getRange()].map(({ key, value }) => [key, value]));
  }

  grace(): Map<string, number> {
    return new Map([...this.#grace.getRange()].map(({ key, value }) => [key, value]));
  }

  /** Writes all of it or nothing; resolves when it is on the disk. */
  async commit(batch: Batch): Promise<void> {
    const { entries, rows, changes, audit, appeals, quality, grace, progress } = batch;
    // Writes of one turn of the event loop are one transaction; `batch` insists on it.
    const written = this.#root.batch(() => {
      for (const entry of entries) this.#put(entry);
      for (const [id, row] of rows) void this.#rows.put(id, row);
      for (const change of changes) void this.#changes.put(change.revision, change);
      for (const record of audit) void this.#audit.put(record.sequence, record);
      for (const appeal of appeals) void this.#appeals.put(appeal.id, appeal);
      for (const [rule, value] of quality) void this.#quality.put(rule, value);
      for (const [key, until] of grace) {
        if (until > progress.now) void this.#grace.put(key, until);
        else void this.#grace.remove(key);
      }
      void this.#meta.put('progress', progress);
    });
    if (!(await written)) throw new BlockError('the block list could not be written');
    await this.#root.flushed;
  }

  #put(entry: Entry): void {
    if (entry.ended === undefined) {
      void this.#entries.put(entry.id, entry);
      return;
    }
    void this.#entries.remove(entry.id);
    void this.#rows.remove(entry.id);
    void this.#ended.put(entry.id, entry);
    void this.#endings.put([entry.ended.time, entry.id], true);
  }

  /** Throws away some of what is older than is kept; gives how much that was. */
  async prune(now: number): Promise<number> {
    const { revision, audit } = this.progress();
    let pruned = 0;
    const written = this.#root.batch(() => {
      const changes = { end: revision - changesMax, limit: pruneMax };
      for (const key of this.#changes.getKeys(changes)) {
        void this.#changes.remove(key);
        pruned += 1;
      }
      for (const key of this.#audit.getKeys({ end: audit.sequence - auditMax, limit: pruneMax })) {
        void this.#audit.remove(key);
        pruned += 1;
      }
      const spare = Math.max(0, this.#endings.getCount() - endedMax);
      let over = spare;
      for (const key of this.#endings.getKeys({ limit: pruneMax })) {
        if (key[0] > now - endedKept && over-- <= 0) break;
        void this.#endings.remove(key);
        void this.#ended.remove(key[1]);
        void this.#appeals.remove(key[1]);
        pruned += 1;
      }
    });
    await written;
    return pruned;
  }

  async close(): Promise<void> {
    await this.#root.close();
  }
}
