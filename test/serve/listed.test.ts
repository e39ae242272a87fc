// The index of the list: what it finds against an obviously correct slow twin, through many
// updates; that an update carries only what changed; time and staleness.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ListedEntry } from '../../src/block/entry.js';
import { maskWord, Prefix, readPrefix } from '../../src/lib/prefix.js';
import { ListedSources, updateFrom } from '../../src/serve/lookup/listed.js';
import { entryOf, noon, TestList } from './lists.js';

function found(listed: ListedSources, address: string, now = noon, port = 25): string | null {
  const prefix = new Prefix();
  readPrefix(address, prefix);
  const { w0, w1, w2, w3 } = prefix;
  return listed.find(w0, w1, w2, w3, { now, port }) ? listed.entry.id : null;
}

/** The same by looking at every entry. */
function slowly(entries: readonly ListedEntry[], address: string, now: number): string | null {
  const at = new Prefix();
  const over = new Prefix();
  readPrefix(address, at);
  const covering = entries.filter(({ cidr, until }) => {
    readPrefix(cidr, over);
    const { w0, w1, w2, w3, bits } = over;
    const differ = [w0 ^ at.w0, w1 ^ at.w1, w2 ^ at.w2, w3 ^ at.w3];
    const inside = differ.every((word, index) => (word & maskWord(bits, index)) === 0);
    return inside && over.isIpv4 === at.isIpv4 && (until === null || until > now);
  });
  if (covering.some(({ action }) => action === 'allow')) return null;
  const strength = (entry: ListedEntry) => {
    readPrefix(entry.cidr, over);
    return (entry.action === 'block' ? 1000 : 0) + over.bits;
  };
  return covering.sort((a, b) => strength(b) - strength(a))[0]?.id ?? null;
}

function indexOf(list: TestList): ListedSources {
  const listed = new ListedSources(7);
  listed.apply(updateFrom(null, list.snapshot()), 0);
  return listed;
}

describe('what speaks of an address', () => {
  const list = new TestList([
    entryOf('192.0.2.0/24', 1, { action: 'limit' }),
    entryOf('192.0.2.7/32', 2),
    entryOf('198.51.100.0/24', 3),
    entryOf('198.51.100.9/32', 4, { action: 'allow', until: null }),
    entryOf('198.51.100.128/25', 5, { action: 'limit' }),
    entryOf('203.0.113.0/24', 6, { action: 'allow', until: null }),
    entryOf('203.0.113.5/32', 7),
    entryOf('2001:db8::/32', 8, { action: 'limit' }),
    entryOf('2001:db8:1::/48', 9),
    entryOf('192.0.2.99/32', 10, { scope: { proto: 'tcp', dport: [587], direction: 'in' } }),
    entryOf('192.0.2.8/32', 11, { until: noon + 1 }),
    entryOf('::/1', 12),
  ]);
  const listed = indexOf(list);
  it.each([
    ['a host in a limited network is blocked by its own entry', '192.0.2.7', 2],
    ['another host there is limited', '192.0.2.9', 1],
    ['the block of a network is stronger than the limit of a part of it', '198.51.100.200', 3],
    ['an allowed host in a blocked network', '198.51.100.9', null],
    ['a blocked host in an allowed network', '203.0.113.5', null],
    ['IPv6, the longest of two', '2001:db8:1::5', 9],
    ['a limit in IPv6, under a block of half of it', '2001:db8:2::5', 12],
    ['nobody speaks of it', '9.9.9.9', null],
    ['IPv6 prefixes cover no IPv4 address', '10.0.0.1', null],
    ['an entry of another port is passed over', '192.0.2.99', 1],
    ['an entry in its last microsecond', '192.0.2.8', 11],
  ])('%s', (_, address, number) => {
    const id = number === null ? null : entryOf('0.0.0.0/0', number).id;
    expect(found(listed, address)).toBe(id);
  });

  it('an entry ends by itself', () => {
    expect(found(listed, '192.0.2.8', noon + 1)).toBe(entryOf('0.0.0.0/0', 1).id);
  });

  it('what is held back is not told, until it is accepted', () => {
    const one = entryOf('203.0.113.9/32', 1, { rule: 'core.harvest' });
    const list = new TestList([{ ...one, held: true }]);
    const listed = indexOf(list);
    expect(found(listed, '203.0.113.9')).toBeNull();
    const before = list.snapshot();
    list.put(one);
    listed.apply(updateFrom(before, list.snapshot()), 0);
    expect(found(listed, '203.0.113.9')).toBe(one.id);
  });

  it('the same for another port', () => {
    expect(found(listed, '192.0.2.99', noon, 587)).toBe(entryOf('0.0.0.0/0', 10).id);
  });
});

