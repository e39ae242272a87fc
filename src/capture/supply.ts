// Where the bytes of a capture come from: a plain file, read synchronously in large blocks, or a
// stream (pipe, FIFO, device), read asynchronously. Knows nothing of formats. Decompression wraps
// one supply in another (gzip.ts, zstd.ts).

import { closeSync, readSync } from 'node:fs';
import type { Readable } from 'node:stream';

export interface ByteSupply {
  /**
   * Copies up to `length` bytes to `into[at...]` and gives their number; 0 only at the end. Gives a
   * promise only where it has to wait. Throws or rejects with DamagedStream where a compressed
   * stream is broken, after everything in front of the break was handed over.
   */
  read(into: Buffer, at: number, length: number): number | Promise<number>;
  /** Ends the supply; a waiting read gives 0. Safe to call twice. */
  close(): void;
  /** Bytes taken so far as they lie on disk, and all there are (0: unknown). */
  readonly diskRead: number;
  readonly diskTotal: number;
}

/** A compressed stream ended early or is broken. `message` is a phrase that begins with which. */
export class DamagedStream extends Error {
  override readonly name = 'DamagedStream';
}

/** A regular file by descriptor, read from its current position on. Owns the descriptor. */
export class FileSupply implements ByteSupply {
  diskRead = 0;
  readonly diskTotal: number;
  readonly #descriptor: number;
  #open = true;

  constructor(descriptor: number, size: number) {
    this.#descriptor = descriptor;
    this.diskTotal = size;
  }

  read(into: Buffer, at: number, length: number): number {
    if (!this.#open) return 0;
    const got = readSync(this.#descriptor, into, at, length, null);
    this.diskRead += got;
    return got;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    // Standard input stays open: other parts of the program may still look at it.
    if (this.#descriptor > 2) closeSync(this.#descriptor);
  }
}

/**
 * Any readable stream of Buffers. Back-pressure is the stream's own: it is read only when asked.
 */
export class StreamSupply implements ByteSupply {
  diskRead = 0;
  readonly diskTotal = 0;
  readonly #stream: Readable;
  #chunk: Buffer | null = null;
  #used = 0;
  #ended = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on('readable', () => this.#rouse());
    stream.on('end', () => this.#end());
    stream.on('close', () => this.#end());
    stream.on('error', (error: Error) => {
      this.#error = error;
      this.#rouse();
    });
  }

  async read(into: Buffer, at: number, length: number): Promise<number> {
    for (;;) {
      if (this.#chunk === null) {
        this.#chunk = this.#stream.read() as Buffer | null;
        this.#used = 0;
      }
      if (this.#chunk !== null) return this.#take(this.#chunk, into, at, length);
      if (this.#error !== null) throw this.#error;
      if (this.#ended) return 0;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#chunk = null;
    this.#end();
    this.#stream.destroy();
  }

  #take(chunk: Buffer, into: Buffer, at: number, length: number): number {
    const got = Math.min(length, chunk.length - this.#used);
    chunk.copy(into, at, this.#used, this.#used + got);
    this.#used += got;
    if (this.#used === chunk.length) this.#chunk = null;
    this.diskRead += got;
    return got;
  }

  #end(): void {
    this.#ended = true;
    this.#rouse();
  }

  #rouse(): void {
    const wake = this.#wake;
    this.#wake = null;
    if (wake !== null) wake();
  }
}

/** Bytes that were taken from a supply to look at them, then the rest of that supply. */
export class PrefixedSupply implements ByteSupply {
  readonly #inner: ByteSupply;
  #prefix: Buffer;

  constructor(prefix: Buffer, inner: ByteSupply) {
    this.#prefix = prefix;
    this.#inner = inner;
  }

  get diskRead(): number {
    return this.#inner.diskRead;
  }

  get diskTotal(): number {
    return this.#inner.diskTotal;
  }

  read(into: Buffer, at: number, length: number): number | Promise<number> {
    if (this.#prefix.length === 0) return this.#inner.read(into, at, length);
    const got = this.#prefix.copy(into, at, 0, Math.min(length, this.#prefix.length));
    this.#prefix = this.#prefix.subarray(got);
    return got;
  }

  close(): void {
    this.#prefix = Buffer.alloc(0);
    this.#inner.close();
  }
}
