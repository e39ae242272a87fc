// What a name in the zone of a DNSBL asks about: four decimal labels are an IPv4 address, 32
// hexadecimal ones an IPv6 address, in both the last part first (RFC 5782 sections 2.1 and 2.4).

import type { Query } from './query.js';

/** The apex, an address, the beginning of one, or something else below it; or not ours. */
export type NameKind = 'outside' | 'apex' | 'address' | 'part' | 'other';

export class ZoneName {
  /** Labels of the zone as they stand in a message, in small letters, with the ending zero. */
  readonly #wire: Buffer;
  readonly #labels: number;
  /** The address that the last name asked about, IPv4 as ::ffff:a.b.c.d. */
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  /** Where the zone's own labels begin in the last message. */
  zoneAt = 0;
  /** The IPv4 address in the last name is also the beginning of IPv6 addresses: 4.3.2.1. */
  isAlsoPart = false;

  /** `zone` is a domain name, with or without the ending dot. */
  constructor(zone: string) {
    this.#wire = wireName(zone.toLowerCase());
    this.#labels = zone.replace(/\.$/, '').split('.').length;
  }

  read(bytes: Uint8Array, query: Query): NameKind {
    const below = query.labelCount - this.#labels;
    if (below < 0) return 'outside';
    this.zoneAt = query.labels[below]!;
    if (!this.#isZone(bytes, this.zoneAt, query.questionEnd - 4)) return 'outside';
    if (below === 0) return 'apex';
    if (below <= 4 && this.#readIpv4(bytes, query, below)) {
      this.isAlsoPart = this.zoneAt - query.nameAt === 8;
      return below === 4 ? 'address' : 'part';
    }
    this.isAlsoPart = false;
    if (below <= 32 && this.#readIpv6(bytes, query, below)) {
      return below === 32 ? 'address' : 'part';
    }
    return 'other';
  }

  #isZone(bytes: Uint8Array, from: number, end: number): boolean {
    const wire = this.#wire;
    if (end - from !== wire.length) return false;
    for (let i = 0; i < wire.length; i++) {
      const byte = bytes[from + i]!;
      // The lengths of labels are below 64, so none of them is taken for a letter.
      if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== wire[i]) return false;
    }
    return true;
  }

  /** Labels from the zone outwards are the parts of the address from the first on. */
  #readIpv4(bytes: Uint8Array, query: Query, count: number): boolean {
    let address = 0;
    for (let part = 0; part < count; part++) {
      const value = decimal(bytes, query.labels[count - 1 - part]!);
      if (value < 0) return false;
      address |= value << (24 - part * 8);
    }
    this.w0 = 0;
    this.w1 = 0;
    this.w2 = 0xffff;
    this.w3 = address;
    return true;
  }

  #readIpv6(bytes: Uint8Array, query: Query, count: number): boolean {
    let word = 0;
    for (let part = 0; part < count; part++) {
      const at = query.labels[count - 1 - part]!;
      const value = bytes[at] === 1 ? hexDigit(bytes[at + 1]!) : -1;
      if (value < 0) return false;
      word = (word << 4) | value;
      if ((part & 7) !== 7) continue;
      if (part === 7) this.w0 = word;
      else if (part === 15) this.w1 = word;
      else if (part === 23) this.w2 = word;
      else this.w3 = word;
    }
    return true;
  }
}

/** A domain name as it stands in messages. */
export function wireName(name: string): Buffer {
  const labels = name
    .replace(/\.$/, '')
    .split('.')
    .filter((label) => label !== '');
  const parts = labels.map((label) => Buffer.from(`\0${label}`, 'latin1'));
  for (const part of parts) part[0] = part.length - 1;
  return Buffer.concat([...parts, Buffer.of(0)]);
}

/** The label at `at` as a number of 0 to 255 without leading zeros, or -1. */
function decimal(bytes: Uint8Array, at: number): number {
  const size = bytes[at]!;
  if (size > 3 || (size > 1 && bytes[at + 1] === 0x30)) return -1;
  let value = 0;
  for (let i = 1; i <= size; i++) {
    const digit = bytes[at + i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value > 255 ? -1 : value;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const small = byte | 0x20;
  return small >= 0x61 && small <= 0x66 ? small - 0x57 : -1;
}
