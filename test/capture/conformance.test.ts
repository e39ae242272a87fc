// What every source must do, whatever it reads from: the same frames, in order, with slack behind
// them, null at the end and after closing. One table of ways to hand the frames over.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { faulty } from '../../src/capture/faulty.js';
import { openCapture, readCapture } from '../../src/capture/open.js';
import type { Source } from '../../src/capture/source.js';
import { StreamSupply } from '../../src/capture/supply.js';
import {
  compiled,
  drain,
  type Frame,
  has,
  pcap,
  pcapng,
  plain,
  randomFrames,
  scratch,
} from './captures.js';

const folder = scratch();
const frames = randomFrames(3000);
const expected = plain(frames);
let files = 0;
const writers: ChildProcess[] = [];

afterAll(() => {
  // A writer whose reader never came waits for ever.
  for (const writer of writers) {
    if (writer.exitCode === null && writer.pid !== undefined) {
      try {
        process.kill(-writer.pid, 'SIGKILL');
      } catch {
        // Gone by itself between the two lines.
      }
    }
  }
  folder.remove();
});

function fileOf(bytes: Buffer): string {
  const path = folder.file(`capture-${files++}`);
  writeFileSync(path, bytes);
  return path;
}

function run(program: string, args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** A FIFO with a writer that comes only after the source was opened. */
function fifo(bytes: Buffer): Source {
  const path = folder.file(`fifo-${files++}`);
  run('mkfifo', [path]);
  const source = openCapture(path);
  const command = `sleep 0.05; exec cat ${fileOf(bytes)} > ${path}`;
  writers.push(spawn('sh', ['-c', command], { stdio: 'ignore', detached: true }));
  return source;
}

function zstd(bytes: Buffer, level: string): Source {
  const path = fileOf(bytes);
  run('zstd', ['-q', level, path]);
  return openCapture(`${path}.zst`);
}

function twoMembers(bytes: Buffer): Buffer {
  const cut = Math.floor(bytes.length / 2) + 1;
  return Buffer.concat([gzipSync(bytes.subarray(0, cut)), gzipSync(bytes.subarray(cut))]);
}

function editcap(frames: readonly Frame[]): Source {
  const from = fileOf(pcap(frames));
  const to = folder.file(`edited-${files++}`);
  run('editcap', ['-F', 'pcapng', from, to]);
  return openCapture(to);
}

const ways: Record<string, (() => Source) | null> = {
  'pcap, little-endian': () => openCapture(fileOf(pcap(frames))),
  'pcap, big-endian': () => openCapture(fileOf(pcap(frames, { big: true }))),
  'pcap, nanoseconds': () => openCapture(fileOf(pcap(frames, { nano: true }))),
  'pcap, big-endian nanoseconds': () =>
    openCapture(fileOf(pcap(frames, { nano: true, big: true }))),
  'pcap, modified': () => openCapture(fileOf(pcap(frames, { modified: true }))),
  'pcap with a frame check length': () => openCapture(fileOf(pcap(frames, { link: 0x54000001 }))),
  pcapng: () => openCapture(fileOf(pcapng(frames))),
  'pcapng, big-endian': () => openCapture(fileOf(pcapng(frames, true))),
  'pcapng by editcap': has('editcap') ? () => editcap(frames) : null,
  'pcap in gzip': () => openCapture(fileOf(gzipSync(pcap(frames)))),
  'pcapng in two gzip members': () => openCapture(fileOf(twoMembers(pcapng(frames)))),
  'pcap in zstd': has('zstd') ? () => zstd(pcap(frames), '-3') : null,
  'pcapng in zstd, hard': has('zstd') ? () => zstd(pcapng(frames, true), '-19') : null,
  'a FIFO': () => fifo(pcap(frames)),
  'a FIFO with gzip': () => fifo(gzipSync(pcapng(frames))),
  'faults of rate 0': () => faulty(openCapture(fileOf(pcap(frames))), { seed: 1 }),
  'a stream of single bytes': () => {
    const few = createReadStream(fileOf(pcap(frames)), { highWaterMark: 4099 });
    return readCapture('stream', new StreamSupply(few));
  },
};

const absent = Object.entries(ways).filter(([, make]) => make === null);
if (absent.length > 0) {
  console.warn(`capture: ${absent.length} ways not tested, programs are missing`);
}

describe.each(Object.entries(ways))('%s', (_, make) => {
  it.runIf(make !== null)('gives the frames, in order, then null for good', async () => {
    const seen = await drain(make!());
    expect(seen.source.problem).toBeNull();
    expect(seen.frames.length).toBe(expected.length);
    expect(seen.frames).toEqual(expected);
    expect(seen.source.drops).toBe(0);
    expect(await seen.source.next()).toBeNull();
    seen.source.close();
  });

  it.runIf(make !== null)('gives null after closing, before and after a batch', async () => {
    const untouched = make!();
    untouched.close();
    untouched.close();
    expect(await untouched.next()).toBeNull();
    const begun = make!();
    expect(await begun.next()).not.toBeNull();
    begun.close();
    begun.close();
    expect(await begun.next()).toBeNull();
    expect(begun.problem).toBeNull();
  });
});

describe('progress', () => {
  it('counts bytes as they lie on disk', async () => {
    const bytes = gzipSync(pcap(frames));
    const seen = await drain(openCapture(fileOf(bytes)));
    expect(seen.source.progress()).toEqual({ read: bytes.length, total: bytes.length });
    const unknown = await drain(fifo(bytes));
    expect(unknown.source.progress()).toEqual({ read: bytes.length, total: 0 });
  });
});

describe('standard input', () => {
  const opener = compiled('capture/open');
  if (opener === null) console.warn('capture: 3 tests not run, dist is absent or old; build first');
  const script = `
    import { openCapture } from ${JSON.stringify(`file://${opener}`)};
    const source = openCapture('-');
    let frames = 0, bytes = 0;
    try {
      for (let batch; (batch = await source.next()) !== null; ) {
        frames += batch.count;
        for (let i = 0; i < batch.count; i++) bytes += batch.length[i];
      }
      console.log(JSON.stringify({ name: source.name, frames, bytes, problem: source.problem }));
    } catch (error) { console.log(JSON.stringify({ message: error.message })); }`;

  async function feed(input: Buffer | null, path?: string): Promise<Record<string, unknown>> {
    const args = ['--input-type=module', '-e', script];
    const child =
      path === undefined
        ? spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
        : spawn('sh', ['-c', 'exec "$0" "$@" < "$FROM"', process.execPath, ...args], {
            stdio: ['ignore', 'pipe', 'inherit'],
            env: { ...process.env, FROM: path },
          });
    if (input !== null) child.stdin?.end(input);
    let text = '';
    for await (const chunk of child.stdout!) text += chunk;
    return JSON.parse(text) as Record<string, unknown>;
  }

  const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
  const whole = { name: 'standard input', frames: frames.length, bytes, problem: null };

  it.runIf(opener !== null)('reads a pipe', async () => {
    expect(await feed(pcap(frames))).toEqual(whole);
    expect(await feed(gzipSync(pcapng(frames)))).toEqual(whole);
  });

  it.runIf(opener !== null)('reads a redirected file', async () => {
    expect(await feed(null, fileOf(pcap(frames)))).toEqual(whole);
  });

  it.runIf(opener !== null)('says when there is nothing', async () => {
    expect(await feed(Buffer.alloc(0))).toEqual({
      message: 'standard input: empty; give a pcap or pcapng capture',
    });
  });
});

describe('several interfaces', () => {
  it.runIf(has('mergecap'))('keep their own link types (mergecap)', async () => {
    const ethernet = fileOf(pcap(frames.slice(0, 10)));
    const later = frames.slice(10, 20);
    const cooked = fileOf(pcap(later, { link: 113 }));
    const merged = folder.file('merged');
    run('mergecap', ['-w', merged, ethernet, cooked]);
    expect(readFileSync(merged).readUInt32BE(0)).toBe(0x0a0d0d0a);
    const seen = await drain(openCapture(merged));
    const both = [...plain(frames.slice(0, 10)), ...plain(later.map((f) => ({ ...f, link: 113 })))];
    expect(seen.frames).toEqual(both);
  });
});
