// Ready-made body text: large blocks of plain lines, quoted-printable HTML and base64, made once
// from a seed. Messages are slices of these blocks at line boundaries, so that generating a
// gigabyte copies bytes and makes none. Lines that begin with a dot are kept dot-stuffed, as DATA
// sends them.

import { Rng } from './rng.js';

/** A block of CRLF lines as they go over the wire. */
export class LinePool {
  readonly bytes: Buffer;
  readonly #starts: Int32Array;
  readonly #dots: Int32Array;

  constructor(lines: readonly string[]) {
    this.bytes = Buffer.from(lines.map((line) => `${line}\r\n`).join(''), 'latin1');
    this.#starts = new Int32Array(lines.length + 1);
    this.#dots = new Int32Array(lines.length + 1);
    for (let i = 0; i < lines.length; i++) {
      this.#starts[i + 1] = this.#starts[i]! + lines[i]!.length + 2;
      this.#dots[i + 1] = this.#dots[i]! + (lines[i]!.startsWith('.') ? 1 : 0);
    }
  }

  /** Whole lines of about `length` bytes from a random place; at least one line. */
  slice(rng: Rng, length: number): Slice {
    const want = Math.min(length, this.bytes.length);
    const last = this.#line(this.bytes.length - want);
    const first = rng.int(Math.max(1, last));
    const end = Math.max(first + 1, this.#line(this.#starts[first]! + want));
    const from = this.#starts[first]!;
    const to = this.#starts[end]!;
    return { pool: this, from, to, dots: this.#dots[end]! - this.#dots[first]! };
  }

  /** The last line that starts at or before a byte. */
  #line(at: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

export interface Slice {
  readonly pool: LinePool;
  readonly from: number;
  readonly to: number;
  /** Lines in it that begin with a stuffed dot. */
  readonly dots: number;
}

export interface Pools {
  readonly plain: LinePool;
  readonly html: LinePool;
  readonly base64: LinePool;
  /** Bytes without any pattern, for encrypted records. */
  readonly noise: Buffer;
}

/** The blocks of one seed: about 4 MB. */
export function makePools(seed: number): Pools {
  const rng = new Rng(seed ^ 0x706f6f6c);
  return {
    plain: new LinePool(repeat(12000, () => plainLine(rng))),
    html: new LinePool(repeat(12000, () => htmlLine(rng))),
    base64: new LinePool(repeat(20000, () => rng.text(76, base64Alphabet))),
    noise: Buffer.from(Uint32Array.from(repeat(65536, () => rng.word())).buffer),
  };
}

const base64Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function repeat<T>(times: number, make: () => T): T[] {
  return Array.from({ length: times }, make);
}

const syllables = 'ta re mi so lan ver kon est ing bel mar tor un pel dra ci ne os tu va'.split(
  ' ',
);

/** A made-up word: body text that is nobody's. */
export function word(rng: Rng): string {
  let text = '';
  for (let n = rng.between(1, 4); n > 0; n--) text += rng.pick(syllables);
  return text;
}

function plainLine(rng: Rng): string {
  const kind = rng.int(100);
  if (kind < 8) return '';
  // Stuffed: the message has one dot less. A line of one dot is the one that matters most.
  if (kind === 8) return rng.chance(0.3) ? '..' : `..${word(rng)} ${word(rng)}`;
  let line = kind < 16 ? '> ' : '';
  const length = rng.between(20, 76);
  while (line.length < length) line += `${word(rng)} `;
  return line.trimEnd();
}

function htmlLine(rng: Rng): string {
  let line = rng.chance(0.2) ? `<td style=3D"padding:${rng.int(20)}px">` : '';
  while (line.length < 66) {
    line += rng.chance(0.1) ? `=C3=A${rng.int(10)}` : `${word(rng)} `;
    if (rng.chance(0.06)) line += '<br/>';
  }
  return `${line.slice(0, 75)}=`;
}
