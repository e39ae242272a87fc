// The reassembler against its slow twin, through `Flows`: thousands of random conversations in bad
// weather. A failure prints the seed; MAILWEIR_SEED=<seed> makes that run the first one.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tcp } from '../../src/decode/packet.js';
import { Flows } from '../../src/flow/flows.js';
import { PagePool, pageBytes } from '../../src/flow/pages.js';
import { patience } from '../../src/flow/waiting.js';
import { Random } from '../../src/lib/random.js';
import { flowDefaults, segment } from '../flow/segments.js';
import { type Rules, Twin } from './twin.js';
import { Conversation, type Packet, type Weather } from './wire.js';

const seed = Number(process.env['MAILWEIR_SEED'] ?? Date.now() % 1e9);
/** Of each kind. */
const runs = 200;

const calm: Weather = {
  lose: 0,
  resend: 0,
  forge: 0,
  copy: 0,
  reorder: 0,
  lie: 0,
  cut: 0,
  pause: 0,
  only: -1,
  segmentMax: 1460,
};
const strict: Rules = { wait: 0, refuse: 0, causal: true, pages: true, patient: true };
/** What a direction that nobody sees has delivered is not known. */
const alone: Rules = { ...strict, causal: false, patient: false };

interface Kind {
  readonly weather: Weather;
  readonly rules: Rules;
  readonly pagesMax?: number;
  /** Nothing is lost, so nothing may be declared lost. */
  readonly whole?: boolean;
}

const stormy = { ...calm, lose: 0.05, resend: 0.1, forge: 0.05, copy: 0.05, reorder: 30 };

const kinds: Readonly<Record<string, Kind>> = {
  'calm: in order': { weather: { ...calm, copy: 0.1 }, rules: strict, whole: true },
  'reordered, nothing lost': {
    weather: { ...calm, reorder: 8, resend: 0.1, copy: 0.05 },
    rules: strict,
    whole: true,
  },
  'reordered, and the sink waits': {
    weather: { ...calm, reorder: 8, resend: 0.1, segmentMax: 9000 },
    rules: { ...strict, wait: 0.3 },
  },
  'lost, again, forged, late': { weather: stormy, rules: strict },
  'the same, jumbo frames, and the sink waits': {
    weather: { ...stormy, segmentMax: 9000 },
    rules: { ...strict, wait: 0.3 },
  },
  'long pauses': {
    weather: { ...stormy, pause: 0.05 },
    rules: { ...strict, wait: 0.1, patient: false },
  },
  'client only': { weather: { ...stormy, only: 0, pause: 0.02 }, rules: alone },
  'server only': { weather: { ...stormy, only: 1, pause: 0.02 }, rules: alone },
  'acknowledgements that lie': {
    weather: { ...stormy, lie: 0.2 },
    rules: { ...strict, wait: 0.1, causal: false, patient: false },
  },
  'cut by the capture': {
    weather: { ...stormy, cut: 0.2 },
    rules: { ...strict, patient: false },
  },
  'hardly any pages': {
    weather: { ...stormy, segmentMax: 9000 },
    rules: { ...strict, wait: 0.1, causal: false, pages: false, patient: false },
    pagesMax: 6,
  },
  'the sink wants no more': {
    weather: stormy,
    rules: { ...strict, wait: 0.1, refuse: 0.05 },
  },
};

/** The pool of the stage under test: it shows itself when it is used. */
let pool: PagePool | null = null;
let most = 0;
const { take } = PagePool.prototype;

beforeAll(() => {
  PagePool.prototype.take = function (this: PagePool): number {
    pool = this;
    const page = take.call(this);
    most = Math.max(most, this.used);
    return page;
  };
});
afterAll(() => {
  PagePool.prototype.take = take;
});

/** One conversation through the stage. */
class Run {
  readonly twin: Twin;
  readonly flows: Flows;
  readonly talk: Conversation;
  readonly #first: readonly [number, number];
  readonly #pages: boolean;
  #time = 1.7e15;
  #over = false;

