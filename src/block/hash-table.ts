// Row numbers by the hash of something in the row. What is looked for is told by the caller, who
// has the rows.

/** Rows by a hash of something in them: open addressing, 16 bytes an entry at most. */
export class HashTable {
  /** Row + 1; 0 is empty, -1 was removed. */
  #cells = new Int32Array(1024);
  #hashes = new Int32Array(1024);
  #filled = 0;
  #live = 0;

  get bytes(): number {
    return this.#cells.byteLength * 2;
  }

  find(hash: number, isIt: (row: number) => boolean): number {
    const mask = this.#cells.length - 1;
    for (let at = hash & mask; this.#cells[at] !== 0; at = (at + 1) & mask) {
      const cell = this.#cells[at]!;
      if (cell > 0 && this.#hashes[at] === hash && isIt(cell - 1)) return cell - 1;
    }
    return -1;
  }

  /** Every row of a hash. */
  each(hash: number, visit: (row: number) => void): void {
    const mask = this.#cells.length - 1;
    for (let at = hash & mask; this.#cells[at] !== 0; at = (at + 1) & mask) {
      const cell = this.#cells[at]!;
      if (cell > 0 && this.#hashes[at] === hash) visit(cell - 1);
    }
  }

  add(hash: number, row: number): void {
    if ((this.#filled + 1) * 2 > this.#cells.length) this.#grow();
    const mask = this.#cells.length - 1;
    let at = hash & mask;
    while (this.#cells[at] !== 0) at = (at + 1) & mask;
    this.#cells[at] = row + 1;
    this.#hashes[at] = hash;
    this.#filled += 1;
    this.#live += 1;
  }

  remove(hash: number, row: number): void {
    const mask = this.#cells.length - 1;
    let at = hash & mask;
    while (this.#cells[at] !== row + 1) at = (at + 1) & mask;
    this.#cells[at] = -1;
    this.#live -= 1;
  }

  /** Twice the room if it is needed, and nothing that was removed. */
  #grow(): void {
    const cells = this.#cells;
    const hashes = this.#hashes;
    const size = this.#live * 4 > cells.length ? cells.length * 2 : cells.length;
    this.#cells = new Int32Array(size);
    this.#hashes = new Int32Array(size);
    this.#filled = 0;
    this.#live = 0;
    for (let at = 0; at < cells.length; at++) {
      if (cells[at]! > 0) this.add(hashes[at]!, cells[at]! - 1);
    }
  }
}
