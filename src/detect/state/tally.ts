// Counts of different things per subject in a sliding window: exact up to 64, then HyperLogLog.
// Most subjects touch one to three things, so those stand in the subject's own record; more take a
// page of 16, then one of 64 pairs (hash, last seen). The page of 64 becomes a sketch of 256
// registers (Flajolet et al. 2007: standard error 1.04/sqrt(256) = 6.5 %) in two generations of
// half a window each, which sees between half and the whole of the window: it may count too little,
// never what is older.
//
//   state (8 words)   0 kind and number of pairs   1 page   2 .. 7 three pairs
//   of a sketch       2 generation   3 its estimate, 0 if it is to be made again

import { Slots } from '../../lib/slots.js';
import type { Cells } from './subjects.js';

/** Words of state for each set. */
export const setWords = 8;

const Kind = { inline: 0, small: 1, large: 2, sketch: 3 } as const;
const inlinePairs = 3;
const smallPairs = 16;
const largePairs = 64;
const registers = 256;
/** Bytes of the two generations in a page of 64 pairs. */
const powers = Float64Array.from({ length: 26 }, (_, rank) => 2 ** -rank);
const alpha = 0.7213 / (1 + 1.079 / registers);

/** Two standard errors: what a sketch counts less this is a number that was there. */
export const sketchError = (2 * 1.04) / Math.sqrt(registers);

export class Tallies {
  readonly #small: Slots;
  readonly #large: Slots;
  readonly #bytes: Uint8Array;
  /** Things that were not counted because no page was left. */
  exhausted = 0;

  /** Pages of 16 and of 64 pairs. */
  constructor(smallPages: number, largePages: number) {
    this.#small = new Slots(smallPages, smallPairs * 2);
    this.#large = new Slots(largePages, largePairs * 2);
    this.#bytes = new Uint8Array(this.#large.words.buffer);
  }

  get pages(): number {
    return this.#small.used + this.#large.used;
  }

  /** Counts `hash` in the set at word `at`; `second` is now. */
  add(cells: Cells, at: number, hash: number, second: number, window: number): void {
    const { words } = cells;
    const kind = words[at]! & 3;
    if (kind === Kind.sketch) {
      this.#sketch(words, at, hash, second, window);
      return;
    }
    const pairs = kind === Kind.inline ? words : this.#pool(kind).words;
    const from = kind === Kind.inline ? at + 2 : words[at + 1]!;
    const size = words[at]! >> 2;
    let stale = -1;
    for (let i = 0; i < size; i++) {
      const pair = from + i * 2;
      if (pairs[pair] === hash) {
        pairs[pair + 1] = second;
        return;
      }
      if (second - pairs[pair + 1]! >= window) stale = pair;
    }
    if (stale >= 0) {
      pairs[stale] = hash;
      pairs[stale + 1] = second;
      return;
    }
    const room = kind === Kind.inline ? inlinePairs : kind === Kind.small ? smallPairs : largePairs;
    if (size < room) {
      pairs[from + size * 2] = hash;
      pairs[from + size * 2 + 1] = second;
      words[at]! += 4;
      return;
    }
    if (this.#grow(words, at, kind, second, window)) this.add(cells, at, hash, second, window);
  }

  /** How many there are in the last `window` seconds; of a sketch about how many. */
  count(cells: Cells, at: number, second: number, window: number): number {
    const { words } = cells;
    const kind = words[at]! & 3;
    if (kind === Kind.sketch) return this.#estimate(words, at, second, window);
    const pairs = kind === Kind.inline ? words : this.#pool(kind).words;
    const from = kind === Kind.inline ? at + 2 : words[at + 1]!;
    const size = words[at]! >> 2;
    let count = 0;
    for (let i = 0; i < size; i++) if (second - pairs[from + i * 2 + 1]! < window) count++;
    return count;
  }

  /** The same, but of a sketch only what was there with 97.5 % certainty. */
  atLeast(cells: Cells, at: number, second: number, window: number): number {
    const count = this.count(cells, at, second, window);
    return this.isExact(cells, at) ? count : Math.floor(count * (1 - sketchError));
  }

  isExact(cells: Cells, at: number): boolean {
    return (cells.words[at]! & 3) !== Kind.sketch;
  }

  /** Empties the set. */
  release(cells: Cells, at: number): void {
    const { words } = cells;
    const kind = words[at]! & 3;
    if (kind !== Kind.inline) this.#pool(kind).give(words[at + 1]!);
    for (let i = 0; i < setWords; i++) words[at + i] = 0;
  }

  #pool(kind: number): Slots {
    return kind === Kind.small ? this.#small : this.#large;
  }

