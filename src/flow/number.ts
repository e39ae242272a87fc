// The number of a flow, which outsiders know it by. It is no place in a table.

import type { Packet } from '../decode/packet.js';
import { F } from './table.js';

/**
 * Writes the number of the flow at word `b`, which `p` opens: 63 bits made of what every run sees
 * alike, its ends, first time and sequence number.
 */
export function numberFlow(w: Int32Array, b: number, p: Packet): void {
  let high = Math.imul((p.time % 0x100000000) | 0, 0x9e3779b1) ^ (p.time / 0x100000000) ^ p.seq;
  let low = Math.imul(p.seq, 0x85ebca6b) ^ ((p.time % 0x100000000) | 0);
  for (let i = 0; i < 9; i++) {
    const word = w[b + i]!;
    high = Math.imul(high ^ word, 0x01000193) ^ (high >>> 15);
    low = Math.imul(low ^ word, 0x5bd1e995) ^ (low >>> 13);
  }
  high = Math.imul(high ^ (high >>> 16), 0x45d9f3b);
  low = Math.imul(low ^ (low >>> 16), 0x45d9f3b);
  w[b + F.flowHigh] = (high ^ (high >>> 16)) & 0x7fffffff;
  w[b + F.flowLow] = low ^ (low >>> 16);
}
