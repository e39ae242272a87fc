// How often a source is answered by UDP. A sender's address in a datagram may be forged, and then
// answers fall upon the one whose address it is: so each prefix (IPv4 /24, IPv6 /56) has a rate, as
// response rate limiting does in BIND. Who comes by TCP, and who is trusted, is not limited.
//
// Buckets are a fixed table with four places for each hash. Where all four are in use the one that
// is nearest to its rest is taken over, so a flood from very many prefixes may forget one; what it
// can win is one burst.

import { Prefix, readPrefix } from '../../lib/prefix.js';
import { type PrefixList, PrefixMap } from '../../lib/prefix-map.js';

const bucketsLog2 = 16;
const ways = 4;

export interface RateOptions {
  /** Answers a second for one prefix; a second's worth may come at once. 0: no limit. */
  readonly rate: number;
  /** Prefixes that are not limited. */
  readonly trusted: PrefixList;
  /** Random, so that nobody can choose prefixes that meet in one bucket. */
  readonly seed: number;
}

export class SourceRate {
  readonly #rate: number;
  readonly #trusted: PrefixMap;
  readonly #seed: number;
  /** Prefix of each bucket, and its theoretical arrival time in milliseconds. */
  readonly #keys = new Int32Array(2 << bucketsLog2);
  readonly #rest = new Float64Array(1 << bucketsLog2);
  readonly #prefix = new Prefix();

  constructor({ rate, trusted, seed }: RateOptions) {
    this.#rate = rate;
    this.#trusted = new PrefixMap(trusted);
    this.#seed = seed | 0;
  }

  /** Whether another answer to `address` is within its rate at `clock_ms`; time only runs on. */
  admits(address: string, clock_ms: number): boolean {
    if (this.#rate === 0) return true;
    const prefix = this.#prefix;
    const zone = address.indexOf('%');
    if (!readPrefix(zone < 0 ? address : address.slice(0, zone), prefix)) return false;
    const { w0, w1, w2, w3 } = prefix;
    if (this.#trusted.find(w0, w1, w2, w3) >= 0) return true;
    // An IPv4 prefix cannot be taken for one of IPv6: ::ffff:0:0/56 is nobody's.
    const four = w0 === 0 && w1 === 0 && w2 === 0xffff;
    const high = four ? 0xffff : w0;
    const low = four ? w3 & 0xffffff00 : w1 & 0xffffff00;
    return this.#take(high, low, clock_ms);
  }

  #take(high: number, low: number, now: number): boolean {
    const interval = 1000 / this.#rate;
    const bucket = this.#bucket(high, low);
    const next = Math.max(now, this.#rest[bucket]!) + interval;
    if (next - now > 1000) return false;
    this.#rest[bucket] = next;
    return true;
  }

  #bucket(high: number, low: number): number {
    let hash = Math.imul(high ^ this.#seed, 0xcc9e2d51) ^ Math.imul(low, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    const first = ((hash ^ (hash >>> 13)) >>> (32 - bucketsLog2)) & ~(ways - 1);
    let best = first;
    for (let bucket = first; bucket < first + ways; bucket++) {
      if (this.#keys[bucket * 2] === high && this.#keys[bucket * 2 + 1] === low) return bucket;
      if (this.#rest[bucket]! < this.#rest[best]!) best = bucket;
    }
    this.#keys[best * 2] = high;
    this.#keys[best * 2 + 1] = low;
    this.#rest[best] = 0;
    return best;
  }
}
