// The place where decoding stands in one frame. One instance per decoder; each layer's function
// moves it forward and says what comes next. It assumes that bytes in [at, to) may be read and no
// others.

import { SkipReason } from './reason.js';

/** Which header comes next at `Walk.at`. Layer functions give one of these, or -SkipReason. */
export const enum Layer {
  tcp = 1,
  ipv4 = 2,
  ipv6 = 3,
  /** IPv4 or IPv6, by the version field. */
  ip = 4,
  ethernet = 5,
  vlan = 6,
  mpls = 7,
  pppoe = 8,
  ppp = 9,
  llc = 10,
  /** IPv6 extension header, or AH behind IPv4; which one is in `Walk.protocol`. */
  extension = 11,
  udp = 12,
  gre = 13,
  linuxCooked = 14,
  linuxCooked2 = 15,
  loopback = 16,
  ciscoHdlc = 17,
  /** A fragment of the datagram whose identification is in `Walk.fragmentId`. */
  fragment = 18,
  /** An IP packet as payload of another one. */
  ipv4InIp = 19,
  ipv6InIp = 20,
}

/** A place in a frame: numbers only, reused for every frame. */
export class Walk {
  bytes: Buffer = Buffer.alloc(0);
  /** The same bytes: a 32-bit read through it costs a third of four byte reads. */
  view: DataView = new DataView(new ArrayBuffer(0));
  /** First byte of the next header. */
  at = 0;
  /** End of what was captured of this layer. */
  to = 0;
  /** Where this layer ended on the wire; may lie behind `to`, then the rest was not captured. */
  wireTo = 0;
  /** IP protocol number of the header at `at`. */
  protocol = 0;
  /** 1 between an Ethernet header and its first tag: that tag replaces those met before. */
  freshTags = 0;
  /** 1 when the address in the pseudo header is the one of the IP header (no source route). */
  checkable = 1;
  /** Identification of the fragment at `at`: 16 bits for IPv4, 32 for IPv6, signed. */
  fragmentId = 0;
  /** Where the fragment's bytes begin in its datagram; a multiple of 8. */
  fragmentOffset = 0;
  /** 1 unless this is the datagram's last fragment. */
  fragmentMore = 0;
  /** How many bytes the datagram behind its IP header may have. */
  fragmentMax = 0;
  /** Time of the frame, microseconds. */
  time = 0.5;
  /** Slots as in `DecodeCounter`. */
  readonly counters: Float64Array;
  /** Whether UDP, GRE and IP-in-IP are opened. */
  readonly tunnels: boolean;
  /** Whether wrong checksums are a reason to skip. */
  readonly strict: boolean;
  /** Whether the TCP checksum of this frame is verified. */
  verify = false;

  constructor(counters: Float64Array, tunnels: boolean, strict: boolean) {
    this.counters = counters;
    this.tunnels = tunnels;
    this.strict = strict;
  }
}

/** The result for a header that needs `size` bytes from `at` and has fewer. */
export function tooShort(walk: Walk, size: number): number {
  return walk.wireTo - walk.at < size ? -SkipReason.badHeader : -SkipReason.truncated;
}

/** The layer that an EtherType names (IEEE 802 numbers), or -SkipReason.notIp. */
export function layerOfEtherType(type: number): number {
  switch (type) {
    case 0x0800:
      return Layer.ipv4;
    case 0x86dd:
      return Layer.ipv6;
    case 0x8100:
    case 0x88a8:
    case 0x9100:
    case 0x9200:
      return Layer.vlan;
    case 0x8847:
    case 0x8848:
      return Layer.mpls;
    case 0x8864:
      return Layer.pppoe;
    case 0x6558:
      return Layer.ethernet;
    default:
      return -SkipReason.notIp;
  }
}

/**
 * The layer that an IP protocol number names, or -SkipReason.notTcp. Sets `walk.protocol`. ESP and
 * "no next header" are among those that end here.
 */
export function layerOfProtocol(walk: Walk, protocol: number): number {
  walk.protocol = protocol;
  switch (protocol) {
    case 6:
      return Layer.tcp;
    case 0:
    case 43:
    case 44:
    case 51:
    case 60:
      return Layer.extension;
    case 17:
      return walk.tunnels ? Layer.udp : -SkipReason.notTcp;
    case 47:
      return walk.tunnels ? Layer.gre : -SkipReason.notTcp;
    case 4:
      return walk.tunnels ? Layer.ipv4InIp : -SkipReason.notTcp;
    case 41:
      return walk.tunnels ? Layer.ipv6InIp : -SkipReason.notTcp;
    default:
      return -SkipReason.notTcp;
  }
}
