// The slow twin of the reassembler: a byte map per direction, first copy wins. It is the sink of
// the stage under test and judges each call: order, content, gaps, causality. It says when a call
// must not come, not when it comes; that is patience, and the stage's own business.

import { type Chunk, FlowAnomaly, type StreamSink } from '../../src/flow/sink.js';
import type { Random } from '../../src/lib/random.js';

/** What the twin holds the stage to. */
export interface Rules {
  /** Chance that the sink stops inside a chunk and waits for the other direction. */
  readonly wait: number;
  /** Chance per chunk that the sink wants no more bytes. */
  readonly refuse: number;
  /** Acknowledgements are honest, so that causality can be asked for. */
  readonly causal: boolean;
  /** There is always a page, so that a byte once seen must be delivered. */
  readonly pages: boolean;
  /** Nobody waits for long and nothing is cut: only what was acknowledged may be called lost. */
  readonly patient: boolean;
}

/** A segment as it arrives: offsets count from the first byte of its direction. */
export interface Arrival {
  readonly dir: 0 | 1;
  readonly from: number;
  readonly bytes: Buffer;
  /** Bytes of the other direction that it acknowledges. */
  readonly ack: number;
}

/** The bytes of a direction. */
class Half {
  /** First copy of each byte; -1 where none was seen. */
  readonly first: Int16Array;
  /** What the segment with that copy acknowledged. */
  readonly acks: Int32Array;
  /** Every copy of each byte, for where not all of them could be kept. */
  readonly copies = new Map<number, Set<number>>();
  /** Where delivery stands: bytes and gaps before it were told. */
  horizon = 0;
  delivered = 0;
  lost = 0;
  /** Behind the last byte that was seen. */
  end = 0;
  waits = false;
  forced = false;
  /** How far the other side has acknowledged it. */
  acked = 0;
  /** The other direction's horizon when it began to wait. */
  waitsSince = 0;

  constructor(length: number) {
    this.first = new Int16Array(length).fill(-1);
    this.acks = new Int32Array(length);
  }

  /** Behind the bytes that are there without a hole. */
  extent(): number {
    let at = this.horizon;
    while (at < this.first.length && this.first[at]! >= 0) at++;
    return at;
  }
}

export class Twin implements StreamSink {
  readonly halves: readonly [Half, Half];
  readonly #isns: readonly [number, number];
  readonly #rules: Rules;
  readonly #random: Random;
  opened = 0;
  ended = 0;
  refused = false;
  conflicts = 0;
  forced = 0;
  /** Set when the stage has reason to hurry: the input is over, or too much waits. */
  hurried = (): boolean => false;
  /** What the stage did wrong. */
  readonly faults: string[] = [];

  /** `starts` are the sequence numbers of the first byte of each direction. */
  constructor(
    starts: readonly [number, number],
    lengths: readonly [number, number],
    rules: Rules,
    random: Random,
  ) {
    this.#isns = starts;
    this.#rules = rules;
    this.#random = random;
    this.halves = [new Half(lengths[0]), new Half(lengths[1])];
  }

