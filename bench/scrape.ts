// What a scrape costs, and how many series it has, when a million sources were seen: the daemon's
// own office, block list and HTTP server over rows that are made here. Most sources mail once; some
// guess addresses, so that detectors, policy and list have work of them. It prints a line of JSON
// for each number of sources that it is given.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pino } from 'pino';
import { Outcome } from '../src/batch/row.js';
import { Enforcement } from '../src/cli/enforcement.js';
import { lawOf } from '../src/cli/judge.js';
import { Listing } from '../src/cli/listing.js';
import { Office } from '../src/cli/office.js';
import { Publication } from '../src/cli/publish.js';
import { loadConfig } from '../src/config.js';
import { figureCount, statsOf } from '../src/figures.js';
import { ReplyClass } from '../src/smtp/reply-class.js';
import { RowEncoder } from './generate/rows.js';
import { median } from './measure.js';

/** Every so manyth source guesses recipients, each at another server, so many times. */
const guessers = 500;
const guesses = 40;
/** Microseconds between two sources: a million of them in a quarter of an hour. */
const apart = 900;
const began = 1_700_000_000e6;
const scrapes = 31;

/** Addresses of an own /8, spread so that neighbours in time are none in the plan. */
const clientOf = (index: number) => [
  ...[0, 0, 0xffff],
  0x0a000000 | (Math.imul(index, 0x9e3779b1) >>> 8),
];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resume) => server.once('listening', resume));
  const { port } = server.address() as { port: number };
  await new Promise((resume) => server.close(resume));
  return port;
}

/** The daemon behind its packets: rows go in, `/metrics` comes out. */
class Bench {
  readonly #folder = mkdtempSync(join(tmpdir(), 'mailweir-scrape-'));
  readonly #figures = new Float64Array(figureCount);
  readonly #encoder = new RowEncoder();
  #office: Office | null = null;
  #url = '';
  #sources = 0;

  async open(): Promise<void> {
    const port = await freePort();
    const path = join(this.#folder, 'mailweir.yaml');
    const config = `sensor: bench
network: { own: [10.0.0.0/8], pools: [{ cidr: 10.0.0.0/8, role: customer-dynamic }] }
capture: { tap_side: customer }
rules: { mode: enforce }
block: { directory: list }
state: { directory: state }
serve: { http: "127.0.0.1:${port}" }
`;
    writeFileSync(path, config);
    const law = await lawOf(await loadConfig(path));
    const log = pino({ level: 'silent' });
    const listing = new Listing(law, log);
    const enforcement = new Enforcement(law.config, listing.list, { log, hand: null });
    const publication = await Publication.open(law.config, listing.list, {
      log,
      law,
      seen: enforcement,
      figures: () => ({ ...this.#office?.figures(statsOf([this.#figures], 1000)) }),
    });
    const nothing = () => {};
    const events = { rows: nothing, alert: nothing, decision: nothing, flush: nothing };
    this.#office = new Office({
      law,
      events: { ...events, stats: nothing },
      log,
      observe: false,
      listing,
      enforcement,
      publication,
      reload: async () => law,
    });
    this.#url = `http://127.0.0.1:${port}/metrics`;
  }

  /** Sources up to a number in all, each with a session and a transaction. */
  see(sources: number): void {
    const office = this.#office!;
    const encoder = this.#encoder;
    for (; this.#sources < sources; this.#sources++) {
      const index = this.#sources;
      const time = began + index * apart;
      const turns = index % guessers === 0 ? guesses : 0;
      for (let turn = 0; turn < turns; turn++) this.#guess(index, turn);
      if (turns === 0) this.#mail(index);
      if (encoder.length < 500_000) continue;
      office.rows(encoder.area, encoder.length);
      encoder.clear();
      office.tick(time);
    }
    office.rows(encoder.area, encoder.length);
    encoder.clear();
  }

  #mail(index: number): void {
    const time = began + index * apart;
    const base = { client: clientOf(index), flow: [1, index], started: time, time, last: time };
    this.#encoder.transaction(base).session(base);
  }

  /** A recipient that does not exist, at another server each time. */
  #guess(index: number, turn: number): void {
    const time = began + index * apart + turn;
    const base = {
      client: clientOf(index),
      server: [0, 0, 0xffff, (0xc6336400 + turn) | 0],
      flow: [2 + turn, index],
      started: time,
      time,
      last: time,
    };
    const rcpt = { address: 'x@example.org', code: 550, class: ReplyClass.unknownUser };
    const hash = [index, turn, 7, 7];
    const outcome = Outcome.rejected;
    this.#encoder.transaction({
      ...base,
      outcome,
      dataCode: 0,
      finalCode: 0,
      rcpts: [{ ...rcpt, hash }],
    });
    const rcptOutcomes = [0, 0, 1, 0, 0, 0, 0, 0];
    this.#encoder.session({ ...base, accepted: 0, rcptOffered: 1, rcptRefused: 1, rcptOutcomes });
  }

  /** Series of a scrape, its bytes, and the median of its milliseconds by HTTP. */
  async measure(): Promise<object> {
    const times: number[] = [];
    let text = '';
    for (let scrape = 0; scrape < scrapes; scrape++) {
      const start = performance.now();
      text = await (await fetch(this.#url, { headers: { connection: 'close' } })).text();
      times.push(performance.now() - start);
    }
    const value = (name: string) =>
      Number(new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'm').exec(text)?.[1]);
    return {
      sources: this.#sources,
      series: text.split('\n').filter((line) => /^\w/.test(line)).length,
      bytes: text.length,
      median_ms: Math.round(median(times) * 100) / 100,
      customers: value('mailweir_detect_customers'),
      entries: value('mailweir_list_entries'),
    };
  }

  async close(): Promise<void> {
    await this.#office?.close(0);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const bench = new Bench();
try {
  await bench.open();
  for (const sources of process.argv.slice(2).map(Number)) {
    bench.see(sources);
    console.log(JSON.stringify(await bench.measure()));
  }
} finally {
  await bench.close();
}
