// Every encapsulation decoded, cut at every byte, and the odd lengths and headers that a mirror
// port shows. Fragments and random bytes have tests of their own.

import { describe, expect, it } from 'vitest';
import * as frame from '../../bench/generate/frame.js';
import { Packet } from '../../src/decode/packet.js';
import {
  DecodeCounter,
  decodeCounterNames,
  SkipReason,
  skipReasonNames,
} from '../../src/decode/reason.js';
import {
  batchOf,
  cases,
  decodeAll,
  decodeOne,
  decoderWith,
  outer4,
  payload,
  type Seen,
  tcp4,
  tcp6,
  wordsOf,
} from './frames.js';

const { ethernet, ipv4, ipv6, tcp, udp, vlan } = frame;

function expected(ip: 4 | 6): Partial<Seen> {
  const tcp = ip === 4 ? tcp4 : tcp6;
  return {
    ip,
    src: wordsOf(tcp.src),
    dst: wordsOf(tcp.dst),
    srcPort: tcp.srcPort,
    dstPort: tcp.dstPort,
    seq: tcp.seq,
    ack: tcp.ack,
    flags: 0x18,
    window: 0xfaf0,
    payload,
    payloadLength: payload.length,
  };
}

function asSeen(result: Seen | string): Seen {
  if (typeof result === 'string') throw new Error(`not decoded: ${result}`);
  return result;
}

describe('encapsulations', () => {
  for (const each of cases) {
    it(each.name, () => {
      const strict = decoderWith({ checksums: 'strict' });
      for (const decoder of [decoderWith(), strict]) {
        const result = decodeOne(each, decoder);
        expect(result).toMatchObject({ ...expected(each.ip), vlan: each.vlan });
      }
      expect(strict.counters[DecodeCounter.tcpChecksumChecked]).toBe(1);
      const closed = decodeOne(each, decoderWith({ tunnels: false }));
      expect(typeof closed).toBe(each.tunnel ? 'string' : 'object');
      if (each.tunnel) expect(closed).toBe('not-tcp');
    });
  }

  it('all of them through one decoder, each frame counted once', () => {
    const decoder = decoderWith();
    const results = decodeAll(
      [...cases, ...cases].map((each) => ({ ...each })),
      decoder,
    );
    expect(results.filter((each) => typeof each === 'string')).toEqual([]);
    expect(decoder.frames[SkipReason.decoded]).toBe(cases.length * 2);
    expect(decoder.frames.reduce((sum, n) => sum + n, 0)).toBe(cases.length * 2);
  });
});

describe('frames cut at every byte', () => {
  for (const each of cases) {
    it(each.name, () => {
      const whole = asSeen(decodeOne(each));
      const decoder = decoderWith();
      let decoded = 0;
      for (let cut = 0; cut < each.bytes.length; cut += 1) {
        const bytes = each.bytes.subarray(0, cut);
        const result = decodeOne(
          { bytes, link: each.link, wireLength: each.bytes.length },
          decoder,
        );
        if (typeof result === 'string') {
          expect(decoded, `cut ${cut} gave ${result} behind a decoded one`).toBe(0);
          // Where too little is left to tell what it is, the guesses end as "not IP".
          expect(['truncated', 'not-ip']).toContain(result);
          continue;
        }
        decoded += 1;
        expect(result).toEqual({ ...whole, payload: result.payload });
        expect(payload.startsWith(result.payload)).toBe(true);
        expect(result.payload.length).toBe(Math.max(0, payload.length - (each.bytes.length - cut)));
      }
      expect(decoded).toBeGreaterThanOrEqual(payload.length);
    });
  }

  it('a cut that the mirror hides (wire length is the cut length)', () => {
    const bytes = ethernet(ipv4(tcp(tcp4)));
    for (let cut = 0; cut < bytes.length; cut += 1) {
      const result = decodeOne({ bytes: bytes.subarray(0, cut) });
      if (typeof result === 'string') expect(['bad-header', 'truncated']).toContain(result);
      else expect(result.payloadLength).toBe(payload.length);
    }
  });

  it('a wire length from a broken file is not believed', () => {
    const packet = ipv4(tcp(tcp4), { totalLength: 0 });
    for (const wireLength of [0, -1, 0x7fffffff, 3]) {
      const result = asSeen(decodeOne({ bytes: ethernet(packet), wireLength }));
      expect(result.payloadLength).toBe(payload.length);
    }
  });
});

