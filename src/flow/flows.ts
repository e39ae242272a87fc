// Connections: from the first SYN or payload to the last byte. Decides who is the client, what a
// SYN, FIN or RST really means on a wire where anybody may send one, and when a flow is over.
// Bytes are put in order by reassemble.ts; time comes in with the packets.

import { type Packet, Tcp } from '../decode/packet.js';
import { seqAdd, seqDiff } from '../lib/seq.js';
import { Clock } from './clock.js';
import { Control, Verdict } from './control.js';
import { FlowCounters } from './counters.js';
import { numberFlow } from './number.js';
import { PagePool } from './pages.js';
import { Reassembler } from './reassemble.js';
import { type Connection, Dir, FlowAnomaly, FlowEnd, type StreamSink } from './sink.js';
import { Steady } from './steady.js';
import { F, FlowTable, H, S, Words } from './table.js';
import { Wheel } from './wheel.js';

export interface FlowOptions {
  /** Flows and pages that memory allows, see `limits.ts`. */
  readonly flowsMax: number;
  readonly pagesMax: number;
  /** TCP ports that carry mail. */
  readonly ports: readonly number[];
  /** Follow connections on other ports too, in case their dialogue is SMTP. */
  readonly anyPort: boolean;
  readonly keyVlan: boolean;
  /** Tell the sink of connections to mail ports that never opened. */
  readonly attempts: boolean;
  readonly timeoutHalfOpen: number;
  readonly timeoutEstablished: number;
  readonly timeoutClosed: number;
  /** Seed of the table's hash: random, so that nobody can choose colliding addresses. */
  readonly seed: number;
}

const second = 1e6;
/** How long after a RST its sender may still prove that it was forged. */
const rstLinger = 2 * second;
/** How long the other side may take to close, too. */
const finLinger = 60 * second;

export class Flows {
  readonly counters = new FlowCounters();
  readonly #table: FlowTable;
  readonly #wheel: Wheel;
  readonly #reassembler: Reassembler;
  readonly #control: Control;
  readonly #steady: Steady;
  readonly #sink: StreamSink;
  readonly #options: FlowOptions;
  readonly #ports = new Uint8Array(65536);
  /** The shortest of all time-outs. */
  readonly #soonest: number;
  readonly #clock = new Clock(this.counters);
  /** Flows that run out in one sweep and have something to say, before they are put in order. */
  readonly #expired: number[] = [];
  readonly #order: (x: number, y: number) => number;

  constructor(options: FlowOptions, sink: StreamSink) {
    this.#options = options;
    this.#soonest = Math.min(rstLinger, options.timeoutClosed, options.timeoutHalfOpen);
    this.#sink = sink;
    this.#table = new FlowTable(options.flowsMax, options.seed, options.keyVlan);
    const span = Math.max(options.timeoutEstablished, options.timeoutHalfOpen) / second;
    this.#wheel = new Wheel(span, this.#table.links);
    this.#control = new Control(this.#table);
    const pages = new PagePool(options.pagesMax);
    this.#reassembler = new Reassembler(this.#table, pages, sink, this.counters);
    this.#steady = new Steady(this.#table, this.#reassembler, this.counters, this.#soonest);
    for (const port of options.ports) this.#ports[port] = 1;
    this.#order = (x, y) => this.#compare(x, y);
  }

  /** Connections in the table. */
  get active(): number {
    return this.#table.used;
  }

  /** Microseconds of the latest frame. */
  get now(): number {
    return this.#clock.now;
  }

  /** What may be forgotten for its age is measured by this time; see `Clock`. */
  get settled(): number {
    return this.#clock.settled;
  }

