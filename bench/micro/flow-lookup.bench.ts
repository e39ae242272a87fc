// What it costs to find a packet's connection among 1,000, 100,000 and 1,000,000: packets of both
// directions in random order, all of known flows. 1,000 look-ups an iteration, so that its
// microseconds are the nanoseconds of one. MAILWEIR_BENCH_SMOKE=1 runs each case once, small.

import process from 'node:process';
import { bench, do_not_optimize, run, summary } from 'mitata';
import { Packet } from '../../src/decode/packet.js';
import { FlowTable } from '../../src/flow/table.js';
import { Random } from '../../src/lib/random.js';

const smoke = process.env['MAILWEIR_BENCH_SMOKE'] === '1';
const lookups = 1000;
const sizes = smoke ? [100, 1000] : [1000, 100_000, 1_000_000];

/** Packet of a flow by number: clients of many networks to 5,000 servers. */
function fill(p: Packet, flow: number, back: boolean): void {
  const client = 0x0a000000 + (flow >>> 4);
  const server = 0xc0a80000 + (flow % 5000);
  p.src2 = 0xffff;
  p.dst2 = 0xffff;
  p.src3 = (back ? server : client) | 0;
  p.dst3 = (back ? client : server) | 0;
  p.srcPort = back ? 25 : 1024 + (flow & 15);
  p.dstPort = back ? 1024 + (flow & 15) : 25;
}

class Case {
  readonly table: FlowTable;
  readonly #packet = new Packet();
  readonly #order: Int32Array;
  #at = 0;

  constructor(size: number) {
    this.table = new FlowTable(size, 0x5eed, false);
    const random = new Random(size);
    for (let flow = 0; flow < size; flow++) {
      fill(this.#packet, flow, false);
      if (this.table.find(this.#packet) >= 0) throw new Error('two flows alike');
      this.table.insert(this.#packet, 0);
    }
    // Enough different ones that the caches of a processor cannot hold them between rounds.
    this.#order = Int32Array.from({ length: 1 << 20 }, () => random.below(size));
  }

  /** Looks up the next flows; the sum of their slots. */
  round(): number {
    const mask = this.#order.length - 1;
    let sum = 0;
    for (let n = 0; n < lookups; n++) {
      const flow = this.#order[this.#at]!;
      this.#at = (this.#at + 1) & mask;
      fill(this.#packet, flow, (n & 1) === 1);
      const slot = this.table.find(this.#packet);
      if (slot < 0) throw new Error(`flow ${flow} is not found`);
      sum = (sum + slot) | 0;
    }
    return sum;
  }
}

summary(() => {
  for (const size of sizes) {
    const flows = new Case(size);
    if (smoke) console.log(`${size} flows: ${flows.round() > 0 ? 'found' : 'empty'}`);
    else bench(`${lookups} hits, ${size} flows`, () => do_not_optimize(flows.round()));
  }
});

if (!smoke) await run();
