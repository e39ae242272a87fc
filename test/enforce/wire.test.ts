// What the wire shows of entries, and how many messages limited sources have left: rows of real
// dialogues, after an entry was published.

import { describe, expect, it } from 'vitest';
import { dialogue, type Frame } from '../../bench/generate/conversation.js';
import type { ListChange, ListedEntry } from '../../src/block/entry.js';
import { Holders, type Taken } from '../../src/block/holders.js';
import { Rows } from '../../src/block/table.js';
import { Allowances } from '../../src/enforce/allowances.js';
import type { Shut } from '../../src/enforce/nftables.js';
import { Sightings } from '../../src/enforce/sightings.js';
import type { TapSide } from '../../src/enforce/tally.js';
import { acceptedMail, areasOf } from '../helper/facts.js';

const start = 1_700_000_000_000_000;
const second = 1e6;
const client = '203.0.113.9';
const id = 'bl_00000000000000000001';

function entry(action: 'block' | 'limit', change: Partial<ListedEntry> = {}): ListedEntry {
  const scope = { proto: 'tcp', dport: [25], direction: 'out' } as const;
  return {
    id,
    cidr: `${client}/32`,
    action,
    until: start + 3600 * second,
    created: start,
    rule: 'core.rate-limit',
    scope: action === 'limit' ? { ...scope, rate: 25, burst: 10 } : scope,
    level: 0,
    revision: 1,
    ...change,
  };
}

function added(one: ListedEntry): ListChange {
  return { revision: 1, kind: 'added', time: start, entry: one, state: null };
}

/** The part of a list that says whom entries cover. */
function listOf(one: ListedEntry) {
  const rows = new Rows(10);
  rows.put(one);
  const idsCovering = (address: Parameters<Rows['covering']>[0]) => rows.covering(address);
  return { idsCovering, holders: new Holders() };
}

let port = 40_000;
/** A whole conversation that begins `at` seconds after publishing. */
function conversation(at: number, text = acceptedMail, from = client): readonly Frame[] {
  port += 1;
  return dialogue(text, { client: from, clientPort: port, start: start + at * second }).frames;
}

/** A SYN that RST answers: what a source gets that is limited or blocked here. */
function refused(at: number): Frame[] {
  const [syn, answer] = conversation(at);
  const bytes = Buffer.from(answer!.bytes);
  bytes[14 + 20 + 13] = 0x14;
  return [syn!, { ...answer!, bytes }];
}

/** What is seen of an entry after these frames. */
function seen(one: ListedEntry, side: TapSide, frames: readonly (readonly Frame[])[]) {
  const sightings = new Sightings(listOf(one), side);
  sightings.changes([added(one)]);
  for (const area of areasOf(frames.flat())) sightings.rows(area, area.byteLength);
  sightings.tick(Math.max(...frames.flat().map(({ time }) => time), start));
  return { ...sightings.of(id)!, stats: sightings.stats() };
}

