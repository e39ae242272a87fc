// What one document is about: the entries of a snapshot that it has, disjoint and in order, and the
// figures of its header. Formats walk it and write; they decide nothing.

import { EntryCursor, type Snapshot } from '../block/rows.js';
import { isoTime } from '../lib/iso-time.js';
import { disjoint, nested, rowRoom, Slices, sortSix } from './disjoint.js';
import type { ByteWriter } from './writer.js';

/** Which entries: those that block, those that limit, or both. */
export const listActions = ['block', 'limit', 'all'] as const;
export type ListAction = (typeof listActions)[number];

/** Which addresses. */
export const families = ['both', 'ipv4', 'ipv6'] as const;
export type Family = (typeof families)[number];

/** One document of a list, without the format. */
export interface Wanted {
  readonly action: ListAction;
  readonly family: Family;
  /** Part of a document that is made in parts, from 1. */
  readonly page: number;
}

/** Whom the list comes from, for formats that say so. */
export interface Publisher {
  readonly contact?: string | undefined;
  readonly url?: string | undefined;
  /** The zone of the DNSBL. */
  readonly zone?: string | undefined;
}

export interface ViewOptions {
  /** Entries stay nested, for readers that take the longest prefix. */
  readonly nests: boolean;
  /** Of the snapshots of one list. */
  readonly memo?: SlicesMemo | undefined;
}

/** The lines of the last document: the next one is often of the same ones in another format. */
export class SlicesMemo {
  #key = '';
  #slices = new Slices();

  of(key: string, make: () => Slices): Slices {
    if (key !== this.#key) {
      this.#slices = make();
      this.#key = key;
    }
    return this.#slices;
  }
}

export class View {
  readonly snapshot: Snapshot;
  readonly wanted: Wanted;
  readonly publisher: Publisher;
  readonly entry: EntryCursor;
  readonly #slices: Slices;
  #index = -1;

