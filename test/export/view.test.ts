// What documents contain: random nests of prefixes against a twin that asks address by address.

import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { Rows } from '../../src/block/table.js';
import type { DecisionAction } from '../../src/decide/decision.js';
import { print } from '../../src/export/print.js';
import { View } from '../../src/export/view.js';
import { ByteWriter } from '../../src/export/writer.js';
import { entryOf, noon } from '../serve/lists.js';
import { type Given, snapshotOf } from './snapshots.js';

const wanted = { family: 'both', page: 1 } as const;
const action = fc.constantFrom<DecisionAction>('block', 'limit', 'allow');
/** The first 64 addresses of a network, so that prefixes meet. */
const four = fc.record({ start: fc.nat(63), bits: fc.integer({ min: 26, max: 32 }), action });
const six = fc.record({ start: fc.nat(63), bits: fc.integer({ min: 122, max: 128 }), action });

function cidrOf(start: number, bits: number, isFour: boolean): string {
  const free = (isFour ? 32 : 128) - bits;
  const network = (start >> free) << free;
  return isFour ? `198.51.100.${network}/${bits}` : `2001:db8::${network.toString(16)}/${bits}`;
}

/** Entries of both families, nested at random. */
const lists = fc
  .tuple(fc.array(four, { maxLength: 12 }), fc.array(six, { maxLength: 6 }))
  .map(([fours, sixes]): Given[] => [
    ...fours.map((one) => ({ ...one, cidr: cidrOf(one.start, one.bits, true) })),
    ...sixes.map((one) => ({ ...one, cidr: cidrOf(one.start, one.bits, false) })),
  ]);

function covers(cidr: string, address: string): boolean {
  const [one, other] = [ipaddr.parse(address), ipaddr.parseCIDR(cidr)];
  return one.kind() === other[0].kind() && one.match(other as never);
}

/** What holds for an address: allow wins, then block, then limit. */
function stands(entries: readonly Given[], address: string): DecisionAction | null {
  const found = entries.filter(({ cidr }) => covers(cidr, address)).map((one) => one.action);
  const order = ['allow', 'block', 'limit'] as const;
  return order.find((one) => found.includes(one)) ?? null;
}

describe('lines of a zone', () => {
  it.each(['block', 'limit', 'all'] as const)(
    'the longest prefix says of every address what the list says, and of which entry: %s',
    (which) => {
      fc.assert(
        fc.property(lists, (entries) => {
          const view = new View(
            snapshotOf(entries),
            { ...wanted, action: which },
            {},
            { nests: true },
          );
          const lines: (Given & { isException: boolean; row: number })[] = [];
          while (view.next()) {
            const out = new ByteWriter();
            view.cidr(out);
            const { action: kind, isException, entry } = view;
            lines.push({
              ...{ cidr: out.take().toString(), action: kind },
              ...{ isException, row: entry.row },
            });
          }
          for (let at = 0; at < 64; at++) {
            for (const address of [`198.51.100.${at}`, `2001:db8::${at.toString(16)}`]) {
              const [longest] = lines
                .filter(({ cidr }) => covers(cidr, address))
                .sort((one, other) => bitsOf(other.cidr) - bitsOf(one.cidr));
              const stand = stands(entries, address);
              const meant = stand === which || (which === 'all' && stand !== 'allow');
              const said = longest === undefined || longest.isException ? null : longest;
              expect(said?.action ?? null).toBe(meant ? stand : null);
              if (said === null) continue;
              // Of entries of that action the longest prefix; of two alike the first.
              const own = entries.map((one, row) => ({ ...one, row }));
              const [first] = own
                .filter((one) => one.action === stand && covers(one.cidr, address))
                .sort((one, other) => bitsOf(other.cidr) - bitsOf(one.cidr) || one.row - other.row);
              expect(said.row).toBe(first!.row);
            }
          }
        }),
        { numRuns: 60 },
      );
    },
  );

  it('what is over, or about another port, is in no document', () => {
    const rows = new Rows(10);
    const scope = { proto: 'tcp', dport: [587], direction: 'in' } as const;
    rows.put(entryOf('198.51.100.1/32', 1, { scope }));
    rows.put(entryOf('198.51.100.2/32', 2, { until: noon }));
    rows.put(entryOf('198.51.100.3/32', 3, { scope: { ...scope, dport: [25, 587] } }));
    rows.put(entryOf('198.51.100.0/24', 4, { action: 'allow', scope, until: noon }));
    const list = { list: 'tap', revision: 7, generated: noon, expires: noon + 7200e6 };
    const order = { ...wanted, format: 'txt', action: 'all' } as const;
    for (const format of ['json', 'rbldnsd', 'nft']) {
      const { body } = print({ ...list, ...rows.lend() }, { ...order, format }, {});
      expect(
        Buffer.from(body)
          .toString()
          .match(/198\.51\.100\.\d+/g),
      ).toEqual(['198.51.100.3']);
    }
  });
});

