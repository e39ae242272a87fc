// The summary: what it counts from rows, what the page says, and that memory stays bounded.

import { describe, expect, it } from 'vitest';
import { type Recipient, RowEncoder } from '../../bench/generate/rows.js';
import { Outcome, Protocol, Sides, StartTls } from '../../src/batch/row.js';
import { page, type Run } from '../../src/output/page.js';
import type { Stats } from '../../src/output/stats.js';
import { Summary } from '../../src/output/summary.js';
import { paint } from '../../src/output/text.js';
import { ClientTable, Timeline } from '../../src/output/top.js';

const plain = paint(false, {});

const rcptsOf = (codes: readonly number[]): Recipient[] =>
  codes.map((code) => ({ address: null, code, class: 0 }));

const nothing: Stats = {
  packets: 0,
  bytes: 0,
  decoded: 0,
  skipped: {},
  duplicates: 0,
  flows: 0,
  half_open: 0,
  other: 0,
  sessions: 0,
  transactions: 0,
  reassembly_gaps: 0,
  gap_bytes: 0,
  kernel_drops: 0,
  evicted: 0,
  time_backwards: 0,
  decode: {},
  one_sided: 0,
  rows_dropped: 0,
  lost_flows: 0,
  lost_frames: 0,
  worker_restarts: 0,
  stream_bytes: 0,
  unseen_bytes: 0,
  flows_open: 0,
  ring_fill: 0,
  ring_full: 0,
  unsteered: 0,
  interfaces_down: 0,
  out_of_window: 0,
  exhausted: 0,
  uptime_ms: 0,
};

const run: Run = {
  files: 1,
  failures: 0,
  ports: [25, 465, 587, 2525],
  seconds: 0.5,
  first: 1_700_000_000_000_000,
  last: 1_700_000_060_000_000,
};

function summaryOf(build: (area: RowEncoder) => void): Summary {
  const area = new RowEncoder();
  build(area);
  const summary = new Summary();
  summary.rows(area.area, area.length);
  return summary;
}

function pageOf(build: (area: RowEncoder) => void, stats: Partial<Stats> = {}, ports = run.ports) {
  return page(
    summaryOf(build),
    { ...nothing, packets: 100, decoded: 100, ...stats },
    { ...run, ports },
    plain,
  );
}

describe('counting', () => {
  it('counts outcomes, recipients and bytes of transactions', () => {
    const summary = summaryOf((area) => {
      area.transaction({ rcpts: rcptsOf([250, 550, 0]), bytes: 100 });
      area.transaction({ outcome: Outcome.rejected, rcpts: rcptsOf([550]), bytes: 0 });
      area.transaction({ outcome: Outcome.unknown, rcpts: rcptsOf([]), gaps: 5 });
      area.session({ gaps: 5 });
    });
    expect(summary.transactions).toBe(3);
    expect(summary.outcomes.counts).toEqual([1, 1, 0, 0, 1]);
    expect([summary.rcptOffered, summary.rcptRefused]).toEqual([4, 2]);
    expect(summary.messageBytes).toBe(1100);
    expect([summary.damaged, summary.damagedSessions]).toEqual([1, 1]);
    const [client] = summary.clients.top(1, ({ refusals }) => refusals);
    // Two refused recipients and one rejected transaction.
    expect(client).toMatchObject({ messages: 3, refusals: 3, sessions: 1 });
  });

  it('counts a session as encrypted by TLS from the first byte or by STARTTLS', () => {
    const summary = summaryOf((area) => {
      area.session({ protocol: Protocol.tls });
      area.session({ startTls: StartTls.established });
      area.session({ startTls: StartTls.offered });
    });
    expect([summary.sessions, summary.encrypted]).toEqual([3, 2]);
  });
});

