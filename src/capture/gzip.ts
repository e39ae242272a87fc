// Gzip streams of one or several members (RFC 1952), by node:zlib. Input goes in small slices whose
// whole output is taken before the next, so that a bomb costs time and not memory, and so that what
// came out in front of a break is not lost with the stream.

import { createGunzip, type Gunzip } from 'node:zlib';
import { type ByteSupply, DamagedStream } from './supply.js';

// A slice can grow 1,032-fold: 32 KiB to 33 MiB.
const sliceBytes = 32 * 1024;

/** Whether a stream that begins with these bytes is gzip. */
export function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Decompresses another supply. Closing it closes that one. */
export class GzipSupply implements ByteSupply {
  readonly #inner: ByteSupply;
  readonly #gunzip: Gunzip;
  readonly #slice = Buffer.allocUnsafe(sliceBytes);
  /** Output not yet handed over: whole chunks, and how far the first is used. */
  #output: Buffer[] = [];
  #used = 0;
  #error: Error | null = null;
  #ended = false;

  constructor(inner: ByteSupply) {
    this.#inner = inner;
    this.#gunzip = createGunzip({ chunkSize: 16 * 1024 });
    this.#gunzip.on('data', (chunk: Buffer) => this.#output.push(chunk));
    this.#gunzip.on('error', (error: Error) => {
      this.#error = error;
    });
  }

  get diskRead(): number {
    return this.#inner.diskRead;
  }

  get diskTotal(): number {
    return this.#inner.diskTotal;
  }

  async read(into: Buffer, at: number, length: number): Promise<number> {
    while (this.#output.length === 0) {
      if (this.#error !== null) throw damage(this.#error);
      if (this.#ended) return 0;
      await this.#step();
    }
    let done = 0;
    while (done < length && this.#output.length > 0) {
      const chunk = this.#output[0]!;
      const got = chunk.copy(into, at + done, this.#used, this.#used + (length - done));
      done += got;
      this.#used += got;
      if (this.#used === chunk.length) {
        this.#output.shift();
        this.#used = 0;
      }
    }
    return done;
  }

  close(): void {
    this.#ended = true;
    this.#output = [];
    this.#gunzip.destroy();
    this.#inner.close();
  }

  async #step(): Promise<void> {
    const read = this.#inner.read(this.#slice, 0, sliceBytes);
    const got = typeof read === 'number' ? read : await read;
    if (this.#ended) return;
    await new Promise<void>((resolve) => {
      this.#gunzip.once('close', resolve);
      if (got > 0) {
        this.#gunzip.write(this.#slice.subarray(0, got), () => {
          this.#gunzip.off('close', resolve);
          resolve();
        });
      } else {
        // Ending on an empty slice: only now can zlib tell that a member is unfinished.
        this.#gunzip.end();
      }
    });
    if (got === 0) this.#ended = true;
  }
}

function damage(error: Error): DamagedStream {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'Z_BUF_ERROR'
    ? new DamagedStream('truncated: the gzip stream ends too early')
    : new DamagedStream(`corrupt: the gzip stream is damaged (${error.message})`);
}
