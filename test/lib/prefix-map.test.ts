// Longest prefix match, held to a look at every prefix in turn.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clearStrayBits, Prefix, readPrefix } from '../../src/lib/prefix.js';
import { PrefixList, PrefixMap } from '../../src/lib/prefix-map.js';
import { Random } from '../../src/lib/random.js';

type Words = readonly [number, number, number, number];

function prefixOf(words: Words, bits: number): Prefix {
  const prefix = new Prefix();
  [prefix.w0, prefix.w1, prefix.w2, prefix.w3] = words;
  prefix.bits = bits;
  clearStrayBits(prefix);
  return prefix;
}

function listOf(prefixes: readonly Prefix[]): PrefixList {
  const list = new PrefixList();
  for (const prefix of prefixes) list.add(prefix);
  return list;
}

const isIpv4 = ([w0, w1, w2]: Words) => w0 === 0 && w1 === 0 && w2 === 0xffff;

/** The slow twin: bit by bit, over all prefixes; of equal ones the last. */
function slowFind(prefixes: readonly Prefix[], words: Words): number {
  let best = -1;
  prefixes.forEach((prefix, index) => {
    if (prefix.isIpv4 !== isIpv4(words)) return;
    const own = [prefix.w0, prefix.w1, prefix.w2, prefix.w3];
    for (let bit = 0; bit < prefix.bits; bit++) {
      const differ = own[bit >> 5]! ^ words[bit >> 5]!;
      if (((differ >>> (31 - (bit & 31))) & 1) === 1) return;
    }
    if (best < 0 || prefix.bits >= prefixes[best]!.bits) best = index;
  });
  return best;
}

/** The addresses where a mistake would show: the ends of each prefix, and their neighbours. */
function edges(prefix: Prefix): Words[] {
  const first = [prefix.w0, prefix.w1, prefix.w2, prefix.w3];
  const value = first.reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
  const size = 1n << BigInt(128 - prefix.bits);
  return [value, value - 1n, value + size - 1n, value + size].map((address) => {
    const word = (shift: bigint) => Number(BigInt.asIntN(32, address >> shift));
    return [word(96n), word(64n), word(32n), word(0n)] as const;
  });
}

function expectTwins(prefixes: readonly Prefix[], more: readonly Words[]): void {
  const map = new PrefixMap(listOf(prefixes));
  for (const words of [...prefixes.flatMap(edges), ...more]) {
    expect(map.find(...words)).toBe(slowFind(prefixes, words));
  }
}

// Few bits vary, so that prefixes nest, touch and repeat.
const nearWord = fc.constantFrom(0, 1, 2, -1, -2, 0x20010db8, 0x0a000000, 0x0a010000, 1 << 31);
const anyWord = fc.oneof(nearWord, nearWord, fc.integer());
const address6: fc.Arbitrary<Words> = fc.tuple(anyWord, anyWord, anyWord, anyWord);
const address4: fc.Arbitrary<Words> = anyWord.map((word) => [0, 0, 0xffff, word] as const);
const prefix6 = fc.tuple(address6, fc.nat(128)).map(([words, bits]) => prefixOf(words, bits));
const prefix4 = fc.tuple(address4, fc.nat(32)).map(([words, bits]) => prefixOf(words, bits + 96));

describe('like a look at every prefix', () => {
  it('for any prefixes and addresses of both kinds', () => {
    const prefixes = fc.array(fc.oneof(prefix4, prefix6), { maxLength: 60 });
    const addresses = fc.array(fc.oneof(address4, address6), { maxLength: 30 });
    fc.assert(fc.property(prefixes, addresses, expectTwins), { numRuns: 300 });
  });

  it('for 3,000 prefixes of every density', () => {
    const random = new Random(7);
    const word = () => random.below(2 ** 32) | 0;
    const prefixes: Prefix[] = [];
    for (let n = 0; n < 1000; n++) {
      // Dense under one /32, sparse everywhere, and a chain in which each nests in the next.
      prefixes.push(prefixOf([0x20010db8, random.below(4096) << 20, 0, 0], 44 + random.below(80)));
      prefixes.push(prefixOf([word(), word(), word(), word()], random.below(129)));
      prefixes.push(prefixOf([0, 0, 0xffff, word()], 96 + random.below(33)));
      if (n <= 128) prefixes.push(prefixOf([0x0a0a0a0a, -1, 0, 1], n));
    }
    const map = new PrefixMap(listOf(prefixes));
    const probes = prefixes.filter((_, n) => n % 7 === 0).flatMap(edges);
    const wrong = probes.filter((words) => map.find(...words) !== slowFind(prefixes, words));
    expect(wrong).toEqual([]);
  });
});

describe('what stands around', () => {
  const numbers = (...texts: string[]) => {
    const list = new PrefixList();
    for (const text of texts) {
      const prefix = new Prefix();
      expect(readPrefix(text, prefix)).toBe(true);
      list.add(prefix);
    }
    return new PrefixMap(list);
  };

  it('an empty map knows nothing', () => {
    const map = numbers();
    expect(map.find(0, 0, 0xffff, 0)).toBe(-1);
    expect(map.find(0, 0, 0, 0)).toBe(-1);
    expect(map.find(-1, -1, -1, -1)).toBe(-1);
  });

  it('a parent is the next shorter cover; equal prefixes follow each other', () => {
    const map = numbers('10.1.2.0/24', '10.0.0.0/8', '10.1.0.0/16', '10.1.0.0/16', '::/0');
    expect([...map.parents]).toEqual([3, -1, 1, 2, -1]);
    expect(map.find(0, 0, 0xffff, 0x0a010000)).toBe(3);
    expect(map.find(0, 0, 0xffff, 0x0b000000), '::/0 holds no IPv4').toBe(-1);
    expect(map.find(1, 0, 0, 0)).toBe(4);
  });

  it('the last address of all', () => {
    const map = numbers('255.255.255.255/32', 'ffff::/16', 'ffff:ffff::/32');
    expect(map.find(0, 0, 0xffff, -1)).toBe(0);
    expect(map.find(-1, -1, -1, -1)).toBe(2);
    expect(map.find(-65536, 0, 0, 0)).toBe(1);
  });
});
