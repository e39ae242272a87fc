// What a packet filter needs of a list: prefixes in order of address of which none touches another,
// with nothing of what is allowed inside. Overlapping prefixes make nftables refuse a whole file,
// and an allow entry that a filter does not know of would not win.

import type { EntryCursor } from '../block/rows.js';
import { maskWord } from '../lib/prefix.js';

/** Prefixes in order of address; disjoint where they come from here. */
export class Slices {
  #words = new Int32Array(256);
  #bits = new Uint8Array(64);
  #rows = new Int32Array(64);
  count = 0;

  /** Word 0 to 3 of the address, IPv4 as ::ffff:a.b.c.d. */
  word(index: number, at: number): number {
    return this.#words[index * 4 + at]!;
  }

  /** Length in IPv6 terms. */
  bits(index: number): number {
    return this.#bits[index]!;
  }

  /** Row of the entry that it comes from, for `EntryCursor.seek`. */
  row(index: number): number {
    return this.#rows[index]!;
  }

  isIpv4(index: number): boolean {
    const at = index * 4;
    const words = this.#words;
    return (
      this.#bits[index]! >= 96 && words[at + 2] === 0xffff && words[at] === 0 && words[at + 1] === 0
    );
  }

  add(words: Words, bits: number, row: number): void {
    if (this.count === this.#bits.length) this.#grow();
    this.#words.set(words, this.count * 4);
    this.#bits[this.count] = bits;
    this.#rows[this.count] = row;
    this.count += 1;
  }

  /** The first of `later` follow the last of these. */
  append(later: Slices): void {
    for (let index = 0; index < later.count; index++) {
      this.add(later.words(index), later.bits(index), later.row(index));
    }
  }

  words(index: number): Words {
    const at = index * 4;
    return [this.#words[at]!, this.#words[at + 1]!, this.#words[at + 2]!, this.#words[at + 3]!];
  }

  /** Index of the last slice whose address is not above `words`, or -1. */
  lastUpTo(words: Words): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(middle, words) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #compare(index: number, words: Words): number {
    const at = index * 4;
    for (let word = 0; word < 4; word++) {
      const difference = (this.#words[at + word]! >>> 0) - (words[word] >>> 0);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  #grow(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    const bits = new Uint8Array(this.#bits.length * 2);
    bits.set(this.#bits);
    this.#bits = bits;
    const rows = new Int32Array(this.#rows.length * 2);
    rows.set(this.#rows);
    this.#rows = rows;
  }
}

type Words = [number, number, number, number];

/** Rows of one action and family as slices without overlap and without `holes`. */
export function disjoint(cursor: EntryCursor, rows: FamilyRows, holes: readonly Slices[]): Slices {
  const out = new Slices();
  const last = { words: [0, 0, 0, 0] as Words, bits: -1 };
  eachInOrder(cursor, rows, (row) => {
    cursor.seek(row);
    const words: Words = [cursor.w0, cursor.w1, cursor.w2, cursor.w3];
    // Sorted by address, then by length: whatever is nested follows what it is nested in.
    if (last.bits >= 0 && last.bits <= cursor.bits && inside(words, last.words, last.bits)) return;
    last.words = words;
    last.bits = cursor.bits;
    punch(out, words, cursor.bits, { row, holes });
  });
  return out;
}

/** Rows of one family: of the other one there are none. */
export interface FamilyRows {
  readonly four: Float64Array;
  readonly six: Int32Array;
}

/**
 * Calls `take` with rows in order of address, then the widest, then the strongest action, then the
 * one that lives longest.
 */
function eachInOrder(cursor: EntryCursor, rows: FamilyRows, take: (row: number) => void): void {
  inOrder(cursor, rows.four, take);
  for (const row of rows.six) take(row);
}

/** A prefix that encloses those that follow it. */
interface Outer {
  readonly words: Words;
  readonly bits: number;
  /** 1 limit, 2 block, 3 allow: the strongest of it and of what encloses it. */
  readonly strongest: number;
}

/**
 * Rows of every action as they are for whoever takes the longest prefix that covers an address: the
 * strongest action wins there too. Left out is what a stronger one encloses, and every exception
 * that excepts nothing. `isListed` says of which actions entries are wanted; the others are
 * exceptions where they are stronger.
 */
export function nested(
  cursor: EntryCursor,
  rows: FamilyRows,
  isListed: (action: number) => boolean,
): Slices {
  const out = new Slices();
  const outers: Outer[] = [];
  eachInOrder(cursor, rows, (row) => {
    cursor.seek(row);
    const words: Words = [cursor.w0, cursor.w1, cursor.w2, cursor.w3];
    const { bits, actionNumber: action } = cursor;
    while (outers.length > 0) {
      const last = outers.at(-1)!;
      if (last.bits <= bits && inside(words, last.words, last.bits)) break;
      outers.pop();
    }
    const outer = outers.at(-1);
    const isTwin = outer?.bits === bits && outer.strongest === action;
    if (outer !== undefined && (outer.strongest > action || isTwin)) return;
    // What lies in an exception is excepted already.
    if (outer?.strongest === action && !isListed(action)) return;
    outers.push({ words, bits, strongest: action });
    if (isListed(action) || outer !== undefined) out.add(words, bits, row);
  });
  return out;
}

/** Bits of a row number behind an address: together they fit a float's 53. */
export const rowRoom = 2 ** 20;

/**
 * Calls `take` with IPv4 rows in order of address, then of length, then the one that lives longest.
 * A key is the address times `rowRoom` plus the row: sorting numbers is twenty times as quick as
 * sorting with a comparison.
 */
function inOrder(cursor: EntryCursor, keys: Float64Array, take: (row: number) => void): void {
  keys.sort();
  for (let from = 0; from < keys.length; ) {
    const next = (Math.floor(keys[from]! / rowRoom) + 1) * rowRoom;
    let to = from + 1;
    while (to < keys.length && keys[to]! < next) to += 1;
    const first = keys[from]! - next + rowRoom;
    if (to - from === 1) take(first);
    else {
      const rows = [first];
      for (let at = from + 1; at < to; at++) rows.push(keys[at]! - next + rowRoom);
      for (const row of rows.sort((one, other) => byLength(cursor, one, other))) take(row);
    }
    from = to;
  }
}

/** The wider one first; of two alike the stronger one, then the one that lives longer. */
function byLength(cursor: EntryCursor, one: number, other: number): number {
  cursor.seek(one);
  const { bits, actionNumber, until } = cursor;
  cursor.seek(other);
  const order = bits - cursor.bits || cursor.actionNumber - actionNumber;
  // Both for ever: the difference is no number.
  return order || (cursor.until === until ? one - other : cursor.until - until);
}

/** Sorts IPv6 rows by address, then as `byLength`. */
export function sortSix(cursor: EntryCursor, rows: number[]): Int32Array {
  const words = new Uint32Array(rows.length * 4);
  rows.forEach((row, index) => {
    cursor.seek(row);
    words.set([cursor.w0, cursor.w1, cursor.w2, cursor.w3], index * 4);
  });
  const order = Uint32Array.from(rows, (_, index) => index);
  order.sort((one, other) => {
    for (let word = 0; word < 4; word++) {
      const difference = words[one * 4 + word]! - words[other * 4 + word]!;
      if (difference !== 0) return difference;
    }
    return byLength(cursor, rows[one]!, rows[other]!);
  });
  return Int32Array.from(order, (index) => rows[index]!);
}

/** Whether an address lies inside of a prefix. */
function inside(words: Words, network: Words, bits: number): boolean {
  for (let word = 0; word < 4; word++) {
    if (((words[word]! ^ network[word]!) & maskWord(bits, word)) !== 0) return false;
  }
  return true;
}

interface Piece {
  readonly row: number;
  readonly holes: readonly Slices[];
}

/** Adds what is left of a prefix without the holes: itself, nothing, or its halves' rests. */
function punch(out: Slices, words: Words, bits: number, piece: Piece): void {
  const touch = touched(words, bits, piece.holes);
  if (touch === 'nowhere') {
    out.add(words, bits, piece.row);
    return;
  }
  if (touch === 'whole') return;
  const upper: Words = [...words];
  upper[bits >> 5]! |= 1 << (31 - (bits & 31));
  punch(out, words, bits + 1, piece);
  punch(out, upper, bits + 1, piece);
}

function touched(
  words: Words,
  bits: number,
  holes: readonly Slices[],
): 'nowhere' | 'whole' | 'partly' {
  let partly = false;
  for (const slices of holes) {
    const before = slices.lastUpTo(words);
    if (before >= 0 && slices.bits(before) <= bits) {
      if (inside(words, slices.words(before), slices.bits(before))) return 'whole';
    }
    // What begins inside follows: a hole at the very address was found above if it is wider.
    for (const index of [before, before + 1]) {
      if (index < 0 || index >= slices.count || slices.bits(index) <= bits) continue;
      partly ||= inside(slices.words(index), words, bits);
    }
  }
  return partly ? 'partly' : 'nowhere';
}
