// The fault injector: wraps any source and makes of it what a bad mirror port would. Frames are
// copied into a batch of its own. Equal seeds give equal faults, whatever the batches of the inner
// source. Not fast, and not meant to be.

import { u16be } from '../lib/bytes.js';
import { Random } from '../lib/random.js';
import { FrameBatch, frameMax, type Source, type SourceProblem, slack } from './source.js';

/** Rates are probabilities per frame, 0 to 1; what is absent does not happen. */
export interface Faults {
  readonly seed: number;
  readonly drop?: number;
  readonly duplicate?: number;
  /** A frame comes 1 to `reorderDistance` (default 3, at most 1,024) frames too late. */
  readonly reorder?: number;
  readonly reorderDistance?: number;
  /** A frame loses what lies behind `truncateTo` (default 96) bytes; its wire length stays. */
  readonly truncate?: number;
  readonly truncateTo?: number;
  /**
   * Keeps only TCP over plain or tagged Ethernet, IPv4 or IPv6, that goes to (client) or comes from
   * (server) a mail port.
   */
  readonly sides?: 'client' | 'server';
  /** Default 25, 465, 587, 2525. */
  readonly ports?: readonly number[];
}

const areaBytes = 2 * frameMax + 512 * 1024 + slack;
const batchFrames = 4096;
const distanceMax = 1024;
/** Late frames are let go early rather than hold more than this. */
const heldBytesMax = 16 * 1024 * 1024;

interface Late {
  readonly bytes: Buffer;
  readonly wireLength: number;
  readonly link: number;
  readonly time: number;
  /** Number of the frame of the inner source in front of which it comes. */
  readonly due: number;
}

/** Wraps a source, which belongs to the wrapper from then on. */
export function faulty(source: Source, faults: Faults): Source {
  return new FaultySource(source, faults);
}

class FaultySource implements Source {
  readonly #inner: Source;
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #ports: ReadonlySet<number>;
  readonly #distance: number;
  readonly #out = new FrameBatch(Buffer.allocUnsafeSlow(areaBytes), batchFrames);
  #used = 0;
  /** In the order in which they are due. */
  #late: Late[] = [];
  #lateBytes = 0;
  #in: FrameBatch | null = null;
  #at = 0;
  #number = 0;
  /** Time of the last frame handed over: a late frame is stamped when it comes. */
  #time = 0;
  #ended = false;

  constructor(source: Source, faults: Faults) {
    this.#inner = source;
    this.#faults = faults;
    this.#random = new Random(faults.seed);
    this.#ports = new Set(faults.ports ?? [25, 465, 587, 2525]);
    this.#distance = Math.max(1, Math.min(faults.reorderDistance ?? 3, distanceMax));
  }

  get name(): string {
    return this.#inner.name;
  }

  get problem(): SourceProblem | null {
    return this.#inner.problem;
  }

  get drops(): number {
    return this.#inner.drops;
  }

  progress(): { read: number; total: number } {
    return this.#inner.progress();
  }

  close(): void {
    this.#ended = true;
    this.#in = null;
    this.#late = [];
    this.#inner.close();
  }

