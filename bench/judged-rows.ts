// A process that judges rows and says what it cost: processor time for each transaction, memory,
// what the tables of subjects hold. `node judged-rows.js SOURCES`; `bench/report.ts` reads what it
// prints. The kernel counts the time, so other work on the machine is not in it, though the caches
// are shared.

import process from 'node:process';
import { RowLoad, transactions } from './row-load.js';

/** What it prints, as JSON. */
export interface JudgedRows {
  readonly sources: number;
  readonly perSecond: number;
  /** Of rounds of 100,000 transactions, the slowest and the fastest. */
  readonly slowest: number;
  readonly fastest: number;
  /** Resident memory before the first row and behind the last, MiB. */
  readonly rssBefore: number;
  readonly rssAfter: number;
  readonly subjects: number;
  readonly tables: ReturnType<RowLoad['detectors']['tables']>;
  readonly givenUp: Readonly<Record<string, number>>;
}

const batches = 100;
const rounds = 9;

function rss(): number {
  return process.memoryUsage().rss / 1024 ** 2;
}

function measure(sources: number): JudgedRows {
  const load = new RowLoad(sources);
  const rssBefore = rss();
  load.warm();
  const rates: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const began = process.cpuUsage();
    for (let batch = 0; batch < batches; batch++) load.round();
    const { user, system } = process.cpuUsage(began);
    rates.push((batches * transactions) / ((user + system) / 1e6));
  }
  rates.sort((a, b) => a - b);
  const tables = load.detectors.tables();
  return {
    sources,
    perSecond: rates[rounds >> 1]!,
    slowest: rates[0]!,
    fastest: rates.at(-1)!,
    rssBefore,
    rssAfter: rss(),
    subjects: tables.reduce((sum, { used }) => sum + used, 0),
    tables: tables.filter(({ used }) => used > 0),
    givenUp: load.detectors.givenUp,
  };
}

console.log(JSON.stringify(measure(Number(process.argv[2] ?? 1_000_000))));
