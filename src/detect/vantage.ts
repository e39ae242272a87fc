// What the sensor sees of the traffic: the share of bytes lost on the way to it, the connections of
// which both sides and the handshake were seen, and how many own customers were active. Detectors
// tell it of each session before they judge it; guards of policy hang on what it says.

import { AtSession } from '../batch/row.js';
import { Role } from '../register/server.js';
import type { Facts } from './facts.js';
import { hashOf } from './state/subjects.js';
import { type Needs, Symmetry } from './symmetry.js';

/** Half of the time that losses are looked back on, seconds; and of that of customers. */
const loss_s = 150;
const customers_s = 1800;
/** Sessions that it takes to judge. */
const enough = 20;
/** Bits of the map of customers: 128 KiB count a million to a few percent. */
const mapBits = 1 << 20;

export class Vantage {
  readonly #symmetry = new Symmetry();
  /** This half and the one before: bytes lost, bytes, sessions. */
  readonly #lost = new Float64Array(6);
  #lossHalf = 0;
  /** Two maps, of this half and of the one before. */
  readonly #maps = [new Int32Array(mapBits / 32), new Int32Array(mapBits / 32)];
  #customersHalf = 0;
  /** Latest time of a row, microseconds. */
  latest = 0.5;
  /** Share of packets that the kernel dropped, as the capture tells; 0 for a file. */
  kernelLoss = 0;

  /** A row of this time, microseconds, is looked at. */
  see(time: number): void {
    if (time > this.latest) this.latest = time;
  }

  /** Counts the session at hand. */
  session({ row, second, src, handshake }: Facts): void {
    this.#symmetry.count(second, row.sides, handshake);
    this.#turnLoss(Math.floor(second / loss_s));
    this.#lost[0]! += row.gaps;
    this.#lost[1]! += row.double(AtSession.bytesToServer) + row.double(AtSession.bytesToClient);
    this.#lost[2]! += 1;
    this.#turnCustomers(Math.floor(second / customers_s));
    const { role } = src;
    if (role !== Role.customerDynamic && role !== Role.customerStatic) return;
    const isIpv4 = src.customerBits === 32;
    // Of an IPv6 customer the first 64 bits are enough to tell customers apart, or a few too many.
    const low = isIpv4 ? src.w3 : 0;
    const bit = hashOf(src.w0, src.w1, low, isIpv4 ? 4 : 6, 0x6d77) & (mapBits - 1);
    this.#maps[0]![bit >>> 5]! |= 1 << (bit & 31);
  }

  /** Share of bytes that were lost, 0 while too few sessions were seen. */
  get loss(): number {
    const lost = this.#lost;
    const missing = lost[0]! + lost[3]!;
    const seen = lost[1]! + lost[4]!;
    const share = lost[2]! + lost[5]! < enough ? 0 : missing / Math.max(1, missing + seen);
    return Math.max(share, this.kernelLoss);
  }

  /** Share of connections with both sides, 1 while too few were seen. */
  get symmetry(): number {
    return this.#symmetry.both;
  }

  /** So few handshakes are seen that evidence has to do without them. */
  get isBlind(): boolean {
    return this.#symmetry.isBlind;
  }

  /** Whether what a rule needs to see is missing too often. */
  isDegraded(needs: Needs): boolean {
    return this.#symmetry.isDegraded(needs, this.loss);
  }

  /**
   * Own customers with a session within the last half to whole hour, by linear counting (Whang,
   * Vander-Zanden and Taylor, 1990).
   */
  get customers(): number {
    const [one, other] = this.#maps as [Int32Array, Int32Array];
    let set = 0;
    for (let at = 0; at < one.length; at++) {
      for (let word = one[at]! | other[at]!; word !== 0; word &= word - 1) set += 1;
    }
    const empty = Math.max(1, mapBits - set);
    return Math.round(-mapBits * Math.log(empty / mapBits));
  }

  #turnLoss(half: number): void {
    if (half <= this.#lossHalf) return;
    if (half === this.#lossHalf + 1) this.#lost.copyWithin(3, 0, 3);
    else this.#lost.fill(0, 3);
    this.#lost.fill(0, 0, 3);
    this.#lossHalf = half;
  }

  #turnCustomers(half: number): void {
    if (half <= this.#customersHalf) return;
    this.#maps.reverse();
    this.#maps[0]!.fill(0);
    if (half > this.#customersHalf + 1) this.#maps[1]!.fill(0);
    this.#customersHalf = half;
  }
}
