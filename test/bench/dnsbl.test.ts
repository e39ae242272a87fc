// The bench of the DNSBL in small: both servers are asked and the table is written. What it
// measures here means little.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { has } from '../capture/captures.js';

const bench = join(import.meta.dirname, '..', '..', 'dist', 'bench', 'dnsbl.js');
const missing = ['dig', 'dnsperf', 'rbldnsd'].filter((name) => !has(name));

describe.skipIf(missing.length > 0)(`the bench of the DNSBL ${missing.join(', ')}`, () => {
  it('asks both servers and loses nothing at a modest rate', () => {
    expect(existsSync(bench), 'dist is missing: npm run build').toBe(true);
    const words = ['--entries', '2000', '--seconds', '1', '--rounds', '1', '--rate', '2000'];
    const { stdout, stderr } = spawnSync(process.execPath, [bench, ...words], { encoding: 'utf8' });
    const own = /^\| mailweir \| ([\d,]+) \| [\d.]+ \| ([\d,]+) \| (\d+) \| \d+ \|$/m.exec(stdout);
    expect(own, stdout + stderr).not.toBe(null);
    const [most, reached, lost] = own!.slice(1).map((text) => Number(text.replaceAll(',', '')));
    expect(most).toBeGreaterThan(2000);
    expect(reached).toBeGreaterThan(1500);
    expect(lost).toBe(0);
    expect(stdout).toMatch(/^\| rbldnsd \| /m);
  });
});
