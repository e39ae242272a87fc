// Doubly linked lists over small integers: every item is on at most one list, every list has a head
// and a tail, all in two typed arrays. Not a container of values; the owner keeps those by item
// number.

/** `lists` lists over items 0 to `items` - 1; every operation is O(1). */
export class Lists {
  readonly #items: number;
  // Index items + l is the sentinel of list l; an item alone points to itself.
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  constructor(items: number, lists: number) {
    this.#items = items;
    this.#next = new Int32Array(items + lists);
    this.#previous = new Int32Array(items + lists);
    for (let index = 0; index < items + lists; index += 1) {
      this.#next[index] = index;
      this.#previous[index] = index;
    }
  }

  /** First item of the list, -1 when it is empty. */
  head(list: number): number {
    const first = this.#next[this.#items + list]!;
    return first < this.#items ? first : -1;
  }

  /** Takes the item off the list it is on, if any, and puts it at the end of this one. */
  append(list: number, item: number): void {
    this.remove(item);
    const sentinel = this.#items + list;
    const last = this.#previous[sentinel]!;
    this.#next[last] = item;
    this.#previous[item] = last;
    this.#next[item] = sentinel;
    this.#previous[sentinel] = item;
  }

  /** Takes the item off its list; nothing happens when it is on none. */
  remove(item: number): void {
    const next = this.#next[item]!;
    const previous = this.#previous[item]!;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#next[item] = item;
    this.#previous[item] = item;
  }
}
