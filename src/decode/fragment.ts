// Puts IPv4 and IPv6 datagrams together from fragments, in a pool whose size is fixed at the start.
// It knows nothing of what a datagram holds. The first copy of a byte wins; fragments that disagree
// end their datagram (RFC 5722 for IPv6, the same for IPv4, where it is the usual evasion).
// A slot is one datagram: free, open (incomplete) or closed (complete, refused or unwanted, and
// remembered for late copies). Lists are in order of opening, so the oldest is at the head.

import { FragmentPages, pageBytes } from './fragment-pages.js';
import { Lists } from './lists.js';
import type { Packet } from './packet.js';
import { DecodeCounter } from './reason.js';
import type { Walk } from './walk.js';

/** Pages of the longest datagram. */
const pagesEach = 32;
const datagramBytesMax = 65535;
/** How many different shares there are; sources beyond that share one by hash. */
const sources = 1024;
/** How long a complete or unwanted datagram is remembered, in microseconds. */
const closedTime = 2_000_000;
/** Words of a key: two addresses, identification, protocol (IPv4) or 256 (IPv6). */
const keyWords = 10;
/** Spare bytes behind the reassembled datagram, as in every byte area. */
const slack = 8;

/** What became of a fragment. */
export const enum Fragment {
  kept = 0,
  /** The datagram is in `FragmentStore.out`. */
  complete = 1,
  /** Nothing new in it. */
  duplicate = 2,
  /** Refused, or its datagram was given up; counted in `DecodeCounter`. */
  dropped = 3,
  /** Of a datagram that `ignore` was called for. */
  unwanted = 4,
}

const enum State {
  free = 0,
  open = 1,
  complete = 2,
  refused = 3,
  unwanted = 4,
}

/** Lists of slots by age. */
const enum Order {
  free = 0,
  open = 1,
  closed = 2,
}

/** Limits of a `FragmentStore`. */
export interface FragmentLimits {
  /** Datagrams at once, at least 16. */
  readonly fragmentDatagramsMax: number;
  /** Bytes of fragments kept at once, in pages of 2 KiB; 128 KiB to 1 GiB. */
  readonly fragmentBytesMax: number;
  /** Seconds of packet time after which an incomplete datagram is given up. */
  readonly fragmentTimeoutSeconds: number;
  /** Any number, different in each process, so that nobody can aim at one hash chain. */
  readonly seed: number;
}

/** A fixed pool of incomplete datagrams. One source holds at most an eighth of it. */
export class FragmentStore {
  /** The last completed datagram without its IP header; valid until the next `add`. */
  readonly out: Buffer = Buffer.alloc(datagramBytesMax + slack);
  /** The same bytes. */
  readonly outView: DataView = new DataView(this.out.buffer, this.out.byteOffset);
  /** Length of the datagram in `out`. */
  outLength = 0;
  /** Its protocol, from the fragment at offset 0 (RFC 8200 section 4.5). */
  outProtocol = 0;
  /** Incomplete datagrams at present. */
  open = 0;

  readonly #counters: Float64Array;
  readonly #timeout: number;
  readonly #seed: number;
  readonly #slotShare: number;
  readonly #pageShare: number;

  readonly #key: Int32Array;
  /** Key of the fragment at hand. */
  readonly #wanted: Int32Array;
  readonly #state: Uint8Array;
  /** When the slot was opened or closed, microseconds of packet time. */
  readonly #since: Float64Array;
  /** Length of the whole datagram, -1 until the last fragment came. */
  readonly #total: Int32Array;
  /** End of the farthest byte seen. */
  readonly #reach: Int32Array;
  /** Units of 8 bytes that are there; the last unit of the datagram may be shorter. */
  readonly #units: Int32Array;
  /** Protocol from the fragment at offset 0, -1 until it came. */
  readonly #protocol: Int32Array;
  readonly #source: Int32Array;
  readonly #table: Int32Array;

  readonly #bucketHead: Int32Array;
  readonly #bucketNext: Int32Array;
  readonly #bucketOf: Int32Array;

