// Builds one packet line, capture batch in and rows out: decode > flow > smtp > batch. It connects
// the stages, and decides nothing.

import { createHash, randomBytes } from 'node:crypto';
import { RowOrder, type RowSink } from './batch/row.js';
import { RowWriter } from './batch/writer.js';
import type { FrameShare } from './capture/share.js';
import type { FrameBatch } from './capture/source.js';
import { type Config, mailPorts } from './config.js';
import { Decoder, decodeDefaults } from './decode/decoder.js';
import { Packet } from './decode/packet.js';
import { Figure, figureCount, statsOf } from './figures.js';
import { Flows } from './flow/flows.js';
import { Connection } from './flow/sink.js';
import { SipHash } from './lib/siphash.js';
import { limitsOf } from './limits.js';
import type { Stats } from './output/stats.js';
import { Smtp } from './smtp/smtp.js';

const microseconds = 1e6;

/** What an engine is asked for beyond what is printed. */
export interface EngineOptions {
  /**
   * 16 bytes, the key of recipient and Message-ID hashes: rows then carry facts (see `RowCursor`),
   * and failed attempts have rows. Engines whose rows meet in one detector share the key.
   */
  readonly factsKey?: Uint8Array | undefined;
}

export class Engine {
  readonly #decoder: Decoder;
  readonly #flows: Flows;
  readonly #smtp: Smtp;
  readonly #rows: RowWriter;
  readonly #packet = new Packet();
  readonly #began = performance.now();
  readonly #figures = new Float64Array(figureCount);
  #packets = 0;
  #bytes = 0;

  /** Rows of finished transactions and sessions go to `sink`. */
  constructor(config: Config, sink: RowSink, options: EngineOptions = {}) {
    const { factsKey } = options;
    const facts = factsKey === undefined ? null : new SipHash(factsKey);
    const limits = limitsOf(config.flow.memory_bytes, facts !== null);
    const connection = new Connection();
    const describe = (flow: number): Connection => {
      this.#flows.describe(flow, connection);
      return connection;
    };
    const seed = randomBytes(4).readInt32LE(0);
    const ports = config.capture.ports;
    const rcptMax = config.smtp.rcpt_max;
    this.#rows = new RowWriter(sink, rcptMax, describe, facts);
    this.#smtp = new Smtp({ ...limits, rcptMax, facts }, this.#rows, sha256);
    this.#flows = new Flows(
      {
        ...limits,
        ports: ports === 'any' ? mailPorts : ports,
        anyPort: ports === 'any',
        attempts: facts !== null,
        keyVlan: config.flow.key_vlan,
        timeoutHalfOpen: config.flow.timeout_half_open_s * microseconds,
        timeoutEstablished: config.flow.timeout_established_s * microseconds,
        timeoutClosed: config.flow.timeout_closed_s * microseconds,
        seed,
      },
      this.#smtp,
    );
    this.#decoder = new Decoder({
      ...decodeDefaults,
      tunnels: config.capture.tunnels,
      checksums: config.decode.checksums,
      seed,
    });
  }

  /** Microseconds of the latest packet, or of the clock that a live source moved. */
  get now(): number {
    return this.#flows.now;
  }

  /** Takes a batch of frames through the whole line; leaves the line's own time in `batch.time`. */
  feed(batch: FrameBatch): void {
    const packet = this.#packet;
    const flows = this.#flows;
    const count = batch.count;
    let bytes = 0;
    for (let index = 0; index < count; index++) {
      bytes += batch.wireLength[index]!;
      flows.tick(batch.time[index]!);
      batch.time[index] = flows.settled;
      if (this.#decoder.decode(batch, index, packet) === 0) flows.packet(packet);
    }
    this.#packets += count;
    this.#bytes += bytes;
    if (batch.clock > 0) flows.tick(batch.clock);
  }

  /**
   * Takes one worker's share of a batch: of the frames that others have, only the time. The order
   * that its rows carry is the one in which `feed` would give them.
   */
  feedShare(share: FrameShare, worker: number): void {
    const { batch, owner, first } = share;
    const packet = this.#packet;
    const flows = this.#flows;
    const count = batch.count;
    for (let index = 0; index < count; index++) {
      this.#rows.order = first + index;
      const mine = owner[index] === worker;
      const backwards = flows.counters.timeBackwards;
      flows.tick(batch.time[index]!);
      if (!mine) {
        // Its owner counts it.
        flows.counters.timeBackwards = backwards;
        this.#decoder.skip(1);
        continue;
      }
      this.#rows.order = first + index + RowOrder.frame;
      this.#packets += 1;
      this.#bytes += batch.wireLength[index]!;
      batch.time[index] = flows.settled;
      if (this.#decoder.decode(batch, index, packet) === 0) flows.packet(packet);
    }
    this.#rows.order = first + count + RowOrder.clock;
    if (batch.clock > 0) flows.tick(batch.clock);
  }

  /** Hands the rows so far to the sink. */
  flush(): void {
    this.#rows.flush();
  }

  /** The input is over: everything that is open ends. */
  finish(): void {
    this.#rows.order = RowOrder.end;
    this.#flows.finish();
    this.#rows.flush();
  }

  /** Nothing runs that would have to be stopped. */
  stop(): void {}

  stats(): Stats {
    return statsOf(this.figures, Math.round(performance.now() - this.#began));
  }

  /** The counters of `figures.ts`, as they are now. */
  get figures(): readonly Float64Array[] {
    this.count(this.#figures);
    return [this.#figures];
  }

  /** Writes all counters into `figures` (`figureCount` slots), for `statsOf`. */
  count(figures: Float64Array): void {
    this.#decoder.fragments.expire(this.#flows.settled);
    const counters = this.#flows.counters;
    figures[Figure.now] = this.#flows.now;
    figures[Figure.packets] = this.#packets;
    figures[Figure.bytes] = this.#bytes;
    figures[Figure.duplicates] = counters.duplicates;
    figures[Figure.flows] = counters.flows;
    figures[Figure.halfOpen] = counters.halfOpen;
    figures[Figure.other] = counters.other;
    figures[Figure.sessions] = this.#smtp.sessions;
    figures[Figure.transactions] = this.#smtp.transactions;
    figures[Figure.gaps] = counters.gaps;
    figures[Figure.gapBytes] = counters.gapBytes;
    figures[Figure.streamBytes] = counters.streamBytes;
    figures[Figure.unseenBytes] = counters.unseenBytes;
    figures[Figure.evicted] = counters.evicted;
    figures[Figure.oneSided] = counters.oneSided;
    figures[Figure.outOfWindow] = counters.outOfWindow;
    figures[Figure.exhausted] = counters.pagesExhausted + this.#smtp.store.exhausted;
    figures[Figure.timeBackwards] = counters.timeBackwards;
    figures[Figure.flowsOpen] = this.#flows.active;
    figures[Figure.rowsDropped] = this.#rows.dropped;
    figures.set(this.#decoder.frames, Figure.frames);
    figures.set(this.#decoder.counters, Figure.decode);
  }
}

/** Digests of cipher and extension lists: there are a few hundred TLS stacks, and many sessions. */
const digests = new Map<string, string>();
const digestsMax = 2048;

function sha256(text: string): string {
  let digest = digests.get(text);
  if (digest === undefined) {
    digest = createHash('sha256').update(text).digest('hex');
    if (digests.size >= digestsMax) digests.clear();
    digests.set(text, digest);
  }
  return digest;
}
