// The DNSBL and the policy server with the programs that ask them: dig, unbound, Postfix's
// postscreen and smtpd. Each runs as it is installed, in a network namespace of this test.

import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { has } from '../capture/captures.js';
import { zone } from './desk.js';
import { House, ports } from './house.js';
import { entryOf } from './lists.js';

const stand = join(import.meta.dirname, '..', '..', 'dist', 'test', 'serve', 'stand.js');
const limit = { proto: 'tcp', dport: [25], direction: 'out', rate: 60, burst: 3 } as const;
const entries = [
  entryOf('127.0.0.9/32', 1, { rule: 'core.harvest' }),
  entryOf('127.0.0.10/32', 2, { action: 'limit', rule: 'core.rate-limit', scope: limit }),
  entryOf('2001:db8:0:1::/64', 3),
];
const config = `
serve:
  dnsbl: "127.0.0.1:${ports.dnsbl}"
  zone: ${zone}
  policy: "127.0.0.1:${ports.policy}"
appeal: { url: "https://isp.example/appeal" }
`;

const mayMount = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;
const needed = ['dig', 'unbound', 'swaks', 'nsenter'].filter((name) => !has(name));
if (!existsSync('/usr/lib/postfix/sbin/postscreen')) needed.push('postfix');
if (!mayMount) needed.push('the right to make a network namespace');

describe.skipIf(needed.length > 0)(`in a house of its own${needed.join(', ')}`, () => {
  const house = new House();
  beforeAll(async () => {
    expect(existsSync(stand), 'dist is missing: npm run build').toBe(true);
    await house.open();
    const path = join(house.folder, 'mailweir.yaml');
    writeFileSync(path, config);
    house.start('stand', [process.execPath, stand, path, JSON.stringify(entries)]);
    await house.startUnbound();
    await house.startPostfix();
  }, 60_000);
  afterAll(() => house.close());

  describe('dig', () => {
    const ask = (words: readonly string[]) =>
      house.dig(['@127.0.0.1', '-p', String(ports.dnsbl), ...words]);
    it.each([
      ['A', [`9.0.0.127.${zone}`, 'A', '+short'], '127.0.0.3\n'],
      ['A by TCP', [`9.0.0.127.${zone}`, 'A', '+short', '+tcp'], '127.0.0.3\n'],
      ['A of a limit', [`10.0.0.127.${zone}`, 'A', '+short'], '127.0.1.4\n'],
      ['no AAAA', [`9.0.0.127.${zone}`, 'AAAA', '+short'], ''],
    ])('%s', (_, words, expected) => {
      expect(ask(words)).toBe(expected);
    });

    it('TXT with the entry and the way out', () => {
      const text = ask([`9.0.0.127.${zone}`, 'TXT', '+short']);
      expect(text).toContain(`https://isp.example/appeal?entry=${entries[0]!.id}`);
    });

    it('NXDOMAIN with SOA, and no word of a damaged message', () => {
      const text = ask([`8.0.0.127.${zone}`, 'A']);
      expect(text).toMatch(/status: NXDOMAIN[\s\S]*AUTHORITY: 1[\s\S]*\t60\tIN\tSOA\t/);
      expect(text).not.toMatch(/WARNING: (?!recursion)|malformed|extra/i);
    });
  });

  it.each([
    ['a listed address', `9.0.0.127.${zone}`, 'NOERROR', '127.0.0.3'],
    ['an address that is not', `7.0.0.127.${zone}`, 'NXDOMAIN', 'SOA'],
    [
      'IPv6, which it goes down to label by label',
      `5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.${zone}`,
      'NOERROR',
      '127.0.0.2',
    ],
  ])('unbound resolves %s', (_, name, status, content) => {
    const text = house.dig(['@127.0.0.1', name, 'A']);
    expect(text).toContain(`status: ${status}`);
    expect(text).toContain(content);
  });

  it('postscreen rejects a source that is blocked, and no other', () => {
    const mail = (from: string) => house.smtp(ports.postscreen, from, 1);
    expect(mail('127.0.0.9')).toMatch(
      /<\*\* 550 5\.7\.1 Service unavailable; client \[127\.0\.0\.9\] blocked/,
    );
    // What is limited has another code, which this postscreen was not told to reject.
    for (const from of ['127.0.0.10', '127.0.0.11'])
      expect(mail(from)).toMatch(/<- {2}250 2\.1\.5 Ok/);
  }, 60_000);

  it('smtpd rejects the blocked, defers the hot and lets the quiet pass', () => {
    const mail = (from: string) => house.smtp(ports.smtpd, from, 5);
    const count = (text: string, reply: RegExp) => text.match(reply)?.length ?? 0;
    const hot = mail('127.0.0.10');
    expect(count(hot, /<- {2}250 2\.1\.5 Ok/g), hot).toBe(3);
    expect(count(hot, /<\*\* 450 4\.7\.1 .* Mail from 127\.0\.0\.10 is limited to 60/g)).toBe(2);
    expect(hot).toContain(`https://isp.example/appeal?entry=${entries[1]!.id}`);
    expect(count(mail('127.0.0.11'), /<- {2}250 2\.1\.5 Ok/g)).toBe(5);
    const blocked = mail('127.0.0.9');
    expect(count(blocked, /<\*\* 554 5\.7\.1 .* Mail from 127\.0\.0\.9 is blocked/g), blocked).toBe(
      5,
    );
  }, 60_000);
});