  readonly #order: Lists;
  /** Open slots of each source. */
  readonly #bySource: Lists;
  readonly #sourceSlots: Int32Array;
  readonly #sourcePages: Int32Array;
  readonly #pages: FragmentPages;

  constructor(limits: FragmentLimits, counters: Float64Array) {
    const slots = Math.max(16, limits.fragmentDatagramsMax | 0);
    const pages = Math.max(64, Math.floor(Math.min(limits.fragmentBytesMax, 1 << 30) / pageBytes));
    let buckets = 16;
    while (buckets < slots) buckets *= 2;
    this.#counters = counters;
    this.#timeout = limits.fragmentTimeoutSeconds * 1e6;
    this.#seed = limits.seed | 0;
    this.#slotShare = Math.max(2, slots >>> 3);
    // Room for one datagram of the largest size, whatever the eighth is.
    this.#pageShare = Math.max(pagesEach, pages >>> 3);
    this.#key = new Int32Array(slots * keyWords);
    this.#wanted = new Int32Array(keyWords);
    this.#state = new Uint8Array(slots);
    this.#since = new Float64Array(slots);
    this.#total = new Int32Array(slots);
    this.#reach = new Int32Array(slots);
    this.#units = new Int32Array(slots);
    this.#protocol = new Int32Array(slots);
    this.#source = new Int32Array(slots);
    this.#table = new Int32Array(slots * pagesEach).fill(-1);
    this.#bucketHead = new Int32Array(buckets).fill(-1);
    this.#bucketNext = new Int32Array(slots).fill(-1);
    this.#bucketOf = new Int32Array(slots);
    this.#order = new Lists(slots, 3);
    this.#bySource = new Lists(slots, sources);
    this.#sourceSlots = new Int32Array(sources);
    this.#sourcePages = new Int32Array(sources);
    this.#pages = new FragmentPages(pages);
    for (let slot = 0; slot < slots; slot += 1) this.#order.append(Order.free, slot);
  }

  /** Pages of 2 KiB in use at present. */
  get pages(): number {
    return this.#pages.used;
  }

