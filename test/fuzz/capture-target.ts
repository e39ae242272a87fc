// Capture files of every form, damaged, through `openCapture`. What is promised: batches that keep
// the contract of `Source`, one line about what is wrong, and nothing thrown but that line.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openCapture } from '../../src/capture/open.js';
import { type FrameBatch, frameMax } from '../../src/capture/source.js';
import { pcap, pcapng, randomFrames } from '../capture/captures.js';
import { mutated } from './mutate.js';
import { pick, promise, type Target } from './target.js';

const few = randomFrames(12, 7);
const files = [
  pcap(few),
  pcap(few, { big: true }),
  pcap(few, { nano: true }),
  pcap(few, { modified: true }),
  pcapng(few),
  pcapng(few, true),
  Buffer.concat([pcapng(few), pcapng(few, true)]),
];
const compressed = [...files.map((file) => gzipSync(file)), ...files.flatMap(zstd)];

/** As the program of that name writes it; nothing where it is missing. */
function zstd(file: Buffer): Buffer[] {
  const { status, stdout } = spawnSync('zstd', ['-q', '-c'], { input: file });
  return status === 0 ? [stdout] : [];
}

export const captureTarget: Target = {
  name: 'capture',
  extension: 'bin',
  make(random) {
    const base = random.chance(0.6) ? pick(random, files) : pick(random, compressed);
    const spoiled = random.chance(0.95) ? mutated(base, random) : base;
    if (random.chance(0.1)) return gzipSync(spoiled, { level: 1 });
    return random.chance(0.1) ? Buffer.concat([spoiled, pick(random, compressed)]) : spoiled;
  },
  async run(input, folder) {
    const path = join(folder, 'input');
    writeFileSync(path, input);
    await drain(path, input.length);
  },
  parts: (input) => Array.from({ length: Math.ceil(input.length / 8) }, (_, n) => eight(input, n)),
  whole: (parts) => Buffer.concat(parts),
};

function eight(bytes: Buffer, index: number): Buffer {
  return bytes.subarray(index * 8, index * 8 + 8);
}

/** No form of compression here makes more than this of a byte. */
const growthMax = 40_000;

async function drain(path: string, length: number): Promise<void> {
  const source = openCapture(path);
  let batches = 0;
  let frames = 0;
  for (;;) {
    const batch = await nextOrLine(source.next(), path, batches);
    if (batch === null) break;
    batches++;
    promise(batch.count > 0, 'an empty batch from a file');
    frames += checkBatch(batch);
    promise(frames <= length * growthMax, `${frames} frames of ${length} bytes`);
  }
  const { problem } = source;
  if (problem !== null) {
    promise(/^[^\n]+$/.test(problem.message), `not one line: ${problem.message}`);
    promise(problem.packet === frames, `problem at packet ${problem.packet}, ${frames} were given`);
    promise(Number.isSafeInteger(problem.offset) && problem.offset >= 0, `at ${problem.offset}`);
  }
  promise((await source.next()) === null, 'more behind the end');
  source.close();
  const { read, total } = source.progress();
  promise(read >= 0 && read <= total, `read ${read} of ${total} bytes`);
}

/** The first call may reject with one line that names the file. */
async function nextOrLine(
  next: Promise<FrameBatch | null>,
  path: string,
  batches: number,
): Promise<FrameBatch | null> {
  try {
    return await next;
  } catch (error) {
    const { message } = error as Error;
    const line = batches === 0 && message.startsWith(`${path}: `) && !message.includes('\n');
    if (!line) throw error;
    return null;
  }
}

function checkBatch(batch: FrameBatch): number {
  promise(batch.count <= batch.capacity, `${batch.count} frames in ${batch.capacity}`);
  for (let i = 0; i < batch.count; i++) {
    const from = batch.offset[i]!;
    const length = batch.length[i]!;
    const time = batch.time[i]!;
    promise(from >= 0 && length >= 0 && length <= frameMax, `a frame of ${length} at ${from}`);
    promise(from + length < batch.bytes.length, `no slack behind ${from + length}`);
    promise(batch.wireLength[i]! >= length, `${batch.wireLength[i]} on the wire, ${length} here`);
    promise(time >= 0 && Number.isFinite(time), `time ${time}`);
  }
  return batch.count;
}
