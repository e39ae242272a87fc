// What a segment costs in the flow stage: in order, swapped in pairs, and behind a hole that closes
// every 8 segments. 1,024 segments an iteration. No
// decoding, and a sink that only counts. MAILWEIR_BENCH_SMOKE=1 runs each case once.

import process from 'node:process';
import { bench, do_not_optimize, run, summary } from 'mitata';
import { Packet, Tcp } from '../../src/decode/packet.js';
import { Flows } from '../../src/flow/flows.js';
import type { Chunk, StreamSink } from '../../src/flow/sink.js';

const smoke = process.env['MAILWEIR_BENCH_SMOKE'] === '1';
const segments = 1024;
const second = 1e6;

class CountingSink implements StreamSink {
  bytes = 0;
  gaps = 0;

  speaker(): number {
    return 0;
  }
  open(): number {
    return 1;
  }
  data(chunk: Chunk): number {
    this.bytes += chunk.to - chunk.from;
    return chunk.to;
  }
  gap(): void {
    this.gaps++;
  }
  force(): void {}
  end(): boolean {
    return true;
  }
  anomaly(): void {}
  attempt(): void {}
}

/** One connection whose client sends for ever. */
class Case {
  readonly sink = new CountingSink();
  readonly flows: Flows;
  readonly #packet = new Packet();
  readonly #order: Int32Array;
  readonly #length: number;
  #sent = 0;
  #ipId = 0;

  /** `order` says which of the next segments comes at each place. */
  constructor(length: number, order: (index: number) => number) {
    this.#length = length;
    this.#order = Int32Array.from({ length: segments }, (_, index) => order(index));
    this.flows = new Flows(
      {
        flowsMax: 1024,
        pagesMax: 1024,
        ports: [25],
        anyPort: false,
        keyVlan: false,
        attempts: false,
        timeoutHalfOpen: 30 * second,
        timeoutEstablished: 660 * second,
        timeoutClosed: 10 * second,
        seed: 1,
      },
      this.sink,
    );
    const p = this.#packet;
    p.bytes = Buffer.alloc(length + 16, 'x');
    p.src2 = 0xffff;
    p.dst2 = 0xffff;
    p.src3 = 1;
    p.dst3 = 2;
    p.srcPort = 40_000;
    p.dstPort = 25;
    p.time = 1.7e15;
    p.flags = Tcp.SYN;
    p.seq = -1;
    this.flows.tick(p.time);
    this.flows.packet(p);
    p.flags = Tcp.ACK;
    p.payloadFrom = 8;
    p.payloadTo = 8 + length;
    p.payloadLength = length;
  }

  /** Sends the next segments; the bytes that came out so far. */
  round(): number {
    const p = this.#packet;
    for (let n = 0; n < segments; n++) {
      p.seq = (this.#sent + this.#order[n]! * this.#length) | 0;
      this.#ipId = (this.#ipId + 1) & 0xffff;
      p.ipId = this.#ipId;
      p.time += 10;
      this.flows.tick(p.time);
      this.flows.packet(p);
    }
    this.#sent = (this.#sent + segments * this.#length) | 0;
    return this.sink.bytes;
  }

  /** One round, and what came out must be what went in. */
  check(): void {
    const before = this.sink.bytes;
    const after = this.round();
    if (after - before !== segments * this.#length || this.sink.gaps > 0) {
      throw new Error(`${after - before} bytes, ${this.sink.gaps} gaps`);
    }
  }
}

const orders: Readonly<Record<string, (index: number) => number>> = {
  'in order': (index) => index,
  'pairs swapped': (index) => index ^ 1,
  // The first of each eight comes last.
  'behind a hole': (index) => (index & ~7) | ((index + 1) & 7),
};

summary(() => {
  for (const length of [100, 1448]) {
    for (const [name, order] of Object.entries(orders)) {
      const stream = new Case(length, order);
      stream.check();
      const title = `${segments} segments of ${length} bytes, ${name}`;
      if (smoke) console.log(`${title}: ok`);
      else bench(title, () => do_not_optimize(stream.round()));
    }
  }
});

if (!smoke) await run();
