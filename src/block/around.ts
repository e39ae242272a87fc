// Prefixes inside of prefixes: whether one holds another, and what is left around it.

import { clearStrayBits, maskWord, Prefix, prefixText, readPrefix } from '../lib/prefix.js';

/** Whether the prefix `inner` is text of lies inside of `outer`, which may be the same. */
export function holds(outer: Prefix, inner: string): boolean {
  const one = new Prefix();
  if (!readPrefix(inner, one) || one.bits < outer.bits || one.isIpv4 !== outer.isIpv4) return false;
  const [own, other] = [wordsOf(outer), wordsOf(one)];
  return own.every((word, at) => ((word ^ other[at]!) & maskWord(outer.bits, at)) === 0);
}

/** The fewest prefixes that make up `outer` without `hole`, which lies inside. */
export function around(outer: string, hole: Prefix): string[] {
  const whole = new Prefix();
  if (!readPrefix(outer, whole)) return [];
  const found: string[] = [];
  // The other half at each step from the outer prefix to the hole.
  for (let bits = whole.bits + 1; bits <= hole.bits; bits++) {
    const words = wordsOf(hole);
    words[(bits - 1) >> 5]! ^= 1 << (31 - ((bits - 1) & 31));
    const [w0, w1, w2, w3] = words as [number, number, number, number];
    const half = Object.assign(new Prefix(), { w0, w1, w2, w3, bits });
    clearStrayBits(half);
    found.push(prefixText(half));
  }
  return found;
}

function wordsOf({ w0, w1, w2, w3 }: Prefix): number[] {
  return [w0, w1, w2, w3];
}
