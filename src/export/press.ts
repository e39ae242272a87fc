// Documents of the list, ready to be sent: printed in a thread when the list has changed and
// somebody wants them, kept until then. If printing fails, or takes its time, the last good one
// goes on; a document says itself until when it may be used.

import { Worker } from 'node:worker_threads';
import type { ListChange } from '../block/entry.js';
import type { Snapshot } from '../block/rows.js';
import { Histogram } from '../lib/histogram.js';
import type { PressAnswer, PressWord } from './press-thread.js';
import type { Order, Printed } from './print.js';
import type { Publisher } from './view.js';

/** The list as far as a press needs it. */
interface Source {
  readonly revision: number;
  readonly now: number;
  snapshot(): Snapshot;
  follow(listener: (changes: readonly ListChange[]) => void): {
    readonly snapshot: Snapshot;
    readonly stop: () => void;
  };
}

/** One document of one version of the list; never changed. */
export interface Document extends Omit<Printed, 'body' | 'gzip'> {
  readonly body: Buffer;
  readonly gzip: Buffer;
  readonly revision: number;
  /** Part of the ETag: no other version has it. */
  readonly version: string;
  /** Seconds since 1970, of the wall clock: never earlier than a version before. */
  readonly modified: number;
  /** Another version has the same second, so that time alone does not tell them apart. */
  readonly isSameSecond: boolean;
  /** Microseconds since 1970 on the list's clock. */
  readonly generated: number;
  readonly expires: number;
}

export interface PressOptions {
  readonly list: Source;
  readonly publisher: Publisher;
  /** Something went wrong, or a person has to look; one line. */
  readonly trouble: (message: string) => void;
  /** Seconds since 1970 of the latest version of the process before. */
  readonly modified?: number;
  /** A version of that second is out. */
  readonly published?: (modified: number) => void;
  /** The thread's file, for tests. */
  readonly threadFile?: URL;
}

interface Version {
  readonly snapshot: Snapshot;
  readonly name: string;
  readonly modified: number;
  readonly isSameSecond: boolean;
  /** When it was made, on the process's own clock, milliseconds. */
  readonly made: number;
  /** Somebody has a document of it. */
  isOut: boolean;
}

interface Job {
  readonly version: Version;
  readonly key: string;
  readonly resolve: (document: Document) => void;
  readonly reject: (error: Error) => void;
}

/** A list that does not change is dated anew this often, so that it does not expire. */
const renew = 1800 * 1e6;
/** A reader waits this long for the newest version if there is one before it. */
const patience_ms = 1500;
/** A version that took long to print stands at least this many times as long. */
const restFactor = 3;
const long_ms = 100;
/** How long changes wait for the first document with them; consumers come every few minutes. */
const delayBounds_s = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600];
/** Documents that are kept: their number and their bytes. */
const documentsMax = 128;
const bytesMax = 512 * 1024 ** 2;

export class Press {
  readonly #options: PressOptions;
  readonly #documents = new Map<string, Document>();
  readonly #jobs = new Map<number, Job>();
  readonly #printing = new Map<string, Promise<Document>>();
  readonly #stop: () => void;
  #thread: Worker | null = null;
  #version: Version;
  #number = 0;
  /** Names of versions are never used twice, also by the process after this one. */
  readonly #began = `${Date.now().toString(36)}-`;
  #versions = 0;
  /** Entries as the changes add up, and the revision of that sum. */
  #counted: { count: number; revision: number };
  #took_ms = 0;
  /** Since when a change waits that no document has yet, on the process's own clock; null: none. */
  #waiting: { readonly revision: number; readonly since: number } | null = null;
  /** Seconds from a change of the list to the first document that was printed with it. */
  readonly delays = new Histogram(delayBounds_s);
  #closed = false;
  readonly counters = { printed: 0, failed: 0, stale: 0, unaccounted: 0 };

