// Which entry of the list speaks of an address, at any moment: an index over a snapshot that is
// kept up to date instead of being built anew. An update brings only the pieces of the snapshot
// that changed (16,384 entries each), so a change costs a millisecond with a million entries too.
// One thread's own; what the sockets do with the answer is elsewhere.

import { HashTable } from '../../block/hash-table.js';
import { EntryCursor, pieceRows, type Snapshot } from '../../block/rows.js';
import { maskWord } from '../../lib/prefix.js';

/** A snapshot without the pieces that the receiver has. Plain data that can cross threads. */
export interface ListUpdate extends Omit<Snapshot, 'pieces'> {
  /** Pieces in all, and those that are new or changed, by their number. */
  readonly pieceCount: number;
  readonly changed: readonly (readonly [number, SharedArrayBuffer])[];
}

/** `actionNumber` of an allow entry. */
const allowed = 3;
const empty: Snapshot = {
  list: '',
  revision: 0,
  generated: 0,
  expires: 0,
  count: 0,
  automatic: 0,
  rows: 0,
  pieces: [],
  rules: [],
};

/** What `snapshot` has that a receiver of `before` lacks. */
export function updateFrom(before: Snapshot | null, snapshot: Snapshot): ListUpdate {
  const { pieces, ...rest } = snapshot;
  const changed = pieces
    .map((piece, index) => [index, piece] as const)
    .filter(([index, piece]) => before?.pieces[index] !== piece);
  return { ...rest, pieceCount: pieces.length, changed };
}

export class ListedSources {
  /** Stands on the entry that `find` gave; reads of it are good until the next update. */
  entry = new EntryCursor(empty);
  #snapshot: Snapshot = empty;
  readonly #table = new HashTable();
  readonly #seed: number;
  /** Entries by the length of their prefix: IPv6, and IPv4 (96 to 128). */
  readonly #counts = [new Uint32Array(129), new Uint32Array(129)] as const;
  /** Lengths that there are, the longest first. */
  #lengths: readonly [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)];
  /** When the last update came, by `performance.now`. */
  #came = 0;
  /** The prefix that is looked for, what for, and what was found so far. */
  #w0 = 0;
  #w1 = 0;
  #w2 = 0;
  #w3 = 0;
  #bits = 0;
  #moment: Moment = { now: 0, port: 0 };
  #best = -1;
  #bestAction = 0;
  #bestBits = -1;
  #bestUntil = 0;

  /** `seed` is random, so that nobody can choose addresses that all meet in one place. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  get revision(): number {
    return this.#snapshot.revision;
  }

  get count(): number {
    return this.#snapshot.count;
  }

  /** Bytes of the index; the entries themselves are the list's own memory, shared. */
  get bytes(): number {
    return this.#table.bytes;
  }

  /** Takes over an update at the moment `clock_ms` of `performance.now`. */
  apply(update: ListUpdate, clock_ms: number): void {
    const { pieceCount, changed, ...rest } = update;
    const pieces = this.#snapshot.pieces.slice(0, pieceCount);
    for (const [index, piece] of changed) pieces[index] = piece;
    const before = this.#snapshot;
    this.#snapshot = { ...rest, pieces };
    const old = new EntryCursor(before);
    const now = new EntryCursor(this.#snapshot);
    for (const [index] of changed) {
      const from = index * pieceRows;
      const oldEnd = Math.min(from + pieceRows, before.rows);
      const newEnd = Math.min(from + pieceRows, rest.rows);
      for (let row = from; row < Math.max(oldEnd, newEnd); row++) {
        this.#replace(row, row < oldEnd ? old : null, row < newEnd ? now : null);
      }
    }
    this.#lengths = [lengthsOf(this.#counts[0]), lengthsOf(this.#counts[1])];
    this.entry = now;
    this.#came = clock_ms;
  }

  #replace(row: number, old: EntryCursor | null, now: EntryCursor | null): void {
    old?.seek(row);
    now?.seek(row);
    const was = old !== null && old.actionNumber !== 0;
    const is = now !== null && now.actionNumber !== 0;
    if (was && is && samePrefix(old, now)) return;
    if (was) {
      this.#table.remove(this.#hash(old.w0, old.w1, old.w2, old.w3, old.bits), row);
      this.#counts[old.isIpv4 ? 1 : 0][old.bits]! -= 1;
    }
    if (is) {
      this.#table.add(this.#hash(now.w0, now.w1, now.w2, now.w3, now.bits), row);
      this.#counts[now.isIpv4 ? 1 : 0][now.bits]! += 1;
    }
  }