  /** Takes one decoded segment of the frame whose time `tick` was told. */
  packet(p: Packet): void {
    p.time = this.now;
    const mail = (this.#ports[p.srcPort]! | this.#ports[p.dstPort]!) === 1;
    if (!mail && !this.#options.anyPort) return;
    let slot = this.#table.find(p);
    if (slot >= 0 && this.#steady.goesOn(slot, this.#table.side, p)) return;
    if (slot >= 0 && !this.#clock.jumped && this.#overdue(slot)) {
      this.#drop(slot, this.#endOf(slot, FlowEnd.timeout));
      slot = -1;
    }
    if (slot < 0) {
      slot = this.#open(p, mail);
      if (slot < 0) return;
    } else if (this.#steady.isCopy(slot, this.#table.side, p)) {
      this.counters.duplicates++;
      return;
    }
    this.#follow(slot, p);
  }

  /** Moves the clock, once for every frame or with the wall; lets what is due run out. */
  tick(time: number): void {
    if (this.#clock.tick(time) && this.#wheel.turned(time)) this.#expire();
  }

  /** The input is over: every connection ends, the longest silent first. */
  finish(): void {
    for (let slot = 0; slot < this.#table.extent; slot++) {
      if (!this.#table.isUsed(slot)) continue;
      if (this.#tells(slot)) this.#expired.push(slot);
      else this.#drop(slot, FlowEnd.eof);
    }
    this.#expired.sort(this.#order);
    for (const slot of this.#expired) this.#drop(slot, this.#endOf(slot, FlowEnd.eof));
    this.#expired.length = 0;
  }

  /** Fills `c` with what records say of a flow. */
  describe(slot: number, c: Connection): void {
    const w = this.#table.words;
    const d = this.#table.doubles;
    const b = slot * Words.flow;
    c.client0 = w[b]!;
    c.client1 = w[b + 1]!;
    c.client2 = w[b + 2]!;
    c.client3 = w[b + 3]!;
    c.server0 = w[b + 4]!;
    c.server1 = w[b + 5]!;
    c.server2 = w[b + 6]!;
    c.server3 = w[b + 7]!;
    c.clientPort = w[b + F.ports]! >>> 16;
    c.serverPort = w[b + F.ports]! & 0xffff;
    c.ip = w[b + F.shape]! >> 8;
    c.vlanCount = w[b + F.shape]! & 0xff;
    c.vlan01 = w[b + F.vlan01]!;
    c.vlan2 = w[b + F.vlan2]!;
    c.flowHigh = w[b + F.flowHigh]!;
    c.flowLow = w[b + F.flowLow]!;
    c.sides = w[b + F.state]! & 3;
    c.handshake = (w[b + F.state]! & S.handshake) !== 0;
    c.first = d[(b + F.first) >> 1]!;
    c.last = d[(b + F.last) >> 1]!;
    c.packets = w[b + F.packets]!;
    c.bytesToServer = d[(b + F.halves + H.bytes) >> 1]!;
    c.bytesToClient = d[(b + F.halves + Words.half + H.bytes) >> 1]!;
  }

  /**
   * Ends what is due: the longest silent first, so that the order of its records does not depend on
   * where the flows lie in the table, or in how many tables.
   */
  #expire(): void {
    for (let slot = this.#wheel.due(this.now); slot >= 0; slot = this.#wheel.due(this.now)) {
      if (this.#overdue(slot) && this.#tells(slot)) {
        this.#expired.push(slot);
        continue;
      }
      this.#wheel.add(slot, this.#deadline(slot));
      if (this.#overdue(slot)) this.#drop(slot, this.#endOf(slot, FlowEnd.timeout));
    }
    if (this.#expired.length === 0) return;
    this.#expired.sort(this.#order);
    for (const slot of this.#expired) {
      this.#wheel.add(slot, this.now);
      this.#drop(slot, this.#endOf(slot, FlowEnd.timeout));
    }
    this.#expired.length = 0;
  }

  /** Whether the end of a flow may have a record; a flood's half-open ones have none. */
  #tells(slot: number): boolean {
    const w = this.#table.words;
    const b = slot * Words.flow;
    if ((w[b + F.state]! & S.closed) !== 0) return false;
    return this.#options.attempts || w[b + F.session]! >= 0;
  }

  /** By the time of the last packet, then by the flow's number. */
  #compare(x: number, y: number): number {
    const w = this.#table.words;
    const d = this.#table.doubles;
    const a = x * Words.flow;
    const b = y * Words.flow;
    return (
      d[(a + F.last) >> 1]! - d[(b + F.last) >> 1]! ||
      w[a + F.flowHigh]! - w[b + F.flowHigh]! ||
      w[a + F.flowLow]! - w[b + F.flowLow]!
    );
  }

  #deadline(slot: number): number {
    return this.#table.doubles[(slot * Words.flow + F.last) >> 1]! + this.#timeout(slot);
  }

  #overdue(slot: number): boolean {
    const last = this.#table.doubles[(slot * Words.flow + F.last) >> 1]!;
    // Nearly every packet comes sooner than the shortest of all time-outs.
    return this.now - last > this.#soonest && this.#deadline(slot) < this.now;
  }

  #timeout(slot: number): number {
    const state = this.#table.words[slot * Words.flow + F.state]!;
    if ((state & S.closed) !== 0) return this.#options.timeoutClosed;
    if ((state & S.rst) !== 0) return rstLinger;
    if ((state & (S.done * 3)) !== 0) return finLinger;
    const live = state & (S.payload | S.handshake);
    return live === 0 ? this.#options.timeoutHalfOpen : this.#options.timeoutEstablished;
  }

  /** How a flow that ends now, for want of anything better, did end. */
  #endOf(slot: number, otherwise: number): number {
    const state = this.#table.words[slot * Words.flow + F.state]!;
    if ((state & S.rst) !== 0) return FlowEnd.rst;
    const fins = (state / S.fin) & 3;
    const seen = state & 3;
    return fins !== 0 && (fins & seen) === seen ? FlowEnd.fin : otherwise;
  }

  /** A slot for the packet's new connection; -1 when it begins none. */
  #open(p: Packet, mail: boolean): number {
    const syn = (p.flags & Tcp.SYN) !== 0;
    if ((!syn && p.payloadLength === 0) || (syn && (p.flags & (Tcp.RST | Tcp.FIN)) !== 0))
      return -1;
    const side = syn ? (p.flags & Tcp.ACK ? Dir.server : Dir.client) : this.#speaker(p);
    let slot = this.#table.insert(p, side);
    if (slot < 0) {
      this.#evict();
      slot = this.#table.insert(p, side);
    }
    this.counters.flows++;
    const w = this.#table.words;
    const b = slot * Words.flow;
    if (mail) w[b + F.state] = S.mailPort;
    this.#table.doubles[(b + F.first) >> 1] = this.now;
    this.#table.doubles[(b + F.last) >> 1] = this.now;
    numberFlow(w, b, p);
    this.#wheel.add(slot, this.now + this.#options.timeoutHalfOpen);
    return slot;
  }

  /** Which side sent a packet of a connection that had no SYN; contracts section 2. */
  #speaker(p: Packet): number {
    const from = this.#ports[p.srcPort]!;
    const to = this.#ports[p.dstPort]!;
    if (from !== to) return to === 1 ? Dir.client : Dir.server;
    const speaker = this.#sink.speaker(p.bytes, p.payloadFrom, p.payloadTo);
    if (speaker !== 0) return speaker - 1;
    return p.srcPort >= p.dstPort ? Dir.client : Dir.server;
  }

