// What the decode tests share: batches from frames, one decoded segment as plain values, and the
// table of encapsulations. Not a test itself.

import * as frame from '../../bench/generate/frame.js';
import { FrameBatch } from '../../src/capture/source.js';
import { type DecodeOptions, Decoder, decodeDefaults } from '../../src/decode/decoder.js';
import { Packet } from '../../src/decode/packet.js';
import { skipReasonNames } from '../../src/decode/reason.js';

export interface FrameIn {
  readonly bytes: Buffer;
  readonly link?: number;
  readonly wireLength?: number;
  /** Seconds. */
  readonly time?: number;
}

/** A batch of frames, each at an odd place, with nothing but 0xee around them. */
export function batchOf(frames: readonly FrameIn[]): FrameBatch {
  const room = frames.reduce((sum, each) => sum + each.bytes.length + 3, 8);
  const batch = new FrameBatch(Buffer.alloc(room, 0xee), Math.max(1, frames.length));
  let offset = 1;
  for (const [index, each] of frames.entries()) {
    each.bytes.copy(batch.bytes, offset);
    batch.offset[index] = offset;
    batch.length[index] = each.bytes.length;
    batch.wireLength[index] = each.wireLength ?? each.bytes.length;
    batch.time[index] = (each.time ?? 1) * 1e6;
    batch.link[index] = each.link ?? 1;
    offset += each.bytes.length + 3;
  }
  batch.count = frames.length;
  return batch;
}

/** A decoder with a small fragment pool: hundreds are made. */
export function decoderWith(options: Partial<DecodeOptions> = {}): Decoder {
  const small = { fragmentDatagramsMax: 64, fragmentBytesMax: 1 << 18 };
  return new Decoder({ ...decodeDefaults, ...small, ...options });
}

/** An address of a packet as hexadecimal words. */
export function words(w0: number, w1: number, w2: number, w3: number): string {
  return [w0, w1, w2, w3].map((word) => (word >>> 0).toString(16)).join(':');
}

/** The address words that a text address must give. */
export function wordsOf(address: string): string {
  const bytes = frame.addressBytes(address);
  if (bytes.length === 4) return words(0, 0, 0xffff, bytes.readInt32BE(0));
  return words(
    bytes.readInt32BE(0),
    bytes.readInt32BE(4),
    bytes.readInt32BE(8),
    bytes.readInt32BE(12),
  );
}

/** A decoded segment in plain values; the payload is a copy. */
export interface Seen {
  readonly src: string;
  readonly dst: string;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly payload: string;
  readonly payloadLength: number;
  readonly vlan: readonly number[];
  readonly ip: number;
  readonly ipId: number;
}

export function seen(packet: Packet): Seen {
  return {
    src: words(packet.src0, packet.src1, packet.src2, packet.src3),
    dst: words(packet.dst0, packet.dst1, packet.dst2, packet.dst3),
    srcPort: packet.srcPort,
    dstPort: packet.dstPort,
    seq: packet.seq >>> 0,
    ack: packet.ack >>> 0,
    flags: packet.flags,
    window: packet.window,
    payload: packet.bytes.toString('latin1', packet.payloadFrom, packet.payloadTo),
    payloadLength: packet.payloadLength,
    vlan: [packet.vlan0, packet.vlan1, packet.vlan2].slice(0, packet.vlanCount),
    ip: packet.ip,
    ipId: packet.ipId,
  };
}

/** Decodes all frames with one decoder: the segment, or the name of the reason. */
export function decodeAll(
  frames: readonly FrameIn[],
  decoder: Decoder = decoderWith(),
): (Seen | string)[] {
  const batch = batchOf(frames);
  const packet = new Packet();
  return frames.map((_, index) => {
    const reason = decoder.decode(batch, index, packet);
    return reason === 0 ? seen(packet) : skipReasonNames[reason]!;
  });
}

export function decodeOne(frameIn: FrameIn, decoder?: Decoder): Seen | string {
  return decodeAll([frameIn], decoder)[0]!;
}

export const payload = 'MAIL FROM:<alice@example.com> SIZE=1234\r\nRCPT TO:<bob@example.net>\r\n';
const base = { srcPort: 45678, dstPort: 25, seq: 0xfffffff0, ack: 0x80000001, payload };
export const tcp4 = { ...base, src: '192.0.2.77', dst: '198.51.100.25' };
export const tcp6 = { ...base, src: '2001:db8:1::77', dst: '2001:db8:2::25' };
export const outer4 = { src: '203.0.113.1', dst: '203.0.113.2' };
const outer6 = { src: '2001:db8:ffff::1', dst: '2001:db8:ffff::2' };

