// What a capture format's parser looks like to the reader: it walks a growing byte range in place
// and fills a batch. Neither reads anything nor keeps bytes.

import type { FrameBatch } from './source.js';

export interface RecordParser {
  /**
   * Walks the records in bytes [from, to) and appends their frames to the batch until the bytes,
   * the batch or the sound records run out. Gives the place of the first byte not used.
   */
  parse(bytes: Buffer, from: number, to: number, batch: FrameBatch): number;
  /**
   * Bytes the unfinished record at the place given last takes in all; 0 while that is not known.
   */
  readonly need: number;
  /** What is wrong with the record at the place given last; empty while nothing is. */
  readonly fault: string;
}

/**
 * The largest time handed over, in microseconds: beyond it a double no longer counts them singly.
 */
export const timeMax = Number.MAX_SAFE_INTEGER;

/**
 * Length on the wire as a positive 32-bit integer, at least what was captured: the field may lie.
 */
export function wireLengthOf(field: number, kept: number): number {
  if (field >= kept) return field;
  return field < 0 ? 0x7fffffff : kept;
}
