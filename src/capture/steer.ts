// Which worker gets a frame: a hash of source XOR destination of the outermost IP header, without
// ports, so that both directions of a connection, its fragments, and all that one tunnel carries
// stay together. The ring's fan-out program (ring/programs.ts) computes the same in the kernel; a
// test holds the two together. It judges no header: what the decoder refuses may go anywhere.

import { i32be, u16be } from '../lib/bytes.js';

/** Tags, PPPoE and LLC headers that are walked on each side of one MPLS label stack. */
export const steerHeadersMax = 8;
/** Labels of the stack. */
export const steerLabelsMax = 8;
/** EtherTypes of frames in which IP may follow; what stands behind MPLS is guessed by them. */
export const steerTypes: readonly number[] = [
  0x0800, 0x86dd, 0x8100, 0x88a8, 0x9100, 0x9200, 0x8847, 0x8848, 0x8864, 0x6558,
];
/** Multiplier of the hash: 2 to the 32 divided by the golden ratio, made odd. */
export const steerFactor = 0x9e3779b1;

/** Nothing that can be walked. */
const nothing = -1;

/**
 * The worker, 0 to `workers` - 1, for the frame `bytes[from, to)` of link type `link`. Worker 0
 * where no addresses can be seen.
 */
export function steer(
  bytes: Uint8Array,
  from: number,
  to: number,
  link: number,
  workers: number,
): number {
  const hash = addressHash(bytes, from, to, link);
  return hash > 0 ? hash % workers : 0;
}

/**
 * 16 bits from the addresses of the outermost IP header; -1 where they cannot be seen: no IP, cut
 * off, too deep, or a link type that is not known. Two frames of one address pair give the same
 * number in either direction, whatever is around them.
 */
export function addressHash(bytes: Uint8Array, from: number, to: number, link: number): number {
  place.at = from;
  const type = typeBehindLink(bytes, from, to, link);
  return hashBehind(bytes, to, type);
}

/** Whether `addressHash` finds addresses. Plain IP in Ethernet, as nearly always, costs no walk. */
export function addressesSeen(bytes: Uint8Array, from: number, to: number, link: number): boolean {
  if (link === 1 && to - from >= 54) {
    const type = u16be(bytes, from + 12);
    if (type === 0x0800 || type === 0x86dd) return true;
  }
  return addressHash(bytes, from, to, link) >= 0;
}

/** Where the walk stands; one for all frames, because an object per frame would cost more. */
const place = { at: 0 };

/** Moves behind the link header of a LINKTYPE_ value; gives the EtherType that follows. */
function typeBehindLink(bytes: Uint8Array, from: number, to: number, link: number): number {
  switch (link) {
    case 1:
      return typeBehindMacs(bytes, from, to);
    case 113:
      return typeAt(bytes, to, from + 14);
    case 276:
      place.at = from + 20;
      return to - from < 20 ? nothing : u16be(bytes, from);
    case 104:
      return typeAt(bytes, to, from + 2);
    case 9:
    case 50:
      return typeBehindPpp(bytes, to);
    case 51:
      return 0x8864;
    case 0:
    case 108:
      place.at = from + 4;
      return typeOfVersion(bytes, to);
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return typeOfVersion(bytes, to);
    default:
      return nothing;
  }
}

/** The outer tag is not counted among the headers: the kernel has it stripped before it steers. */
function typeBehindMacs(bytes: Uint8Array, from: number, to: number): number {
  const type = typeAt(bytes, to, from + 12);
  return type === 0x8100 || type === 0x88a8 ? typeAt(bytes, to, from + 16) : type;
}

/** Moves behind the EtherType at `at` and gives it. */
function typeAt(bytes: Uint8Array, to: number, at: number): number {
  place.at = at + 2;
  return to - at < 2 ? nothing : u16be(bytes, at);
}

function typeOfVersion(bytes: Uint8Array, to: number): number {
  if (to - place.at < 1) return nothing;
  const version = bytes[place.at]! >>> 4;
  if (version === 4) return 0x0800;
  return version === 6 ? 0x86dd : nothing;
}

function hashBehind(bytes: Uint8Array, to: number, first: number): number {
  let type = first;
  let labelled = false;
  let headers = 0;
  for (;;) {
    const at = place.at;
    if (type === 0x0800) return to - at < 20 ? -1 : hash4(bytes, at);
    if (type === 0x86dd) return to - at < 40 ? -1 : hash6(bytes, at);
    if (type === 0x8847 || type === 0x8848) {
      if (labelled) return -1;
      labelled = true;
      headers = 0;
      type = typeBehindLabels(bytes, to);
      continue;
    }
    if (headers === steerHeadersMax) return -1;
    headers += 1;
    type = typeBehind(bytes, to, type);
    if (type === nothing) return -1;
  }
}

