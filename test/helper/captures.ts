// Real captures of other projects, with what really happened in each. They lie beside the
// repository and are absent where only the repository is; tests then say so aloud.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCapture } from '../../src/capture/open.js';

import { Decoder, decodeDefaults } from '../../src/decode/decoder.js';
import { Packet } from '../../src/decode/packet.js';

export const capturesFolder = join(import.meta.dirname, '..', '..', '..', 'shared', 'captures');

/** One mail transaction as the truth has it. */
export interface Message {
  readonly mail_from?: string;
  readonly rcpt_to: readonly string[];
  readonly codes: { readonly DATA?: number | null; readonly end_of_data?: unknown };
}

/** One TCP stream of a capture. */
export interface Stream {
  readonly client: { readonly ip: string; readonly port: number };
  readonly server: { readonly ip: string; readonly port: number };
  readonly messages: readonly Message[];
  readonly features: readonly string[];
  readonly confidence?: string;
}

export interface Capture {
  readonly file: string;
  readonly packets: number;
  readonly truth: readonly Stream[];
}

/** What the index lists; empty, with a warning, where it is absent. */
export function realCaptures(): Capture[] {
  const index = join(capturesFolder, 'index.json');
  if (!existsSync(index)) {
    console.warn(`0 real captures: no ${index}; the tests over them do not run`);
    return [];
  }
  return JSON.parse(readFileSync(index, 'utf8')) as Capture[];
}

type Direction = 'client' | 'server' | 'other';

/** A frame of a capture, with what the tests ask of it. */
export interface CapturedFrame {
  readonly time: number;
  readonly bytes: Buffer;
  readonly link: number;
  /** Stream of the truth that it belongs to, -1 for other traffic. */
  readonly stream: number;
  readonly dir: Direction;
  /** Sequence numbers of its payload; equal where it has none. */
  readonly from: number;
  readonly to: number;
}

/** All frames of a capture, a millisecond apart so that times tell them apart. */
export async function framesOf(capture: Capture): Promise<CapturedFrame[]> {
  const source = openCapture(join(capturesFolder, 'files', capture.file));
  const decoder = new Decoder(decodeDefaults);
  const packet = new Packet();
  const frames: CapturedFrame[] = [];
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    for (let i = 0; i < batch.count; i++) {
      const from = batch.offset[i]!;
      const bytes = Buffer.from(batch.bytes.subarray(from, from + batch.length[i]!));
      const isTcp = decoder.decode(batch, i, packet) === 0;
      const time = 1.7e15 + frames.length * 1000;
      const link = batch.link[i]!;
      frames.push({ time, bytes, link, ...placeOf(capture, isTcp ? packet : null) });
    }
  }
  source.close();
  return frames;
}

function placeOf(
  capture: Capture,
  packet: Packet | null,
): Omit<CapturedFrame, 'time' | 'bytes' | 'link'> {
  const nowhere = { stream: -1, dir: 'other', from: 0, to: 0 } as const;
  if (packet === null) return nowhere;
  const { srcPort, dstPort, seq } = packet;
  const range = { from: seq >>> 0, to: (seq >>> 0) + packet.payloadTo - packet.payloadFrom };
  for (const [stream, { client, server }] of capture.truth.entries()) {
    if (srcPort === client.port && dstPort === server.port)
      return { stream, dir: 'client', ...range };
    if (srcPort === server.port && dstPort === client.port)
      return { stream, dir: 'server', ...range };
  }
  return nowhere;
}

/** Whether bytes of a frame stand in no other frame: a copy elsewhere makes its loss harmless. */
export function isOnlyCopy(frames: readonly CapturedFrame[], at: number): boolean {
  const { stream, dir, from, to } = frames[at]!;
  if (from === to) return false;
  const others = frames.filter((other, i) => {
    return i !== at && other.stream === stream && other.dir === dir && other.to > other.from;
  });
  let next = from;
  for (const other of others.sort((a, b) => a.from - b.from)) {
    if (other.from <= next) next = Math.max(next, other.to);
  }
  return next < to;
}
