// Everything below IP: Ethernet, tags, MPLS, PPPoE and PPP, cooked captures, loopback. Each
// function reads one header at walk.at and gives the next layer, or -SkipReason. No IP, no tunnels.

import { i32be, i32le, u16be } from '../lib/bytes.js';
import type { Packet } from './packet.js';
import { SkipReason } from './reason.js';
import { Layer, layerOfEtherType, tooShort, type Walk } from './walk.js';

/** Tags of one Ethernet header that are walked; three of them are kept. */
const tagsMax = 8;
/** Labels of one MPLS stack that are walked. */
const labelsMax = 16;

/** The layer that a capture's link type begins with (LINKTYPE_ values), or -SkipReason. */
export function layerOfLink(link: number): number {
  switch (link) {
    case 1:
      return Layer.ethernet;
    case 0:
    case 108:
      return Layer.loopback;
    case 9:
    case 50:
      return Layer.ppp;
    case 12:
    case 14:
    case 101:
      return Layer.ip;
    case 228:
      return Layer.ipv4;
    case 229:
      return Layer.ipv6;
    case 51:
      return Layer.pppoe;
    case 104:
      return Layer.ciscoHdlc;
    case 113:
      return Layer.linuxCooked;
    case 276:
      return Layer.linuxCooked2;
    default:
      return -SkipReason.unsupportedLink;
  }
}

/** Ethernet II, or 802.3 with a length field (IEEE 802.3 clause 3.2.6). */
export function ethernet(walk: Walk): number {
  const at = walk.at;
  if (walk.to - at < 14) return tooShort(walk, 14);
  walk.at = at + 14;
  walk.freshTags = 1;
  return etherTypeOrLength(walk, u16be(walk.bytes, at + 12));
}

function etherTypeOrLength(walk: Walk, type: number): number {
  if (type > 1500) return layerOfEtherType(type);
  const end = walk.at + type;
  if (end < walk.wireTo) walk.wireTo = end;
  if (end < walk.to) walk.to = end;
  return Layer.llc;
}

/** LLC with SNAP (RFC 1042), or with the IP service access point. */
export function llc(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 3) return tooShort(walk, 3);
  if (bytes[at] === 0x06 && bytes[at + 1] === 0x06 && bytes[at + 2] === 0x03) {
    walk.at = at + 3;
    return Layer.ipv4;
  }
  if (bytes[at] !== 0xaa || bytes[at + 1] !== 0xaa || bytes[at + 2] !== 0x03) {
    return -SkipReason.notIp;
  }
  if (walk.to - at < 8) return tooShort(walk, 8);
  // Only the organisation code 0 means that an EtherType follows.
  if ((bytes[at + 3]! | bytes[at + 4]! | bytes[at + 5]!) !== 0) return -SkipReason.notIp;
  walk.at = at + 8;
  return layerOfEtherType(u16be(bytes, at + 6));
}

/** All tags in a row (IEEE 802.1Q clause 9); the first three identifiers are kept. */
export function vlan(walk: Walk, packet: Packet): number {
  const bytes = walk.bytes;
  if (walk.freshTags === 1) packet.vlanCount = 0;
  walk.freshTags = 0;
  for (let tag = 0; tag < tagsMax; tag += 1) {
    const at = walk.at;
    if (walk.to - at < 4) return tooShort(walk, 4);
    keepTag(packet, u16be(bytes, at) & 0xfff);
    walk.at = at + 4;
    const next = etherTypeOrLength(walk, u16be(bytes, at + 2));
    if (next !== Layer.vlan) return next;
  }
  return -SkipReason.tooDeep;
}

function keepTag(packet: Packet, id: number): void {
  const count = packet.vlanCount;
  if (count === 0) packet.vlan0 = id;
  else if (count === 1) packet.vlan1 = id;
  else if (count === 2) packet.vlan2 = id;
  else return;
  packet.vlanCount = count + 1;
}

/** An MPLS label stack (RFC 3032 section 2.1). What follows is not said anywhere and is guessed. */
export function mpls(walk: Walk): number {
  const bytes = walk.bytes;
  for (let label = 0; label < labelsMax; label += 1) {
    const at = walk.at;
    if (walk.to - at < 4) return tooShort(walk, 4);
    walk.at = at + 4;
    if ((bytes[at + 2]! & 1) === 1) return guessPayload(walk);
  }
  return -SkipReason.tooDeep;
}

/**
 * IPv4 and IPv6 by the first nibble; 0 is a pseudo-wire's control word (RFC 4385 section 3);
 * anything else an Ethernet frame without one. A MAC address may begin with any nibble, so where a
 * plausible EtherType stands decides between them.
 */
