// ISO 8601 with microseconds as EVE writes it: 2024-05-01T02:03:04.567890+0000. Seconds repeat,
// so the text up to them is kept.

import type { JsonText } from './json.js';

const microseconds = 1e6;
/** The last second that a JavaScript date can name; later times are shown as it. */
const secondMax = 8.64e12;

export class Timestamp {
  #second = -1;
  #text = '';

  /** Writes microseconds since 1970 without quotes. */
  write(json: JsonText, time: number): void {
    const second = Math.min(Math.floor(time / microseconds), secondMax);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toISOString().slice(0, -4);
    }
    json.growFor(48);
    let at = json.length;
    const bytes = json.bytes;
    for (let i = 0; i < this.#text.length; i++) bytes[at++] = this.#text.charCodeAt(i);
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
}