  #follow(slot: number, p: Packet): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const side = this.#table.side;
    const control = p.flags & (Tcp.SYN | Tcp.RST);
    if (w[b + F.packets] === 0) this.#steady.isCopy(slot, side, p);
    if ((w[b + F.state]! & S.closed) !== 0) {
      this.#reopens(slot, side, p);
      return;
    }
    if (control !== 0 && !this.#mayFollow(slot, this.#control.take(b, side, p), p)) return;
    if ((w[b + F.state]! & (S.rst | S.synCandidate)) !== 0 && this.#doubt(slot, side, p)) return;
    w[b + F.packets]!++;
    this.#table.doubles[(b + F.last) >> 1] = this.now;
    this.#reassembler.now = this.now;
    this.#hear(b, side, p);
    if (p.payloadLength > 0) this.#payload(slot, side, p);
    else if ((w[b + F.state]! & S.stuck) !== 0) this.#reassembler.impatient(slot);
    if ((p.flags & Tcp.FIN) !== 0) this.#control.fin(b, side, p);
    if ((w[b + F.state]! & (S.fin * 3)) !== 0) this.#finish(slot);
  }

  /** Does what a SYN or RST asks for; true if the segment is to be followed like any other. */
  #mayFollow(slot: number, verdict: number, p: Packet): boolean {
    const b = slot * Words.flow;
    const w = this.#table.words;
    switch (verdict) {
      case Verdict.follow:
        return true;
      case Verdict.reuse:
        this.#reuse(slot, p);
        return false;
      case Verdict.strange:
        if (w[b + F.session]! >= 0)
          this.#sink.anomaly(w[b + F.session]!, FlowAnomaly.rstOutOfWindow);
        return false;
      case Verdict.reset:
        w[b + F.packets]!++;
        this.#table.doubles[(b + F.last) >> 1] = this.now;
        if ((w[b + F.state]! & S.payload) === 0) {
          this.#end(slot, FlowEnd.rst);
        } else {
          this.#wheel.remove(slot);
          this.#wheel.add(slot, this.now + rstLinger);
        }
        return false;
      default:
        return false;
    }
  }

