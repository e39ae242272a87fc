// The measuring tools against programs whose cost is known, and the writing of tables.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allocated, compare, cost, installed, median, processor } from '../../bench/measure.js';
import { fill, row } from '../../bench/tables.js';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailweir-measure-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const burn = (ms: number) => `const end = Date.now() + ${ms}; while (Date.now() < end);`;

describe('cost', () => {
  it('counts a child of the measured program too', async () => {
    const inner = `require('child_process').execFileSync(process.execPath, ['-e', '${burn(400)}'])`;
    const run = await cost(process.execPath, ['-e', inner]);
    expect(processor(run)).toBeGreaterThan(0.25);
    expect(run.elapsed).toBeGreaterThan(0.4);
  }, 30_000);

  it('refuses the time of a program that failed, with its last words', async () => {
    const failing = cost(process.execPath, [
      '-e',
      'console.error("no such file"); process.exit(1)',
    ]);
    await expect(failing).rejects.toThrow('no such file');
  }, 30_000);

  it('takes turns: as many runs of one as of the other', async () => {
    const log = join(folder, 'log');
    const say = (word: string) => ['bash', '-c', `echo ${word} >> ${log}`];
    const result = await compare(say('ours'), say('theirs'), 2);
    expect([result.ours.length, result.yardstick.length]).toEqual([2, 2]);
    const order = readFileSync(log, 'utf8').trim().split('\n').join(' ');
    expect(order).toBe('theirs ours ours theirs ours theirs');
  }, 30_000);
});

describe('allocated', () => {
  it('counts what a program puts on the heap, within a fifth', async () => {
    // Arrays of 100 numbers that are not small integers: 800 bytes and a little, 100,000 times.
    const script = 'let a; for (let i = 0; i < 1e5; i++) { a = new Array(100).fill(i + 0.5); }';
    const none = await allocated(['--expose-gc', '-e', 'gc()']);
    const some = await allocated(['--expose-gc', '-e', `${script} gc(); globalThis.a = a`]);
    expect((some - none) / 8.3e7).toBeGreaterThan(0.8);
    expect((some - none) / 8.3e7).toBeLessThan(1.25);
  }, 30_000);
});

describe('tables', () => {
  it('stand between their markers and nowhere else', () => {
    const path = join(folder, 'README.md');
    writeFileSync(path, 'before\n<!-- a:begin -->\nold\n<!-- a:end -->\nbehind\n');
    fill(path, 'a', `${row('x', 1234)}\n`);
    fill(path, 'a', `${row('y', 1234)}\n`);
    expect(readFileSync(path, 'utf8')).toBe(
      'before\n<!-- a:begin -->\n| y | 1,234 |\n<!-- a:end -->\nbehind\n',
    );
    expect(() => fill(path, 'b', '')).toThrow('no place "b"');
  });

  it('knows the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  it('finds programs', async () => {
    expect(await installed('bash')).toBe(true);
    expect(await installed('no-such-program-anywhere')).toBe(false);
  });
});
