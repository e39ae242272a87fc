// Captures for the tests of this folder, made byte by byte, and what a source gave as plain
// objects. Not fast: each frame becomes a string.

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Source } from '../../src/capture/source.js';
import { Random } from '../../src/lib/random.js';

export interface Frame {
  /** Microseconds. */
  readonly time: number;
  readonly bytes: Buffer;
  readonly wireLength: number;
  readonly link: number;
}

/** What a source gave: frames with their bytes as hexadecimal, and what it said beside them. */
export interface Seen {
  readonly frames: { time: number; hex: string; wireLength: number; link: number }[];
  readonly source: Source;
  batches: number;
}

export function plain(frames: readonly Frame[]): Seen['frames'] {
  return frames.map(({ time, bytes, wireLength, link }) => {
    return { time, hex: bytes.toString('hex'), wireLength, link };
  });
}

/** Reads a source to its end. Fails where a batch breaks the contract of `Source`. */
export async function drain(source: Source): Promise<Seen> {
  const seen: Seen = { frames: [], source, batches: 0 };
  for (;;) {
    const batch = await source.next();
    if (batch === null) break;
    seen.batches++;
    for (let i = 0; i < batch.count; i++) {
      const from = batch.offset[i]!;
      const to = from + batch.length[i]!;
      if (from < 0 || to >= batch.bytes.length) throw new Error(`frame ${from}-${to} has no slack`);
      if (batch.wireLength[i]! < to - from) throw new Error('shorter on the wire than captured');
      if (!(batch.time[i]! >= 0)) throw new Error(`time ${batch.time[i]}`);
      const hex = batch.bytes.toString('hex', from, to);
      const { time, wireLength, link } = batch;
      seen.frames.push({ time: time[i]!, hex, wireLength: wireLength[i]!, link: link[i]! });
    }
  }
  return seen;
}

/**
 * Frames of random bytes and lengths, a few of them cut, one empty and one as long as they come.
 */
export function randomFrames(count: number, seed = 1): Frame[] {
  const random = new Random(seed);
  const frames: Frame[] = [];
  for (let i = 0; i < count; i++) {
    const length = i === 3 ? 0 : i === 5 && count > 20 ? 262144 : random.below(300);
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < Math.min(length, 300); at++) bytes[at] = random.word();
    const wireLength = random.chance(0.1) ? length + 40 : length;
    frames.push({ time: 1.7e15 + i * 1234.0, bytes, wireLength, link: 1 });
  }
  return frames;
}

export interface PcapForm {
  readonly big?: boolean;
  readonly nano?: boolean;
  readonly modified?: boolean;
  /** The whole link field. */
  readonly link?: number;
}

export function pcap(frames: readonly Frame[], form: PcapForm = {}): Buffer {
  const magic = form.nano ? 0xa1b23c4d : form.modified ? 0xa1b2cd34 : 0xa1b2c3d4;
  const words = (values: number[]) => wordsOf(values, form.big ?? false);
  const parts = [words([magic, form.big ? 0x00020004 : 0x00040002, 0, 0, 65535, form.link ?? 1])];
  for (const { time, bytes, wireLength } of frames) {
    const fraction = time % 1e6;
    const stamp = [Math.floor(time / 1e6), form.nano ? fraction * 1000 + 999 : fraction];
    parts.push(words([...stamp, bytes.length, wireLength]));
    if (form.modified) parts.push(words([7, 0]));
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

export function wordsOf(values: readonly number[], big = false): Buffer {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    if (big) out.writeUInt32BE(value >>> 0, i * 4);
    else out.writeUInt32LE(value >>> 0, i * 4);
  });
  return out;
}

/** One pcapng block around a body, which is padded. */
export function block(type: number, body: Buffer, big = false): Buffer {
  const padding = Buffer.alloc(-body.length & 3);
  const total = 12 + body.length + padding.length;
  return Buffer.concat([wordsOf([type, total], big), body, padding, wordsOf([total], big)]);
}

export function sectionBlock(big = false): Buffer {
  const version = big ? 0x00010000 : 1;
  return block(0x0a0d0d0a, wordsOf([0x1a2b3c4d, version, 0xffffffff, 0xffffffff], big), big);
}

export interface InterfaceForm {
  readonly big?: boolean;
  readonly link?: number;
  readonly snapLength?: number;
  /** Code and value of each. */
  readonly options?: readonly (readonly [number, Buffer])[];
}

export function interfaceBlock(form: InterfaceForm = {}): Buffer {
  const big = form.big ?? false;
  const link = form.link ?? 1;
  const parts = [wordsOf([big ? link << 16 : link, form.snapLength ?? 0], big)];
  for (const [code, value] of form.options ?? []) {
    const head = big ? (code << 16) | value.length : (value.length << 16) | code;
    parts.push(wordsOf([head], big), value, Buffer.alloc(-value.length & 3));
  }
  if (form.options !== undefined) parts.push(wordsOf([0], big));
  return block(1, Buffer.concat(parts), big);
}

/** An enhanced packet block; `units` is its time as the interface counts. */
export function packetBlock(frame: Frame, units: bigint, index = 0, big = false): Buffer {
  const { bytes, wireLength } = frame;
  const head = [index, Number(units >> 32n), Number(units & 0xffffffffn), bytes.length, wireLength];
  return block(6, Buffer.concat([wordsOf(head, big), bytes]), big);
}

export function pcapng(frames: readonly Frame[], big = false): Buffer {
  const parts = [sectionBlock(big), interfaceBlock({ big })];
  for (const frame of frames) parts.push(packetBlock(frame, BigInt(frame.time), 0, big));
  return Buffer.concat(parts);
}

/** A folder that lasts as long as the test file; `remove` it in afterAll. */
export function scratch(): { file: (name: string) => string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-capture-'));
  return {
    file: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Captures made by others; they lie beside the repository, or are absent, which is said aloud. */
export function realCaptures(): string[] {
  const folder = join(root, '../shared/captures/files');
  if (!existsSync(folder)) {
    console.warn(`capture: 0 captures found in ${folder}; the tests over them do nothing`);
    return [];
  }
  const names = readdirSync(folder).filter((name) => name.endsWith('.pcap'));
  return names.map((name) => join(folder, name));
}

/**
 * Where `npm run build` puts a file of src, or null where it is absent or older than its source.
 */
export function compiled(name: string): string | null {
  const made = join(root, 'dist/src', `${name}.js`);
  const source = join(root, 'src', `${name}.ts`);
  if (!existsSync(made) || statSync(made).mtimeMs < statSync(source).mtimeMs) return null;
  return made;
}

/** Whether a program is on the path. */
export function has(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(':');
  return folders.some((folder) => existsSync(join(folder, program)));
}
