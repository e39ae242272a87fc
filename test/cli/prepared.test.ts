// The code that a build prepares for replays: it says what the modules say, and where it does not
// fit, is damaged or older than they are, the modules are loaded.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate, presets } from '../../bench/generate/traffic.js';

const root = join(import.meta.dirname, '..', '..');

/** What is built, in a folder of its own. */
const tree = mkdtempSync(join(tmpdir(), 'mailweir-prepared-'));
const script = join(tree, 'dist', 'prepared', 'replay.cjs');
const capture = join(tree, 'mail.pcap');

function node(...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

/** The events of the capture, without the last one, which tells how long it took. */
function events(): string[] {
  const main = join(tree, 'dist', 'src', 'main.js');
  return node(main, 'replay', capture, '--format', 'eve').trim().split('\n').slice(0, -1);
}

/** Writes a script with its cache. */
function seal(text: string, cache = Buffer.alloc(0)): void {
  const digest = createHash('sha256').update(text).update(cache).digest();
  writeFileSync(script, text);
  writeFileSync(`${script}.cache`, Buffer.concat([digest, cache]));
}

/** A script that gives itself away. */
const mark = '(function () { return { main: async () => { console.log("1\\n2"); return 0; } }; })';

describe('prepared code', () => {
  let plain: string[] = [];
  beforeAll(() => {
    for (const name of ['dist/src', 'dist/bench', 'package.json', 'src/prepare.mjs']) {
      cpSync(join(root, name), join(tree, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    const options = { ...presets['mixed']!.options, sessions: 40, concurrency: 10 };
    generate({ path: capture, seed: 5, options });
    plain = events();
    node(join(tree, 'src', 'prepare.mjs'));
  }, 120_000);
  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  it('gives the events that the modules give', () => {
    expect(plain.length).toBeGreaterThan(80);
    expect(events()).toEqual(plain);
  });

  it('is left alone when it is not whole', () => {
    const cache = readFileSync(`${script}.cache`);
    const damaged = Buffer.from(cache);
    damaged[damaged.length >> 1]! ^= 1;
    for (const bytes of [damaged, cache.subarray(0, 100), Buffer.alloc(0)]) {
      writeFileSync(`${script}.cache`, bytes);
      expect(events()).toEqual(plain);
    }
  });

  it('is run though its cache is of another version of V8', () => {
    seal(mark, Buffer.alloc(100, 1));
    expect(events()).toEqual(['1']);
  });

  it('is what a replay runs, unless the modules were built after it', () => {
    seal(mark);
    expect(events()).toEqual(['1']);
    utimesSync(script, 1e9, 1e9);
    expect(events()).toEqual(plain);
  });

  it('is for replays only', () => {
    seal(mark);
    const main = join(tree, 'dist', 'src', 'main.js');
    expect(node(main, '--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(node(main, 'replay', '--help')).toBe('1\n2\n');
  });
});
