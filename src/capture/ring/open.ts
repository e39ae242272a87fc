// Live capture through AF_PACKET rings as a source: one ring for each interface, their frames
// merged by time. A batch's bytes lie in the ring itself; a block goes back to the kernel only when
// the batch with its last frame was used, so a slow reader makes the kernel drop and count.

import { readdirSync } from 'node:fs';
import { markAsUntransferable } from 'node:worker_threads';
import { FrameBatch, type Source, type SourceProblem } from '../source.js';
import { addressHash } from '../steer.js';
import { type Addon, LaneState, loadAddon, type OpenedRing } from './addon.js';
import { blockHeaderBytes, Lane } from './lane.js';
import { filterProgram, steeringProgram } from './programs.js';

export interface RingOptions {
  /** TCP ports that carry mail; absent: everything is captured. */
  readonly ports?: readonly number[];
  /** Whether the filter lets tunnels through; default true. */
  readonly tunnels?: boolean;
  /** Ring of each interface; default 64 MiB. */
  readonly ringBytes?: number;
  /** One block of it, a power of two from 128 KiB; default 512 KiB. */
  readonly blockBytes?: number;
  /** Milliseconds after which the kernel hands over a block that is not full; default 40. */
  readonly retire_ms?: number;
  /** Default true. */
  readonly promiscuous?: boolean;
  /**
   * Share each interface's frames with other rings by `steer`. The first worker gives null and
   * founds a group for each interface; the others give its `groups`. All open in the order of
   * their numbers, one after the other.
   */
  readonly fanout?: { readonly groups: readonly number[] | null };
  /** For tests: overwrite a block before it goes back, so that nobody can use it longer. */
  readonly poison?: boolean;
}

/** What a ring has seen since it was opened. */
export interface RingFigures {
  /** Frames that passed the filter, those dropped included. */
  readonly packets: number;
  /** Frames for which there was no room. */
  readonly drops: number;
  /** Times that the ring was full. */
  readonly freezes: number;
  /** Share of the blocks that wait to be read, 0 to 1. */
  readonly fill: number;
  /** With fan-out: frames whose addresses the steering cannot see. They are worker 0's. */
  readonly unsteered: number;
  /** Interfaces that are down at the moment. */
  readonly down: readonly string[];
}

const ringBytesDefault = 64 * 1024 * 1024;
const blockBytesDefault = 512 * 1024;
const retireDefault = 40;
const batchFrames = 2048;
/** An idle source says so this often; the state of the interfaces is looked at then, too. */
const beat_ms = 200;
/** An interface that is gone is read on for so many beats: its last block is still to come. */
const lastBeats = 2;

/**
 * Opens a ring on each interface; throws one line where that cannot be. What `next` gives may be
 * written to (for a sentinel, or by a fault injector) until the next call.
 */
export function openRing(interfaces: readonly string[], options: RingOptions = {}): RingSource {
  const addon = loadAddon();
  if (typeof addon === 'string') throw new RingError(`no ring: ${addon}`);
  return new RingSource(addon, interfaces, options);
}

/** A ring cannot be opened. The message is one line; it names the interface where one is meant. */
export class RingError extends Error {
  override readonly name = 'CaptureError';
}

/** The source over the rings of one thread. */
export class RingSource implements Source {
  readonly name: string;
  problem: SourceProblem | null = null;
  readonly #addon: Addon;
  readonly #interfaces: readonly string[];
  readonly #options: RingOptions;
  readonly #retire_ms: number;
  readonly #ring: OpenedRing;
  readonly #lanes: readonly Lane[];
  readonly #batch: FrameBatch;
  readonly #words: Int32Array;
  readonly #blockBytes: number;
  readonly #statistics = new Float64Array(3);
  readonly #states: number[];
  readonly #sums = { packets: 0, drops: 0, freezes: 0 };
  #wake: (() => void) | null = null;
  #closed = false;
  #beaten = 0;
  #goneBeats = 0;
  #frames = 0;
  #bytes = 0;
  #unsteered = 0;

