// A fixed pool of small records in one Int32Array, addressed by the word where a record begins.
// Reserved once; records never touched cost no memory. Word 0 of a free record links the free list.

export class Slots {
  readonly words: Int32Array;
  /** The same memory as float64: word offset `at` (even) is element `at >> 1`. */
  readonly doubles: Float64Array;
  readonly stride: number;
  readonly capacity: number;
  #free = -1;
  #fresh = 0;
  used = 0;

  /** `stride` words a record, even so that doubles fit. */
  constructor(capacity: number, stride: number) {
    const buffer = new ArrayBuffer(capacity * stride * 4);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.stride = stride;
    this.capacity = capacity;
  }

  /** First word of a zeroed record, or -1 when all are in use. */
  take(): number {
    let at = this.#free;
    if (at >= 0) {
      this.#free = this.words[at]!;
      // A loop: for so few words a call of `fill` costs more than it writes.
      for (let i = 0; i < this.stride; i++) this.words[at + i] = 0;
    } else if (this.#fresh < this.capacity) {
      at = this.#fresh++ * this.stride;
    } else {
      return -1;
    }
    this.used++;
    return at;
  }

  give(at: number): void {
    this.words[at] = this.#free;
    this.#free = at;
    this.used--;
  }
}
