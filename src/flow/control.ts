// SYN, FIN and RST on a wire where anybody may send them: what each says of a connection, and
// whether it is to be believed. Changes the flow's words; ending and opening are done in flows.ts.

import { type Packet, Tcp } from '../decode/packet.js';
import { seqAdd, seqDiff } from '../lib/seq.js';
import { Dir, FlowAttempt } from './sink.js';
import { F, type FlowTable, H, S, Words } from './table.js';

/** What is to be done with a segment that has SYN or RST. */
export const enum Verdict {
  /** Nothing: it says nothing that we believe. */
  ignore = 0,
  follow = 1,
  /** The same ends have begun another connection. */
  reuse = 2,
  /** The connection is reset. */
  reset = 3,
  /** A RST whose number is not the connection's. */
  strange = 4,
}

/** How far beyond what we saw a RST may stand: a window without scaling. */
export const rstAheadMax = 65536;
/** Numbers further apart than this are of two connections. */
const farMin = 1 << 20;
/** Microseconds after which bytes from before a RST were not merely overtaken by it. */
const reorderedMax = 50e3;

export class Control {
  readonly #table: FlowTable;

  constructor(table: FlowTable) {
    this.#table = table;
  }

  /** Judges a SYN or RST that `side` sent; `b` is the flow's first word. */
  take(b: number, side: number, p: Packet): number {
    if ((p.flags & Tcp.RST) !== 0) return this.#rst(b, side, p);
    return (p.flags & Tcp.ACK) !== 0 ? this.#synAck(b, side, p) : this.#syn(b, side, p);
  }

  /** How a connection that never opened failed, one of `FlowAttempt`; 0: not known. */
  attempt(b: number): number {
    const state = this.#table.words[b + F.state]!;
    const syns = (state >> S.syns) & 3;
    if (syns === 0 || (state & S.synAck) !== 0) return 0;
    if ((state & S.rstByServer) !== 0) return FlowAttempt.refused;
    return syns === 3 && (state & (S.seen << Dir.server)) === 0 ? FlowAttempt.silent : 0;
  }

  /** Who sent a RST and then goes on sending did not send that RST. True if it is void now. */
  voidsRst(b: number, side: number, p: Packet): boolean {
    const w = this.#table.words;
    if ((w[b + F.state]! & S.rst) === 0) return false;
    const sender = (w[b + F.state]! & S.rstByServer) !== 0 ? Dir.server : Dir.client;
    if (side !== sender || p.payloadLength === 0) return false;
    const late = p.time - this.#table.doubles[(b + F.last) >> 1]! > reorderedMax;
    if (!late && seqDiff(seqAdd(p.seq, p.payloadLength), w[b + F.rstSeq]!) <= 0) return false;
    w[b + F.state]! &= ~(S.rst | S.rstByServer);
    return true;
  }

  /**
   * The same ends have begun anew, and part of the new handshake was not seen: proven by payload
   * that stands where the second SYN or SYN-ACK said, far from where the old connection stood.
   */
  beganUnseen(b: number, side: number, p: Packet): boolean {
    const w = this.#table.words;
    const state = w[b + F.state]!;
    if ((state & S.synCandidate) === 0 || p.payloadLength === 0) return false;
    const begin = seqAdd(w[b + F.synCandidate]!, 1);
    if (side === Dir.server) {
      const answered = seqDiff(p.ack, begin);
      return answered >= 0 && answered < rstAheadMax && this.#isFar(b, Dir.server, p.seq);
    }
    if (p.seq !== begin) return false;
    return (state & (S.seen << Dir.server)) === 0 || this.#isFar(b, Dir.server, p.ack);
  }

  /** A new connection of which only the candidate tells where its client's stream begins. */
  beginAt(b: number, isn: number): void {
    this.#table.words[b + F.clientIsn] = isn;
    this.#begin(b, Dir.client, seqAdd(isn, 1));
  }

