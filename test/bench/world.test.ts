// The labelled world: repeatable, within the ranges it declares, and true: without noise the
// program must read from its packets exactly what the truth file says happened.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Rng } from '../../bench/generate/rng.js';
import { readRows } from '../../bench/generate/row-reader.js';
import { type Row, RowEncoder } from '../../bench/generate/rows.js';
import { beside, epoch, writeConfig, writeWorld } from '../../bench/world/files.js';
import { Range } from '../../bench/world/ground.js';
import { type MirrorOptions, perfectMirror } from '../../bench/world/mirror.js';
import { cut, dayMix, heldBackSpread, tuningSpread } from '../../bench/world/mixes.js';
import { TalkRows } from '../../bench/world/rows.js';
import { arrivals, hour } from '../../bench/world/source.js';
import type { Talk } from '../../bench/world/talk.js';
import { makeWorld, type World } from '../../bench/world/world.js';
import { openCapture } from '../../src/capture/open.js';
import { defaultConfig } from '../../src/config.js';
import { Engine } from '../../src/engine.js';
import { SipHash } from '../../src/lib/siphash.js';
import { eventsIn, mailweir } from '../helper/program.js';

// Seconds alone, more on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailweir-world-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const length = hour / 2;

function world(seed: number, share = 0.04): World {
  return makeWorld({ seed, mix: cut(dayMix, share), spread: tuningSpread, length });
}

function capture(name: string, seed: number, mirror: Partial<MirrorOptions> = {}) {
  const made = world(seed);
  const path = join(folder, `${name}.pcap`);
  const truthPath = beside(path, '-truth.ndjson');
  const { ground, entries, codes } = made;
  const config = writeConfig(path, { ground, entries, codes, mode: 'enforce' });
  const result = writeWorld({
    path,
    seed,
    talks: made.talks(),
    sources: made.sources,
    mirror: { ...perfectMirror, ...mirror },
    wrapping: () => ({ vlan: [] }),
    truthPath,
    length,
  });
  return { ...result, path, truthPath, config };
}

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

interface TruthLine {
  readonly source?: string;
  readonly population?: string;
  readonly guilt?: string | null;
  readonly own?: boolean;
  readonly register?: string;
  readonly others?: number;
  readonly legs?: number;
  readonly src_ip?: string;
  readonly src_port?: number;
  readonly dest_ip?: string;
  readonly tx_id?: number;
  readonly mail_from?: string;
  readonly rcpt_to?: string[];
  readonly rcpt_codes?: number[];
  readonly data_code?: number | null;
  readonly final_code?: number | null;
  readonly bytes?: number | null;
  readonly start?: number;
}

function truthOf(path: string): TruthLine[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as TruthLine);
}

describe('a world', () => {
  it('is the same for the same seed and another for another seed', () => {
    const first = capture('first', 5);
    const again = capture('again', 5);
    const other = capture('other', 6);
    for (const ending of ['.pcap', '-truth.ndjson', '-servers.csv']) {
      const of = (one: { path: string }) => digest(beside(one.path, ending));
      expect(of(again)).toBe(of(first));
      expect(of(other)).not.toBe(of(first));
    }
  });

  it('gives its talks in order of time, and none behind its end by more than a queue', () => {
    let before = 0;
    for (const talk of world(2).talks()) {
      expect(talk.start).toBeGreaterThanOrEqual(before);
      before = talk.start;
    }
    expect(before).toBeGreaterThan(length * 0.9);
    expect(before).toBeLessThan(length + 3 * hour);
  });

  it('has every population, no address twice, and about the declared share unregistered', () => {
    const servers = { listed: 0, missing: 0 };
    for (let seed = 1; seed <= 12; seed++) {
      const { sources, entries } = makeWorld({
        seed,
        mix: dayMix,
        spread: heldBackSpread,
        length,
      });
      const addresses = sources.map(({ address }) => address);
      expect(new Set(addresses).size).toBe(addresses.length);
      expect(addresses.filter((address) => isIP(address) === 0)).toEqual([]);
      const listed = new Set(entries.map(({ cidr }) => cidr.split('/')[0]));
      for (const { address, register, guilt } of sources) {
        expect([address, listed.has(address)]).toEqual([address, /^(reg|inf)/.test(register)]);
        if (guilt === null && register === 'missing') servers.missing++;
        if (guilt === null && register.startsWith('registered')) servers.listed++;
      }
      const kinds = new Set(sources.map(({ guilt }) => guilt));
      expect(kinds.size).toBe(21);
    }
    const share = servers.missing / (servers.missing + servers.listed);
    expect(share).toBeGreaterThan(0.03);
    expect(share).toBeLessThan(0.07);
  });
});

