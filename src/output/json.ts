// Writes JSON text straight into a buffer: an event is a few hundred bytes made of rows, and an
// object with its strings would cost more than all the parsing behind it.

import { isUtf8 } from 'node:buffer';

const quote = 34;
const backslash = 92;

/** 1 where a byte stands for itself inside a JSON string. */
const plain = new Uint8Array(256);
for (let byte = 32; byte < 127; byte++) plain[byte] = 1;
plain[quote] = 0;
plain[backslash] = 0;

/** Text that is JSON already and one of a few, in the form in which it is written fastest. */
export class Piece {
  /** The UTF-8 bytes, four in a word, the last word filled up with zeros. */
  readonly words: Int32Array;
  /** Bytes in all. */
  readonly length: number;

  constructor(text: string) {
    const bytes = Buffer.from(text, 'utf8');
    this.length = bytes.length;
    this.words = new Int32Array(Math.ceil(bytes.length / 4));
    Buffer.from(this.words.buffer).set(bytes);
  }
}

const nothing = new Piece('null');

export class JsonText {
  bytes: Buffer;
  length = 0;
  #view: DataView;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `more` bytes. */
  growFor(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const bigger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more));
    this.bytes.copy(bigger, 0, 0, this.length);
    this.bytes = bigger;
    this.#view = new DataView(bigger.buffer);
  }

  /** Four bytes at a time: what is written behind the piece is written over. */
  raw(piece: Piece): void {
    const words = piece.words;
    this.growFor(words.length * 4);
    const view = this.#view;
    let at = this.length;
    for (let i = 0; i < words.length; i++) {
      view.setInt32(at, words[i]!, true);
      at += 4;
    }
    this.length += piece.length;
  }

  /** A single ASCII character. */
  mark(code: number): void {
    this.growFor(1);
    this.bytes[this.length++] = code;
  }

  /** `null`. */
  nothing(): void {
    this.raw(nothing);
  }

  /** A number: digits if it is a safe integer, what JavaScript writes if not. */
  number(value: number): void {
    this.growFor(32);
    if (value >= 0 && value <= 999_999_999 && Number.isInteger(value)) {
      let digits = 1;
      for (let limit = 10; value >= limit; limit *= 10) digits++;
      this.#digits(value, digits);
      return;
    }
    this.length += this.bytes.write(String(value), this.length, 'latin1');
  }

  /** high * 2^32 + low in decimal; `high` is below 2^31, `low` below 2^32. */
  number64(high: number, low: number): void {
    // Long division by 10^9 in two steps of 16 bits, each below 2^53.
    const upper = high * 65_536 + Math.floor(low / 65_536);
    const quotient = Math.floor(upper / 1e9);
    const rest = (upper - quotient * 1e9) * 65_536 + (low % 65_536);
    const billions = quotient * 65_536 + Math.floor(rest / 1e9);
    const units = rest % 1e9;
    if (billions === 0) {
      this.number(units);
      return;
    }
    if (billions > 999_999_999) this.number(Math.floor(billions / 1e9));
    this.growFor(32);
    if (billions > 999_999_999) this.#digits(billions % 1e9, 9);
    else this.number(billions);
    this.#digits(units, 9);
  }

  /** The last `digits` digits of an integer below 10^9; room is there. */
  #digits(value: number, digits: number): void {
    let at = this.length + digits;
    const end = at - digits;
    this.length = at;
    let left = value | 0;
    while (at > end) {
      const next = (left / 10) | 0;
      this.bytes[--at] = 48 + left - next * 10;
      left = next;
    }
  }

  /** A string of bytes from the wire: UTF-8 if they are, else Latin-1. */
  string(source: Buffer, from: number, to: number): void {
    this.growFor((to - from) * 6 + 2);
    const target = this.bytes;
    let at = this.length;
    target[at++] = quote;
    for (let i = from; i < to; i++) {
      const byte = source[i]!;
      if (plain[byte] === 0) {
        this.length = at - (i - from) - 1;
        this.#escaped(source, from, to);
        return;
      }
      target[at++] = byte;
    }
    target[at++] = quote;
    this.length = at;
  }

  /** Any JavaScript string. */
  text(value: string): void {
    const json = JSON.stringify(value);
    this.growFor(json.length * 3);
    this.length += this.bytes.write(json, this.length, 'utf8');
  }

  #escaped(source: Buffer, from: number, to: number): void {
    const slice = source.subarray(from, to);
    this.text(slice.toString(isUtf8(slice) ? 'utf8' : 'latin1'));
  }
}
