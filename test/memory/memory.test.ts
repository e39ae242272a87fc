// Memory under a SYN flood: a million lone SYNs over a hundred thousand sessions that hang in their
// envelope. Within the ceiling nothing is lost; with a small ceiling what is given up is counted,
// and the program stays as small as it was told. The figures are printed.

import { spawnSync } from 'node:child_process';
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Truth } from '../../bench/generate/script.js';
import { defaultConfig } from '../../src/config.js';
import { FlowTable, Words } from '../../src/flow/table.js';
import { Cells, cellBytes } from '../../src/lib/cells.js';
import { limitsOf } from '../../src/limits.js';
import type { Stats } from '../../src/output/stats.js';
import { entryWords, nameBytesMax, sessionWords, txWords } from '../../src/smtp/store.js';
import { program } from '../helper/program.js';
import type { SmtpEvent } from '../helper/run.js';

const root = join(import.meta.dirname, '../..');
const generator = join(root, 'dist/bench/generate/main.js');
const peakHook = join(root, 'dist/bench/peak.js');
const folder = mkdtempSync(join(tmpdir(), 'mailweir-memory-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

const sessions = 100_000;
const lone = 1_000_000;
const mebibyte = 1024 ** 2;
/** What the program may take beside its ceiling. */
const beside = 150 * mebibyte;

interface Replayed {
  readonly stats: Stats;
  readonly peak: number;
}

/** Replays the capture; its events are in `events.ndjson`. */
function replayed(...words: string[]): Replayed {
  const path = file('peak');
  const args = ['--import', peakHook, program, 'replay', file('half-open.pcap'), '--format', 'eve'];
  const env = { ...process.env, MAILWEIR_PEAK: path };
  const all = [...args, '--output', file('events.ndjson'), ...words];
  const { status, stderr } = spawnSync(process.execPath, all, { env, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  const tail = spawnSync('tail', ['-n', '1', file('events.ndjson')], { encoding: 'utf8' }).stdout;
  const { stats } = JSON.parse(tail) as { stats: Stats };
  return { stats, peak: Number(readFileSync(path, 'utf8')) * 1024 };
}

function say(what: string, bytes: number, stats: Stats): void {
  const { flows, sessions, transactions, evicted, exhausted } = stats;
  const figures = { flows, sessions, transactions, evicted, exhausted };
  console.info(
    `memory, ${what}: peak ${Math.round(bytes / mebibyte)} MiB`,
    JSON.stringify(figures),
  );
}

async function* linesOf(path: string): AsyncIterable<unknown> {
  for await (const line of createInterface({ input: createReadStream(path) })) {
    yield JSON.parse(line);
  }
}

interface Ends {
  readonly src_ip: string;
  readonly src_port: number;
  readonly tx_id: number;
}

const keyOf = ({ src_ip, src_port, tx_id }: Ends): string => `${src_ip} ${src_port} ${tx_id}`;

/** What truth and event both say, as text. */
function essence(of: Truth | SmtpEvent['smtp']): string {
  const { mail_from, rcpt_to, rcpt_codes, data_code, final_code, bytes, chunking } = of;
  const codes = [data_code ?? null, final_code ?? null, bytes ?? null];
  return JSON.stringify([mail_from, rcpt_to, rcpt_codes, ...codes, chunking]);
}

beforeAll(() => {
  for (const path of [program, generator, peakHook]) {
    expect(existsSync(path), `${path} is missing: npm run build`).toBe(true);
  }
  const words = ['half-open', '--out', file('half-open.pcap'), '--truth', file('truth.ndjson')];
  const { status, stderr } = spawnSync(process.execPath, [generator, ...words], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
}, 120_000);

describe('a SYN flood over live sessions', () => {
  it('costs no session and no transaction within the ceiling', async () => {
    const { stats, peak } = replayed();
    say('default ceiling', peak, stats);
    expect(peak).toBeLessThan(defaultConfig().flow.memory_bytes + beside);
    expect(stats).toMatchObject({
      flows: sessions + lone,
      half_open: lone,
      other: 0,
      sessions,
      reassembly_gaps: 0,
      gap_bytes: 0,
      evicted: 0,
      exhausted: 0,
    });
    const truth = new Map<string, string>();
    for await (const line of linesOf(file('truth.ndjson'))) {
      truth.set(keyOf(line as Ends), essence(line as Truth));
    }
    expect(stats.transactions).toBe(truth.size);
    let wrong = 0;
    for await (const line of linesOf(file('events.ndjson'))) {
      const event = line as SmtpEvent;
      if (event.event_type !== 'smtp') continue;
      if (truth.get(keyOf(event)) !== essence(event.smtp) || event.gaps !== 0) wrong++;
      truth.delete(keyOf(event));
    }
    expect([wrong, truth.size]).toEqual([0, 0]);
  }, 120_000);

  it('stays within a small ceiling and counts what was given up', () => {
    const ceiling = 64 * mebibyte;
    writeFileSync(file('small.yaml'), 'flow: { memory_bytes: 64MiB }\n');
    const { stats, peak } = replayed('--config', file('small.yaml'));
    say('64 MiB', peak, stats);
    expect(peak).toBeLessThan(ceiling + beside);
    expect(stats.evicted).toBeGreaterThan(0);
    expect(stats.decoded).toBe(stats.packets);
    // Nothing is lost from the books.
    expect(stats.sessions + stats.half_open + stats.other).toBe(stats.flows);
    expect(stats.transactions).toBeGreaterThan(0);
  }, 120_000);
});

describe('what a connection costs', () => {
  const { flowsMax } = limitsOf(defaultConfig().flow.memory_bytes);
  const slot = Words.flow * 4;
  // The index of a full table: 8 of 12 bytes an entry; the rest is the old one while it doubles.
  const flow = slot + ((FlowTable.size(flowsMax) / flowsMax - slot) * 2) / 3;
  const cell = Cells.size(1);
  const textOf = (bytes: number): number => Math.ceil(bytes / cellBytes) * cell;
  const idle = flow + sessionWords * 4 + textOf(cellBytes);
  const recipient = entryWords * 4 + textOf(cellBytes);

  it('idle: flow, index, session and the name of its greeting', () => {
    console.info(`memory, idle connection: ${idle.toFixed(0)} bytes (flow ${flow.toFixed(0)})`);
    expect(idle).toBeLessThanOrEqual(512);
  });

  it('in a transaction of 20 recipients, names of up to 64 bytes', () => {
    const busy = idle + txWords * 4 + textOf(cellBytes) + 20 * recipient;
    const longest = entryWords * 4 + textOf(nameBytesMax);
    console.info(
      `memory, 20 recipients: ${busy.toFixed(0)} bytes; each further one ${recipient}, ` +
        `with a name of ${nameBytesMax} bytes ${longest}`,
    );
    expect(busy).toBeLessThanOrEqual(4096);
    expect(recipient).toBeLessThanOrEqual(320);
  });
});
