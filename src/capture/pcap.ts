// The pcap file format (draft-ietf-opsawg-pcap): both byte orders, micro- and nanoseconds, and the
// "modified" form of old Linux libpcaps with its longer record header. Snapshot length and version
// are not looked at: both are known to lie.

import { i32be, i32le, u32be, u32le } from '../lib/bytes.js';
import { type RecordParser, wireLengthOf } from './records.js';
import { type FrameBatch, frameMax } from './source.js';

/** Bytes of the header of the file. */
export const pcapHeaderBytes = 24;

const magicMicro = 0xa1b2c3d4;
const magicNano = 0xa1b23c4d;
const magicModified = 0xa1b2cd34;

/** Whether a file that begins with these four bytes is a pcap file. */
export function isPcap(bytes: Buffer): boolean {
  return isMagic(u32le(bytes, 0)) || isMagic(u32be(bytes, 0));
}

function isMagic(word: number): boolean {
  return word === magicMicro || word === magicNano || word === magicModified;
}

/** Parses records; made from the file's header, of which all 24 bytes must be there. */
export class PcapParser implements RecordParser {
  need = 0;
  fault = '';
  readonly #big: boolean;
  readonly #nano: boolean;
  readonly #headerBytes: number;
  readonly #link: number;

  constructor(header: Buffer) {
    this.#big = isMagic(u32be(header, 0));
    const magic = this.#big ? u32be(header, 0) : u32le(header, 0);
    this.#nano = magic === magicNano;
    this.#headerBytes = magic === magicModified ? 24 : 16;
    // The upper half holds the length of the frame check sequence (section 4 of the draft).
    this.#link = (this.#big ? i32be(header, 20) : i32le(header, 20)) & 0xffff;
  }

  parse(bytes: Buffer, from: number, to: number, batch: FrameBatch): number {
    this.need = 0;
    // One loop per byte order: a branch per field costs more than these few lines twice.
    const before = batch.count;
    const at = this.#big
      ? this.#walkBig(bytes, from, to, batch)
      : this.#walkLittle(bytes, from, to, batch);
    batch.link.fill(this.#link, before, batch.count);
    return at;
  }

  #walkLittle(bytes: Buffer, from: number, to: number, batch: FrameBatch): number {
    const { offset, length, wireLength, time, capacity } = batch;
    const headerBytes = this.#headerBytes;
    const nano = this.#nano;
    let count = batch.count;
    let at = from;
    while (count < capacity && to - at >= headerBytes) {
      const kept = i32le(bytes, at + 8);
      if (kept < 0 || kept > frameMax || at + headerBytes + kept > to) {
        this.#stop(kept);
        break;
      }
      const fraction = u32le(bytes, at + 4);
      time[count] = u32le(bytes, at) * 1e6 + (nano ? Math.floor(fraction / 1000) : fraction);
      length[count] = kept;
      wireLength[count] = wireLengthOf(i32le(bytes, at + 12), kept);
      at += headerBytes;
      offset[count] = at;
      at += kept;
      count++;
    }
    batch.count = count;
    return at;
  }

  #walkBig(bytes: Buffer, from: number, to: number, batch: FrameBatch): number {
    const { offset, length, wireLength, time, capacity } = batch;
    const headerBytes = this.#headerBytes;
    const nano = this.#nano;
    let count = batch.count;
    let at = from;
    while (count < capacity && to - at >= headerBytes) {
      const kept = i32be(bytes, at + 8);
      if (kept < 0 || kept > frameMax || at + headerBytes + kept > to) {
        this.#stop(kept);
        break;
      }
      const fraction = u32be(bytes, at + 4);
      time[count] = u32be(bytes, at) * 1e6 + (nano ? Math.floor(fraction / 1000) : fraction);
      length[count] = kept;
      wireLength[count] = wireLengthOf(i32be(bytes, at + 12), kept);
      at += headerBytes;
      offset[count] = at;
      at += kept;
      count++;
    }
    batch.count = count;
    return at;
  }

  #stop(kept: number): void {
    if (kept >= 0 && kept <= frameMax) this.need = this.#headerBytes + kept;
    else this.fault = `a packet record claims ${kept >>> 0} captured bytes`;
  }
}
