// The enforcer against a real kernel, in a namespace of its own: what the sets hold is what the
// list says, whatever happened before; and it all ends when the daemon does, however that is.

import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ListChange, ListedEntry } from '../../src/block/entry.js';
import type { Snapshot } from '../../src/block/rows.js';
import { Rows } from '../../src/block/table.js';
import { Enforcer, type EnforcerOptions, type Hand } from '../../src/enforce/nftables.js';
import { Scripts } from '../../src/enforce/script.js';
import { has } from '../capture/captures.js';

const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  ...['ip', 'nft', 'setpriv'].map((name) => (has(name) ? '' : name)),
].filter((what) => what !== '');
if (missing.length > 0) console.warn(`enforce: nftables not run; missing: ${missing.join(', ')}`);

const space = `mw${process.pid}n`;
const start = 1_700_000_000_000_000;
const helper = join(import.meta.dirname, '../../dist/src/enforce/helper.js');

function nft(...words: string[]): string {
  const all = ['netns', 'exec', space, 'nft', ...words];
  return spawnSync('ip', all, { encoding: 'utf8' }).stdout;
}

/** Runs scripts in the namespace, as the helper does. */
class DirectHand implements Hand {
  readonly scripts = new Scripts();
  readonly errors: string[] = [];

  async ask(line: Parameters<Hand['ask']>[0]) {
    await Promise.resolve();
    if ('count' in line) return { error: null, counters: {} };
    const script = 'end' in line ? 'delete table inet mailweir\n' : this.scripts.of(line);
    const all = ['netns', 'exec', space, 'nft', '-f', '-'];
    const { stderr } = spawnSync('ip', all, { input: script, encoding: 'utf8' });
    if (stderr !== '') this.errors.push(stderr.slice(0, 500));
    return { error: stderr === '' ? null : stderr };
  }
}

function entry(cidr: string, action: ListedEntry['action'], change: object = {}): ListedEntry {
  const scope = { proto: 'tcp', dport: [25], direction: 'out' } as const;
  return {
    id: 'bl_00000000000000000001',
    cidr,
    action,
    until: start + 3600e6,
    created: start,
    rule: 'manual',
    scope: action === 'limit' ? { ...scope, rate: 25, burst: 10 } : scope,
    level: 0,
    revision: 1,
    ...change,
  };
}

function snapshotOf(entries: readonly ListedEntry[]): Snapshot {
  const rows = new Rows(1_000_000);
  for (const one of entries) rows.put(one);
  const name = { list: 'test', revision: 1, generated: start, expires: start + 3600e6 };
  return { ...name, ...rows.lend() };
}

const options: EnforcerOptions = {
  ports: [25],
  life_s: 60,
  entriesMax: 200_000,
  trouble: () => {},
};

/** What the kernel's sets hold: `block4_32_25 203.0.113.9`, sorted. */
function held(): string[] {
  const { nftables } = JSON.parse(nft('-j', 'list', 'table', 'inet', 'mailweir')) as {
    nftables: { set?: { name: string; elem?: unknown[] } }[];
  };
  return nftables
    .flatMap(({ set }) => {
      if (set === undefined || !/^(allow|block|limit|shut)/.test(set.name)) return [];
      return (set.elem ?? []).map((one) => {
        const { elem } = one as { elem?: { val: string } };
        return `${set.name} ${elem?.val ?? String(one)}`;
      });
    })
    .sort();
}

async function settled(enforcer: Enforcer): Promise<void> {
  const last = performance.now() + 20_000;
  for (let calm = 0; calm < 3; calm++) {
    if (performance.now() > last) throw new Error('the enforcer does not come to rest');
    const { orders } = enforcer.stats();
    await new Promise((go) => setTimeout(go, 15));
    if (enforcer.stats().orders !== orders) calm = 0;
  }
}

