// The segments that wait in a direction: a list of pages in stream order, without overlap. What is
// kept of overlapping copies is drawn in reassemble.ts.

import { seqAdd, seqDiff } from '../lib/seq.js';
import type { FlowCounters } from './counters.js';
import type { PagePool } from './pages.js';
import { pageBytes } from './pages.js';
import { Chunk } from './sink.js';
import { type FlowTable, H } from './table.js';

/** Bytes that are shown at once to a sink that waits: a window without scaling. */
const gatherMax = 65536;

/** How long to wait for bytes that may still come. Packets are the flow's own. */
export const patience = {
  /** A hole that the other side acknowledged: only a late copy can fill it. */
  acknowledgedPackets: 16,
  acknowledged: 300e3,
  /** Nothing is known of the other side. */
  oneSided: 3e6,
  /** Lost on its way and to be sent again (RFC 6298 backs off to a minute). */
  network: 30e6,
  /** Pages a direction may hold before it must give way. */
  pages: 128,
} as const;

export class Waiting {
  readonly #table: FlowTable;
  readonly #pages: PagePool;
  readonly #counters: FlowCounters;
  /** Waiting bytes in one piece, for a sink that waits. */
  readonly #gathered = Buffer.alloc(gatherMax + 8);
  /** The segment that `store` takes; the fields of a chunk, `missing` is what the capture cut. */
  readonly segment = new Chunk();

  constructor(table: FlowTable, pages: PagePool, counters: FlowCounters) {
    this.#table = table;
    this.#pages = pages;
    this.#counters = counters;
  }

  /** Gives the first page back. */
  pop(half: number): void {
    const w = this.#table.words;
    const page = w[half + H.pages]!;
    w[half + H.pages] = this.#pages.next(page);
    w[half + H.pageCount]!--;
    this.#pages.give(page);
  }

  /** Number behind the bytes that are there without a hole, delivered or waiting for the sink. */
  extent(half: number): number {
    const w = this.#table.words;
    const pages = this.#pages;
    let end = w[half + H.next]!;
    for (let page = w[half + H.pages]!; page >= 0; page = pages.next(page)) {
      if (seqDiff(pages.seq(page), end) > 0) break;
      end = seqAdd(pages.seq(page), pages.length(page) - pages.skip(page));
    }
    return end;
  }

  /**
   * What the sink waits with may decide what it is: it sees all that stands behind one another and
   * was sent with one acknowledgement, however it was cut into segments.
   */
  gather(first: number, chunk: Chunk): void {
    const pages = this.#pages;
    let end = seqAdd(pages.seq(first), chunk.to - chunk.from);
    let next = pages.next(first);
    if (next < 0 || pages.seq(next) !== end || pages.ack(next) !== chunk.ack) return;
    let used = pages.bytes.copy(this.#gathered, 0, chunk.from, chunk.to);
    for (; next >= 0; next = pages.next(next)) {
      const length = pages.length(next) - pages.skip(next);
      if (pages.seq(next) !== end || pages.ack(next) !== chunk.ack) break;
      if (used + length > gatherMax) break;
      const from = pages.base(next) + pages.skip(next);
      used += pages.bytes.copy(this.#gathered, used, from, from + length);
      end = seqAdd(end, length);
    }
    chunk.bytes = this.#gathered;
    chunk.from = 0;
    chunk.to = used;
  }

  /**
   * Puts the segment's bytes between those that wait. True if bytes that both have differ.
   */
  store(half: number): boolean {
    const pages = this.#pages;
    const s = this.segment;
    let differs = false;
    let previous = -1;
    let page = this.#table.words[half + H.pages]!;
    while (s.from < s.to) {
      const ahead = page < 0 ? s.to - s.from : seqDiff(pages.seq(page), s.seq);
      if (ahead > 0) {
        const count = Math.min(ahead, s.to - s.from);
        previous = this.#put(half, previous, count);
        if (previous < 0) return differs;
        continue;
      }
      const end = pages.length(page) - pages.skip(page) + ahead;
      if (end > 0 && this.#drop(page, -ahead, Math.min(end, s.to - s.from))) differs = true;
      previous = page;
      page = pages.next(page);
    }
    if (s.missing === 0 || previous < 0) return differs;
    const end = seqAdd(pages.seq(previous), pages.length(previous) - pages.skip(previous));
    if (end === s.seq) pages.setCut(previous, s.missing);
    return differs;
  }

  /** Skips `count` bytes that the page has already, `at` bytes into it; true if they differ. */
  #drop(page: number, at: number, count: number): boolean {
    const s = this.segment;
    const bytes = this.#pages.bytes;
    const start = this.#pages.base(page) + this.#pages.skip(page) + at;
    const differs = s.bytes.compare(bytes, start, start + count, s.from, s.from + count) !== 0;
    s.from += count;
    s.seq = seqAdd(s.seq, count);
    return differs;
  }

  /** Copies `count` bytes of the segment into pages behind `previous`; the last page, or -1. */
  #put(half: number, previous: number, count: number): number {
    const w = this.#table.words;
    const pages = this.#pages;
    const s = this.segment;
    let last = previous;
    let left = count;
    while (left > 0) {
      const page = pages.take();
      if (page < 0) {
        this.#counters.pagesExhausted++;
        return -1;
      }
      const n = Math.min(left, pageBytes);
      pages.set(page, s.seq, n, s.ack, s.time);
      s.bytes.copy(pages.bytes, pages.base(page), s.from, s.from + n);
      pages.setNext(page, last < 0 ? w[half + H.pages]! : pages.next(last));
      if (last < 0) w[half + H.pages] = page;
      else pages.setNext(last, page);
      w[half + H.pageCount]!++;
      last = page;
      left -= n;
      s.from += n;
      s.seq = seqAdd(s.seq, n);
    }
    return last;
  }
}