  constructor(options: PressOptions) {
    this.#options = options;
    const { snapshot, stop } = options.list.follow((changes) => this.#count(changes));
    this.#stop = stop;
    this.#counted = { count: snapshot.count, revision: snapshot.revision };
    this.#version = this.#dated(snapshot, { modified: options.modified ?? 0, isOut: true });
  }

  /** Bytes of all documents that are kept. */
  get bytes(): number {
    let sum = 0;
    for (const { body, gzip } of this.#documents.values()) sum += body.length + gzip.length;
    return sum;
  }

  /** The newest document, or the last good one. Rejects where there is none at all. */
  async document(order: Order): Promise<Document> {
    const version = this.#current();
    const { format, action, family, page } = order;
    const key = `${format} ${action} ${family} ${page}`;
    const last = this.#documents.get(key);
    if (last !== undefined) {
      // Used last, given up last.
      this.#documents.delete(key);
      this.#documents.set(key, last);
      if (last.version === version.name) return last;
    }
    const fresh = this.#print(key, version, order);
    if (last === undefined) return fresh;
    const old = this.#patience().then(() => this.#stale(last));
    return Promise.race([fresh.catch(() => this.#stale(last)), old]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    await this.#thread?.terminate();
    this.#fail(new Error('the press is closed'));
  }

  #stale(last: Document): Document {
    this.counters.stale += 1;
    return last;
  }

  #patience(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, patience_ms).unref());
  }

  #count(changes: readonly ListChange[]): void {
    for (const { kind, revision } of changes) {
      if (kind === 'added') this.#counted.count += 1;
      if (kind === 'removed') this.#counted.count -= 1;
      this.#counted.revision = revision;
      this.#waiting ??= { revision, since: performance.now() };
    }
  }

  #current(): Version {
    const { list } = this.#options;
    const { snapshot, made } = this.#version;
    const isOld = list.revision !== snapshot.revision || list.now - snapshot.generated >= renew;
    const rest = this.#took_ms > long_ms ? this.#took_ms * restFactor : 0;
    if (!isOld || performance.now() - made < rest) return this.#version;
    const next = list.snapshot();
    if (next.revision === snapshot.revision && next.generated - snapshot.generated < renew) {
      return this.#version;
    }
    if (!this.#isAccounted(next)) return this.#version;
    this.#version = this.#dated(next, this.#version);
    return this.#version;
  }

  /** A list that lost entries of which no change tells is not published. */
  #isAccounted({ count, revision }: Snapshot): boolean {
    if (this.#counted.revision !== revision || this.#counted.count === count) return true;
    this.counters.unaccounted += 1;
    this.#options.trouble(
      `the list has ${count} entries where its changes add up to ${this.#counted.count}; the ` +
        'last good one goes on; please report it',
    );
    return false;
  }

  #dated(snapshot: Snapshot, before: Pick<Version, 'modified' | 'isOut'>): Version {
    const now = Math.floor(Date.now() / 1000);
    const modified = Math.max(now, before.modified);
    this.#options.published?.(modified);
    return {
      snapshot,
      modified,
      name: `${snapshot.revision}-${this.#began}${this.#versions++}`,
      isSameSecond: before.isOut && modified === before.modified,
      made: performance.now(),
      isOut: false,
    };
  }

  #print(key: string, version: Version, order: Order): Promise<Document> {
    const name = `${version.name} ${key}`;
    const printing = this.#printing.get(name);
    if (printing !== undefined) return printing;
    version.isOut = true;
    const job = this.#number++;
    const printed = new Promise<Document>((resolve, reject) => {
      this.#jobs.set(job, { version, key, resolve, reject });
      const { publisher } = this.#options;
      const word: PressWord = { job, snapshot: version.snapshot, order, publisher };
      this.#start().postMessage(word);
    }).finally(() => {
      this.#printing.delete(name);
    });
    this.#printing.set(name, printed);
    // Whoever waits hears of a failure; nobody may wait any more.
    printed.catch(() => {});
    return printed;
  }

  #start(): Worker {
    if (this.#closed) throw new Error('the press is closed');
    if (this.#thread !== null) return this.#thread;
    const file = this.#options.threadFile ?? new URL('./press-thread.js', import.meta.url);
    const thread = new Worker(file);
    thread.unref();
    thread.on('message', (answer: PressAnswer) => this.#answer(answer));
    thread.on('error', (error) => this.#lose(thread, error));
    thread.on('exit', () => this.#lose(thread, new Error('the printing thread ended')));
    this.#thread = thread;
    return thread;
  }

  #answer(answer: PressAnswer): void {
    const job = this.#jobs.get(answer.job);
    if (job === undefined) return;
    this.#jobs.delete(answer.job);
    if ('error' in answer) {
      this.#troubled(answer.error);
      job.reject(new Error(answer.error));
      return;
    }
    this.#took_ms = answer.took_ms;
    const { body, gzip, ...sums } = answer.printed;
    const { snapshot, name, modified, isSameSecond } = job.version;
    const { revision, generated, expires } = snapshot;
    const document: Document = {
      ...sums,
      body: Buffer.from(body.buffer, body.byteOffset, body.length),
      gzip: Buffer.from(gzip.buffer, gzip.byteOffset, gzip.length),
      version: name,
      revision,
      modified,
      isSameSecond,
      generated,
      expires,
    };
    this.counters.printed += 1;
    if (this.#waiting !== null && this.#waiting.revision <= revision) {
      this.delays.observe((performance.now() - this.#waiting.since) / 1000);
      this.#waiting = null;
    }
    this.#keep(job.key, document);
    job.resolve(document);
  }

  #keep(key: string, document: Document): void {
    const before = this.#documents.get(key);
    if (before !== undefined && before.revision > document.revision) return;
    this.#documents.delete(key);
    this.#documents.set(key, document);
    for (const old of this.#documents.keys()) {
      const isRoom = this.#documents.size <= documentsMax && this.bytes <= bytesMax;
      if (isRoom || old === key) break;
      this.#documents.delete(old);
    }
  }

  #lose(thread: Worker, error: Error): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    if (!this.#closed) this.#troubled(error.message);
    this.#fail(error);
  }

  #fail(error: Error): void {
    for (const job of this.#jobs.values()) job.reject(error);
    this.#jobs.clear();
  }

  #troubled(message: string): void {
    this.counters.failed += 1;
    this.#options.trouble(
      `a document could not be printed (${message}); the last good one goes on`,
    );
  }
}
