// A binary heap: the item with the smallest rank comes first. Ranks must not change while an item
// is inside; who changes one puts the item in again and forgets what the old place gives.

export class Heap<T> {
  readonly #ranks: number[] = [];
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The smallest rank, infinite where there is none. */
  get least(): number {
    return this.#ranks[0] ?? Number.POSITIVE_INFINITY;
  }

  add(rank: number, item: T): void {
    let at = this.#items.length;
    this.#ranks.push(rank);
    this.#items.push(item);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#ranks[above]! <= rank) break;
      this.#swap(at, above);
      at = above;
    }
  }

  /** Takes the item of the smallest rank out. */
  take(): T | undefined {
    const last = this.#items.length - 1;
    if (last < 0) return undefined;
    this.#swap(0, last);
    this.#ranks.pop();
    const item = this.#items.pop();
    this.#sink();
    return item;
  }

  #sink(): void {
    const { length } = this.#items;
    let at = 0;
    while (true) {
      let least = at;
      for (const below of [2 * at + 1, 2 * at + 2]) {
        if (below < length && this.#ranks[below]! < this.#ranks[least]!) least = below;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #swap(one: number, other: number): void {
    const rank = this.#ranks[one]!;
    const item = this.#items[one]!;
    this.#ranks[one] = this.#ranks[other]!;
    this.#items[one] = this.#items[other]!;
    this.#ranks[other] = rank;
    this.#items[other] = item;
  }
}
