// The table of metrics against the figures of the running program, promtool, and the reference.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dialogue, pcapOf } from '../../bench/generate/conversation.js';
import { Metrics, valuesAt } from '../../src/metrics/collect.js';
import { type Metric, metrics, reference } from '../../src/metrics/table.js';
import { Daemon } from '../helper/program.js';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const table = Object.entries<Metric>(metrics);

/** What `promtool check metrics` has to say; empty: nothing. */
function complaints(text: string): string {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  return status === 0 ? '' : `${stdout}${stderr}`;
}

/** Figures with `width` values at every star: as many series as there can be. */
function figuresFor(width: number): Record<string, unknown> {
  const figures: Record<string, unknown> = {};
  for (const [index, [, { at, type }]] of table.entries()) {
    let places: Record<string, unknown>[] = [figures];
    const path = at.split('.');
    const last = path.pop()!;
    for (const step of path) {
      places = places.flatMap((place) =>
        keysOf(step, width).map((key) => {
          place[key] ??= {};
          return place[key] as Record<string, unknown>;
        }),
      );
    }
    const value = type === 'histogram' ? { bounds: [1], counts: [index, 1], sum: index } : index;
    for (const place of places) for (const key of keysOf(last, width)) place[key] = value;
  }
  return figures;
}

function keysOf(step: string, width: number): string[] {
  return step === '*' ? Array.from({ length: width }, (_, index) => `key${index}`) : [step];
}

const about = { version: '1.2.3', sensor: 'north' };
const series = (text: string) => new Set(text.match(/^mailweir_\w+/gm));
/** What the text has of a metric. */
const partsOf = ([name, { type }]: [string, Metric]) =>
  type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name];

describe('the table', () => {
  it('names by the rules: base units, _total for what only grows, a label for each star', () => {
    for (const [name, { type, at, labels = [], help }] of table) {
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(name).toMatch(/^mailweir_[a-z_]+$/);
      expect(name).not.toMatch(/_(ms|micros|kb|percent)(_|$)/);
      expect(at.split('*').length - 1, name).toBe(labels.length);
      expect(help, name).toMatch(/^[A-Z1].*\.$/);
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    }
    const words = new Set(table.flatMap(([, { labels = [] }]) => labels));
    const known = [
      ...['worker', 'reason', 'fact', 'what', 'guard', 'state', 'consumer', 'receiver', 'rule'],
      ...['severity', 'action', 'role', 'mode', 'direction', 'outcome', 'reply', 'tls', 'answer'],
      ...['anomaly', 'status', 'register', 'within', 'clock'],
    ];
    expect([...words].sort()).toEqual(known.sort());
  });

  it('the reference in README.md is this table', () => {
    const path = new URL('../../src/metrics/README.md', import.meta.url);
    expect(readFileSync(path, 'utf8')).toContain(reference());
  });
});

