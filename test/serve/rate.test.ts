// The rate of answers by UDP: which addresses share one, who has none, and what a flood can win.

import { describe, expect, it } from 'vitest';
import { Prefix, readPrefix } from '../../src/lib/prefix.js';
import { PrefixList } from '../../src/lib/prefix-map.js';
import { SourceRate } from '../../src/serve/dnsbl/rate.js';

function sources(rate: number, trusted: readonly string[] = []): SourceRate {
  const list = new PrefixList();
  const prefix = new Prefix();
  for (const text of trusted) {
    expect(readPrefix(text, prefix)).toBe(true);
    list.add(prefix);
  }
  return new SourceRate({ rate, trusted: list, seed: 1 });
}

/** How many of `count` questions at once are answered. */
function admitted(rate: SourceRate, address: string, count: number, clock_ms = 0): number {
  let answered = 0;
  for (let at = 0; at < count; at++) if (rate.admits(address, clock_ms)) answered += 1;
  return answered;
}

describe('a source', () => {
  it('has a second of its rate at once, and then its rate', () => {
    const rate = sources(10);
    expect(admitted(rate, '192.0.2.1', 100)).toBe(10);
    expect(admitted(rate, '192.0.2.1', 100, 500)).toBe(5);
    expect(admitted(rate, '192.0.2.1', 100, 60_000)).toBe(10);
  });

  it.each([
    ['192.0.2.1', '192.0.2.200', true],
    ['192.0.2.1', '192.0.3.1', false],
    ['2001:db8:0:1::1', '2001:db8:0:ff::2', true],
    ['2001:db8:0:1::1', '2001:db8:0:100::2', false],
    ['::ffff:192.0.2.1', '192.0.2.7', true],
    ['fe80::1%eth0', 'fe80::2%eth0', true],
  ])('%s and %s share it: %s', (one, other, shared) => {
    const rate = sources(10);
    expect(admitted(rate, one, 10)).toBe(10);
    expect(admitted(rate, other, 10)).toBe(shared ? 0 : 10);
  });

  it('that is trusted has none, and where the rate is 0 nobody has', () => {
    const rate = sources(10, ['127.0.0.0/8', '2001:db8::/32']);
    expect(admitted(rate, '127.9.9.9', 1000)).toBe(1000);
    expect(admitted(rate, '2001:db8:5::1', 1000)).toBe(1000);
    expect(admitted(rate, '128.0.0.1', 1000)).toBe(10);
    expect(admitted(sources(0), '192.0.2.1', 1000)).toBe(1000);
  });

  it('in a flood from 300,000 prefixes wins a burst at most now and then', () => {
    const rate = sources(10);
    let answered = 0;
    for (let at = 0; at < 300_000; at++) {
      rate.admits(`${1 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}.1`, at / 1000);
      if (at % 100 === 0) answered += admitted(rate, '203.0.113.5', 10, at / 1000);
    }
    // Of 30,000 questions in 0.3 seconds; 13 is what its rate gives it.
    expect(answered).toBeGreaterThanOrEqual(12);
    expect(answered).toBeLessThan(500);
  });
});
