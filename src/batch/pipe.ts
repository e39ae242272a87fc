// The way of rows from a worker to the main thread: a ring of portions in shared memory, one writer
// and one reader. A portion is what a `RowSink` is given. The writer never waits unless it asks to;
// what to do when there is no room is its owner's choice.

/** Words of the head: units written and read so far, modulo 2 to the 32. */
const Word = { written: 0, read: 1 } as const;
const headBytes = 64;
/** Everything is counted in units of 8 bytes; a portion begins with one that holds its length. */
const unit = 8;
/** The length of a portion that says: nothing more before the ring begins anew. */
const wrap = -1;

/** Memory for a ring of at least `bytes`, in which any portion with its length has room. */
export function openPipeMemory(bytes: number, portionMax: number): SharedArrayBuffer {
  // A portion that does not fit before the end of the ring wastes what is left there.
  const least = Math.max(bytes, 2 * (portionMax + unit));
  return new SharedArrayBuffer(headBytes + 2 ** Math.ceil(Math.log2(least)));
}

/** One end of the ring; a thread uses either the writer's methods or the reader's. */
export class RowPipe {
  /** The ring as bytes, int32 and float64; a portion's rows are at `from` while one is there. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly #head: Int32Array;
  readonly #units: number;
  /** Where the portion at hand lies in the ring, bytes. */
  from = 0;
  /** The writer's last area and a view of it. */
  #area: ArrayBuffer | null = null;
  #source = new Uint8Array(0);

  constructor(memory: SharedArrayBuffer) {
    this.#head = new Int32Array(memory, 0, headBytes / 4);
    this.bytes = new Uint8Array(memory, headBytes);
    this.words = new Int32Array(memory, headBytes);
    this.doubles = new Float64Array(memory, headBytes);
    this.#units = this.bytes.length / unit;
  }

  /** Writer: puts `length` bytes of rows into the ring; false if there is no room now. */
  write(area: ArrayBuffer, length: number): boolean {
    const need = 1 + length / unit;
    const written = this.#head[Word.written]!;
    const used = (written - Atomics.load(this.#head, Word.read)) >>> 0;
    const at = (written >>> 0) & (this.#units - 1);
    const rest = this.#units - at;
    const skip = need > rest ? rest : 0;
    if (used + skip + need > this.#units) return false;
    if (skip > 0) this.words[at * 2] = wrap;
    const start = skip > 0 ? 0 : at;
    this.words[start * 2] = length;
    if (this.#area !== area) this.#openView(area);
    // allocates: a view per portion
    this.bytes.set(this.#source.subarray(0, length), (start + 1) * unit);
    Atomics.store(this.#head, Word.written, (written + skip + need) | 0);
    return true;
  }

  /** Writer: waits until the reader has given something back, for at most `ms`. */
  wait(ms: number): void {
    const read = Atomics.load(this.#head, Word.read);
    if (read !== this.#head[Word.written]!) Atomics.wait(this.#head, Word.read, read, ms);
  }

  /** Reader: bytes of the next portion, whose rows are at `from`; 0 if there is none. */
  peek(): number {
    const written = Atomics.load(this.#head, Word.written);
    let read = this.#head[Word.read]!;
    if (read === written) return 0;
    let at = (read >>> 0) & (this.#units - 1);
    if (this.words[at * 2] === wrap) {
      read = (read + this.#units - at) | 0;
      Atomics.store(this.#head, Word.read, read);
      at = 0;
    }
    this.from = (at + 1) * unit;
    return this.words[at * 2]!;
  }

  /** Reader: the portion at hand, of `length` bytes, was read and its place is free. */
  release(length: number): void {
    const read = this.#head[Word.read]! + 1 + length / unit;
    Atomics.store(this.#head, Word.read, read | 0);
    Atomics.notify(this.#head, Word.read);
  }

  #openView(area: ArrayBuffer): void {
    this.#area = area;
    this.#source = new Uint8Array(area);
  }
}
