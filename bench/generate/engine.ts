// Plays many planned connections against each other in order of time and writes what a mirror port
// would see: TCP with delayed acknowledgements and slow start, never a loss. Memory is bounded by
// the connections that are open at once.

import type { FrameWriter } from './fast.js';
import { Flag } from './frame.js';
import { EventHeap } from './heap.js';
import type { Rng } from './rng.js';
import { Dir, type Plan, pieceWords, turnWords } from './script.js';

/** Where a connection stands: what its next frame is. */
const Phase = {
  syn: 0,
  synAck: 1,
  handshakeAck: 2,
  /** A segment of the script, or the acknowledgement that is due before it. */
  data: 3,
  fin: 4,
  peerFin: 5,
  lastAck: 6,
  done: 7,
} as const;

const delayedAck = 40_000;
const arrival = -1;

export interface EngineOptions {
  readonly writer: FrameWriter;
  readonly rng: Rng;
  /** Shared buffers that scripts point into (`sourcesOf`). */
  readonly sources: readonly Buffer[];
  /** Microseconds since 1970 of the first frame. */
  readonly epoch: number;
  /** Connections open at once, for plans without a start time. */
  readonly concurrency: number;
  /** Told of each connection when it opens. */
  readonly opened?: (plan: Plan) => void;
  /** Told after every few thousand frames. */
  readonly progress?: () => void;
}

/** Runs all plans to their end. Plans with start times come in that order. */
export class Engine {
  readonly #o: EngineOptions;
  readonly #heap = new EventHeap();
  readonly #flows: Flow[] = [];
  readonly #free: number[] = [];
  #waiting: Plan | null = null;

  constructor(options: EngineOptions) {
    this.#o = options;
  }

  run(plans: Iterator<Plan, void>): void {
    const first = this.#next(plans);
    if (!first) return;
    if (first.start < 0) this.#ramp(first, plans);
    else this.#await(first);
    let now = 0;
    let steps = 0;
    while (this.#heap.size > 0) {
      now = this.#heap.time;
      const id = this.#heap.pop();
      if (id === arrival) {
        this.#open(this.#waiting!, now);
        const plan = this.#next(plans);
        if (plan) this.#await(plan);
        continue;
      }
      const delay = this.#flows[id]!.step(this.#o.epoch + now);
      if (delay >= 0) this.#heap.push(now + Math.max(1, Math.round(delay)), id);
      else this.#close(id, now, plans);
      if ((++steps & 8191) === 0) this.#o.progress?.();
    }
  }

  #next(plans: Iterator<Plan, void>): Plan | null {
    const result = plans.next();
    return result.done ? null : result.value;
  }

  #await(plan: Plan): void {
    this.#waiting = plan;
    this.#heap.push(plan.start, arrival);
  }

  /** Opens the first connections over three seconds, about as long as one of them lasts. */
  #ramp(first: Plan, plans: Iterator<Plan, void>): void {
    let plan: Plan | null = first;
    for (let n = 1; plan; n++) {
      this.#open(plan, this.#o.rng.int(3_000_000));
      plan = n < this.#o.concurrency ? this.#next(plans) : null;
    }
  }

  #open(plan: Plan, at: number): void {
    const slot = this.#free.pop() ?? this.#flows.length;
    if (slot === this.#flows.length) this.#flows.push(new Flow(slot, this.#o));
    this.#o.writer.open(slot, plan);
    this.#o.opened?.(plan);
    this.#flows[slot]!.open(plan);
    this.#heap.push(at, slot);
  }

  #close(slot: number, now: number, plans: Iterator<Plan, void>): void {
    const endless = this.#flows[slot]!.plan!.start < 0;
    this.#flows[slot]!.plan = null;
    this.#free.push(slot);
    const plan = endless ? this.#next(plans) : null;
    if (plan) this.#open(plan, now + this.#o.rng.int(20_000));
  }
}

/** One open connection. `step` writes one frame and says when the next is due. */
class Flow {
  plan: Plan | null = null;
  readonly #slot: number;
  readonly #o: EngineOptions;
  #phase = 0;
  #piece = 0;
  #offset = 0;
  #turn = 0;
  /** Per direction: next sequence number; segments not yet acknowledged by this side. */
  readonly #seq = new Int32Array(2);
  readonly #owed = new Int32Array(2);
  #window = 10;
  #flight = 0;
  /** Who sends a pure ACK next, or -1; how long after that the script goes on. */
  #acker = -1;
  #wait = 0;
  #closer = 0;
  #knocks = 0;

  constructor(slot: number, options: EngineOptions) {
    this.#slot = slot;
    this.#o = options;
  }

  open(plan: Plan): void {
    this.plan = plan;
    this.#phase = Phase.syn;
    this.#piece = 0;
    this.#offset = 0;
    this.#turn = 0;
    this.#seq[0] = this.#o.rng.word() | 0;
    this.#seq[1] = this.#o.rng.word() | 0;
    this.#owed.fill(0);
    this.#window = 10;
    this.#flight = 0;
    this.#acker = -1;
    this.#knocks = 0;
    this.#closer = plan.close === 'server-fin' ? Dir.server : Dir.client;
  }

