// Builders of frames, layer by layer, for tests, benches and generated captures. Not a parser and
// not fast (`fast.ts` is): each call makes a new Buffer. Layers nest inside out, as in
// `ethernet(vlan(ip(tcp({...})), { id: 7 }))`: every Buffer made here is remembered with what it
// is, so that the layer around it can fill in its type field and addresses by itself.

import ipaddr from 'ipaddr.js';

/** LINKTYPE_ values (https://www.tcpdump.org/linktypes.html). */
export const Link = {
  null: 0,
  ethernet: 1,
  raw: 101,
  loop: 108,
  sll: 113,
  ipv4: 228,
  ipv6: 229,
  sll2: 276,
} as const;

/** TCP flag bits (RFC 9293 section 3.1). */
export const Flag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 } as const;

/** What a Buffer made here is: its number inside Ethernet, IP or UDP, and its addresses. */
interface Mark {
  readonly ether?: number;
  readonly protocol?: number;
  readonly port?: number;
  readonly src?: string;
  readonly dst?: string;
}

const marks = new WeakMap<Buffer, Mark>();

function mark(bytes: Buffer, as: Mark): Buffer {
  marks.set(bytes, as);
  return bytes;
}

/** The 4 or 16 bytes of an address as text. */
export function addressBytes(address: string): Buffer {
  return Buffer.from(ipaddr.parse(address).toByteArray());
}

/** The sum of RFC 1071 over a range, not folded; pass it on as `start` to go on with more bytes. */
export function sum16(bytes: Buffer, from = 0, to = bytes.length, start = 0): number {
  let sum = start;
  const even = to - ((to - from) & 1);
  for (let i = from; i < even; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  if (even < to) sum += bytes[even]! << 8;
  return sum;
}

/** Folds a sum of `sum16` into the 16-bit checksum that stands in a header (RFC 1071). */
export function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

function pseudoSum(src: string, dst: string, protocol: number, length: number): number {
  return sum16(addressBytes(src)) + sum16(addressBytes(dst)) + protocol + length;
}

function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (let i = 0; i < values.length; i++) bytes.writeUInt16BE(values[i]! & 0xffff, i * 2);
  return bytes;
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (let i = 0; i < values.length; i++) bytes.writeUInt32BE(values[i]! >>> 0, i * 4);
  return bytes;
}

export interface TcpOptions {
  readonly src: string;
  readonly dst: string;
  readonly srcPort?: number;
  readonly dstPort?: number;
  readonly seq?: number;
  readonly ack?: number;
  /** Bits of `Flag`; ACK and PSH when not given. */
  readonly flags?: number;
  readonly window?: number;
  /** Option bytes, padded here with end-of-list to a multiple of four; at most 40. */
  readonly options?: Buffer;
  readonly payload?: Buffer | string;
  /** Written instead of the right checksum. */
  readonly checksum?: number;
}

/** A TCP segment (RFC 9293 section 3.1). Text payloads are written as Latin-1. */
export function tcp(o: TcpOptions): Buffer {
  const options = o.options ?? Buffer.alloc(0);
  const headerLength = 20 + ((options.length + 3) & ~3);
  const payload = bytesOf(o.payload ?? '');
  const bytes = Buffer.alloc(headerLength + payload.length);
  bytes.writeUInt16BE(o.srcPort ?? 40000, 0);
  bytes.writeUInt16BE(o.dstPort ?? 25, 2);
  bytes.writeUInt32BE((o.seq ?? 0) >>> 0, 4);
  bytes.writeUInt32BE((o.ack ?? 0) >>> 0, 8);
  bytes[12] = (headerLength / 4) << 4;
  bytes[13] = o.flags ?? Flag.ack | Flag.psh;
  bytes.writeUInt16BE(o.window ?? 0xfaf0, 14);
  options.copy(bytes, 20);
  payload.copy(bytes, headerLength);
  const sum = fold(sum16(bytes, 0, bytes.length, pseudoSum(o.src, o.dst, 6, bytes.length)));
  bytes.writeUInt16BE(o.checksum ?? sum, 16);
  return mark(bytes, { protocol: 6, src: o.src, dst: o.dst });
}

