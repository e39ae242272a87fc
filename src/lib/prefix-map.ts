// Longest prefix match over typed arrays, immutable once built: which of up to some millions of
// prefixes is the longest that covers an address. It gives the prefix's number and knows nothing
// about what stands behind it.
//
// Nested prefixes become disjoint ranges: the start of each range, and the number of the longest
// prefix there. A look-up finds the last start that is not above the address:
//
//   10.0.0.0/8 (0), 10.1.0.0/16 (1)   0.0.0.0:-1  10.0.0.0:0  10.1.0.0:1  10.2.0.0:0  11.0.0.0:-1
//
// n prefixes make at most 2n + 1 ranges whatever their lengths, so memory is bounded (IPv4: 20
// bytes a prefix; IPv6: 60), where a table of 256-entry nodes needs 1 GB for a million hosts. Above
// the starts stands an index by leading bits, which leaves few of them to search.

import { maskWord, type Prefix } from './prefix.js';

/** Prefixes that are being collected. */
export class PrefixList {
  #words = new Int32Array(64);
  #bits = new Uint8Array(16);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds a prefix without stray bits; gives its number, counted from 0. */
  add(prefix: Prefix): number {
    const index = this.#count;
    if (index === this.#bits.length) this.#grow();
    const at = index * 4;
    this.#words[at] = prefix.w0;
    this.#words[at + 1] = prefix.w1;
    this.#words[at + 2] = prefix.w2;
    this.#words[at + 3] = prefix.w3;
    this.#bits[index] = prefix.bits;
    this.#count += 1;
    return index;
  }

  word(index: number, at: number): number {
    return this.#words[index * 4 + at]!;
  }

  bits(index: number): number {
    return this.#bits[index]!;
  }

  /** Reads prefix `index` back. */
  read(index: number, out: Prefix): void {
    out.w0 = this.word(index, 0);
    out.w1 = this.word(index, 1);
    out.w2 = this.word(index, 2);
    out.w3 = this.word(index, 3);
    out.bits = this.bits(index);
  }

  isIpv4(index: number): boolean {
    return (
      this.bits(index) >= 96 &&
      this.word(index, 0) === 0 &&
      this.word(index, 1) === 0 &&
      this.word(index, 2) === 0xffff
    );
  }

  #grow(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    const bits = new Uint8Array(this.#bits.length * 2);
    bits.set(this.#bits);
    this.#bits = bits;
  }
}

export class PrefixMap {
  readonly list: PrefixList;
  /** For each prefix the next shorter one that covers it, or an equal one added before; else -1. */
  readonly parents: Int32Array;
  readonly #four: Ranges4;
  readonly #six: Ranges6;

  /** `list` is not added to any more. */
  constructor(list: PrefixList) {
    this.list = list;
    this.parents = new Int32Array(list.count).fill(-1);
    this.#four = new Ranges4(disjoint(list, true, this.parents));
    this.#six = new Ranges6(disjoint(list, false, this.parents));
  }

  /** The number of the equal prefix that was added before, or -1. */
  twin(index: number): number {
    const parent = this.parents[index]!;
    return parent >= 0 && this.list.bits(parent) === this.list.bits(index) ? parent : -1;
  }

  /**
   * The number of the longest prefix that covers the address, of equal ones the last added; -1 if
   * none does. IPv6 prefixes, ::/0 too, cover no IPv4 address.
   */
  find(w0: number, w1: number, w2: number, w3: number): number {
    if (w2 === 0xffff && w0 === 0 && w1 === 0) return this.#four.find(w3);
    return this.#six.find(w0, w1, w2, w3);
  }
}

/** Disjoint ranges in order: four words for each start, and the prefix there or -1. */
class Disjoint {
  readonly starts: Int32Array;
  readonly values: Int32Array;
  count = 0;

  constructor(most: number) {
    this.starts = new Int32Array(most * 4);
    this.values = new Int32Array(most);
  }