describe('page', () => {
  it('fits 80 columns with the longest addresses and large counts', () => {
    const long = [0x20010db8, 0x12345678, 0x12345678, 0x12345678];
    const text = pageOf(
      (area) => {
        for (let at = 0; at < 40; at++) {
          area.transaction({ client: long, time: run.first + at * 9e6, rcpts: rcptsOf([550]) });
          area.session({ client: long, sides: Sides.client, gaps: 1, closed: at % 6 });
        }
      },
      {
        packets: 123_456_789_012,
        decoded: 99_000_000_000,
        skipped: { 'fragment-duplicate': 24_000_000_000, truncated: 456_789_012 },
        duplicates: 50_000_000_000,
        reassembly_gaps: 123,
        gap_bytes: 1e12,
        evicted: 5,
        kernel_drops: 7,
        half_open: 5,
        other: 6,
      },
    );
    const widths = text.split('\n').map((line) => [...line].length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(80);
    expect(text).toContain('2001:db8:1234:5678:1234:5678:1234:5678');
    expect(text).toMatchSnapshot();
  });

  it('colours only when asked', () => {
    const summary = summaryOf((area) => area.session().transaction());
    const stats = { ...nothing, packets: 10, decoded: 10 };
    const colour = /\x1b\[/;
    expect(page(summary, stats, run, paint(true, {}))).toMatch(colour);
    expect(page(summary, stats, run, paint(true, { NO_COLOR: '1' }))).not.toMatch(colour);
    expect(page(summary, stats, run, paint(false, {}))).not.toMatch(colour);
  });
});

describe('what it means', () => {
  const empty = (): void => {};
  const sided = (sides: number) => (area: RowEncoder) => {
    for (let at = 0; at < 4; at++) area.session({ sides });
  };
  it.each([
    ['an empty input', empty, { packets: 0, decoded: 0 }, 'not one packet'],
    [
      'no TCP',
      empty,
      { decoded: 0, skipped: { 'not-ip': 90, 'not-tcp': 10 } },
      'skipped as not-ip',
    ],
    ['no mail port', empty, { other: 3 }, '--ports any'],
    ['only SYNs', empty, { half_open: 9 }, '9 connections never carried'],
    ['no replies', sided(Sides.client), {}, "servers' replies are missing"],
    ['no commands', sided(Sides.server), {}, "clients' commands are missing"],
    ['kernel drops', empty, { kernel_drops: 12 }, 'kernel dropped 12'],
    ['full memory', empty, { evicted: 12 }, 'flow.memory_bytes'],
    ['cut packets', empty, { skipped: { truncated: 50 } }, 'tcpdump -s 0'],
    ['two copies', empty, { duplicates: 50 }, 'came twice'],
  ])('%s is explained', (_, build, stats, words) => {
    // The page wraps its lines.
    expect(pageOf(build, stats).replace(/\s+/g, ' ')).toContain(words);
  });

  it('does not send to --ports any who is already there', () => {
    expect(pageOf(empty, { other: 3 }, 'any')).not.toContain('--ports');
  });

  it('says nothing when all is well', () => {
    const text = pageOf((area) => area.session().transaction());
    expect(text).not.toContain('What this means');
  });
});

describe('client table', () => {
  it('stays bounded, keeps the large ones, and says what it may have lost', () => {
    const table = new ClientTable(100);
    for (let at = 0; at < 50; at++) table.client(0, 0, 0xffff, 7).messages += 1;
    for (let at = 0; at < 10_000; at++) table.client(0, 0, 0xffff, 1000 + at).messages += 1;
    expect(table.size).toBeLessThanOrEqual(100);
    const [first] = table.top(1, ({ messages }) => messages);
    expect(first).toMatchObject({ words: [0, 0, 0xffff, 7], messages: 50 });
    expect(table.missing).toBeGreaterThan(0);
  });

  it('never counts too much, and never too little by more than it says', () => {
    const table = new ClientTable(16);
    const exact = new Map<number, number>();
    let seed = 12345;
    for (let at = 0; at < 20_000; at++) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      // Squared, so that a few addresses are frequent and many are rare.
      const word = Math.floor((seed / 2 ** 32) ** 4 * 200);
      exact.set(word, (exact.get(word) ?? 0) + 1);
      table.client(0, 0, 0xffff, word).messages += 1;
    }
    for (const { words, messages } of table.top(16, (client) => client.messages)) {
      const truth = exact.get(words[3]!)!;
      expect(messages).toBeLessThanOrEqual(truth);
      expect(messages + table.missing).toBeGreaterThanOrEqual(truth);
    }
  });
});

describe('timeline', () => {
  it('keeps every event while its columns grow', () => {
    const line = new Timeline(8);
    for (let second = 0; second < 100; second++) line.add(second * 1e6);
    expect(line.values.reduce((sum, value) => sum + value, 0)).toBe(100);
    expect(line.step).toBe(16e6);
    expect(line.values).toEqual([16, 16, 16, 16, 16, 16, 4]);
  });

  it('takes times that run backwards or jump far', () => {
    const line = new Timeline(8);
    for (const time of [1e15, 1e15 - 5e6, 1e15 + 1e18, Number.NaN]) line.add(time);
    expect(line.values.reduce((sum, value) => sum + value, 0)).toBe(3);
  });
});
