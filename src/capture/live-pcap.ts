// Live capture through libpcap: starts live-child.ts, reads its pipe and hands over batches.
// Nothing of the pcap package is loaded here. A slow reader makes the kernel drop and count, never
// this process grow.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Control, type LiveOrder, LiveParser } from './live-wire.js';
import { FrameBatch, frameMax, type Source, type SourceProblem, slack } from './source.js';
import { StreamSupply } from './supply.js';

export interface LiveOptions {
  /** TCP ports that carry mail; absent: everything is captured. */
  readonly ports?: readonly number[];
  /** Bytes kept of a frame; default 262,144, which is all of it. */
  readonly snaplen?: number;
  /** The kernel's buffer; default 64 MiB. */
  readonly bufferBytes?: number;
  /** Default true. */
  readonly promiscuous?: boolean;
  /** The compiled child, where it does not lie beside this file (tests run from the sources). */
  readonly childFile?: string;
}

const snapLengthMax = 262144;
const bufferBytesDefault = 64 * 1024 * 1024;
const areaBytes = 512 * 1024 + frameMax + slack;
const batchFrames = 8192;
const startTime = 15_000;

/**
 * A live interface as a source ("any": all of them, where the system has that). Nothing starts
 * before the first `next`, which rejects with one line where capturing cannot begin. An empty batch
 * at least every half second moves the clock while nothing comes.
 */
export function openLivePcap(name: string, options: LiveOptions = {}): Source {
  return new LiveSource(name, options);
}

class LiveSource implements Source {
  readonly name: string;
  problem: SourceProblem | null = null;
  drops = 0;
  readonly #options: LiveOptions;
  readonly #batch = new FrameBatch(Buffer.allocUnsafeSlow(areaBytes), batchFrames);
  readonly #parser = new LiveParser();
  #child: ChildProcess | null = null;
  #supply: StreamSupply | null = null;
  #ready = false;
  #closed = false;
  #from = 0;
  #to = 0;
  #bytes = 0.5;
  #packets = 0.5;
  #standardError = '';

  constructor(name: string, options: LiveOptions) {
    this.name = name;
    this.#options = options;
    this.#bytes = 0;
    this.#packets = 0;
  }

  async next(): Promise<FrameBatch | null> {
    const batch = this.#batch;
    batch.count = 0;
    if (this.#child === null && !this.#closed) await this.#start();
    while (!this.#closed) {
      if (this.#walk()) return batch;
      if (!this.#closed && this.#parser.control === null) await this.#more();
    }
    return null;
  }

  close(): void {
    this.#closed = true;
    this.#supply?.close();
    // It has nothing to save, and it ignores the gentler signals (see there).
    this.#child?.kill('SIGKILL');
  }

  progress(): { read: number; total: number } {
    return { read: this.#bytes, total: 0 };
  }

  async #start(): Promise<void> {
    const { childFile, promiscuous } = this.#options;
    const file = childFile ?? fileURLToPath(new URL('./live-child.js', import.meta.url));
    const order: LiveOrder = {
      interface: this.name,
      ports: this.#options.ports,
      snapLength: Math.max(64, Math.min(this.#options.snaplen ?? snapLengthMax, snapLengthMax)),
      bufferBytes: this.#options.bufferBytes ?? bufferBytesDefault,
      // libpcap warns, and the package gives up, where "any" is asked to be promiscuous.
      promiscuous: this.name !== 'any' && (promiscuous ?? true),
    };
    const child = spawn(process.execPath, [file, JSON.stringify(order)], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.on('error', (error) => this.#note(error.message));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#note(text));
    this.#supply = new StreamSupply(child.stdio[3] as Readable);
    const timer = setTimeout(() => child.kill('SIGKILL'), startTime);
    try {
      while (!this.#ready && !this.#closed) {
        if (!this.#walk() && this.#parser.control === null) await this.#more();
      }
    } finally {
      clearTimeout(timer);
    }
    if (this.#ready || this.problem === null) return;
    const { message } = this.problem;
    this.problem = null;
    throw new Error(`${this.name}: ${message}`);
  }

  #note(text: string): void {
    this.#standardError = (this.#standardError + text).slice(0, 2000);
  }

  /**
   * Takes frames, or one control record, from the bytes at hand; whether there is a batch to give.
   */
  #walk(): boolean {
    const batch = this.#batch;
    const parser = this.#parser;
    this.#from = parser.parse(batch.bytes, this.#from, this.#to, batch);
    this.#packets += batch.count;
    if (parser.control !== null) this.#obey(parser.control, batch);
    if (parser.fault !== '') this.#stop(`corrupt: ${parser.fault}`);
    return this.#ready && (batch.count > 0 || parser.control?.kind === 'beat');
  }

  #obey(control: Control, batch: FrameBatch): void {
    if (control.kind === 'ready') {
      this.#parser.link = control.link;
      this.#ready = true;
    } else if (control.kind === 'beat') {
      batch.clock = control.clock;
      this.drops = control.drops;
    } else {
      this.#stop(failureText(control, this.#packets > 0 || this.#ready));
    }
  }

  async #more(): Promise<void> {
    const { bytes } = this.#batch;
    if (this.#from > 0) {
      bytes.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    let got = 0;
    try {
      const room = bytes.length - slack - this.#to;
      got = (await this.#supply?.read(bytes, this.#to, room)) ?? 0;
    } catch (error) {
      this.#note((error as Error).message);
    }
    this.#to += got;
    this.#bytes += got;
    if (got > 0 || this.#closed) return;
    const lines = this.#standardError.split('\n').map((text) => text.trim());
    const line = lines.find((text) => /^\w*Error\b/.test(text)) ?? lines[0] ?? '';
    const tail = line === '' ? '' : ` (${line})`;
    this.#stop(`the capturing process ended${tail}; start again`);
  }

  #stop(message: string): void {
    this.problem ??= { message, offset: this.#bytes, packet: this.#packets };
    this.close();
  }
}

function failureText(failure: Control & { kind: 'failed' }, started: boolean): string {
  const names = failure.interfaces.join(', ');
  switch (failure.why) {
    case 'package':
    case 'library':
      return (
        'live capture needs the pcap package, which is not there or does not load; run ' +
        `"apt-get install libpcap-dev" and then "npm ci" (${failure.detail})`
      );
    case 'permission':
      return 'no permission to capture; run as root or with CAP_NET_RAW and CAP_NET_ADMIN';
    case 'interface':
      return `no such interface; there are: ${names}`;
    case 'gone':
      return `the interface is gone: ${failure.detail}; there are: ${names}`;
    default:
      return `cannot ${started ? 'go on capturing' : 'capture'}: ${failure.detail}`;
  }
}
