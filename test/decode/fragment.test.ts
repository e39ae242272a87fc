// Fragments through the whole decoder: order, copies, contradictions, limits, time. The decoder's
// own counts are part of every case, since lost fragments must never vanish without one.

import { describe, expect, it } from 'vitest';
import * as frame from '../../bench/generate/frame.js';
import type { Decoder } from '../../src/decode/decoder.js';
import { DecodeCounter, SkipReason } from '../../src/decode/reason.js';
import { decodeAll, decoderWith, type FrameIn, outer4, type Seen, tcp4, tcp6 } from './frames.js';

const { ethernet, fragment4, fragment6, ipv4, ipv6, tcp, udp } = frame;

const long = Array.from({ length: 6000 }, (_, i) => String.fromCharCode(33 + ((i * 7) % 90))).join(
  '',
);
const packet4 = ipv4(tcp({ ...tcp4, payload: long }), { id: 77 });
const packet6 = ipv6(tcp({ ...tcp6, payload: long }));

function framesOf(packets: readonly Buffer[], time = 1): FrameIn[] {
  return packets.map((bytes) => ({ bytes: ethernet(bytes), time }));
}

function expectWhole(result: Seen | string | undefined, payload = long): void {
  expect(result).toMatchObject({ payload, payloadLength: payload.length, dstPort: 25 });
}

function expectIdle(decoder: Decoder): void {
  expect(decoder.fragments.open).toBe(0);
  expect(decoder.fragments.pages).toBe(0);
}

const families: [string, (size: number, id?: number) => Buffer[]][] = [
  ['IPv4', (size, id = 77) => fragment4(withId(packet4, id), size)],
  ['IPv6', (size, id = 77) => fragment6(packet6, size, id)],
];

function withId(packet: Buffer, id: number): Buffer {
  const copy = Buffer.from(packet);
  const before = copy.readUInt16BE(4);
  copy.writeUInt16BE(id, 4);
  // RFC 1624: the checksum follows the change of one word.
  const sum = (~copy.readUInt16BE(10) & 0xffff) + (~before & 0xffff) + id;
  copy.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 10);
  return copy;
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const copy = [...items];
  let state = seed;
  for (let i = copy.length - 1; i > 0; i -= 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const j = (state >>> 8) % (i + 1);
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}

