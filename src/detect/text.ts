// What detectors look at in the few texts a row carries: HELO names and domains, read from bytes
// where they lie. Gives numbers only: classes and keyed hashes. Nothing of a text is kept.

/** Numbers of `heloNames` in fields.ts. */
export const Helo = {
  absent: 0,
  name: 1,
  ownAddress: 2,
  serverName: 3,
  zeroLiteral: 4,
  privateLiteral: 5,
  foreignLiteral: 6,
  literal: 7,
  bareWord: 8,
  registeredElsewhere: 9,
} as const;

/** FNV-1a over lower-cased bytes, mixed with a secret so that nobody can aim at a value. */
export function hashText(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let h = seed ^ 0x811c9dc5;
  for (let at = from; at < to; at++) h = Math.imul(h ^ lower(bytes[at]!), 0x01000193);
  return mixed(h);
}

/** The same without digits: names numbered by a template are one. */
export function hashPattern(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let h = seed ^ 0x811c9dc5;
  for (let at = from; at < to; at++) {
    const byte = lower(bytes[at]!);
    if (byte < 0x30 || byte > 0x39) h = Math.imul(h ^ byte, 0x01000193);
  }
  return mixed(h);
}

/**
 * Reads names, one after the other, and hashes them as `hashText` does. One reused object; each
 * byte is looked at once.
 */
export class NameHash {
  /** Two hashes of the name that was read last, independent of each other; never 0. */
  high = 0;
  low = 0;
  /** Of a HELO name: the hash without its digits, so that names numbered by a template are one. */
  pattern = 0;
  /** Where the domain that was read last stands. */
  bytes: Buffer = Buffer.alloc(0);
  from = 0;
  to = 0;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** A domain in [from, to). */
  domain(bytes: Buffer, from: number, to: number): void {
    this.bytes = bytes;
    this.from = from;
    this.to = to;
    let h = this.#seed ^ 0x811c9dc5;
    let g = ~this.#seed ^ 0x811c9dc5;
    for (let at = from; at < to; at++) {
      const byte = lower(bytes[at]!);
      h = Math.imul(h ^ byte, 0x01000193);
      g = Math.imul(g ^ byte, 0x01000193);
    }
    this.high = mixed(h);
    this.low = mixed(g);
  }

  /**
   * A HELO name in [from, to): sets `high` and `pattern`, gives its class. `address` is the
   * client's IPv4 address, 0 where it has none.
   */
  helo(bytes: Uint8Array, from: number, to: number, address: number): number {
    let h = this.#seed ^ 0x811c9dc5;
    let p = h;
    let digits = 0;
    let run = 0;
    let longest = 0;
    for (let at = from; at < to; at++) {
      const byte = lower(bytes[at]!);
      h = Math.imul(h ^ byte, 0x01000193);
      const isDigit = byte >= 0x30 && byte <= 0x39;
      if (isDigit) digits++;
      else p = Math.imul(p ^ byte, 0x01000193);
      run = isDigit || (byte >= 0x61 && byte <= 0x66) ? run + 1 : 0;
      if (run > longest) longest = run;
    }
    this.high = mixed(h);
    this.pattern = mixed(p);
    // Four numbers, or eight hexadecimal digits in a row, is the least that names an address.
    const mayName = address !== 0 && (digits >= 4 || longest >= 8);
    return heloClass(bytes, from, to, address, mayName);
  }
}

