// Builds one packet line, capture batch in and rows out: decode > flow > smtp > batch. It connects
// the stages, and decides nothing.

import { createHash, randomBytes } from 'node:crypto';
import type { RowSink } from './batch/row.js';
import { RowWriter } from './batch/writer.js';
import type { FrameBatch } from './capture/source.js';
import { type Config, mailPorts } from './config.js';
import { Decoder, decodeDefaults } from './decode/decoder.js';
import { Packet } from './decode/packet.js';
import { decodeCounterNames, skipReasonNames } from './decode/reason.js';
import { Flows } from './flow/flows.js';
import { Connection } from './flow/sink.js';
import { limitsOf } from './limits.js';
import type { Stats } from './output/stats.js';
import { Smtp } from './smtp/smtp.js';

const microseconds = 1e6;

export class Engine {
  readonly #decoder: Decoder;
  readonly #flows: Flows;
  readonly #smtp: Smtp;
  readonly #rows: RowWriter;
  readonly #packet = new Packet();
  readonly #began = performance.now();
  #packets = 0;
  #bytes = 0;

  /** Rows of finished transactions and sessions go to `sink`. */
  constructor(config: Config, sink: RowSink) {
    const limits = limitsOf(config.flow.memory_bytes);
    const connection = new Connection();
    const describe = (flow: number): Connection => {
      this.#flows.describe(flow, connection);
      return connection;
    };
    const seed = randomBytes(4).readInt32LE(0);
    const ports = config.capture.ports;
    this.#rows = new RowWriter(sink, config.smtp.rcpt_max, describe);
    this.#smtp = new Smtp({ ...limits, rcptMax: config.smtp.rcpt_max }, this.#rows, sha256);
    this.#flows = new Flows(
      {
        ...limits,
        ports: ports === 'any' ? mailPorts : ports,
        anyPort: ports === 'any',
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

  /** Hands the rows so far to the sink. */
  flush(): void {
    this.#rows.flush();
  }

  /** The input is over: everything that is open ends. */
  finish(): void {
    this.#flows.finish();
    this.#rows.flush();
  }

  stats(): Stats {
    const counters = this.#flows.counters;
    this.#decoder.fragments.expire(this.#flows.settled);
    const frames = this.#decoder.frames;
    return {
      packets: this.#packets,
      bytes: this.#bytes,
      decoded: frames[0]!,
      skipped: occurred(frames, skipReasonNames, 1),
      duplicates: counters.duplicates,
      flows: counters.flows,
      half_open: counters.halfOpen,
      other: counters.other,
      sessions: this.#smtp.sessions,
      transactions: this.#smtp.transactions,
      reassembly_gaps: counters.gaps,
      gap_bytes: counters.gapBytes,
      kernel_drops: 0,
      evicted: counters.evicted,
      one_sided: counters.oneSided,
      out_of_window: counters.outOfWindow,
      exhausted: counters.pagesExhausted + this.#smtp.store.exhausted,
      time_backwards: counters.timeBackwards,
      decode: occurred(this.#decoder.counters, decodeCounterNames, 0),
      uptime_ms: Math.round(performance.now() - this.#began),
    };
  }
}

/** Counters by name from slot `first` on, those that are not 0. */
function occurred(
  counters: Float64Array,
  names: readonly string[],
  first: number,
): Record<string, number> {
  const found: Record<string, number> = {};
  for (let slot = first; slot < counters.length; slot++) {
    if (counters[slot]! > 0) found[names[slot]!] = counters[slot]!;
  }
  return found;
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
