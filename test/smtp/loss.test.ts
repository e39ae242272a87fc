// Loss, copies and disorder over ten thousand varied sessions, against the same sessions undamaged.
// What is lost may be missing and must be marked; what is reported must have been said.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ipaddr from 'ipaddr.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate, presets } from '../../bench/generate/traffic.js';
import { faulty } from '../../src/capture/faulty.js';
import { openCapture } from '../../src/capture/open.js';
import type { FrameBatch, Source } from '../../src/capture/source.js';
import { Decoder, decodeDefaults } from '../../src/decode/decoder.js';
import { Packet } from '../../src/decode/packet.js';
import { believed, invented, joined, micros } from '../helper/invariants.js';
import { type Result, runSource, type SmtpEvent, smallConfig } from '../helper/run.js';

const seed = 20_240_229;
const sessions = 10_000;
/** What the mirror port does, and the share that must still be found exactly. */
const scenarios = [
  {
    name: '1 % lost, 1 % doubled, 5 % late',
    drop: 0.01,
    duplicate: 0.01,
    reorder: 0.05,
    found: 0.95,
  },
  { name: '10 % lost', drop: 0.1, duplicate: 0, reorder: 0, found: 0.6 },
  {
    name: '3 % lost, 30 % far too late',
    drop: 0.03,
    duplicate: 0.1,
    reorder: 0.3,
    reorderDistance: 300,
    found: 0.6,
  },
];
const config = smallConfig(undefined, 256 * 1024 * 1024);
const folder = mkdtempSync(join(tmpdir(), 'mailweir-loss-'));
const path = join(folder, 'mixed.pcap');
const truthPath = join(folder, 'mixed.ndjson');

/** Segments with payload of a source, by connection and place in the stream, with their times. */
type Segments = Map<string, Map<string, Segment>>;

interface Segment {
  readonly time: number;
  /** Who sent it and how it begins, for messages. */
  readonly text: string;
}

let clean: Result;
const sent: Segments = new Map();

