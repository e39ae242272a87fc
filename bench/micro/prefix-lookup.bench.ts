// What it costs to find the longest prefix of an address among 100 to 1,000,000: prefixes as a
// register has them (IPv4 /20 to /32, IPv6 /40 to /128, clustered and spread), addresses at random,
// half of them inside a prefix. 1,000 look-ups an iteration, so that its microseconds are the
// nanoseconds of one. MAILWEIR_BENCH_SMOKE=1 runs each case once, small.

import process from 'node:process';
import { bench, do_not_optimize, run, summary } from 'mitata';
import { clearStrayBits, Prefix } from '../../src/lib/prefix.js';
import { PrefixList, PrefixMap } from '../../src/lib/prefix-map.js';
import { Random } from '../../src/lib/random.js';

const smoke = process.env['MAILWEIR_BENCH_SMOKE'] === '1';
const lookups = 1000;
const sizes = smoke ? [100, 1000] : [100, 10_000, 1_000_000];

/** Where IPv6 is given out: two words of an address. */
const blocks = [0x20010db8, 0x24000000, 0x2a000000, 0x26000000];

function point(prefix: Prefix, random: Random, isIpv6: boolean): void {
  prefix.bits = 128;
  prefix.w3 = random.word();
  prefix.w0 = 0;
  prefix.w1 = 0;
  prefix.w2 = 0xffff;
  if (!isIpv6) return;
  const block = random.below(blocks.length);
  prefix.w0 = blocks[block]! | (block === 0 ? 0 : random.below(1 << 20));
  prefix.w1 = random.word();
  prefix.w2 = random.word();
}

class Case {
  readonly #map: PrefixMap;
  readonly #addresses: Int32Array;
  #at = 0;

  constructor(size: number, isIpv6: boolean) {
    const random = new Random(size);
    const list = new PrefixList();
    const prefix = new Prefix();
    for (let n = 0; n < size; n++) {
      point(prefix, random, isIpv6);
      prefix.bits = isIpv6 ? 40 + random.below(89) : 116 + random.below(13);
      clearStrayBits(prefix);
      list.add(prefix);
    }
    const began = performance.now();
    this.#map = new PrefixMap(list);
    const took = performance.now() - began;
    console.log(`${size} IPv${isIpv6 ? 6 : 4} prefixes built in ${took.toFixed(0)} ms`);
    this.#addresses = new Int32Array(4 << 20);
    for (let at = 0; at < this.#addresses.length; at += 4) {
      point(prefix, random, isIpv6);
      if ((at & 4) === 0) list.read(random.below(size), prefix);
      this.#addresses.set([prefix.w0, prefix.w1, prefix.w2, prefix.w3], at);
    }
  }

  /** Looks up the next addresses; the number of those that a prefix covers. */
  round(): number {
    const addresses = this.#addresses;
    let hits = 0;
    let at = this.#at;
    for (let n = 0; n < lookups; n++) {
      const w0 = addresses[at]!;
      const w1 = addresses[at + 1]!;
      const found = this.#map.find(w0, w1, addresses[at + 2]!, addresses[at + 3]!);
      if (found >= 0) hits += 1;
      at = (at + 4) & (addresses.length - 1);
    }
    this.#at = at;
    return hits;
  }
}

for (const isIpv6 of [false, true]) {
  summary(() => {
    for (const size of sizes) {
      const prefixes = new Case(size, isIpv6);
      const name = `${lookups} look-ups, ${size} IPv${isIpv6 ? 6 : 4} prefixes`;
      if (smoke) console.log(`${name}: ${prefixes.round()} covered`);
      else bench(name, () => do_not_optimize(prefixes.round()));
    }
  });
}

if (!smoke) await run();
