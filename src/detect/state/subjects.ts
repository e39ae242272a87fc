// The table of subjects: whatever rules group by (an address, a prefix, a server, an address with
// a domain), each with one fixed record in which every rule that groups alike has its own segment.
// So a row looks its source up once, and the state of all rules lies in neighbouring cache lines.
//
//   record (int32)   0-3 address   4 second part of the key   5 last seen, seconds
//                    6 flags       7 free                     8 .. segments of the rules
//
// Memory comes in three steps, 4,096 subjects, 65,536, and the bound. Reserved at once, two
// gigabytes that nobody touched made V8 collect garbage from the start; doubled to the end, the
// last step would copy half a gigabyte while packets wait.
// When the table is full, the one that was silent longest among a few is given up and counted:
// finding the oldest of all would need a list through all records, three cache misses more for
// every row.

/** Words before the segments. */
export const headWords = 8;
/** Records there is memory for in the beginning, and after the first step. */
const firstRoom = 4096;
const secondRoom = 65_536;
/** Neighbours of which the oldest goes. */
const sample = 16;

/** Words in which a bucket keeps what it knows of one subject; the same memory three times. */
export class Cells {
  // They are others after a subject was opened: read them here each time.
  words: Int32Array;
  floats: Float32Array;
  /** Word offset `at` (even) is element `at >> 1`. */
  doubles: Float64Array;
  readonly #id: number;

  /** `id` tells this memory from others. */
  constructor(words: number, id: number) {
    this.#id = id;
    const buffer = new ArrayBuffer(words * 4);
    this.words = new Int32Array(buffer);
    this.floats = new Float32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }

  /** Takes room for `words` words; what is known stays. */
  grow(words: number): void {
    const buffer = new ArrayBuffer(words * 4);
    const grown = new Int32Array(buffer);
    grown.set(this.words);
    this.words = grown;
    this.floats = new Float32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }

  /** A number that names the state at word `at` among all tables, more than 0. */
  keyOf(at: number): number {
    return at * tablesMax + this.#id + 1;
  }
}

/** Tables that can be told apart. */
const tablesMax = 256;

/** Spreads four words and a fifth over 32 bits; `seed` is secret, so nobody can aim at a chain. */
export function hashOf(a: number, b: number, c: number, d: number, seed: number): number {
  let h = seed ^ Math.imul(a, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b) ^ b;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) ^ c;
  h = Math.imul(h ^ (h >>> 16), 0x27d4eb2f) ^ d;
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return h ^ (h >>> 15);
}

/** Told before a record is reused, so that what hangs on it can be given back. */
export type Release = (base: number) => void;

export interface TableOptions {
  /** Words behind the head of a record. */
  readonly segments: number;
  /** Records. */
  readonly capacity: number;
  /** Key of the hash. */
  readonly seed: number;
  readonly id?: number;
}

export class SubjectTable {
  readonly cells: Cells;
  readonly stride: number;
  readonly capacity: number;
  #index: Int32Array;
  #mask: number;
  /** Records there is memory for. */
  #room: number;
  readonly #seed: number;
  readonly #release: Release;
  #hand = 0;
  used = 0;
  /** Subjects that were given up for others. */
  evicted = 0;