for (const [name, cut] of families) {
  describe(`${name} fragments`, () => {
    it('of any size, in any order', () => {
      for (const size of [8, 16, 24, 512, 1480, 2048, 2056, 5000]) {
        const decoder = decoderWith({ checksums: 'strict' });
        const pieces = cut(size);
        const orders = [pieces, [...pieces].reverse(), shuffled(pieces, 1), shuffled(pieces, 2)];
        for (const order of orders) {
          decoder.frames.fill(0);
          // Late copies are remembered for two seconds, so each round is later than that.
          const time = 10 * (1 + orders.indexOf(order));
          const results = decodeAll(framesOf(order, time), decoder);
          expectWhole(results.at(-1));
          expect(results.slice(0, -1).every((each) => each === 'fragment')).toBe(true);
          expect(decoder.frames[SkipReason.fragment]).toBe(pieces.length - 1);
          expectIdle(decoder);
        }
        expect(decoder.counters[DecodeCounter.reassembled]).toBe(4);
        expect(decoder.counters[DecodeCounter.tcpChecksumWrong]).toBe(0);
      }
    });

    it('seen twice, as on a mirror of both directions of a port', () => {
      const decoder = decoderWith();
      const twice = cut(1480).flatMap((each) => [each, each]);
      const results = decodeAll(framesOf(twice), decoder);
      expectWhole(results.at(-2));
      expect(results.filter((each) => each === 'fragment-duplicate').length).toBe(twice.length / 2);
      expect(decoder.counters[DecodeCounter.reassembled]).toBe(1);
      expectIdle(decoder);
    });

    it('overlapping with the same bytes', () => {
      const decoder = decoderWith();
      // The same datagram cut at other places: every second piece of each, then all of the first.
      const order = [...cut(1480).filter((_, i) => i % 2 === 0), ...cut(2000)];
      const results = decodeAll(framesOf(order), decoder);
      const whole = results.filter((each) => typeof each !== 'string');
      expect(whole.length).toBe(1);
      expectWhole(whole[0]);
      expectIdle(decoder);
    });

    it('overlapping with other bytes end the datagram, late fragments included', () => {
      const decoder = decoderWith();
      const pieces = cut(1480);
      const evil = Buffer.from(pieces[1]!);
      evil[evil.length - 3] = evil[evil.length - 3]! ^ 1;
      const results = decodeAll(framesOf([pieces[0]!, pieces[1]!, evil, ...pieces]), decoder);
      expect(results.slice(0, 3)).toEqual(['fragment', 'fragment', 'fragment-dropped']);
      expect(results.slice(3).every((each) => each === 'fragment-dropped')).toBe(true);
      expect(decoder.counters[DecodeCounter.fragmentConflict]).toBe(1);
      expect(decoder.counters[DecodeCounter.reassembled]).toBe(0);
      expectIdle(decoder);
    });

    it('that disagree on the length end the datagram', () => {
      const pieces = cut(1480);
      const early = cut(1480)[3]!;
      // The last but one says that it is the last.
      clearMore(early, name === 'IPv4');
      for (const order of [
        [pieces.at(-1)!, early],
        [early, pieces.at(-1)!],
      ]) {
        const decoder = decoderWith();
        const results = decodeAll(framesOf(order), decoder);
        expect(results).toEqual(['fragment', 'fragment-dropped']);
        expect(decoder.counters[DecodeCounter.fragmentConflict]).toBe(1);
        expectIdle(decoder);
      }
    });

    it('of which one is missing are given up after 30 s', () => {
      const decoder = decoderWith();
      const pieces = cut(1480);
      decodeAll(framesOf(pieces.slice(1), 100), decoder);
      expect(decoder.fragments.open).toBe(1);
      // Too late: the first fragment opens a datagram of its own.
      expect(decodeAll(framesOf([pieces[0]!], 131), decoder)).toEqual(['fragment']);
      expect(decoder.counters[DecodeCounter.fragmentTimeout]).toBe(1);
      expect(decoder.fragments.open).toBe(1);
      const results = decodeAll(framesOf(pieces.slice(1), 132), decoder);
      expectWhole(results.at(-1));
    });

    it('whose time runs backwards are given up as well', () => {
      const decoder = decoderWith();
      decodeAll(framesOf(cut(1480).slice(1), 1e9), decoder);
      expectWhole(decodeAll(framesOf(cut(1480, 5), 1), decoder).at(-1));
      expect(decoder.counters[DecodeCounter.fragmentTimeout]).toBe(1);
      expectIdle(decoder);
    });

    it('an identification used again after two seconds is a new datagram', () => {
      const decoder = decoderWith();
      for (const time of [1, 4, 7]) {
        expectWhole(decodeAll(framesOf(cut(1480), time), decoder).at(-1));
      }
      expect(decoder.counters[DecodeCounter.reassembled]).toBe(3);
    });

    it('with a length that is no multiple of eight, or none at all', () => {
      const odd = Buffer.from(cut(1480)[0]!);
      const lengthAt = name === 'IPv4' ? 2 : 4;
      odd.writeUInt16BE(odd.readUInt16BE(lengthAt) - 3, lengthAt);
      const empty = Buffer.from(cut(1480).at(-1)!);
      empty.writeUInt16BE(name === 'IPv4' ? 20 : 8, lengthAt);
      expect(decodeAll(framesOf([odd, empty]))).toEqual(['bad-header', 'bad-header']);
    });

    it('that were cut by the capture are not kept', () => {
      const decoder = decoderWith();
      const bytes = ethernet(cut(1480)[0]!);
      const cutFrame = { bytes: bytes.subarray(0, -1), wireLength: bytes.length };
      expect(decodeAll([cutFrame], decoder)).toEqual(['truncated']);
      expectIdle(decoder);
    });

    it('of a datagram longer than 65,535 bytes are refused', () => {
      const decoder = decoderWith();
      const far = Buffer.from(cut(1480)[1]!);
      if (name === 'IPv4') far.writeUInt16BE(0x2000 | 0x1fff, 6);
      else far.writeUInt16BE(0xfff9, 42);
      expect(decodeAll(framesOf([far]), decoder)).toEqual(['fragment-dropped']);
      expect(decoder.counters[DecodeCounter.fragmentOversize]).toBe(1);
    });
  });
}

function clearMore(packet: Buffer, four: boolean): void {
  if (four) packet.writeUInt16BE(packet.readUInt16BE(6) & 0x1fff, 6);
  else packet.writeUInt16BE(packet.readUInt16BE(42) & 0xfff8, 42);
}

describe('the longest datagram', () => {
  it('of 65,535 bytes fits, with slack behind it', () => {
    const payload = '\xff'.repeat(65_535 - 40);
    const decoder = decoderWith({ checksums: 'strict' });
    const packet = ipv4(tcp({ ...tcp4, payload }));
    expectWhole(decodeAll(framesOf(fragment4(packet, 1480)), decoder).at(-1), payload);
    expect(decoder.fragments.out.length - decoder.fragments.outLength).toBeGreaterThanOrEqual(8);
  });
});