  /** Takes note of a segment before the stage sees it; true if it contradicts bytes that wait. */
  arrive(arrival: Arrival): boolean {
    const half = this.halves[arrival.dir];
    const other = this.halves[1 - arrival.dir]!;
    other.acked = Math.max(other.acked, arrival.ack);
    let contradicts = false;
    for (const [index, byte] of arrival.bytes.entries()) {
      const at = arrival.from + index;
      if (!this.#rules.pages) half.copies.set(at, (half.copies.get(at) ?? new Set()).add(byte));
      if (at < half.horizon) continue;
      if (half.first[at] === -1) {
        half.first[at] = byte;
        half.acks[at] = arrival.ack;
      } else if (half.first[at] !== byte) contradicts = true;
      half.end = Math.max(half.end, at + 1);
    }
    return contradicts;
  }

  speaker(): number {
    return 0;
  }

  open(): number {
    this.opened++;
    return 7;
  }

  data(chunk: Chunk): number {
    const half = this.#at(chunk, 'data');
    for (let i = chunk.from; i < chunk.to; i++) {
      const at = half.horizon + i - chunk.from;
      const byte = chunk.bytes[i]!;
      if (this.#rules.pages ? half.first[at] !== byte : !half.copies.get(at)?.has(byte)) {
        this.#fault(`dir ${chunk.dir} byte ${at} is ${byte}, first copy ${half.first[at]}`);
        break;
      }
    }
    this.#judgeCause(chunk);
    if (this.#random.chance(this.#rules.refuse)) {
      this.refused = true;
      return -1;
    }
    const count = this.#wanted(half, this.halves[1 - chunk.dir]!, chunk.to - chunk.from);
    half.horizon += count;
    half.delivered += count;
    return chunk.from + count;
  }

  gap(chunk: Chunk): void {
    const half = this.#at(chunk, 'gap');
    if (chunk.missing <= 0) this.#fault(`gap of ${chunk.missing}`);
    for (let at = half.horizon; at < half.horizon + chunk.missing; at++) {
      if (this.#rules.pages && (half.first[at] ?? -1) !== -1) {
        this.#fault(`dir ${chunk.dir} byte ${at} was seen and is called lost`);
        break;
      }
    }
    const beyond = half.horizon + chunk.missing - half.acked;
    if (this.#rules.patient && beyond > 0 && !this.hurried()) {
      this.#fault(`dir ${chunk.dir} lost ${beyond} bytes that nobody acknowledged`);
    }
    half.horizon += chunk.missing;
    half.lost += chunk.missing;
  }

  attempt(): void {
    this.faults.push('an attempt was told of a connection that carried payload');
  }

  force(session: number, dir: number): void {
    if (session !== 7) this.#fault(`force of session ${session}`);
    const half = this.halves[dir as 0 | 1];
    if (!half.waits) this.#fault(`dir ${dir} is forced and does not wait`);
    half.forced = true;
    this.forced++;
  }

  end(session: number): boolean {
    if (session !== 7) this.#fault(`end of session ${session}`);
    this.ended++;
    for (const [dir, half] of this.halves.entries()) {
      if (this.refused || !this.#rules.pages) continue;
      if (half.horizon < half.end) {
        this.#fault(`dir ${dir} ends at ${half.horizon}, seen up to ${half.end}`);
      }
    }
    return true;
  }

  anomaly(_session: number, which: number): void {
    if (which === FlowAnomaly.overlapConflict) this.conflicts++;
    else this.#fault(`anomaly ${which}`);
  }

  /** The direction of a call, which must come in order. */
  #at(chunk: Chunk, what: string): Half {
    const half = this.halves[chunk.dir as 0 | 1];
    if (this.ended > 0) this.#fault(`${what} after the end`);
    if (this.refused) this.#fault(`${what} after the sink wanted no more`);
    const at = (chunk.seq - this.#isns[chunk.dir as 0 | 1]) | 0;
    if (at !== half.horizon) {
      this.#fault(`${what} of dir ${chunk.dir} at ${at}, told so far up to ${half.horizon}`);
    }
    return half;
  }

  /** Bytes come after those of the other side that their sender had received. */
  #judgeCause(chunk: Chunk): void {
    if (!this.#rules.causal) return;
    const half = this.halves[chunk.dir as 0 | 1];
    const other = this.halves[1 - chunk.dir]!;
    const ack = (chunk.ack - this.#isns[1 - chunk.dir]!) | 0;
    const extent = other.extent();
    // One more where the acknowledgement covers the FIN.
    if (ack <= extent || (ack === other.first.length + 1 && ack - 1 <= extent)) return;
    // Old bytes that were sent again acknowledge new ones: each side may wait for the other.
    const circular = extent > other.horizon && other.acks[other.horizon]! > half.horizon;
    if (!circular) this.#fault(`dir ${chunk.dir} acknowledges ${ack}, the other has ${extent}`);
  }

  #wanted(half: Half, other: Half, count: number): number {
    if (half.waits) {
      if (!half.forced && other.horizon === half.waitsSince) return 0;
      half.waits = false;
      half.forced = false;
      return count;
    }
    if (!this.#random.chance(this.#rules.wait) || count === 0) return count;
    half.waits = true;
    half.waitsSince = other.horizon;
    return this.#random.below(count);
  }

  #fault(text: string): void {
    this.faults.push(text);
  }
}