  /** Writes the next frame; microseconds until the one after it, or -1 at the end. */
  step(time: number): number {
    const plan = this.plan!;
    switch (this.#phase) {
      case Phase.syn:
        return this.#knock(time);
      case Phase.synAck:
        return this.#answer(time);
      case Phase.handshakeAck:
        this.#phase = Phase.data;
        this.#control(Dir.client, time, Flag.ack);
        return plan.script!.turns[2]! + plan.rtt / 2;
      case Phase.data:
        return this.#acker >= 0 ? this.#acknowledge(time) : this.#segment(time);
      case Phase.fin:
        return this.#fin(time);
      case Phase.peerFin:
        this.#phase = Phase.lastAck;
        this.#control(this.#closer ^ 1, time, Flag.fin | Flag.ack);
        return plan.rtt / 2;
      case Phase.lastAck:
        this.#control(this.#closer, time, Flag.ack);
        return -1;
      default:
        return -1;
    }
  }

  /** A SYN, and the same again as long as nobody answers. */
  #knock(time: number): number {
    const plan = this.plan!;
    const silent = plan.close === 'none' && plan.script === null;
    this.#control(Dir.client, time, Flag.syn);
    this.#knocks++;
    if (!silent) this.#phase = Phase.synAck;
    if (!silent) return plan.rtt / 2;
    this.#seq[Dir.client] = this.#seq[Dir.client]! - 1;
    return this.#knocks < (plan.syns ?? 1) ? 1_000_000 * 2 ** (this.#knocks - 1) : -1;
  }

  #answer(time: number): number {
    const plan = this.plan!;
    if (plan.close === 'refused') {
      this.#control(Dir.server, time, Flag.rst | Flag.ack);
      return -1;
    }
    this.#control(Dir.server, time, Flag.syn | Flag.ack);
    this.#phase = plan.script === null ? Phase.fin : Phase.handshakeAck;
    return plan.rtt / 2;
  }

  #fin(time: number): number {
    const plan = this.plan!;
    if (plan.close === 'none') return -1;
    if (plan.close === 'client-rst') {
      this.#control(Dir.client, time, Flag.rst | Flag.ack);
      return -1;
    }
    this.#phase = Phase.peerFin;
    this.#control(this.#closer, time, Flag.fin | Flag.ack);
    return plan.rtt / 2;
  }

  #acknowledge(time: number): number {
    this.#control(this.#acker, time, Flag.ack);
    this.#acker = -1;
    return this.#wait;
  }

  /** The next segment of the turn, at most one MSS. */
  #segment(time: number): number {
    const plan = this.plan!;
    const { pieces, turns, text } = plan.script!;
    const turn = this.#turn * turnWords;
    const dir = turns[turn]!;
    const end = turns[turn + 1]!;
    const visible = (plan.sides & (1 << dir)) !== 0;
    if (visible) this.#o.writer.begin(this.#slot, dir, false);
    let room = plan.mss;
    while (room > 0 && this.#piece < end) {
      const at = this.#piece * pieceWords;
      const from = pieces[at + 1]! + this.#offset;
      const to = Math.min(pieces[at + 2]!, from + room);
      const source = pieces[at] === 0 ? text : this.#o.sources[pieces[at]!]!;
      if (visible) this.#o.writer.append(source, from, to);
      room -= to - from;
      this.#offset += to - from;
      if (to === pieces[at + 2]!) {
        this.#piece++;
        this.#offset = 0;
      }
    }
    const last = this.#piece === end;
    const flags = last ? Flag.ack | Flag.psh : Flag.ack;
    if (visible) this.#o.writer.finish(time, this.#seq[dir]!, this.#seq[dir ^ 1]!, flags);
    this.#seq[dir] = this.#seq[dir]! + plan.mss - room;
    this.#owed[dir] = 0;
    this.#owed[dir ^ 1] = this.#owed[dir ^ 1]! + 1;
    return last ? this.#turnOver(dir) : this.#pace(dir);
  }

  /** Between segments of a turn: an ACK for every second one, a round trip per window. */
  #pace(dir: number): number {
    const rtt = this.plan!.rtt;
    let delay = 12;
    if (++this.#flight >= this.#window) {
      this.#flight = 0;
      this.#window = Math.min(256, this.#window * 2);
      delay = rtt;
    }
    if (this.#owed[dir ^ 1]! < 2) return delay;
    this.#acker = dir ^ 1;
    this.#wait = delay;
    return 40;
  }

  #turnOver(dir: number): number {
    const plan = this.plan!;
    const turns = plan.script!.turns;
    this.#turn++;
    this.#flight = 0;
    const turn = this.#turn * turnWords;
    let delay = 300 + plan.rtt / 2;
    if (turn < turns.length) delay = turns[turn + 2]! + (turns[turn] === dir ? 10 : plan.rtt / 2);
    else this.#phase = Phase.fin;
    if (this.#phase === Phase.fin && plan.close === 'none') return -1;
    // Whoever has nothing to say yet acknowledges: at once, as most stacks do early on, or late.
    const quick = this.#o.rng.chance(0.8);
    const patience = quick ? plan.rtt / 2 : delayedAck + plan.rtt / 2;
    if (this.#phase !== Phase.data || delay <= patience) return delay;
    this.#acker = dir ^ 1;
    this.#wait = delay - patience;
    return patience;
  }

  /** A frame without payload. */
  #control(dir: number, time: number, flags: number): void {
    this.#owed[dir] = 0;
    const syn = (flags & Flag.syn) !== 0;
    if ((this.plan!.sides & (1 << dir)) !== 0) {
      const ack = (flags & Flag.ack) === 0 ? 0 : this.#seq[dir ^ 1]!;
      this.#o.writer.begin(this.#slot, dir, syn);
      this.#o.writer.finish(time, this.#seq[dir]!, ack, flags);
    }
    if (syn || (flags & Flag.fin) !== 0) this.#seq[dir] = this.#seq[dir]! + 1;
  }
}
