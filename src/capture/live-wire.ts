// The stream between the capturing child process and its parent: records of 16 bytes and a frame,
// laid out as the pcap package fills them (seconds, microseconds, captured length, wire length,
// each 32 bits little-endian), and control records of JSON in between. The parent trusts no length
// in it.

import { i32le, u32le } from '../lib/bytes.js';
import { type RecordParser, wireLengthOf } from './records.js';
import { type FrameBatch, frameMax } from './source.js';

/** Bytes in front of every frame. */
export const recordHeaderBytes = 16;

/** In the place of a captured length: a control record; the first word is its length in bytes. */
export const controlMark = 0xffffffff;
const controlBytesMax = 16 * 1024;

/** Why a child could not begin or go on. */
export type LiveFailure = 'package' | 'library' | 'permission' | 'interface' | 'gone' | 'other';

/** What a child says beside frames. */
export type Control =
  | { readonly kind: 'ready'; readonly link: number }
  /** `clock`: microseconds up to which every frame was written. `drops`: all so far. */
  | { readonly kind: 'beat'; readonly clock: number; readonly drops: number }
  | {
      readonly kind: 'failed';
      readonly why: LiveFailure;
      readonly detail: string;
      readonly interfaces: readonly string[];
    };

/** What the parent tells the child on its command line, as JSON. */
export interface LiveOrder {
  readonly interface: string;
  /** TCP ports to capture; absent: everything. */
  readonly ports?: readonly number[] | undefined;
  readonly snapLength: number;
  readonly bufferBytes: number;
  readonly promiscuous: boolean;
}

/** A control record as it goes into the stream. */
export function controlRecord(control: Control): Buffer {
  const text = Buffer.from(JSON.stringify(control));
  const record = Buffer.alloc(recordHeaderBytes + text.length);
  record.writeUInt32LE(text.length, 0);
  record.writeUInt32LE(controlMark, 8);
  text.copy(record, recordHeaderBytes);
  return record;
}

/** Parses the stream. Stops behind each control record, with `control` set until the next call. */
export class LiveParser implements RecordParser {
  need = 0;
  fault = '';
  control: Control | null = null;
  /** LINKTYPE_ value of all frames; set by whoever reads the `ready` record. */
  link = 0;

  parse(bytes: Buffer, from: number, to: number, batch: FrameBatch): number {
    const { offset, length, wireLength, time, link, capacity } = batch;
    this.need = 0;
    this.control = null;
    let count = batch.count;
    let at = from;
    while (count < capacity && to - at >= recordHeaderBytes) {
      const kept = i32le(bytes, at + 8);
      if (kept < 0 || kept > frameMax) {
        at = this.#special(bytes, at, to);
        break;
      }
      const end = at + recordHeaderBytes + kept;
      if (end > to) {
        this.need = end - at;
        break;
      }
      time[count] = u32le(bytes, at) * 1e6 + u32le(bytes, at + 4);
      offset[count] = at + recordHeaderBytes;
      length[count] = kept;
      wireLength[count] = wireLengthOf(i32le(bytes, at + 12), kept);
      link[count] = this.link;
      at = end;
      count++;
    }
    batch.count = count;
    return at;
  }

  #special(bytes: Buffer, at: number, to: number): number {
    const size = u32le(bytes, at);
    if (u32le(bytes, at + 8) !== controlMark || size > controlBytesMax) {
      this.fault = 'the capturing process wrote a record that is not valid';
      return at;
    }
    const end = at + recordHeaderBytes + size;
    if (end > to) {
      this.need = end - at;
      return at;
    }
    try {
      this.control = JSON.parse(bytes.toString('utf8', at + recordHeaderBytes, end)) as Control;
    } catch {
      this.fault = 'the capturing process wrote a record that is not valid';
      return at;
    }
    return end;
  }
}
