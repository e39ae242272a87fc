// The flow table: fixed slots of 56 words in one buffer and an open-addressing index over them.
// What every packet touches stands together: a slot is looked up in its first 64 bytes, and a
// packet of the client is followed in the second 64.
//
//   0-3 client address   4-7 server address   8 ports   9 hash   10 state   11 session
//   12-13 time of the last packet   14 packets   15 shape
//   16-27 client half   28-39 server half
//   40-41 VLANs   42-44 wheel links   45-46 flow number   47 .. what is rarely asked for
//
// Memory is reserved once and touched as flows come; a slot given back is the next one taken.

import type { Packet } from '../decode/packet.js';
import type { WheelLinks } from './wheel.js';

/** Words of a slot, and of one half in it. */
export const enum Words {
  flow = 56,
  half = 12,
}

/** Word offsets in a slot. */
export const enum F {
  client = 0,
  server = 4,
  ports = 8,
  hash = 9,
  state = 10,
  session = 11,
  last = 12,
  packets = 14,
  /** VLAN tags in the low bits, IP version above. */
  shape = 15,
  halves = 16,
  vlan01 = 40,
  vlan2 = 41,
  wheelNext = 42,
  wheelPrevious = 43,
  wheelBucket = 44,
  flowHigh = 45,
  flowLow = 46,
  /** When the flow began to wait for bytes it may never see, and at which packet. */
  stuckPackets = 47,
  first = 48,
  stuckTime = 50,
  /** Initial sequence number of a second SYN, waiting for its SYN-ACK. */
  synCandidate = 52,
  rstSeq = 53,
  /** Initial sequence number of the client's SYN. */
  clientIsn = 54,
  serverIsn = 55,
}

/** Word offsets in a half. */
export const enum H {
  /** Sequence number of the next byte to deliver. */
  next = 0,
  /** Highest acknowledgement this side has sent. */
  ack = 1,
  /** First page that waits, -1 if none. */
  pages = 2,
  /** End of the furthest segment seen. */
  furthest = 3,
  /** Delivered bytes (float64). */
  bytes = 4,
  /** Signatures of the last four packets, to know a mirrored second copy. */
  signatures = 6,
  /** How many pages wait. */
  pageCount = 10,
  /** Sequence number of the FIN. */
  fin = 11,
}

/** Bits of the state word; those of a half are shifted left by the side (0 client, 1 server). */
export const enum S {
  seen = 1 << 0,
  syn = 1 << 2,
  started = 1 << 4,
  fin = 1 << 6,
  done = 1 << 8,
  acked = 1 << 10,
  /** A SYN-ACK was seen; and then acknowledged or followed by server payload. */
  synAck = 1 << 12,
  handshake = 1 << 13,
  payload = 1 << 14,
  closed = 1 << 15,
  rst = 1 << 16,
  rstByServer = 1 << 17,
  /** Only counted from here on: encrypted, not SMTP, or no room for its session. */
  opaque = 1 << 18,
  stuck = 1 << 19,
  synCandidate = 1 << 20,
  mailPort = 1 << 21,
  /** Signature ring position of the client, then of the server: two bits each. */
  ring = 22,
  /** The sink waits for the other side before it reads on in this one: one bit for each. */
  waits = 1 << 26,
  /** How many SYNs the client sent, up to 3: two bits. */
  syns = 28,
}

/** Entries the index begins with. */
const indexEntriesMin = 1 << 13;

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(atLeast, 16)));
}

export class FlowTable {
  readonly capacity: number;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  /**
   * Pairs of hash and slot + 1. Grows with the flows: over 32 MiB from the start, every look-up
   * would miss the cache and the address translation, too.
   */
  #index: Int32Array;
  #mask: number;
  readonly #seed: number;
  readonly #keyVlan: boolean;
  #free = -1;
  #fresh = 0;
  used = 0;
  /** After `find`: which side of the slot sent the packet (0 client, 1 server). */
  side = 0;
  /** After `find`: the hash, for `insert`. */
  hash = 0;

  constructor(capacity: number, seed: number, keyVlan: boolean) {
    this.capacity = capacity;
    const buffer = new ArrayBuffer(capacity * Words.flow * 4);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.#index = new Int32Array(indexEntriesMin * 2);
    this.#mask = indexEntriesMin - 1;
    this.#seed = seed | 0;
    this.#keyVlan = keyVlan;
  }

  /** Bytes that a table of `capacity` flows takes at most, while its index doubles. */
  static size(capacity: number): number {
    return capacity * Words.flow * 4 + powerOfTwo(capacity * 2) * 12;
  }

  // allocates: once, for the wheel's constructor
  get links(): WheelLinks {
    return {
      words: this.words,
      stride: Words.flow,
      next: F.wheelNext,
      previous: F.wheelPrevious,
      bucket: F.wheelBucket,
    };
  }

