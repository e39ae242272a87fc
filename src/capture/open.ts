// Opens a capture that is a file, a FIFO or standard input: finds out by the first bytes what it
// is, undoes compression, and hands over frames. The bytes are walked where they were read to; only
// the unfinished record at the end of a block is carried to the front. Live interfaces:
// live-pcap.ts.

import { closeSync, constants, createReadStream, fstatSync, openSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { GzipSupply, isGzip } from './gzip.js';
import { isPcap, PcapParser, pcapHeaderBytes } from './pcap.js';
import { blockMax, hasByteOrder, isPcapng, PcapngParser } from './pcapng.js';
import type { RecordParser } from './records.js';
import { FrameBatch, frameMax, type Source, type SourceProblem, slack } from './source.js';
import {
  type ByteSupply,
  DamagedStream,
  FileSupply,
  PrefixedSupply,
  StreamSupply,
} from './supply.js';
import { isZstd, ZstdSupply } from './zstd.js';

// bench/micro/pcap-file.bench.ts: 256 KiB to 1 MiB are equal within noise, 64 KiB costs 5 ns a
// packet more and 2 MiB 20, when the block no longer lies in the second-level cache. The smallest
// of them leaves most of that cache to the tables: the whole replay takes a tenth less than at 512.
const blockBytes = 256 * 1024;
const batchFrames = 8192;

/**
 * The capture at `path` ("-": standard input) as a source of frames. Nothing is opened before the
 * first `next`, which rejects with a one-line Error where there is no capture at all.
 */
export function openCapture(path: string): Source {
  const name = path === '-' ? 'standard input' : path;
  return new CaptureFile(name, () => openSupply(path, name));
}

/** Nothing of the source can be used. The message is one line for people. */
class UnusableCapture extends Error {
  override readonly name = 'UnusableCapture';
}

/** A source of frames from any supply of capture bytes, which it owns. */
export function readCapture(name: string, supply: ByteSupply): Source {
  return new CaptureFile(name, () => supply);
}

class CaptureFile implements Source {
  readonly name: string;
  problem: SourceProblem | null = null;
  readonly drops = 0;
  readonly #open: () => ByteSupply;
  #supply: ByteSupply | null = null;
  #parser: RecordParser | null = null;
  readonly #batch: FrameBatch;
  /**
   * Unused bytes are [from, to) of the batch's area; `base` is the stream's place of its byte 0.
   */
  #from = 0;
  #to = 0;
  #base = 0.5;
  #packets = 0.5;
  #ended = false;

  constructor(name: string, open: () => ByteSupply) {
    this.name = name;
    this.#open = open;
    const area = Buffer.allocUnsafeSlow(blockBytes + frameMax + 64 + slack);
    this.#batch = new FrameBatch(area, batchFrames);
    this.#base = 0;
    this.#packets = 0;
  }

  async next(): Promise<FrameBatch | null> {
    const batch = this.#batch;
    batch.count = 0;
    try {
      if (this.#supply === null && !this.#ended) this.#supply = this.#open();
      if (this.#parser === null && !this.#ended) await this.#begin();
      while (!this.#ended) {
        if (this.#walk()) return batch;
        if (!this.#ended) await this.#more();
      }
    } catch (error) {
      if (this.#ended) return null;
      if (error instanceof UnusableCapture) {
        this.close();
        throw error;
      }
      const { message } = error as Error;
      this.#stop(error instanceof DamagedStream ? message : `unreadable: ${message}`);
    }
    return null;
  }

  close(): void {
    this.#ended = true;
    this.#supply?.close();
  }

  progress(): { read: number; total: number } {
    return { read: this.#supply?.diskRead ?? 0, total: this.#supply?.diskTotal ?? 0 };
  }

  /** Fills the batch from the bytes that are there; whether it holds a frame. */
  #walk(): boolean {
    const parser = this.#parser;
    const batch = this.#batch;
    if (parser === null) return false;
    this.#from = parser.parse(batch.bytes, this.#from, this.#to, batch);
    this.#packets += batch.count;
    if (parser.fault === '') return batch.count > 0;
    this.#stop(`corrupt: ${parser.fault}`);
    return batch.count > 0;
  }

  /** Reads more bytes behind those that are there; at the end of the stream, ends the source. */
  async #more(): Promise<void> {
    const batch = this.#batch;
    if (this.#from > 0) {
      batch.bytes.copyWithin(0, this.#from, this.#to);
      this.#base += this.#from;
      this.#to -= this.#from;
      this.#from = 0;
    }
    this.#grow((this.#parser?.need ?? 0) + slack);
    if ((await this.#fill()) || this.#ended) return;
    if (this.#to > 0) this.#stop('truncated: the capture ends inside a record');
    else this.close();
  }

  async #fill(): Promise<boolean> {
    const { bytes } = this.#batch;
    const room = Math.min(blockBytes, bytes.length - slack - this.#to);
    const read = this.#supply?.read(bytes, this.#to, room) ?? 0;
    // A plain file answers at once: no turn of the event loop per block.
    const got = typeof read === 'number' ? read : await read;
    this.#to += got;
    return got > 0;
  }

  /** Blocks of pcapng may be larger than the area; `blockMax` bounds it. */
  #grow(need: number): void {
    const batch = this.#batch;
    if (need <= batch.bytes.length || need > blockMax + slack) return;
    const area = Buffer.allocUnsafeSlow(Math.min(blockMax + slack, need * 2));
    batch.bytes.copy(area, 0, 0, this.#to);
    batch.bytes = area;
  }

  /** Finds out what the stream is. */
  async #begin(): Promise<void> {
    if (!(await this.#atLeast(4))) throw notCapture(this.name, this.#head());
    const head = this.#head();
    const wrapped = isGzip(head) ? GzipSupply : isZstd(head) ? ZstdSupply : null;
    if (wrapped !== null && this.#supply !== null) {
      this.#supply = new wrapped(new PrefixedSupply(Buffer.from(head), this.#supply));
      this.#to = 0;
      if (!(await this.#atLeast(4))) throw notCapture(this.name, this.#head());
    }
    if (isPcap(this.#head())) return this.#beginPcap();
    if (isPcapng(this.#head())) return this.#beginPcapng();
    throw notCapture(this.name, this.#head());
  }

  async #beginPcap(): Promise<void> {
    if (await this.#atLeast(pcapHeaderBytes)) {
      this.#parser = new PcapParser(this.#head());
      this.#from = pcapHeaderBytes;
    } else if (!this.#ended) {
      this.#stop('truncated: the capture ends inside its header');
    }
  }

  async #beginPcapng(): Promise<void> {
    const enough = await this.#atLeast(12);
    if (enough && !hasByteOrder(this.#head())) throw notCapture(this.name, this.#head());
    if (enough) this.#parser = new PcapngParser();
    else if (!this.#ended) this.#stop('truncated: the capture ends inside its header');
  }

  #head(): Buffer {
    return this.#batch.bytes.subarray(0, this.#to);
  }

  async #atLeast(count: number): Promise<boolean> {
    while (this.#to < count) {
      if (!(await this.#fill())) return false;
    }
    return true;
  }

  #stop(message: string): void {
    const offset = this.#base + this.#from;
    this.problem = { message, offset, packet: this.#packets };
    this.close();
  }
}

function notCapture(name: string, head: Buffer): Error {
  if (head.length === 0)
    return new UnusableCapture(`${name}: empty; give a pcap or pcapng capture`);
  const bytes = head
    .subarray(0, 4)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');
  return new UnusableCapture(
    `${name}: not a pcap or pcapng capture (begins with ${bytes}); check the name, or convert it ` +
      'with "editcap -F pcap"',
  );
}

function openSupply(path: string, name: string): ByteSupply {
  try {
    return path === '-' ? openStandardInput() : openPath(path);
  } catch (error) {
    throw new UnusableCapture(`${name}: ${reasonOf(error as NodeJS.ErrnoException)}`);
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'no such file; check the path';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied; run as a user who may read it';
    case undefined:
      return error.message;
    default:
      return `cannot be opened (${error.code}); check the path and the disk`;
  }
}

function openStandardInput(): ByteSupply {
  const status = fstatSync(0);
  if (status.isFile()) return new FileSupply(0, status.size);
  if (process.stdin.isTTY) throw new Error('a terminal; pipe a capture into it, as in "< FILE"');
  return new StreamSupply(process.stdin);
}

function openPath(path: string): ByteSupply {
  // A FIFO must not be opened here in the ordinary way: that would block until a writer comes.
  const kind = statSync(path);
  if (kind.isDirectory()) throw new Error('a directory; name the capture files in it');
  if (kind.isFIFO()) {
    const pipe = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return new StreamSupply(new Socket({ fd: pipe, readable: true, writable: false }));
  }
  if (!kind.isFile()) return new StreamSupply(createReadStream(path));
  const descriptor = openSync(path, 'r');
  const status = fstatSync(descriptor);
  if (status.isFile()) return new FileSupply(descriptor, status.size);
  closeSync(descriptor);
  throw new Error('it changed while it was opened; try again');
}
