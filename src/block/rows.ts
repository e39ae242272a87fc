// The list in memory: 64 bytes an entry, in pieces of 1 MiB that threads may share. A snapshot is
// the pieces as they are; who writes afterwards writes into copies of them. So a snapshot of a
// million entries costs nothing when it is taken, never changes, and can be read by any thread. The
// evidence is not here: it lies in the store.

import type { DecisionAction, Scope } from '../decide/decision.js';
import { clearStrayBits, maskWord, Prefix, prefixText, readPrefix } from '../lib/prefix.js';
import type { ListedEntry } from './entry.js';
import { HashTable } from './hash-table.js';

/** Places in a row, in 32-bit words; words 6 to 11 are the `Float`s. */
const enum Cell {
  /** Four words of the address, IPv4 as ::ffff:a.b.c.d. */
  address = 0,
  /** length | action << 8 | direction << 16 | level << 24 */
  kind = 4,
  /** number of the rule | ports << 16 */
  rule = 5,
  /** The 20 hexadecimal digits of the id: two words and a half; then 16 bits of burst. */
  id = 12,
  /** Messages an hour. */
  rate = 15,
}

/** The same in 64-bit floats. */
const enum Float {
  /** Microseconds since 1970; infinite: for ever. */
  until = 3,
  created = 4,
  revision = 5,
}

const rowWords = 16;
const rowBytes = rowWords * 4;
/** Rows of a piece, a power of two. */
export const pieceRows = 16_384;
const pieceShift = 14;
/** Stands for the rule where a person made the entry. */
export const manualRule = 'manual';
/** A row of this action is free. */
const free = 0;
const actions: readonly (DecisionAction | null)[] = [null, 'limit', 'block', 'allow'];
/** Ports that an entry may speak of, by bit. */
export const scopePorts: readonly number[] = [25, 465, 587, 2525];
/** Rules and hands that entries may come from. */
const rulesMax = 65_535;
const burstMax = 65_535;

/** The list as it was at one revision. Plain data: it can be sent to another thread as it is. */
export interface Snapshot {
  /** Name of the list: that of the sensor. */
  readonly list: string;
  readonly revision: number;
  /** When it was taken and when it must not be used any more, microseconds since 1970. */
  readonly generated: number;
  readonly expires: number;
  /** Entries of every action, and those of them that no person made. */
  readonly count: number;
  readonly automatic: number;
  /** Rows up to the last used one; read them through `EntryCursor`. */
  readonly rows: number;
  readonly pieces: readonly SharedArrayBuffer[];
  readonly rules: readonly string[];
}

