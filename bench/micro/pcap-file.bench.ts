// What the capture reader alone costs per packet, beside the read() of the file itself. Builds a
// capture of its own in the temporary folder (page cache hot) and walks all frames. Not a check of
// what the frames hold: test/capture does that.

import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCapture } from '../../src/capture/open.js';
import { Random } from '../../src/lib/random.js';

const megabytes = Number(process.argv[2] ?? 256);
const rounds = 7;

/**
 * A capture with the packet sizes of mail traffic: mostly small, some full (about 630 on average).
 */
function makeCapture(bytes: number, format: 'pcap' | 'pcapng'): { file: Buffer; packets: number } {
  const random = new Random(1);
  const file = Buffer.alloc(bytes);
  let packets = 0;
  let at = format === 'pcap' ? pcapHeader(file) : pcapngHeader(file);
  for (;;) {
    const length = random.chance(0.4) ? 1514 : 60 + random.below(60);
    const next = at + (format === 'pcap' ? 16 + length : 32 + ((length + 3) & ~3));
    if (next > bytes) break;
    if (format === 'pcap') {
      file.writeUInt32LE(1_700_000_000 + (packets >> 16), at);
      file.writeUInt32LE((packets & 0xffff) * 10, at + 4);
      file.writeUInt32LE(length, at + 8);
      file.writeUInt32LE(length, at + 12);
    } else {
      file.writeUInt32LE(6, at);
      file.writeUInt32LE(next - at, at + 4);
      file.writeUInt32LE(395_000, at + 12);
      file.writeUInt32LE(packets * 10, at + 16);
      file.writeUInt32LE(length, at + 20);
      file.writeUInt32LE(length, at + 24);
      file.writeUInt32LE(next - at, next - 4);
    }
    at = next;
    packets++;
  }
  return { file: file.subarray(0, at), packets };
}

function pcapHeader(file: Buffer): number {
  file.writeUInt32LE(0xa1b2c3d4, 0);
  file.writeUInt16LE(2, 4);
  file.writeUInt16LE(4, 6);
  file.writeUInt32LE(262144, 16);
  file.writeUInt32LE(1, 20);
  return 24;
}

function pcapngHeader(file: Buffer): number {
  const words = [0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28, 1, 20, 1, 0, 20];
  for (let i = 0; i < words.length; i++) file.writeUInt32LE(words[i]!, i * 4);
  return words.length * 4;
}

/** CPU time in milliseconds: the machine is shared, so the wall clock says less. */
function cpu(): number {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1000;
}

/** Only the read() calls, with the block size given: what no reader can go below. */
function readOnly(path: string, blockBytes: number): number {
  const block = Buffer.allocUnsafeSlow(blockBytes);
  const descriptor = openSync(path, 'r');
  const start = cpu();
  while (readSync(descriptor, block, 0, blockBytes, null) > 0);
  const spent = cpu() - start;
  closeSync(descriptor);
  return spent;
}

async function walk(path: string): Promise<{ spent: number; packets: number }> {
  const start = cpu();
  const source = openCapture(path);
  let packets = 0;
  for (;;) {
    const batch = await source.next();
    if (batch === null) break;
    packets += batch.count;
  }
  if (source.problem !== null) throw new Error(source.problem.message);
  return { spent: cpu() - start, packets };
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-bench-'));
  try {
    for (const format of ['pcap', 'pcapng'] as const) {
      const { file, packets } = makeCapture(megabytes * 2 ** 20, format);
      const path = join(folder, format);
      writeFileSync(path, file);
      let bare = Number.POSITIVE_INFINITY;
      let whole = Number.POSITIVE_INFINITY;
      for (let round = 0; round < rounds; round++) {
        bare = Math.min(bare, readOnly(path, 512 * 1024));
        const walked = await walk(path);
        if (walked.packets !== packets) throw new Error(`${walked.packets} of ${packets} packets`);
        whole = Math.min(whole, walked.spent);
      }
      const each = (milliseconds: number) => ((milliseconds * 1e6) / packets).toFixed(1);
      console.log(
        `${format}: ${packets} packets, read() alone ${each(bare)} ns, with the reader ` +
          `${each(whole)} ns, so the walk ${each(whole - bare)} ns a packet`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
