// A fixed pool of pages for bytes that cannot be delivered yet: out-of-order segments, and segments
// that wait for the other direction. All memory is reserved once; pages never touched cost nothing.

import { seqAdd } from '../lib/seq.js';

/** Bytes of payload a page holds: one full Ethernet segment and to spare. */
export const pageBytes = 2048;
const pageWords = 6;

export class PagePool {
  readonly capacity: number;
  /** Page bytes; a sentinel byte is spare behind the last. */
  readonly bytes: Buffer;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  #free = -1;
  #fresh = 0;
  used = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.bytes = Buffer.from(new ArrayBuffer(capacity * pageBytes + 8));
    this.#words = new Int32Array(capacity * pageWords);
    this.#times = new Float64Array(capacity);
  }

  /** Bytes that a pool of `capacity` pages reserves. */
  static size(capacity: number): number {
    return capacity * (pageBytes + pageWords * 4 + 8);
  }

  /** A page number, or -1 when all are in use. */
  take(): number {
    const page = this.#free;
    if (page >= 0) {
      this.#free = this.#words[page * pageWords]!;
    } else if (this.#fresh < this.capacity) {
      this.used++;
      return this.#fresh++;
    } else {
      return -1;
    }
    this.used++;
    return page;
  }

  give(page: number): void {
    this.#words[page * pageWords] = this.#free;
    this.#free = page;
    this.used--;
  }

  /** First byte of the page in `bytes`. */
  base(page: number): number {
    return page * pageBytes;
  }

  next(page: number): number {
    return this.#words[page * pageWords]!;
  }
  setNext(page: number, next: number): void {
    this.#words[page * pageWords] = next;
  }
  /** Sequence number of the first byte still wanted. */
  seq(page: number): number {
    return this.#words[page * pageWords + 1]!;
  }
  /** Bytes already read off the front of the page. */
  skip(page: number): number {
    return this.#words[page * pageWords + 2]!;
  }
  /** Bytes of the page in all, the skipped ones included. */
  length(page: number): number {
    return this.#words[page * pageWords + 3]!;
  }
  ack(page: number): number {
    return this.#words[page * pageWords + 4]!;
  }
  /** Bytes that the capture cut off behind this page. */
  cut(page: number): number {
    return this.#words[page * pageWords + 5]!;
  }
  time(page: number): number {
    return this.#times[page]!;
  }

  set(page: number, seq: number, length: number, ack: number, time: number): void {
    const at = page * pageWords;
    const words = this.#words;
    words[at + 1] = seq;
    words[at + 2] = 0;
    words[at + 3] = length;
    words[at + 4] = ack;
    words[at + 5] = 0;
    this.#times[page] = time;
  }
  setCut(page: number, cut: number): void {
    this.#words[page * pageWords + 5] = cut;
  }
  /** Drops `count` bytes off the front. */
  advance(page: number, count: number): void {
    const at = page * pageWords;
    this.#words[at + 1] = seqAdd(this.#words[at + 1]!, count);
    this.#words[at + 2] = this.#words[at + 2]! + count;
  }
}