  /** The list's time at the moment `clock_ms`: that of the last update and what passed since. */
  now(clock_ms: number): number {
    return this.#snapshot.generated + (clock_ms - this.#came) * 1000;
  }

  /** Whether the list must not be used any more: nobody renewed it in time. */
  isStale(clock_ms: number): boolean {
    return this.now(clock_ms) >= this.#snapshot.expires;
  }

  /** Microseconds of the list's time at which it will be stale. */
  get expires(): number {
    return this.#snapshot.expires;
  }

  /**
   * Goes to the entry that decides about an address at the list's time `now`: none where an allow
   * entry covers it, else the strongest action, of equal ones the longest prefix. Entries that do
   * not speak of `port` count only where they allow. False where there is none.
   */
  find(w0: number, w1: number, w2: number, w3: number, moment: Moment): boolean {
    const four = w0 === 0 && w1 === 0 && w2 === 0xffff;
    this.#moment = moment;
    this.#best = -1;
    this.#bestAction = 0;
    this.#bestBits = -1;
    for (const bits of this.#lengths[four ? 1 : 0]) {
      this.#bits = bits;
      this.#w0 = w0 & maskWord(bits, 0);
      this.#w1 = w1 & maskWord(bits, 1);
      this.#w2 = w2 & maskWord(bits, 2);
      this.#w3 = w3 & maskWord(bits, 3);
      const hash = this.#hash(this.#w0, this.#w1, this.#w2, this.#w3, bits);
      this.#table.each(hash, this.#consider);
    }
    if (this.#best < 0 || this.#bestAction === allowed) return false;
    this.entry.seek(this.#best);
    return true;
  }

  /** A row whose prefix may be the one that is looked for. */
  readonly #consider = (row: number): void => {
    const { entry } = this;
    entry.seek(row);
    const { actionNumber } = entry;
    if (entry.w3 !== this.#w3 || entry.w2 !== this.#w2 || entry.w1 !== this.#w1) return;
    if (entry.w0 !== this.#w0 || entry.bits !== this.#bits) return;
    const { until } = entry;
    if (actionNumber < this.#bestAction || until <= this.#moment.now || entry.isHeld) return;
    // Of two of one prefix the one that lives longer, as in exported zones; a wider one came later.
    const longer = until - this.#bestUntil || this.#best - row;
    const isTwin = this.#bestBits === this.#bits && longer > 0;
    if (actionNumber === this.#bestAction && !isTwin) return;
    if (actionNumber !== allowed && !entry.ports.includes(this.#moment.port)) return;
    this.#best = row;
    this.#bestAction = actionNumber;
    this.#bestBits = this.#bits;
    this.#bestUntil = until;
  };

  /** The words and the length, mixed as MurmurHash3 does. */
  #hash(w0: number, w1: number, w2: number, w3: number, bits: number): number {
    let hash = mixed(mixed(mixed(mixed(this.#seed ^ bits, w0), w1), w2), w3);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }
}

/** When, in the list's time, and for which destination port somebody asks. */
export interface Moment {
  now: number;
  port: number;
}

function samePrefix(a: EntryCursor, b: EntryCursor): boolean {
  return a.w3 === b.w3 && a.w2 === b.w2 && a.w1 === b.w1 && a.w0 === b.w0 && a.bits === b.bits;
}

function lengthsOf(counts: Uint32Array): Uint8Array {
  const lengths: number[] = [];
  for (let bits = 128; bits >= 0; bits--) if (counts[bits] !== 0) lengths.push(bits);
  return Uint8Array.from(lengths);
}

function mixed(hash: number, word: number): number {
  let value = Math.imul(word, 0xcc9e2d51);
  value = Math.imul((value << 15) | (value >>> 17), 0x1b873593);
  const next = hash ^ value;
  return (Math.imul((next << 13) | (next >>> 19), 5) + 0xe6546b64) | 0;
}