function bitsOf(cidr: string): number {
  return Number(cidr.split('/')[1]);
}

describe('lines of a document', () => {
  it.each(['block', 'limit', 'all'] as const)(
    'every address once and as the list says, whatever is nested: %s',
    (which) => {
      fc.assert(
        fc.property(lists, (entries) => {
          const view = new View(snapshotOf(entries), { ...wanted, action: which }, {});
          const lines: Given[] = [];
          while (view.next()) {
            const out = new ByteWriter();
            view.cidr(out);
            lines.push({ cidr: out.take().toString(), action: view.action });
          }
          for (let at = 0; at < 64; at++) {
            for (const address of [`198.51.100.${at}`, `2001:db8::${at.toString(16)}`]) {
              const told = lines.filter(({ cidr }) => covers(cidr, address));
              const stand = stands(entries, address);
              const meant = stand === which || (which === 'all' && stand !== 'allow');
              const expected = stand !== null && meant ? [stand] : [];
              expect(told.map((one) => one.action)).toEqual(
                which === 'limit' && stand === 'block' ? [] : expected,
              );
            }
          }
        }),
        { numRuns: 300 },
      );
    },
  );

  it('addresses are in order, IPv4 first', () => {
    const cidrs = ['2001:db8::1/128', '203.0.113.9/32', '9.0.0.1/32', '203.0.113.0/29', '::1/128'];
    const given = cidrs.map((cidr) => ({ cidr, action: 'block' as const }));
    const order = { ...wanted, format: 'txt', action: 'block' } as const;
    const text = Buffer.from(print(snapshotOf(given), order, {}).body).toString();
    expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
      '9.0.0.1/32',
      '203.0.113.0/29',
      '203.0.113.9/32',
      '::1/128',
      '2001:db8::1/128',
    ]);
  });

  it('whoever is held back is in no document', () => {
    const rows = new Rows(10);
    rows.put(entryOf('192.0.2.1/32', 1, { rule: 'core.harvest' }));
    rows.put(entryOf('192.0.2.2/32', 2, { rule: 'core.harvest', held: true }));
    rows.put(entryOf('192.0.2.3/32', 3, { rule: 'manual' }));
    const times = { list: 'tap', revision: 1, generated: noon, expires: noon + 1e9 };
    const snapshot = { ...times, ...rows.lend() };
    const order = { ...wanted, format: 'txt', action: 'block' } as const;
    const { records } = print(snapshot, order, {});
    expect([records, snapshot.automatic]).toEqual([2, 2]);
  });
});

describe('texts of addresses', () => {
  it('are as ipaddr.js writes them', () => {
    const word = fc.oneof(fc.constant(0), fc.integer());
    fc.assert(
      fc.property(word, word, word, word, (w0, w1, w2, w3) => {
        const bytes = Buffer.alloc(16);
        for (const [at, one] of [w0, w1, w2, w3].entries()) bytes.writeInt32BE(one, at * 4);
        const six = ipaddr.fromByteArray([...bytes]) as ipaddr.IPv6;
        expect(new ByteWriter().ipv6(w0, w1, w2, w3).take().toString()).toBe(six.toRFC5952String());
        const v4 = ipaddr.fromByteArray([...bytes.subarray(12)]).toString();
        expect(new ByteWriter().ipv4(w3).take().toString()).toBe(v4);
      }),
      { numRuns: 2000 },
    );
  });

  it('numbers are as JavaScript writes them', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), (value) => {
        expect(new ByteWriter(4).number(value).take().toString()).toBe(String(value));
      }),
    );
  });
});
