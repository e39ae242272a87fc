// The rows of the list: what covers an address or lies inside of a prefix, held to a slow twin, and
// rows that go to the disk and come back.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ListedEntry } from '../../src/block/entry.js';
import { EntryCursor } from '../../src/block/rows.js';
import { Rows } from '../../src/block/table.js';
import { clearStrayBits, Prefix, prefixText, readPrefix } from '../../src/lib/prefix.js';
import { entryOf } from '../serve/lists.js';

/** Few addresses and all lengths, so that they nest and meet. */
const cidr = fc
  .record({ tail: fc.integer({ min: 0, max: 7 }), bits: fc.integer({ min: 8, max: 32 }) })
  .chain(({ tail, bits }) =>
    fc.constantFrom(
      normal(`10.0.${tail}.${tail * 31}/${bits}`),
      normal(`2001:db8::${tail}/${bits * 4}`),
      normal(`::ffff:0:0/${96 - tail}`),
    ),
  );

function prefixOf(text: string): Prefix {
  const prefix = new Prefix();
  readPrefix(text, prefix);
  return prefix;
}

function normal(text: string): string {
  const prefix = prefixOf(text);
  clearStrayBits(prefix);
  return prefixText(prefix);
}

/** All bits of a prefix, as text of its length; families apart. */
function bitsOf(text: string): string {
  const { w0, w1, w2, w3, bits, isIpv4 } = prefixOf(text);
  const all = [w0, w1, w2, w3].map((word) => (word >>> 0).toString(2).padStart(32, '0')).join('');
  return `${isIpv4 ? 4 : 6} ${all.slice(0, bits)}`;
}

it('covers and is inside as prefixes of bits do, whatever came and went', () => {
  const step = fc.record({ cidr, goes: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.array(cidr, { maxLength: 10 }),
      (steps, asked) => {
        const rows = new Rows(1000);
        const standing = new Map<string, string>();
        for (const [at, { cidr: one, goes }] of steps.entries()) {
          const first = standing.keys().next().value;
          if (goes && first !== undefined) {
            expect(rows.remove(first)).toBe(true);
            standing.delete(first);
            continue;
          }
          const entry = entryOf(one, at + 1);
          rows.put(entry);
          standing.set(entry.id, one);
        }
        const where = (fits: (one: string) => boolean) =>
          [...standing].filter(([, one]) => fits(bitsOf(one))).map(([id]) => id);
        for (const one of asked) {
          const bits = bitsOf(one);
          const covering = where((other) => bits.startsWith(other));
          expect([...rows.covering(prefixOf(one))].sort()).toEqual(covering.sort());
          const same = where((other) => other === bits);
          expect([...rows.covering(prefixOf(one), true)].sort()).toEqual(same.sort());
          const inside = where((other) => other.startsWith(bits));
          expect(rows.inside(prefixOf(one)).sort()).toEqual(inside.sort());
        }
      },
    ),
    { numRuns: 300 },
  );
});

it('a row that was packed comes back as it was, beside rows of other rules', () => {
  const entries: ListedEntry[] = [
    entryOf('203.0.113.9/32', 0xffffffff, { rule: 'core.harvest', level: 5 }),
    entryOf('2001:db8::/56', 2, { action: 'allow', until: null }),
    entryOf('198.51.100.0/24', 3, {
      action: 'limit',
      rule: 'strange.ünïcode',
      scope: { proto: 'tcp', dport: [25, 587], direction: 'in', rate: 1600, burst: 60_000 },
    }),
  ];
  const from = new Rows(10);
  for (const entry of entries) from.put(entry);
  const to = new Rows(10);
  to.put(entryOf('192.0.2.1/32', 77, { rule: 'other.rule' }));
  for (const { id } of [...entries].reverse()) expect(to.unpack(from.pack(id))).toBeGreaterThan(0);
  const cursor = new EntryCursor({
    ...{ list: 'tap', revision: 1, generated: 0, expires: 1 },
    ...to.lend(),
  });
  const found = new Map<string, ListedEntry>();
  while (cursor.next()) found.set(cursor.id, cursor.keep());
  for (const entry of entries) expect(found.get(entry.id)).toEqual(entry);
  expect(to.lend()).toMatchObject({ count: 4, automatic: 3 });
});

it('what is no row, and a row too many, is not taken', () => {
  const rows = new Rows(1);
  expect(rows.unpack(Buffer.alloc(64))).toBe(-1);
  rows.put(entryOf('192.0.2.1/32', 1));
  expect(rows.unpack(rows.pack(entryOf('192.0.2.1/32', 1).id))).toBe(-1);
  expect(rows.count).toBe(1);
});
