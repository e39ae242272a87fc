// Standings from a real register: whose prefix an entry would hit, and who is out of reach.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Standing } from '../../src/decide/guards.js';
import { Standings } from '../../src/decide/standing.js';
import type { Subject } from '../../src/detect/finding.js';
import { Prefix, prefixText, readPrefix } from '../../src/lib/prefix.js';
import { loadRegister } from '../../src/register/load.js';
import { finding, minute, rules, start, Trial } from './findings.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-standing-'));
afterAll(() => rmSync(folder, { recursive: true }));

let standings: Standings;

beforeAll(async () => {
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const register = await loadRegister({
    profiles: ['cn-2006'],
    network: {
      own: ['203.0.113.0/24', '2001:db8::/32'],
      pools: [
        { cidr: '203.0.113.0/25', role: 'customer-dynamic' },
        { cidr: '100.64.0.0/10', role: 'customer-dynamic', cgnat: 16 },
        { cidr: '203.0.113.240/28', role: 'infrastructure' },
        { cidr: '2001:db8:25::/48', role: 'customer-dynamic' },
        { cidr: '2001:db8:26::/48', role: 'customer-static', customer_bits: 56 },
      ],
    },
    registers: {
      servers: file(
        'servers.csv',
        `cidr,operator,role,egress,retires_at
203.0.113.130/32,A,registered,203.0.113.131/32,
203.0.113.132/32,B,registered-bulk,,2023-01-01
198.51.100.0/28,C,registered,,
2001:db8:25:7::25/128,D,registered,,
`,
      ),
      allow: file(
        'allow.csv',
        `cidr,owner,reason,until
203.0.113.9/32,E,a test,
203.0.113.10/32,F,over,2023-01-01
2001:db8:26:100::9/128,G,a test,
`,
      ),
    },
  });
  standings = new Standings(register);
});

function subject(text: string): Subject {
  const prefix = new Prefix();
  readPrefix(text, prefix);
  const { w0, w1, w2, w3, bits } = prefix;
  const shown = text.includes(':') ? bits : bits - 96;
  return { cidr: prefixText(prefix), words: [w0, w1, w2, w3], bits: shown, role: 'foreign' };
}

const of = (text: string): Standing => standings.of(subject(text), start);

describe('standing', () => {
  it.each<[string, Partial<Standing>]>([
    ['203.0.113.5', { cidr: '203.0.113.5/32', own: true, role: 'customer-dynamic' }],
    ['203.0.113.200', { own: true, role: 'unregistered-server', allowed: false }],
    ['203.0.113.130', { role: 'registered' }],
    ['203.0.113.131', { role: 'registered' }],
    ['203.0.113.132', { role: 'unregistered-server' }],
    ['203.0.113.241', { role: 'infrastructure' }],
    ['198.51.100.3', { own: false, role: 'registered' }],
    ['198.51.100.16', { own: false, role: 'foreign' }],
    ['100.64.3.4', { cgnat: 16, own: true }],
    ['203.0.113.9', { allowed: true }],
    ['203.0.113.10', { allowed: false }],
    ['203.0.113.0/24', { wide: true, cidr: '203.0.113.0/24' }],
    ['192.0.2.0/24', { wide: true }],
    ['2001:db8:25:4::b0', { cidr: '2001:db8:25:4::/64', wide: false, protects: false }],
    ['2001:db8:26:312::1', { cidr: '2001:db8:26:300::/56', wide: false }],
    ['2001:db8:25:4::/64', { cidr: '2001:db8:25:4::/64', wide: false }],
    ['2001:db8:25::/48', { wide: true }],
    ['2001:db8:ffff::1', { cidr: '2001:db8:ffff::/64', role: 'unregistered-server' }],
    ['2001:db9::1', { cidr: '2001:db9::1/128', own: false }],
  ])('%s', (text, expected) => {
    expect(of(text)).toMatchObject(expected);
  });

  it('a neighbour of a registered server in one prefix is alone', () => {
    expect(of('2001:db8:25:7::99')).toMatchObject({
      cidr: '2001:db8:25:7::99/128',
      wide: false,
      protects: false,
    });
    expect(of('2001:db8:26:1ff::1').cidr).toBe('2001:db8:26:1ff::1/128');
    expect(of('2001:db8:25:7::/64')).toMatchObject({ wide: false, protects: true });
  });
});

it('no findings list a registered, infrastructure or allow-listed address', () => {
  const protectedTexts = [
    '203.0.113.9',
    '203.0.113.130',
    '203.0.113.131',
    '203.0.113.240',
    '198.51.100.15',
    '2001:db8:25:7::25',
    '2001:db8:26:100::9',
  ];
  const texts = [
    ...protectedTexts,
    '203.0.113.0/24',
    '203.0.113.128/25',
    '2001:db8:25::/48',
    '2001:db8:25:7::/64',
    '2001:db8:25:7::26',
    '2001:db8:26:1aa::1',
    '203.0.113.5',
    '100.64.0.1',
    '192.0.2.7',
  ];
  const out = protectedTexts.map((text) => {
    const prefix = new Prefix();
    readPrefix(text, prefix);
    return prefix;
  });
  const covers = (cidr: string, address: Prefix): boolean => {
    const prefix = new Prefix();
    readPrefix(cidr, prefix);
    const test = new Prefix();
    Object.assign(test, address, { bits: prefix.bits });
    return prefixText(standardised(test)) === prefixText(prefix);
  };
  const event = fc.record({
    rule: fc.constantFrom(...Object.values(rules)),
    text: fc.constantFrom(...texts),
    role: fc.constantFrom('customer-dynamic', 'customer-static', 'foreign', 'registered'),
    after: fc.integer({ min: 0, max: 20 }),
  });
  let decided = 0;
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 80 }), (events) => {
      const trial = new Trial({}, { standing: (one, time) => standings.of(one, time) });
      let time = start;
      for (const { rule, text, role, after } of events) {
        time += after * 10 * minute;
        const evidence = { times_limit: 99, llr: 12 };
        trial.give(finding(rule, { time, evidence, subject: { ...subject(text), role } }));
      }
      decided += trial.decisions.length;
      for (const { cidr } of trial.decisions) {
        expect(out.filter((address) => covers(cidr, address))).toEqual([]);
        expect(cidr).toMatch(/\/(32|64|56|128)$/);
      }
    }),
    { numRuns: 200 },
  );
  expect(decided).toBeGreaterThan(100);
});

/** Clears what lies behind the length, bit by bit. */
function standardised(prefix: Prefix): Prefix {
  for (let bit = prefix.bits; bit < 128; bit++) {
    const name = `w${bit >> 5}` as 'w0' | 'w1' | 'w2' | 'w3';
    prefix[name] &= ~(1 << (31 - (bit & 31)));
  }
  return prefix;
}
