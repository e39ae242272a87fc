// Where bytes go: a file or standard output, collected into large writes. A slow reader holds the
// writer back instead of filling memory; a reader that went away is the quiet end of the work.
// It knows nothing of what the bytes mean.

import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Bytes collected before they are written. */
const batchBytes = 256 * 1024;
/** Bytes that may wait for a slow reader between two calls of `drain`; beyond it `write` waits. */
const waitingBytesMax = 64 * 1024 ** 2;
/** Milliseconds between two attempts while a pipe is full. */
const patience_ms = 5;

const pause = new Int32Array(new SharedArrayBuffer(4));

/** The output cannot be written: a full disk, a folder that does not exist. One line. */
export class OutError extends Error {
  override name = 'OutError';
}

export interface OutOptions {
  /** Path of a file; "-" is standard output. */
  readonly path: string;
  /** Keep what the file already holds; a log does, a result does not. */
  readonly append: boolean;
}

/**
 * A sink for bytes. `write` copies, so the caller may reuse its buffer at once. Call `drain`
 * between two portions of work: it is where a slow reader holds the writer back.
 */
export class Out {
  readonly #path: string;
  #fd: number;
  #own: boolean;
  #buffer = Buffer.allocUnsafeSlow(batchBytes);
  #used = 0;
  #closed = false;
  #lost = false;

  constructor(options: OutOptions) {
    this.#path = options.path;
    if (options.path === '-') {
      const pipe = openPipe();
      this.#own = pipe !== null;
      this.#fd = pipe ?? 1;
    } else {
      this.#own = true;
      this.#fd = openFile(options.path, options.append ? 'a' : 'w');
    }
  }

  /** True after `close` or once the reader has gone away: what is written then is dropped. */
  get closed(): boolean {
    return this.#closed;
  }

  /** True once the reader has gone away, which is how `| head` ends and no failure. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Bytes that wait to be written. */
  get waiting(): number {
    return this.#used;
  }

  /** Takes the first `length` bytes of `bytes`. */
  write(bytes: Buffer, length: number): void {
    if (this.#closed) return;
    if (this.#used + length > this.#buffer.length) {
      this.#push();
      if (this.#used + length > waitingBytesMax) this.flush();
      this.#makeRoom(length);
    }
    bytes.copy(this.#buffer, this.#used, 0, length);
    this.#used += length;
  }

  writeText(text: string): void {
    const bytes = Buffer.from(text);
    this.write(bytes, bytes.length);
  }

  /** Waits until at most one batch is left to write, or until `stopped` says that nobody cares. */
  async drain(stopped: () => boolean = () => false): Promise<void> {
    while (this.#used > batchBytes && !this.#closed && !stopped()) {
      this.#push();
      if (this.#used > batchBytes) await sleep(patience_ms);
    }
  }

  /** Hands over what is collected, as far as the reader takes it without waiting. */
  offer(): void {
    this.#push();
  }

  /** Writes everything, waiting for a slow reader at most `patience` milliseconds. */
  flush(patience = Number.POSITIVE_INFINITY): void {
    let waited = 0;
    while (this.#used > 0 && !this.#closed && waited < patience) {
      this.#push();
      if (this.#used === 0) break;
      Atomics.wait(pause, 0, 0, patience_ms);
      waited += patience_ms;
    }
  }

  /** Closes and opens the file again, so that a renamed log is let go. No effect on a pipe. */
  reopen(): void {
    if (this.#path === '-') return;
    this.flush();
    const fresh = openFile(this.#path, 'a');
    closeSync(this.#fd);
    this.#fd = fresh;
  }

  /** Writes what is left (see `flush`) and closes. */
  close(patience = Number.POSITIVE_INFINITY): void {
    this.flush(patience);
    this.#used = 0;
    this.#closed = true;
    if (!this.#own) return;
    this.#own = false;
    closeSync(this.#fd);
  }

  /** Writes until nothing is left or the pipe is full. */
  #push(): void {
    let from = 0;
    while (from < this.#used && !this.#closed) {
      const written = this.#writeOnce(from);
      if (written === 0) break;
      from += written;
    }
    if (this.#closed) from = this.#used;
    if (from > 0) this.#buffer.copyWithin(0, from, this.#used);
    this.#used -= from;
    if (this.#used === 0 && this.#buffer.length > 4 * batchBytes) {
      this.#buffer = Buffer.allocUnsafeSlow(batchBytes);
    }
  }

  #writeOnce(from: number): number {
    try {
      return writeSync(this.#fd, this.#buffer, from, this.#used - from);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') return 0;
      this.#closed = true;
      this.#lost = code === 'EPIPE';
      if (this.#lost) return 0;
      throw new OutError(
        `${this.#name()}: cannot be written (${code}); check space and permission`,
      );
    }
  }

  #makeRoom(length: number): void {
    const need = this.#used + length;
    if (need <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(need, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }

  #name(): string {
    return this.#path === '-' ? 'standard output' : this.#path;
  }
}

/**
 * Standard output opened once more without blocking, when it is a pipe: a reader that stops reading
 * must not make a daemon deaf to signals. Other programs that share the pipe are not affected,
 * because the flag belongs to the new opening. Null where that is impossible or not needed.
 */
function openPipe(): number | null {
  try {
    if (!fstatSync(1).isFIFO()) return null;
    return openSync('/dev/fd/1', constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}

function openFile(path: string, flags: 'a' | 'w'): number {
  try {
    return openSync(path, flags, 0o640);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new OutError(
      `${path}: cannot be opened for writing (${code}); check folder and permission`,
    );
  }
}
