// Random bytes against the decoder: it never throws, never reads outside the frame, gives exactly
// one reason, and its short way says what its loop says. The seed is printed with a failure.

import { describe, expect, it } from 'vitest';
import * as frame from '../../bench/generate/frame.js';
import { Packet } from '../../src/decode/packet.js';
import { skipReasonNames } from '../../src/decode/reason.js';
import { batchOf, cases, decodeOne, decoderWith, type FrameIn, tcp4, tcp6 } from './frames.js';

/** mulberry32: small, seeded, good enough for choosing bytes. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const seed = Number(process.env['MAILWEIR_SEED'] ?? Date.now() % 1e9);

function mutated(bytes: Buffer, random: (below: number) => number): Buffer {
  const copy = Buffer.from(
    bytes.subarray(0, random(8) === 0 ? random(bytes.length) : bytes.length),
  );
  for (let n = 1 + random(4); n > 0 && copy.length > 0; n -= 1) {
    // Headers are where it matters: most changes go into the first 100 bytes.
    const at = random(Math.min(copy.length, random(4) === 0 ? copy.length : 100));
    copy[at] = random(3) === 0 ? [0, 1, 0x45, 0x7f, 0x80, 0xff][random(6)]! : random(256);
  }
  return copy;
}

describe(`random bytes (MAILWEIR_SEED=${seed})`, () => {
  it('two seconds of mutated frames', () => {
    const random = randomFrom(seed);
    const pieces = [
      ...frame.fragment4(frame.ipv4(frame.tcp({ ...tcp4, payload: 'f'.repeat(500) })), 64),
      ...frame.fragment6(frame.ipv6(frame.tcp({ ...tcp6, payload: 'f'.repeat(500) })), 64, 9),
    ];
    const seeds: FrameIn[] = [...cases, ...pieces.map((each) => ({ bytes: frame.ethernet(each) }))];
    const decoder = decoderWith();
    const strict = decoderWith({ checksums: 'strict' });
    const packet = new Packet();
    const end = Date.now() + 2000;
    let count = 0;
    while (Date.now() < end) {
      const inputs = Array.from({ length: 50 }, () => {
        const base = seeds[random(seeds.length)]!;
        const bytes = mutated(base.bytes, random);
        return { bytes, link: base.link ?? 1, wireLength: bytes.length + random(3) * random(99) };
      });
      const batch = batchOf(inputs);
      for (let index = 0; index < batch.count; index += 1) {
        count += 1;
        for (const each of [decoder, strict]) {
          const reason = each.decode(batch, index, packet);
          expect(Number.isInteger(reason) && reason >= 0).toBe(true);
          expect(reason).toBeLessThan(skipReasonNames.length);
          if (reason === 0)
            expectInside(packet, batch.offset[index]!, batch.length[index]!, batch.bytes);
        }
      }
    }
    expect(count).toBeGreaterThan(1000);
    for (const each of [decoder, strict]) {
      expect(each.frames.reduce((sum, n) => sum + n, 0)).toBe(count);
    }
  }, 20_000);

  it('the short way and the loop say the same', () => {
    const random = randomFrom(seed + 1);
    // Two decoders per frame: the second sees the IP packet alone, on a link type the short way
    // lacks.
    const packets = [
      frame.ipv4(frame.tcp(tcp4)),
      frame.ipv4(frame.tcp({ ...tcp4, payload: '' })),
      frame.ipv4(frame.tcp({ ...tcp4, options: Buffer.alloc(40, 1), payload: 'x' })),
      frame.ipv6(frame.tcp(tcp6)),
    ];
    let decoded = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const original = packets[random(packets.length)]!;
      const packet = random(4) === 0 ? original : mutated(original, random);
      if (packet.length === 0) continue;
      if (random(2) === 0) fixSum(packet);
      const tag = random(2) === 0 ? Buffer.alloc(0) : Buffer.from([0x81, 0, 0x60, 7]);
      const type = Buffer.from([...tag, ...(original[0] === 0x45 ? [8, 0] : [0x86, 0xdd])]);
      const bytes = Buffer.concat([Buffer.alloc(12, 2), type, packet]);
      const link = original[0] === 0x45 ? 228 : 229;
      const short = decodeOne({ bytes }, shortDecoder);
      const loop = decodeOne({ bytes: packet, link }, loopDecoder);
      if (typeof short === 'string' || typeof loop === 'string') {
        // A frame shorter than its Ethernet header has no packet to compare with.
        expect(short).toBe(loop);
      } else {
        decoded += 1;
        expect(short).toEqual({ ...loop, vlan: tag.length === 0 ? [] : [7] });
      }
    }
    expect(decoded).toBeGreaterThan(3000);
    for (const decoder of [shortDecoder, loopDecoder])
      decoder.counters[1] = decoder.counters[2] = 0;
    expect(shortDecoder.counters).toEqual(loopDecoder.counters);
  }, 20_000);
});

const shortDecoder = decoderWith();
const loopDecoder = decoderWith();

function fixSum(packet: Buffer): void {
  const header = (packet[0]! & 15) * 4;
  if (packet[0]! >>> 4 !== 4 || header < 20 || packet.length < header) return;
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(frame.fold(frame.sum16(packet, 0, header)), 10);
}

function expectInside(packet: Packet, from: number, length: number, area: Buffer): void {
  const inFrame = packet.bytes === area;
  const low = inFrame ? from : 0;
  const high = inFrame ? from + length : packet.bytes.length - 8;
  const good =
    packet.payloadFrom >= low &&
    packet.payloadFrom <= packet.payloadTo &&
    packet.payloadTo <= high &&
    packet.payloadTo - packet.payloadFrom <= packet.payloadLength &&
    packet.vlanCount <= 3;
  expect(good).toBe(true);
}
