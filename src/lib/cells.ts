// Short byte strings in chains of fixed cells: what the packet plane keeps of names and lines. A
// chain is three words in somebody's record: first cell, last cell (-1: none), length in bytes.
//
//   words[at]  first --> [64 bytes] --> [64 bytes] --> [17 bytes used]
//   words[at + 1] last ----------------------------------^     words[at + 2] length 145

export const cellBytes = 64;

export class Cells {
  readonly capacity: number;
  readonly bytes: Buffer;
  readonly #next: Int32Array;
  #free = -1;
  #fresh = 0;
  used = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.bytes = Buffer.from(new ArrayBuffer(capacity * cellBytes));
    this.#next = new Int32Array(capacity);
  }

  /** Bytes that a pool of `capacity` cells reserves. */
  static size(capacity: number): number {
    return capacity * (cellBytes + 4);
  }

  /** Makes the chain at `at` an empty one. */
  static clear(words: Int32Array, at: number): void {
    words[at] = -1;
    words[at + 1] = -1;
    words[at + 2] = 0;
  }

  /** Appends bytes to a chain; false when no cell was left (what fitted stays). */
  keep(words: Int32Array, at: number, bytes: Uint8Array, from: number, to: number): boolean {
    let length = words[at + 2]!;
    let target = this.#end(words[at + 1]!, length);
    for (let i = from; i < to; i++) {
      if ((length & (cellBytes - 1)) === 0) {
        const cell = this.#take();
        if (cell < 0) {
          words[at + 2] = length;
          return false;
        }
        if (length === 0) words[at] = cell;
        else this.#next[words[at + 1]!] = cell;
        words[at + 1] = cell;
        target = cell * cellBytes;
      }
      this.bytes[target++] = bytes[i]!;
      length++;
    }
    words[at + 2] = length;
    return true;
  }

  /** Copies a chain to `target`, which has room; gives the end of the copy. */
  copy(words: Int32Array, at: number, target: Uint8Array, to: number): number {
    let cell = words[at]!;
    let left = words[at + 2]!;
    let end = to;
    while (left > 0) {
      const from = cell * cellBytes;
      const n = Math.min(left, cellBytes);
      for (let i = 0; i < n; i++) target[end + i] = this.bytes[from + i]!;
      end += n;
      left -= n;
      cell = this.#next[cell]!;
    }
    return end;
  }

  /** Gives a chain's cells back and empties it. */
  release(words: Int32Array, at: number): void {
    const first = words[at]!;
    if (first >= 0 && words[at + 2]! > 0) {
      this.used -= Math.ceil(words[at + 2]! / cellBytes);
      this.#next[words[at + 1]!] = this.#free;
      this.#free = first;
    }
    Cells.clear(words, at);
  }

  #end(last: number, length: number): number {
    return last * cellBytes + (length & (cellBytes - 1));
  }

  #take(): number {
    const cell = this.#free;
    if (cell >= 0) {
      this.#free = this.#next[cell]!;
    } else if (this.#fresh < this.capacity) {
      this.used++;
      return this.#fresh++;
    } else {
      return -1;
    }
    this.used++;
    return cell;
  }
}