/** The option bytes a SYN usually carries: MSS, SACK permitted, window scale. */
export function synOptions(mss: number): Buffer {
  return Buffer.from([2, 4, mss >> 8, mss & 0xff, 1, 1, 4, 2, 1, 3, 3, 7]);
}

/** A UDP datagram (RFC 768). The port of a payload made by `vxlan` or `geneve` is known. */
export function udp(
  payload: Buffer | string,
  o: { src: string; dst: string; srcPort?: number; dstPort?: number },
): Buffer {
  const body = bytesOf(payload);
  const port = o.dstPort ?? marks.get(body)?.port ?? 53;
  const bytes = Buffer.concat([u16(o.srcPort ?? 49152, port, 8 + body.length, 0), body]);
  const sum = fold(sum16(bytes, 0, bytes.length, pseudoSum(o.src, o.dst, 17, bytes.length)));
  bytes.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
  return mark(bytes, { protocol: 17, src: o.src, dst: o.dst });
}

export interface Ipv4Options {
  readonly src?: string;
  readonly dst?: string;
  readonly protocol?: number;
  readonly id?: number;
  readonly ttl?: number;
  readonly tos?: number;
  /** Header options, padded here to a multiple of four. */
  readonly options?: Buffer;
  readonly dontFragment?: boolean;
  /** Written instead of the right total length (0: as TSO leaves it). */
  readonly totalLength?: number;
}

/** An IPv4 packet (RFC 791 section 3.1). Addresses and protocol: the payload's if not given. */
export function ipv4(payload: Buffer, o: Ipv4Options = {}): Buffer {
  const inner = marks.get(payload) ?? {};
  const src = o.src ?? inner.src ?? '192.0.2.1';
  const dst = o.dst ?? inner.dst ?? '198.51.100.1';
  const options = o.options ?? Buffer.alloc(0);
  const headerLength = 20 + ((options.length + 3) & ~3);
  const header = Buffer.alloc(headerLength);
  header[0] = 0x40 | (headerLength / 4);
  header[1] = o.tos ?? 0;
  header.writeUInt16BE(o.totalLength ?? headerLength + payload.length, 2);
  header.writeUInt16BE(o.id ?? 0, 4);
  header.writeUInt16BE((o.dontFragment ?? true) ? 0x4000 : 0, 6);
  header[8] = o.ttl ?? 64;
  header[9] = o.protocol ?? inner.protocol ?? 6;
  addressBytes(src).copy(header, 12);
  addressBytes(dst).copy(header, 16);
  options.copy(header, 20);
  header.writeUInt16BE(fold(sum16(header)), 10);
  return mark(Buffer.concat([header, payload]), { ether: 0x0800, protocol: 4, src, dst });
}

/** An IPv6 extension header by its number: 0 hop-by-hop, 43 routing, 51 AH, 60 destination. */
interface Extension {
  readonly type: number;
  /** What follows the next-header and length bytes; padded here to the header's unit. */
  readonly body?: Buffer;
}

export interface Ipv6Options {
  readonly src?: string;
  readonly dst?: string;
  readonly protocol?: number;
  readonly hopLimit?: number;
  readonly flowLabel?: number;
  readonly extensions?: readonly Extension[];
}

/** An IPv6 packet (RFC 8200 section 3), extension headers in the order given. */
export function ipv6(payload: Buffer, o: Ipv6Options = {}): Buffer {
  const inner = marks.get(payload) ?? {};
  const src = o.src ?? inner.src ?? '2001:db8::1';
  const dst = o.dst ?? inner.dst ?? '2001:db8::2';
  const extensions = o.extensions ?? [];
  let next = o.protocol ?? inner.protocol ?? 6;
  let body = payload;
  for (let i = extensions.length - 1; i >= 0; i--) {
    body = Buffer.concat([extensionHeader(extensions[i]!, next), body]);
    next = extensions[i]!.type;
  }
  const header = Buffer.alloc(40);
  header.writeUInt32BE((0x60000000 | ((o.flowLabel ?? 0) & 0xfffff)) >>> 0, 0);
  header.writeUInt16BE(body.length, 4);
  header[6] = next;
  header[7] = o.hopLimit ?? 64;
  addressBytes(src).copy(header, 8);
  addressBytes(dst).copy(header, 24);
  return mark(Buffer.concat([header, body]), { ether: 0x86dd, protocol: 41, src, dst });
}