describe('what the wire shows of an entry', () => {
  const block = entry('block');
  const none: readonly Frame[][] = [];
  const trials = [refused(20), refused(21), refused(22)];

  it.each([
    ['nothing', 'customer', none, 'unseen'],
    ['nothing', 'upstream', none, 'quiet'],
    ['nothing', 'unknown', none, 'unknown'],
    ['mail, then attempts in vain', 'customer', [conversation(5), ...trials], 'enforced'],
    ['one attempt in vain, which may have met a dead server', 'customer', [refused(9)], 'unseen'],
    ['attempts in vain, then mail', 'customer', [...trials, conversation(30)], 'leaking'],
    ['mail', 'upstream', [conversation(5)], 'leaking'],
    ['mail', 'unknown', [conversation(5)], 'leaking'],
    ['attempts in vain, which prove nothing there', 'upstream', trials, 'quiet'],
    ['mail that began before the entry', 'customer', [conversation(-5)], 'unseen'],
    ['mail of a neighbour', 'customer', [conversation(5, acceptedMail, '203.0.113.10')], 'unseen'],
  ] as const)('%s, %s side', (_, side, frames, state) => {
    const sight = seen(block, side, frames);
    expect(sight.state).toBe(state);
    expect(sight.stats.states[state]).toBe(1);
  });

  it('tells the time to enforce and the share that leaked', () => {
    const sight = seen(block, 'customer', [conversation(5), ...trials]);
    expect(sight).toMatchObject({ opened: 1, refused: 3, leak: 0.25, since: start });
    expect(sight.timeToEnforce! / second).toBeCloseTo(5, 0);
    expect(sight.stats.time_to_enforce_ms!.max).toBeCloseTo(sight.timeToEnforce! / 1000, 0);
  });

  it('takes from a limit what it allows, and calls only the rest a leak', () => {
    const some = (count: number) => Array.from({ length: count }, (_, n) => conversation(2 + n));
    expect(seen(entry('limit'), 'customer', some(10))).toMatchObject({ excess: 0, opened: 10 });
    const many = seen(entry('limit'), 'customer', some(15));
    expect([many.state, many.excess]).toEqual(['leaking', 5]);
  });

  it('tells of each consumer what came after it had the entry', () => {
    const list = listOf(block);
    const sightings = new Sightings(list, 'customer');
    sightings.changes([added(block)]);
    const see = (...frames: Frame[][]) => {
      for (const area of areasOf(frames.flat())) sightings.rows(area, area.byteLength);
      sightings.tick(Math.max(...frames.flat().map(({ time }) => time)));
    };
    const has = (name: string, taken: Taken, revision: number, at: number) =>
      list.holders.note(name, taken, { revision, time: start + at * second });
    has('older', 'block', 0, 1);
    has('limits', 'limit', 7, 1);
    see([...conversation(5)]);
    has('edge', 'block', 3, 10);
    see([...conversation(12)], ...trials);
    has('core', 'all', 3, 25);
    see(refused(26), refused(27), refused(28));
    has('core', 'all', 4, 30);

    const { consumers, ...all } = sightings.of(id)!;
    expect(all).toMatchObject({ state: 'enforced', opened: 2, refused: 6, leak: 0.25 });
    expect(consumers).toMatchObject([
      { name: 'edge', state: 'enforced', opened: 1, refused: 6, since: start + 10 * second },
      { name: 'core', state: 'enforced', opened: 0, refused: 3, leak: 0, timeToEnforce: 0 },
    ]);
    expect(consumers[0]!.timeToEnforce! / second).toBeCloseTo(2, 0);
    const told = sightings.stats();
    expect(Object.keys(told.consumers)).toEqual(['edge', 'core']);
    expect(told.consumers['edge']).toMatchObject({
      ...{ entries: 1, leak_ratio: 1 / 7 },
      states: { enforced: 1, leaking: 0 },
    });
    expect(told).toMatchObject({ leak_ratio: 0.25, unwatched_consumers: 0 });
    sightings.changes([{ ...added(block), kind: 'removed', state: 'released' }]);
    expect(sightings.stats()).toMatchObject({ entries: 0, consumers: {}, leak_ratio: null });
  });

  it.each(['upstream', 'unknown'] as const)('claims no share of a block, %s side', (side) => {
    const sight = seen(block, side, [conversation(5), ...trials]);
    expect([sight.leak, sight.stats.leak_ratio]).toEqual([null, null]);
  });

  it('of a limit the share is that of messages, on whichever side', () => {
    const many = Array.from({ length: 15 }, (_, n) => conversation(2 + n));
    for (const side of ['customer', 'upstream'] as const) {
      expect(seen(entry('limit'), side, many).leak).toBeCloseTo(5 / 15, 9);
    }
  });

  it('ends with the entry', () => {
    const sightings = new Sightings(listOf(block), 'customer');
    sightings.changes([added(block)]);
    sightings.changes([{ ...added(block), kind: 'removed', state: 'released' }]);
    expect(sightings.of(id)).toBeUndefined();
    expect(sightings.stats().entries).toBe(0);
  });
});

describe('messages of a limited source', () => {
  /** When the source is shut out, in seconds after each message. */
  function shut(one: ListedEntry, frames: readonly (readonly Frame[])[]): number[] {
    const orders: Shut[] = [];
    const allowances = new Allowances(listOf(one), (order) => orders.push(order));
    allowances.changes([added(one)]);
    for (const area of areasOf(frames.flat())) allowances.rows(area, area.byteLength);
    return orders.map(({ cidr, until }) => {
      expect(cidr).toBe(one.cidr);
      return Math.round((until - start) / second);
    });
  }
  const interval = 144;

  it('are one, then one for each interval, as 25 an hour are', () => {
    const limit = entry('limit');
    expect(shut(limit, [])).toEqual([]);
    // One is left after the burst; two more that came through at once are made good for later.
    expect(shut(limit, [conversation(1)])).toEqual([interval]);
    expect(shut(limit, [conversation(1), conversation(2), conversation(3)])).toEqual(
      [1, 2, 3].map((n) => n * interval),
    );
  });

  it('come back one by one while the source is silent, up to its burst', () => {
    const later = (n: number) => conversation(5 * interval + n);
    const some = [1, 2, 3, 4, 5].map(later);
    expect(shut(entry('limit'), some)).toEqual([]);
    expect(shut(entry('limit'), [...some, later(6)])).toEqual([6 * interval]);
  });

  it('cost what they have recipients that were taken', () => {
    const two = acceptedMail.replace(
      'C: DATA',
      'C: RCPT TO:<c@example.net>\n  S: 250 ok\n  C: DATA',
    );
    const bad = acceptedMail.replace(
      'C: DATA',
      'C: RCPT TO:<c@example.net>\n  S: 550 no\n  C: DATA',
    );
    expect(shut(entry('limit'), [conversation(1, two)])).toEqual([2 * interval]);
    expect(shut(entry('limit'), [conversation(1, bad)])).toEqual([interval]);
  });

  it('cost nothing on other ports, of others, or once nobody is limited', () => {
    const scope = { ...entry('limit').scope, dport: [465] };
    expect(shut(entry('limit', { scope }), [conversation(1)])).toEqual([]);
    expect(shut(entry('limit', { cidr: '203.0.113.8/32' }), [conversation(1)])).toEqual([]);
    expect(shut(entry('block'), [conversation(1)])).toEqual([]);
  });

  it('shut nobody out for longer than the entry lasts', () => {
    const short = entry('limit', { until: start + 30 * second });
    expect(shut(short, [conversation(1)])).toEqual([30]);
  });
});