beforeAll(async () => {
  generate({ path, truthPath, seed, options: { ...presets['mixed']!.options, sessions } });
  clean = await runSource(tapped(openCapture(path), sent), config);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('the undamaged sessions are what their truth says', () => {
  const truth = readFileSync(truthPath, 'utf8').trim().split('\n').map(factOf);
  expect(clean.smtp.every((event) => event.gaps === 0 && event.sides === 'both')).toBe(true);
  expect(clean.smtp.map(({ smtp, ...event }) => factText({ ...event, ...smtp })).sort()).toEqual(
    truth.sort(),
  );
});

describe.each(scenarios)('$name', (scenario) => {
  let flows: Flow[];
  let damaged: Result;
  /** What `look` finds in each connection, with what was lost of it. */
  const told = (look: (flow: Flow) => string[]) => {
    return flows.flatMap((flow) => {
      const found = look(flow);
      const events = { clean: flow.clean.map(brief), got: flow.got.map(brief) };
      return found.length > 0 ? [{ found, lost: flow.texts, ...events }] : [];
    });
  };
  beforeAll(async () => {
    const { name: _, found: __, ...faults } = scenario;
    const seen: Segments = new Map();
    damaged = await runSource(tapped(faulty(openCapture(path), { seed, ...faults }), seen), config);
    flows = flowsOf(damaged.smtp, seen);
  }, 60_000);

  it('nothing is invented', () => {
    expect(told((flow) => invented(flow.clean, flow.got))).toEqual([]);
    const more = told(({ clean, got }) => (got.length > clean.length ? ['more'] : []));
    expect(more).toEqual([]);
  });

  it('no envelopes are joined', () => {
    expect(told((flow) => joined(flow.clean, flow.got))).toEqual([]);
  });

  it('no message is accepted whose reply was not seen', () => {
    const found = told(({ clean, got, lost }) =>
      believed(clean, got, { times: lost, bytes: true }),
    );
    expect(found).toEqual([]);
  });

  it('what a loss fell into says so', () => {
    const unmarked = told((flow) => {
      const bare = pairs(flow).filter(([whole, got]) => got?.gaps === 0 && isHit(flow, whole));
      return bare.map(([whole]) => `unmarked: ${brief(whole)}`);
    });
    expect(unmarked).toEqual([]);
  });

  it('an outcome is the true one, or unknown', () => {
    const wrong = told((flow) => {
      return pairs(flow).flatMap(([whole, got]) => {
        // Without a sender it may be another's: the pairing is by order.
        if (got?.smtp.mail_from === null) return [];
        const { outcome } = (got ?? whole).smtp;
        const isTrue = outcome === whole.smtp.outcome || outcome === 'unknown';
        return isTrue ? [] : [`${outcome}: ${brief(whole)}`];
      });
    });
    expect(wrong).toEqual([]);
  });

  it('most are found with sender and recipients exact', () => {
    const all = flows.flatMap(pairs);
    const found = all.filter(([whole, got]) => got !== null && isExact(whole, got)).length;
    const hit = flows.reduce((sum, flow) => {
      return sum + flow.clean.filter((whole) => isHit(flow, whole)).length;
    }, 0);
    const lost = flows.reduce((sum, flow) => sum + flow.lost.length, 0);
    const right = all.filter(([whole, got]) => got?.smtp.outcome === whole.smtp.outcome).length;
    console.info(
      `${scenario.name}: ${clean.stats.packets} packets, ${lost} segments lost; ` +
        `${all.length} transactions, ${hit} hit; found exact ${percent(found, all.length)}, ` +
        `outcome the same ${percent(right, all.length)}; ${damaged.stats.duplicates} duplicates`,
    );
    expect(lost).toBeGreaterThan(500);
    expect(found / all.length).toBeGreaterThanOrEqual(scenario.found);
  });
});

describe('one side of it', () => {
  it('the client alone: every envelope, and no outcome', async () => {
    const source = faulty(openCapture(path), { seed, sides: 'client' });
    const { smtp } = await runSource(source, config);
    expect(smtp.every(({ smtp, sides }) => smtp.outcome === 'unknown' && sides === 'client')).toBe(
      true,
    );
    const envelopes = (events: readonly SmtpEvent[]) => {
      return events.map((event) =>
        JSON.stringify([keyOf(event), event.smtp.mail_from, event.smtp.rcpt_to]),
      );
    };
    expect(envelopes(smtp).sort()).toEqual(envelopes(clean.smtp).sort());
  });

  it('the server alone: every 354 with its final reply', async () => {
    const source = faulty(openCapture(path), { seed, sides: 'server' });
    const { smtp } = await runSource(source, config);
    expect(smtp.every(({ smtp, sides }) => smtp.mail_from === null && sides === 'server')).toBe(
      true,
    );
    const announced = (events: readonly SmtpEvent[]) => {
      const own = events.filter((event) => event.smtp.data_code === 354);
      return own.map((event) => `${keyOf(event)} ${event.smtp.final_code}`);
    };
    expect(announced(smtp).sort()).toEqual(announced(clean.smtp).sort());
  });
});

interface Flow {
  readonly clean: SmtpEvent[];
  readonly got: SmtpEvent[];
  /** Times of the segments that the damaged run never saw. */
  readonly lost: readonly number[];
  readonly texts: readonly string[];
}

function flowsOf(events: readonly SmtpEvent[], seen: Segments): Flow[] {
  const flows = new Map<string, Flow>();
  for (const [key, segments] of sent) {
    const left = seen.get(key);
    const missing = [...segments].filter(([place]) => !left?.has(place)).map(([, one]) => one);
    const lost = missing.map(({ time }) => time);
    flows.set(key, { clean: [], got: [], lost, texts: missing.map(({ text }) => text) });
  }
  for (const event of clean.smtp) flows.get(keyOf(event))!.clean.push(event);
  for (const event of events) flows.get(keyOf(event))!.got.push(event);
  return [...flows.values()];
}

function brief({ smtp, gaps }: SmtpEvent): string {
  const codes = [smtp.mail_code, `[${smtp.rcpt_codes}]`, smtp.data_code, smtp.final_code];
  const to = JSON.stringify(smtp.rcpt_to);
  return `<${smtp.mail_from}> ${to} ${codes.join(' ')} ${smtp.outcome} gaps ${gaps}`;
}

function isHit({ lost }: Flow, { smtp, timestamp }: SmtpEvent): boolean {
  return lost.some((time) => micros(smtp.started) <= time && time <= micros(timestamp));
}

function isExact(whole: SmtpEvent, got: SmtpEvent): boolean {
  const envelope = ({ smtp }: SmtpEvent) => JSON.stringify([smtp.mail_from, smtp.rcpt_to]);
  return envelope(whole) === envelope(got);
}

/** Each clean transaction with the one of the damaged run that is it, in order, or null. */
function pairs({ clean, got }: Flow): [SmtpEvent, SmtpEvent | null][] {
  const [rows, columns] = [clean.length, got.length];
  const best = Array.from({ length: rows + 1 }, () => new Array<number>(columns + 1).fill(0));
  const worth = (i: number, j: number): number => {
    if (isExact(clean[i]!, got[j]!)) return 4;
    if (joined([clean[i]!], [got[j]!]).length > 0) return -1;
    return clean[i]!.smtp.mail_from === got[j]!.smtp.mail_from ? 3 : 1;
  };
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      const both = worth(i, j) < 0 ? 0 : worth(i, j) + best[i + 1]![j + 1]!;
      best[i]![j] = Math.max(best[i + 1]![j]!, best[i]![j + 1]!, both);
    }
  }
  const result: [SmtpEvent, SmtpEvent | null][] = [];
  for (let i = 0, j = 0; i < rows; i++) {
    while (j < columns && best[i]![j] === best[i]![j + 1]) j++;
    const takes = j < columns && best[i]![j]! > best[i + 1]![j]!;
    result.push([clean[i]!, takes ? got[j++]! : null]);
  }
  return result;
}

