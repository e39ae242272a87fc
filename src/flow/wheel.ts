// Coarse timing wheel: every flow stands in the bucket of the second in which it is looked at next.
// A flow that was busy meanwhile is put back by its owner, so a packet costs the wheel nothing.
// Accuracy given up: a flow may run out up to one second late.

const second = 1e6;

/** Where the wheel keeps its links: three words of every slot of somebody else's table. */
export interface WheelLinks {
  readonly words: Int32Array;
  /** Words of a slot, and offsets in it of next, previous and bucket. */
  readonly stride: number;
  readonly next: number;
  readonly previous: number;
  readonly bucket: number;
}

export class Wheel {
  readonly #heads: Int32Array;
  readonly #links: WheelLinks;
  readonly #mask: number;
  /** The second up to which all buckets were looked through, once `due` was asked. */
  #tick = 0;
  #begun = false;

  /** `span` is the longest time-out in seconds; buckets are the next power of two above it. */
  constructor(span: number, links: WheelLinks) {
    const buckets = 2 ** Math.ceil(Math.log2(span + 2));
    this.#heads = new Int32Array(buckets).fill(-1);
    this.#mask = buckets - 1;
    this.#links = links;
  }

  /** Puts a slot into the bucket of `deadline` (microseconds). */
  add(slot: number, deadline: number): void {
    const { words, stride, next, previous, bucket } = this.#links;
    let tick = Math.floor(deadline / second) + 1;
    if (this.#begun) tick = Math.min(Math.max(tick, this.#tick + 1), this.#tick + this.#mask);
    const at = tick & this.#mask;
    const head = this.#heads[at]!;
    const base = slot * stride;
    words[base + next] = head;
    words[base + previous] = -1;
    words[base + bucket] = at;
    if (head >= 0) words[head * stride + previous] = slot;
    this.#heads[at] = slot;
  }

  remove(slot: number): void {
    const { words, stride, next, previous, bucket } = this.#links;
    const base = slot * stride;
    const after = words[base + next]!;
    const before = words[base + previous]!;
    if (after >= 0) words[after * stride + previous] = before;
    if (before >= 0) words[before * stride + next] = after;
    else this.#heads[words[base + bucket]!] = after;
  }

  /**
   * Takes the next slot that is due at `now` (microseconds) out of the wheel; -1 if none is. The
   * caller ends the flow or adds it again.
   */
  due(now: number): number {
    const target = Math.floor(now / second);
    if (!this.#begun || target - this.#tick > this.#mask) this.#tick = target - this.#mask - 1;
    this.#begun = true;
    while (this.#tick < target) {
      const slot = this.#heads[(this.#tick + 1) & this.#mask]!;
      if (slot >= 0) {
        this.remove(slot);
        return slot;
      }
      this.#tick++;
    }
    return -1;
  }

  /** The slot that would be due first, wherever that is; -1 if the wheel is empty. Stays in. */
  first(): number {
    for (let step = 1; step <= this.#mask + 1; step++) {
      const slot = this.#heads[(this.#tick + step) & this.#mask]!;
      if (slot >= 0) return slot;
    }
    return -1;
  }

  /** True when `due` could have work: the second of `now` is new. */
  turned(now: number): boolean {
    return !this.#begun || now >= (this.#tick + 1) * second;
  }
}
