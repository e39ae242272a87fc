// The list: what stands on it, what leaves it, and what stays true over restarts.

import { join } from 'node:path';
import { open } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { brokenAt } from '../../src/block/audit.js';
import type { ListChange } from '../../src/block/entry.js';
import { EntryCursor, type Snapshot } from '../../src/block/rows.js';
import { day, decisionOf, desk, hour, second, start, TestList } from './lists.js';

let test: TestList;

beforeEach(() => {
  test = new TestList();
});

afterEach(() => test.remove());

function cidrs(snapshot: Snapshot): string[] {
  const cursor = new EntryCursor(snapshot);
  const found: string[] = [];
  while (cursor.next()) found.push(cursor.cidr);
  return found.sort();
}

const wish = { action: 'block', until: start + hour, owner: 'desk', reason: 'spam' } as const;

describe('decisions of policy', () => {
  it('is on the list with everything it carries, also after a restart', async () => {
    const decision = decisionOf('203.0.113.9/32');
    test.list.decision(decision);
    await test.list.idle();
    for (const open of [() => test.list, () => test.again()]) {
      const list = await open();
      expect(list.entry(decision.id)).toMatchObject({
        cidr: '203.0.113.9/32',
        evidence: decision.evidence,
        rule: decision.rule,
        legal: decision.legal,
        appeal: decision.appeal,
        origin: 'automatic',
        revision: 1,
      });
      expect(cidrs(list.snapshot())).toEqual(['203.0.113.9/32']);
    }
  });

  it('stays empty while policy only observes', async () => {
    test.list.decision(decisionOf('203.0.113.9/32', { mode: 'observe' }));
    await test.list.idle();
    expect(test.list.snapshot()).toMatchObject({ count: 0, revision: 0 });
    expect(test.list.counters.observed).toBe(1);
  });

  it('expires at its time, and not before', async () => {
    test.list.decision(decisionOf('203.0.113.9/32'));
    await test.list.idle();
    test.list.tick(start + hour - 1);
    await test.list.idle();
    expect(test.list.count).toBe(1);
    test.list.tick(start + hour);
    await test.list.idle();
    expect(test.list.count).toBe(0);
    expect(test.list.revision).toBe(2);
  });

  it('expires while the program is down', async () => {
    test.list.decision(decisionOf('203.0.113.9/32'));
    await test.list.idle();
    const list = await test.again();
    list.tick(start + 2 * hour);
    await list.idle();
    expect([list.count, list.revision]).toEqual([0, 2]);
  });

  it('expires once, however often it was given the same end', async () => {
    const added = await test.list.add({ ...wish, cidr: '203.0.113.9' }, desk);
    await test.list.add({ ...wish, cidr: '203.0.113.10' }, desk);
    for (let time = 0; time < 3; time++) await test.list.extend(added.id, start + hour, desk);
    test.list.tick(start + hour);
    await test.list.idle();
    expect([test.list.count, test.list.counters.expired]).toEqual([0, 2]);
    expect(test.list.revision).toBe(2 + 3 + 2);
  });

  it('opens from its entries where the store has no rows yet', async () => {
    const limit = decisionOf('2001:db8::/64', { action: 'limit' });
    test.list.decision(limit);
    await test.list.add({ ...wish, cidr: '203.0.113.9' }, desk);
    await test.list.close();
    const store = open({ path: join(test.folder, 'block'), noSubdir: false, maxDbs: 16 });
    const rows = store.openDB({ name: 'rows', encoding: 'binary' });
    expect([...rows.getKeys()]).toHaveLength(2);
    await rows.clearAsync();
    await store.close();
    for (let time = 0; time < 2; time++) {
      const list = await test.again();
      expect(cidrs(list.snapshot())).toEqual(['2001:db8::/64', '203.0.113.9/32']);
      list.tick(start + 2);
    }
    test.list.tick(start + hour);
    await test.list.idle();
    expect(test.list.count).toBe(0);
  });

  it('lives longer when policy extends it', async () => {
    const decision = decisionOf('203.0.113.9/32');
    test.list.decision(decision);
    const later = {
      state: 'extended',
      until: start + 3 * hour,
      time: start + 60 * second,
    } as const;
    test.list.decision({ ...decision, ...later });
    await test.list.idle();
    test.list.tick(start + 2 * hour);
    await test.list.idle();
    expect(test.list.entry(decision.id)?.until).toBe(start + 3 * hour);
    expect(test.list.count).toBe(1);
  });

  it('a block that takes the place of a limit supersedes it', async () => {
    const limit = decisionOf('203.0.113.9/32', { action: 'limit' });
    test.list.decision(limit);
    test.list.decision(decisionOf('203.0.113.9/32', { supersedes: limit.id }));
    test.list.decision({ ...limit, state: 'released' });
    await test.list.idle();
    expect(test.list.entry(limit.id)?.ended?.state).toBe('superseded');
    expect(test.list.count).toBe(1);
  });
});

