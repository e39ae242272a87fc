// By what a rule groups: the subject it speaks of, as a key of five words. An address of an IPv6
// customer is the prefix that is one customer; foreign IPv6 addresses count as their /64, because
// one machine has all of it.

import { maskWord } from '../lib/prefix.js';
import type { Facts } from './facts.js';
import { fields, Slot } from './fields.js';

/** Whom a rule speaks of: the client, the server, or the network as a whole. */
export type Side = 'src' | 'dst' | 'network';

export interface Grouping {
  readonly side: Side;
  /** Prefix lengths; 0: the address, or the customer's prefix. */
  readonly bits4: number;
  readonly bits6: number;
  /** Slot of the second part of the key, -1 if there is none. */
  readonly second: number;
  /** Equal for groupings that share a table. */
  readonly name: string;
}

const foreignBits6 = 64;

/** `src.ip`, `server.ip`, `src.prefix(24,64)`, with a key such as `rcpt.domain`. Null: unknown. */
export function groupingOf(names: readonly string[]): Grouping | null {
  const [first, other] = names;
  if (first === 'network') {
    return { side: 'network', bits4: 0, bits6: 0, second: -1, name: 'network' };
  }
  const match = /^(src|dst|server|client)\.(?:ip|prefix\((\d+),(\d+)\))$/.exec(first ?? '');
  if (match === null) return null;
  const bits4 = Number(match[2] ?? 0);
  const bits6 = Number(match[3] ?? 0);
  if (bits4 > 32 || bits6 > 128) return null;
  const field = other === undefined ? undefined : fields.get(other);
  if (other !== undefined && field?.type !== 'key') return null;
  const side = match[1] === 'src' || match[1] === 'client' ? 'src' : 'dst';
  const name = `${side}/${bits4}/${bits6}/${other ?? ''}`;
  return { side, bits4, bits6, second: field?.slot ?? -1, name };
}

/** Writes the key of the subject at hand; gives its prefix length in its own family. */
export function keyOf(grouping: Grouping, facts: Facts, key: Int32Array): number {
  const { values } = facts;
  if (grouping.side === 'network') {
    key.fill(0);
    return 0;
  }
  const at = grouping.side === 'src' ? Slot.srcIp : Slot.dstIp;
  for (let i = 0; i < 4; i++) key[i] = values[at + i]!;
  key[4] = grouping.second < 0 ? 0 : values[grouping.second]!;
  if (key[2] === 0xffff && key[0] === 0 && key[1] === 0) {
    if (grouping.bits4 === 0) return 32;
    key[3]! &= maskWord(grouping.bits4, 0);
    return grouping.bits4;
  }
  const place = grouping.side === 'src' ? facts.src : facts.dst;
  const whole = place.own ? place.customerBits : foreignBits6;
  const bits = grouping.bits6 === 0 ? whole : grouping.bits6;
  for (let i = 0; i < 4; i++) key[i]! &= maskWord(bits, i);
  return bits;
}
