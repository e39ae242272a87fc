// Zstandard streams (RFC 8878) of one or several frames, skippable ones included, by fzstd. This
// file walks frame and block headers itself and hands fzstd one block at a time: so a frame's
// window is known before memory is taken for it, and a block's output (at most 128 KiB) is taken
// before the next. Content checksums are not verified (fzstd cannot), and large windows are slow
// (it moves the whole window for every block).

import { Decompress } from 'fzstd';
import { u16le, u32le } from '../lib/bytes.js';
import { type ByteSupply, DamagedStream } from './supply.js';

/** The largest window taken, in bytes: what `zstd --long=27` makes. */
const windowMax = 128 * 1024 * 1024;

const magic = 0xfd2fb528;
const blockBytesMax = 128 * 1024;
// A block with its header, the frame header in front of it (18 bytes), the checksum behind.
const inputBytes = 2 * blockBytesMax;

/** Whether a stream that begins with these four bytes is zstd. */
export function isZstd(bytes: Buffer): boolean {
  return u32le(bytes, 0) === magic || isSkippable(u32le(bytes, 0));
}

function isSkippable(word: number): boolean {
  return (word & 0xfffffff0) >>> 0 === 0x184d2a50;
}

/** Decompresses another supply. Closing it closes that one. */
export class ZstdSupply implements ByteSupply {
  readonly #inner: ByteSupply;
  readonly #input = Buffer.allocUnsafe(inputBytes);
  #from = 0;
  #to = 0;
  /** The frame being read, or null between frames. */
  #frame: Decompress | null = null;
  #window = 0;
  #checksum = false;
  /** Bytes of the frame header that go to fzstd together with the first block. */
  #headerBytes = 0;
  #output: Uint8Array | null = null;
  #used = 0;
  #ended = false;

  constructor(inner: ByteSupply) {
    this.#inner = inner;
  }

  get diskRead(): number {
    return this.#inner.diskRead;
  }

  get diskTotal(): number {
    return this.#inner.diskTotal;
  }

  async read(into: Buffer, at: number, length: number): Promise<number> {
    while (this.#output === null) {
      if (this.#ended) return 0;
      if (this.#frame === null) await this.#openFrame();
      else await this.#block(this.#frame);
    }
    const got = Math.min(length, this.#output.length - this.#used);
    into.set(this.#output.subarray(this.#used, this.#used + got), at);
    this.#used += got;
    if (this.#used === this.#output.length) this.#output = null;
    return got;
  }

  close(): void {
    this.#ended = true;
    this.#output = null;
    this.#frame = null;
    this.#inner.close();
  }

  /** Reads on until `count` bytes of input are there; false where it ends before. */
  async #have(count: number): Promise<boolean> {
    while (this.#to - this.#from < count) {
      if (this.#from > 0) {
        this.#input.copyWithin(0, this.#from, this.#to);
        this.#to -= this.#from;
        this.#from = 0;
      }
      const read = this.#inner.read(this.#input, this.#to, inputBytes - this.#to);
      const got = typeof read === 'number' ? read : await read;
      if (got === 0) return false;
      this.#to += got;
    }
    return true;
  }

  async #want(count: number): Promise<void> {
    if (await this.#have(count)) return;
    throw new DamagedStream('truncated: the zstd stream ends too early');
  }

  async #openFrame(): Promise<void> {
    if (!(await this.#have(1))) {
      this.#ended = true;
      return;
    }
    await this.#want(4);
    const word = u32le(this.#input, this.#from);
    if (isSkippable(word)) return this.#skipFrame();
    if (word !== magic) throw new DamagedStream('corrupt: no zstd frame begins where one should');
    await this.#want(5);
    const descriptor = this.#input[this.#from + 4]!;
    if ((descriptor & 0x08) !== 0)
      throw new DamagedStream('corrupt: a zstd frame header is not valid');
    const single = (descriptor & 0x20) !== 0;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
    const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
    this.#headerBytes = 5 + (single ? 0 : 1) + dictionaryBytes + sizeBytes;
    await this.#want(this.#headerBytes);
    const size = this.#contentSize(this.#from + this.#headerBytes - sizeBytes, sizeBytes);
    this.#window = single ? size : windowSize(this.#input[this.#from + 5]!);
    if (this.#window > windowMax) {
      throw new DamagedStream(
        `unsupported: the zstd stream needs a window of ${Math.ceil(this.#window / 2 ** 20)} MiB ` +
          'and 128 are allowed; decompress it with "zstd -d --long=31" first',
      );
    }
    this.#checksum = (descriptor & 4) !== 0;
    this.#frame = new Decompress((block) => {
      if (block.length > 0) this.#output = block;
      this.#used = 0;
    });
  }

  #contentSize(at: number, bytes: number): number {
    if (bytes === 0) return 0;
    if (bytes === 1) return this.#input[at]!;
    if (bytes === 2) return u16le(this.#input, at) + 256;
    const low = u32le(this.#input, at);
    return bytes === 4 ? low : u32le(this.#input, at + 4) * 2 ** 32 + low;
  }

  async #skipFrame(): Promise<void> {
    await this.#want(8);
    let left = u32le(this.#input, this.#from + 4);
    this.#from += 8;
    while (left > 0) {
      await this.#want(1);
      const step = Math.min(left, this.#to - this.#from);
      this.#from += step;
      left -= step;
    }
  }

  /**
   * One block (RFC 8878 section 3.1.1.2), the first with its frame header, the last with checksum.
   */
  async #block(frame: Decompress): Promise<void> {
    const header = this.#headerBytes;
    await this.#want(header + 3);
    const at = this.#from + header;
    const word = u16le(this.#input, at) | (this.#input[at + 2]! << 16);
    const last = (word & 1) !== 0;
    const type = (word >> 1) & 3;
    const size = word >> 3;
    // Type 1 is one byte, repeated `size` times.
    if (type === 3 || size > blockBytesMax)
      throw new DamagedStream('corrupt: a zstd block is not valid');
    const stored = type === 1 ? 1 : size;
    const total = header + 3 + stored + (last && this.#checksum ? 4 : 0);
    await this.#want(total);
    // fzstd keeps what it is given.
    const piece = Uint8Array.from(this.#input.subarray(this.#from, this.#from + total));
    this.#from += total;
    this.#headerBytes = 0;
    if (last) this.#frame = null;
    try {
      frame.push(piece, last);
    } catch (error) {
      this.#output = null;
      throw new DamagedStream(`corrupt: the zstd stream is damaged (${(error as Error).message})`);
    }
  }
}

/** RFC 8878 section 3.1.1.1.2. */
function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