  /** `release` hears of evictions. */
  constructor({ segments, capacity, seed, id = 0 }: TableOptions, release: Release) {
    this.stride = (headWords + segments + 1) & ~1;
    this.capacity = capacity;
    this.#room = Math.min(capacity, firstRoom);
    this.cells = new Cells(this.stride * this.#room, id);
    this.#index = indexFor(this.#room);
    this.#mask = this.#index.length - 1;
    this.#seed = seed;
    this.#release = release;
  }

  /** Bytes that one subject takes, its share of the index included. */
  get bytesPerSubject(): number {
    return this.stride * 4 + Math.ceil((indexSize(this.capacity) * 4) / this.capacity);
  }

  /** First word of the record of a subject, or -1 where there is none. */
  find(key: Int32Array): number {
    const { words } = this.cells;
    const index = this.#index;
    const mask = this.#mask;
    const { stride } = this;
    for (let at = this.#start(key); ; at = (at + 1) & mask) {
      const record = index[at]!;
      if (record === 0) return -1;
      const base = (record - 1) * stride;
      if (same(words, base, key)) return base;
    }
  }

  /** First word of the record of a subject, made if it is new. `second` is the time. */
  open(key: Int32Array, second: number): number {
    const known = this.find(key);
    if (known >= 0) {
      this.cells.words[known + 5] = second;
      return known;
    }
    return this.#make(key, second);
  }

  #make(key: Int32Array, second: number): number {
    let record = this.used;
    const isFull = record === this.#room;
    if (isFull && record === this.capacity) record = this.#evict();
    else {
      if (isFull) this.#grow();
      this.used++;
    }
    let at = this.#start(key);
    while (this.#index[at] !== 0) at = (at + 1) & this.#mask;
    this.#index[at] = record + 1;
    const { words } = this.cells;
    const base = record * this.stride;
    for (let i = 0; i < 5; i++) words[base + i] = key[i]!;
    words[base + 5] = second;
    return base;
  }

  #grow(): void {
    const isFirst = this.#room === firstRoom;
    this.#room = isFirst ? Math.min(this.capacity, secondRoom) : this.capacity;
    this.cells.grow(this.stride * this.#room);
    this.#index = indexFor(this.#room);
    this.#mask = this.#index.length - 1;
    const { words } = this.cells;
    for (let record = 0; record < this.used; record++) {
      let at = this.#startOf(words, record * this.stride);
      while (this.#index[at] !== 0) at = (at + 1) & this.#mask;
      this.#index[at] = record + 1;
    }
  }

  #start(key: Int32Array): number {
    return hashOf(key[0]! ^ key[4]!, key[1]!, key[2]!, key[3]!, this.#seed) & this.#mask;
  }

  /** Gives the record up that was silent longest among `sample` at the hand. */
  #evict(): number {
    const { words } = this.cells;
    let oldest = this.#hand;
    for (let i = 1; i < sample; i++) {
      const record = (this.#hand + i) % this.capacity;
      if (words[record * this.stride + 5]! < words[oldest * this.stride + 5]!) oldest = record;
    }
    this.#hand = (this.#hand + sample) % this.capacity;
    const base = oldest * this.stride;
    this.#release(base);
    this.#unlink(oldest, base);
    words.fill(0, base, base + this.stride);
    this.evicted++;
    return oldest;
  }

  /** Takes a record out of the index; entries behind it move up (Knuth 6.4, algorithm R). */
  #unlink(record: number, base: number): void {
    const { words } = this.cells;
    const index = this.#index;
    const mask = this.#mask;
    let hole = this.#startOf(words, base);
    while (index[hole] !== record + 1) hole = (hole + 1) & mask;
    for (let at = (hole + 1) & mask; index[at] !== 0; at = (at + 1) & mask) {
      const home = this.#startOf(words, (index[at]! - 1) * this.stride);
      // It may fill the hole if its own place is not between the hole and where it stands.
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      index[hole] = index[at]!;
      hole = at;
    }
    index[hole] = 0;
  }

  #startOf(words: Int32Array, base: number): number {
    const a = words[base]! ^ words[base + 4]!;
    const seed = this.#seed;
    return hashOf(a, words[base + 1]!, words[base + 2]!, words[base + 3]!, seed) & this.#mask;
  }
}

/** Twice the records, so that a search that fails ends after one or two steps. */
function indexSize(records: number): number {
  let size = 16;
  while (size < records * 2) size *= 2;
  return size;
}

function indexFor(records: number): Int32Array {
  return new Int32Array(indexSize(records));
}

function same(words: Int32Array, base: number, key: Int32Array): boolean {
  return (
    words[base + 3] === key[3] &&
    words[base + 2] === key[2] &&
    words[base + 1] === key[1] &&
    words[base] === key[0] &&
    words[base + 4] === key[4]
  );
}