/** Never 0, which stands for "none". */
function mixed(h: number): number {
  let m = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  m = Math.imul(m ^ (m >>> 13), 0xc2b2ae35);
  return m ^ (m >>> 16) || 1;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** Where the domain of a mailbox begins: behind its last @; -1 where it has none. */
export function domainStart(bytes: Uint8Array, from: number, to: number): number {
  for (let at = to - 1; at >= from; at--) {
    if (bytes[at] === 0x40) return at + 1 < to ? at + 1 : -1;
  }
  return -1;
}

/** The last four decimal numbers of a HELO name, while it is read. */
const numbers = new Int32Array(4);

/**
 * How a HELO name was written; `mayName`: there is enough in it for the address. A literal is an
 * address in square brackets (RFC 5321 section 4.1.3).
 */
function heloClass(
  bytes: Uint8Array,
  from: number,
  to: number,
  address: number,
  mayName: boolean,
): number {
  if (to <= from) return Helo.absent;
  if (bytes[from] === 0x5b || isDotted(bytes, from, to))
    return literalClass(bytes, from, to, address);
  if (mayName && namesAddress(bytes, from, to, address)) return Helo.ownAddress;
  for (let at = from; at < to - 1; at++) if (bytes[at] === 0x2e) return Helo.name;
  return Helo.bareWord;
}

function isDotted(bytes: Uint8Array, from: number, to: number): boolean {
  let dots = 0;
  for (let at = from; at < to; at++) {
    if (bytes[at] === 0x2e) dots++;
    else if (bytes[at]! < 0x30 || bytes[at]! > 0x39) return false;
  }
  return dots === 3;
}

function literalClass(bytes: Uint8Array, from: number, to: number, address: number): number {
  let word = 0;
  let value = 0;
  let parts = 1;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x30 && byte <= 0x39) value = Math.min(value * 10 + byte - 0x30, 256);
    else if (byte === 0x2e) {
      word = (word << 8) | (value & 0xff);
      value = 0;
      parts++;
    } else if (byte !== 0x5b && byte !== 0x5d) return Helo.literal;
  }
  word = (word << 8) | (value & 0xff);
  if (parts !== 4) return Helo.literal;
  if (word === 0) return Helo.zeroLiteral;
  if (word === address) return Helo.literal;
  return isPrivate(word) ? Helo.privateLiteral : Helo.foreignLiteral;
}

/** RFC 1918, RFC 6598, loopback and link-local: what one behind a translator sees of itself. */
function isPrivate(word: number): boolean {
  const first = word >>> 24;
  const second = (word >>> 16) & 0xff;
  if (first === 10 || first === 127) return true;
  if (first === 172) return second >= 16 && second < 32;
  if (first === 192) return second === 168;
  if (first === 169) return second === 254;
  return first === 100 && second >= 64 && second < 128;
}

/** Whether the name has the address in it: 173-66-46-112, reversed, padded, or in hexadecimal. */
function namesAddress(bytes: Uint8Array, from: number, to: number, address: number): boolean {
  const a = address >>> 24;
  const b = (address >>> 16) & 0xff;
  const c = (address >>> 8) & 0xff;
  const d = address & 0xff;
  let at = from;
  let found = 0;
  let beforeLast = -1;
  while (at < to) {
    const start = at;
    let value = 0;
    while (at < to && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) {
      value = Math.min(value * 10 + bytes[at]! - 0x30, 100_000);
      at++;
    }
    if (at === start) {
      at++;
      continue;
    }
    // Numbers that are more than two signs apart belong to different things.
    if (beforeLast < 0 || start - beforeLast > 2) found = 0;
    if (at - start === 12 && isPadded(bytes, start, address)) return true;
    beforeLast = at;
    numbers[found & 3] = value;
    found++;
    if (found < 4) continue;
    const w = numbers[found & 3]!;
    const x = numbers[(found + 1) & 3]!;
    const y = numbers[(found + 2) & 3]!;
    const z = numbers[(found + 3) & 3]!;
    if (w === a && x === b && y === c && z === d) return true;
    if (w === d && x === c && y === b && z === a) return true;
  }
  return hasHex(bytes, from, to, address);
}

/** Twelve digits: each part of the address as three. */
function isPadded(bytes: Uint8Array, from: number, address: number): boolean {
  for (let part = 0; part < 4; part++) {
    const at = from + part * 3;
    const value = (bytes[at]! - 0x30) * 100 + (bytes[at + 1]! - 0x30) * 10 + bytes[at + 2]! - 0x30;
    if (value !== ((address >>> (24 - part * 8)) & 0xff)) return false;
  }
  return true;
}

/** Eight hexadecimal digits in a row that are the address. */
function hasHex(bytes: Uint8Array, from: number, to: number, address: number): boolean {
  let word = 0;
  let run = 0;
  for (let at = from; at < to; at++) {
    const digit = hexDigit(bytes[at]!);
    run = digit < 0 ? 0 : run + 1;
    word = (word << 4) | Math.max(digit, 0);
    if (run >= 8 && word === address) return true;
  }
  return false;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const folded = byte | 0x20;
  return folded >= 0x61 && folded <= 0x66 ? folded - 0x57 : -1;
}