describe('people', () => {
  it('whoever is released never returns by the same entry', async () => {
    const decision = decisionOf('203.0.113.9/32');
    test.list.decision(decision);
    await test.list.release(decision.id, { reason: 'customer called', wrong: false }, desk);
    test.list.decision({ ...decision, state: 'extended', until: start + 2 * hour });
    test.list.decision(decision);
    await test.list.idle();
    const list = await test.again();
    list.decision(decision);
    await list.idle();
    expect(list.count).toBe(0);
    expect(test.told.released).toHaveLength(1);
  });

  it('the rule only observes the source for a day after a release', async () => {
    const decision = decisionOf('203.0.113.9/32');
    test.list.decision(decision);
    await test.list.release(decision.id, { reason: 'called', wrong: false }, desk);
    const list = await test.again();
    list.decision(decisionOf('203.0.113.9/32', { created: start + day - 1 }));
    await list.idle();
    expect([list.count, list.counters.graced]).toEqual([0, 1]);
    list.decision(decisionOf('203.0.113.9/32', { created: start + day }));
    await list.idle();
    expect(list.count).toBe(1);
  });

  it('three wrong entries in a week make a rule observe until a person restores it', async () => {
    for (const last of [1, 2, 3]) {
      const decision = decisionOf(`203.0.113.${last}/32`);
      test.list.decision(decision);
      await test.list.release(decision.id, { reason: 'a printer', wrong: true }, desk);
    }
    expect(test.told.demoted).toEqual([['core.rcpt-failure-sprt', start]]);
    const list = await test.again();
    list.decision(decisionOf('203.0.113.77/32'));
    await list.idle();
    expect([list.count, list.counters.demoted]).toEqual([0, 1]);
    // Another text of the rule is another rule.
    const rule = { ...decisionOf('203.0.113.76/32').rule, sha256: 'b'.repeat(64) };
    list.decision(decisionOf('203.0.113.76/32', { rule }));
    await list.idle();
    expect(list.count).toBe(1);
    await list.restoreRule('core.rcpt-failure-sprt', desk);
    list.decision(decisionOf('203.0.113.78/32'));
    await list.idle();
    expect(list.count).toBe(2);
  });

  it.each([
    ['no address', { cidr: 'mail.example' }, 'invalid'],
    ['bits behind the length', { cidr: '203.0.113.9/24' }, 'invalid'],
    ['too wide', { cidr: '203.0.0.0/15' }, 'invalid'],
    ['no owner', { cidr: '203.0.113.9', owner: ' ' }, 'invalid'],
    ['for ever', { cidr: '203.0.113.9', until: null }, 'invalid'],
    ['over already', { cidr: '203.0.113.9', until: start }, 'invalid'],
    ['more than a year', { cidr: '203.0.113.9', until: start + 367 * day }, 'invalid'],
  ])('refuses an entry: %s', async (_, change, refusal) => {
    await expect(test.list.add({ ...wish, ...change }, desk)).rejects.toMatchObject({
      refusal,
    });
    expect(test.list.revision).toBe(0);
  });

  it('who is allowed leaves the list and does not come back', async () => {
    test.list.decision(decisionOf('203.0.113.9/32'));
    const allow = { action: 'allow', until: null, owner: 'noc', reason: 'monitoring' } as const;
    await test.list.add({ ...allow, cidr: '203.0.113.0/28' }, desk);
    test.list.decision(decisionOf('203.0.113.10/32'));
    await test.list.idle();
    expect(cidrs(test.list.snapshot())).toEqual(['203.0.113.0/28']);
    await expect(test.list.add({ ...wish, cidr: '203.0.113.9' }, desk)).rejects.toMatchObject({
      refusal: 'allowed',
    });
    expect(test.list.counters.refused_allowed).toBe(2);
  });

  it('an allowed address inside of a listed network: the rest of it stays listed', async () => {
    await test.list.add({ ...wish, cidr: '203.0.113.0/29' }, desk);
    const allow = { action: 'allow', until: null, owner: 'noc', reason: 'monitoring' } as const;
    const { id } = await test.list.add({ ...allow, cidr: '203.0.113.2' }, desk);
    const around = ['203.0.113.0/31', '203.0.113.3/32', '203.0.113.4/30'];
    expect(cidrs(test.list.snapshot())).toEqual([around[0], '203.0.113.2/32', ...around.slice(1)]);
    await expect(test.list.add({ ...wish, cidr: '203.0.113.0/30' }, desk)).rejects.toMatchObject({
      refusal: 'allowed',
    });
    const list = await test.again();
    await list.release(id, { reason: 'over', wrong: false }, desk);
    await expect(list.add({ ...wish, cidr: '203.0.113.0/30' }, desk)).resolves.toBeDefined();
  });

  it('who is protected from now on is let go', async () => {
    test.list.decision(decisionOf('203.0.113.9/32'));
    test.list.decision(decisionOf('203.0.113.10/32'));
    await test.list.idle();
    await test.list.protect((prefix) => ((prefix.w3 & 0xff) === 9 ? 'registered-server' : null));
    expect(cidrs(test.list.snapshot())).toEqual(['203.0.113.10/32']);
  });
});