export interface Case {
  readonly name: string;
  readonly bytes: Buffer;
  readonly link: number;
  readonly vlan: readonly number[];
  readonly ip: 4 | 6;
  /** A tunnel, which `tunnels: false` leaves closed. */
  readonly tunnel: boolean;
}

const { ethernet, vlan, mpls, pppoe, gre } = frame;

/** Every encapsulation on its own, and nestings that occur. `packet` is IPv4 or IPv6 with TCP. */
function casesFor(ip: 4 | 6, packet: Buffer): Case[] {
  const cases: Case[] = [];
  const add = (name: string, bytes: Buffer, link = 1, tags: number[] = []): void => {
    cases.push({ name: `${name} (IPv${ip})`, bytes, link, vlan: tags, ip, tunnel: false });
  };
  const tag = (inner: Buffer, id: number, tpid = 0x8100): Buffer => vlan(inner, { id, tpid });
  const eth = ethernet(packet);
  const type = ip === 4 ? 0x0800 : 0x86dd;
  add('ethernet', eth);
  add('802.1Q', ethernet(tag(packet, 7)), 1, [7]);
  add('802.1ad', ethernet(tag(tag(packet, 7), 4095, 0x88a8)), 1, [4095, 7]);
  add('0x9100', ethernet(tag(tag(packet, 7), 5, 0x9100)), 1, [5, 7]);
  add('three tags', ethernet(tag(tag(tag(packet, 3), 2), 1, 0x88a8)), 1, [1, 2, 3]);
  add('five tags', ethernet(tag(tag(tag(tag(tag(packet, 5), 4), 3), 2), 1)), 1, [1, 2, 3]);
  add('llc snap', llcSnap(packet, type));
  add('mpls', ethernet(mpls(packet, [16])));
  add('mpls three labels', ethernet(mpls(packet, [100, 200, 300])));
  add('mpls multicast type', ethernet(mpls(packet, [16]), { type: 0x8848 }));
  add('vlan mpls', ethernet(tag(mpls(packet, [99]), 12)), 1, [12]);
  add('pseudo-wire', ethernet(mpls(eth, [16])));
  add('pseudo-wire, MAC 40:', ethernet(mpls(macFrame(packet, '40:00:5e:00:53:02'), [16])));
  add('pseudo-wire, MAC 60:', ethernet(mpls(macFrame(packet, '60:00:5e:00:53:02'), [16])));
  add('pseudo-wire, control word', ethernet(mpls(controlWord(eth), [16, 17])));
  add(
    'pseudo-wire with tag',
    ethernet(mpls(controlWord(ethernet(tag(packet, 42))), [16])),
    1,
    [42],
  );
  add('pppoe', ethernet(pppoe(packet)));
  add('vlan pppoe', ethernet(tag(tag(pppoe(packet), 8), 9)), 1, [9, 8]);
  add('pppoe, short protocol', ethernet(shortPpp(packet, ip), { type: 0x8864 }));
  add('ppp', Buffer.concat([Buffer.from([0xff, 3, 0, ip === 4 ? 0x21 : 0x57]), packet]), 9);
  add('cisco hdlc', Buffer.concat([Buffer.from([0x0f, 0, type >> 8, type & 255]), packet]), 104);
  add('linux cooked', frame.sll(packet), 113);
  add('linux cooked, tag', frame.sll(tag(packet, 11)), 113, [11]);
  add('linux cooked v2', frame.sll2(packet), 276);
  add('linux cooked v2, tag', frame.sll2(tag(packet, 11)), 276, [11]);
  for (const link of [12, 14, 101, ip === 4 ? 228 : 229]) add(`raw ${link}`, packet, link);
  for (const family of ip === 4 ? [2] : [10, 24, 28, 30]) {
    add(`null ${family}`, frame.bsdNull(packet, { family }), 0);
    add(`null ${family} swapped`, frame.bsdNull(packet, { family, bigEndian: true }), 0);
    add(`loop ${family}`, frame.bsdNull(packet, { family, bigEndian: true }), 108);
  }
  return cases;
}