  async next(): Promise<FrameBatch | null> {
    const out = this.#out;
    out.count = 0;
    this.#used = 0;
    for (;;) {
      const whole = this.#drain();
      if (!whole) return out;
      if (this.#in !== null) {
        const idle = this.#in.count === 0;
        // While a frame is held back, not everything was handed over.
        if (this.#late.length === 0) out.clock = this.#in.clock;
        this.#in = null;
        if (out.count > 0 || idle) return out;
      }
      if (this.#ended) return out.count > 0 ? out : null;
      this.#in = await this.#inner.next();
      this.#at = 0;
      if (this.#in === null) this.#ended = true;
    }
  }

  /** Moves frames from the inner batch to the outer; false where the outer is full before. */
  #drain(): boolean {
    const input = this.#in;
    const flush = input === null ? this.#ended : input.count === 0 && input.clock > 0;
    for (;;) {
      const late = this.#late[0];
      if (late !== undefined && (flush || late.due <= this.#number || this.#crowded())) {
        if (!this.#fits(late.bytes.length)) return false;
        this.#late.shift();
        this.#lateBytes -= late.bytes.length;
        this.#put(late.bytes, 0, late.bytes.length, late);
      } else if (input !== null && this.#at < input.count) {
        if (!this.#fits(2 * input.length[this.#at]!)) return false;
        this.#frame(input, this.#at++);
        this.#number++;
      } else {
        return true;
      }
    }
  }

  #crowded(): boolean {
    return this.#lateBytes > heldBytesMax;
  }

  #fits(bytes: number): boolean {
    const out = this.#out;
    return out.count + 2 <= out.capacity && this.#used + bytes + slack <= out.bytes.length;
  }

  /** One frame of the inner source: lost, cut, late, once or twice. */
  #frame(input: FrameBatch, index: number): void {
    const faults = this.#faults;
    const random = this.#random;
    const from = input.offset[index]!;
    let length = input.length[index]!;
    if (faults.sides !== undefined && !this.#isOn(faults.sides, input, index)) return;
    if (random.chance(faults.drop ?? 0)) return;
    if (random.chance(faults.truncate ?? 0)) length = Math.min(length, faults.truncateTo ?? 96);
    const copies = random.chance(faults.duplicate ?? 0) ? 2 : 1;
    const head = {
      wireLength: input.wireLength[index]!,
      link: input.link[index]!,
      time: input.time[index]!,
    };
    for (let copy = 0; copy < copies; copy++) {
      if (random.chance(faults.reorder ?? 0)) {
        const due = this.#number + 2 + random.below(this.#distance);
        this.#hold({ ...head, bytes: Buffer.from(input.bytes.subarray(from, from + length)), due });
      } else {
        this.#put(input.bytes, from, length, head);
      }
    }
  }

  #hold(late: Late): void {
    let place = this.#late.length;
    while (place > 0 && this.#late[place - 1]!.due > late.due) place--;
    this.#late.splice(place, 0, late);
    this.#lateBytes += late.bytes.length;
  }

  #put(
    bytes: Buffer,
    from: number,
    length: number,
    head: { readonly wireLength: number; readonly link: number; readonly time: number },
  ): void {
    const out = this.#out;
    bytes.copy(out.bytes, this.#used, from, from + length);
    // A late frame would otherwise turn the time back; where the inner times do so, they still do.
    const time = bytes === this.#in?.bytes ? head.time : Math.max(head.time, this.#time);
    this.#time = time;
    const count = out.count;
    out.offset[count] = this.#used;
    out.length[count] = length;
    out.wireLength[count] = head.wireLength;
    out.time[count] = time;
    out.link[count] = head.link;
    out.count = count + 1;
    this.#used += length;
  }

  #isOn(side: 'client' | 'server', input: FrameBatch, index: number): boolean {
    const from = input.offset[index]!;
    const ports = tcpPortsAt(input.bytes, from, from + input.length[index]!, input.link[index]!);
    if (ports < 0) return false;
    return this.#ports.has(
      side === 'client' ? input.bytes.readUInt16BE(ports + 2) : input.bytes.readUInt16BE(ports),
    );
  }
}

/** Where the four bytes of the TCP ports lie in an Ethernet frame; -1 where it has none to see. */
function tcpPortsAt(bytes: Buffer, from: number, to: number, link: number): number {
  if (link !== 1) return -1;
  let type = from + 12;
  while (type + 2 <= to && isTag(u16be(bytes, type)) && type < from + 24) type += 4;
  const ip = type + 2;
  if (ip + 40 > to) return -1;
  let ports = -1;
  if (u16be(bytes, type) === 0x0800) {
    // A later fragment (RFC 791) has no ports.
    const first = (u16be(bytes, ip + 6) & 0x1fff) === 0;
    if (first && bytes[ip + 9] === 6) ports = ip + (bytes[ip]! & 15) * 4;
  } else if (u16be(bytes, type) === 0x86dd && bytes[ip + 6] === 6) {
    ports = ip + 40;
  }
  return ports >= 0 && ports + 4 <= to ? ports : -1;
}

function isTag(type: number): boolean {
  return type === 0x8100 || type === 0x88a8 || type === 0x9100;
}