  /** Whether a number of `side` cannot belong to the connection we know. */
  #isFar(b: number, side: number, seq: number): boolean {
    const next = this.#table.words[b + F.halves + side * Words.half + H.next]!;
    return Math.abs(seqDiff(seq, next)) > farMin;
  }

  /** Remembers where a side's stream ends. */
  fin(b: number, side: number, p: Packet): void {
    const w = this.#table.words;
    const half = b + F.halves + side * Words.half;
    const seq = seqAdd(p.seq, p.payloadLength);
    const ahead = seqDiff(seq, w[half + H.next]!);
    if (ahead < 0 || ahead > 1 << 25) return;
    w[half + H.fin] = seq;
    w[b + F.state]! |= S.fin << side;
  }

  /** A SYN sets where the client begins, until a SYN-ACK has settled it. */
  #syn(b: number, side: number, p: Packet): number {
    const w = this.#table.words;
    const state = w[b + F.state]!;
    if (side !== Dir.client) return Verdict.ignore;
    if ((state & (S.synAck | S.payload)) === 0) {
      if (((state >> S.syns) & 3) < 3) w[b + F.state]! += 1 << S.syns;
      w[b + F.clientIsn] = p.seq;
      this.#begin(b, Dir.client, seqAdd(p.seq, 1));
      return Verdict.follow;
    }
    const same = (state & (S.syn << Dir.client)) !== 0 && w[b + F.clientIsn] === p.seq;
    if (same) return Verdict.follow;
    w[b + F.synCandidate] = p.seq;
    w[b + F.state] = state | S.synCandidate;
    return Verdict.ignore;
  }

  #synAck(b: number, side: number, p: Packet): number {
    const w = this.#table.words;
    const state = w[b + F.state]!;
    if (side !== Dir.server) return Verdict.ignore;
    const isn = seqAdd(p.ack, -1);
    if ((state & S.synCandidate) !== 0 && isn === w[b + F.synCandidate]) return Verdict.reuse;
    if ((state & S.synAck) !== 0) {
      if (p.seq === w[b + F.serverIsn]) return Verdict.follow;
      return this.#candidate(b, isn);
    }
    const client = b + F.halves;
    const server = client + Words.half;
    if ((state & S.payload) === 0) {
      // It knows better than a SYN, which anybody may have sent, where the client begins.
      w[b + F.clientIsn] = isn;
      this.#begin(b, Dir.client, p.ack);
      this.#begin(b, Dir.server, seqAdd(p.seq, 1));
    } else {
      // Payload came with the SYN (RFC 7413), or overtook this.
      const taken = seqDiff(isn, w[b + F.clientIsn]!);
      const sent = seqDiff(w[client + H.next]!, seqAdd(w[b + F.clientIsn]!, 1));
      const known = (state & (S.syn << Dir.client)) !== 0;
      if (known && (taken < 0 || taken > sent)) return this.#candidate(b, isn);
      const silent = this.#table.doubles[(server + H.bytes) >> 1] === 0;
      if (silent && w[server + H.pages]! < 0) this.#begin(b, Dir.server, seqAdd(p.seq, 1));
    }
    w[b + F.serverIsn] = p.seq;
    w[b + F.state]! |= S.synAck | (this.#isAnswered(b, state, p) ? S.handshake : 0);
    return Verdict.follow;
  }

  #candidate(b: number, isn: number): number {
    this.#table.words[b + F.synCandidate] = isn;
    this.#table.words[b + F.state]! |= S.synCandidate;
    return Verdict.ignore;
  }

  /** Whether what the client acknowledged before its SYN-ACK came by could only mean that. */
  #isAnswered(b: number, state: number, p: Packet): boolean {
    const w = this.#table.words;
    if ((state & (S.acked << Dir.client)) === 0) return false;
    const beyond = seqDiff(w[b + F.halves + H.ack]!, seqAdd(p.seq, 1));
    if (beyond >= 0 && beyond < rstAheadMax) return true;
    // Not this server's numbers: it was forged, and says nothing of what the client has.
    w[b + F.state]! &= ~(S.acked << Dir.client);
    return false;
  }

  #begin(b: number, side: number, next: number): void {
    const w = this.#table.words;
    const half = b + F.halves + side * Words.half;
    w[half + H.next] = next;
    w[half + H.furthest] = next;
    w[b + F.state]! |= (S.syn | S.started) << side;
  }

  /**
   * A RST is believed where RFC 5961 section 3.2 lets an endpoint believe it: exactly at the next
   * number; or where it answers a SYN. Its sender may still prove it forged, see `voidsRst`.
   */
  #rst(b: number, side: number, p: Packet): number {
    const w = this.#table.words;
    const half = b + F.halves + side * Words.half;
    const other = b + F.halves + (1 - side) * Words.half;
    const state = w[b + F.state]!;
    const answer =
      (p.flags & Tcp.ACK) !== 0 && (state & S.payload) === 0 && p.ack === w[other + H.next];
    const exact =
      p.seq === w[half + H.next] ||
      p.seq === w[half + H.furthest] ||
      p.seq === seqAdd(w[half + H.furthest]!, 1) ||
      ((state & (S.acked << (1 - side))) !== 0 && p.seq === w[other + H.ack]);
    // Bytes before it may have been lost to us: its receiver stood there, and we do not.
    const ahead = seqDiff(p.seq, w[half + H.furthest]!);
    const lost = ahead > 0 && ahead < rstAheadMax;
    const started = (state & (S.started << side)) !== 0;
    w[b + F.state] = state | (S.seen << side);
    if (!answer && !(started && (exact || lost))) return Verdict.strange;
    if ((state & S.rst) !== 0) return Verdict.ignore;
    w[b + F.state]! |= S.rst | (side === Dir.server ? S.rstByServer : 0);
    w[b + F.rstSeq] = p.seq;
    if ((p.flags & Tcp.ACK) !== 0 && seqDiff(p.ack, w[half + H.ack]!) > 0) {
      w[half + H.ack] = p.ack;
      w[b + F.state]! |= S.acked << side;
    }
    return Verdict.reset;
  }
}
