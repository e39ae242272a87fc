// The byte pool behind the fragment store: pages of 2 KiB with one bit for each 8 bytes that are
// there. All fragments of IP begin at multiples of 8, and all but a datagram's last end there. It
// does not know which datagram a page belongs to.

/** Bytes of a page. */
export const pageBytes = 2048;
/** 32-bit words of a page's map: one bit for each unit of 8 bytes. */
const mapWords = 8;

/** A fixed pool of pages; nothing is allocated after the constructor. */
export class FragmentPages {
  readonly #area: Buffer;
  readonly #map: Int32Array;
  readonly #free: Int32Array;
  #freeCount: number;

  constructor(pages: number) {
    this.#area = Buffer.alloc(pages * pageBytes);
    this.#map = new Int32Array(pages * mapWords);
    this.#free = new Int32Array(pages);
    for (let page = 0; page < pages; page += 1) this.#free[page] = pages - 1 - page;
    this.#freeCount = pages;
  }

  /** Pages in use. */
  get used(): number {
    return this.#free.length - this.#freeCount;
  }

  /** An empty page, or -1 when all are in use. */
  take(): number {
    if (this.#freeCount === 0) return -1;
    this.#freeCount -= 1;
    const page = this.#free[this.#freeCount]!;
    this.#map.fill(0, page * mapWords, (page + 1) * mapWords);
    return page;
  }

  /** Gives a page back. */
  give(page: number): void {
    this.#free[this.#freeCount] = page;
    this.#freeCount += 1;
  }

  /**
   * Puts bytes [from, to) at place `at`: the page's number times `pageBytes`, plus the byte in the
   * page (a multiple of 8; the range must end in the page). What is there already stays and must be
   * equal. Gives the number of units that were new, or -1 when bytes differ.
   */
  put(at: number, bytes: Buffer, from: number, to: number): number {
    let unit = at >>> 3;
    let source = from;
    let fresh = 0;
    while (source < to) {
      const end = Math.min(source + 8, to);
      const word = unit >>> 5;
      const bit = 1 << (unit & 31);
      if ((this.#map[word]! & bit) === 0) {
        this.#map[word] = this.#map[word]! | bit;
        fresh += 1;
        this.#copyUnit(unit, bytes, source, end);
      } else if (!this.#sameUnit(unit, bytes, source, end)) {
        return -1;
      }
      source = end;
      unit += 1;
    }
    return fresh;
  }

  #copyUnit(unit: number, bytes: Buffer, from: number, to: number): void {
    const area = this.#area;
    const shift = unit * 8 - from;
    for (let at = from; at < to; at += 1) area[at + shift] = bytes[at]!;
  }

  #sameUnit(unit: number, bytes: Buffer, from: number, to: number): boolean {
    const area = this.#area;
    const shift = unit * 8 - from;
    for (let at = from; at < to; at += 1) if (area[at + shift] !== bytes[at]) return false;
    return true;
  }

  /** Copies the first `length` bytes of a page to `out` at `at`. */
  copy(page: number, out: Buffer, at: number, length: number): void {
    const start = page * pageBytes;
    this.#area.copy(out, at, start, start + length);
  }
}
