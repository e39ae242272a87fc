// A million sources: the metrics have no more series than before, and a scrape stays short. The
// daemon's own parts do it in a process of their own, see bench/scrape.ts, which has the figure.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const program = new URL('../../dist/bench/scrape.js', import.meta.url).pathname;

interface Line {
  readonly sources: number;
  readonly series: number;
  readonly median_ms: number;
  readonly customers: number;
  readonly entries: number;
}

it('a million sources are no series, and a scrape of them takes milliseconds', async () => {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [program, '10000', '1000000']);
  const [few, many] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  expect(many!.sources).toBe(1_000_000);
  // They were seen, and some of them are on the list.
  expect(many!.customers).toBeGreaterThan(950_000);
  expect(many!.entries).toBeGreaterThan(0);
  expect(many!.series).toBeLessThan(2000);
  // What comes is words: rules, guards and roles that had not spoken yet.
  expect(many!.series - few!.series).toBeLessThan(100);
  // 5 ms on a quiet machine; others run here too.
  expect(many!.median_ms).toBeLessThan(150);
}, 240_000);