  /** Moves the set to the next size; false where no page is left. */
  #grow(words: Int32Array, at: number, kind: number, second: number, window: number): boolean {
    if (kind === Kind.large) {
      this.#becomeSketch(words, at, second, window);
      return true;
    }
    const next = kind + 1;
    const pool = this.#pool(next);
    const page = pool.take();
    if (page < 0) {
      this.exhausted++;
      return false;
    }
    const size = words[at]! >> 2;
    const pairs = kind === Kind.inline ? words : this.#small.words;
    const from = kind === Kind.inline ? at + 2 : words[at + 1]!;
    for (let i = 0; i < size * 2; i++) pool.words[page + i] = pairs[from + i]!;
    if (kind === Kind.small) this.#small.give(words[at + 1]!);
    words[at] = next | (size << 2);
    words[at + 1] = page;
    return true;
  }

  /** The pairs of a large page become registers of the generation in which they were last seen. */
  #becomeSketch(words: Int32Array, at: number, second: number, window: number): void {
    const page = words[at + 1]!;
    const pairs = this.#large.words.slice(page, page + largePairs * 2);
    this.#large.words.fill(0, page, page + largePairs * 2);
    const now = Math.floor(second / (window / 2));
    words[at] = Kind.sketch;
    words[at + 2] = now;
    words[at + 3] = 0;
    for (let i = 0; i < largePairs; i++) {
      const generation = Math.floor(pairs[i * 2 + 1]! / (window / 2));
      if (now - generation < 2) this.#register(page, generation & 1, pairs[i * 2]!);
    }
  }

  #sketch(words: Int32Array, at: number, hash: number, second: number, window: number): void {
    const now = this.#turn(words, at, second, window);
    if (this.#register(words[at + 1]!, now & 1, hash)) words[at + 3] = 0;
  }

  /** Brings the generations up to the present; gives the present one. */
  #turn(words: Int32Array, at: number, second: number, window: number): number {
    const now = Math.floor(second / (window / 2));
    const behind = now - words[at + 2]!;
    if (behind <= 0) return words[at + 2]!;
    const page = words[at + 1]! * 4;
    if (behind === 1) {
      const from = page + (now & 1) * registers;
      this.#bytes.fill(0, from, from + registers);
    } else this.#bytes.fill(0, page, page + registers * 2);
    words[at + 2] = now;
    words[at + 3] = 0;
    return now;
  }

  /** True if the register rose. */
  #register(page: number, generation: number, hash: number): boolean {
    let h = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
    h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
    h ^= h >>> 16;
    const at = page * 4 + generation * registers + (h & (registers - 1));
    // Of the other 24 bits: the place of the first 1.
    const rank = Math.min(Math.clz32(h & ~(registers - 1)) + 1, 25);
    if (this.#bytes[at]! >= rank) return false;
    this.#bytes[at] = rank;
    return true;
  }

  #estimate(words: Int32Array, at: number, second: number, window: number): number {
    this.#turn(words, at, second, window);
    // Registers rise seldom, and 256 of them took a third of all time when each count read them.
    if (words[at + 3] === 0) words[at + 3] = this.#fresh(words, at);
    return words[at + 3]!;
  }

  #fresh(words: Int32Array, at: number): number {
    const page = words[at + 1]! * 4;
    let sum = 0;
    let empty = 0;
    for (let i = 0; i < registers; i++) {
      const rank = Math.max(this.#bytes[page + i]!, this.#bytes[page + registers + i]!);
      sum += powers[rank]!;
      if (rank === 0) empty++;
    }
    const estimate = (alpha * registers * registers) / sum;
    // Small numbers: how many registers are still empty says more.
    if (estimate > 2.5 * registers || empty === 0) return Math.round(estimate);
    return Math.round(registers * Math.log(registers / empty));
  }
}