describe('the text', () => {
  it('has every metric with the value of its figure, in base units', async () => {
    const { text } = await new Metrics(() => figuresFor(2), about).scrape('');
    expect(series(text)).toEqual(new Set(['mailweir_build_info', ...table.flatMap(partsOf)]));
    for (const [index, [name, { scale = 1, type }]] of table.entries()) {
      if (type === 'histogram') continue;
      const [, value] = new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'm').exec(text)!;
      expect(Number(value), name).toBeCloseTo(index * scale, 9);
    }
  });

  it('a histogram adds up its buckets, and ends with all of them', async () => {
    const took = { bounds: [0.1, 0.5], counts: [3, 0, 2], sum: 7.5 };
    const { text } = await new Metrics(() => ({ responses: { took } }), about).scrape('');
    const lines = text.split('\n').filter((line) => line.startsWith('mailweir_http_response'));
    expect(lines).toEqual([
      'mailweir_http_response_seconds_bucket{le="0.1",sensor="north"} 3',
      'mailweir_http_response_seconds_bucket{le="0.5",sensor="north"} 3',
      'mailweir_http_response_seconds_bucket{le="+Inf",sensor="north"} 5',
      'mailweir_http_response_seconds_sum{sensor="north"} 7.5',
      'mailweir_http_response_seconds_count{sensor="north"} 5',
    ]);
  });

  it('what there is no figure for has no series; a value that is gone goes', async () => {
    let figures: Record<string, unknown> = { packets: 7, skipped: { arp: 3 } };
    const scraped = new Metrics(() => figures, about);
    const first = (await scraped.scrape('')).text;
    expect(first).toContain('mailweir_decode_skipped_total{reason="arp",sensor="north"} 3');
    figures = { packets: 8, skipped: {} };
    const { text } = await scraped.scrape('');
    const isOurs = (line: string) => /^mailweir_(?!scrape)/.test(line);
    const series = text.split('\n').filter(isOurs);
    expect(series).toEqual([
      'mailweir_build_info{version="1.2.3",sensor="north"} 1',
      'mailweir_capture_packets_total{sensor="north"} 8',
    ]);
  });

  it('a figure that is no number is left out, and keys are quoted', async () => {
    const notify = { 'a"b\n}\\': { sent: 1 }, other: { sent: 'x' }, third: { sent: Number.NaN } };
    const { text } = await new Metrics(() => ({ notify }), about).scrape('');
    expect(text).toContain('receiver="a\\"b\\n}\\\\",sensor="north"} 1');
    expect(text).not.toMatch(/="(other|third)"/);
  });

  it('OpenMetrics where it is accepted, Prometheus text else', async () => {
    const scraped = new Metrics(() => ({ packets: 7 }), about);
    const open = await scraped.scrape('application/openmetrics-text;version=1.0.0,text/plain;q=.5');
    expect(open.type).toContain('application/openmetrics-text');
    expect(open.text).toMatch(/# TYPE mailweir_capture_packets counter\n/);
    expect(open.text.endsWith('# EOF\n')).toBe(true);
    const plain = await scraped.scrape('*/*');
    expect(plain.type).toMatch(/^text\/plain/);
    // Who asked before does not matter.
    expect(plain.text).toMatch(/# TYPE mailweir_capture_packets_total counter\n/);
    expect(plain.text).toMatch(/^process_cpu_seconds_total\{/m);
    expect(open.text).toMatch(/^process_cpu_seconds_total\{/m);
  });

  it('however many keys there are, the number of series has a limit', async () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n]));
    expect(valuesAt({ skipped: many }, ['skipped', '*'])).toHaveLength(128);
    expect(valuesAt({ degraded: ['a', 'b'] }, ['degraded'])).toEqual([[[], 2]]);
  });
});

describe.skipIf(!hasPromtool)('the running daemon', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-metrics-'));
  let daemon: Daemon;
  let url = '';

  beforeAll(async () => {
    const talk = dialogue('S: 220 mx\nC: MAIL FROM:<a@example.org>\nS: 250 ok\n--');
    writeFileSync(join(folder, 'mail.pcap'), pcapOf([talk]));
    const config = 'serve: { http: "127.0.0.1:0" }\nblock: { directory: list }\nsensor: north\n';
    writeFileSync(join(folder, 'config.yaml'), config);
    const files = ['--replay', join(folder, 'mail.pcap'), '--config', join(folder, 'config.yaml')];
    daemon = new Daemon(['run', ...files, '--loop', '--speed', '1']);
    await daemon.until(() => /"http":"127\.0\.0\.1:\d+"/.test(daemon.stderr));
    url = `http://${/"http":"(127\.0\.0\.1:\d+)"/.exec(daemon.stderr)![1]}/metrics`;
  });

  afterAll(async () => {
    await daemon.end();
    rmSync(folder, { recursive: true, force: true });
  });

  it('promtool has nothing to complain about, and the packets are there', async () => {
    const text = async () => await (await fetch(url)).text();
    const last = performance.now() + 10_000;
    const packets = /^mailweir_capture_packets_total\{sensor="north"\} [1-9]/m;
    while (!packets.test(await text()) && performance.now() < last);
    const page = await text();
    expect(page).toMatch(packets);
    expect(page).toMatch(/^mailweir_http_requests_total\{sensor="north"\} [1-9]/m);
    expect(complaints(page)).toBe('');
  });
});
