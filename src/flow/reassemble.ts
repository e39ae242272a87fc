// Ordered bytes per direction. Segments that fit are handed on from where they lie; others wait in
// pages. Two things make a segment wait:
//
//   a hole       next ....[hole]....[segment]      bytes before it were not seen yet
//   causality    its acknowledgement covers bytes of the other side that were not delivered yet
//                (a mirror may show the answer before the question), or the sink waits for them
//
// Overlap, first copy wins; w is what waits already, n the new segment, - what is kept of it:
//
//   w    |=======|         |====|  |===|          n bytes already delivered or waiting are dropped;
//   n  |------=======--------====-------|         where both have bytes and they differ, the
//        kept    dropped  kept   dropped          connection gets the anomaly overlap-conflict
//
// A hole is declared lost when the other side acknowledged it and patience is over, or when nothing
// can be hoped for any more. Nothing here knows what the bytes mean.

import type { Packet } from '../decode/packet.js';
import { seqAdd, seqDiff } from '../lib/seq.js';
import { rstAheadMax } from './control.js';
import type { FlowCounters } from './counters.js';
import type { PagePool } from './pages.js';
import { Chunk, FlowAnomaly, type StreamSink } from './sink.js';
import { F, type FlowTable, H, S, Words } from './table.js';
import { patience, Waiting } from './waiting.js';

/** A distance above this is a stray or forged number, not a window (RFC 7323 allows 2^30). */
const distanceMax = 1 << 25;

export class Reassembler {
  readonly #table: FlowTable;
  readonly #pages: PagePool;
  readonly #sink: StreamSink;
  readonly #counters: FlowCounters;
  readonly #waiting: Waiting;
  readonly #chunk = new Chunk();
  /** Time of the packet at hand. */
  now = 0.5;

  constructor(table: FlowTable, pages: PagePool, sink: StreamSink, counters: FlowCounters) {
    this.#table = table;
    this.#pages = pages;
    this.#sink = sink;
    this.#counters = counters;
    this.#waiting = new Waiting(table, pages, counters);
  }

