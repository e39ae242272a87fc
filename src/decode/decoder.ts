// From a frame to a TCP segment: the loop over the layers, and a short way for the plain frames
// that are nearly all of the traffic. It does not look behind the TCP header. It assumes what
// FrameBatch promises: that each frame lies inside the byte area.

import type { FrameBatch } from '../capture/source.js';
import { u16be } from '../lib/bytes.js';
import { addHalves, fold } from '../lib/checksum.js';
import { Fragment, type FragmentLimits, FragmentStore } from './fragment.js';
import { extension, ipv4, ipv6 } from './ip.js';
import {
  ciscoHdlc,
  ethernet,
  layerOfLink,
  linuxCooked,
  linuxCooked2,
  llc,
  loopback,
  mpls,
  ppp,
  pppoe,
  rawIp,
  vlan,
} from './link.js';
import type { Packet } from './packet.js';
import { DecodeCounter, decodeCounterNames, SkipReason, skipReasonNames } from './reason.js';
import { tcp } from './tcp.js';
import { gre, isTunnelPort, udp } from './tunnel.js';
import { Layer, layerOfProtocol, Walk } from './walk.js';

/** Headers of one frame that are walked, all layers together. */
const headersMax = 32;
/** One frame in 1,024 has its TCP checksum verified; one in 256 would cost 3 ns a frame. */
const sampleMask = 1023;
/** A wire length beyond this is no frame of any network; the captured length is used instead. */
const wireLengthMax = 0x100000;

/** What `Decoder` needs to know. */
export interface DecodeOptions extends FragmentLimits {
  /** Whether GRE, ERSPAN, VXLAN, Geneve and IP in IP are opened. */
  readonly tunnels: boolean;
  /**
   * 'count': wrong IPv4 header checksums and a sample of TCP checksums are counted, nothing is
   * dropped. 'strict': all are verified (about a microsecond for a full segment) and wrong ones are
   * skipped as `SkipReason.checksum`. Segments that were cut cannot be verified and pass.
   */
  readonly checksums: 'count' | 'strict';
}

/** Limits for one worker: 2,048 datagrams and 4 MiB of fragments, 30 s. */
export const decodeDefaults: DecodeOptions = {
  tunnels: true,
  checksums: 'count',
  fragmentDatagramsMax: 2048,
  fragmentBytesMax: 4 << 20,
  fragmentTimeoutSeconds: 30,
  seed: 0,
};

/** Turns frames into TCP segments. One per worker. Never throws, whatever the bytes are. */
export class Decoder {
  /** Frames by `SkipReason`; slot 0 counts the decoded ones. Every frame is in exactly one slot. */
  readonly frames: Float64Array = new Float64Array(skipReasonNames.length);
  /** Slots as in `DecodeCounter`. */
  readonly counters: Float64Array = new Float64Array(decodeCounterNames.length);
  /** Datagrams that wait for more fragments. */
  readonly fragments: FragmentStore;
  readonly #walk: Walk;
  readonly #strict: boolean;
  /** The byte area that `#view` looks at. */
  #area: Buffer = Buffer.alloc(0);
  #view: DataView = new DataView(this.#area.buffer, this.#area.byteOffset, 0);
  /** Counts frames, for the sampling of TCP checksums. */
  #sample = 0;

  constructor(options: DecodeOptions) {
    this.#strict = options.checksums === 'strict';
    this.fragments = new FragmentStore(options, this.counters);
    this.#walk = new Walk(this.counters, options.tunnels, this.#strict);
  }