/** Passes a source on and notes its segments. */
function tapped(source: Source, segments: Segments): Source {
  const decoder = new Decoder(decodeDefaults);
  const packet = new Packet();
  const note = (batch: FrameBatch) => {
    for (let i = 0; i < batch.count; i++) {
      if (decoder.decode(batch, i, packet) !== 0 || packet.payloadLength === 0) continue;
      const key = keyOfPacket(packet);
      const own = segments.get(key) ?? new Map<string, Segment>();
      segments.set(key, own);
      const side = packet.dstPort === 25 ? 'C' : 'S';
      const place = `${side} ${packet.seq}`;
      if (own.has(place)) continue;
      const end = Math.min(packet.payloadTo, packet.payloadFrom + 70);
      const text = `${side}: ${packet.bytes.toString('latin1', packet.payloadFrom, end)}`;
      own.set(place, { time: batch.time[i]!, text });
    }
  };
  return {
    name: source.name,
    problem: null,
    drops: 0,
    close: () => source.close(),
    progress: () => source.progress(),
    next: async () => {
      const batch = await source.next();
      if (batch !== null) note(batch);
      return batch;
    },
  };
}

function keyOfPacket(p: Packet): string {
  const src = `${p.src0},${p.src1},${p.src2},${p.src3} ${p.srcPort}`;
  const dst = `${p.dst0},${p.dst1},${p.dst2},${p.dst3} ${p.dstPort}`;
  return p.dstPort === 25 ? `${src} ${dst}` : `${dst} ${src}`;
}

function keyOf({ src_ip, src_port, dest_ip, dest_port }: SmtpEvent): string {
  return `${words(src_ip)} ${src_port} ${words(dest_ip)} ${dest_port}`;
}

function words(text: string): string {
  const address = ipaddr.parse(text);
  const bytes = address.toByteArray();
  const all = bytes.length === 4 ? [...new Array<number>(10).fill(0), 255, 255, ...bytes] : bytes;
  return [0, 4, 8, 12].map((at) => Buffer.from(all).readInt32BE(at)).join();
}

/** What the generator's truth and an event both know, as one line. */
function factText(of: Record<string, unknown>): string {
  const fields = ['src_ip', 'src_port', 'tx_id', 'mail_from', 'rcpt_to', 'rcpt_codes'];
  const more = ['data_code', 'final_code', 'bytes', 'chunking'];
  return JSON.stringify([...fields, ...more].map((field) => of[field] ?? null));
}

function factOf(line: string): string {
  const fact = JSON.parse(line) as Record<string, unknown>;
  return factText({ ...fact, src_ip: ipaddr.parse(String(fact['src_ip'])).toString() });
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(2)} %`;
}