describe('the truth', () => {
  it('is what the program reads from the packets', () => {
    const made = capture('true', 7);
    const { status, stdout, stderr } = mailweir(['replay', made.path, '--format', 'eve']);
    expect([status, stderr]).toEqual([0, '']);
    const read = new Map<string, unknown>();
    let forged = 0;
    for (const event of eventsIn(stdout) as unknown as Transaction[]) {
      if (event.event_type !== 'smtp') continue;
      // The client's half of a dialogue that no server took part in: nothing happened.
      if (event.sides === 'client') forged++;
      else read.set(keyOf({ ...event, tx_id: event.tx_id }), factsOf(event.smtp));
    }
    const told = new Map<string, unknown>();
    for (const line of truthOf(made.truthPath)) {
      if (line.source === undefined) told.set(keyOf(line), factsOf(line));
    }
    expect(told.size).toBeGreaterThan(500);
    expect(forged).toBeGreaterThan(10);
    expect(Object.fromEntries(read)).toEqual(Object.fromEntries(told));
  });

  it('names every source once, with all there is to know of it', () => {
    const lines = truthOf(capture('sources', 8).truthPath);
    const sources = lines.filter(({ source }) => source !== undefined);
    const names = ['source', 'population', 'guilt', 'own', 'register', 'others', 'legs'];
    for (const source of sources) expect(Object.keys(source)).toEqual(names);
    expect(new Set(sources.map(({ source }) => source)).size).toBe(sources.length);
    const known = new Set(sources.map(({ source }) => source));
    const strange = lines.filter(({ src_ip }) => src_ip !== undefined && !known.has(src_ip));
    expect(strange.filter(({ src_ip }) => !src_ip!.startsWith('2001:db8:f'))).toEqual([]);
    const relays = sources.filter(({ guilt }) => guilt === 'relay');
    expect(relays.some(({ legs }) => legs! >= 3)).toBe(true);
  });
});

interface Transaction {
  readonly event_type: string;
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_ip: string;
  readonly tx_id: number;
  readonly sides: string;
  readonly smtp: TruthLine;
}

function keyOf(line: Pick<TruthLine, 'src_ip' | 'src_port' | 'dest_ip' | 'tx_id'>): string {
  return [line.src_ip, line.src_port, line.dest_ip, line.tx_id].join(' ');
}

function factsOf(line: TruthLine) {
  const { mail_from, rcpt_to, rcpt_codes, data_code, final_code, bytes } = line;
  const absent = { data_code: data_code ?? null, final_code: final_code ?? null };
  return { mail_from, rcpt_to, rcpt_codes, ...absent, bytes: bytes ?? null };
}

describe('rows without packets', () => {
  // What only packets know: lengths, times, flow numbers, and odd words of clients that speak none.
  const left = ['flow', 'time', 'started', 'last', 'order', 'bytes', 'bytesToServer'];
  const unknown = new Set([...left, 'bytesToClient', 'packets', 'anomalies', 'syns']);

  it('say what the engine reads from the packets of the same talks', async () => {
    const key = Buffer.alloc(16, 7);
    const read: Row[] = [];
    const engine = new Engine(
      defaultConfig(),
      { rows: (area, end) => read.push(...readRows(area, end)) },
      { factsKey: key },
    );
    const source = openCapture(capture('rows', 12).path);
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      engine.feed(batch);
    }
    engine.finish();
    const told: Row[] = [];
    const sink = { rows: (area: ArrayBuffer, end: number) => told.push(...readRows(area, end)) };
    const rows = new TalkRows(new RowEncoder(new SipHash(key), sink));
    for (const talk of world(12).talks()) rows.talk(talk);
    rows.finish();
    // What nobody answers is told late, when the wait is over.
    const prompt = told.filter((row) => row.kind !== 'attempt' || row.attempt === 1);
    const times = prompt.map(({ time }) => time);
    expect(times).toEqual([...times].sort((one, other) => one - other));
    expect(told.length).toBeGreaterThan(2000);
    // Nor whether a line ends among the random bytes of those who speak no SMTP.
    const isKnown = (row: Row, name: string) =>
      !unknown.has(name) && !(name === 'dialect' && row.kind === 'session' && row.protocol === 4);
    const facts = (list: readonly Row[]) =>
      list
        .map((row) => Object.entries(row).filter(([name]) => isKnown(row, name)))
        .map((fields) => JSON.stringify(fields.sort()))
        .sort();
    expect(facts(told)).toEqual(facts(read));
  });
});

