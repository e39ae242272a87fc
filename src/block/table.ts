// The rows that the list writes, found by id and by prefix. What they look like, and how they are
// read, is in `rows.ts`.

import { maskWord, Prefix, prefixText, readPrefix } from '../lib/prefix.js';
import type { ListedEntry } from './entry.js';
import { HashTable } from './hash-table.js';
import {
  actions,
  Cell,
  Float,
  free,
  heldBit,
  idText,
  manualRule,
  pieceRows,
  pieceShift,
  rowWords,
  type Snapshot,
  scopePorts,
} from './rows.js';

const rowBytes = rowWords * 4;
/** What `covering` gives where there is nothing. */
const none: string[] = [];
/** Rules and hands that entries may come from. */
const rulesMax = 65_535;
const burstMax = 65_535;

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
  readonly #ruleNames: string[] = [];
  readonly #prefix = new Prefix();
  readonly #byId = new HashTable();
  readonly #byPrefix = new HashTable();
  /** Entries of each length of prefix, and the lengths that there are, the shortest first. */
  readonly #counts = new Uint32Array(129);
  #lengths = new Uint8Array(0);
  /** The prefix that is looked for at the moment, and what was found. */
  readonly #wanted = new Prefix();
  #found: string[] = [];
  #used = 0;
  #count = 0;
  #manual = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** Rows up to the last that was ever used; some of them may be free. */
  get used(): number {
    return this.#used;
  }

  /** Those that no person made. */
  get automatic(): number {
    return this.#count - this.#manual;
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

  /** Row of an entry, or -1; it stays the entry's as long as that is there. */
  rowOf(id: string): number {
    return this.#find(id);
  }

  /** When the entry of a row ends, infinite for never; undefined where the row is free. */
  untilAt(row: number): number | undefined {
    if (this.#kindAt(row) === free) return undefined;
    return this.#floats[row >>> pieceShift]![floatAt(row, Float.until)]!;
  }

  /** Whether the entry of a row allows. */
  allowsAt(row: number): boolean {
    return actions[(this.#kindAt(row) >>> 8) & 0xff] === 'allow';
  }

  /** Whether nobody is told of the entry of a row. */
  isHeldAt(row: number): boolean {
    return (this.#kindAt(row) & heldBit) !== 0;
  }

  cidrAt(row: number): string {
    const words = this.#words[row >>> pieceShift]!;
    const at = wordAt(row, Cell.address);
    const [w0, w1, w2, w3] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
    const bits = words[at + Cell.kind]! & 0xff;
    return prefixText(Object.assign(this.#prefix, { w0, w1, w2, w3, bits }));
  }

  /** Writes an entry, over the one of the same id if there is one. False if the list is full. */
  put(entry: ListedEntry): boolean {
    const rule = this.#ruleNumber(entry.rule);
    if (rule < 0 || !readPrefix(entry.cidr, this.#prefix)) return false;
    let row = this.#find(entry.id);
    if (row < 0) {
      if (this.isFull) return false;
      row = this.#freed.pop() ?? this.#used++;
      this.#write(row, entry, rule);
      this.#enter(row, entry.rule === manualRule);
    } else this.#write(row, entry, rule);
    return true;
  }

  /** An entry as `unpack` takes it back: its row, then the name of its rule. */
  pack(id: string): Buffer {
    const row = this.#find(id);
    const words = this.#words[row >>> pieceShift]!;
    const at = wordAt(row, 0);
    const rule = this.#ruleNames[words[at + Cell.rule]! & 0xffff]!;
    const packed = Buffer.alloc(rowBytes + Buffer.byteLength(rule));
    packed.set(new Uint8Array(words.buffer, at * 4, rowBytes));
    packed.write(rule, rowBytes);
    return packed;
  }

  /** Writes an entry that `pack` gave; its row, or -1 if there is no room or it is none. */
  unpack(packed: Buffer): number {
    if (this.isFull || packed.length <= rowBytes) return -1;
    const name = packed.toString('utf8', rowBytes);
    const rule = this.#ruleNumber(name);
    if (rule < 0) return -1;
    const row = this.#freed.pop() ?? this.#used++;
    const words = this.#own(row);
    const at = wordAt(row, 0);
    new Uint8Array(words.buffer, at * 4, rowBytes).set(packed.subarray(0, rowBytes));
    words[at + Cell.rule] = (words[at + Cell.rule]! & ~0xffff) | rule;
    this.#enter(row, name === manualRule);
    return row;
  }

  /** Counts and indexes a row that was just written. */
  #enter(row: number, isManual: boolean): void {
    const words = this.#words[row >>> pieceShift]!;
    const at = wordAt(row, Cell.address);
    const bits = words[at + Cell.kind]! & 0xff;
    this.#count += 1;
    if (isManual) this.#manual += 1;
    // Ids are digits of a SHA-256: their first ones need no more mixing.
    this.#byId.add(words[at + Cell.id]!, row);
    const hash = prefixHash(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, bits);
    this.#byPrefix.add(hash, row);
    this.#counts[bits]! += 1;
    if (this.#counts[bits] === 1) this.#lengths = lengthsOf(this.#counts);
  }

  /**
   * Ids of the entries whose prefix covers all of `prefix`; with `exact`, that are `prefix`. Asked
   * for with every row of the capture, so it allocates nothing where there is none.
   */
  covering(prefix: Prefix, exact = false): readonly string[] {
    const wanted = this.#wanted;
    // IPv6 prefixes, ::/0 too, cover no IPv4 address.
    const shortest = exact ? prefix.bits : prefix.isIpv4 ? 96 : 0;
    this.#found = none;
    for (const length of this.#lengths) {
      if (length < shortest || length > prefix.bits) continue;
      wanted.w0 = prefix.w0 & maskWord(length, 0);
      wanted.w1 = prefix.w1 & maskWord(length, 1);
      wanted.w2 = prefix.w2 & maskWord(length, 2);
      wanted.w3 = prefix.w3 & maskWord(length, 3);
      wanted.bits = length;
      const hash = prefixHash(wanted.w0, wanted.w1, wanted.w2, wanted.w3, length);
      this.#byPrefix.each(hash, this.#take);
    }
    return this.#found;
  }

  /** A row whose prefix may be the one that is looked for. */
  readonly #take = (row: number): void => {
    const words = this.#words[row >>> pieceShift]!;
    const at = wordAt(row, Cell.address);
    const { w0, w1, w2, w3, bits } = this.#wanted;
    if (words[at + 3] !== w3 || words[at + 2] !== w2 || words[at + 1] !== w1) return;
    if (words[at] !== w0 || (words[at + Cell.kind]! & 0xff) !== bits) return;
    if (this.#found === none) this.#found = [];
    this.#found.push(this.idAt(row));
  };

  /** Ids of the entries that lie inside of `prefix`, itself included. Looks at every row. */
  inside(prefix: Prefix): string[] {
    const found: string[] = [];
    const { w0, w1, w2, w3, bits, isIpv4 } = prefix;
    const [m0, m1, m2, m3] = [0, 1, 2, 3].map((at) => maskWord(bits, at)) as Four;
    for (let row = 0; row < this.#used; row++) {
      const words = this.#words[row >>> pieceShift]!;
      const at = wordAt(row, Cell.address);
      const kind = words[at + Cell.kind]!;
      if (kind === free || (kind & 0xff) < bits) continue;
      if ((words[at + 3]! & m3) !== w3 || (words[at + 2]! & m2) !== w2) continue;
      if ((words[at + 1]! & m1) !== w1 || (words[at]! & m0) !== w0) continue;
      const isFour = (kind & 0xff) >= 96 && words[at + 2] === 0xffff && isZero(words, at);
      if (isFour === isIpv4) found.push(this.idAt(row));
    }
    return found;
  }

  #kindAt(row: number): number {
    return this.#words[row >>> pieceShift]![wordAt(row, Cell.kind)]!;
  }

  idAt(row: number): string {
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
    this.#byPrefix.remove(prefixHash(w0, w1, w2, w3, bits), row);
    this.#counts[bits]! -= 1;
    if (this.#counts[bits] === 0) this.#lengths = lengthsOf(this.#counts);
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
      automatic: this.automatic,
      rows: this.#used,
      pieces: [...this.#pieces],
      rules: [...this.#ruleNames],
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
      bits |
      (action << 8) |
      (direction << 16) |
      (entry.held === true ? heldBit : 0) |
      (Math.min(entry.level, 255) << 24);
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
    this.#ruleNames.push(rule);
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

/** The words of an address and the length mixed, as MurmurHash3 ends (fmix32). */
function prefixHash(w0: number, w1: number, w2: number, w3: number, bits: number): number {
  let hash = w3 ^ Math.imul(w2, 0x9e3779b1) ^ Math.imul(w1, 0x85ebca77) ^ Math.imul(w0, 0xc2b2ae3d);
  hash ^= Math.imul(bits, 0x27d4eb2f);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

type Four = [number, number, number, number];

/** Lengths that there are, the shortest first. */
function lengthsOf(counts: Uint32Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...counts.keys()].filter((bits) => counts[bits] !== 0));
}

/** Eight digits of an id as a 32-bit word. */
function idWord(id: string, index: number): number {
  return Number.parseInt(id.slice(3 + index * 8, 11 + index * 8), 16) | 0;
}
