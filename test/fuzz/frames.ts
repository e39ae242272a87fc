// Frames as a fuzzing input: a pcap file, so that a finding can be opened with any other tool.
// Times are microseconds; one link type a file.

import { readFileSync } from 'node:fs';
import { pcapHeader, pcapRecord } from '../../bench/generate/frame.js';
import { FrameBatch, slack } from '../../src/capture/source.js';

export interface FuzzFrame {
  readonly time: number;
  readonly bytes: Buffer;
  /** Bytes on the wire, at least what is there. */
  readonly wireLength: number;
  readonly link: number;
}

/** The frames of a classic pcap file, little end first; whatever does not fit is left. */
export function framesOf(file: Buffer): FuzzFrame[] {
  const frames: FuzzFrame[] = [];
  if (file.length < 24) return frames;
  const link = file.readUInt32LE(20) & 0xffff;
  for (let at = 24; at + 16 <= file.length; ) {
    const length = file.readUInt32LE(at + 8);
    if (at + 16 + length > file.length) break;
    const time = file.readUInt32LE(at) * 1e6 + (file.readUInt32LE(at + 4) % 1e6);
    const wireLength = Math.max(length, Math.min(file.readUInt32LE(at + 12), 0x7fffffff));
    frames.push({ time, bytes: file.subarray(at + 16, at + 16 + length), wireLength, link });
    at += 16 + length;
  }
  return frames;
}

/** A pcap file of frames. */
export function fileOf(frames: readonly FuzzFrame[], link = frames[0]?.link ?? 1): Buffer {
  const records = frames.map((frame) => {
    const record = pcapRecord(frame.time, frame.bytes);
    record.writeUInt32LE(frame.wireLength, 12);
    return record;
  });
  return Buffer.concat([pcapHeader(link), ...records]);
}

/** The frames of a capture on disk, none if it is not a small classic pcap. */
export function framesIn(path: string): FuzzFrame[] {
  const file = readFileSync(path);
  return file.length < 200_000 && file.readUInt32LE(0) === 0xa1b2c3d4 ? framesOf(file) : [];
}

/** Parts of a file for making it smaller: one for each record, with its link type in front. */
export function fileParts(file: Buffer): Buffer[] {
  return framesOf(file).map((frame) => fileOf([frame]));
}

export function fileOfParts(parts: readonly Buffer[]): Buffer {
  return fileOf(parts.flatMap(framesOf));
}

/** Frames as batches of at most `most`. */
export function batchesOf(frames: readonly FuzzFrame[], most: number): FrameBatch[] {
  const batches: FrameBatch[] = [];
  for (let first = 0; first < frames.length; first += most) {
    const part = frames.slice(first, first + most);
    const room = part.reduce((sum, frame) => sum + frame.bytes.length, 0);
    const batch = new FrameBatch(Buffer.alloc(room + slack), part.length);
    let at = 0;
    for (const [index, frame] of part.entries()) {
      at += frame.bytes.copy(batch.bytes, at);
      batch.offset[index] = at - frame.bytes.length;
      batch.length[index] = frame.bytes.length;
      batch.wireLength[index] = frame.wireLength;
      batch.time[index] = frame.time;
      batch.link[index] = frame.link;
    }
    batch.count = part.length;
    batches.push(batch);
  }
  return batches;
}