describe('the mirror', () => {
  it('loses the share it was told to, and shows one side of the share it was told to', () => {
    const whole = capture('whole', 9);
    for (const loss of [0.001, 0.01, 0.05]) {
      const { frames, lost } = capture(`loss-${loss}`, 9, { loss });
      expect(frames + lost).toBe(whole.frames);
      expect(lost / whole.frames).toBeGreaterThan(loss * 0.6);
      expect(lost / whole.frames).toBeLessThan(loss * 1.5);
    }
    const sides = (oneSided: number) => {
      const { path } = capture(`sides-${oneSided}`, 9, { oneSided });
      const sessions = eventsIn(mailweir(['replay', path, '--format', 'eve']).stdout).filter(
        (event) => event['event_type'] === 'smtp_session',
      );
      return sessions.filter((event) => event['sides'] !== 'both').length / sessions.length;
    };
    const third = sides(0.3);
    expect(third).toBeGreaterThan(0.15);
    expect(third).toBeLessThan(0.5);
    expect(sides(1)).toBe(1);
  });

  it('begins late, and stamps one direction late, when told to', () => {
    const begins = epoch + 10 * 60e6;
    const { path } = capture('late', 9, { begins, skew: 40_000 });
    const events = eventsIn(mailweir(['replay', path, '--format', 'eve']).stdout);
    const times = events.map((event) => Date.parse(String(event['timestamp'])) * 1000);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(begins - 1000);
    expect(events.at(-1)).toMatchObject({ stats: { reassembly_gaps: expect.any(Number) } });
  });
});

describe('the distributions', () => {
  it('keeps a mean rate, lower by night than by day', () => {
    const times = Array.from({ length: 200 }, (_, seed) => [
      ...arrivals(new Rng(seed + 1), 10, 24 * hour),
    ]).flat();
    expect(times.length / 200 / 24).toBeGreaterThan(9.5);
    expect(times.length / 200 / 24).toBeLessThan(10.5);
    const within = (from: number, to: number) =>
      times.filter((time) => time >= from * hour && time < to * hour).length;
    expect(within(13, 19) / within(1, 7)).toBeGreaterThan(2);
  });

  it('draws shares around their mean and spreads over the orders of size', () => {
    const rng = new Rng(4);
    const of = (draw: () => number) => Array.from({ length: 20_000 }, draw);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value) / values.length;
    for (const share of [0.02, 0.05, 0.2]) {
      const values = of(() => rng.share(share));
      expect(mean(values)).toBeGreaterThan(share * 0.9);
      expect(mean(values)).toBeLessThan(share * 1.1);
      expect(Math.max(...values)).toBeGreaterThan(share * 2);
    }
    const rates = of(() => rng.spread(10, 1000));
    expect(rates.every((rate) => rate >= 10 && rate < 1000)).toBe(true);
    expect(rates.filter((rate) => rate < 100).length / rates.length).toBeCloseTo(0.5, 1);
    expect(mean(of(() => rng.exponential(7)))).toBeCloseTo(7, 0);
  });

  it('gives bots the rates and the refusals that were declared for them', () => {
    const spread = { ...tuningSpread, fastRate: [2000, 2001], fastFail: [0.7, 0.701] } as const;
    const none = Object.fromEntries(Object.keys(dayMix).map((name) => [name, 0]));
    const mix = { ...(none as unknown as typeof dayMix), fastBots: 12 };
    const made = makeWorld({ seed: 3, mix, spread, length: 2 * hour });
    const bots = new Set(made.sources.filter(({ guilt }) => guilt).map(({ address }) => address));
    const answers = { unknown: 0, all: 0 };
    for (const [client, talks] of byClient(made.talks())) {
      if (!bots.has(client)) continue;
      const lasted = talks.at(-1)!.start - talks[0]!.start;
      expect((talks.length / lasted) * hour).toBeGreaterThan(1500);
      expect((talks.length / lasted) * hour).toBeLessThan(2600);
      for (const { answer } of talks.flatMap((talk) => talk.mails.flatMap((m) => m.recipients))) {
        answers.all++;
        if (answer === 'unknown') answers.unknown++;
      }
    }
    expect(bots.size).toBe(12);
    // One domain in ten takes everybody, and a bot in six says it twice to those who refuse.
    expect(answers.unknown / answers.all).toBeGreaterThan(0.58);
    expect(answers.unknown / answers.all).toBeLessThan(0.75);
  });

  it('counts addresses of a range without the first and the last of each 256', () => {
    const range = new Range('198.18.96.0/22');
    const all = Array.from({ length: 4 * 254 }, (_, n) => range.at(n));
    expect(new Set(all).size).toBe(all.length);
    expect(all.every((address) => range.has(address))).toBe(true);
    expect(all.filter((address) => /\.(0|255)$/.test(address))).toEqual([]);
    expect(new Range('203.0.113.240/28').at(0)).toBe('203.0.113.241');
    expect(range.has('198.18.100.1')).toBe(false);
  });
});

/** Talks by the address that opened them. */
function byClient(talks: Iterable<Talk>): Map<string, Talk[]> {
  const found = new Map<string, Talk[]>();
  for (const talk of talks) {
    const list = found.get(talk.client);
    if (list) list.push(talk);
    else found.set(talk.client, [talk]);
  }
  return found;
}
