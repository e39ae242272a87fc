// Ethernet frames for everything that looks at headers: each encapsulation, fragments, situations
// of the filter, and random changes of them.

import * as frame from '../../bench/generate/frame.js';
import type { Random } from '../../src/lib/random.js';
import { cases, tcp4, tcp6 } from '../decode/frames.js';
import { situations } from './situations.js';

const big = { ...tcp4, payload: 'f'.repeat(500) };
const pieces = [
  ...frame.fragment4(frame.ipv4(frame.tcp(big)), 64),
  ...frame.fragment6(frame.ipv6(frame.tcp({ ...tcp6, payload: big.payload })), 64, 9),
  ...frame.fragment4(frame.ipv4(frame.gre(frame.ipv4(frame.tcp(big)))), 128),
].map((piece) => frame.ethernet(frame.vlan(piece, { id: 9 })));

/** Frames with everything that is walked, and situations of the filter. */
export const corpus: readonly Buffer[] = [
  ...cases.filter(({ link }) => link === 1).map(({ bytes }) => bytes),
  ...pieces,
  ...situations.map(([, bytes]) => bytes),
];

/** A frame of the corpus with a few bytes changed, cut, or an extra header in front of its type. */
export function mutated(random: Random): Buffer {
  const base = corpus[random.below(corpus.length)]!;
  const cut = random.chance(0.2) ? random.below(base.length) : base.length;
  let bytes = Buffer.from(base.subarray(0, cut));
  if (bytes.length > 14 && random.chance(0.3)) {
    const extra = Buffer.alloc(4 * (1 + random.below(3)));
    for (let at = 0; at < extra.length; at += 4) {
      extra.writeUInt16BE([0x8100, 0x88a8, 0x8847, 0x8864, 0x6558][random.below(5)]!, at);
      extra.writeUInt16BE(random.word() & 0xffff, at + 2);
    }
    bytes = Buffer.concat([bytes.subarray(0, 12), extra, bytes.subarray(12)]);
  }
  for (let n = random.below(4); n > 0 && bytes.length > 12; n -= 1) {
    const at = 12 + random.below(Math.min(bytes.length - 12, 60));
    const known = [0, 1, 4, 6, 0x21, 0x40, 0x45, 0x60, 0x88, 0x81, 0x64, 0x47, 0xff, 17, 47];
    bytes[at] = random.chance(0.5) ? known[random.below(known.length)]! : random.word();
  }
  return bytes;
}