  constructor(random: Random, kind: Kind) {
    this.#pages = kind.rules.pages;
    // Half of the streams wrap: their first byte lies up to 8,000 before 2^32.
    const start = () => (random.chance(0.5) ? -random.below(8000) : random.word()) | 0;
    this.#first = [start(), start()];
    this.talk = new Conversation(random, kind.weather);
    const [a, b] = this.talk.streams;
    this.twin = new Twin(this.#first, [a.length, b.length], kind.rules, random);
    const pagesMax = kind.pagesMax ?? 2048;
    this.flows = new Flows({ ...flowDefaults, pagesMax }, this.twin);
    this.twin.hurried = () => this.#over || (pool?.used ?? 0) > patience.pages;
    this.#handshake(kind.weather.only);
  }

  play(): void {
    for (const packet of this.talk.packets) {
      const before = this.twin.conflicts;
      const copies = this.flows.counters.duplicates;
      const over = this.twin.ended > 0 || this.twin.refused;
      // What comes long after the end is another connection.
      if (this.twin.ended > 0 && packet.pause > 1e6) break;
      const contradicts = !over && this.twin.arrive(packet);
      this.#time += packet.pause;
      this.#send(packet, packet.ipId);
      if (over || this.twin.refused || !this.#pages || this.flows.counters.duplicates > copies)
        continue;
      if (contradicts !== this.twin.conflicts > before) {
        this.twin.faults.push(`contradiction ${contradicts}, at ${packet.dir}:${packet.from}`);
      }
    }
    this.#over = true;
    this.flows.finish();
  }

  #handshake(only: number): void {
    const [client, server] = this.#first;
    const syn = { flags: Tcp.SYN, seq: client - 1, time: this.#time };
    const answer = { flags: Tcp.SYN | Tcp.ACK, seq: server - 1, ack: client, time: this.#time };
    if (only !== 1) this.#take(segment({ side: 'client', ...syn, ipId: 1 }));
    if (only !== 0) this.#take(segment({ side: 'server', ...answer, ipId: 2 }));
  }

  #send(packet: Packet, ipId: number): void {
    this.#take(
      segment({
        side: packet.dir === 0 ? 'client' : 'server',
        flags: packet.flags,
        seq: this.#first[packet.dir] + packet.from,
        ack: this.#first[(1 - packet.dir) as 0 | 1] + packet.ack,
        data: packet.bytes,
        length: packet.length,
        time: this.#time,
        ipId,
      }),
    );
  }

  #take(p: ReturnType<typeof segment>): void {
    this.flows.tick(p.time);
    this.flows.packet(p);
  }
}

/** What is wrong with a run; empty if nothing. */
function faultsOf(runSeed: number, kind: Kind): string[] {
  pool = null;
  most = 0;
  const run = new Run(new Random(runSeed), kind);
  run.play();
  const { twin, flows, talk } = run;
  const faults = [...twin.faults];
  if (twin.opened > 1 || twin.opened !== twin.ended) {
    faults.push(`opened ${twin.opened}, ended ${twin.ended}`);
  }
  // `pool` is set by the call above, which the compiler cannot see.
  const used = (pool as PagePool | null)?.used ?? 0;
  if (used !== 0) faults.push(`${used} pages are left`);
  const each = patience.pages + Math.ceil(kind.weather.segmentMax / pageBytes) + 5;
  if (most > 2 * each) faults.push(`${most} pages were in use`);
  if (kind.whole === true) {
    for (const [dir, half] of twin.halves.entries()) {
      if (half.lost > 0 || half.delivered !== talk.streams[dir as 0 | 1].length) {
        faults.push(`dir ${dir}: ${half.delivered} delivered, ${half.lost} lost`);
      }
    }
    if (flows.counters.gaps > 0) faults.push(`${flows.counters.gaps} gaps`);
  }
  const lost = twin.halves[0].lost + twin.halves[1].lost;
  if (twin.opened > 0 && flows.counters.gapBytes !== lost)
    faults.push(`gapBytes ${flows.counters.gapBytes}`);
  return faults;
}

describe(`reassembly and its slow twin (MAILWEIR_SEED=${seed})`, () => {
  it.each(Object.entries(kinds))('%s', (_, kind) => {
    for (let run = 0; run < runs; run++) {
      const faults = faultsOf(seed + run, kind);
      expect(faults.slice(0, 4), `MAILWEIR_SEED=${seed + run}`).toEqual([]);
    }
  });
});
