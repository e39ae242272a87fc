// The workers of a live tap with real threads: one is killed, the main thread stands still, they
// are told to stop. Each listens to a capture file that never ends, in the place of an interface.
// Needs the compiled worker.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { generate, presets } from '../../bench/generate/traffic.js';
import { RowCursor, RowKind } from '../../src/batch/row.js';
import type { LivePlan } from '../../src/capture/live.js';
import { Crew, type CrewOptions, type Death } from '../../src/cli/crew.js';
import { Figure, statsOf } from '../../src/figures.js';
import { smallConfig } from '../helper/run.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-crew-'));
afterAll(() => rmSync(folder, { recursive: true }));
const capture = join(folder, 'mixed.pcap');
const worker = join(import.meta.dirname, '..', '..', 'dist', 'src', 'worker.js');

beforeAll(() => {
  expect(existsSync(worker), 'dist is missing: npm run build').toBe(true);
  const { options } = presets['mixed']!;
  generate({ path: capture, seed: 3, options: { ...options, sessions: 300, concurrency: 50 } });
});

const pause = (ms: number) => new Promise<void>((resume) => setTimeout(resume, ms));

/** The main thread does nothing else for so long. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** A crew whose rows are counted. */
class Watched {
  readonly crew: Crew;
  readonly deaths: Death[] = [];
  readonly over: Promise<readonly string[]>;
  rows = 0;
  readonly #cursor = new RowCursor();

  constructor(workers: number, options: Partial<CrewOptions> = {}, plan: Partial<LivePlan> = {}) {
    const file = { kind: 'file', path: capture, speed: null, gap: 700e6, ...plan } as LivePlan;
    this.crew = new Crew({
      config: smallConfig(undefined, 32 * 1024 * 1024),
      plans: Array.from({ length: workers }, () => file),
      sink: {
        rows: (area, length) => {
          this.#cursor.open(area, length);
          while (this.#cursor.next()) {
            expect([RowKind.transaction, RowKind.session]).toContain(this.#cursor.kind);
            this.rows++;
          }
        },
      },
      drain: async () => true,
      died: (death) => this.deaths.push(death),
      workerFile: pathToFileURL(worker),
      ...options,
    });
    this.over = this.crew.run();
  }

  get stats() {
    return statsOf(this.crew.figures, 0);
  }

  async until(holds: () => boolean): Promise<void> {
    const last = performance.now() + 20_000;
    while (!holds()) {
      if (performance.now() > last) throw new Error(JSON.stringify([this.stats, this.deaths]));
      await pause(20);
    }
  }

  /** Ends it; every row that was written is accounted for. */
  async end(): Promise<readonly string[]> {
    this.crew.stop();
    return this.over;
  }
}

let watched: Watched | null = null;
afterEach(async () => {
  await watched?.end().catch(() => {});
  watched = null;
});

describe('a crew', () => {
  it('hands on every row, and its figures are the sum of its workers', async () => {
    watched = new Watched(2);
    const { crew } = watched;
    await watched.until(() => crew.figures.every((one) => one[Figure.sessions]! > 600));
    expect(await watched.end()).toEqual([]);
    const { sessions, transactions, rows_dropped, packets } = watched.stats;
    expect(watched.rows).toBe(sessions + transactions);
    expect(rows_dropped).toBe(0);
    expect(packets).toBe(crew.figures.reduce((sum, one) => sum + one[Figure.packets]!, 0));
  }, 30_000);

  it('starts a worker again that died, and counts what was open in it', async () => {
    watched = new Watched(2, {}, { speed: 5 });
    const { crew, deaths } = watched;
    await watched.until(() => crew.figures.every((one) => one[Figure.flowsOpen]! > 10));
    const before = crew.figures.map((one) => one[Figure.packets]!);
    await crew.threads[1]!.terminate();
    await watched.until(() => deaths.length === 1);
    expect(deaths[0]).toMatchObject({ worker: 1, error: expect.stringMatching(/./) });
    expect(deaths[0]!.flows).toBeGreaterThan(10);
    // Both go on, and no counter runs backwards.
    await watched.until(() =>
      crew.figures.every((one, n) => one[Figure.packets]! > before[n]! + 500),
    );
    expect(await watched.end()).toEqual([]);
    const { sessions, transactions, lost_flows, worker_restarts } = watched.stats;
    expect([lost_flows, worker_restarts]).toEqual([deaths[0]!.flows, 1]);
    // What the dead one had counted since it last told is not known; no row came from nowhere.
    expect(watched.rows).toBeGreaterThan(0);
    expect(watched.rows).toBeGreaterThanOrEqual(sessions + transactions);
  }, 30_000);

  it('gives up a worker that dies again and again, with one line', async () => {
    watched = new Watched(1, { workerFile: pathToFileURL(join(folder, 'none.js')) });
    await expect(watched.over).rejects.toThrow(/^worker 0: [^\n]+; it died 6 times in a minute$/);
    expect(watched.deaths).toHaveLength(5);
  }, 30_000);

  it('counts and drops rows while the main thread stands still, and recovers', async () => {
    watched = new Watched(2, { rowBytes: 512 * 1024 });
    await watched.until(() => watched!.rows > 1000);
    const memory = process.memoryUsage().arrayBuffers;
    const packets = watched.stats.packets;
    // Two seconds at least; longer where the workers get little of the processor.
    standStill(2000);
    for (let n = 0; n < 50 && watched.stats.rows_dropped <= 100; n++) standStill(200);
    const after = watched.stats;
    // The workers went on, and what they had no room for is told.
    expect(after.packets).toBeGreaterThan(packets + 10_000);
    expect(after.rows_dropped).toBeGreaterThan(100);
    const rows = watched.rows;
    await watched.until(() => watched!.rows > rows + 5000);
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(memory + 16 * 1024 * 1024);
    await watched.end();
    const { sessions, transactions, rows_dropped } = watched.stats;
    expect(watched.rows + rows_dropped).toBe(sessions + transactions);
  }, 30_000);

  it('ends although nobody takes the rows, and counts them', async () => {
    let deaf = false;
    watched = new Watched(2, { drain: async () => !deaf, rowBytes: 4 * 1024 * 1024 });
    await watched.until(() => watched!.rows > 100);
    deaf = true;
    const { packets } = watched.stats;
    await watched.until(() => watched!.stats.packets > packets + 50_000);
    const asked = performance.now();
    await watched.end();
    expect(performance.now() - asked).toBeLessThan(6000);
    const { sessions, transactions, rows_dropped } = watched.stats;
    expect(rows_dropped).toBeGreaterThan(0);
    expect(watched.rows + rows_dropped).toBe(sessions + transactions);
  }, 30_000);

  it('says in one line that a source cannot be used', async () => {
    watched = new Watched(2, {}, { path: join(folder, 'none.pcap') });
    await expect(watched.over).rejects.toThrow(/none\.pcap: no such file[^\n]*$/);
  }, 30_000);
});
