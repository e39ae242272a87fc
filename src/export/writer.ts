// Bytes of a document as it is made: a buffer that grows, and the few writes that a million lines
// ask for. Text given to it is ASCII; who has other text uses `utf8`.

import type { EntryCursor } from '../block/rows.js';

const colon = 0x3a;
const dot = 0x2e;
const slash = 0x2f;
const zero = 0x30;

export class ByteWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(size = 65_536) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  get length(): number {
    return this.#at;
  }

  /** What was written; the writer is not used any more. */
  take(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** ASCII text. */
  text(text: string): this {
    const { length } = text;
    this.#room(length);
    const bytes = this.#bytes;
    let at = this.#at;
    // A call into the runtime pays from some dozens of characters on.
    if (length > 48) bytes.write(text, at, 'latin1');
    else for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i);
    at += length;
    this.#at = at;
    return this;
  }

  /** Any text, as UTF-8. */
  utf8(text: string): this {
    this.#room(text.length * 3);
    this.#at += this.#bytes.write(text, this.#at, 'utf8');
    return this;
  }

  /** A whole number that is not negative. */
  number(value: number): this {
    if (value > 0x7fffffff) return this.text(String(value));
    this.#room(10);
    let digits = 1;
    for (let rest = value; rest >= 10; rest = (rest / 10) | 0) digits += 1;
    const bytes = this.#bytes;
    for (let at = this.#at + digits - 1, rest = value; at >= this.#at; at--) {
      const less = (rest / 10) | 0;
      bytes[at] = zero + rest - less * 10;
      rest = less;
    }
    this.#at += digits;
    return this;
  }

  /** An IPv4 address in dots. */
  ipv4(word: number): this {
    this.#room(15);
    this.#octet(word >>> 24);
    this.#bytes[this.#at++] = dot;
    this.#octet((word >>> 16) & 0xff);
    this.#bytes[this.#at++] = dot;
    this.#octet((word >>> 8) & 0xff);
    this.#bytes[this.#at++] = dot;
    this.#octet(word & 0xff);
    return this;
  }

  /** An IPv6 address as RFC 5952 section 4 writes it. */
  ipv6(w0: number, w1: number, w2: number, w3: number): this {
    this.#room(39);
    const words = [w0, w1, w2, w3];
    let best = 0;
    let bestLength = 1;
    for (let at = 0; at < 8; at++) {
      let length = 0;
      while (at + length < 8 && group(words, at + length) === 0) length += 1;
      if (length > bestLength) {
        best = at;
        bestLength = length;
      }
    }
    for (let at = 0; at < 8; at++) {
      if (bestLength > 1 && at === best) {
        // The group before has written the first of the two.
        this.#bytes[this.#at++] = colon;
        if (at === 0) this.#bytes[this.#at++] = colon;
        at += bestLength - 1;
        continue;
      }
      this.#hex(group(words, at));
      if (at < 7) this.#bytes[this.#at++] = colon;
    }
    return this;
  }

  /** `/24`. */
  bits(bits: number): this {
    this.#room(4);
    this.#bytes[this.#at++] = slash;
    return this.number(bits);
  }

  /** The id of an entry. */
  id(entry: EntryCursor): this {
    this.#room(23);
    entry.writeId(this.#bytes, this.#at);
    this.#at += 23;
    return this;
  }

  newline(): this {
    this.#room(1);
    this.#bytes[this.#at++] = 0x0a;
    return this;
  }

  #octet(value: number): void {
    const bytes = this.#bytes;
    if (value >= 100) bytes[this.#at++] = zero + ((value / 100) | 0);
    if (value >= 10) bytes[this.#at++] = zero + (((value / 10) | 0) % 10);
    bytes[this.#at++] = zero + (value % 10);
  }

  #hex(value: number): void {
    let shift = 12;
    while (shift > 0 && value >>> shift === 0) shift -= 4;
    for (; shift >= 0; shift -= 4) {
      const digit = (value >>> shift) & 0xf;
      this.#bytes[this.#at++] = digit < 10 ? zero + digit : 0x57 + digit;
    }
  }

  #room(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + more));
    this.#bytes.copy(bytes, 0, 0, this.#at);
    this.#bytes = bytes;
  }
}

function group(words: readonly number[], at: number): number {
  const word = words[at >> 1]!;
  return at % 2 === 0 ? word >>> 16 : word & 0xffff;
}