function hash4(bytes: Uint8Array, at: number): number {
  return mixed(i32be(bytes, at + 12) ^ i32be(bytes, at + 16));
}

function hash6(bytes: Uint8Array, at: number): number {
  let word = 0;
  for (let i = at + 8; i < at + 40; i += 4) word ^= i32be(bytes, i);
  return mixed(word);
}

function mixed(word: number): number {
  return Math.imul(word ^ (word >>> 16), steerFactor) >>> 16;
}

/** Moves behind one header of the given type that is neither IP nor MPLS. */
function typeBehind(bytes: Uint8Array, to: number, type: number): number {
  const at = place.at;
  switch (type) {
    case 0x8100:
    case 0x88a8:
    case 0x9100:
    case 0x9200:
      return typeAt(bytes, to, at + 2);
    case 0x6558:
      return typeAt(bytes, to, at + 12);
    case 0x8864:
      place.at = at + 6;
      return typeBehindPpp(bytes, to);
    default:
      // The kernel takes every length field below 1,536 for one (eth_proto_is_802_3).
      return type < 1536 ? typeBehindLlc(bytes, to) : nothing;
  }
}

/** PPP (RFC 1661 section 2), its address and control bytes and half of its type may be left out. */
function typeBehindPpp(bytes: Uint8Array, to: number): number {
  let at = place.at;
  if (to - at < 2) return nothing;
  if (u16be(bytes, at) === 0xff03) at += 2;
  if (to - at < 2) return nothing;
  const short = (bytes[at]! & 1) === 1;
  place.at = at + (short ? 1 : 2);
  switch (short ? bytes[at]! : u16be(bytes, at)) {
    case 0x21:
      return 0x0800;
    case 0x57:
      return 0x86dd;
    case 0x0281:
    case 0x0283:
      return 0x8847;
    case 0x0f:
    case 0x8f:
      // Cisco HDLC (RFC 4349 section 3).
      return typeAt(bytes, to, at + 2);
    default:
      return nothing;
  }
}

/** LLC with SNAP (RFC 1042), or with the access point of IP. */
function typeBehindLlc(bytes: Uint8Array, to: number): number {
  const at = place.at;
  if (to - at < 4) return nothing;
  const word = i32be(bytes, at) >>> 0;
  if (word >>> 8 === 0x060603) {
    place.at = at + 3;
    return 0x0800;
  }
  if (word !== 0xaaaa0300 || to - at < 6 || u16be(bytes, at + 4) !== 0) return nothing;
  return typeAt(bytes, to, at + 6);
}

/**
 * Moves behind an MPLS label stack (RFC 3032 section 2.1) and guesses what is there, as the decoder
 * does: IP by its version, a pseudo-wire's control word by its 0 (RFC 4385 section 3), else
 * Ethernet; a plausible EtherType tells a MAC address from a version.
 */
function typeBehindLabels(bytes: Uint8Array, to: number): number {
  let at = place.at;
  let last = false;
  for (let label = 0; !last; label += 1) {
    if (label === steerLabelsMax || to - at < 4) return nothing;
    last = (bytes[at + 2]! & 1) === 1;
    at += 4;
  }
  place.at = at;
  if (to - at < 18) return nothing;
  const nibble = bytes[at]! >>> 4;
  const ethernet = steerTypes.includes(u16be(bytes, at + 12));
  if (nibble === 4 && !(ethernet && !isIpv4(bytes, at, to))) return 0x0800;
  if (nibble === 6 && !(ethernet && !isIpv6(bytes, at, to))) return 0x86dd;
  if (nibble === 1 && !ethernet) return nothing;
  const word = nibble === 0 && (!ethernet || steerTypes.includes(u16be(bytes, at + 16)));
  return typeAt(bytes, to, at + (word ? 16 : 12));
}

function isIpv4(bytes: Uint8Array, at: number, to: number): boolean {
  const total = u16be(bytes, at + 2);
  const fits = total === 0 || (total >= 20 && total <= to - at);
  return (bytes[at]! & 0x0f) >= 5 && fits;
}

function isIpv6(bytes: Uint8Array, at: number, to: number): boolean {
  return u16be(bytes, at + 4) + 40 <= to - at;
}