  /** The slot of a packet's connection, or -1. Sets `hash`, and `side` where found. */
  find(p: Packet): number {
    const hash = this.#hashOf(p);
    this.hash = hash;
    const index = this.#index;
    let at = hash & this.#mask;
    for (;;) {
      const entry = index[at * 2 + 1]!;
      if (entry === 0) return -1;
      if (index[at * 2] === hash && this.#matches(entry - 1, p)) return entry - 1;
      at = (at + 1) & this.#mask;
    }
  }

  /**
   * A fresh slot for the packet that `find` did not find; `side` says who is the client (0: the
   * sender). -1 when the table is full. All words but address, ports, VLANs and hash are 0.
   */
  insert(p: Packet, side: number): number {
    const slot = this.#take();
    if (slot < 0) return -1;
    const w = this.words;
    const b = slot * Words.flow;
    for (let i = 0; i < Words.flow; i++) w[b + i] = 0;
    const from = b + (side === 0 ? F.client : F.server);
    const to = b + (side === 0 ? F.server : F.client);
    w[from] = p.src0;
    w[from + 1] = p.src1;
    w[from + 2] = p.src2;
    w[from + 3] = p.src3;
    w[to] = p.dst0;
    w[to + 1] = p.dst1;
    w[to + 2] = p.dst2;
    w[to + 3] = p.dst3;
    w[b + F.ports] = side === 0 ? (p.srcPort << 16) | p.dstPort : (p.dstPort << 16) | p.srcPort;
    w[b + F.vlan01] = vlan01(p);
    w[b + F.vlan2] = p.vlanCount > 2 ? p.vlan2 : 0;
    w[b + F.shape] = p.vlanCount | (p.ip << 8);
    w[b + F.hash] = this.hash;
    w[b + F.session] = -1;
    w[b + F.halves + H.pages] = -1;
    w[b + F.halves + Words.half + H.pages] = -1;
    this.side = side;
    this.used++;
    if (this.used * 2 > this.#mask) this.#growIndex();
    this.#enter(slot, this.hash);
    return slot;
  }

  /** Slots below this were used at some time. */
  get extent(): number {
    return this.#fresh;
  }

  isUsed(slot: number): boolean {
    return this.words[slot * Words.flow + F.shape] !== 0;
  }

  /** Gives a slot back. The wheel must not hold it any more. */
  remove(slot: number): void {
    const hash = this.words[slot * Words.flow + F.hash]!;
    const index = this.#index;
    const mask = this.#mask;
    let at = hash & mask;
    while (index[at * 2 + 1] !== slot + 1) at = (at + 1) & mask;
    // Knuth 6.4 algorithm R: close the hole by moving back entries that would not be found over it.
    let probe = at;
    for (;;) {
      probe = (probe + 1) & mask;
      const entry = index[probe * 2 + 1]!;
      if (entry === 0) break;
      const home = index[probe * 2]! & mask;
      if (((probe - home) & mask) < ((probe - at) & mask)) continue;
      index[at * 2] = index[probe * 2]!;
      index[at * 2 + 1] = entry;
      at = probe;
    }
    index[at * 2 + 1] = 0;
    this.words[slot * Words.flow + F.shape] = 0;
    this.words[slot * Words.flow + F.wheelNext] = this.#free;
    this.#free = slot;
    this.used--;
  }

  #take(): number {
    const slot = this.#free;
    if (slot >= 0) {
      this.#free = this.words[slot * Words.flow + F.wheelNext]!;
      return slot;
    }
    return this.#fresh < this.capacity ? this.#fresh++ : -1;
  }

  #enter(slot: number, hash: number): void {
    const index = this.#index;
    let at = hash & this.#mask;
    while (index[at * 2 + 1] !== 0) at = (at + 1) & this.#mask;
    index[at * 2] = hash;
    index[at * 2 + 1] = slot + 1;
  }

  #growIndex(): void {
    const old = this.#index;
    const size = (this.#mask + 1) * 2;
    this.#index = new Int32Array(size * 2);
    this.#mask = size - 1;
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] !== 0) this.#enter(old[at + 1]! - 1, old[at]!);
    }
  }

  /** The same for both directions: each end is mixed on its own, then the two are added. */
  #hashOf(p: Packet): number {
    let a = mix(this.#seed ^ p.srcPort, p.src3);
    let b = mix(this.#seed ^ p.dstPort, p.dst3);
    if (p.ip === 6) {
      a = mix(mix(mix(a, p.src2), p.src1), p.src0);
      b = mix(mix(mix(b, p.dst2), p.dst1), p.dst0);
    }
    let hash = (a + b) | 0;
    if (this.#keyVlan) hash = mix(hash, vlan01(p));
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }

  #matches(slot: number, p: Packet): boolean {
    const w = this.words;
    const b = slot * Words.flow;
    if (this.#keyVlan && !this.#sameVlan(b, p)) return false;
    const ports = w[b + F.ports]!;
    if (
      ports === ((p.srcPort << 16) | p.dstPort) &&
      this.#sameEnds(b + F.client, b + F.server, p)
    ) {
      this.side = 0;
      return true;
    }
    if (
      ports === ((p.dstPort << 16) | p.srcPort) &&
      this.#sameEnds(b + F.server, b + F.client, p)
    ) {
      this.side = 1;
      return true;
    }
    return false;
  }

  #sameEnds(src: number, dst: number, p: Packet): boolean {
    const w = this.words;
    return (
      w[src + 3] === p.src3 &&
      w[dst + 3] === p.dst3 &&
      w[src + 2] === p.src2 &&
      w[dst + 2] === p.dst2 &&
      w[src + 1] === p.src1 &&
      w[dst + 1] === p.dst1 &&
      w[src] === p.src0 &&
      w[dst] === p.dst0
    );
  }

  #sameVlan(b: number, p: Packet): boolean {
    const w = this.words;
    return w[b + F.vlan01] === vlan01(p) && w[b + F.vlan2] === (p.vlanCount > 2 ? p.vlan2 : 0);
  }
}

/** One step of MurmurHash3 (Appleby, public domain): every word meets the seed, none undoes it. */
function mix(hash: number, word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  const h = hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** The outer two VLAN identifiers in one word; those a packet has not are 0. */
function vlan01(p: Packet): number {
  if (p.vlanCount === 0) return 0;
  return p.vlanCount === 1 ? p.vlan0 : p.vlan0 | (p.vlan1 << 12);
}