  /** From here on it is `value`. A range that would be empty is replaced. */
  emit(w0: number, w1: number, w2: number, w3: number, value: number): void {
    const { starts } = this;
    const last = (this.count - 1) * 4;
    const isSame =
      this.count > 0 &&
      starts[last + 3] === w3 &&
      starts[last + 2] === w2 &&
      starts[last + 1] === w1 &&
      starts[last] === w0;
    if (!isSame) {
      const at = this.count * 4;
      starts[at] = w0;
      starts[at + 1] = w1;
      starts[at + 2] = w2;
      starts[at + 3] = w3;
      this.count += 1;
    }
    this.values[this.count - 1] = value;
  }
}

/** Sweeps over the prefixes of one IP version in order of address and length; fills `parents`. */
function disjoint(list: PrefixList, four: boolean, parents: Int32Array): Disjoint {
  const order = sorted(list, four);
  const ranges = new Disjoint(order.length * 2 + 1);
  const beyond = four ? 0x10000 : 0;
  // Prefixes that the sweep is inside of. Equal ones nest too, so there is no bound but their
  // number.
  const open: number[] = [];
  const end = new Int32Array(4);
  const close = (): void => {
    setBehind(end, list, open.pop()!);
    const isLast = end[2] === beyond && end[0] === 0 && end[1] === 0 && end[3] === 0;
    if (isLast) return;
    ranges.emit(end[0]!, end[1]!, end[2]!, end[3]!, open.at(-1) ?? -1);
  };
  ranges.emit(0, 0, four ? 0xffff : 0, 0, -1);
  for (const value of order) {
    while (open.length > 0 && !covers(list, open.at(-1)!, value)) close();
    parents[value] = open.at(-1) ?? -1;
    const w0 = list.word(value, 0);
    ranges.emit(w0, list.word(value, 1), list.word(value, 2), list.word(value, 3), value);
    open.push(value);
  }
  while (open.length > 0) close();
  return ranges;
}

/** Whether prefix `outer` covers `inner`, which is not shorter. */
function covers(list: PrefixList, outer: number, inner: number): boolean {
  const bits = list.bits(outer);
  for (let at = 0; at < 4; at++) {
    const differ = list.word(outer, at) ^ list.word(inner, at);
    if ((differ & maskWord(bits, at)) !== 0) return false;
  }
  return true;
}

/** Sets `end` to the first address behind prefix `index`; all zero behind the last of all. */
function setBehind(end: Int32Array, list: PrefixList, index: number): void {
  for (let at = 0; at < 4; at++) end[at] = list.word(index, at);
  const bits = list.bits(index);
  if (bits === 0) return;
  let at = (bits - 1) >> 5;
  let carry = 1 << (31 - ((bits - 1) & 31));
  for (; at >= 0 && carry !== 0; at--) {
    const sum = (end[at]! >>> 0) + (carry >>> 0);
    end[at] = sum | 0;
    carry = sum > 0xffffffff ? 1 : 0;
  }
}

/** Numbers of one IP version by address, then length, then number: a radix sort, byte by byte. */
function sorted(list: PrefixList, four: boolean): Int32Array {
  const all = new Int32Array(list.count);
  let count = 0;
  for (let index = 0; index < list.count; index++) {
    if (list.isIpv4(index) === four) all[count++] = index;
  }
  let from = all.subarray(0, count);
  let to = new Int32Array(count);
  const counts = new Int32Array(257);
  const pass = (key: (index: number) => number): void => {
    counts.fill(0);
    for (const index of from) counts[key(index) + 1]! += 1;
    for (let byte = 0; byte < 256; byte++) counts[byte + 1]! += counts[byte]!;
    for (const index of from) to[counts[key(index)]!++] = index;
    [from, to] = [to, from];
  };
  pass((index) => list.bits(index));
  for (let at = 3; at >= (four ? 3 : 0); at--) {
    for (let shift = 0; shift < 32; shift += 8) {
      pass((index) => (list.word(index, at) >>> shift) & 0xff);
    }
  }
  return from;
}

/** IPv4: one index by the leading bits, then a binary search. */
class Ranges4 {
  readonly #starts: Int32Array;
  readonly #values: Int32Array;
  /** First range of each slot; one more for the end. */
  readonly #slots: Int32Array;
  readonly #shift: number;