  /**
   * Takes the fragment at walk.at with the addresses in `packet`. It must have been captured whole:
   * walk.to is its end. Gives a value of `Fragment`.
   */
  add(walk: Walk, packet: Packet): number {
    const to = walk.fragmentOffset + (walk.to - walk.at);
    if (to > walk.fragmentMax) {
      this.#counters[DecodeCounter.fragmentOversize]! += 1;
      return Fragment.dropped;
    }
    const slot = this.#slotFor(walk, packet);
    const state = this.#state[slot]!;
    if (state !== State.open) return resultOfClosed(state);
    if (!this.#agrees(slot, walk, to)) return this.#refuse(slot, DecodeCounter.fragmentConflict);
    const before = this.#units[slot]!;
    const wrong = this.#store(slot, walk, to);
    if (wrong >= 0) return this.#refuse(slot, wrong);
    const total = this.#total[slot]!;
    const units = this.#units[slot]!;
    if (total >= 0 && units === (total + 7) >>> 3) return this.#finish(slot);
    return units === before ? Fragment.duplicate : Fragment.kept;
  }

  /**
   * Says that the datagram of the fragment at walk.at is of no use, so that its other fragments are
   * not kept. Call it for a first fragment only. Gives a value of `Fragment`.
   */
  ignore(walk: Walk, packet: Packet): number {
    const slot = this.#slotFor(walk, packet);
    const state = this.#state[slot]!;
    if (state !== State.open) return resultOfClosed(state);
    // A first fragment was here and said otherwise.
    if (this.#protocol[slot]! >= 0) return this.#refuse(slot, DecodeCounter.fragmentConflict);
    this.#close(slot, State.unwanted);
    return Fragment.unwanted;
  }

  /**
   * Gives up what waited too long at `time` (microseconds). Time may run backwards: what lies far
   * in the future is as old as what lies far behind.
   */
  expire(time: number): void {
    let slot = this.#order.head(Order.open);
    while (slot >= 0 && Math.abs(time - this.#since[slot]!) > this.#timeout) {
      this.#counters[DecodeCounter.fragmentTimeout]! += 1;
      this.#close(slot, State.refused);
      this.#release(slot);
      slot = this.#order.head(Order.open);
    }
  }

  // Lengths: the last fragment says the total, nothing may reach beyond it, nor may it be said
  // twice and differ. Protocol: the first fragment says it (RFC 8200 section 4.5), copies must say
  // the same.
  #agrees(slot: number, walk: Walk, to: number): boolean {
    const total = this.#total[slot]!;
    const reach = this.#reach[slot]!;
    if (walk.fragmentMore === 1) {
      if (total >= 0 && to > total) return false;
    } else {
      if (total >= 0 ? to !== total : reach > to) return false;
      this.#total[slot] = to;
    }
    if (to > reach) this.#reach[slot] = to;
    if (walk.fragmentOffset !== 0) return true;
    const known = this.#protocol[slot]!;
    this.#protocol[slot] = walk.protocol;
    return known < 0 || known === walk.protocol;
  }

  // Gives -1, or the counter that says why the datagram must be given up.
  #store(slot: number, walk: Walk, to: number): number {
    let at = walk.fragmentOffset;
    let source = walk.at;
    while (at < to) {
      const page = this.#pageFor(slot, (at / pageBytes) | 0);
      if (page < 0) return DecodeCounter.fragmentEvicted;
      const inPage = at & (pageBytes - 1);
      const size = Math.min(to - at, pageBytes - inPage);
      const fresh = this.#pages.put(page * pageBytes + inPage, walk.bytes, source, source + size);
      if (fresh < 0) return DecodeCounter.fragmentConflict;
      this.#units[slot] = this.#units[slot]! + fresh;
      source += size;
      at += size;
    }
    return -1;
  }

  // Page `index` of the datagram; when there is none left, older datagrams make room, those of the
  // same source first when it holds its share already. -1 when this one is the oldest itself.
  #pageFor(slot: number, index: number): number {
    const place = slot * pagesEach + index;
    const known = this.#table[place]!;
    if (known >= 0) return known;
    const source = this.#source[slot]!;
    while (this.#sourcePages[source]! >= this.#pageShare) {
      const oldest = this.#bySource.head(source);
      if (oldest === slot || oldest < 0) return -1;
      this.#refuse(oldest, DecodeCounter.fragmentEvicted);
    }
    let page = this.#pages.take();
    while (page < 0) {
      const oldest = this.#order.head(Order.open);
      if (oldest === slot || oldest < 0) return -1;
      this.#refuse(oldest, DecodeCounter.fragmentEvicted);
      page = this.#pages.take();
    }
    this.#table[place] = page;
    this.#sourcePages[source] = this.#sourcePages[source]! + 1;
    return page;
  }