  /** Takes the payload of a packet that `side` sent; `seq` is the number of its first byte. */
  accept(slot: number, side: number, p: Packet, seq: number): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const half = b + F.halves + side * Words.half;
    const ahead = seqDiff(seq, w[half + H.next]!);
    if ((w[b + F.state]! & S.opaque) !== 0) {
      this.#count(slot, half, ahead, p.payloadLength);
      return;
    }
    let from = p.payloadFrom;
    if (ahead === 0 && this.#isFirst(b, side, p) && this.#awaited(b, side, p.ack) === 0) {
      from = this.#hand(slot, side, p);
      if (from < 0) return;
      if (from === p.payloadTo) {
        const cut = p.payloadLength - (p.payloadTo - p.payloadFrom);
        if (cut > 0) this.#cutOff(slot, side, cut);
        const other = b + F.halves + (1 - side) * Words.half;
        if (w[other + H.pages]! >= 0 || w[half + H.pages]! >= 0) this.#advance(slot);
        return;
      }
    } else if (ahead > distanceMax || ahead + p.payloadLength <= 0) {
      if (ahead > distanceMax || ahead < -distanceMax) this.#counters.outOfWindow++;
      return;
    }
    this.#keep(slot, side, p, from, seq);
  }

  /**
   * Takes the next bytes of a side of a flow in which nothing waits: what `accept` does, without
   * asking for what the caller knows.
   */
  next(slot: number, side: number, p: Packet): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const other = b + F.halves + (1 - side) * Words.half;
    const whole = p.payloadTo - p.payloadFrom === p.payloadLength;
    const heard = seqDiff(p.ack, w[other + H.next]!) <= 0;
    if (!whole || !heard || (w[b + F.state]! & S.opaque) !== 0) {
      this.accept(slot, side, p, p.seq);
      return;
    }
    const read = this.#hand(slot, side, p);
    if (read >= 0 && read !== p.payloadTo) this.#keep(slot, side, p, read, p.seq);
  }

  /** Hands a packet's payload to the sink from where it lies; gives how far it was read. */
  #hand(slot: number, side: number, p: Packet): number {
    const chunk = this.#chunk;
    chunk.bytes = p.bytes;
    chunk.from = p.payloadFrom;
    chunk.to = p.payloadTo;
    chunk.ack = p.ack;
    chunk.time = p.time;
    return this.#deliver(slot, side);
  }

  /** Whether nothing of the side waits, but what lies behind this whole segment. */
  #isFirst(b: number, side: number, p: Packet): boolean {
    const w = this.#table.words;
    const half = b + F.halves + side * Words.half;
    const page = w[half + H.pages]!;
    if (page < 0) return true;
    const end = seqAdd(w[half + H.next]!, p.payloadTo - p.payloadFrom);
    return seqDiff(this.#pages.seq(page), end) >= 0;
  }

  /** Called with every packet of a flow that waits: gives way when patience is over. */
  impatient(slot: number): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const waited = this.now - this.#table.doubles[(b + F.stuckTime) >> 1]!;
    const packets = w[b + F.packets]! - w[b + F.stuckPackets]!;
    const both = (w[b + F.state]! & (S.seen * 3)) === S.seen * 3;
    const full = this.#isFull(slot);
    const hard = full || waited >= (both ? patience.network : patience.oneSided);
    const soft = packets >= patience.acknowledgedPackets || waited >= patience.acknowledged;
    if (hard || soft) {
      if (this.#giveWay(slot, hard)) this.#advance(slot);
      // One step more than there are pages: a sink that does not read on is not asked for ever.
      for (let left = patience.pages + 1; left > 0 && this.#isFull(slot); left--) {
        if (!this.#giveWay(slot, true)) break;
        this.#advance(slot);
      }
    }
    this.#note(slot);
  }

  #isFull(slot: number): boolean {
    const w = this.#table.words;
    const halves = slot * Words.flow + F.halves;
    return (
      w[halves + H.pageCount]! > patience.pages ||
      w[halves + Words.half + H.pageCount]! > patience.pages
    );
  }

  /** Delivers everything that waits, declaring what is missing; for the end of a flow. */
  finish(slot: number): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    for (let round = 0; round < 4 * patience.pages + 64; round++) {
      const halves = b + F.halves;
      if (w[halves + H.pages]! < 0 && w[halves + Words.half + H.pages]! < 0) break;
      this.#giveWay(slot, true);
      this.#advance(slot);
    }
    this.#acknowledgedTail(slot, 0);
    this.#acknowledgedTail(slot, 1);
    this.#beforeRst(slot);
    this.release(slot);
  }

  /** Gives all pages of a flow back. */
  release(slot: number): void {
    const w = this.#table.words;
    for (let side = 0; side < 2; side++) {
      const half = slot * Words.flow + F.halves + side * Words.half;
      while (w[half + H.pages]! >= 0) this.#waiting.pop(half);
    }
    w[slot * Words.flow + F.state]! &= ~S.stuck;
  }

  /** At the end, bytes that one side acknowledged and we never saw were lost too. */
  #acknowledgedTail(slot: number, side: number): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const state = w[b + F.state]!;
    if ((state & S.opaque) !== 0 || (state & (S.seen << side)) === 0) return;
    const other = b + F.halves + (1 - side) * Words.half;
    if ((state & (S.acked << (1 - side))) === 0) return;
    const missing = this.#awaited(b, 1 - side, w[other + H.ack]!);
    if (missing > 0) this.#gap(slot, side, missing);
  }

  /** A RST stands behind the last byte that its sender sent: what is missing there is lost. */
  #beforeRst(slot: number): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const state = w[b + F.state]!;
    if ((state & S.rst) === 0) return;
    const side = (state & S.rstByServer) !== 0 ? 1 : 0;
    if ((state & (S.opaque | (S.fin << side))) !== 0) return;
    const missing = seqDiff(w[b + F.rstSeq]!, w[b + F.halves + side * Words.half + H.next]!);
    if (missing > 0 && missing < rstAheadMax) this.#gap(slot, side, missing);
  }

  /** What waits of a stream that nobody reads any more was sent all the same. */
  #countWaiting(slot: number, side: number): void {
    const pages = this.#pages;
    const half = slot * Words.flow + F.halves + side * Words.half;
    let page = this.#table.words[half + H.pages]!;
    for (; page >= 0; page = pages.next(page)) {
      const length = pages.length(page) - pages.skip(page);
      const ahead = seqDiff(pages.seq(page), this.#table.words[half + H.next]!);
      this.#count(slot, half, ahead, length);
    }
  }

  /** Streams that nobody reads: how far they went. */
  #count(slot: number, half: number, ahead: number, length: number): void {
    const fresh = ahead + length;
    if (fresh <= 0 || ahead > distanceMax) return;
    const w = this.#table.words;
    w[half + H.next] = seqAdd(w[half + H.next]!, fresh);
    this.#table.doubles[(half + H.bytes) >> 1]! += Math.min(fresh, length);
    this.#table.words[slot * Words.flow + F.state]! &= ~S.stuck;
  }

  /** Bytes of the other side that `side` acknowledged and we have not seen; 0 if none. */
  #awaited(b: number, side: number, ack: number): number {
    const w = this.#table.words;
    const state = w[b + F.state]!;
    const other = 1 - side;
    if ((state & (S.seen << other)) === 0) return 0;
    const half = b + F.halves + other * Words.half;
    const missing = seqDiff(ack, w[half + H.next]!);
    if (missing <= 0 || missing > distanceMax) return 0;
    // An acknowledged FIN counts one (RFC 9293 section 3.4), and is no byte.
    const fin = (state & (S.fin << other)) !== 0 && seqDiff(ack, w[half + H.fin]!) === 1 ? 1 : 0;
    if ((state & (S.waits << other)) === 0) return missing - fin;
    // They are there, and the sink will not read them before it has heard this side.
    return Math.max(0, seqDiff(ack, this.#waiting.extent(half)) - fin);
  }

  /** Hands the chunk's range to the sink, as the next of its side; gives how far it was read. */
  #deliver(slot: number, side: number): number {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const half = b + F.halves + side * Words.half;
    const chunk = this.#chunk;
    const from = chunk.from;
    chunk.session = w[b + F.session]!;
    chunk.dir = side;
    chunk.seq = w[half + H.next]!;
    chunk.sides = w[b + F.state]! & 3;
    const read = this.#sink.data(chunk);
    const count = (read < 0 ? chunk.to : read) - from;
    if (read === chunk.to) w[b + F.state]! &= ~(S.waits << side);
    else w[b + F.state]! |= S.waits << side;
    w[half + H.next] = seqAdd(w[half + H.next]!, count);
    this.#table.doubles[(half + H.bytes) >> 1]! += count;
    if (read < 0) {
      w[b + F.state]! |= S.opaque;
      this.#countWaiting(slot, 0);
      this.#countWaiting(slot, 1);
      this.release(slot);
    }
    return read;
  }

  #gap(slot: number, side: number, missing: number): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const half = b + F.halves + side * Words.half;
    this.#counters.gaps++;
    this.#counters.gapBytes += missing;
    if ((w[b + F.state]! & 3) === 3) this.#counters.unseenBytes += missing;
    const chunk = this.#chunk;
    chunk.session = w[b + F.session]!;
    chunk.dir = side;
    chunk.seq = w[half + H.next]!;
    chunk.missing = missing;
    chunk.time = this.now;
    chunk.sides = w[b + F.state]! & 3;
    w[half + H.next] = seqAdd(w[half + H.next]!, missing);
    if (chunk.session >= 0) this.#sink.gap(chunk);
    this.#restart(b);
  }

  /** Patience begins anew with every step forward. */
  #restart(b: number): void {
    this.#table.doubles[(b + F.stuckTime) >> 1] = this.now;
    this.#table.words[b + F.stuckPackets] = this.#table.words[b + F.packets]!;
  }

  /** Marks the flow as waiting or not. */
  #note(slot: number): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const waits = w[b + F.halves + H.pages]! >= 0 || w[b + F.halves + Words.half + H.pages]! >= 0;
    const state = w[b + F.state]!;
    if (!waits) {
      w[b + F.state] = state & ~S.stuck;
    } else if ((state & S.stuck) === 0) {
      w[b + F.state] = state | S.stuck;
      this.#restart(b);
    }
  }

  /** Delivers what waits, in both directions, until nothing moves. */
  #advance(slot: number): void {
    let moved = true;
    while (moved) {
      moved = this.#drain(slot, 0);
      if (this.#drain(slot, 1)) moved = true;
    }
    this.#note(slot);
  }

  #drain(slot: number, side: number): boolean {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const half = b + F.halves + side * Words.half;
    let moved = false;
    for (;;) {
      const page = w[half + H.pages]!;
      if (page < 0) return moved;
      const ahead = seqDiff(this.#pages.seq(page), w[half + H.next]!);
      if (ahead > 0) return moved;
      if (ahead < 0) this.#skipDelivered(page, -ahead);
      if (this.#awaited(b, side, this.#pages.ack(page)) > 0) return moved;
      const before = w[half + H.next]!;
      if (!this.#read(slot, side, page)) return moved || w[half + H.next] !== before;
      this.#restart(b);
      moved = true;
    }
  }

  /** Hands a page to the sink; false when the sink wants to wait before its end. */
  #read(slot: number, side: number, page: number): boolean {
    const pages = this.#pages;
    const b = slot * Words.flow;
    const half = b + F.halves + side * Words.half;
    const chunk = this.#chunk;
    const waits = (this.#table.words[b + F.state]! & (S.waits << side)) !== 0;
    chunk.bytes = pages.bytes;
    chunk.from = pages.base(page) + pages.skip(page);
    chunk.to = pages.base(page) + pages.length(page);
    chunk.ack = pages.ack(page);
    chunk.time = pages.time(page);
    if (chunk.from === chunk.to) {
      this.#consume(slot, side, 0);
      return true;
    }
    if (waits) this.#waiting.gather(page, chunk);
    const from = chunk.from;
    const to = chunk.to;
    const read = this.#deliver(slot, side);
    if (read < 0) return true;
    this.#consume(slot, side, read - from);
    return read === to || this.#table.words[half + H.pages]! < 0;
  }

  /** Takes `count` bytes that were read off the pages at the head, and pages that are through. */
  #consume(slot: number, side: number, count: number): void {
    const w = this.#table.words;
    const pages = this.#pages;
    const half = slot * Words.flow + F.halves + side * Words.half;
    let left = count;
    for (let page = w[half + H.pages]!; page >= 0; page = w[half + H.pages]!) {
      const length = pages.length(page) - pages.skip(page);
      if (length > left) {
        if (left > 0) pages.advance(page, left);
        return;
      }
      left -= length;
      const cut = pages.cut(page);
      this.#waiting.pop(half);
      if (cut > 0) this.#cutOff(slot, side, cut);
      if (left === 0) return;
    }
  }

  /** The capture cut `cut` bytes off a segment; another copy of some of them may wait. */
  #cutOff(slot: number, side: number, cut: number): void {
    const w = this.#table.words;
    const half = slot * Words.flow + F.halves + side * Words.half;
    const page = w[half + H.pages]!;
    const ahead = page < 0 ? cut : seqDiff(this.#pages.seq(page), w[half + H.next]!);
    const missing = Math.min(cut, ahead);
    if (missing > 0) this.#gap(slot, side, missing);
  }

  #skipDelivered(page: number, count: number): void {
    const left = this.#pages.length(page) - this.#pages.skip(page);
    this.#pages.advance(page, Math.min(count, left));
  }

  /** One step past whatever blocks: a lost hole, a lost answer, or (hard) anything. */
  #giveWay(slot: number, hard: boolean): boolean {
    // The fuller side first, or its backlog could grow in the shade of the other's.
    const halves = slot * Words.flow + F.halves;
    const w = this.#table.words;
    const fuller = w[halves + Words.half + H.pageCount]! > w[halves + H.pageCount]! ? 1 : 0;
    if (this.#giveWaySide(slot, fuller, hard)) return true;
    if (this.#giveWaySide(slot, 1 - fuller, hard)) return true;
    return this.#breakCircle(slot, hard);
  }

  /**
   * Both sides claim to have seen what the other has not sent: a retransmission carries the newest
   * acknowledgement, or a stranger any. The one that claims less is nearer to the truth.
   */
  #breakCircle(slot: number, hard: boolean): boolean {
    const w = this.#table.words;
    const b = slot * Words.flow;
    let nearest = -1;
    let least = 0;
    for (let side = 0; side < 2; side++) {
      const half = b + F.halves + side * Words.half;
      const page = w[half + H.pages]!;
      if (page < 0) {
        if (hard) continue;
        return false;
      }
      if (this.#pages.seq(page) !== w[half + H.next]) return false;
      const awaited = this.#awaited(b, side, this.#pages.ack(page));
      if (nearest >= 0 && awaited >= least) continue;
      nearest = side;
      least = awaited;
    }
    if (nearest < 0) return false;
    const page = w[b + F.halves + nearest * Words.half + H.pages]!;
    if (!this.#read(slot, nearest, page)) this.#sink.force(this.#session(slot), nearest);
    return true;
  }

  #giveWaySide(slot: number, side: number, hard: boolean): boolean {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const half = b + F.halves + side * Words.half;
    const page = w[half + H.pages]!;
    if (page < 0) return false;
    const other = b + F.halves + (1 - side) * Words.half;
    const hole = seqDiff(this.#pages.seq(page), w[half + H.next]!);
    if (hole > 0) {
      const acked =
        (w[b + F.state]! & (S.acked << (1 - side))) === 0
          ? 0
          : seqDiff(w[other + H.ack]!, w[half + H.next]!);
      const lost = hard || acked >= hole ? hole : acked;
      if (lost <= 0 || lost > distanceMax) return false;
      this.#gap(slot, side, lost);
      return true;
    }
    const awaited = this.#awaited(b, side, this.#pages.ack(page));
    if (awaited > 0) {
      const otherPage = w[other + H.pages]!;
      const ack = this.#pages.ack(page);
      if (otherPage >= 0 && seqDiff(this.#pages.seq(otherPage), ack) < 0) return false;
      this.#gap(slot, 1 - side, awaited);
      return true;
    }
    if (this.#answeredUnseen(slot, side)) return true;
    if (!hard) return false;
    // What the sink was not offered yet it is offered first.
    const waits = (w[b + F.state]! & (S.waits << side)) !== 0;
    if (waits) this.#sink.force(this.#session(slot), side);
    else this.#read(slot, side, page);
    return true;
  }

  /** The sink waits for an answer that, as later segments acknowledge it, came and was not seen. */
  #answeredUnseen(slot: number, side: number): boolean {
    const w = this.#table.words;
    const pages = this.#pages;
    const b = slot * Words.flow;
    if (w[b + F.halves + (1 - side) * Words.half + H.pages]! >= 0) return false;
    let missing = 0;
    let page = w[b + F.halves + side * Words.half + H.pages]!;
    for (; page >= 0; page = pages.next(page)) {
      missing = Math.max(missing, this.#awaited(b, side, pages.ack(page)));
    }
    if (missing > 0) this.#gap(slot, 1 - side, missing);
    return missing > 0;
  }

  #session(slot: number): number {
    return this.#table.words[slot * Words.flow + F.session]!;
  }

  /** Stores what of the packet's payload from `from` on is not delivered yet, then moves on. */
  #keep(slot: number, side: number, p: Packet, from: number, seq: number): void {
    const w = this.#table.words;
    const half = slot * Words.flow + F.halves + side * Words.half;
    const s = this.#waiting.segment;
    const next = w[half + H.next]!;
    s.bytes = p.bytes;
    s.to = p.payloadTo;
    s.ack = p.ack;
    s.time = p.time;
    s.seq = seqAdd(seq, from - p.payloadFrom);
    const old = seqDiff(next, s.seq);
    s.from = old > 0 ? Math.min(from + old, s.to) : from;
    s.seq = seqAdd(s.seq, s.from - from);
    s.missing = p.payloadLength - (p.payloadTo - p.payloadFrom);
    if (s.from < s.to && this.#waiting.store(half)) {
      this.#sink.anomaly(this.#session(slot), FlowAnomaly.overlapConflict);
    }
    this.#advance(slot);
    if (w[slot * Words.flow + F.state]! & S.stuck) this.impatient(slot);
  }
}
