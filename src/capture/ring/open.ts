// Live capture through AF_PACKET rings as a source: one ring for each interface, their frames
// merged by time. A batch's bytes lie in the ring itself; a block goes back to the kernel only when
// the batch with its last frame was used, so a slow reader makes the kernel drop and count.

import { markAsUntransferable } from 'node:worker_threads';
import { FrameBatch, type Source, type SourceProblem } from '../source.js';
import { addressesSeen } from '../steer.js';
import { type Addon, type AttachedRing, LaneState, loadAddon } from './addon.js';
import { blockHeaderBytes, Lane } from './lane.js';
import {
  interfaceNames,
  openSockets,
  RingError,
  type RingOptions,
  type RingPlan,
  type RingSockets,
} from './sockets.js';

/** What a source has seen of its rings since it attached. */
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

const batchFrames = 2048;
/** An idle source says so this often; the state of the interfaces is looked at then, too. */
const beat_ms = 200;
/** An interface that is gone is read on for so many beats: its last block is still to come. */
const lastBeats = 2;

/**
 * Opens a ring on each interface and attaches to it, for a program of one thread; throws a
 * `RingError` where that cannot be. Closing the source closes the sockets.
 */
export function openRing(interfaces: readonly string[], options: RingOptions = {}): RingSource {
  const sockets = openSockets(interfaces, 1, options);
  return new RingSource(addonOrThrow(), sockets.plans[0]!, sockets);
}

/** Attaches this thread to rings that another one has opened and will close. */
export function attachRing(plan: RingPlan): RingSource {
  return new RingSource(addonOrThrow(), plan, null);
}

function addonOrThrow(): Addon {
  const addon = loadAddon();
  if (typeof addon === 'string') throw new RingError(`no ring: ${addon}`);
  return addon;
}

/**
 * The source over the rings of one thread. What `next` gives may be written to (for a sentinel, or
 * by a fault injector) until the next call.
 */
export class RingSource implements Source {
  readonly name: string;
  problem: SourceProblem | null = null;
  /** Frames lost with a reader that died: those of the block in hand that it had not used. */
  readonly lost: number;
  readonly #addon: Addon;
  readonly #plan: RingPlan;
  readonly #sockets: RingSockets | null;
  readonly #ring: AttachedRing;
  readonly #lanes: readonly Lane[];
  readonly #batch: FrameBatch;
  readonly #words: Int32Array;
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

  constructor(addon: Addon, plan: RingPlan, sockets: RingSockets | null) {
    this.#addon = addon;
    this.#plan = plan;
    this.#sockets = sockets;
    this.name = plan.interfaces.join(', ');
    const { blocks, blockBytes, lanes } = plan;
    const fds = lanes.map(({ fd }) => fd);
    try {
      this.#ring = addon.attach({ fds, blocks, blockBytes }, () => this.#rouse());
    } catch (error) {
      sockets?.close();
      throw new RingError(`${this.name}: cannot map the ring: ${(error as Error).message}`);
    }
    const { area, lost } = this.#ring;
    this.lost = lost;
    // Transferring it would take the memory of a ring that the kernel goes on writing.
    markAsUntransferable(area);
    this.#words = new Int32Array(area);
    this.#batch = new FrameBatch(Buffer.from(area), batchFrames);
    this.#lanes = lanes.map(
      ({ ethernet, outgoing }) => new Lane(this.#batch.bytes, this.#words, ethernet, outgoing),
    );
    this.#states = lanes.map(() => LaneState.up);
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
    this.#addon.detach(this.#ring.handle);
    this.#sockets?.close();
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
    const down = this.#plan.interfaces.filter((_, lane) => this.#states[lane] !== LaneState.up);
    return { ...this.#sums, fill: this.#fill(), unsteered: this.#unsteered, down };
  }

  /** The batch was used: blocks of which that was the last frame are the kernel's again. */
  #giveBack(): void {
    this.#lanes.forEach((lane, index) => {
      lane.settle();
      if (lane.block < 0 || lane.left > 0) return;
      if (this.#plan.poison) {
        const from = lane.block + blockHeaderBytes;
        this.#batch.bytes.fill(0xee, from, lane.block + this.#plan.blockBytes);
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
    return (Date.now() - 3 * this.#plan.retire_ms) * 1000;
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
    if (!this.#plan.unsteered) return batch;
    for (let i = 0; i < count; i += 1) {
      const from = offset[i]!;
      if (!addressesSeen(bytes, from, from + length[i]!, link[i]!)) this.#unsteered += 1;
    }
    return batch;
  }

  /** Waits for a block, for an interface to go, or for the next beat. */
  #idle(): Promise<void> {
    return new Promise((resolve) => {
      // While frames are held back for another lane, time alone may set them free.
      const held = this.#lanes.some((lane) => lane.left > 0);
      const timer = setTimeout(() => this.#rouse(), held ? this.#plan.retire_ms : beat_ms);
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
    const gone = this.#plan.interfaces.filter((_, lane) => this.#states[lane] === LaneState.gone);
    if (gone.length === 0) return;
    this.#goneBeats += 1;
    if (this.#goneBeats <= lastBeats) return;
    const rest = interfaceNames();
    const message = `the interface is gone: ${gone.join(', ')} was removed; there are: ${rest}`;
    this.problem = { message, offset: this.#bytes, packet: this.#frames };
    this.close();
  }

  #count(): void {
    if (this.#closed) return;
    const sums = this.#sums;
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
    const step = this.#plan.blockBytes >> 2;
    // The last bytes of the area are no block.
    for (let word = 2; word + step <= this.#words.length; word += step) {
      full += this.#words[word]! & 1;
      blocks += 1;
    }
    return full / blocks;
  }
}