  constructor(ranges: Disjoint) {
    const { count } = ranges;
    this.#starts = new Int32Array(count);
    for (let i = 0; i < count; i++) this.#starts[i] = ranges.starts[i * 4 + 3]!;
    this.#values = ranges.values.slice(0, count);
    // About one range a slot. 20 bits leave at most 4,096 addresses, 12 steps, to the search.
    const bits = Math.min(20, Math.max(1, Math.ceil(Math.log2(count))));
    this.#shift = 32 - bits;
    this.#slots = new Int32Array(2 ** bits + 1).fill(count);
    for (let i = count - 1; i >= 0; i--) this.#slots[this.#starts[i]! >>> this.#shift] = i;
    for (let slot = 2 ** bits - 1; slot >= 0; slot--) {
      // An empty slot has the first range of the next, so that its own search ends at once.
      this.#slots[slot] = Math.min(this.#slots[slot]!, this.#slots[slot + 1]!);
    }
  }

  find(word: number): number {
    const starts = this.#starts;
    const slot = word >>> this.#shift;
    let low = this.#slots[slot]!;
    let high = this.#slots[slot + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! >>> 0 <= word >>> 0) low = middle + 1;
      else high = middle;
    }
    return this.#values[low - 1]!;
  }
}

/** Words of a node: those of its first start, then the fields below. */
const At = { skip: 4, stride: 5, table: 6, first: 7, end: 8, size: 9 } as const;
/** So few starts are searched without a node. So deep do nodes go; the rest is searched too. */
const leafMax = 8;
const depthMax = 8;
const strideMax = 20;

/**
 * IPv6: nodes that skip the bits which all of their starts share, then branch by as many bits as
 * make about one start a slot (Nilsson and Karlsson, IP-Address Lookup Using LC-Tries, 1999).
 */
class Ranges6 {
  readonly #starts: Int32Array;
  readonly #values: Int32Array;
  #nodes: Int32Array = new Int32Array(At.size * 4);
  #nodeCount = 0;
  /** Slots of all nodes: the first start at or behind the slot's own, or ~node. */
  #slots: Int32Array = new Int32Array(256);
  #slotCount = 0;
  /** The address that is looked for. */
  #w0 = 0;
  #w1 = 0;
  #w2 = 0;
  #w3 = 0;

  constructor(ranges: Disjoint) {
    const { count } = ranges;
    this.#starts = ranges.starts.slice(0, count * 4);
    this.#values = ranges.values.slice(0, count);
    // The first start is :: and below everything.
    if (count > 1) this.#addNode(1, count, 0);
    this.#nodes = this.#nodes.slice(0, this.#nodeCount * At.size);
    this.#slots = this.#slots.slice(0, this.#slotCount);
  }

  find(w0: number, w1: number, w2: number, w3: number): number {
    if (this.#nodeCount === 0) return this.#values[0]!;
    this.#w0 = w0;
    this.#w1 = w1;
    this.#w2 = w2;
    this.#w3 = w3;
    const nodes = this.#nodes;
    const slots = this.#slots;
    for (let node = 0; ; ) {
      const skip = nodes[node + At.skip]!;
      if (!this.#shares(node, skip)) {
        const isBelow = this.#isBelow(nodes, node);
        return this.#values[nodes[node + (isBelow ? At.first : At.end)]! - 1]!;
      }
      const slot = nodes[node + At.table]! + this.#bits(skip, nodes[node + At.stride]!);
      const first = slots[slot]!;
      if (first >= 0) return this.#search(first, this.#firstOf(slots[slot + 1]!));
      node = ~first * At.size;
    }
  }

  #firstOf(entry: number): number {
    return entry >= 0 ? entry : this.#nodes[~entry * At.size + At.first]!;
  }

