// A fixed memory of pairs that were seen lately: a source and a recipient, a rule and a session.
// Sets of eight entries; the oldest of a full set is given up and counted. An entry holds 32 bits
// of a 64-bit hash beside its place, so of a full memory's questions about new pairs one in half a
// billion is answered "seen": an observation less, never one too many.

const ways = 8;
/** Words of an entry, tag and time: a set is one cache line. Values are kept beside. */
const entryWords = 2;
/**
 * Sets to begin with; four times as many whenever a quarter of the places is taken. A few thousand
 * pairs spread over the whole of a large memory would each cost a page of it.
 */
const firstSets = 1024;
const growth = 4;

export class RecentPairs {
  #words: Int32Array;
  #values: Int32Array;
  /** The other half of each hash, while the memory may still grow. */
  #highs: Int32Array;
  #mask: number;
  #used = 0;
  readonly #setsMax: number;
  /** Pairs given up before their time. */
  evicted = 0;
  /** Place of the entry that `open` found or made. */
  #at = 0;

  /** Room for about `capacity` pairs, each with a value beside it or without. */
  constructor(capacity: number, hasValues: boolean) {
    let setsMax = 16;
    while (setsMax * ways < capacity) setsMax *= 2;
    const sets = Math.min(setsMax, firstSets);
    this.#setsMax = setsMax;
    this.#words = new Int32Array(sets * ways * entryWords);
    this.#values = new Int32Array(hasValues ? sets * ways : 0);
    this.#highs = new Int32Array(sets < setsMax ? sets * ways : 0);
    this.#mask = sets - 1;
  }

  get bytes(): number {
    return this.#words.byteLength + this.#values.byteLength + this.#highs.byteLength;
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
    if (words[oldest + 1] === 0) this.#used++;
    else if (second - words[oldest + 1]! < life) {
      // Nobody is given up while there is room elsewhere.
      if (this.#highs.length > 0) {
        this.#grow();
        return this.open(high, low, second, life);
      }
      this.evicted++;
    }
    words[oldest] = low;
    words[oldest + 1] = second;
    this.#values[oldest >> 1] = 0;
    this.#at = oldest;
    if (this.#highs.length > 0) {
      this.#highs[oldest >> 1] = high;
      if (this.#used * growth > this.#highs.length) this.#grow();
    }
    return true;
  }

  /** Takes more room; every pair finds its place in it, and the one at hand too. */
  #grow(): void {
    const words = this.#words;
    const values = this.#values;
    const highs = this.#highs;
    const sets = Math.min(this.#setsMax, (this.#mask + 1) * growth);
    this.#words = new Int32Array(sets * ways * entryWords);
    this.#values = new Int32Array(values.length === 0 ? 0 : sets * ways);
    this.#highs = new Int32Array(sets < this.#setsMax ? sets * ways : 0);
    this.#mask = sets - 1;
    const now = this.#at;
    for (let from = 0; from < words.length; from += entryWords) {
      if (words[from + 1] === 0) continue;
      const high = highs[from >> 1]!;
      // Pairs of one set stay together or part: there is room for all of them.
      let to = (high & this.#mask) * ways * entryWords;
      while (this.#words[to + 1] !== 0) to += entryWords;
      this.#words[to] = words[from]!;
      this.#words[to + 1] = words[from + 1]!;
      this.#values[to >> 1] = values[from >> 1]!;
      if (this.#highs.length > 0) this.#highs[to >> 1] = high;
      if (from === now) this.#at = to;
    }
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
