// A small seeded generator of pseudo-random numbers (sfc32 by Chris Doty-Humphrey, public domain,
// part of PractRand): equal seeds give equal runs on every machine. Not for secrets.

/** One stream of numbers; `seed` is taken as a 32-bit integer. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = 0;
    this.#b = seed | 0;
    this.#c = (seed / 2 ** 32) | 0;
    // The first numbers of close seeds are alike until the state has mixed.
    for (let i = 0; i < 15; i++) this.word();
  }

  /** The next 32 bits as a signed integer. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum;
  }

  /** A number from 0 up to, not including, 1. */
  fraction(): number {
    return (this.word() >>> 0) / 2 ** 32;
  }

  /** An integer from 0 up to, not including, `limit` (at least 1). */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** True with the given probability; 0 takes no number from the stream. */
  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability;
  }
}
