// What a transaction costs the detectors with all shipped rules on, from rows (row-load.ts), with
// 1,000 to 1,000,000 sources. 1,000 transactions an iteration, so that its microseconds are the
// nanoseconds of one; 100,000 a second on one core is 10 microseconds.
// MAILWEIR_BENCH_SMOKE=1 runs each case once, small.

import process from 'node:process';
import { bench, run, summary } from 'mitata';
import { RowLoad, transactions } from '../row-load.js';

const smoke = process.env['MAILWEIR_BENCH_SMOKE'] === '1';
const sizes = smoke ? [100, 1000] : [1000, 100_000, 1_000_000];

summary(() => {
  for (const size of sizes) {
    const load = new RowLoad(size);
    if (smoke) {
      load.round();
      console.log(`${size} sources: ${load.findings} findings`);
      continue;
    }
    load.warm();
    bench(`${transactions} transactions, ${size} sources`, () => load.round());
  }
});

if (!smoke) await run();
