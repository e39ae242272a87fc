// Frames of every encapsulation through the decoder, in order, so that fragments meet. An input is
// a pcap file of one link type.

import * as build from '../../bench/generate/frame.js';
import { type DecodeOptions, Decoder, decodeDefaults } from '../../src/decode/decoder.js';
import { Packet } from '../../src/decode/packet.js';
import type { Random } from '../../src/lib/random.js';
import { cases, tcp4, tcp6 } from '../decode/frames.js';
import { batchesOf, type FuzzFrame, fileOf, fileOfParts, fileParts, framesOf } from './frames.js';
import { mutated, reordered } from './mutate.js';
import { pick, promise, type Target } from './target.js';

const text = 'f'.repeat(900);
const packet4 = build.ipv4(build.tcp({ ...tcp4, payload: text }), { dontFragment: false, id: 9 });
const packet6 = build.ipv6(build.tcp({ ...tcp6, payload: text }));
const pieces: Seed[] = [...build.fragment4(packet4, 64), ...build.fragment6(packet6, 64, 9)].map(
  (piece) => ({ bytes: build.ethernet(piece), link: 1 }),
);

interface Seed {
  readonly bytes: Buffer;
  readonly link: number;
}

const seeds: readonly Seed[] = [
  ...cases.map(({ bytes, link }) => ({ bytes, link: link ?? 1 })),
  ...pieces,
];
const links = [...new Set(seeds.map(({ link }) => link))];

export const decodeTarget: Target = {
  name: 'decode',
  extension: 'pcap',
  make(random) {
    const link = random.chance(0.5) ? 1 : pick(random, links);
    const own = seeds.filter((seed) => seed.link === link);
    const list = link === 1 && random.chance(0.4) ? reordered(pieces, random) : some(own, random);
    const harm = pick(random, [0.1, 0.6, 1]);
    let time = 1e15;
    const frames = list.map(({ bytes: whole }): FuzzFrame => {
      time += random.chance(0.02) ? 40e6 : random.below(1000);
      const bytes = random.chance(harm) ? mutated(whole, random) : whole;
      const more = random.chance(0.1) ? pick(random, [1, 99, 0x7fffffff - bytes.length]) : 0;
      return { time, bytes, wireLength: bytes.length + more, link };
    });
    return fileOf(frames, link);
  },
  run(input) {
    const frames = framesOf(input);
    for (const checksums of ['count', 'strict'] as const) decodeAll(frames, checksums);
  },
  parts: fileParts,
  whole: fileOfParts,
};

function some(list: readonly Seed[], random: Random): Seed[] {
  return Array.from({ length: 1 + random.below(40) }, () => pick(random, list));
}

function decodeAll(frames: readonly FuzzFrame[], checksums: DecodeOptions['checksums']): void {
  const limits = { fragmentDatagramsMax: 8, fragmentBytesMax: 1 << 16 };
  const decoder = new Decoder({ ...decodeDefaults, ...limits, checksums, seed: 5 });
  const packet = new Packet();
  for (const batch of batchesOf(frames, 64)) {
    const before = Buffer.from(batch.bytes);
    for (let index = 0; index < batch.count; index++) {
      const reason = decoder.decode(batch, index, packet);
      promise(reason >= 0 && reason < decoder.frames.length, `reason ${reason}`);
      if (reason > 0) continue;
      const from = batch.offset[index]!;
      checkInside(packet, from, from + batch.length[index]!, batch.bytes);
    }
    promise(before.equals(batch.bytes), 'the decoder changed a frame');
  }
  const counted = decoder.frames.reduce((sum, count) => sum + count, 0);
  promise(counted === frames.length, `${frames.length} frames, ${counted} are accounted for`);
}

function checkInside(p: Packet, from: number, to: number, area: Buffer): void {
  const [low, high] = p.bytes === area ? [from, to] : [0, p.bytes.length];
  const inside = p.payloadFrom >= low && p.payloadFrom <= p.payloadTo && p.payloadTo <= high;
  promise(inside, `payload ${p.payloadFrom} to ${p.payloadTo} is not in ${low} to ${high}`);
  const captured = p.payloadTo - p.payloadFrom;
  promise(p.payloadLength >= captured, `${captured} bytes of ${p.payloadLength} were captured`);
  promise(p.payloadLength < 1 << 20, `a segment of ${p.payloadLength} bytes`);
  promise(p.vlanCount >= 0 && p.vlanCount <= 3, `${p.vlanCount} tags`);
  promise(p.srcPort >= 0 && p.srcPort < 65_536, `source port ${p.srcPort}`);
  promise(p.dstPort >= 0 && p.dstPort < 65_536, `destination port ${p.dstPort}`);
}
