// The one reused result of decoding: a TCP segment with numbers and places, no objects.

/** TCP flag bits as they stand in byte 13 of the header (RFC 9293 section 3.1). */
export const enum Tcp {
  FIN = 1,
  SYN = 2,
  RST = 4,
  PSH = 8,
  ACK = 16,
  URG = 32,
}

/**
 * A decoded TCP segment. Filled by `Decoder.decode`, valid until its next call. Addresses are four
 * big-endian 32-bit words each, signed; an IPv4 address a.b.c.d is 0, 0, 0xffff, a.b.c.d.
 */
export class Packet {
  /** Microseconds since 1970 of the frame. */
  time = 0.5;
  /** Where the payload lies: the frame's byte area, or the fragment store's own. */
  bytes: Buffer = Buffer.alloc(0);
  /** 4 or 6: the innermost IP header's version. */
  ip = 4;
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  dst3 = 0;
  srcPort = 0;
  dstPort = 0;
  /** Sequence and acknowledgement numbers as signed 32-bit integers. */
  seq = 0;
  ack = 0;
  /** TCP flag bits, see `Tcp`. */
  flags = 0;
  window = 0;
  /** Payload bytes that were captured: [payloadFrom, payloadTo) in `bytes`. */
  payloadFrom = 0;
  payloadTo = 0;
  /** Payload bytes the segment had on the wire by its IP header; more than captured when cut. */
  payloadLength = 0;
  /** IPv4 identification, 0 for IPv6. */
  ipId = 0;
  /** The TCP checksum as it stands in the header. */
  checksum = 0;
  /** 802.1Q/802.1ad tags, 0 to 3: of the innermost Ethernet header that has any. */
  vlanCount = 0;
  /** VLAN identifiers (12 bits), outer first. */
  vlan0 = 0;
  vlan1 = 0;
  vlan2 = 0;
}