describe('IPv6', () => {
  it('atomic fragments are taken as they are', () => {
    const decoder = decoderWith();
    const atomic = fragment6(packet6, 9000, 5);
    expect(atomic.length).toBe(1);
    const results = decodeAll(framesOf([atomic[0]!, atomic[0]!]), decoder);
    expectWhole(results[0]);
    expectWhole(results[1]);
    expect(decoder.counters[DecodeCounter.reassembled]).toBe(0);
  });

  it('atomic fragments do not mix with others of the same identification (RFC 6946)', () => {
    const decoder = decoderWith();
    const pieces = fragment6(packet6, 1480, 5);
    const atomic = fragment6(ipv6(tcp({ ...tcp6, payload: 'other' })), 9000, 5);
    const results = decodeAll(framesOf([pieces[0]!, atomic[0]!, ...pieces.slice(1)]), decoder);
    expect(results[1]).toMatchObject({ payload: 'other' });
    expectWhole(results.at(-1));
  });

  it('extension headers in front of and inside the fragments', () => {
    const extensions = [{ type: 0 }, { type: 43 }, { type: 60 }];
    const packet = ipv6(tcp({ ...tcp6, payload: long }), { extensions });
    expectWhole(decodeAll(framesOf(fragment6(packet, 16, 9))).at(-1));
  });

  it('the first fragment says the protocol, whatever the others say', () => {
    const pieces = fragment6(packet6, 1480, 3);
    for (const piece of pieces.slice(1)) piece[40] = 58;
    expectWhole(decodeAll(framesOf(shuffled(pieces, 5))).find((each) => typeof each !== 'string'));
  });

  it('a second first fragment with another protocol ends the datagram', () => {
    const pieces = fragment6(packet6, 1480, 3);
    const other = Buffer.from(pieces[0]!);
    other[40] = 58;
    const decoder = decoderWith();
    const results = decodeAll(framesOf([pieces[0]!, other, ...pieces.slice(1)]), decoder);
    expect(results.slice(1).every((each) => each === 'fragment-dropped')).toBe(true);
    expect(decoder.counters[DecodeCounter.fragmentConflict]).toBe(1);
  });
});

describe('what is worth keeping', () => {
  it('UDP that is no tunnel is forgotten from its first fragment on', () => {
    const decoder = decoderWith();
    const dns = ipv4(udp('d'.repeat(4000), outer4));
    const pieces = fragment4(dns, 1480);
    expect(decodeAll(framesOf(pieces), decoder)).toEqual(['not-tcp', 'not-tcp', 'not-tcp']);
    expect(decodeAll(framesOf([...pieces].reverse(), 60), decoder)).toEqual([
      'fragment',
      'fragment',
      'not-tcp',
    ]);
    expectIdle(decoder);
  });

  it('ICMP is never kept, nor any tunnel when tunnels are off', () => {
    const icmp = fragment4(ipv4(Buffer.alloc(3000), { protocol: 1 }), 1480);
    expect(decodeAll(framesOf(icmp))).toEqual(['not-tcp', 'not-tcp', 'not-tcp']);
    const tunnel = fragment4(ipv4(frame.gre(packet4), outer4), 1480);
    const closed = decoderWith({ tunnels: false });
    for (const result of decodeAll(framesOf(tunnel), closed)) expect(result).toBe('not-tcp');
    expectIdle(closed);
  });

  it('tunnels in fragments, and fragments in tunnels in fragments', () => {
    const eth = ethernet(packet4);
    const outers = [
      ipv4(frame.gre(packet4), { ...outer4, id: 1 }),
      ipv4(udp(frame.vxlan(eth), outer4), { ...outer4, id: 2 }),
      ipv4(udp(frame.geneve(eth), outer4), { ...outer4, id: 3 }),
      ipv4(packet6, { ...outer4, protocol: 41, id: 4 }),
    ];
    for (const outer of outers) {
      expectWhole(decodeAll(framesOf(fragment4(outer, 1000))).at(-1));
    }
    const decoder = decoderWith({ checksums: 'strict' });
    const inner = fragment4(packet4, 1480).map((each, i) =>
      ipv4(frame.gre(each), { ...outer4, id: i }),
    );
    const results = decodeAll(framesOf(inner.flatMap((each) => fragment4(each, 400))), decoder);
    expectWhole(results.at(-1));
    // The last inner fragment fits into one outer one.
    expect(decoder.counters[DecodeCounter.reassembled]).toBe(inner.length);
    expectIdle(decoder);
  });
});