describe('lengths', () => {
  it('Ethernet padding is not payload', () => {
    const bytes = Buffer.concat([
      ethernet(ipv4(tcp({ ...tcp4, payload: '' }))),
      Buffer.alloc(6, 65),
    ]);
    expect(decodeOne({ bytes })).toMatchObject({ payload: '', payloadLength: 0 });
    const six = Buffer.concat([
      ethernet(ipv6(tcp({ ...tcp6, payload: 'x' }))),
      Buffer.alloc(9, 65),
    ]);
    expect(decodeOne({ bytes: six })).toMatchObject({ payload: 'x', payloadLength: 1 });
  });

  it('IPv4 total length 0 and IPv6 payload length 0 mean the frame (segmentation offload)', () => {
    const decoder = decoderWith();
    const long = 'y'.repeat(70_000);
    const four = ipv4(tcp({ ...tcp4, payload: long }), { totalLength: 0 });
    const six = ipv6(tcp({ ...tcp6, payload: 'z'.repeat(100) }));
    six.writeUInt16BE(0, 4);
    for (const packet of [four, six]) {
      const result = asSeen(decodeOne({ bytes: ethernet(packet) }, decoder));
      expect(result.payload.length).toBe(packet === four ? 70_000 : 100);
      expect(result.payloadLength).toBe(result.payload.length);
    }
    expect(decoder.counters[DecodeCounter.lengthZero]).toBe(2);
  });

  it('total length shorter than the header is a bad header', () => {
    for (const totalLength of [1, 19, 20, 39]) {
      const bytes = ethernet(ipv4(tcp(tcp4), { totalLength }));
      expect(decodeOne({ bytes })).toBe('bad-header');
    }
  });

  it('TCP data offset below 5 or beyond the segment is a bad header', () => {
    for (const offset of [0, 4, 15]) {
      const segment = tcp({ ...tcp4, payload: 'short' });
      segment[12] = offset << 4;
      expect(decodeOne({ bytes: ethernet(ipv4(segment, tcp4)) })).toBe('bad-header');
    }
  });

  it('TCP options that were cut off leave a segment without payload', () => {
    const bytes = ethernet(ipv4(tcp({ ...tcp4, options: Buffer.alloc(20, 1) })));
    const cut = bytes.subarray(0, 14 + 20 + 24);
    expect(decodeOne({ bytes: cut, wireLength: bytes.length })).toMatchObject({
      payload: '',
      payloadLength: payload.length,
    });
  });
});

describe('what is not decoded has its reason', () => {
  const other = (type: number) => ({ bytes: ethernet(Buffer.alloc(60), { type }) });
  const rows: [string, { bytes: Buffer; link?: number }, string][] = [
    ['ARP', other(0x0806), 'not-ip'],
    ['PPPoE discovery', other(0x8863), 'not-ip'],
    [
      'spanning tree',
      { bytes: ethernet(Buffer.from('424203000000', 'hex'), { type: 38 }) },
      'not-ip',
    ],
    ['UDP', { bytes: ethernet(ipv4(udp('x'.repeat(40), outer4))) }, 'not-tcp'],
    ['ICMP', { bytes: ethernet(ipv4(Buffer.alloc(20), { protocol: 1 })) }, 'not-tcp'],
    ['ESP', { bytes: ethernet(ipv6(Buffer.alloc(20), { protocol: 50 })) }, 'not-tcp'],
    ['no next header', { bytes: ethernet(ipv6(Buffer.alloc(20), { protocol: 59 })) }, 'not-tcp'],
    ['802.11', { bytes: Buffer.alloc(80), link: 105 }, 'unsupported-link'],
    ['negative link', { bytes: Buffer.alloc(80), link: -1 }, 'unsupported-link'],
    ['raw, version 5', { bytes: Buffer.alloc(80, 0x55), link: 101 }, 'not-ip'],
    ['null, unknown family', { bytes: Buffer.alloc(80, 0x07), link: 0 }, 'not-ip'],
    ['wrong version', { bytes: ethernet(ipv6(tcp(tcp6)), { type: 0x0800 }) }, 'bad-header'],
    ['GRE routing', { bytes: ethernet(ipv4(greWith(0x4000), outer4)) }, 'bad-header'],
    ['GRE version 1', { bytes: ethernet(ipv4(greWith(0x2001), outer4)) }, 'not-ip'],
    ['VXLAN without its flag', { bytes: vxlanWithoutFlag() }, 'not-tcp'],
    ['empty frame', { bytes: Buffer.alloc(0) }, 'bad-header'],
    ['nine tags', { bytes: ethernet(tags(9)) }, 'too-deep'],
    ['endless labels', { bytes: ethernet(Buffer.alloc(200), { type: 0x8847 }) }, 'too-deep'],
    ['forty tunnels', { bytes: ethernet(nested(40)) }, 'too-deep'],
    ['forty extensions', { bytes: ethernet(extended(40)) }, 'too-deep'],
  ];
  for (const [name, input, reason] of rows) {
    it(name, () => expect(decodeOne(input)).toBe(reason));
  }

  it('eight tags, ten tunnels and ten extensions are decoded', () => {
    for (const inner of [tags(8), nested(10), extended(10)]) {
      expect(decodeOne({ bytes: ethernet(inner) })).toMatchObject({ payload });
    }
  });

  it('names and numbers belong together', () => {
    expect(new Set(skipReasonNames).size).toBe(Object.keys(SkipReason).length);
    expect(new Set(decodeCounterNames).size).toBe(Object.keys(DecodeCounter).length);
    expect(skipReasonNames[SkipReason.fragmentDropped]).toBe('fragment-dropped');
    expect(skipReasonNames[SkipReason.checksum]).toBe('checksum');
    expect(decodeCounterNames[DecodeCounter.fragmentOversize]).toBe('fragment-oversize');
  });
});

