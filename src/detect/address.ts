// Addresses and prefixes of subjects as people write them.

import { Prefix, prefixText } from '../lib/prefix.js';

const prefix = new Prefix();

/** The prefix whose network address stands at `at`; `bits` in the address's own family. */
export function cidrText(words: ArrayLike<number>, at: number, bits: number): string {
  prefix.w0 = words[at]!;
  prefix.w1 = words[at + 1]!;
  prefix.w2 = words[at + 2]!;
  prefix.w3 = words[at + 3]!;
  const isIpv4 = prefix.w0 === 0 && prefix.w1 === 0 && prefix.w2 === 0xffff;
  prefix.bits = isIpv4 ? bits + 96 : bits;
  return prefixText(prefix);
}

/** One address. */
export function ipText(words: ArrayLike<number>, at: number): string {
  const text = cidrText(words, at, 128);
  const isIpv4 = words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0xffff;
  return isIpv4 ? cidrText(words, at, 32).slice(0, -3) : text.slice(0, -4);
}
