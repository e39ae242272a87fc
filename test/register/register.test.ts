// What an address is to the provider, as of a time: roles, the address plan, states of entries,
// hosted domains, relay clients, egress and the allow-list.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { clearStrayBits, Prefix, prefixText, readPrefix } from '../../src/lib/prefix.js';
import { loadRegister, type RegisterSettings } from '../../src/register/load.js';
import { OwnedPrefixes } from '../../src/register/owned.js';
import { Place, placeOf, type Register } from '../../src/register/register.js';
import { roleNames, serverStateNames } from '../../src/register/server.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-register-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Files {
  readonly servers?: string;
  readonly allow?: string;
  readonly own?: readonly string[];
  readonly pools?: RegisterSettings['network']['pools'];
}

function register({ servers, allow, own = [], pools = [] }: Files): Promise<Register> {
  const file = (name: string, text: string | undefined) => {
    if (text === undefined) return undefined;
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  return loadRegister({
    profiles: ['cn-2006'],
    network: { own, pools },
    registers: { servers: file('servers.csv', servers), allow: file('allow.csv', allow) },
  });
}

const at = (text: string) => Date.parse(text) * 1000;
const now = at('2024-06-01T00:00Z');

function placed(address: string): Place {
  const prefix = new Prefix();
  expect(readPrefix(address, prefix)).toBe(true);
  return placeOf(prefix);
}

/** Role, own, state of an address in words. */
function says(known: Register, address: string, time = now): string {
  const place = placed(address);
  known.lookup(place, time);
  const own = place.own ? 'own' : 'foreign';
  return `${roleNames[place.role]} ${own} ${serverStateNames[place.state]}`;
}

describe('the address plan', () => {
  const plan: Files = {
    own: ['203.0.113.0/24', '2001:db8::/32'],
    pools: [
      { cidr: '203.0.113.0/25', role: 'customer-dynamic' },
      { cidr: '203.0.113.64/26', role: 'customer-static' },
      { cidr: '203.0.113.240/28', role: 'infrastructure' },
      { cidr: '100.64.0.0/10', role: 'customer-dynamic', cgnat: 16 },
      { cidr: '2001:db8:1::/48', role: 'customer-dynamic', customer_bits: 56 },
      { cidr: '2001:db8:2::/48', role: 'customer-static' },
      { cidr: '2001:db8:3::/48', role: 'infrastructure' },
    ],
    servers:
      'cidr,operator,role\n203.0.113.5/32,Mail,registered\n2001:db8:1::25/128,Mail,registered\n',
  };

  it.each([
    ['203.0.113.1', 'customer-dynamic own none', 1, 32],
    ['203.0.113.65', 'customer-static own none', 1, 32],
    ['203.0.113.200', 'unregistered-server own none', 1, 32],
    ['203.0.113.241', 'infrastructure own none', 1, 32],
    ['203.0.113.5', 'registered own active', 1, 32],
    // A pool is own space even where network.own does not name it.
    ['100.64.1.1', 'customer-dynamic own none', 16, 32],
    ['198.51.100.1', 'foreign foreign none', 1, 32],
    ['2001:db8:1::1', 'customer-dynamic own none', 1, 56],
    ['2001:db8:1::25', 'registered own active', 1, 128],
    ['2001:db8:2::1', 'customer-static own none', 1, 64],
    ['2001:db8:3::1', 'infrastructure own none', 1, 128],
    ['2001:db8:4::1', 'unregistered-server own none', 1, 64],
    ['2a00::1', 'foreign foreign none', 1, 64],
  ])('%s is %s', async (address, words, cgnat, customerBits) => {
    const known = await register(plan);
    expect(says(known, address)).toBe(words);
    const place = placed(address);
    known.lookup(place, now);
    expect([place.cgnat, place.customerBits]).toEqual([cgnat, customerBits]);
  });

  it('one place can be pointed at one address after the other', async () => {
    const known = await register(plan);
    const used = new Place();
    for (const address of ['203.0.113.5', '198.51.100.1', '100.64.1.1', '2001:db8:1::25', '::']) {
      const fresh = placed(address);
      known.lookup(fresh, now);
      used.point(fresh.w0, fresh.w1, fresh.w2, fresh.w3);
      known.lookup(used, now);
      expect(used).toEqual(fresh);
    }
  });

  it('without own prefixes and pools it says that it knows nothing', async () => {
    expect((await register({})).knowsNothingOwn).toBe(true);
    expect((await register(plan)).knowsNothingOwn).toBe(false);
    expect((await register({ own: ['10.0.0.0/8'] })).knowsNothingOwn).toBe(false);
  });
});

describe('entries as of a time', () => {
  const servers = [
    'cidr,operator,role,filed_at,starts_at,change_filed_at,changes_at,retires_at',
    '192.0.2.1/32,A,registered,2024-01-01,2024-02-01,2024-05-01,2024-06-10,2024-12-01',
    '192.0.2.2/32,B,registered-bulk,,,,,',
    '192.0.2.3/32,C,registered,2024-01-01,,,,',
    '192.0.2.4/32,D,registered,,,2024-05-01,2024-06-10,',
    // One address, first E's and then F's.
    '192.0.2.5/32,E,registered,,,,,2024-03-01',
    '192.0.2.5/32,F,registered-bulk,,2024-05-01,,,',
    '192.0.2.0/24,G,infrastructure,,,,,',
  ].join('\n');

  it.each([
    ['192.0.2.1', '2023-12-01T00:00+08:00', 'registered', 'waiting'],
    ['192.0.2.1', '2024-01-01T00:00+08:00', 'registered', 'filed'],
    ['192.0.2.1', '2024-01-20T23:59+08:00', 'registered', 'filed'],
    ['192.0.2.1', '2024-01-21T00:00+08:00', 'registered', 'waiting'],
    ['192.0.2.1', '2024-01-31T23:59+08:00', 'registered', 'waiting'],
    ['192.0.2.1', '2024-02-01T00:00+08:00', 'registered', 'active'],
    ['192.0.2.1', '2024-05-01T00:00+08:00', 'registered', 'changing'],
    ['192.0.2.1', '2024-06-10T00:00+08:00', 'registered', 'active'],
    ['192.0.2.1', '2024-11-30T23:59+08:00', 'registered', 'active'],
    // Retired: what the address plan says counts again; the wider entry does not step in.
    ['192.0.2.1', '2024-12-01T00:00+08:00', 'unregistered-server', 'retired'],
    ['192.0.2.2', '1999-01-01T00:00Z', 'registered-bulk', 'active'],
    ['192.0.2.3', '2024-01-20T23:59+08:00', 'registered', 'filed'],
    ['192.0.2.3', '2024-01-21T00:00+08:00', 'registered', 'active'],
    ['192.0.2.4', '2024-06-09T23:59+08:00', 'registered', 'waiting'],
    ['192.0.2.4', '2024-06-10T00:00+08:00', 'registered', 'active'],
    ['192.0.2.5', '2024-02-29T23:59+08:00', 'registered', 'active'],
    ['192.0.2.5', '2024-03-01T00:00+08:00', 'registered-bulk', 'waiting'],
    ['192.0.2.5', '2024-05-01T00:00+08:00', 'registered-bulk', 'active'],
    ['192.0.2.6', '2024-05-01T00:00+08:00', 'infrastructure', 'active'],
  ])('%s at %s: %s, %s', async (address, time, role, state) => {
    const known = await register({ servers, own: ['192.0.2.0/24'] });
    expect(says(known, address, at(time))).toBe(`${role} own ${state}`);
    const turned = servers.split('\n').toSpliced(1).concat(servers.split('\n').slice(1).reverse());
    const again = await register({ servers: turned.join('\n'), own: ['192.0.2.0/24'] });
    expect(says(again, address, at(time)), 'in the other order').toBe(`${role} own ${state}`);
  });

  it('a registered server outside of own space is registered, and not own', async () => {
    expect(says(await register({ servers }), '192.0.2.2')).toBe('registered-bulk foreign active');
  });
});

describe('what a server does', () => {
  const servers = [
    'cidr,operator,role,domains,relay_clients,egress',
    '192.0.2.1/32,A,registered,example.net MAIL.Example.ORG. bücher.example,' +
      '10.0.0.0/8 10.1.2.3,198.51.100.0/28',
    '192.0.2.2/32,B,registered,*.example.com,10.1.0.0/16 2001:db8::/64,198.51.100.4',
    '192.0.2.3/32,C,registered,,,',
  ].join('\n');

  it.each([
    [0, 'example.net', true],
    [0, 'EXAMPLE.NET', true],
    [0, 'mail.example.org', true],
    [0, 'sub.example.net', false],
    [0, 'bücher.example', true],
    [0, 'BÜCHER.example', true],
    [0, 'xn--bcher-kva.example', true],
    [1, 'example.net', false],
    [1, 'a.example.com', true],
    [1, 'a.b.example.com.', true],
    [1, 'example.com', false],
    [1, 'notexample.com', false],
    [2, 'example.net', false],
    [0, '', false],
    [0, '*.example.com', false],
    [1, '[192.0.2.1]', false],
  ])('server %i hosts %j: %s', async (server, domain, hosts) => {
    const known = await register({ servers });
    expect(known.hosts(server, domain)).toBe(hosts);
    const any = [0, 1, 2].some((one) => known.hosts(one, domain));
    expect(known.hosted(domain)).toBe(any);
  });

  it('relay clients are asked for each server, whatever others list', async () => {
    const known = await register({ servers });
    const relays = (address: string) =>
      [0, 1, 2].map((one) => known.mayRelay(one, placed(address)));
    expect(relays('10.1.2.3')).toEqual([true, true, false]);
    expect(relays('10.2.0.0')).toEqual([true, false, false]);
    expect(relays('11.0.0.0')).toEqual([false, false, false]);
    expect(relays('2001:db8::1')).toEqual([false, true, false]);
  });

  it('egress: its own address and those that it lists', async () => {
    const known = await register({ servers });
    const sends = (address: string) =>
      [0, 1, 2].map((one) => known.sendsFrom(one, placed(address)));
    expect(sends('192.0.2.1')).toEqual([true, false, false]);
    expect(sends('198.51.100.4')).toEqual([true, true, false]);
    expect(sends('198.51.100.5')).toEqual([true, false, false]);
    expect(known.egressOf(placed('198.51.100.4'))).toBe(1);
    expect(known.egressOf(placed('192.0.2.1'))).toBe(-1);
  });
});

it('prefixes of entries are found like a look at each of them', () => {
  const text = fc
    .tuple(fc.constantFrom('10.0.0.0', '10.1.0.0', '10.1.2.0', '192.0.2.0'), fc.nat(32))
    .map(([address, bits]) => {
      const prefix = new Prefix();
      readPrefix(`${address}/${bits}`, prefix);
      clearStrayBits(prefix);
      return prefixText(prefix);
    });
  const lists = fc.array(fc.array(text, { maxLength: 4 }), { maxLength: 6 });
  const covers = (list: readonly string[], place: Place) => {
    return new OwnedPrefixes([list]).ownerOf(place) === 0;
  };
  fc.assert(
    fc.property(lists, fc.nat(255), (all, host) => {
      const owned = new OwnedPrefixes(all);
      for (const net of ['10.0.0', '10.1.0', '10.1.2', '192.0.2', '172.16.0']) {
        const place = placed(`${net}.${host}`);
        all.forEach((list, owner) => {
          expect(owned.has(owner, place)).toBe(covers(list, place));
        });
        const owner = owned.ownerOf(place);
        expect(owner >= 0).toBe(all.some((list) => covers(list, place)));
      }
    }),
  );
});

describe('the allow-list', () => {
  it('counts until its end, and an end hides no wider entry', async () => {
    const allow = [
      'cidr,owner,reason,until',
      '203.0.113.0/24,noc,probe,',
      '203.0.113.9/32,noc,test,2024-06-01',
      '198.51.100.1/32,noc,test,2024-06-01T00:00Z',
    ].join('\n');
    const known = await register({ allow });
    const by = (address: string, time: string) => known.allowedBy(placed(address), at(time));
    expect(by('203.0.113.9', '2024-05-31T23:59+08:00')).toBe(1);
    expect(by('203.0.113.9', '2024-06-01T00:00+08:00')).toBe(0);
    expect(by('198.51.100.1', '2024-05-31T23:59Z')).toBe(2);
    expect(by('198.51.100.1', '2024-06-01T00:00Z')).toBe(-1);
    expect(by('198.51.100.2', '2024-01-01T00:00Z')).toBe(-1);
  });
});