  /**
   * The value of the last start in first .. end - 1, or of the one before, not above the address.
   */
  #search(first: number, end: number): number {
    let low = first;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBelow(this.#starts, middle * 4)) high = middle;
      else low = middle + 1;
    }
    return this.#values[low - 1]!;
  }

  /** The address is below the four words at `at`. */
  #isBelow(words: Int32Array, at: number): boolean {
    if (words[at] !== this.#w0) return this.#w0 >>> 0 < words[at]! >>> 0;
    if (words[at + 1] !== this.#w1) return this.#w1 >>> 0 < words[at + 1]! >>> 0;
    if (words[at + 2] !== this.#w2) return this.#w2 >>> 0 < words[at + 2]! >>> 0;
    return this.#w3 >>> 0 < words[at + 3]! >>> 0;
  }

  /** The address has the first `bits` bits of the node. */
  #shares(node: number, bits: number): boolean {
    const nodes = this.#nodes;
    if (((nodes[node]! ^ this.#w0) & maskWord(bits, 0)) !== 0) return false;
    if (((nodes[node + 1]! ^ this.#w1) & maskWord(bits, 1)) !== 0) return false;
    if (((nodes[node + 2]! ^ this.#w2) & maskWord(bits, 2)) !== 0) return false;
    return ((nodes[node + 3]! ^ this.#w3) & maskWord(bits, 3)) === 0;
  }

  /** `stride` bits of the address behind the first `skip`; zeros behind its end. */
  #bits(skip: number, stride: number): number {
    const word = skip >>> 5;
    const shift = skip & 31;
    const high = this.#word(word);
    const both = shift === 0 ? high : (high << shift) | (this.#word(word + 1) >>> (32 - shift));
    return both >>> (32 - stride);
  }

  #word(index: number): number {
    if (index === 0) return this.#w0;
    if (index === 1) return this.#w1;
    if (index === 2) return this.#w2;
    return index === 3 ? this.#w3 : 0;
  }

  #point(start: number): void {
    this.#w0 = this.#starts[start * 4]!;
    this.#w1 = this.#starts[start * 4 + 1]!;
    this.#w2 = this.#starts[start * 4 + 2]!;
    this.#w3 = this.#starts[start * 4 + 3]!;
  }

  /** Makes the node over the starts first .. end - 1, at least one; gives its number. */
  #addNode(first: number, end: number, depth: number): number {
    const node = this.#nodeCount++;
    const skip = this.#shared(first, end - 1);
    const stride = Math.min(strideMax, Math.max(1, Math.floor(Math.log2(end - first))), 128 - skip);
    const slots = 2 ** stride;
    const table = this.#slotCount;
    this.#slotCount += slots + 1;
    this.#nodes = grown(this.#nodes, this.#nodeCount * At.size);
    this.#slots = grown(this.#slots, this.#slotCount);
    const words = this.#starts.subarray(first * 4, first * 4 + 4);
    this.#nodes.set(words, node * At.size);
    this.#nodes.set([skip, stride, table, first, end], node * At.size + At.skip);
    let next = first;
    for (let slot = 0; slot < slots; slot++) {
      const from = next;
      for (; next < end; next++) {
        this.#point(next);
        if (this.#bits(skip, stride) !== slot) break;
      }
      const isLeaf = next - from <= leafMax || depth === depthMax;
      const entry = isLeaf ? from : ~this.#addNode(from, next, depth + 1);
      this.#slots[table + slot] = entry;
    }
    this.#slots[table + slots] = end;
    return node;
  }

  /** Leading bits that two starts have in common; at most 127, because they differ. */
  #shared(a: number, b: number): number {
    for (let at = 0; at < 4; at++) {
      const differ = this.#starts[a * 4 + at]! ^ this.#starts[b * 4 + at]!;
      if (differ !== 0) return at * 32 + Math.clz32(differ);
    }
    return 127;
  }
}

/** `array`, or a copy of at least twice its length where it is shorter than `length`. */
function grown(array: Int32Array, length: number): Int32Array {
  if (length <= array.length) return array;
  const larger = new Int32Array(Math.max(length, array.length * 2));
  larger.set(array);
  return larger;
}
