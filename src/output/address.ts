// Addresses of rows as text: IPv4 dotted, IPv6 as RFC 5952 writes it.

import type { RowCursor } from '../batch/row.js';
import { load } from '../lib/commonjs.js';
import type { JsonText } from './json.js';

const ipaddr = load('ipaddr.js') as typeof import('ipaddr.js');

/** IPv6 texts that are remembered; a busy server comes back in every row. */
const remembered = 4096;

export class AddressText {
  readonly #words = new Int32Array(remembered * 4);
  readonly #texts: (string | undefined)[] = new Array(remembered).fill(undefined);

  /** Writes the address at word `at` of the row, without quotes. */
  write(json: JsonText, row: RowCursor, at: number): void {
    json.growFor(48);
    if (row.ip === 4) {
      this.#four(json, row.word(at + 3));
      return;
    }
    const text = this.text(row, at);
    json.length += json.bytes.write(text, json.length, 'latin1');
  }

  /** The address as a string. */
  text(row: RowCursor, at: number): string {
    if (row.ip === 4) return dotted(row.word(at + 3));
    const a = row.word(at);
    const b = row.word(at + 1);
    const c = row.word(at + 2);
    const d = row.word(at + 3);
    const place = ((Math.imul(a ^ b, 31) ^ c ^ Math.imul(d, 0x9e3779b1)) >>> 20) & (remembered - 1);
    const words = this.#words;
    const key = place * 4;
    const known = words[key] === a && words[key + 1] === b;
    if (known && words[key + 2] === c && words[key + 3] === d) {
      const text = this.#texts[place];
      if (text !== undefined) return text;
    }
    const parts: number[] = [];
    for (let i = 0; i < 4; i++) {
      const word = row.word(at + i);
      words[key + i] = word;
      parts.push(word >>> 16, word & 0xffff);
    }
    const text = new ipaddr.IPv6(parts).toRFC5952String();
    this.#texts[place] = text;
    return text;
  }

  #four(json: JsonText, word: number): void {
    const bytes = json.bytes;
    let at = json.length;
    for (let shift = 24; shift >= 0; shift -= 8) {
      const part = (word >>> shift) & 0xff;
      if (part > 99) bytes[at++] = 48 + ((part / 100) | 0);
      if (part > 9) bytes[at++] = 48 + (((part / 10) | 0) % 10);
      bytes[at++] = 48 + (part % 10);
      if (shift > 0) bytes[at++] = 46;
    }
    json.length = at;
  }
}

function dotted(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;
}