  constructor(
    snapshot: Snapshot,
    wanted: Wanted,
    publisher: Publisher,
    { nests, memo = new SlicesMemo() }: ViewOptions = { nests: false },
  ) {
    this.snapshot = snapshot;
    this.wanted = wanted;
    this.publisher = publisher;
    this.entry = new EntryCursor(snapshot);
    const { action, family } = wanted;
    const { revision, generated } = snapshot;
    this.#slices = memo.of([revision, generated, action, family, nests].join(' '), () => {
      const rows = rowsOf(new EntryCursor(snapshot), wanted, generated);
      return nests ? nestedOf(this.entry, rows, action) : apartOf(this.entry, rows, action);
    });
  }

  /** Lines that are about an entry. */
  get count(): number {
    return this.#slices.count;
  }

  /** Goes to the first line again. */
  rewind(): void {
    this.#index = -1;
  }

  /** Goes to the next line; false after the last. `entry` is the entry that it comes from. */
  next(): boolean {
    this.#index += 1;
    if (this.#index >= this.#slices.count) return false;
    this.entry.seek(this.#slices.row(this.#index));
    return true;
  }

  get isIpv4(): boolean {
    return this.#slices.isIpv4(this.#index);
  }

  /** Length as people write it: 0 to 32, or to 128. */
  get bits(): number {
    return this.#slices.bits(this.#index) - (this.isIpv4 ? 96 : 0);
  }

  get isHost(): boolean {
    return this.#slices.bits(this.#index) === 128;
  }

  get action(): EntryCursor['action'] {
    return this.entry.action;
  }

  /** Whether the line is about whom the line of a wider prefix is not; only where they nest. */
  get isException(): boolean {
    return !listedBy(this.wanted.action, this.entry.actionNumber);
  }

  /** Writes the address without its length. */
  address(out: ByteWriter): ByteWriter {
    const [w0, w1, w2, w3] = this.#slices.words(this.#index);
    return this.isIpv4 ? out.ipv4(w3) : out.ipv6(w0, w1, w2, w3);
  }

  /** Writes the prefix with its length. */
  cidr(out: ByteWriter): ByteWriter {
    return this.address(out).bits(this.bits);
  }

  /** Seconds that the line may be used, at least 1: to the end of the entry or of the list. */
  get seconds(): number {
    const { generated, expires } = this.snapshot;
    const micros = Math.min(this.entry.until, expires) - generated;
    return Math.max(1, Math.ceil(micros / 1e6));
  }

  /** The lines of the header, each behind `mark`: no consumer ever sees an empty body. */
  header(out: ByteWriter, mark: string): void {
    const { list, revision, generated, expires } = this.snapshot;
    const { action, family } = this.wanted;
    const kinds = { block: 'blocked', limit: 'limited', all: 'blocked and limited' };
    out.text(mark).utf8(`Mailweir list of ${kinds[action]} mail sources`).newline();
    const lines = {
      list,
      serial: String(revision),
      generated: moment(generated),
      expires: moment(expires),
      records: String(this.count),
      ...(family !== 'both' && { family }),
    };
    for (const [name, value] of Object.entries(lines)) {
      out.text(`${mark}${name}: `).utf8(value).newline();
    }
  }
}

/** The latest time that was asked for: many entries of a list end together. */
let known = { second: Number.NaN, text: '' };

/** RFC 3339 in UTC, whole seconds. */
export function moment(micros: number): string {
  const second = Math.floor(micros / 1e6);
  if (second !== known.second) {
    const text = isoTime(micros, 'Z');
    known = { second, text: text === null ? '' : `${text.slice(0, 19)}Z` };
  }
  return known.text;
}

/** Whether a document about some actions lists entries of one: 1 limit, 2 block, 3 allow. */
function listedBy(action: ListAction, number: number): boolean {
  return (number === 2 && action !== 'limit') || (number === 1 && action !== 'block');
}

/** Rows by action; 0 has none. */
type ByAction = readonly [Rows, Rows, Rows, Rows];

/**
 * What a document is about: entries of port 25, because no format can name another one and readers
 * would hold back mail there for what happened elsewhere. An allow entry counts at every port.
 */
function rowsOf(walk: EntryCursor, { action, family }: Wanted, now: number): ByAction {
  const rows: ByAction = [new Rows(), new Rows(), new Rows(), new Rows()];
  while (walk.next()) {
    const four = walk.isIpv4;
    if ((four && family === 'ipv6') || (!four && family === 'ipv4')) continue;
    const { actionNumber: kind } = walk;
    if (kind === 1 && action === 'block') continue;
    if (kind !== 3 && !walk.speaksOfMail) continue;
    if (walk.until <= now) continue;
    rows[kind]!.add(walk, four);
  }
  return rows;
}

const familyNames = ['four', 'six'] as const;

/** Lines of which none touches another; blocks first. */
function apartOf(cursor: EntryCursor, rows: ByAction, action: ListAction): Slices {
  const [, limits, blocks, allows] = rows;
  const out = new Slices();
  // Each family on its own: ::/0 covers no IPv4 address.
  const parts = familyNames.map((name) => {
    const allowed = [disjoint(cursor, allows.sorted(cursor, name), [])];
    const blocked = disjoint(cursor, blocks.sorted(cursor, name), allowed);
    return { allowed, blocked, name };
  });
  if (action !== 'limit') for (const { blocked } of parts) out.append(blocked);
  if (action === 'block') return out;
  for (const { allowed, blocked, name } of parts) {
    out.append(disjoint(cursor, limits.sorted(cursor, name), [...allowed, blocked]));
  }
  return out;
}

/** Lines as the entries are, where the longest prefix counts. */
function nestedOf(cursor: EntryCursor, rows: ByAction, action: ListAction): Slices {
  const out = new Slices();
  const all = new Rows();
  for (const each of rows) all.take(each);
  for (const name of familyNames) {
    out.append(nested(cursor, all.sorted(cursor, name), (one) => listedBy(action, one)));
  }
  return out;
}

/** Row numbers of one action, on their way to be sorted. */
class Rows {
  readonly #six: number[] = [];
  #four = new Float64Array(64);
  #count = 0;

  add(cursor: EntryCursor, four: boolean): void {
    if (!four) {
      this.#six.push(cursor.row);
      return;
    }
    if (this.#count === this.#four.length) {
      const more = new Float64Array(this.#count * 2);
      more.set(this.#four);
      this.#four = more;
    }
    this.#four[this.#count++] = (cursor.w3 >>> 0) * rowRoom + cursor.row;
  }

  /** Has those of others too. */
  take(other: Rows): void {
    for (const row of other.#six) this.#six.push(row);
    const more = new Float64Array(Math.max(64, this.#count + other.#count));
    more.set(this.#four.subarray(0, this.#count));
    more.set(other.#four.subarray(0, other.#count), this.#count);
    this.#four = more;
    this.#count += other.#count;
  }

  /** Rows of one family, for `disjoint`. */
  sorted(cursor: EntryCursor, family: 'four' | 'six') {
    const isFour = family === 'four';
    return {
      four: this.#four.subarray(0, isFour ? this.#count : 0),
      six: sortSix(cursor, isFour ? [] : this.#six),
    };
  }
}
