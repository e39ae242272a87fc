// Address prefixes as numbers: four int32 words, IPv4 as ::ffff:a.b.c.d (words 0, 0, 0xffff, a),
// and a length of 0 to 128 (IPv4: 96 more than people write). Reads and writes their text; finding
// one among many is in `prefix-map.ts`. Own code, because ipaddr.js needs microseconds where a
// register has a million lines; the tests hold it to ipaddr.js.

/** A prefix, or one address (`bits` 128). Reused by its reader. */
export class Prefix {
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  /** Length in IPv6 terms, 0 to 128. */
  bits = 0;

  get isIpv4(): boolean {
    return this.bits >= 96 && this.w0 === 0 && this.w1 === 0 && this.w2 === 0xffff;
  }
}

const colon = 0x3a;
const dot = 0x2e;

/**
 * Reads `text` (such as 203.0.113.0/24, 2001:db8::/32, or an address alone, which is one host) into
 * `out`. False if it is none; bits behind the length are left for `strayBits`.
 */
export function readPrefix(text: string, out: Prefix): boolean {
  const at = text.indexOf('/');
  const end = at < 0 ? text.length : at;
  const isIpv6 = text.includes(':');
  if (!(isIpv6 ? readIpv6(text, end, out) : readIpv4(text, 0, end, out))) return false;
  out.bits = 128;
  if (at < 0) return true;
  const bits = lengthAt(text, at + 1);
  if (bits < 0 || bits > (isIpv6 ? 128 : 32)) return false;
  out.bits = isIpv6 ? bits : bits + 96;
  return true;
}

/** One to three digits without leading zeros up to the end, or -1. */
function lengthAt(text: string, from: number): number {
  const digits = text.length - from;
  if (digits < 1 || digits > 3 || (digits > 1 && text.charCodeAt(from) === 0x30)) return -1;
  let value = 0;
  for (let i = from; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Four decimal parts, none with a leading zero: some programs read 010 as 8. */
function readIpv4(text: string, from: number, end: number, out: Prefix): boolean {
  let word = 0;
  let parts = 0;
  let at = from;
  while (parts < 4) {
    let value = -1;
    const start = at;
    for (; at < end && at < start + 3; at++) {
      const digit = text.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = Math.max(value, 0) * 10 + digit;
    }
    if (value < 0 || value > 255) return false;
    if (at - start > 1 && text.charCodeAt(start) === 0x30) return false;
    word = (word << 8) | value;
    parts += 1;
    if (parts < 4 && (at >= end || text.charCodeAt(at++) !== dot)) return false;
  }
  out.w0 = 0;
  out.w1 = 0;
  out.w2 = 0xffff;
  out.w3 = word;
  return at === end;
}

/** The eight groups of the address being read, and its IPv4 tail. */
const groups = new Int32Array(8);
const tail = new Prefix();

/** RFC 4291 section 2.2, all three forms; no zone. */
function readIpv6(text: string, end: number, out: Prefix): boolean {
  let count = 0;
  let gap = -1;
  let at = 0;
  if (text.charCodeAt(0) === colon) {
    if (text.charCodeAt(1) !== colon) return false;
    gap = 0;
    at = 2;
  }
  while (at < end) {
    if (count === 8) return false;
    const next = groupAt(text, at, end, count);
    if (next === 0) return false;
    count += next === tailRead ? 2 : 1;
    if (next === tailRead || next === end) {
      at = end;
      break;
    }
    at = next + 1;
    if (at < end && text.charCodeAt(at) === colon) {
      if (gap >= 0) return false;
      gap = count;
      at += 1;
    } else if (at === end) return false;
  }
  if (gap < 0 ? count !== 8 : count > 7) return false;
  if (gap >= 0) {
    groups.copyWithin(8 - (count - gap), gap, count);
    groups.fill(0, gap, 8 - (count - gap));
  }
  out.w0 = (groups[0]! << 16) | groups[1]!;
  out.w1 = (groups[2]! << 16) | groups[3]!;
  out.w2 = (groups[4]! << 16) | groups[5]!;
  out.w3 = (groups[6]! << 16) | groups[7]!;
  return true;
}

/** What `groupAt` gives where the rest was an IPv4 address, two groups. */
const tailRead = -1;

/** Reads a group from `from`; gives the place of the colon behind it or `end`, 0 if it is none. */
function groupAt(text: string, from: number, end: number, index: number): number {
  let value = 0;
  let at = from;
  for (; at < end && at < from + 4; at++) {
    const digit = hexDigit(text.charCodeAt(at));
    if (digit < 0) break;
    value = (value << 4) | digit;
  }
  const isTail = at < end && text.charCodeAt(at) === dot;
  if (isTail) {
    if (index > 6 || !readIpv4(text, from, end, tail)) return 0;
    groups[index] = tail.w3 >>> 16;
    groups[index + 1] = tail.w3 & 0xffff;
    return tailRead;
  }
  if (at === from || (at < end && text.charCodeAt(at) !== colon)) return 0;
  groups[index] = value;
  return at;
}

function hexDigit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const folded = unit | 0x20;
  return folded >= 0x61 && folded <= 0x66 ? folded - 0x57 : -1;
}

/** The first `bits` bits of word `index` of a mask over 128 bits. */
export function maskWord(bits: number, index: number): number {
  const inside = bits - index * 32;
  if (inside <= 0) return 0;
  return inside >= 32 ? -1 : -1 << (32 - inside);
}

/** Clears the bits behind the length; true if there were any. */
export function clearStrayBits(prefix: Prefix): boolean {
  const { w0, w1, w2, w3, bits } = prefix;
  prefix.w0 = w0 & maskWord(bits, 0);
  prefix.w1 = w1 & maskWord(bits, 1);
  prefix.w2 = w2 & maskWord(bits, 2);
  prefix.w3 = w3 & maskWord(bits, 3);
  return prefix.w0 !== w0 || prefix.w1 !== w1 || prefix.w2 !== w2 || prefix.w3 !== w3;
}

/** What is wrong with `text` as a prefix, after reading it into `out`; null if nothing is. */
export function prefixMistake(text: string, out: Prefix): string | null {
  const isRead = readPrefix(text, out);
  if (isRead && !clearStrayBits(out)) return null;
  const short = JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
  if (!isRead) {
    return `${short} is not an address prefix such as 203.0.113.0/24 or 2001:db8::/32`;
  }
  return `${short} has bits set behind its length; did you mean ${prefixText(out)}?`;
}

/** As people write it: IPv4 dotted, IPv6 after RFC 5952, with the length always. */
export function prefixText(prefix: Prefix): string {
  if (prefix.isIpv4) return `${ipv4Text(prefix.w3)}/${prefix.bits - 96}`;
  return `${ipv6Text(prefix)}/${prefix.bits}`;
}

function ipv4Text(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;
}

/** RFC 5952 section 4: small letters, the longest run of two or more zero groups as `::`. */
function ipv6Text(prefix: Prefix): string {
  const parts: number[] = [];
  for (const word of [prefix.w0, prefix.w1, prefix.w2, prefix.w3]) {
    parts.push(word >>> 16, word & 0xffff);
  }
  let best = 0;
  let bestLength = 1;
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && parts[at + length] === 0) length += 1;
    if (length > bestLength) {
      best = at;
      bestLength = length;
    }
  }
  const hex = (some: readonly number[]) => some.map((part) => part.toString(16)).join(':');
  if (bestLength < 2) return hex(parts);
  return `${hex(parts.slice(0, best))}::${hex(parts.slice(best + bestLength))}`;
}