function greWith(flags: number): Buffer {
  const bytes = frame.gre(ipv4(tcp(tcp4)), { key: 1 });
  bytes.writeUInt16BE(flags, 0);
  return bytes;
}

function vxlanWithoutFlag(): Buffer {
  const inner = frame.vxlan(ethernet(ipv4(tcp(tcp4))));
  inner[0] = 0;
  return ethernet(ipv4(udp(inner, outer4)));
}

function tags(count: number): Buffer {
  let inner = ipv4(tcp(tcp4));
  for (let index = 0; index < count; index += 1) inner = vlan(inner, { id: index });
  return inner;
}

function nested(count: number): Buffer {
  let inner = ipv4(tcp(tcp4));
  for (let index = 0; index < count; index += 1) inner = ipv4(inner, { ...outer4, protocol: 4 });
  return inner;
}

function extended(count: number): Buffer {
  return ipv6(tcp(tcp6), { extensions: Array.from({ length: count }, () => ({ type: 60 })) });
}

describe('checksums', () => {
  const wrongTcp = ethernet(ipv4(tcp({ ...tcp4, checksum: 0x1234 })));
  const wrongIp = ethernet(ipv4(tcp(tcp4)));
  wrongIp.writeUInt16BE(0xbeef, 14 + 10);

  it('wrong ones are decoded and counted', () => {
    const decoder = decoderWith();
    expect(decodeOne({ bytes: wrongIp }, decoder)).toMatchObject({ payload });
    expect(decoder.counters[DecodeCounter.ipChecksumWrong]).toBe(1);
    const frames = Array.from({ length: 10_240 }, () => ({ bytes: wrongTcp }));
    for (const result of decodeAll(frames, decoder)) expect(result).toMatchObject({ payload });
    expect(decoder.counters[DecodeCounter.tcpChecksumChecked]).toBe(10);
    expect(decoder.counters[DecodeCounter.tcpChecksumWrong]).toBe(10);
  });

  it('strict drops them, but not what cannot be verified', () => {
    const decoder = decoderWith({ checksums: 'strict' });
    expect(decodeOne({ bytes: wrongIp }, decoder)).toBe('checksum');
    expect(decodeOne({ bytes: wrongTcp }, decoder)).toBe('checksum');
    const cut = { bytes: wrongTcp.subarray(0, -1), wireLength: wrongTcp.length };
    expect(decodeOne(cut, decoder)).toMatchObject({ payloadLength: payload.length });
    expect(decoder.frames[SkipReason.checksum]).toBe(2);
    expect(decoder.counters[DecodeCounter.payloadCut]).toBe(1);
  });

  it('every flipped bit of a segment is found', () => {
    const decoder = decoderWith({ checksums: 'strict' });
    for (const odd of ['', 'x', 'xy', 'xyz']) {
      for (const good of [
        ethernet(ipv4(tcp({ ...tcp4, payload: odd }))),
        ethernet(ipv6(tcp({ ...tcp6, payload: odd }))),
      ]) {
        expect(decodeOne({ bytes: good }, decoder)).toMatchObject({ payload: odd });
        for (let at = good.length - 20 - odd.length; at < good.length; at += 1) {
          const bad = Buffer.from(good);
          bad[at] = bad[at]! ^ 0x10;
          expect(['checksum', 'bad-header']).toContain(decodeOne({ bytes: bad }, decoder));
        }
      }
    }
  });

  it('a source route hides the last address: not verified', () => {
    const decoder = decoderWith({ checksums: 'strict' });
    const options = Buffer.from([1, 131, 7, 4, 10, 0, 0, 1]);
    const routed = ethernet(ipv4(tcp({ ...tcp4, checksum: 1 }), { options }));
    expect(decodeOne({ bytes: routed }, decoder)).toMatchObject({ payload });
    const body = Buffer.from([0, 1, 0, 0, 0, 0]);
    const six = ipv6(tcp({ ...tcp6, checksum: 1 }), { extensions: [{ type: 43, body }] });
    expect(decodeOne({ bytes: ethernet(six) }, decoder)).toMatchObject({ payload });
  });
});

describe('the packet', () => {
  it('carries time, IP identification and TCP checksum', () => {
    const packet = new Packet();
    for (const bytes of [ethernet(ipv4(tcp(tcp4), { id: 65535 })), frame.sll(ipv4(tcp(tcp4)))]) {
      const link = bytes[0] === 2 ? 1 : 113;
      const batch = batchOf([{ bytes, link, time: 12.5 }]);
      expect(decoderWith().decode(batch, 0, packet)).toBe(0);
      expect(packet.time).toBe(12_500_000);
      expect(packet.bytes).toBe(batch.bytes);
      expect(packet.ipId).toBe(link === 1 ? 65535 : 0);
      const tcpAt = packet.payloadFrom - 20;
      expect(packet.checksum).toBe(batch.bytes.readUInt16BE(tcpAt + 16));
    }
  });
});