describe.runIf(missing.length === 0)('the kernel', () => {
  beforeAll(() => {
    expect(spawnSync('ip', ['netns', 'add', space]).status).toBe(0);
    nft('add table inet other; add chain inet other mine');
  });

  afterAll(() => {
    spawnSync('ip', ['netns', 'del', space]);
  });

  it('holds hosts and prefixes of both families, nested as they come', async () => {
    const hand = new DirectHand();
    const enforcer = new Enforcer(hand, options);
    const list = [
      entry('203.0.113.9/32', 'block'),
      entry('203.0.113.0/24', 'limit', { id: 'bl_00000000000000000002' }),
      entry('203.0.112.0/23', 'block', { id: 'bl_00000000000000000003' }),
      entry('2001:db8:1:2::/64', 'limit', { id: 'bl_00000000000000000004' }),
      entry('203.0.113.7/32', 'allow', { id: 'bl_00000000000000000005', until: null }),
      entry('203.0.113.8/32', 'block', {
        id: 'bl_00000000000000000006',
        scope: { proto: 'tcp', dport: [465], direction: 'in' },
      }),
    ];
    enforcer.begin(snapshotOf(list));
    await settled(enforcer);
    expect(hand.errors).toEqual([]);
    expect(held()).toEqual([
      'allow4_32_0 203.0.113.7',
      'block4_23_25 203.0.112.0',
      'block4_32_25 203.0.113.9',
      'limit4_24_25 203.0.113.0',
      'limit6_64_25 2001:db8:1:2::',
    ]);
    await enforcer.close();
    expect(nft('list', 'tables').trim()).toBe('table inet other');
  });

  it('holds what the list says after any changes', async () => {
    const cidr = fc.constantFrom(
      '203.0.113.1/32',
      '203.0.113.2/32',
      '203.0.0.0/16',
      '2001:db8::/64',
    );
    const step = fc.record({
      kind: fc.constantFrom('added' as const, 'removed' as const),
      n: fc.nat(5),
      cidr,
      action: fc.constantFrom('block' as const, 'limit' as const, 'allow' as const),
      rate: fc.constantFrom(10, 20),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const hand = new DirectHand();
        const enforcer = new Enforcer(hand, options);
        const standing = new Map<number, ListedEntry>();
        enforcer.begin(snapshotOf([]));
        for (const [index, { kind, n, cidr: where, action, rate }] of steps.entries()) {
          const before = standing.get(n);
          const base = before ?? entry(where, action, { id: `bl_0000000000000000000${n}` });
          const scope = base.action === 'limit' ? { ...base.scope, rate } : base.scope;
          const now = { ...base, scope, until: start + (index + 60) * 60e6 };
          const change = { revision: index + 2, kind, time: start, entry: now, state: null };
          if (kind === 'removed' && before === undefined) continue;
          if (kind === 'removed') standing.delete(n);
          else standing.set(n, now);
          enforcer.changes([change satisfies ListChange]);
          if (index % 3 === 0) await settled(enforcer);
        }
        await settled(enforcer);
        expect(hand.errors).toEqual([]);
        const expected = [...standing.values()].map(({ cidr: where, action }) => {
          const [address, bits] = where.split('/');
          const version = where.includes(':') ? 6 : 4;
          return `${action}${version}_${bits}_${action === 'allow' ? 0 : 25} ${address}`;
        });
        expect(held()).toEqual([...new Set(expected)].sort());
      }),
      { numRuns: 12 },
    );
  }, 30_000);

  it('shuts a source that has used up its messages, and opens again', async () => {
    const hand = new DirectHand();
    const enforcer = new Enforcer(hand, options);
    enforcer.begin(snapshotOf([entry('203.0.113.9/32', 'limit')]));
    enforcer.shut({ cidr: '203.0.113.9/32', ports: [25], until: start + 100e6 });
    await settled(enforcer);
    expect(held()).toEqual(['limit4_32_25 203.0.113.9', 'shut4_32_25 203.0.113.9']);
    enforcer.tick(start + 101e6);
    await settled(enforcer);
    expect(held()).toEqual(['limit4_32_25 203.0.113.9']);
    enforcer.shut({ cidr: '203.0.113.9/32', ports: [25], until: start + 900e6 });
    const change = {
      revision: 2,
      time: start,
      entry: entry('203.0.113.9/32', 'limit'),
      state: null,
    };
    enforcer.changes([{ ...change, kind: 'removed' }]);
    await settled(enforcer);
    expect(held()).toEqual([]);
    enforcer.changes([{ ...change, kind: 'added' }]);
    await settled(enforcer);
    expect(held()).toEqual(['limit4_32_25 203.0.113.9']);
    expect(hand.errors).toEqual([]);
  });

  it('takes 100,000 entries, and refuses more than it may have', async () => {
    const hand = new DirectHand();
    const most = 100_000;
    const enforcer = new Enforcer(hand, { ...options, entriesMax: most });
    const list = Array.from({ length: most + 5 }, (_, n) =>
      entry(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}/32`, 'block', {
        id: `bl_${n.toString(16).padStart(8, '0').padEnd(20, '0')}`,
      }),
    );
    enforcer.begin(snapshotOf(list));
    await settled(enforcer);
    expect(hand.errors).toEqual([]);
    const { entries, left_out, order_ms } = enforcer.stats();
    console.log(`nftables: ${entries} entries in ${order_ms} ms`);
    expect([entries, left_out]).toEqual([most, 5]);
    const last = nft('get', 'element', 'inet', 'mailweir', 'block4_32_25', '{ 10.1.134.159 }');
    expect(last).toContain('10.1.134.159 timeout 1h');
    await enforcer.close();
  }, 60_000);

  it('makes the table anew when somebody took it away', async () => {
    const hand = new DirectHand();
    const said: string[] = [];
    const trouble = (text: string) => said.push(text);
    const has: number[] = [];
    const enforced = (revision: number) => has.push(revision);
    const enforcer = new Enforcer(hand, { ...options, trouble, enforced });
    enforcer.begin(snapshotOf([entry('203.0.113.9/32', 'block')]));
    await settled(enforcer);
    nft('delete', 'table', 'inet', 'mailweir');
    const more = entry('203.0.113.8/32', 'block', { id: 'bl_00000000000000000002' });
    enforcer.changes([{ revision: 2, kind: 'added', time: start, entry: more, state: null }]);
    await settled(enforcer);
    expect([said.length, enforcer.isSound]).toEqual([1, false]);
    // The kernel does not have what failed.
    expect(has).toEqual([1]);
    await new Promise((go) => setTimeout(go, 2100));
    enforcer.tick(start + 1e6);
    await settled(enforcer);
    expect(held()).toEqual(['block4_32_25 203.0.113.8', 'block4_32_25 203.0.113.9']);
    expect([enforcer.isSound, has.at(-1)]).toEqual([true, 2]);
    await enforcer.close();
  });

  it('lets everybody through again when the daemon dies', async () => {
    const words = ['netns', 'exec', space, process.execPath, helper];
    const child = spawn('ip', words, { stdio: ['pipe', 'pipe', 'inherit'] });
    const answer = () => new Promise((go) => child.stdout.once('data', go));
    const members = [
      { kind: 'block', cidr: '203.0.113.9/32', ports: [25], seconds: 2 },
      { kind: 'block', cidr: '203.0.113.8/32', ports: [25], seconds: 900 },
    ];
    const order = { begin: { ports: [25] }, put: members, drop: [], alive: 2 };
    child.stdin.write(`${JSON.stringify(order)}\n`);
    expect(JSON.parse(String(await answer()))).toEqual({ error: null });
    expect(nft('list', 'set', 'inet', 'mailweir', 'alive')).toContain('tcp');
    const ended = new Promise((go) => child.once('close', go));
    child.stdin.end();
    expect(await ended).toBe(0);
    await new Promise((go) => setTimeout(go, 2300));
    // The rules ask for the word `tcp` first, and it is gone.
    expect(nft('list', 'set', 'inet', 'mailweir', 'alive')).not.toContain('elements');
    expect(held()).toEqual(['block4_32_25 203.0.113.8']);
  });

  it('is told nothing but what a member of a set can be', () => {
    const scripts = new Scripts();
    const bad = (change: object) => () =>
      scripts.of({
        put: [{ kind: 'block', cidr: '203.0.113.9/32', ports: [25], seconds: 9, ...change }],
        drop: [],
        alive: 9,
      });
    for (const change of [
      { cidr: '0.0.0.0/0 }; flush ruleset' },
      { kind: 'judge' },
      { ports: ['25; flush ruleset'] },
      { seconds: '9s }; flush ruleset' },
      { kind: 'limit', meter: { rate: '1; flush ruleset', burst: 1 } },
    ]) {
      expect(bad(change)).toThrow(/^no /);
    }
    expect(bad({})()).toContain(
      'add element inet mailweir block4_32_25 { 203.0.113.9 timeout 9s }',
    );
  });
});