describe('updates', () => {
  it('finds what a slow twin finds, after any changes', () => {
    const cidr = fc.oneof(
      fc
        .tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 26, max: 32 }))
        .map(([host, bits]) => `192.0.2.${host & ~(2 ** (32 - bits) - 1)}/${bits}`),
      fc
        .tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 122, max: 128 }))
        .map(
          ([host, bits]) => `2001:db8::${(host & ~(2 ** (128 - bits) - 1)).toString(16)}/${bits}`,
        ),
    );
    const step = fc.record({
      number: fc.integer({ min: 1, max: 25 }),
      cidr,
      action: fc.constantFrom('limit', 'block', 'block', 'allow'),
      until: fc.constantFrom(noon - 1, noon + 10, noon + 20),
      remove: fc.boolean(),
      handOver: fc.boolean(),
    });
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = new TestList();
      const kept = new Map<string, ListedEntry>();
      const listed = new ListedSources(7);
      let sent = list.snapshot();
      listed.apply(updateFrom(null, sent), 0);
      for (const { number, remove, handOver, cidr: prefix, action, until } of steps) {
        const entry = entryOf(prefix, number, { action, until });
        // An entry keeps its prefix for life, as the list does it.
        const old = kept.get(entry.id);
        if (remove && old !== undefined) {
          list.remove(entry.id);
          kept.delete(entry.id);
        } else {
          const next = { ...entry, cidr: old?.cidr ?? prefix };
          list.put(next);
          kept.set(entry.id, next);
        }
        if (!handOver) continue;
        const snapshot = list.snapshot();
        listed.apply(updateFrom(sent, snapshot), 0);
        sent = snapshot;
      }
      listed.apply(updateFrom(sent, list.snapshot()), 0);
      for (let host = 0; host < 16; host++) {
        for (const address of [`192.0.2.${host}`, `2001:db8::${host.toString(16)}`]) {
          const now = noon + (host & 1) * 15;
          const expected = slowly([...kept.values()], address, now);
          const got = found(listed, address, now);
          const same = (id: string | null) => [...kept.values()].find((one) => one.id === id);
          // Of equal entries either may speak.
          expect(same(got)?.action).toBe(same(expected)?.action);
          expect(same(got)?.cidr).toBe(same(expected)?.cidr);
        }
      }
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('carry the pieces that changed and no others', () => {
    const list = new TestList();
    for (let at = 0; at < 40_000; at++) list.put(entryOf(`10.0.${at >> 8}.${at & 255}/32`, at + 1));
    const listed = indexOf(list);
    const before = list.snapshot();
    list.put(entryOf('192.0.2.1/32', 50_000));
    list.remove(entryOf('', 20_000).id);
    const update = updateFrom(before, list.snapshot());
    expect(update.changed.map(([index]) => index)).toEqual([1, 2]);
    listed.apply(update, 0);
    expect(found(listed, '192.0.2.1')).toBe(entryOf('', 50_000).id);
    expect(found(listed, '10.0.78.31')).toBe(null);
    expect(found(listed, '10.0.78.32')).toBe(entryOf('', 20_001).id);
  });
});

describe('time', () => {
  it('runs on from the list, not from the clock of this machine', () => {
    const list = new TestList();
    const listed = new ListedSources(7);
    listed.apply(updateFrom(null, list.snapshot()), 5000);
    expect(listed.now(5250)).toBe(noon + 250_000);
    expect(listed.isStale(5000 + list.life / 1000 - 1)).toBe(false);
    expect(listed.isStale(5000 + list.life / 1000)).toBe(true);
  });

  it('before the first update everything is stale', () => {
    expect(new ListedSources(7).isStale(0)).toBe(true);
  });
});
