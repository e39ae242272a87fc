// The live bench in small: its runs are run and its tables filled. What it measures here means
// little.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generate, presets } from '../../bench/generate/traffic.js';
import { liveTables } from '../../bench/live.js';
import { loadAddon } from '../../src/capture/ring/addon.js';
import { has } from '../capture/captures.js';

const built = existsSync(join(import.meta.dirname, '../../dist/bench/count.js'));
const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  ...['ip', 'tcpreplay', 'tcpdump', 'chrt', 'sysctl'].map((name) => (has(name) ? '' : name)),
  typeof loadAddon() === 'string' ? 'the addon' : '',
  built ? '' : 'dist',
].filter((what) => what !== '');
const capable = missing.length === 0;
if (!capable) console.warn(`bench: 1 test of live not run; missing: ${missing.join(', ')}`);

describe.runIf(capable)('the live bench', () => {
  it('loses nothing of a small capture, and says what a packet costs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mailweir-live-bench-'));
    try {
      const capture = join(folder, 'small.pcap');
      const options = { ...presets['ordinary']!.options, sessions: 150, concurrency: 50 };
      const { frames } = generate({ path: capture, seed: 3, options });
      const [rates, costs] = await liveTables({
        capture,
        frames,
        runs: 1,
        rates: [40_000],
        listeners: ['count ring'],
        costRates: [40_000],
        costRuns: 1,
        warm: 1000,
        folder,
        say: () => {},
      });
      expect(rates!.at(-1)).toMatch(/^\| 40,000 \| [\d,]+ \| 0 of 1 \| 0 \| 0 of 1 \| 0 \|$/);
      expect(costs!.at(-1)).toMatch(/^\| capture alone, ring \| \d+\.\d\d \| 0 \|$/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);
});
