// The TCP header into the packet's fields. Options are not read: nothing behind needs them. Assumes
// that the addresses were filled by the IP header before it.

import { addHalves, addWords, fold } from '../lib/checksum.js';
import type { Packet } from './packet.js';
import { DecodeCounter, SkipReason } from './reason.js';
import { tooShort, type Walk } from './walk.js';

/**
 * TCP (RFC 9293 section 3.1). Needs the fixed 20 bytes; when the options or the payload were cut by
 * the capture, the segment still counts, with the payload that is there.
 */
export function tcp(walk: Walk, packet: Packet): number {
  const { view, at, to } = walk;
  const size = walk.wireTo - at;
  if (to - at < 20) return tooShort(walk, 20);
  const ports = view.getInt32(at);
  const control = view.getInt32(at + 12);
  const header = (control >>> 26) & 0x3c;
  if (header < 20 || header > size) return -SkipReason.badHeader;
  const payload = at + header;
  const wirePayload = size - header;
  packet.bytes = walk.bytes;
  packet.srcPort = ports >>> 16;
  packet.dstPort = ports & 0xffff;
  packet.seq = view.getInt32(at + 4);
  packet.ack = view.getInt32(at + 8);
  packet.flags = (control >>> 16) & 0xff;
  packet.window = control & 0xffff;
  packet.checksum = view.getUint16(at + 16);
  packet.payloadFrom = Math.min(payload, to);
  packet.payloadTo = to;
  packet.payloadLength = wirePayload;
  if (at + size > to) {
    walk.counters[DecodeCounter.payloadCut]! += 1;
    return 0;
  }
  return walk.verify ? verify(walk, packet) : 0;
}

/** The checksum over pseudo header and segment (RFC 9293 section 3.1, RFC 8200 section 8.1). */
function verify(walk: Walk, packet: Packet): number {
  if (walk.checkable === 0) return 0;
  let sum = 6 + (walk.to - walk.at);
  // For IPv4 the mapped form adds 0xffff twice, which is zero in one's complement arithmetic.
  sum = addHalves(addHalves(sum, packet.src0), packet.src1);
  sum = addHalves(addHalves(sum, packet.src2), packet.src3);
  sum = addHalves(addHalves(sum, packet.dst0), packet.dst1);
  sum = addHalves(addHalves(sum, packet.dst2), packet.dst3);
  sum = addWords(sum, walk.view, walk.at, walk.to);
  walk.counters[DecodeCounter.tcpChecksumChecked]! += 1;
  if (fold(sum) === 0xffff) return 0;
  walk.counters[DecodeCounter.tcpChecksumWrong]! += 1;
  return walk.strict ? -SkipReason.checksum : 0;
}
