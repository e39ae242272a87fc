// Canaries: strings that can stand in a capture by no accident, and the search for them in an
// output, in every shape that a careless program could give them.

import { Random } from '../../src/lib/random.js';

/** Where a canary was planted. */
export interface Canary {
  readonly place: string;
  readonly text: string;
}

/** Letters of a canary: enough that a part of it is known again. */
const length = 24;
/** A part of this length gives a canary away, too. */
const partLength = 10;
const letters = 'bcdfghjkmnpqrstvwxz';

export class Canaries {
  readonly all: Canary[] = [];
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** A new canary for a place. */
  at(place: string): string {
    const letter = () => letters[this.#random.below(letters.length)]!;
    const text = Array.from({ length }, letter).join('');
    this.all.push({ place, text });
    return text;
  }
}

/** Looks for canaries in outputs: for any part of them, as it is or behind one of many codings. */
export class LeakSearch {
  /** Every part of every canary, and where that was planted. */
  readonly #parts = new Map<string, string>();

  constructor(canaries: readonly Canary[]) {
    for (const { place, text } of canaries) {
      for (let at = 0; at + partLength <= text.length; at++) {
        this.#parts.set(text.slice(at, at + partLength), place);
      }
    }
  }

  /** The places whose canaries an output shows, each with the first coding that shows it. */
  find(output: Buffer): string[] {
    const found = new Map<string, string>();
    // Most of an output is the same words again.
    const text = [...new Set(output.toString('latin1').split('"'))].join('"');
    for (const [coding, decode] of Object.entries(codings)) {
      for (const run of decode(text).toLowerCase().match(runs) ?? []) {
        for (let at = 0; at + partLength <= run.length; at++) {
          const place = this.#parts.get(run.slice(at, at + partLength));
          if (place !== undefined && !found.has(place)) found.set(place, coding);
        }
      }
    }
    return [...found].map(([place, coding]) => `${place}: ${coding}`);
  }
}

const runs = new RegExp(`[${letters}]{${partLength},}`, 'g');

/** How a text may be hidden in another, and what undoes that, wherever it begins. */
const codings: Readonly<Record<string, (text: string) => string>> = {
  'as it is': (text) => text,
  'UTF-16': (text) => text.replaceAll('\0', ''),
  'escaped for JSON': (text) => text.replace(/\\u00([0-9a-f]{2})/gi, letterOf),
  'percent or quoted-printable': (text) => text.replace(/[%=]([0-9a-f]{2})/gi, letterOf),
  hexadecimal: (text) => decodedRuns(text, /[0-9a-f]{20,}/gi, 'hex', 2),
  base64: (text) => decodedRuns(text, /[\w+/-]{12,}/g, 'base64', 4),
  numbers: (text) =>
    text.replace(/(\d{2,3})[, ]*/g, (_, code: string) => String.fromCharCode(+code)),
  backwards: (text) => [...text].reverse().join(''),
};

function letterOf(_: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}

function decodedRuns(text: string, run: RegExp, coding: BufferEncoding, offsets: number): string {
  const decoded: string[] = [];
  for (const each of text.match(run) ?? []) {
    for (let offset = 0; offset < offsets; offset++) {
      decoded.push(Buffer.from(each.slice(offset), coding).toString('latin1'));
    }
  }
  return decoded.join(' ');
}

/** What a canary looks like in each of these codings. */
export function shapesOf(canary: string): string[] {
  const wide = Buffer.from(canary, 'utf16le');
  const hexes = [...Buffer.from(canary)].map((byte) => byte.toString(16));
  return [
    canary,
    canary.toUpperCase(),
    canary.slice(3, 14),
    wide.toString('latin1'),
    Buffer.from(wide).swap16().toString('latin1'),
    hexes.map((hex) => `\\u00${hex}`).join(''),
    hexes.map((hex) => `%${hex}`).join(''),
    hexes.map((hex) => `=${hex}`).join(''),
    hexes.join(''),
    [...Buffer.from(canary)].join(','),
    [...canary].reverse().join(''),
    ...['', 'a', 'ab', 'user=', '\0name\0'].map((before) =>
      Buffer.from(`${before}${canary}\x01`).toString('base64'),
    ),
    Buffer.from(`user ${canary.toUpperCase()}`).toString('base64').slice(3),
  ];
}