  /** Whether an earlier RST or SYN is proven false or true by this segment; true if it is done. */
  #doubt(slot: number, side: number, p: Packet): boolean {
    const session = this.#table.words[slot * Words.flow + F.session]!;
    if (this.#control.voidsRst(slot * Words.flow, side, p) && session >= 0) {
      this.#sink.anomaly(session, FlowAnomaly.dataAfterRst);
    }
    if (!this.#control.beganUnseen(slot * Words.flow, side, p)) return false;
    this.#reuse(slot, p);
    return true;
  }

  /** What every segment says: that its side is there, where it stands, and what it has received. */
  #hear(b: number, side: number, p: Packet): void {
    const w = this.#table.words;
    const half = b + F.halves + side * Words.half;
    const other = b + F.halves + (1 - side) * Words.half;
    const state = w[b + F.state]!;
    let next = state | (S.seen << side);
    if ((state & (S.started << side)) === 0) {
      next |= S.started << side;
      w[half + H.next] = seqAdd(p.seq, (p.flags & Tcp.SYN) !== 0 ? 1 : 0);
      w[half + H.furthest] = w[half + H.next]!;
    }
    if ((p.flags & Tcp.ACK) !== 0) {
      if ((state & (S.acked << side)) === 0 || seqDiff(p.ack, w[half + H.ack]!) > 0) {
        w[half + H.ack] = p.ack;
        next |= S.acked << side;
      }
      if ((state & (S.started << (1 - side))) === 0) {
        next |= S.started << (1 - side);
        w[other + H.next] = p.ack;
        w[other + H.furthest] = p.ack;
      }
      const answered = seqDiff(p.ack, w[other + H.next]!);
      if (side === Dir.client && answered >= 0 && answered < 1 << 20) next |= handshakeIf(state);
    }
    const end = seqAdd(p.seq, p.payloadLength);
    if (seqDiff(end, w[half + H.furthest]!) > 0) w[half + H.furthest] = end;
    w[b + F.state] = next;
  }

  #payload(slot: number, side: number, p: Packet): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const state = w[b + F.state]!;
    let next = state | S.payload;
    if (side === Dir.server) next |= handshakeIf(state);
    w[b + F.state] = next;
    if (w[b + F.session]! < 0 && (state & S.opaque) === 0) this.#openSession(slot);
    const seq = (p.flags & Tcp.SYN) !== 0 ? seqAdd(p.seq, 1) : p.seq;
    this.#reassembler.accept(slot, side, p, seq);
  }

  #openSession(slot: number): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const state = w[b + F.state]!;
    const mail = (state & S.mailPort) !== 0;
    const starts = (state / S.syn) & 3;
    const session = this.#sink.open(slot, mail, starts);
    w[b + F.session] = session;
    if (session < 0) {
      w[b + F.state]! |= S.opaque;
      this.counters.evicted++;
    }
  }

  /** The same ends begin a new connection: the old one is over, whatever we missed of it. */
  #reuse(slot: number, p: Packet): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    const mail = (w[b + F.state]! & S.mailPort) !== 0;
    const candidate = (w[b + F.state]! & S.synCandidate) !== 0;
    const isn = w[b + F.synCandidate]!;
    this.#drop(slot, this.#endOf(slot, FlowEnd.timeout));
    this.#table.find(p);
    const fresh = this.#open(p, mail);
    if (fresh < 0) return;
    if (candidate && p.payloadLength > 0) this.#control.beginAt(fresh * Words.flow, isn);
    this.#follow(fresh, p);
  }

  /** A late packet of a finished connection is swallowed; one of a new connection opens it. */
  #reopens(slot: number, side: number, p: Packet): void {
    const w = this.#table.words;
    const half = slot * Words.flow + F.halves + side * Words.half;
    const b = slot * Words.flow;
    const distance = seqDiff(p.seq, w[half + H.next]!);
    const answers = (p.flags & Tcp.ACK) !== 0;
    const isn = w[b + (answers ? F.serverIsn : F.clientIsn)]!;
    const syn = (p.flags & (Tcp.SYN | Tcp.RST)) === Tcp.SYN && p.seq !== isn;
    const strange = p.payloadLength > 0 && (distance > 1 << 20 || distance < -(1 << 28));
    if (syn || strange) this.#reuse(slot, p);
  }

  /** Ends the connection when both sides, or the only one we see, were read to their FIN. */
  #finish(slot: number): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    let state = w[b + F.state]!;
    for (let side = 0; side < 2; side++) {
      const half = b + F.halves + side * Words.half;
      if ((state & (S.fin << side)) === 0 || w[half + H.pages]! >= 0) continue;
      if (seqDiff(w[half + H.next]!, w[half + H.fin]!) >= 0) state |= S.done << side;
    }
    w[b + F.state] = state;
    const seen = state & 3;
    if (((state / S.done) & seen) === seen) this.#end(slot, FlowEnd.fin);
  }

  /**
   * Gives up the flow that would run out first; half-open ones stand before all others. A flow that
   * was busy since it was put into the wheel is first put where it belongs now, once.
   */
  #evict(): void {
    let victim = this.#wheel.first();
    for (;;) {
      if (this.#deadline(victim) - this.now <= this.#options.timeoutHalfOpen) break;
      this.#wheel.remove(victim);
      this.#wheel.add(victim, this.#deadline(victim));
      const next = this.#wheel.first();
      if (next === victim) break;
      victim = next;
    }
    this.counters.evicted++;
    this.#drop(victim, FlowEnd.evicted);
  }

  /** The connection is over. Its slot stays for a while, to swallow late packets. */
  #end(slot: number, how: number): void {
    this.#close(slot, how);
    this.#wheel.remove(slot);
    this.#wheel.add(slot, this.now + this.#options.timeoutClosed);
  }

  /** The connection is over, and so is its slot. */
  #drop(slot: number, how: number): void {
    const state = this.#table.words[slot * Words.flow + F.state]!;
    if ((state & S.closed) === 0) this.#close(slot, how);
    this.#wheel.remove(slot);
    this.#table.remove(slot);
  }

  #close(slot: number, how: number): void {
    const w = this.#table.words;
    const b = slot * Words.flow;
    this.#reassembler.now = this.now;
    this.#reassembler.finish(slot);
    const state = w[b + F.state]!;
    const session = w[b + F.session]!;
    const last = this.#table.doubles[(b + F.last) >> 1]!;
    if ((state & 3) !== 3 && (state & S.payload) !== 0) this.counters.oneSided++;
    // Of what is only counted, encrypted or not mail, nobody looks for gaps.
    if ((state & (3 | S.opaque)) === 3) this.#countStreams(b);
    w[b + F.state]! |= S.closed;
    const printed = session >= 0 && this.#sink.end(session, how, last, state & 3);
    w[b + F.session] = -1;
    if (printed) return;
    if ((state & (S.payload | S.handshake)) !== 0) {
      this.counters.other++;
      return;
    }
    this.counters.halfOpen++;
    if (!this.#options.attempts || this.#ports[w[b + F.ports]! & 0xffff] !== 1) return;
    const kind = this.#control.attempt(b);
    if (kind !== 0) this.#sink.attempt(slot, kind, (state >> S.syns) & 3);
  }

  #countStreams(b: number): void {
    const d = this.#table.doubles;
    this.counters.streamBytes += d[(b + F.halves + H.bytes) >> 1]!;
    this.counters.streamBytes += d[(b + F.halves + Words.half + H.bytes) >> 1]!;
  }
}

/** The handshake bit, if the state shows that a SYN-ACK was seen. */
function handshakeIf(state: number): number {
  return (state & S.synAck) !== 0 ? S.handshake : 0;
}