  #finish(slot: number): number {
    const total = this.#total[slot]!;
    const table = slot * pagesEach;
    for (let at = 0; at < total; at += pageBytes) {
      const page = this.#table[table + ((at / pageBytes) | 0)]!;
      this.#pages.copy(page, this.out, at, Math.min(pageBytes, total - at));
    }
    this.outLength = total;
    this.outProtocol = this.#protocol[slot]!;
    this.#counters[DecodeCounter.reassembled]! += 1;
    this.#close(slot, State.complete);
    return Fragment.complete;
  }

  #refuse(slot: number, counter: number): number {
    this.#counters[counter]! += 1;
    this.#close(slot, State.refused);
    return Fragment.dropped;
  }

  // An open slot ends: its pages are free at once, its key is remembered.
  #close(slot: number, state: number): void {
    const source = this.#source[slot]!;
    const table = slot * pagesEach;
    for (let index = 0; index < pagesEach; index += 1) {
      const page = this.#table[table + index]!;
      if (page < 0) continue;
      this.#pages.give(page);
      this.#table[table + index] = -1;
      this.#sourcePages[source] = this.#sourcePages[source]! - 1;
    }
    this.#sourceSlots[source] = this.#sourceSlots[source]! - 1;
    this.#bySource.remove(slot);
    this.open -= 1;
    this.#state[slot] = state;
    this.#order.append(Order.closed, slot);
  }

  // A closed slot is forgotten.
  #release(slot: number): void {
    const bucket = this.#bucketOf[slot]!;
    const next = this.#bucketNext[slot]!;
    let at = this.#bucketHead[bucket]!;
    if (at === slot) {
      this.#bucketHead[bucket] = next;
    } else {
      while (this.#bucketNext[at] !== slot) at = this.#bucketNext[at]!;
      this.#bucketNext[at] = next;
    }
    this.#state[slot] = State.free;
    this.#order.append(Order.free, slot);
  }

  // The slot of the fragment's datagram, opened when there is none yet.
  #slotFor(walk: Walk, packet: Packet): number {
    const time = walk.time;
    this.expire(time);
    const bucket = this.#fillKey(walk, packet) & (this.#bucketHead.length - 1);
    let slot = this.#bucketHead[bucket]!;
    while (slot >= 0 && !this.#sameKey(slot)) slot = this.#bucketNext[slot]!;
    if (slot >= 0) {
      const state = this.#state[slot]!;
      if (state === State.open) return slot;
      // Identifications are used again, so the memory of a closed datagram must be short.
      const keep = state === State.refused ? this.#timeout : closedTime;
      if (Math.abs(time - this.#since[slot]!) <= keep) return slot;
      this.#release(slot);
    }
    return this.#openSlot(bucket, this.#sourceOf(packet), time);
  }

  #openSlot(bucket: number, source: number, time: number): number {
    if (this.#sourceSlots[source]! >= this.#slotShare) {
      this.#refuse(this.#bySource.head(source), DecodeCounter.fragmentEvicted);
    }
    let slot = this.#order.head(Order.free);
    if (slot < 0) {
      if (this.#order.head(Order.closed) < 0) {
        this.#refuse(this.#order.head(Order.open), DecodeCounter.fragmentEvicted);
      }
      slot = this.#order.head(Order.closed);
      this.#release(slot);
    }
    const key = slot * keyWords;
    for (let word = 0; word < keyWords; word += 1) this.#key[key + word] = this.#wanted[word]!;
    this.#bucketOf[slot] = bucket;
    this.#bucketNext[slot] = this.#bucketHead[bucket]!;
    this.#bucketHead[bucket] = slot;
    this.#state[slot] = State.open;
    this.#since[slot] = time;
    this.#total[slot] = -1;
    this.#reach[slot] = 0;
    this.#units[slot] = 0;
    this.#protocol[slot] = -1;
    this.#source[slot] = source;
    this.#sourceSlots[source] = this.#sourceSlots[source]! + 1;
    this.#order.append(Order.open, slot);
    this.#bySource.append(source, slot);
    this.open += 1;
    return slot;
  }

  #sameKey(slot: number): boolean {
    const key = slot * keyWords;
    for (let word = 0; word < keyWords; word += 1) {
      if (this.#key[key + word] !== this.#wanted[word]) return false;
    }
    return true;
  }

  // Leaves the key in `#wanted` and gives its hash.
  #fillKey(walk: Walk, packet: Packet): number {
    const key = this.#wanted;
    key[0] = packet.src0;
    key[1] = packet.src1;
    key[2] = packet.src2;
    key[3] = packet.src3;
    key[4] = packet.dst0;
    key[5] = packet.dst1;
    key[6] = packet.dst2;
    key[7] = packet.dst3;
    key[8] = walk.fragmentId;
    // For IPv6 the protocol is no part of it, and may differ between fragments (RFC 8200 section
    // 4.5).
    key[9] = packet.ip === 4 ? walk.protocol : 256;
    let hash = this.#seed;
    for (let word = 0; word < keyWords; word += 1) hash = mix(hash, key[word]!);
    return finish(hash);
  }

  // Whoever has one IPv6 address has the /64 around it.
  #sourceOf(packet: Packet): number {
    const hash =
      packet.ip === 4
        ? mix(this.#seed, packet.src3)
        : mix(mix(this.#seed, packet.src0), packet.src1);
    return finish(hash) & (sources - 1);
  }
}

function resultOfClosed(state: number): number {
  if (state === State.complete) return Fragment.duplicate;
  return state === State.unwanted ? Fragment.unwanted : Fragment.dropped;
}

// The steps of MurmurHash3 (32 bits, public domain).
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
