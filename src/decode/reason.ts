// Why a frame gave no TCP segment, and what else decoding counts. Names are part of the output
// (`skipped` in the stats event): add at the end, never renumber.

/** What became of a frame. 0 is a TCP segment; every other frame has exactly one of the rest. */
export const SkipReason = {
  decoded: 0,
  /** No IP inside: ARP, spanning tree, PPP control, an unknown EtherType. */
  notIp: 1,
  /** IP, but neither TCP nor a tunnel that is opened here. */
  notTcp: 2,
  /** The capture ends before the fixed part of a header that the wire had. */
  truncated: 3,
  /** A header that contradicts itself or the lengths around it. */
  badHeader: 4,
  /** A link type that is not known here. */
  unsupportedLink: 5,
  /** A fragment, kept until the rest comes. */
  fragment: 6,
  /** A fragment whose bytes were all there already, or whose datagram is already complete. */
  fragmentDuplicate: 7,
  /** A fragment refused: it contradicts an earlier one, is too long, or there was no room. */
  fragmentDropped: 8,
  /** More nested headers than a frame is allowed. */
  tooDeep: 9,
  /** A wrong IPv4 or TCP checksum, only with `checksums: 'strict'`. */
  checksum: 10,
} as const;

export type SkipReason = (typeof SkipReason)[keyof typeof SkipReason];

/** Names by number, as they stand in the stats event. */
export const skipReasonNames: readonly string[] = [
  'decoded',
  'not-ip',
  'not-tcp',
  'truncated',
  'bad-header',
  'unsupported-link',
  'fragment',
  'fragment-duplicate',
  'fragment-dropped',
  'too-deep',
  'checksum',
];

/** Slots of `Decoder.counters`. These count facts beside the frame's one reason. */
export const DecodeCounter = {
  /** IPv4 headers with a wrong checksum (every IPv4 header is checked). */
  ipChecksumWrong: 0,
  /** TCP segments whose checksum was verified: a sample of them, all with `strict`. */
  tcpChecksumChecked: 1,
  /** Those of them that were wrong. */
  tcpChecksumWrong: 2,
  /** TCP segments with less payload captured than the wire had. */
  payloadCut: 3,
  /** IP headers with length 0 (segmentation offload): the frame's length was used. */
  lengthZero: 4,
  /** Tunnel headers opened (GRE, VXLAN, Geneve, IP in IP). */
  tunnels: 5,
  /** Datagrams put together from fragments. */
  reassembled: 6,
  /** Incomplete datagrams given up after the timeout. */
  fragmentTimeout: 7,
  /** Incomplete datagrams given up to make room. */
  fragmentEvicted: 8,
  /** Datagrams given up because two fragments disagree on bytes or on the length. */
  fragmentConflict: 9,
  /** Fragments of a datagram that would be longer than 65,535 bytes. */
  fragmentOversize: 10,
} as const;

/** Names of the slots of `Decoder.counters`, by number. */
export const decodeCounterNames: readonly string[] = [
  'ip-checksum-wrong',
  'tcp-checksum-checked',
  'tcp-checksum-wrong',
  'payload-cut',
  'length-zero',
  'tunnels',
  'reassembled',
  'fragment-timeout',
  'fragment-evicted',
  'fragment-conflict',
  'fragment-oversize',
];
