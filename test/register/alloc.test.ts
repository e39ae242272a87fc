// A look-up allocates nothing. In a file of its own: what other tests teach the compiler about
// these functions would be measured too.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Prefix, readPrefix } from '../../src/lib/prefix.js';
import { loadRegister } from '../../src/register/load.js';
import { Place } from '../../src/register/register.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-alloc-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('a look-up leaves nothing behind', async () => {
  const servers = [
    'cidr,operator,role,filed_at,starts_at,retires_at',
    '192.0.2.1,A,registered,2024-01-01,2024-02-01,2024-03-01',
    '192.0.2.1,B,registered,,2024-04-01,',
    '192.0.2.2,C,registered,2024-05-20,,',
    '2001:db8::25,D,registered-bulk,,,',
  ].join('\n');
  const allow = 'cidr,owner,reason,until\n192.0.2.1,noc,x,2024-01-01\n';
  const path = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const known = await loadRegister({
    profiles: ['cn-2006'],
    network: { own: ['192.0.2.0/24', '2001:db8::/32'], pools: [] },
    registers: { servers: path('s.csv', servers), allow: path('a.csv', allow) },
  });
  const addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '198.51.100.1', '2001:db8::25', '::1'];
  const words = addresses.map((address) => {
    const prefix = new Prefix();
    expect(readPrefix(address, prefix)).toBe(true);
    return prefix;
  });
  const now = Date.parse('2024-06-01T00:00Z') * 1000;
  const place = new Place();
  const work = (n: number): number => {
    const { w0, w1, w2, w3 } = words[n % words.length]!;
    place.point(w0, w1, w2, w3);
    known.lookup(place, now);
    return place.role + known.allowedBy(place, now) + Number(known.mayRelay(0, place));
  };
  let sum = 0;
  const grown: number[] = [];
  for (let round = 0; round < 100; round++) {
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 20_000; n++) sum += work(n);
    grown.push((process.memoryUsage().heapUsed - before) / 20_000);
  }
  expect(sum).not.toBe(0);
  // Compiled late on a busy machine; a collection, which hides a growth, comes once in a hundred.
  expect(grown.sort((a, b) => a - b)[15]).toBeLessThan(1);
});
