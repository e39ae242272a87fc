// A fixed memory of pairs that were seen lately: a source and a recipient, a rule and a session.
// Sets of eight entries; the oldest of a full set is given up and counted. An entry holds 32 bits
// of a 64-bit hash beside its place, so of a full memory's questions about new pairs one in half a
// billion is answered "seen": an observation less, never one too many.

const ways = 8;
/** Words of an entry, tag and time: a set is one cache line. Values are kept beside. */
const entryWords = 2;

export class RecentPairs {
  readonly #words: Int32Array;
  readonly #values: Int32Array;
  readonly #mask: number;
  /** Pairs given up before their time. */
  evicted = 0;
  /** Place of the entry that `open` found or made. */
  #at = 0;

  /** Room for about `capacity` pairs, each with a value beside it or without. */
  constructor(capacity: number, hasValues: boolean) {
    let sets = 16;
    while (sets * ways < capacity) sets *= 2;
    this.#words = new Int32Array(sets * ways * entryWords);
    this.#values = new Int32Array(hasValues ? sets * ways : 0);
    this.#mask = sets - 1;
  }

  get bytes(): number {
    return this.#words.byteLength + this.#values.byteLength;
  }

  /**
   * Finds the pair with this hash (64 bits in two halves), or makes it. True if it is new, or older
   * than `life` seconds. Its time is that of making; its `value` starts at 0.
   */
  open(high: number, low: number, second: number, life: number): boolean {
    const words = this.#words;
    const first = (high & this.#mask) * ways * entryWords;
    let oldest = first;
    for (let i = 0; i < ways; i++) {
      const at = first + i * entryWords;
      if (words[at] === low && words[at + 1] !== 0) {
        this.#at = at;
        if (second - words[at + 1]! < life) return false;
        words[at + 1] = second;
        this.#values[at >> 1] = 0;
        return true;
      }
      if (words[at + 1]! < words[oldest + 1]!) oldest = at;
    }
    if (words[oldest + 1] !== 0 && second - words[oldest + 1]! < life) this.evicted++;
    words[oldest] = low;
    words[oldest + 1] = second;
    this.#values[oldest >> 1] = 0;
    this.#at = oldest;
    return true;
  }

  /** Whether the pair is there and younger than `life`; then `value` is its. */
  find(high: number, low: number, second: number, life: number): boolean {
    const words = this.#words;
    const first = (high & this.#mask) * ways * entryWords;
    for (let i = 0; i < ways; i++) {
      const at = first + i * entryWords;
      if (words[at] !== low || words[at + 1] === 0) continue;
      this.#at = at;
      return second - words[at + 1]! < life;
    }
    return false;
  }

  /** Value beside the pair that `open` or `find` found last. */
  get value(): number {
    return this.#values[this.#at >> 1]!;
  }
  set value(value: number) {
    this.#values[this.#at >> 1] = value;
  }
}
