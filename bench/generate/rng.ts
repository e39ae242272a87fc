// Seeded random numbers: the same seed gives the same capture on every machine and Node version.
// Integer steps, and of the Math functions only `exp` and `log`, which V8 carries itself. Not for
// secrets.

/** The sfc32 generator with the distributions that traffic needs. */
export class Rng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = (seed / 0x1_0000_0000) | 0;
    this.#c = 0x6d61696c;
    for (let i = 0; i < 16; i++) this.word();
  }

  /** 32 random bits, unsigned. */
  word(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t >>> 0;
  }

  /** 0 <= x < 1. */
  float(): number {
    return this.word() / 0x1_0000_0000;
  }

  /** Integer 0 <= x < n. */
  int(n: number): number {
    return Math.floor(this.float() * n);
  }

  /** Integer from <= x <= to. */
  between(from: number, to: number): number {
    return from + this.int(to - from + 1);
  }

  chance(share: number): boolean {
    return this.float() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)]!;
  }

  /** Failures before the first success; mean (1 - share) / share; at most `max`. */
  geometric(share: number, max = 1000): number {
    let n = 0;
    while (n < max && !this.chance(share)) n++;
    return n;
  }

  /** Log-normal around a median; sigma of the logarithm. Twelve uniforms are normal enough. */
  logNormal(median: number, sigma: number): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.float();
    return median * Math.exp(sigma * sum);
  }

  /** Time to the next of events that come at random, `mean` apart. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.float());
  }

  /** Real number from <= x < to, each order of size as likely as another. */
  spread(from: number, to: number): number {
    return from * Math.exp(this.float() * Math.log(to / from));
  }

  /** A share around a mean below one half: Beta(2, b), so most are lower and a few much higher. */
  share(mean: number): number {
    const one = this.exponential(1) + this.exponential(1);
    let other = 0;
    for (let rest = 2 / mean - 2; rest > 0; rest--)
      other += this.exponential(1) * Math.min(1, rest);
    return one / (one + other);
  }

  /** Text of `length` letters from an alphabet. */
  text(length: number, alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'): string {
    let s = '';
    for (let i = 0; i < length; i++) s += alphabet[this.int(alphabet.length)]!;
    return s;
  }
}