function tunnelsFor(ip: 4 | 6, packet: Buffer): Case[] {
  const cases: Case[] = [];
  const add = (name: string, inner: Buffer, tags: number[] = [], link = 1): void => {
    const bytes = link === 1 ? ethernet(inner) : inner;
    cases.push({ name: `${name} (IPv${ip})`, bytes, link, vlan: tags, ip, tunnel: true });
  };
  const tagged = ethernet(vlan(packet, { id: 31 }));
  const eth = ethernet(packet);
  const proto = { protocol: ip === 4 ? 4 : 41 };
  add('gre', frame.ipv4(gre(packet), outer4));
  add('gre, all fields', frame.ipv4(gre(packet, { key: 1, sequence: 2, checksum: true }), outer4));
  add('gre, key', frame.ipv4(gre(packet, { key: 1 }), outer4));
  add('gre over IPv6', frame.ipv6(gre(packet, { sequence: 9 }), outer6));
  add('gre ethernet', frame.ipv4(gre(eth), outer4));
  add('gre mpls', frame.ipv4(gre(mpls(packet, [77])), outer4));
  add('erspan I', frame.ipv4(frame.erspan1(eth), outer4));
  add('erspan II', frame.ipv4(frame.erspan2(tagged), outer4), [31]);
  add('erspan II behind a tag', vlan(frame.ipv4(frame.erspan2(eth), outer4), { id: 5 }), [5]);
  add('erspan II, both tagged', vlan(frame.ipv4(frame.erspan2(tagged), outer4), { id: 5 }), [31]);
  add('erspan III', frame.ipv4(frame.erspan3(eth), outer4));
  add(
    'erspan III, subheader',
    frame.ipv4(frame.erspan3(tagged, { subheader: true }), outer4),
    [31],
  );
  add('erspan III, IP', frame.ipv4(erspan3Ip(packet), outer4));
  add('vxlan', frame.ipv4(frame.udp(frame.vxlan(eth, 5), outer4), outer4));
  add('vxlan over IPv6', frame.ipv6(frame.udp(frame.vxlan(tagged, 5), outer6), outer6), [31]);
  add('geneve', frame.ipv4(frame.udp(frame.geneve(eth), outer4), outer4));
  const options = Buffer.alloc(24, 1);
  add('geneve, options', frame.ipv4(frame.udp(frame.geneve(eth, { options }), outer4), outer4));
  add('geneve, IP', frame.ipv4(frame.udp(frame.geneve(packet), outer4), outer4));
  add('ip in IPv4', frame.ipv4(packet, { ...outer4, ...proto }));
  add('ip in IPv6', frame.ipv6(packet, { ...outer6, ...proto }));
  const twice = frame.ipv4(frame.ipv4(packet, { ...outer4, ...proto }), { ...outer4, protocol: 4 });
  add('ip in IPv4 in IPv4', twice);
  const pppoeInside = ethernet(vlan(pppoe(packet), { id: 66 }));
  add('pppoe in erspan II', frame.ipv4(frame.erspan2(pppoeInside), outer4), [66]);
  const vx = ethernet(frame.ipv4(frame.udp(frame.vxlan(eth), outer4), outer4));
  add('vxlan in erspan II', frame.ipv4(frame.erspan2(vx), outer4));
  add('gre in pppoe', pppoe(frame.ipv4(gre(packet), outer4)));
  add('gre on linux cooked', frame.sll(frame.ipv4(gre(packet), outer4)), [], 113);
  return cases;
}

function llcSnap(packet: Buffer, type: number): Buffer {
  const head = Buffer.from([0xaa, 0xaa, 3, 0, 0, 0, type >> 8, type & 255]);
  return ethernet(Buffer.concat([head, packet]), { type: head.length + packet.length });
}

function macFrame(packet: Buffer, dst: string): Buffer {
  return ethernet(packet, { dst });
}

function controlWord(eth: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0x12, 0x34]), eth]);
}

function shortPpp(packet: Buffer, ip: 4 | 6): Buffer {
  const long = pppoe(packet);
  long.writeUInt16BE(packet.length + 1, 4);
  const protocol = Buffer.from([ip === 4 ? 0x21 : 0x57]);
  return Buffer.concat([long.subarray(0, 6), protocol, packet]);
}

function erspan3Ip(packet: Buffer): Buffer {
  const bytes = frame.erspan3(packet);
  bytes[8 + 10] = 2 << 2;
  return bytes;
}

const packet4 = frame.ipv4(frame.tcp(tcp4), { id: 4711 });
const packet6 = frame.ipv6(frame.tcp(tcp6));
const extensions = [{ type: 0 }, { type: 43 }, { type: 60 }, { type: 51 }, { type: 60 }];
const packet6x = frame.ipv6(frame.tcp(tcp6), { extensions });
const packet4options = frame.ipv4(frame.tcp({ ...tcp4, options: Buffer.alloc(12, 1) }), {
  options: Buffer.from([7, 7, 4, 0, 0, 0, 0, 0]),
});

export const cases: readonly Case[] = [
  ...casesFor(4, packet4),
  ...casesFor(6, packet6),
  ...tunnelsFor(4, packet4),
  ...tunnelsFor(6, packet6),
  { name: 'extensions', bytes: ethernet(packet6x), link: 1, vlan: [], ip: 6, tunnel: false },
  { name: 'options', bytes: ethernet(packet4options), link: 1, vlan: [], ip: 4, tunnel: false },
];