  /**
   * Decodes frame `index` of the batch into `packet`, time included. Gives 0 when it is a TCP
   * segment, else the `SkipReason`; the packet's fields are then of no meaning. `packet.bytes` is
   * the batch's area, or for a datagram put together from fragments the store's own, valid until
   * the next call.
   */
  decode(batch: FrameBatch, index: number, packet: Packet): number {
    // The short way: Ethernet with no tag or one, IPv4 without options, checksum right, no
    // fragment, TCP, captured whole. Anything else goes to the loop, from the start. It gives
    // nothing that the loop would not give; it does it in one function, on locals, with reads of 32
    // bits, in half the time (bench/micro/decode.bench.ts).
    if (this.#area !== batch.bytes) this.#openView(batch.bytes);
    const from = batch.offset[index]!;
    const to = from + batch.length[index]!;
    this.#sample = (this.#sample + 1) & sampleMask;
    if (batch.link[index] !== 1 || to - from < 54 || this.#sample === 0 || this.#strict) {
      return this.#walkFrom(batch, index, packet);
    }
    const view = this.#view;
    let at = from + 14;
    let type = view.getUint16(from + 12);
    packet.vlanCount = 0;
    if (type === 0x8100) {
      packet.vlan0 = view.getUint16(from + 14) & 0xfff;
      packet.vlanCount = 1;
      type = view.getUint16(from + 16);
      at = from + 18;
      if (to - at < 40) return this.#walkFrom(batch, index, packet);
    }
    const word0 = view.getInt32(at);
    const word1 = view.getInt32(at + 4);
    const word2 = view.getInt32(at + 8);
    const src = view.getInt32(at + 12);
    const dst = view.getInt32(at + 16);
    const control = view.getInt32(at + 32);
    const payload = at + 20 + ((control >>> 26) & 0x3c);
    const end = at + (word0 & 0xffff);
    let sum = addHalves(addHalves(addHalves(0, word0), word1), word2);
    sum = addHalves(addHalves(sum, src), dst);
    if (
      (type ^ 0x0800) |
        ((word0 >>> 24) ^ 0x45) |
        (word1 & 0x3fff) |
        ((word2 & 0xff0000) ^ 0x060000) ||
      payload < at + 40 ||
      payload > end ||
      end > to ||
      fold(sum) !== 0xffff
    ) {
      return this.#walkFrom(batch, index, packet);
    }
    packet.bytes = this.#area;
    packet.time = batch.time[index]!;
    packet.ip = 4;
    packet.src0 = packet.src1 = packet.dst0 = packet.dst1 = 0;
    packet.src2 = packet.dst2 = 0xffff;
    packet.src3 = src;
    packet.dst3 = dst;
    packet.ipId = word1 >>> 16;
    packet.srcPort = view.getUint16(at + 20);
    packet.dstPort = view.getUint16(at + 22);
    packet.seq = view.getInt32(at + 24);
    packet.ack = view.getInt32(at + 28);
    packet.flags = (control >>> 16) & 0xff;
    packet.window = control & 0xffff;
    packet.checksum = view.getUint16(at + 36);
    packet.payloadFrom = payload;
    packet.payloadTo = end;
    packet.payloadLength = end - payload;
    this.frames[0]! += 1;
    return 0;
  }

  /** Another worker decodes the next `count` frames: which ones are sampled stays the same. */
  skip(count: number): void {
    this.#sample = (this.#sample + count) & sampleMask;
  }

  #openView(bytes: Buffer): void {
    this.#area = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #walkFrom(batch: FrameBatch, index: number, packet: Packet): number {
    const walk = this.#walk;
    const from = batch.offset[index]!;
    const length = batch.length[index]!;
    const wireLength = batch.wireLength[index]!;
    walk.bytes = this.#area;
    walk.view = this.#view;
    walk.at = from;
    walk.to = from + length;
    walk.wireTo = from + (wireLength > length && wireLength <= wireLengthMax ? wireLength : length);
    walk.time = batch.time[index]!;
    walk.freshTags = 1;
    walk.verify = this.#sample === 0 || this.#strict;
    packet.vlanCount = 0;
    packet.time = walk.time;
    const reason = this.#walkOn(packet, layerOfLink(batch.link[index]!));
    this.frames[reason]! += 1;
    return reason;
  }

  // `next` is a layer, 0 when the segment is there, or a negative reason.
  #walkOn(packet: Packet, first: number): number {
    let next = first;
    for (let headers = 0; next > 0; headers += 1) {
      if (headers === headersMax) return SkipReason.tooDeep;
      next = this.#step(next, packet);
    }
    return (0 - next) | 0;
  }

  #step(layer: number, packet: Packet): number {
    const walk = this.#walk;
    switch (layer) {
      case Layer.tcp:
        return tcp(walk, packet);
      case Layer.ipv4:
        return ipv4(walk, packet);
      case Layer.ipv6:
        return ipv6(walk, packet);
      case Layer.ipv4InIp:
        this.counters[DecodeCounter.tunnels]! += 1;
        return ipv4(walk, packet);
      case Layer.ipv6InIp:
        this.counters[DecodeCounter.tunnels]! += 1;
        return ipv6(walk, packet);
      case Layer.extension:
        return extension(walk);
      case Layer.ethernet:
        return ethernet(walk);
      case Layer.vlan:
        return vlan(walk, packet);
      case Layer.mpls:
        return mpls(walk);
      case Layer.udp:
        return udp(walk);
      case Layer.gre:
        return gre(walk);
      case Layer.fragment:
        return this.#fragment(packet);
      default:
        return rareLink(walk, layer);
    }
  }

  // Keeps the fragment; the one that completes its datagram goes on with the whole of it.
  #fragment(packet: Packet): number {
    const walk = this.#walk;
    const size = walk.wireTo - walk.at;
    if (size <= 0 || (walk.fragmentMore === 1 && (size & 7) !== 0)) return -SkipReason.badHeader;
    if (walk.to < walk.wireTo) return -SkipReason.truncated;
    const useless = walk.fragmentOffset === 0 && !mayHoldTcp(walk, size);
    const result = useless ? this.fragments.ignore(walk, packet) : this.fragments.add(walk, packet);
    switch (result) {
      case Fragment.complete:
        walk.bytes = this.fragments.out;
        walk.view = this.fragments.outView;
        walk.at = 0;
        walk.to = this.fragments.outLength;
        walk.wireTo = walk.to;
        return layerOfProtocol(walk, this.fragments.outProtocol);
      case Fragment.kept:
        return -SkipReason.fragment;
      case Fragment.duplicate:
        return -SkipReason.fragmentDuplicate;
      case Fragment.unwanted:
        return -SkipReason.notTcp;
      default:
        return -SkipReason.fragmentDropped;
    }
  }
}

// Of a datagram's first fragment. UDP fragments are mostly long DNS answers: not worth any memory.
function mayHoldTcp(walk: Walk, size: number): boolean {
  if (layerOfProtocol(walk, walk.protocol) < 0) return false;
  return walk.protocol !== 17 || size < 4 || isTunnelPort(u16be(walk.bytes, walk.at + 2));
}

function rareLink(walk: Walk, layer: number): number {
  switch (layer) {
    case Layer.ip:
      return rawIp(walk);
    case Layer.pppoe:
      return pppoe(walk);
    case Layer.ppp:
      return ppp(walk);
    case Layer.llc:
      return llc(walk);
    case Layer.linuxCooked:
      return linuxCooked(walk);
    case Layer.linuxCooked2:
      return linuxCooked2(walk);
    case Layer.loopback:
      return loopback(walk);
    default:
      return ciscoHdlc(walk);
  }
}
