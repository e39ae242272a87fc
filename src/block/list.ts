// The block list. Operations wait in a queue; a group of them changes the ledger, is written to the
// disk as one transaction, and only then is seen: by whoever asked for it, by those who follow the
// changes, and in snapshots. So nobody ever acts on what a crash could take back.

import type { Decision, DecisionSink } from '../decide/decision.js';
import { Prefix, readPrefix } from '../lib/prefix.js';
import type { Appeal } from './appeal.js';
import type { AuditRecord } from './audit.js';
import type { Actor, Entry, ListChange } from './entry.js';
import { Holders } from './holders.js';
import { Ledger } from './ledger.js';
import { Operations } from './operate.js';
import type { Snapshot } from './rows.js';
import { BlockStore, type RuleQuality } from './store.js';
import {
  type ListCounters,
  ListError,
  type ManualEntry,
  type Protection,
  type Release,
  type Surroundings,
} from './wish.js';

/** Operations of one transaction: a second's worth of fsync serves them all, and 10 ms of work. */
const groupMax = 500;
/** Operations that may wait; decisions beyond are dropped and counted, people are told. */
const queueMax = 100_000;
const expireMax = 500;
/** After a failed write it is tried again this much later. */
const retry_ms = 1000;
const pruneEvery = 3600 * 1e6;

export interface ListOptions extends Surroundings {
  /** Folder of the store; nobody else has it open. */
  readonly directory: string;
  /** Name of the list: that of the sensor. */
  readonly name: string;
  readonly entriesMax: number;
  /** How long a snapshot may be used, microseconds: then a dead daemon's list is dead too. */
  readonly life: number;
  /** A write failed, and is tried again until it succeeds. */
  readonly trouble: (message: string) => void;
}

interface Waiting {
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Listener = (changes: readonly ListChange[]) => void;

export class BlockList implements DecisionSink {
  readonly #options: ListOptions;
  readonly #store: BlockStore;
  readonly #ledger: Ledger;
  readonly #operations: Operations;
  readonly #queue: Waiting[] = [];
  readonly #listeners = new Set<Listener>();
  /** Who has the list as of which revision. */
  readonly holders = new Holders();
  #snapshot: Snapshot;
  /** What the disk has; snapshots and changes never run ahead of it. */
  #revision: number;
  #working: Promise<void> | null = null;
  /** The ledger has changes that the disk has not. */
  #dirty = false;
  /** Somebody asked for a snapshot and got an old one. */
  #wanted = false;
  #closing = false;
  #failing = false;
  #pruned = Number.NEGATIVE_INFINITY;
  /** Of how many times that something was held back people were told. */
  #warned = 0;
  /** Decisions that were dropped because too many waited. */
  dropped = 0;

  /** Opens or makes the list; throws a `BlockError`. Whatever expired meanwhile goes at `tick`. */
  constructor(options: ListOptions) {
    this.#options = options;
    this.#store = new BlockStore(options.directory);
    this.#ledger = new Ledger(this.#store, options.entriesMax);
    this.#operations = new Operations(this.#ledger, options);
    this.#revision = this.#ledger.revision;
    this.#snapshot = this.#take();
  }

  get revision(): number {
    return this.#revision;
  }

  /** The latest time that the list was told, microseconds. */
  get now(): number {
    return this.#ledger.now;
  }

  /** Entries of every action. */
  get count(): number {
    return this.#ledger.rows.count;
  }

  get counters(): ListCounters {
    return this.#operations.counters;
  }

  /** Bytes of memory that rows and indexes take; snapshots in use come on top. */
  get bytes(): number {
    return this.#ledger.rows.bytes;
  }

  /** False while writes fail. */
  get isSound(): boolean {
    return !this.#failing;
  }

  /**
   * Since when new automatic entries are held back, because the list grew faster than it should:
   * microseconds; null: they are not. They stand on the list, and nobody who acts on it is told.
   */
  get heldFrom(): number | null {
    return this.#operations.growth.heldFrom;
  }

  /** How often it began to hold something back. */
  get trips(): number {
    return this.#operations.growth.trips;
  }

  /** A person looked at what is held back: everybody is told of it, as of changes. */
  async accept(by: Actor): Promise<void> {
    const { rows } = this.#ledger;
    await this.#do(() => this.#operations.accept(by));
    for (let from = 0; from < rows.used && !this.#closing; from += groupMax) {
      await this.#do(() => this.#operations.tell(from, from + groupMax));
    }
  }

