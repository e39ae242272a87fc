// IPv4, IPv6 and its extension headers. Fills the packet's addresses with those of the header at
// hand, so that the innermost one stays. Fragments are only recognised here; `fragment.ts` keeps
// them.

import { addHalves, addWords, fold } from '../lib/checksum.js';
import type { Packet } from './packet.js';
import { DecodeCounter, SkipReason } from './reason.js';
import { Layer, layerOfProtocol, tooShort, type Walk } from './walk.js';

/**
 * IPv4 (RFC 791 section 3.1). The total length cuts off link padding; where it says more than was
 * captured, the frame was cut. 0 is what segmentation offload leaves: then the frame's length
 * counts.
 */
export function ipv4(walk: Walk, packet: Packet): number {
  const { bytes, view, at } = walk;
  if (walk.to - at < 20) return tooShort(walk, 20);
  const word0 = view.getInt32(at);
  const word1 = view.getInt32(at + 4);
  const word2 = view.getInt32(at + 8);
  const src = view.getInt32(at + 12);
  const dst = view.getInt32(at + 16);
  const header = (word0 >>> 22) & 0x3c;
  if (word0 >>> 28 !== 4 || header < 20) return -SkipReason.badHeader;
  if (!cutToLength(walk, header, word0 & 0xffff)) return -SkipReason.badHeader;
  if (walk.to - at < header) return -SkipReason.truncated;
  packet.ip = 4;
  packet.src0 = 0;
  packet.src1 = 0;
  packet.src2 = 0xffff;
  packet.src3 = src;
  packet.dst0 = 0;
  packet.dst1 = 0;
  packet.dst2 = 0xffff;
  packet.dst3 = dst;
  packet.ipId = word1 >>> 16;
  walk.checkable = 1;
  let sum = addHalves(addHalves(addHalves(0, word0), word1), word2);
  sum = addHalves(addHalves(sum, src), dst);
  if (header > 20) {
    sum = addWords(sum, view, at + 20, at + header);
    if (hasSourceRoute(bytes, at + 20, at + header)) walk.checkable = 0;
  }
  if (fold(sum) !== 0xffff) {
    walk.counters[DecodeCounter.ipChecksumWrong]! += 1;
    if (walk.strict) return -SkipReason.checksum;
  }
  walk.at = at + header;
  const protocol = (word2 >>> 16) & 0xff;
  if ((word1 & 0x3fff) !== 0) return fragment4(walk, word1, protocol);
  return protocol === 6 ? Layer.tcp : next4(walk, protocol);
}

function cutToLength(walk: Walk, header: number, total: number): boolean {
  const at = walk.at;
  if (total === 0) {
    walk.counters[DecodeCounter.lengthZero]! += 1;
    return walk.wireTo - at >= header;
  }
  const end = at + total;
  walk.wireTo = end;
  if (end < walk.to) walk.to = end;
  return total >= header;
}

// A source route puts the next hop where the pseudo header wants the last one (RFC 791 section
// 3.1).
function hasSourceRoute(bytes: Buffer, from: number, to: number): boolean {
  let at = from;
  while (at < to) {
    const kind = bytes[at]!;
    if (kind === 131 || kind === 137) return true;
    if (kind === 0) return false;
    const size = kind === 1 ? 1 : at + 1 < to ? bytes[at + 1]! : 0;
    if (size === 0 || (kind !== 1 && size < 2)) return false;
    at += size;
  }
  return false;
}

// Of the extension headers only AH stands behind IPv4 (RFC 4302).
function next4(walk: Walk, protocol: number): number {
  const next = layerOfProtocol(walk, protocol);
  return next === Layer.extension && protocol !== 51 ? -SkipReason.notTcp : next;
}

function fragment4(walk: Walk, word1: number, protocol: number): number {
  const next = next4(walk, protocol);
  if (next < 0) return next;
  walk.fragmentId = word1 >>> 16;
  walk.fragmentOffset = (word1 & 0x1fff) << 3;
  walk.fragmentMore = (word1 >>> 13) & 1;
  walk.fragmentMax = 65535 - 20;
  return Layer.fragment;
}

/**
 * IPv6 (RFC 8200 section 3). Payload length 0 is a jumbogram (RFC 2675) or what offload leaves;
 * both times the frame's length says the same and is used.
 */
export function ipv6(walk: Walk, packet: Packet): number {
  const { bytes, view, at } = walk;
  if (walk.to - at < 40) return tooShort(walk, 40);
  if (bytes[at]! >>> 4 !== 6) return -SkipReason.badHeader;
  const length = view.getUint16(at + 4);
  if (length === 0) {
    walk.counters[DecodeCounter.lengthZero]! += 1;
  } else {
    const end = at + 40 + length;
    walk.wireTo = end;
    if (end < walk.to) walk.to = end;
  }
  packet.ip = 6;
  packet.src0 = view.getInt32(at + 8);
  packet.src1 = view.getInt32(at + 12);
  packet.src2 = view.getInt32(at + 16);
  packet.src3 = view.getInt32(at + 20);
  packet.dst0 = view.getInt32(at + 24);
  packet.dst1 = view.getInt32(at + 28);
  packet.dst2 = view.getInt32(at + 32);
  packet.dst3 = view.getInt32(at + 36);
  packet.ipId = 0;
  walk.checkable = 1;
  walk.at = at + 40;
  const protocol = bytes[at + 6]!;
  return protocol === 6 ? Layer.tcp : layerOfProtocol(walk, protocol);
}

/** One extension header (RFC 8200 section 4) or an authentication header (RFC 4302 section 2). */
export function extension(walk: Walk): number {
  const { bytes, at, protocol } = walk;
  if (walk.to - at < 8) return tooShort(walk, 8);
  if (protocol === 44) return fragment6(walk);
  const units = bytes[at + 1]!;
  const size = protocol === 51 ? (units + 2) << 2 : (units + 1) << 3;
  if (walk.wireTo - at < size) return -SkipReason.badHeader;
  if (walk.to - at < size) return -SkipReason.truncated;
  // With segments left the destination is not yet the last one, which the pseudo header wants.
  if (protocol === 43 && bytes[at + 3] !== 0) walk.checkable = 0;
  walk.at = at + size;
  return layerOfProtocol(walk, bytes[at]!);
}

function fragment6(walk: Walk): number {
  const { bytes, view, at } = walk;
  const word = view.getUint16(at + 2);
  walk.at = at + 8;
  // The whole datagram in one fragment is taken as it is, beside any other (RFC 6946).
  if ((word & 0xfff9) === 0) return layerOfProtocol(walk, bytes[at]!);
  walk.protocol = bytes[at]!;
  walk.fragmentId = view.getInt32(at + 4);
  walk.fragmentOffset = word & 0xfff8;
  walk.fragmentMore = word & 1;
  walk.fragmentMax = 65535;
  return Layer.fragment;
}