  constructor(addon: Addon, interfaces: readonly string[], options: RingOptions) {
    this.#addon = addon;
    this.#interfaces = interfaces;
    this.#options = options;
    this.name = interfaces.join(', ');
    this.#retire_ms = options.retire_ms ?? retireDefault;
    this.#blockBytes = options.blockBytes ?? blockBytesDefault;
    this.#ring = this.#open();
    const { area, lanes } = this.#ring;
    // Transferring it would take the memory of a ring that the kernel goes on writing.
    markAsUntransferable(area);
    this.#words = new Int32Array(area);
    this.#batch = new FrameBatch(Buffer.from(area), batchFrames);
    this.#lanes = lanes.map(
      ({ ethernet, outgoing }) => new Lane(this.#batch.bytes, this.#words, ethernet, outgoing),
    );
    this.#states = lanes.map(() => LaneState.up);
  }

  /** The fan-out group of each interface, for the workers that join; -1 without fan-out. */
  get groups(): readonly number[] {
    return this.#ring.lanes.map(({ group }) => group);
  }

  async next(): Promise<FrameBatch | null> {
    const batch = this.#batch;
    while (!this.#closed) {
      batch.count = 0;
      batch.clock = 0;
      this.#giveBack();
      const clock = this.#watermark();
      this.#collect(clock);
      if (batch.count > 0) return this.#counted(batch);
      if (performance.now() - this.#beaten >= beat_ms) {
        this.#beat();
        batch.clock = clock;
        return this.#closed ? null : batch;
      }
      await this.#idle();
    }
    return null;
  }

