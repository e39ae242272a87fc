// What carries a packet inside a packet: GRE with ERSPAN, VXLAN, Geneve. IP in IP needs no function
// of its own. Outer addresses and ports are forgotten: the innermost packet is what counts.

import { u16be } from '../lib/bytes.js';
import { DecodeCounter, SkipReason } from './reason.js';
import { Layer, layerOfEtherType, tooShort, type Walk } from './walk.js';

const vxlanPort = 4789;
const genevePort = 6081;

/** Whether a UDP destination port is one of a tunnel that is opened here. */
export function isTunnelPort(port: number): boolean {
  return port === vxlanPort || port === genevePort;
}

/** UDP, only for what it may carry: the destination port decides. */
export function udp(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 8) return tooShort(walk, 8);
  const port = u16be(bytes, at + 2);
  if (!isTunnelPort(port)) return -SkipReason.notTcp;
  walk.at = at + 8;
  return port === vxlanPort ? vxlan(walk) : geneve(walk);
}

/** VXLAN (RFC 7348 section 5). Without the I flag it is something else on that port. */
function vxlan(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 8) return tooShort(walk, 8);
  if ((bytes[at]! & 0x08) === 0) return -SkipReason.notTcp;
  walk.at = at + 8;
  walk.counters[DecodeCounter.tunnels]! += 1;
  return Layer.ethernet;
}

/** Geneve (RFC 8926 section 3.4), options skipped. */
function geneve(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 8) return tooShort(walk, 8);
  if (bytes[at]! >>> 6 !== 0) return -SkipReason.badHeader;
  const size = 8 + ((bytes[at]! & 0x3f) << 2);
  if (walk.to - at < size) return tooShort(walk, size);
  walk.at = at + size;
  walk.counters[DecodeCounter.tunnels]! += 1;
  return layerOfEtherType(u16be(bytes, at + 2));
}

/** GRE (RFC 2784 section 2, RFC 2890 section 2). Routing (RFC 1701) is not read. */
export function gre(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 4) return tooShort(walk, 4);
  const flags = u16be(bytes, at);
  const type = u16be(bytes, at + 2);
  if ((flags & 7) !== 0) return -SkipReason.notIp;
  if ((flags & 0x4000) !== 0) return -SkipReason.badHeader;
  const words = 1 + (flags >>> 15) + ((flags >>> 13) & 1) + ((flags >>> 12) & 1);
  const size = words << 2;
  if (walk.to - at < size) return tooShort(walk, size);
  walk.at = at + size;
  walk.counters[DecodeCounter.tunnels]! += 1;
  if (type === 0x88be) return (flags & 0x1000) === 0 ? Layer.ethernet : erspan2(walk);
  if (type === 0x22eb) return erspan3(walk);
  return layerOfEtherType(type);
}

// draft-foschiano-erspan section 4.2: eight bytes; type I has none and no sequence number either.
function erspan2(walk: Walk): number {
  if (walk.to - walk.at < 8) return tooShort(walk, 8);
  walk.at += 8;
  return Layer.ethernet;
}

// draft-foschiano-erspan section 4.3: twelve bytes; bit O announces eight more; frame type 2 is IP.
function erspan3(walk: Walk): number {
  const { bytes, at } = walk;
  if (walk.to - at < 12) return tooShort(walk, 12);
  const size = (bytes[at + 11]! & 1) === 1 ? 20 : 12;
  if (walk.to - at < size) return tooShort(walk, size);
  walk.at = at + size;
  const frameType = (bytes[at + 10]! >>> 2) & 0x1f;
  if (frameType === 0) return Layer.ethernet;
  return frameType === 2 ? Layer.ip : -SkipReason.notIp;
}
