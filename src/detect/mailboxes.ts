// How the names of mailboxes look that a source asks for: made by counting, taken from a dictionary
// in its order, or letters as they come. It works on the bytes of a row while they are there and
// keeps nothing of a name: of the one before, keyed hashes of its beginning; of all that were
// taken, how often which letter follows which.
//
// A name is called generated where it is
//   near      like the one before but for its last two letters, or but for its digits
//   unlikely  less likely, letter by letter, than 95 of 100 names that own servers took
//
// Whoever writes to people does neither more than by chance: names of a list of members are in no
// order, and are the names of people.

import { hashPattern, hashText } from './text.js';

/** Words that are kept of the mailbox before: its hash without digits, whole, less 1 and 2. */
export const mailboxWords = 4;
/** Letters that two names must have in common at least. */
const commonMin = 3;
/** Names that were taken before unlikely ones are told. */
const learntMin = 2000;
/** A name shorter than this is as likely as any. */
const lengthMin = 5;
/** Letters, one class for digits, one for the rest, and one for beginning and end. */
const classes = 29;
const [digit, other, edge] = [26, 27, 28];
/** Steps of a likelihood in the histogram, and how many nats each is. */
const steps = 64;
const stepNats = 0.125;
const unlikelyShare = 0.05;
/** Names after which all counts are halved, so that it follows the times. */
const halvedAt = 1 << 20;

export class Mailboxes {
  readonly #seed: number;
  readonly #pairs = new Uint32Array(classes * classes);
  readonly #rows = new Uint32Array(classes);
  /** Taken names by their likelihood, when they came. */
  readonly #histogram = new Uint32Array(steps);
  #learnt = 0;
  /** Histogram step up to which a name is unlikely; -1: not known yet. */
  #unlikely = -1;

  /** `seed` keys the hashes. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Learns from a mailbox that was taken: the bytes before its @. */
  learn(bytes: Uint8Array, from: number, to: number): void {
    if (to - from < lengthMin) return;
    this.#histogram[this.#step(bytes, from, to)]!++;
    let before = edge;
    for (let at = from; at <= to; at++) {
      const now = at === to ? edge : classOf(bytes[at]!);
      this.#pairs[before * classes + now]!++;
      this.#rows[before]!++;
      before = now;
    }
    this.#learnt++;
    // The percentile moves slowly: often enough is each 256th time.
    if ((this.#learnt & 0xff) === 0) this.#settle();
    if (this.#learnt >= halvedAt) this.#halve();
  }

  /**
   * Whether the mailbox in `bytes` looks generated, given the one before, of which `words` from
   * `at` on tell; they tell of this one then.
   */
  look(bytes: Uint8Array, from: number, to: number, words: Int32Array, at: number): boolean {
    const seed = this.#seed;
    const length = to - from;
    const pattern = hashPattern(bytes, from, to, seed);
    const hash = (less: number) =>
      length - less < commonMin ? 0 : hashText(bytes, from, to - less, seed);
    const [whole, less1, less2] = [hash(0), hash(1), hash(2)];
    const isNumbered = isDigit(bytes[to - 1]!) && lettersIn(bytes, from, to) >= commonMin;
    const isNear =
      (isNumbered && pattern === words[at]) ||
      shares(words, at + 1, whole) ||
      shares(words, at + 1, less1) ||
      shares(words, at + 1, less2);
    words[at] = pattern;
    words[at + 1] = whole;
    words[at + 2] = less1;
    words[at + 3] = less2;
    return isNear || this.#isUnlikely(bytes, from, to);
  }

  #isUnlikely(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#unlikely < 0 || to - from < lengthMin) return false;
    return this.#step(bytes, from, to) <= this.#unlikely;
  }

  /** Mean log-likelihood of a letter given the one before, as a step of the histogram; 0: least. */
  #step(bytes: Uint8Array, from: number, to: number): number {
    let sum = 0;
    let before = edge;
    for (let at = from; at <= to; at++) {
      const now = at === to ? edge : classOf(bytes[at]!);
      // One is added to each count (Laplace), so that nothing is impossible.
      const share = this.#pairs[before * classes + now]! + 1;
      sum += Math.log(share / (this.#rows[before]! + classes));
      before = now;
    }
    const mean = sum / (to - from + 1);
    return Math.max(0, Math.min(steps - 1, Math.floor(steps + mean / stepNats)));
  }

  #settle(): void {
    if (this.#learnt < learntMin) return;
    const all = this.#histogram.reduce((sum, count) => sum + count, 0);
    let below = 0;
    let step = 0;
    while (step < steps && below + this.#histogram[step]! <= all * unlikelyShare) {
      below += this.#histogram[step]!;
      step++;
    }
    this.#unlikely = step - 1;
  }

  #halve(): void {
    for (const counts of [this.#pairs, this.#rows, this.#histogram]) {
      for (let at = 0; at < counts.length; at++) counts[at]! >>>= 1;
    }
    this.#learnt >>>= 1;
  }
}

/** Whether one of the three hashes of the name before is `hash`. */
function shares(words: Int32Array, at: number, hash: number): boolean {
  return hash !== 0 && (words[at] === hash || words[at + 1] === hash || words[at + 2] === hash);
}

function classOf(byte: number): number {
  const letter = byte | 0x20;
  if (letter >= 0x61 && letter <= 0x7a) return letter - 0x61;
  return isDigit(byte) ? digit : other;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function lettersIn(bytes: Uint8Array, from: number, to: number): number {
  let letters = 0;
  for (let at = from; at < to; at++) if (!isDigit(bytes[at]!)) letters++;
  return letters;
}
