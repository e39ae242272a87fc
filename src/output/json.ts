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

export class JsonText {
  bytes: Buffer;
  length = 0;
  readonly #known = new Map<string, Buffer>();

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Makes room for `more` bytes. */
  growFor(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const bigger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more));
    this.bytes.copy(bigger, 0, 0, this.length);
    this.bytes = bigger;
  }

  /** Text that is JSON already and one of a few: names and punctuation. */
  raw(text: string): void {
    let bytes = this.#known.get(text);
    if (bytes === undefined) {
      bytes = Buffer.from(text, 'utf8');
      if (this.#known.size < 1000) this.#known.set(text, bytes);
    }
    this.growFor(bytes.length);
    const target = this.bytes;
    let at = this.length;
    for (let i = 0; i < bytes.length; i++) target[at++] = bytes[i]!;
    this.length = at;
  }

  /** A number that is a safe integer; others are written as JavaScript does. */
  number(value: number): void {
    this.growFor(24);
    if (value < 0 || value > 999_999_999 || !Number.isInteger(value)) {
      this.length += this.bytes.write(String(value), this.length, 'latin1');
      return;
    }
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits++;
    let at = this.length + digits;
    this.length = at;
    let left = value;
    do {
      const next = (left / 10) | 0;
      this.bytes[--at] = 48 + left - next * 10;
      left = next;
    } while (left > 0);
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