/** Reads one entry after another from a snapshot, in no particular order; it is reused. */
export class EntryCursor {
  readonly #snapshot: Snapshot;
  readonly #words: readonly Int32Array[];
  readonly #floats: readonly Float64Array[];
  #row = -1;
  #piece: Int32Array = new Int32Array(0);
  #pieceFloats: Float64Array = new Float64Array(0);
  #at = 0;
  readonly #prefix = new Prefix();

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
    this.#words = snapshot.pieces.map((piece) => new Int32Array(piece));
    this.#floats = snapshot.pieces.map((piece) => new Float64Array(piece));
  }

  /** Goes to the next entry; false where there is none. */
  next(): boolean {
    while (++this.#row < this.#snapshot.rows) {
      this.seek(this.#row);
      if (this.actionNumber !== free) return true;
    }
    return false;
  }

  /** Goes to a row that `row` once gave. */
  seek(row: number): void {
    this.#row = row;
    this.#piece = this.#words[row >>> pieceShift]!;
    this.#pieceFloats = this.#floats[row >>> pieceShift]!;
    this.#at = (row & (pieceRows - 1)) * rowWords;
  }

  get row(): number {
    return this.#row;
  }

  get w0(): number {
    return this.#piece[this.#at]!;
  }

  get w1(): number {
    return this.#piece[this.#at + 1]!;
  }

  get w2(): number {
    return this.#piece[this.#at + 2]!;
  }

  get w3(): number {
    return this.#piece[this.#at + 3]!;
  }

  /** Length of the prefix in IPv6 terms; an IPv4 host has 128. */
  get bits(): number {
    return this.#piece[this.#at + Cell.kind]! & 0xff;
  }

  get isIpv4(): boolean {
    return this.bits >= 96 && this.w2 === 0xffff && this.w0 === 0 && this.w1 === 0;
  }

  /** 1 limit, 2 block, 3 allow; the greater one wins. */
  get actionNumber(): number {
    return (this.#piece[this.#at + Cell.kind]! >>> 8) & 0xff;
  }

  get action(): DecisionAction {
    return actions[this.actionNumber]!;
  }

  /** Microseconds since 1970; infinite: for ever. */
  get until(): number {
    return this.#float(Float.until);
  }

  get created(): number {
    return this.#float(Float.created);
  }

  /** Revision that last changed it. */
  get revision(): number {
    return this.#float(Float.revision);
  }

  get level(): number {
    return this.#piece[this.#at + Cell.kind]! >>> 24;
  }

  get isManual(): boolean {
    return this.rule === manualRule;
  }

  /** Id of the rule, `manual` for a person's entry. */
  get rule(): string {
    return this.#snapshot.rules[this.ruleNumber]!;
  }

  get ruleNumber(): number {
    return this.#piece[this.#at + Cell.rule]! & 0xffff;
  }

  get ports(): readonly number[] {
    const mask = this.#piece[this.#at + Cell.rule]! >>> 16;
    return scopePorts.filter((_, bit) => (mask & (1 << bit)) !== 0);
  }

  /** Messages an hour of a limit, 0 where there is no limit. */
  get rate(): number {
    return this.#piece[this.#at + Cell.rate]!;
  }

  get burst(): number {
    return this.#piece[this.#at + Cell.id + 2]! & 0xffff;
  }

  get id(): string {
    return idText(this.#piece, this.#at + Cell.id);
  }

  /** Writes the id into `bytes` at `at`, 23 bytes. */
  writeId(bytes: Uint8Array, at: number): void {
    const from = this.#at + Cell.id;
    const words = this.#piece;
    bytes[at] = 0x62;
    bytes[at + 1] = 0x6c;
    bytes[at + 2] = 0x5f;
    for (let digit = 0; digit < 20; digit++) {
      const value = (words[from + (digit >> 3)]! >>> (28 - (digit & 7) * 4)) & 0xf;
      bytes[at + 3 + digit] = value < 10 ? 0x30 + value : 0x57 + value;
    }
  }

  get cidr(): string {
    const { w0, w1, w2, w3, bits } = this;
    return prefixText(Object.assign(this.#prefix, { w0, w1, w2, w3, bits }));
  }

  get scope(): Scope {
    const direction = (this.#piece[this.#at + Cell.kind]! >>> 16) & 1 ? 'in' : 'out';
    const base: Scope = { proto: 'tcp', dport: this.ports, direction };
    return this.rate > 0 ? { ...base, rate: this.rate, burst: this.burst } : base;
  }

  /** A copy that lasts. */
  keep(): ListedEntry {
    const { id, cidr, action, until, created, rule, scope, level, revision } = this;
    const end = until === Number.POSITIVE_INFINITY ? null : until;
    return { id, cidr, action, until: end, created, rule, scope, level, revision };
  }

  #float(cell: number): number {
    return this.#pieceFloats[(this.#at >>> 1) + cell]!;
  }
}

/** The rows that the list writes. Ids are `bl_` and 20 hexadecimal digits. */
export class Rows {
  readonly #max: number;
  readonly #pieces: SharedArrayBuffer[] = [];
  readonly #words: Int32Array[] = [];
  readonly #floats: Float64Array[] = [];
  /** Pieces that a snapshot has, so that they must be copied before they are written. */
  readonly #lent: boolean[] = [];
  readonly #freed: number[] = [];
  readonly #rules = new Map<string, number>();
  readonly #prefix = new Prefix();
  readonly #byId = new HashTable();
  readonly #byPrefix = new HashTable();
  /** Entries of each length of prefix, so that a look-up asks only for lengths that there are. */
  readonly #lengths = new Uint32Array(129);
  #used = 0;
  #count = 0;
  #manual = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.#max;
  }

  /** Bytes that the rows and their indexes take. */
  get bytes(): number {
    return this.#pieces.length * pieceRows * rowBytes + this.#byId.bytes + this.#byPrefix.bytes;
  }

  has(id: string): boolean {
    return this.#find(id) >= 0;
  }

  /** When the entry ends, infinite for never; undefined where there is no such entry. */
  until(id: string): number | undefined {
    const row = this.#find(id);
    return row < 0 ? undefined : this.#floats[row >>> pieceShift]![floatAt(row, Float.until)]!;
  }

  /** Writes an entry, over the one of the same id if there is one. False if the list is full. */
  put(entry: ListedEntry): boolean {
    const rule = this.#ruleNumber(entry.rule);
    if (rule < 0 || !readPrefix(entry.cidr, this.#prefix)) return false;
    let row = this.#find(entry.id);
    if (row < 0) {
      if (this.isFull) return false;
      row = this.#freed.pop() ?? this.#used++;
      this.#count += 1;
      if (entry.rule === manualRule) this.#manual += 1;
      this.#write(row, entry, rule);
      this.#byId.add(idWord(entry.id, 0), row);
      this.#byPrefix.add(prefixHash(this.#prefix), row);
      this.#lengths[this.#prefix.bits]! += 1;
    } else this.#write(row, entry, rule);
    return true;
  }

  /** Ids of the entries whose prefix covers all of `prefix`; with `exact`, that are `prefix`. */
  covering(prefix: Prefix, exact = false): string[] {
    const found: string[] = [];
    const { bits } = prefix;
    // IPv6 prefixes, ::/0 too, cover no IPv4 address.
    const shortest = prefix.isIpv4 ? 96 : 0;
    for (let length = exact ? bits : shortest; length <= bits; length++) {
      if (this.#lengths[length] === 0) continue;
      Object.assign(this.#prefix, prefix, { bits: length });
      clearStrayBits(this.#prefix);
      const { w0, w1, w2, w3 } = this.#prefix;
      this.#byPrefix.each(prefixHash(this.#prefix), (row) => {
        const words = this.#words[row >>> pieceShift]!;
        const at = wordAt(row, Cell.address);
        const same =
          words[at] === w0 && words[at + 1] === w1 && words[at + 2] === w2 && words[at + 3] === w3;
        if (same && (words[at + Cell.kind]! & 0xff) === length) found.push(this.#idAt(row));
      });
    }
    return found;
  }

  /** Ids of the entries that lie inside of `prefix`, itself included. Looks at every row. */
  inside(prefix: Prefix): string[] {
    const found: string[] = [];
    const masks = [0, 1, 2, 3].map((index) => maskWord(prefix.bits, index));
    const wanted = [prefix.w0, prefix.w1, prefix.w2, prefix.w3];
    for (let row = 0; row < this.#used; row++) {
      const words = this.#words[row >>> pieceShift]!;
      const at = wordAt(row, Cell.address);
      const kind = words[at + Cell.kind]!;
      if (kind === free || (kind & 0xff) < prefix.bits) continue;
      const isFour = (kind & 0xff) >= 96 && words[at + 2] === 0xffff && isZero(words, at);
      const fits = wanted.every((word, index) => (words[at + index]! & masks[index]!) === word);
      if (fits && isFour === prefix.isIpv4) found.push(this.#idAt(row));
    }
    return found;
  }

  /** Ids of all entries. */
  ids(): string[] {
    const found: string[] = [];
    for (let row = 0; row < this.#used; row++) {
      const kind = this.#words[row >>> pieceShift]![wordAt(row, Cell.kind)];
      if (kind !== free) found.push(this.#idAt(row));
    }
    return found;
  }

  #idAt(row: number): string {
    return idText(this.#words[row >>> pieceShift]!, wordAt(row, Cell.id));
  }

  remove(id: string): boolean {
    const row = this.#find(id);
    if (row < 0) return false;
    const words = this.#own(row);
    const at = wordAt(row, Cell.address);
    const bits = words[at + Cell.kind]! & 0xff;
    const [w0, w1, w2, w3] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
    this.#byId.remove(idWord(id, 0), row);
    this.#byPrefix.remove(prefixHash({ w0, w1, w2, w3, bits }), row);
    this.#lengths[bits]! -= 1;
    const rule = words[at + Cell.rule]! & 0xffff;
    if (rule === this.#rules.get(manualRule)) this.#manual -= 1;
    words[at + Cell.kind] = free;
    this.#freed.push(row);
    this.#count -= 1;
    return true;
  }

  /** The rows as they are now, for `Snapshot`; later writes go into copies. */
  lend(): Pick<Snapshot, 'count' | 'automatic' | 'rows' | 'pieces' | 'rules'> {
    this.#lent.fill(true);
    return {
      count: this.#count,
      automatic: this.#count - this.#manual,
      rows: this.#used,
      pieces: [...this.#pieces],
      rules: [...this.#rules.keys()],
    };
  }

  #write(row: number, entry: ListedEntry, rule: number): void {
    const words = this.#own(row);
    const floats = this.#floats[row >>> pieceShift]!;
    const { w0, w1, w2, w3, bits } = this.#prefix;
    const { scope } = entry;
    words.set([w0, w1, w2, w3], wordAt(row, Cell.address));
    const direction = scope.direction === 'in' ? 1 : 0;
    const action = actions.indexOf(entry.action);
    words[wordAt(row, Cell.kind)] =
      bits | (action << 8) | (direction << 16) | (Math.min(entry.level, 255) << 24);
    const ports = scopePorts.reduce(
      (mask, port, bit) => (scope.dport.includes(port) ? mask | (1 << bit) : mask),
      0,
    );
    words[wordAt(row, Cell.rule)] = rule | (ports << 16);
    floats[floatAt(row, Float.until)] = entry.until ?? Number.POSITIVE_INFINITY;
    floats[floatAt(row, Float.created)] = entry.created;
    floats[floatAt(row, Float.revision)] = entry.revision;
    const at = wordAt(row, Cell.id);
    words[at] = idWord(entry.id, 0);
    words[at + 1] = idWord(entry.id, 1);
    const burst = Math.min(scope.burst ?? 0, burstMax);
    words[at + 2] = (Number.parseInt(entry.id.slice(19), 16) << 16) | burst;
    words[wordAt(row, Cell.rate)] = scope.rate ?? 0;
  }

  /** The piece of a row, made or copied where nobody may write into it. */
  #own(row: number): Int32Array {
    const index = row >>> pieceShift;
    if (this.#lent[index] !== false) {
      const piece = new SharedArrayBuffer(pieceRows * rowBytes);
      const words = new Int32Array(piece);
      const before = this.#words[index];
      if (before !== undefined) words.set(before);
      this.#pieces[index] = piece;
      this.#words[index] = words;
      this.#floats[index] = new Float64Array(piece);
      this.#lent[index] = false;
    }
    return this.#words[index]!;
  }

  #find(id: string): number {
    const [first, second, third] = [
      idWord(id, 0),
      idWord(id, 1),
      Number.parseInt(id.slice(19), 16),
    ];
    return this.#byId.find(first, (row) => {
      const words = this.#words[row >>> pieceShift]!;
      const at = wordAt(row, Cell.id);
      return words[at] === first && words[at + 1] === second && words[at + 2]! >>> 16 === third;
    });
  }

  #ruleNumber(rule: string): number {
    const known = this.#rules.get(rule);
    if (known !== undefined) return known;
    if (this.#rules.size > rulesMax) return -1;
    this.#rules.set(rule, this.#rules.size);
    return this.#rules.size - 1;
  }
}

/** Whether the first two words of an address are zero, as in IPv4. */
function isZero(words: Int32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0;
}

function wordAt(row: number, cell: number): number {
  return (row & (pieceRows - 1)) * rowWords + cell;
}

function floatAt(row: number, cell: number): number {
  return ((row & (pieceRows - 1)) * rowWords) / 2 + cell;
}

function idText(words: Int32Array, at: number): string {
  const hex = (word: number, digits: number) => word.toString(16).padStart(digits, '0');
  const [first, second, third] = [words[at]! >>> 0, words[at + 1]! >>> 0, words[at + 2]! >>> 16];
  return `bl_${hex(first, 8)}${hex(second, 8)}${hex(third, 4)}`;
}

/** The words and the length mixed, as MurmurHash3 ends (fmix32). */
function prefixHash({ w0, w1, w2, w3, bits }: Words): number {
  let hash = w3 ^ Math.imul(w2, 0x9e3779b1) ^ Math.imul(w1, 0x85ebca77) ^ Math.imul(w0, 0xc2b2ae3d);
  hash ^= Math.imul(bits, 0x27d4eb2f);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

type Words = Pick<Prefix, 'w0' | 'w1' | 'w2' | 'w3' | 'bits'>;

/** Eight digits of an id as a 32-bit word. */
function idWord(id: string, index: number): number {
  return Number.parseInt(id.slice(3 + index * 8, 11 + index * 8), 16) | 0;
}