function guessPayload(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 1) return tooShort(walk, 1);
  const nibble = bytes[at]! >>> 4;
  if (nibble === 4 && !(looksEthernet(walk, at) && !looksIpv4(walk, at))) return Layer.ipv4;
  if (nibble === 6 && !(looksEthernet(walk, at) && !looksIpv6(walk, at))) return Layer.ipv6;
  if (nibble === 0 && (looksEthernet(walk, at + 4) || !looksEthernet(walk, at))) {
    if (walk.to - at < 4) return tooShort(walk, 4);
    walk.at = at + 4;
    return Layer.ethernet;
  }
  // Nibble 1 is the associated channel (RFC 4385 section 5), unless it is a MAC address.
  if (nibble === 1 && !looksEthernet(walk, at)) return -SkipReason.notIp;
  return Layer.ethernet;
}

function looksEthernet(walk: Walk, at: number): boolean {
  return walk.to - at >= 14 && layerOfEtherType(u16be(walk.bytes, at + 12)) > 0;
}

function looksIpv4(walk: Walk, at: number): boolean {
  const bytes = walk.bytes;
  if (walk.to - at < 20 || (bytes[at]! & 0x0f) < 5) return false;
  const total = u16be(bytes, at + 2);
  return total === 0 || (total >= 20 && total <= walk.wireTo - at);
}

function looksIpv6(walk: Walk, at: number): boolean {
  return walk.to - at >= 40 && u16be(walk.bytes, at + 4) + 40 <= walk.wireTo - at;
}

/** A PPPoE session frame (RFC 2516 section 4); other codes carry no traffic. */
export function pppoe(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 6) return tooShort(walk, 6);
  if (bytes[at] !== 0x11) return -SkipReason.badHeader;
  if (bytes[at + 1] !== 0) return -SkipReason.notIp;
  const end = at + 6 + u16be(bytes, at + 4);
  if (end < walk.wireTo) walk.wireTo = end;
  if (end < walk.to) walk.to = end;
  walk.at = at + 6;
  return Layer.ppp;
}

/** PPP (RFC 1661), with or without address and control, protocol field of one byte or two. */
export function ppp(walk: Walk): number {
  const bytes = walk.bytes;
  let at = walk.at;
  if (walk.to - at < 1) return tooShort(walk, 1);
  if (walk.to - at >= 2 && bytes[at] === 0xff && bytes[at + 1] === 0x03) at += 2;
  walk.at = at;
  if (walk.to - at < 1) return tooShort(walk, 1);
  let protocol = bytes[at]!;
  // An odd first byte is the whole field: the zero before it was compressed away (section 2).
  if ((protocol & 1) === 1) {
    walk.at = at + 1;
  } else {
    if (walk.to - at < 2) return tooShort(walk, 2);
    protocol = u16be(bytes, at);
    walk.at = at + 2;
  }
  if (protocol === 0x21) return Layer.ipv4;
  if (protocol === 0x57) return Layer.ipv6;
  if (protocol === 0x0281 || protocol === 0x0283) return Layer.mpls;
  // Cisco HDLC on a PPP link type: address 0x0f or 0x8f, control 0, then an EtherType.
  if (protocol === 0x0f || protocol === 0x8f) return ciscoType(walk, at);
  return -SkipReason.notIp;
}

/** Cisco HDLC (RFC 4349 section 3): address, control, EtherType. */
export function ciscoHdlc(walk: Walk): number {
  return ciscoType(walk, walk.at);
}

function ciscoType(walk: Walk, at: number): number {
  walk.at = at;
  if (walk.to - at < 4) return tooShort(walk, 4);
  if (walk.bytes[at + 1] !== 0) return -SkipReason.notIp;
  walk.at = at + 4;
  return layerOfEtherType(u16be(walk.bytes, at + 2));
}

/** Linux cooked capture (LINKTYPE_LINUX_SLL). */
export function linuxCooked(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 16) return tooShort(walk, 16);
  walk.at = at + 16;
  return cookedType(u16be(bytes, at + 14), u16be(bytes, at + 2));
}

/** Linux cooked capture, second version (LINKTYPE_LINUX_SLL2). */
export function linuxCooked2(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 20) return tooShort(walk, 20);
  walk.at = at + 20;
  return cookedType(u16be(bytes, at), u16be(bytes, at + 8));
}

function cookedType(type: number, hardware: number): number {
  // On netlink and radiotap devices the field holds something that is not an EtherType.
  if (hardware === 824 || hardware === 803) return -SkipReason.notIp;
  return type === 4 ? Layer.llc : layerOfEtherType(type);
}

/** BSD loopback: the address family in the byte order of some host; AF_INET6 differs by system. */
export function loopback(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 4) return tooShort(walk, 4);
  let family = i32le(bytes, at);
  if ((family & 0xffff) === 0) family = i32be(bytes, at);
  walk.at = at + 4;
  switch (family) {
    case 2:
      return Layer.ipv4;
    case 10:
    case 24:
    case 28:
    case 30:
      return Layer.ipv6;
    default:
      return -SkipReason.notIp;
  }
}

/** Raw IP of either version. */
export function rawIp(walk: Walk): number {
  if (walk.to - walk.at < 1) return tooShort(walk, 1);
  const version = walk.bytes[walk.at]! >>> 4;
  if (version === 4) return Layer.ipv4;
  return version === 6 ? Layer.ipv6 : -SkipReason.notIp;
}