describe('limits', () => {
  const first = (index: number, spread: number): Buffer => {
    const src = `10.${(index % spread) >> 8}.${(index % spread) & 255}.7`;
    const packet = ipv4(tcp({ ...tcp4, src, payload: 'p'.repeat(3000) }), { id: index & 0xffff });
    return fragment4(packet, 1480)[0]!;
  };

  it('10,000 incomplete datagrams from everywhere stay in the pool and are counted', () => {
    const decoder = decoderWith({ fragmentDatagramsMax: 512, fragmentBytesMax: 1 << 20 });
    const packets = Array.from({ length: 10_000 }, (_, index) => first(index, 10_000));
    const results = decodeAll(framesOf(packets), decoder);
    expect(new Set(results)).toEqual(new Set(['fragment']));
    expect(decoder.fragments.open).toBe(512);
    expect(decoder.fragments.pages).toBe(512);
    expect(decoder.counters[DecodeCounter.fragmentEvicted]).toBe(10_000 - 512);
    expectWhole(decodeAll(framesOf(fragment4(packet4, 1480)), decoder).at(-1));
  });

  it('bytes run out before datagrams', () => {
    const decoder = decoderWith({ fragmentDatagramsMax: 512, fragmentBytesMax: 100 * 2048 });
    decodeAll(framesOf(Array.from({ length: 2000 }, (_, index) => first(index, 2000))), decoder);
    expect(decoder.fragments.pages).toBe(100);
    expect(decoder.fragments.open).toBe(100);
    expectWhole(decodeAll(framesOf(fragment4(packet4, 8)), decoder).at(-1));
  });

  it('one source cannot push out another', () => {
    const decoder = decoderWith({ fragmentDatagramsMax: 512, fragmentBytesMax: 1 << 20 });
    const pieces = fragment4(packet4, 1480);
    decodeAll(framesOf(pieces.slice(0, 2)), decoder);
    decodeAll(framesOf(Array.from({ length: 5000 }, (_, index) => first(index, 1))), decoder);
    expect(decoder.fragments.open).toBe(1 + 512 / 8);
    expectWhole(decodeAll(framesOf(pieces.slice(2)), decoder).at(-1));
  });

  it('a flood does not hinder a datagram that comes in one go', () => {
    const decoder = decoderWith();
    let complete = 0;
    for (let round = 0; round < 200; round += 1) {
      const flood = Array.from({ length: 20 }, (_, i) => first(round * 20 + i, 60_000));
      const mixed = shuffled([...fragment4(withId(packet4, round), 1480), ...flood], round);
      const results = decodeAll(framesOf(mixed), decoder);
      complete += results.filter((each) => typeof each !== 'string').length;
    }
    expect(complete).toBe(200);
  });

  it('one datagram of single units in every page keeps to the limits', () => {
    const decoder = decoderWith({ fragmentDatagramsMax: 16, fragmentBytesMax: 64 * 2048 });
    const sparse: Buffer[] = [];
    for (let id = 0; id < 20; id += 1) {
      const big = ipv4(tcp({ ...tcp4, payload: 's'.repeat(65_000) }), { id });
      sparse.push(...fragment4(big, 8).filter((_, unit) => unit % 256 === 1));
    }
    decodeAll(framesOf(sparse), decoder);
    expect(decoder.fragments.pages).toBeLessThanOrEqual(64);
    const refused = decoder.frames[SkipReason.fragmentDropped]!;
    expect(decoder.frames[SkipReason.fragment]! + refused).toBe(sparse.length);
  });

  it('the oldest datagram is given up when it asks for more, and every page comes back', () => {
    const decoder = decoderWith({ fragmentDatagramsMax: 512, fragmentBytesMax: 64 * 2048 });
    const big = ipv4(tcp({ ...tcp4, payload: 's'.repeat(60_000) }), { id: 1 });
    const pieces = fragment4(big, 1024);
    decodeAll(framesOf(pieces.slice(0, 1)), decoder);
    decodeAll(framesOf(Array.from({ length: 63 }, (_, index) => first(index, 63))), decoder);
    expect(decoder.fragments.pages).toBe(64);
    expect(decodeAll(framesOf([pieces[9]!]), decoder)).toEqual(['fragment-dropped']);
    expect(decoder.counters[DecodeCounter.fragmentEvicted]).toBe(1);
    expect(decoder.fragments.open).toBe(63);
    expect(decoder.fragments.pages).toBe(63);
    expectWhole(decodeAll(framesOf(fragment4(packet4, 1480), 100), decoder).at(-1));
    expect(decoder.counters[DecodeCounter.fragmentTimeout]).toBe(63);
    expectIdle(decoder);
  });
});