  close(): void {
    if (this.#closed) return;
    this.#count();
    this.#closed = true;
    this.#addon.close(this.#ring.handle);
    this.#rouse();
  }

  progress(): { read: number; total: number } {
    return { read: this.#bytes, total: 0 };
  }

  get drops(): number {
    this.#count();
    return this.#sums.drops;
  }

  /** Costs a system call for each interface. */
  figures(): RingFigures {
    this.#count();
    const down = this.#interfaces.filter((_, lane) => this.#states[lane] !== LaneState.up);
    return { ...this.#sums, fill: this.#fill(), unsteered: this.#unsteered, down };
  }

  #open(): OpenedRing {
    const { ports, tunnels = true, fanout, promiscuous = true } = this.#options;
    const filter = (ethernet: boolean): Uint8Array | null =>
      ports === undefined ? null : filterProgram({ ports, tunnels, ethernet });
    const plan = {
      lanes: this.#interfaces.map((name, lane) => ({
        interface: name,
        group: fanout?.groups?.[lane] ?? -1,
        ethernetFilter: filter(true),
        ipFilter: filter(false),
      })),
      blocks: Math.max(
        2,
        Math.floor((this.#options.ringBytes ?? ringBytesDefault) / this.#blockBytes),
      ),
      blockBytes: this.#blockBytes,
      retire_ms: this.#retire_ms,
      promiscuous,
      steering: fanout === undefined ? null : steeringProgram(),
    };
    try {
      return this.#addon.open(plan, () => this.#rouse());
    } catch (error) {
      throw new RingError(`${this.name}: ${reasonOf(error as NodeJS.ErrnoException)}`);
    }
  }

  /** Blocks whose frames have all been used are the kernel's again. */
  #giveBack(): void {
    this.#lanes.forEach((lane, index) => {
      if (lane.block < 0 || lane.left > 0) return;
      if (this.#options.poison === true) {
        const from = lane.block + blockHeaderBytes;
        this.#batch.bytes.fill(0xee, from, lane.block + this.#blockBytes);
      }
      lane.block = -1;
      this.#addon.release(this.#ring.handle, index);
    });
  }

  /**
   * Microseconds up to which everything that came is in blocks that are ready: an open block is
   * handed over within two periods of its timer. Asked for before looking at the blocks.
   */
  #watermark(): number {
    return (Date.now() - 3 * this.#retire_ms) * 1000;
  }

  /** Fills the batch in the order of time, as far as no frame can be missing in between. */
  #collect(watermark: number): void {
    this.#lanes.forEach((lane, index) => {
      if (lane.block < 0) this.#hold(lane, index);
    });
    const batch = this.#batch;
    if (this.#lanes.length === 1) {
      this.#lanes[0]!.take(batch, Number.POSITIVE_INFINITY);
      return;
    }
    for (let count = -1; count < batch.count && batch.count < batch.capacity; ) {
      count = batch.count;
      const { first, limit } = this.#earliest(watermark);
      first?.take(batch, limit);
    }
  }

  #hold(lane: Lane, index: number): void {
    const { handle } = this.#ring;
    for (let block = 0; lane.left === 0 && block >= 0; ) {
      // Some kernels hand over blocks with nothing in them.
      if (lane.block >= 0) this.#addon.release(handle, index);
      lane.block = -1;
      block = this.#addon.ready(handle, index);
      if (block >= 0) lane.hold(block);
    }
  }

  /** The lane with the earliest frame, and up to when its frames come before all others'. */
  #earliest(watermark: number): { first: Lane | null; limit: number } {
    let first: Lane | null = null;
    let limit = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes) {
      // A lane without a frame may still get one from behind the watermark, no earlier one.
      if (lane.left === 0) limit = Math.min(limit, lane.block >= 0 ? -1 : watermark);
      else if (first === null || lane.time < first.time) {
        if (first !== null) limit = Math.min(limit, first.time);
        first = lane;
      } else limit = Math.min(limit, lane.time);
    }
    return { first, limit };
  }

  #counted(batch: FrameBatch): FrameBatch {
    this.#frames += batch.count;
    const { wireLength, count, bytes, offset, length, link } = batch;
    for (let i = 0; i < count; i += 1) this.#bytes += wireLength[i]!;
    if (this.#options.fanout === undefined) return batch;
    for (let i = 0; i < count; i += 1) {
      const from = offset[i]!;
      if (addressHash(bytes, from, from + length[i]!, link[i]!) < 0) this.#unsteered += 1;
    }
    return batch;
  }

  /** Waits for a block, for an interface to go, or for the next beat. */
  #idle(): Promise<void> {
    return new Promise((resolve) => {
      // While frames are held back for another lane, time alone may set them free.
      const held = this.#lanes.some((lane) => lane.left > 0);
      const timer = setTimeout(() => this.#rouse(), held ? this.#retire_ms : beat_ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#lanes.forEach((lane, index) => {
        // An error of the socket would wake at once, again and again, until it is asked for.
        this.#states[index] = this.#addon.state(this.#ring.handle, index);
        if (lane.block < 0) this.#addon.wait(this.#ring.handle, index);
      });
    });
  }

  #rouse(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #beat(): void {
    this.#beaten = performance.now();
    this.#count();
    const gone = this.#interfaces.filter((_, lane) => this.#states[lane] === LaneState.gone);
    if (gone.length === 0) return;
    this.#goneBeats += 1;
    if (this.#goneBeats <= lastBeats) return;
    const message = `the interface is gone: ${gone.join(', ')} was removed; there are: ${names()}`;
    this.problem = { message, offset: this.#bytes, packet: this.#frames };
    this.close();
  }

  #count(): void {
    if (this.#closed) return;
    const sums = this.#sums;
    sums.packets = 0;
    sums.drops = 0;
    sums.freezes = 0;
    this.#lanes.forEach((_, index) => {
      this.#addon.statistics(this.#ring.handle, index, this.#statistics);
      sums.packets += this.#statistics[0]!;
      sums.drops += this.#statistics[1]!;
      sums.freezes += this.#statistics[2]!;
    });
  }

  #fill(): number {
    if (this.#closed) return 0;
    let full = 0;
    let blocks = 0;
    const step = this.#blockBytes >> 2;
    // The last bytes of the area are no block.
    for (let word = 2; word + step <= this.#words.length; word += step) {
      full += this.#words[word]! & 1;
      blocks += 1;
    }
    return full / blocks;
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EPERM':
      return 'no permission to capture; run as root or with CAP_NET_RAW and CAP_NET_ADMIN';
    case 'ENODEV':
      return `no such interface; there are: ${names()}`;
    case 'ENOMEM':
      return `no memory for the ring (${message}); make capture.ring_bytes smaller`;
    default:
      return `cannot capture: ${message}`;
  }
}

function names(): string {
  try {
    return readdirSync('/sys/class/net').sort().join(', ');
  } catch {
    return 'none';
  }
}