describe('appeals', () => {
  it('nobody decides: the entry goes by itself after seven days', async () => {
    const wide = { ...wish, until: start + 300 * day };
    const entry = await test.list.add({ ...wide, cidr: '203.0.113.9' }, desk);
    const appeal = await test.list.appeal(entry.id, 'it was a printer', '+84 1');
    expect(appeal).toMatchObject({ state: 'open', due: start + day, last: start + 7 * day });
    const list = await test.again();
    list.tick(start + 7 * day - 1);
    await list.idle();
    expect(list.count).toBe(1);
    list.tick(start + 7 * day);
    await list.idle();
    expect(list.entry(entry.id)?.ended).toMatchObject({ reason: 'released:clock' });
    expect(list.appealOf(entry.id)?.state).toBe('released');
  });

  it('a person upholds the entry: the clock stops, and a day later one may ask again', async () => {
    const until = start + 300 * day;
    const entry = await test.list.add({ ...wish, until, cidr: '203.0.113.9' }, desk);
    await test.list.appeal(entry.id, 'no', '');
    await test.list.uphold(entry.id, 'it still sends', desk);
    await expect(test.list.appeal(entry.id, 'no', '')).rejects.toMatchObject({
      refusal: 'not-yet',
    });
    test.list.tick(start + 8 * day);
    await test.list.idle();
    expect(test.list.count).toBe(1);
    await expect(test.list.appeal(entry.id, 'no', '')).resolves.toMatchObject({ state: 'open' });
  });
});

describe('those who follow', () => {
  it('get every change in order and once, and a snapshot never changes', async () => {
    const seen: ListChange[] = [];
    test.list.decision(decisionOf('203.0.113.1/32'));
    await test.list.idle();
    const { snapshot, stop } = test.list.follow((changes) => seen.push(...changes));
    for (let last = 2; last < 200; last++) test.list.decision(decisionOf(`203.0.113.${last}/32`));
    await test.list.idle();
    test.list.tick(start + hour);
    await test.list.idle();
    stop();
    expect(cidrs(snapshot)).toEqual(['203.0.113.1/32']);
    expect(seen.map(({ revision }) => revision)).toEqual(seen.map((_, at) => at + 2));
    expect(seen.filter(({ kind }) => kind === 'removed')).toHaveLength(199);
    expect(test.list.changesAfter(1, 1000)).toEqual(seen);
    expect(test.list.changesAfter(5000, 1000)).toBeNull();
  });
});

describe('the audit trail', () => {
  it('has every change, and shows where somebody changed it', async () => {
    const decision = decisionOf('203.0.113.9/32');
    test.list.decision(decision);
    await test.list.release(decision.id, { reason: 'called', wrong: false }, desk);
    const trail = test.list.auditFrom(1, 100);
    expect(trail.map(({ actor, action }) => `${actor} ${action}`)).toEqual([
      'policy add',
      'desk release',
    ]);
    expect(brokenAt(trail)).toBeNull();
    expect(brokenAt([{ ...trail[0]!, actor: 'nobody' }, trail[1]!])).toBe(1);
    expect(brokenAt([trail[0]!, { ...trail[1]!, detail: 'x' }])).toBe(2);
  });
});