function extensionHeader(extension: Extension, next: number): Buffer {
  const content = extension.body ?? padding(extension.type);
  const length = Math.max(8, (2 + content.length + 7) & ~7);
  const bytes = Buffer.alloc(length);
  bytes[0] = next;
  // AH counts in words of four minus two (RFC 4302 section 2.2), all others in eights minus one.
  bytes[1] = extension.type === 51 ? length / 4 - 2 : length / 8 - 1;
  content.copy(bytes, 2);
  return bytes;
}

/** A valid default body: PadN for options, a spent experimental routing header, a bare AH. */
function padding(type: number): Buffer {
  if (type === 43) return Buffer.from([253, 0, 0, 0, 0, 0]);
  if (type === 51) return Buffer.concat([u16(0), u32(1, 1), Buffer.alloc(12, 0xab)]);
  return Buffer.from([1, 4, 0, 0, 0, 0]);
}

/** `ipv4` or `ipv6`, by the addresses of the payload. */
export function ip(payload: Buffer): Buffer {
  return marks.get(payload)?.src?.includes(':') ? ipv6(payload) : ipv4(payload);
}

/** IPv4 packet inside IPv4 (RFC 2003). */
export function ipip(packet: Buffer, o: Ipv4Options): Buffer {
  return ipv4(packet, { ...o, protocol: 4 });
}

/** IPv6 packet inside IPv4 (RFC 4213). */
export function sixInFour(packet: Buffer, o: Ipv4Options): Buffer {
  return ipv4(packet, { ...o, protocol: 41 });
}

/** Cuts an IPv4 packet into fragments of at most `size` payload bytes (rounded down to eights). */
export function fragment4(packet: Buffer, size: number): Buffer[] {
  const headerLength = (packet[0]! & 15) * 4;
  const step = Math.max(8, size & ~7);
  const fragments: Buffer[] = [];
  for (let at = headerLength; at < packet.length; at += step) {
    const end = Math.min(packet.length, at + step);
    const header = Buffer.from(packet.subarray(0, headerLength));
    header.writeUInt16BE(headerLength + end - at, 2);
    header.writeUInt16BE((end < packet.length ? 0x2000 : 0) | ((at - headerLength) >> 3), 6);
    header.writeUInt16BE(0, 10);
    header.writeUInt16BE(fold(sum16(header)), 10);
    const bytes = Buffer.concat([header, packet.subarray(at, end)]);
    fragments.push(mark(bytes, { ...marks.get(packet), ether: 0x0800, protocol: 4 }));
  }
  return fragments;
}

/**
 * Cuts an IPv6 packet into fragments of at most `size` payload bytes (RFC 8200 section 4.5). One
 * fragment comes out as an atomic one. Hop-by-hop and routing headers stay in front.
 */
