// What one document is about: the entries of a snapshot that it has, disjoint and in order, and the
// figures of its header. Formats walk it and write; they decide nothing.

import { EntryCursor, type Snapshot } from '../block/rows.js';
import { isoTime } from '../lib/iso-time.js';
import { disjoint, rowRoom, Slices, sortSix } from './disjoint.js';
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
  /** Automatic entries made after this time are held back, microseconds; null: none is. */
  readonly heldFrom: number | null;
}

/** Whom the list comes from, for formats that say so. */
export interface Publisher {
  readonly contact?: string | undefined;
  readonly url?: string | undefined;
  /** The zone of the DNSBL. */
  readonly zone?: string | undefined;
}

export class View {
  readonly snapshot: Snapshot;
  readonly wanted: Wanted;
  readonly publisher: Publisher;
  readonly entry: EntryCursor;
  readonly #slices: Slices;
  #index = -1;

  constructor(snapshot: Snapshot, wanted: Wanted, publisher: Publisher) {
    this.snapshot = snapshot;
    this.wanted = wanted;
    this.publisher = publisher;
    this.entry = new EntryCursor(snapshot);
    this.#slices = slicesOf(this.entry, new EntryCursor(snapshot), wanted);
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

function slicesOf(cursor: EntryCursor, walk: EntryCursor, wanted: Wanted): Slices {
  const { action, family, heldFrom } = wanted;
  const rows = { limit: new Rows(), block: new Rows(), allow: new Rows() };
  while (walk.next()) {
    const four = walk.isIpv4;
    if ((four && family === 'ipv6') || (!four && family === 'ipv4')) continue;
    const kind = walk.action;
    if (kind === 'limit' && action === 'block') continue;
    if (heldFrom !== null && walk.created > heldFrom && !walk.isManual) continue;
    rows[kind].add(walk, four);
  }
  const out = new Slices();
  // Each family on its own: ::/0 covers no IPv4 address.
  const parts = (['four', 'six'] as const).map((name) => {
    const allowed = [disjoint(cursor, rows.allow.sorted(cursor, name), [])];
    const blocked = disjoint(cursor, rows.block.sorted(cursor, name), allowed);
    return { allowed, blocked, name };
  });
  if (action !== 'limit') for (const { blocked } of parts) out.append(blocked);
  if (action === 'block') return out;
  for (const { allowed, blocked, name } of parts) {
    out.append(disjoint(cursor, rows.limit.sorted(cursor, name), [...allowed, blocked]));
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

  /** Rows of one family, for `disjoint`. */
  sorted(cursor: EntryCursor, family: 'four' | 'six') {
    const isFour = family === 'four';
    return {
      four: this.#four.subarray(0, isFour ? this.#count : 0),
      six: sortSix(cursor, isFour ? [] : this.#six),
    };
  }
}
