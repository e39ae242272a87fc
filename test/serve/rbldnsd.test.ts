// rbldnsd serves the zones that are exported, and says of each address what our own DNSBL says.

import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'dns-packet';
import { afterAll, describe, expect, it } from 'vitest';
import { Rng } from '../../bench/generate/rng.js';
import { print } from '../../src/export/print.js';
import { Prefix, prefixText, readPrefix } from '../../src/lib/prefix.js';
import { has } from '../capture/captures.js';
import { codeOf, dnsblDoor, exchange, openDesk, question, until, zone } from './desk.js';
import { entryOf, TestList } from './lists.js';

const port = 20_000 + (process.pid % 20_000);
const folder = mkdtempSync(join(tmpdir(), 'mailweir-rbldnsd-'));
chmodSync(folder, 0o755);
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers) await close();
  rmSync(folder, { recursive: true });
});

const rules = ['manual', 'core.harvest', 'core.rate-limit', 'core.open-relay', 'site.own'];

/** A list with nests of every kind: hosts and networks, of all three actions, in few networks. */
function randomList(): { list: TestList; questions: string[] } {
  const rng = new Rng(20_261_124);
  const prefix = new Prefix();
  const address = (v6: boolean) =>
    v6
      ? `2001:db8::${rng.int(4)}:${rng.int(0x10000).toString(16)}`
      : `198.51.${rng.int(3)}.${rng.int(256)}`;
  const cidr = () => {
    const v6 = rng.chance(0.3);
    readPrefix(address(v6), prefix);
    const shorter = rng.chance(0.8) ? 0 : 1 + rng.int(6);
    prefix.bits = 128 - shorter;
    prefix.w3 &= -1 << shorter;
    return prefixText(prefix);
  };
  const action = () => (rng.chance(0.1) ? 'allow' : rng.chance(0.5) ? 'limit' : 'block');
  const until = () => (Date.now() + 3_600_000 + rng.int(1000) * 60_000) * 1000;
  // Some are about other ports than 25, and some of those about 25 too.
  const dport = () => (rng.chance(0.1) ? [587] : rng.chance(0.1) ? [25, 587] : [25]);
  const entries = Array.from({ length: 400 }, (_, index) =>
    entryOf(cidr(), index + 1, {
      ...{ action: action(), rule: rules[rng.int(rules.length)]!, until: until() },
      scope: { proto: 'tcp', dport: dport(), direction: 'out' },
    }),
  );
  const list = new TestList(entries);
  list.now = Date.now() * 1000;
  const asked = Array.from({ length: 1500 }, () => address(rng.chance(0.3)));
  const hosts = entries.map((entry) => entry.cidr.split('/')[0]!);
  return { list, questions: [...asked, ...hosts] };
}

/** The name of an address in the zone. */
function nameOf(address: string): string {
  const prefix = new Prefix();
  readPrefix(address, prefix);
  if (!address.includes(':')) return `${address.split('.').reverse().join('.')}.${zone}`;
  const words = [prefix.w0, prefix.w1, prefix.w2, prefix.w3];
  const hex = words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  return `${[...hex].reverse().join('.')}.${zone}`;
}

/** The code of each name, or '' where nothing is listed. */
async function codes(at: number, names: readonly string[]): Promise<string[]> {
  const found: string[] = names.map(() => 'silence');
  for (let from = 0; from < names.length; from += 100) {
    const some = names.slice(from, from + 100);
    const asked = some.map((name, index) => question(name, 'A', from + index));
    for (const message of await exchange(at, asked)) {
      const { id, answers } = decode(message);
      const [first] = answers ?? [];
      found[id!] = first !== undefined && 'data' in first ? String(first.data) : '';
    }
  }
  return found;
}

describe.skipIf(!has('rbldnsd'))('rbldnsd', () => {
  it('answers from the exported zones as our own DNSBL does', async () => {
    const { list, questions } = randomList();
    const snapshot = list.snapshot();
    for (const format of ['rbldnsd', 'rbldnsd6']) {
      const order = { format, action: 'all', family: 'both', page: 1 } as const;
      const { body } = print(snapshot, order, { zone });
      writeFileSync(join(folder, format), body);
    }
    const data = [`${zone}:ip4trie:rbldnsd`, `${zone}:ip6trie:rbldnsd6`];
    const child = spawn('rbldnsd', ['-n', '-b', `127.0.0.1/${port}`, '-w', folder, ...data]);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        said += String(text);
      });
    }
    closers.push(() => child.kill());
    await until(() => {
      if (child.exitCode !== null) throw new Error(said);
      return said.includes('started');
    });
    expect(said).not.toMatch(/warning|error|bad|invalid|ignor/i);
    const { desk, ports } = await openDesk(list, { dnsbl: dnsblDoor, policy: null });
    closers.push(() => desk.close());
    expect(await codeOf(port, '127.0.0.2')).toBe('127.0.0.2');
    const names = [...questions.map(nameOf), nameOf('::ffff:7f00:2'), nameOf('::ffff:7f00:1')];
    const own = await codes(ports.dnsbl, names);
    const theirs = await codes(port, names);
    expect(own.filter((code) => code !== '').length).toBeGreaterThan(300);
    const differ = questions.flatMap((address, index) => {
      const [ours, others] = [own[index], theirs[index]];
      return ours === others ? [] : [`${address}: ours ${ours}, theirs ${others}`];
    });
    expect(differ).toEqual([]);
    expect(own.slice(-2)).toEqual(['127.0.0.2', '']);
    expect(theirs.slice(-2)).toEqual(['127.0.0.2', '']);
  });
});
