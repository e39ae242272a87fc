// Steering: both directions of a connection, its fragments and its tunnels go to one worker,
// whatever is around them; what cannot be seen goes to worker 0; the load is spread evenly.

import { describe, expect, it } from 'vitest';
import * as frame from '../../bench/generate/frame.js';
import { addressHash, steer } from '../../src/capture/steer.js';
import { Random } from '../../src/lib/random.js';
import { cases } from '../decode/frames.js';

const { ethernet, vlan, mpls, pppoe, gre } = frame;

interface Ends {
  readonly src: string;
  readonly dst: string;
}

const four: Ends = { src: '192.0.2.77', dst: '198.51.100.25' };
const six: Ends = { src: '2001:db8:1::77', dst: '2001:db8:2::25' };
const outer: Ends = { src: '203.0.113.1', dst: '203.0.113.2' };
const back = ({ src, dst }: Ends): Ends => ({ src: dst, dst: src });

function segment(ends: Ends, size = 40): Buffer {
  // Port 25 on both sides: only the addresses tell the directions apart.
  const tcp = frame.tcp({ ...ends, srcPort: 25, dstPort: 25, payload: 'x'.repeat(size) });
  return ends.src.includes(':') ? frame.ipv6(tcp, ends) : frame.ipv4(tcp, ends);
}

/** Ways to carry a packet in Ethernet. */
const carriers: Record<string, (packet: Buffer) => Buffer> = {
  ethernet: (packet) => ethernet(packet),
  '802.1Q': (packet) => ethernet(vlan(packet, { id: 7 })),
  QinQ: (packet) => ethernet(vlan(vlan(packet, { id: 7 }), { id: 9, tpid: 0x88a8 })),
  '9 tags': (packet) => {
    let bytes = packet;
    for (let id = 1; id <= 9; id += 1) bytes = vlan(bytes, { id });
    return ethernet(bytes);
  },
  PPPoE: (packet) => ethernet(vlan(pppoe(packet), { id: 8 })),
  MPLS: (packet) => ethernet(mpls(packet, [16, 17, 18])),
  'pseudo-wire': (packet) => ethernet(mpls(ethernet(vlan(packet, { id: 3 })), [16])),
  'pseudo-wire, MAC 40:': (packet) =>
    ethernet(mpls(ethernet(packet, { dst: '40:00:5e:00:53:02' }), [16])),
};

describe.each([
  ['IPv4', four],
  ['IPv6', six],
] as const)('%s', (_, ends) => {
  const expected = hashOf(ethernet(segment(ends)));

  it.each(Object.keys(carriers))('both directions in %s have the hash of the pair', (name) => {
    const carry = carriers[name]!;
    expect(expected).toBeGreaterThan(0);
    expect(hashOf(carry(segment(ends)))).toBe(expected);
    expect(hashOf(carry(segment(back(ends))))).toBe(expected);
  });

  it('all fragments have it', () => {
    const packet = segment(ends, 1000);
    const pieces =
      ends === four ? frame.fragment4(packet, 200) : frame.fragment6(packet, 200, 4711);
    expect(pieces.length).toBeGreaterThan(4);
    for (const piece of pieces) expect(hashOf(ethernet(piece))).toBe(expected);
  });

  it('a tunnel has the hash of its own ends, in pieces too', () => {
    const tunnel = hashOf(ethernet(segment(outer)));
    for (const way of [outer, back(outer)]) {
      const packet = frame.ipv4(gre(ethernet(segment(ends, 900))), way);
      expect(hashOf(ethernet(packet))).toBe(tunnel);
      for (const piece of frame.fragment4(packet, 256)) {
        expect(hashOf(ethernet(piece))).toBe(tunnel);
      }
    }
  });

  it('cut off before the addresses end there is none', () => {
    const whole = ethernet(segment(ends));
    const size = 14 + (ends === four ? 20 : 40);
    for (let cut = 0; cut < size; cut += 1) expect(hashOf(whole.subarray(0, cut))).toBe(-1);
    expect(hashOf(whole.subarray(0, size))).toBe(expected);
  });
});

function hashOf(bytes: Buffer, link = 1): number {
  // Odd places and foreign bytes around: only the frame's own may be read.
  const room = Buffer.concat([Buffer.alloc(3, 0xff), bytes, Buffer.alloc(64, 0xff)]);
  return addressHash(room, 3, 3 + bytes.length, link);
}

describe('every encapsulation that the decoder opens', () => {
  it.each(cases.map((each) => [each.name, each] as const))('%s shows addresses', (_, each) => {
    expect(hashOf(each.bytes, each.link)).toBeGreaterThan(0);
  });
});

describe('what cannot be seen goes to worker 0', () => {
  const packet = segment(four);
  let deep = packet;
  for (let id = 1; id <= 10; id += 1) deep = vlan(deep, { id });
  const labels = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  it.each([
    ['ARP', ethernet(Buffer.alloc(46), { type: 0x0806 })],
    ['spanning tree', ethernet(Buffer.alloc(46, 0x42), { type: 38 })],
    ['ten tags', ethernet(deep)],
    ['nine labels', ethernet(mpls(packet, labels))],
    ['MPLS in MPLS', ethernet(mpls(ethernet(mpls(packet)), [16]))],
    ['PPP control', ethernet(Buffer.from('110000010006c02109010004', 'hex'), { type: 0x8864 })],
    ['nothing', Buffer.alloc(0)],
  ])('%s', (_, bytes) => {
    expect(hashOf(bytes)).toBe(-1);
    expect(steer(bytes, 0, bytes.length, 1, 7)).toBe(0);
  });

  it('an unknown link type', () => expect(hashOf(segment(four), 9999)).toBe(-1));
});

describe('the load', () => {
  it.each([2, 3, 4, 8, 16])('of neighbouring addresses is even over %i workers', (workers) => {
    const random = new Random(workers);
    const loads = new Array<number>(workers).fill(0);
    const pairs = 20_000;
    for (let i = 0; i < pairs; i += 1) {
      const src = `100.64.${random.below(16)}.${random.below(256)}`;
      const bytes = ethernet(segment({ src, dst: `192.0.2.${random.below(32)}` }, 0));
      const worker = steer(bytes, 0, bytes.length, 1, workers);
      loads[worker]! += 1;
    }
    for (const load of loads) {
      expect(load).toBeGreaterThan((pairs / workers) * 0.85);
      expect(load).toBeLessThan((pairs / workers) * 1.15);
    }
  });
});