  /** How rules did, by id. */
  get quality(): ReadonlyMap<string, RuleQuality> {
    return this.#ledger.quality;
  }

  /** Policy speaks; see `Operations.decide`. Never waits. */
  decision(decision: Decision): void {
    if (this.#queue.length >= queueMax) {
      this.dropped += 1;
      return;
    }
    this.#soon(() => {
      this.#ledger.now = Math.max(this.#ledger.now, decision.time);
      this.#operations.decide(decision);
    });
  }

  /** Time runs on, microseconds: what is due expires, also while nothing else happens. */
  tick(now: number): void {
    if (now <= this.#ledger.now) return;
    const { open } = this.#ledger;
    const isLate = [...open.values()].some(({ last }) => last <= now);
    if (!this.#ledger.isDue(now) && !isLate) {
      if (!this.#dirty) this.#ledger.now = now;
    } else if (this.#queue.length < groupMax) this.#soon(() => this.#expire(now));
    if (now - this.#pruned >= pruneEvery) void this.#prune(now);
  }

  #expire(now: number): void {
    this.#ledger.now = Math.max(this.#ledger.now, now);
    if (this.#operations.expire(expireMax)) this.#soon(() => this.#expire(now));
    this.#operations.overdue();
  }

  add(wish: ManualEntry, by: Actor): Promise<Entry> {
    return this.#do(() => this.#operations.add(wish, by));
  }

  extend(id: string, until: number | null, by: Actor): Promise<Entry> {
    return this.#do(() => this.#operations.extend(id, until, by));
  }

  release(id: string, release: Release, by: Actor): Promise<Entry> {
    return this.#do(() => this.#operations.release(id, release, by));
  }

  appeal(id: string, text: string, contact: string): Promise<Appeal> {
    return this.#do(() => this.#operations.appeal(id, text, contact));
  }

  uphold(id: string, answer: string, by: Actor): Promise<Appeal> {
    return this.#do(() => this.#operations.uphold(id, answer, by));
  }

  restoreRule(rule: string, by: Actor): Promise<void> {
    return this.#do(() => this.#operations.restore(rule, by));
  }

  /** Goes by another register and allow-list; whoever is protected now is let go. */
  async protect(protection: Protection): Promise<void> {
    const { surroundings } = this.#operations;
    this.#operations.surroundings = { ...surroundings, protection };
    const { rows } = this.#ledger;
    for (let from = 0; from < rows.used && !this.#closing; from += groupMax) {
      await this.#do(() => this.#operations.reconcile(from, from + groupMax));
    }
  }

  /** An entry on the list, or one that left it within the last two months. */
  entry(id: string): Entry | undefined {
    return this.#store.entry(id);
  }

  /** Entries on the list that cover an address or prefix, the shortest prefix first. */
  covering(cidr: string): Entry[] {
    const prefix = new Prefix();
    if (!readPrefix(cidr, prefix)) return [];
    const found = this.#ledger.rows.covering(prefix).map((id) => this.#store.entry(id));
    return found.filter((entry) => entry !== undefined && entry.ended === undefined) as Entry[];
  }

  /** Ids of the entries that cover an address, and nothing else of them: for every row. */
  idsCovering(address: Prefix): readonly string[] {
    return this.#ledger.rows.covering(address);
  }

  /** Entries on the list in the order of their ids, after `id`; reads the disk as it goes. */
  entriesAfter(id: string): Generator<Entry> {
    return this.#store.entriesAfter(id);
  }

  /** Entries that left the list since a time, the latest first. */
  endedSince(time: number): Generator<Entry> {
    return this.#store.endedSince(time);
  }

  appealOf(id: string): Appeal | undefined {
    return this.#store.appeal(id);
  }

  get openAppeals(): readonly Appeal[] {
    return [...this.#ledger.open.values()];
  }

  auditFrom(sequence: number, limit: number): AuditRecord[] {
    return this.#store.auditFrom(sequence, limit);
  }

  get auditLength(): number {
    return this.#store.progress().audit.sequence;
  }

  /**
   * Steps after `revision`, in order, at most `limit`; null if they are not kept any more, or if
   * the revision is none of this list: then start over with a snapshot.
   */
  changesAfter(revision: number, limit: number): ListChange[] | null {
    return this.#store.changesAfter(revision, limit);
  }

  /**
   * The list as it is now, and from there on every change in order and once each, when it is on the
   * disk; the first ones may come before this returns. `stop` ends it.
   */
  follow(listener: Listener): { readonly snapshot: Snapshot; readonly stop: () => void } {
    const snapshot = this.snapshot();
    // While a group is being written the snapshot may be some groups behind.
    if (snapshot.revision < this.#revision) {
      listener(this.changesAfter(snapshot.revision, this.#revision - snapshot.revision) ?? []);
    }
    this.#listeners.add(listener);
    return { snapshot, stop: () => this.#listeners.delete(listener) };
  }

  /**
   * The list as it is on the disk, or was a moment ago, dated now. It never changes, costs nothing,
   * and may be sent to other threads.
   */
  snapshot(): Snapshot {
    const isOld = this.#snapshot.revision !== this.#revision;
    if (isOld && !this.#dirty) this.#snapshot = this.#take();
    else this.#wanted ||= isOld;
    const generated = this.now;
    return { ...this.#snapshot, generated, expires: generated + this.#options.life };
  }

  /** Seconds since 1970, by the wall clock, of the latest document of the list that is out. */
  get published(): number {
    return this.#store.published;
  }

  /** A document of that second is out; the next process goes on from there. */
  publish(modified: number): void {
    if (!this.#closing) this.#store.publish(modified);
  }

  /** Resolves when everything that was asked for so far is on the disk. */
  async idle(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.idle();
    await this.#store.close();
  }

  #take(): Snapshot {
    const { name, life } = this.#options;
    const { now, rows } = this.#ledger;
    const revision = this.#revision;
    this.#wanted = false;
    return { list: name, revision, generated: now, expires: now + life, ...rows.lend() };
  }

  #do<T>(work: () => T): Promise<T> {
    if (this.#closing) return Promise.reject(new ListError('not-yet', 'the list is closing'));
    if (this.#queue.length >= queueMax) {
      return Promise.reject(new ListError('not-yet', 'too much waits; try again'));
    }
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, resolve: resolve as (value: unknown) => void, reject });
      this.#start();
    });
  }

  /** As `#do`, for what nobody waits for. */
  #soon(work: () => void): void {
    const reject = (error: unknown) => this.#options.trouble(String(error));
    this.#queue.push({ work, resolve: () => {}, reject });
    this.#start();
  }

  #start(): void {
    this.#working ??= this.#work().finally(() => {
      this.#working = null;
      if (this.#queue.length > 0) this.#start();
    });
  }

  async #work(): Promise<void> {
    // What is asked for in this turn of the event loop is one group.
    await new Promise<void>((resume) => setImmediate(resume));
    while (this.#queue.length > 0) {
      const done = this.#queue.splice(0, groupMax).map((each) => this.#perform(each));
      this.#warn();
      const batch = this.#ledger.take();
      this.#dirty = batch !== null;
      if (batch !== null) {
        await this.#write(batch);
        this.#ledger.settle();
        this.#dirty = false;
        this.#revision = batch.progress.revision;
        this.#publish(batch.changes);
      }
      for (const finish of done) finish();
    }
  }

  #perform({ work, resolve, reject }: Waiting): () => void {
    try {
      const value = work();
      return () => resolve(value);
    } catch (error) {
      return () => reject(error);
    }
  }

  async #write(batch: Parameters<BlockStore['commit']>[0]): Promise<void> {
    while (true) {
      try {
        await this.#store.commit(batch);
        this.#failing = false;
        return;
      } catch (error) {
        if (!this.#failing) this.#options.trouble((error as Error).message);
        this.#failing = true;
        await new Promise((resume) => setTimeout(resume, retry_ms));
      }
    }
  }

  #publish(changes: readonly ListChange[]): void {
    if (changes.length === 0) return;
    if (this.#wanted) this.#snapshot = this.#take();
    for (const listener of this.#listeners) listener(changes);
  }

  #warn(): void {
    if (this.trips === this.#warned) return;
    this.#warned = this.trips;
    this.#options.trouble(
      `the list grew to ${this.#ledger.rows.automatic} automatic entries, twice as many within ` +
        'ten minutes; new ones are held back until a person accepts them',
    );
  }

  async #prune(now: number): Promise<void> {
    this.#pruned = now;
    try {
      while (!this.#closing && (await this.#store.prune(now)) > 0);
    } catch (error) {
      this.#options.trouble((error as Error).message);
    }
  }
}
