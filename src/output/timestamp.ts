// ISO 8601 with microseconds as EVE writes it: 2024-05-01T02:03:04.567890+0000. Seconds repeat,
// so the text up to them is kept.

import type { JsonText } from './json.js';

const microseconds = 1e6;
/** The last second that a JavaScript date can name; later times are shown as it. */
const secondMax = 8.64e12;

/** A year of six digits and its sign make it 27, up to the fraction's dot. */
const textBytesMax = 32;
/** Seconds that are remembered: an event has two times, seconds apart. */
const remembered = 64;

export class Timestamp {
  readonly #seconds = new Float64Array(remembered).fill(-1);
  readonly #texts = Buffer.alloc(remembered * textBytesMax);
  readonly #lengths = new Uint8Array(remembered);

  /** Writes microseconds since 1970 without quotes. */
  write(json: JsonText, time: number): void {
    const second = Math.min(Math.floor(time / microseconds), secondMax);
    const place = ((second % remembered) + remembered) % remembered;
    if (second !== this.#seconds[place]) this.#remember(place, second);
    json.growFor(textBytesMax + 16);
    const bytes = json.bytes;
    let at = json.length;
    const from = place * textBytesMax;
    const to = from + this.#lengths[place]!;
    for (let i = from; i < to; i++) bytes[at++] = this.#texts[i]!;
    let fraction = Math.max(0, Math.floor(time - second * microseconds)) % microseconds;
    for (let digit = 5; digit >= 0; digit--) {
      const next = (fraction / 10) | 0;
      bytes[at + digit] = 48 + fraction - next * 10;
      fraction = next;
    }
    at += 6;
    bytes[at++] = 43;
    for (let i = 0; i < 4; i++) bytes[at++] = 48;
    json.length = at;
  }

  #remember(place: number, second: number): void {
    this.#seconds[place] = second;
    const text = new Date(second * 1000).toISOString().slice(0, -4);
    this.#lengths[place] = this.#texts.write(text, place * textBytesMax, 'latin1');
  }
}