export function fragment6(packet: Buffer, size: number, id: number): Buffer[] {
  let nextAt = 6;
  let cut = 40;
  while (packet[nextAt] === 0 || packet[nextAt] === 43) {
    nextAt = cut;
    cut += packet[cut + 1]! * 8 + 8;
  }
  const step = Math.max(8, size & ~7);
  const fragments: Buffer[] = [];
  for (let at = cut; at < packet.length; at += step) {
    const end = Math.min(packet.length, at + step);
    const front = Buffer.from(packet.subarray(0, cut));
    front[nextAt] = 44;
    front.writeUInt16BE(cut - 40 + 8 + end - at, 4);
    const header = Buffer.from([packet[nextAt]!, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUInt16BE((at - cut) | (end < packet.length ? 1 : 0), 2);
    header.writeUInt32BE(id >>> 0, 4);
    const bytes = Buffer.concat([front, header, packet.subarray(at, end)]);
    fragments.push(mark(bytes, { ...marks.get(packet), ether: 0x86dd, protocol: 41 }));
  }
  return fragments;
}

function etherType(payload: Buffer): number {
  const known = marks.get(payload)?.ether;
  if (known !== undefined) return known;
  return payload[0]! >> 4 === 6 ? 0x86dd : 0x0800;
}

export interface EthernetOptions {
  readonly src?: string;
  readonly dst?: string;
  readonly type?: number;
}

/** An Ethernet II frame, without padding or check sequence. MACs as `02:00:00:00:00:01`. */
export function ethernet(payload: Buffer, o: EthernetOptions = {}): Buffer {
  const bytes = Buffer.concat([
    macBytes(o.dst ?? '02:00:5e:00:53:02'),
    macBytes(o.src ?? '02:00:5e:00:53:01'),
    u16(o.type ?? etherType(payload)),
    payload,
  ]);
  return mark(bytes, { ether: 0x6558 });
}

function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

/** A VLAN tag to be put inside `ethernet` or another tag; tpid 0x88a8 is 802.1ad's. */
export function vlan(
  payload: Buffer,
  o: { id: number; tpid?: number; priority?: number; type?: number },
): Buffer {
  const tci = ((o.priority ?? 0) << 13) | (o.id & 0xfff);
  const bytes = Buffer.concat([u16(tci, o.type ?? etherType(payload)), payload]);
  return mark(bytes, { ether: o.tpid ?? 0x8100 });
}

/** An MPLS label stack, outer label first, bottom bit on the last (RFC 3032 section 2.1). */
export function mpls(payload: Buffer, labels: readonly number[] = [16]): Buffer {
  const words = labels.map((label, i) => label * 4096 + (i === labels.length - 1 ? 0x100 : 0) + 64);
  return mark(Buffer.concat([u32(...words), payload]), { ether: 0x8847 });
}

/** A PPPoE session packet with its PPP protocol field (RFC 2516 section 4). */
export function pppoe(payload: Buffer, session = 1): Buffer {
  const protocol = etherType(payload) === 0x86dd ? 0x0057 : 0x0021;
  const bytes = Buffer.concat([u16(0x1100, session, payload.length + 2, protocol), payload]);
  return mark(bytes, { ether: 0x8864 });
}

export interface GreOptions {
  readonly type?: number;
  readonly key?: number;
  readonly sequence?: number;
  readonly checksum?: boolean;
}

/** GRE version 0 (RFC 2784, RFC 2890) around an IP packet or an Ethernet frame. */
export function gre(payload: Buffer, o: GreOptions = {}): Buffer {
  const flags =
    (o.checksum ? 0x8000 : 0) |
    (o.key === undefined ? 0 : 0x2000) |
    (o.sequence === undefined ? 0 : 0x1000);
  const parts = [u16(flags, o.type ?? etherType(payload))];
  if (o.checksum) parts.push(u16(0, 0));
  if (o.key !== undefined) parts.push(u32(o.key));
  if (o.sequence !== undefined) parts.push(u32(o.sequence));
  const bytes = Buffer.concat([...parts, payload]);
  if (o.checksum) bytes.writeUInt16BE(fold(sum16(bytes)), 4);
  return mark(bytes, { protocol: 47 });
}

/** ERSPAN type I: a frame straight behind GRE without a sequence number. */
export function erspan1(frame: Buffer): Buffer {
  return gre(frame, { type: 0x88be });
}

/** ERSPAN type II with its GRE header (draft-foschiano-erspan-03 section 4.2). */
export function erspan2(frame: Buffer, o: { session?: number; sequence?: number } = {}): Buffer {
  const header = u16(0x1000 | 1, 0x1800 | ((o.session ?? 1) & 0x3ff), 0, 1);
  return gre(Buffer.concat([header, frame]), { type: 0x88be, sequence: o.sequence ?? 1 });
}

/** ERSPAN type III with its GRE header; `subheader` sets the O bit (same draft, section 4.3). */
export function erspan3(
  frame: Buffer,
  o: { session?: number; sequence?: number; subheader?: boolean } = {},
): Buffer {
  const header = Buffer.concat([
    u16(0x2000 | 1, (o.session ?? 1) & 0x3ff),
    u32(0x01020304),
    u16(0, o.subheader ? 1 : 0),
    o.subheader ? u32(0x14000000, 0x05060708) : Buffer.alloc(0),
  ]);
  return gre(Buffer.concat([header, frame]), { type: 0x22eb, sequence: o.sequence ?? 1 });
}

/** VXLAN header and frame, to go into `udp` (RFC 7348 section 5). */
export function vxlan(frame: Buffer, vni = 1): Buffer {
  return mark(Buffer.concat([u32(0x08000000, vni << 8), frame]), { port: 4789 });
}

/** Geneve header, options (multiple of four) and frame, to go into `udp` (RFC 8926 section 3.4). */
export function geneve(frame: Buffer, o: { vni?: number; options?: Buffer } = {}): Buffer {
  const options = o.options ?? Buffer.alloc(0);
  const header = Buffer.concat([
    u16((options.length / 4) << 8, etherType(frame)),
    u32((o.vni ?? 1) << 8),
  ]);
  return mark(Buffer.concat([header, options, frame]), { port: 6081 });
}

/** Linux cooked capture v1 around an IP packet or a VLAN tag (`Link.sll`). */
export function sll(payload: Buffer): Buffer {
  const address = Buffer.from('02005e0053010000', 'hex');
  return Buffer.concat([u16(0, 1, 6), address, u16(etherType(payload)), payload]);
}

/** Linux cooked capture v2 around an IP packet or a VLAN tag (`Link.sll2`). */
export function sll2(payload: Buffer): Buffer {
  const address = Buffer.from('02005e0053010000', 'hex');
  const head = Buffer.concat([u16(etherType(payload), 0), u32(2), u16(1), Buffer.from([0, 6])]);
  return Buffer.concat([head, address, payload]);
}

/** BSD null or loopback header: the address family in either order (`Link.null`, `Link.loop`). */
export function bsdNull(packet: Buffer, o: { bigEndian?: boolean; family?: number } = {}): Buffer {
  const family = o.family ?? (etherType(packet) === 0x86dd ? 30 : 2);
  const head = Buffer.alloc(4);
  if (o.bigEndian) head.writeUInt32BE(family);
  else head.writeUInt32LE(family);
  return Buffer.concat([head, packet]);
}

export interface PcapOptions {
  /** Nanosecond magic number and fractions. */
  readonly nano?: boolean;
  readonly bigEndian?: boolean;
  readonly snapLength?: number;
}

/** The file header of a pcap (https://ietf-opsawg-wg.github.io/draft-ietf-opsawg-pcap). */
export function pcapHeader(link: number = Link.ethernet, o: PcapOptions = {}): Buffer {
  const magic = o.nano ? 0xa1b23c4d : 0xa1b2c3d4;
  const bytes = u32(magic, 0x00020004, 0, 0, o.snapLength ?? 262144, link);
  return o.bigEndian ? bytes : swapped(bytes, 4);
}

/** A pcap record; `time` in microseconds since 1970, `wireLength` if the frame was cut. */
export function pcapRecord(
  time: number,
  frame: Buffer,
  o: PcapOptions & { wireLength?: number } = {},
): Buffer {
  const seconds = Math.floor(time / 1e6);
  const fraction = o.nano ? Math.round((time - seconds * 1e6) * 1000) : Math.floor(time % 1e6);
  const head = u32(seconds, fraction, frame.length, o.wireLength ?? frame.length);
  return Buffer.concat([o.bigEndian ? head : head.swap32(), frame]);
}

function swapped(bytes: Buffer, at: number): Buffer {
  bytes.swap32();
  // The two 16-bit version numbers swap within themselves, not with each other.
  bytes.writeUInt16LE(2, at);
  bytes.writeUInt16LE(4, at + 2);
  return bytes;
}

function bytesOf(payload: Buffer | string): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
}
