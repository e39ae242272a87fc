// The packet line as the engine builds it, with its pools in sight, small enough that a fresh one
// for each input costs little. Its events come out as objects; every line must parse.

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { RowSink } from '../../src/batch/row.js';
import { RowWriter } from '../../src/batch/writer.js';
import type { FrameBatch } from '../../src/capture/source.js';
import { type DecodeOptions, Decoder, decodeDefaults } from '../../src/decode/decoder.js';
import { Packet } from '../../src/decode/packet.js';
import { Flows } from '../../src/flow/flows.js';
import { PagePool } from '../../src/flow/pages.js';
import { Connection } from '../../src/flow/sink.js';
import { SipHash } from '../../src/lib/siphash.js';
import { type EveOut, EveWriter } from '../../src/output/eve.js';
import { Summary } from '../../src/output/summary.js';
import { Smtp } from '../../src/smtp/smtp.js';
import type { Store } from '../../src/smtp/store.js';
import type { SessionEvent, SmtpEvent } from '../helper/run.js';
import { Finding, promise } from './target.js';

/** How much room there is: enough for anything, or so little that something always runs out. */
export const rooms = {
  wide: { flowsMax: 64, pagesMax: 300, sessionsMax: 64, transactionsMax: 100, rcptMax: 1000 },
  tight: { flowsMax: 3, pagesMax: 4, sessionsMax: 2, transactionsMax: 2, rcptMax: 2 },
} as const;
const entries = {
  wide: { entriesMax: 1200, cellsMax: 2400 },
  tight: { entriesMax: 4, cellsMax: 6 },
};

export type Room = keyof typeof rooms;

export interface Events {
  readonly smtp: SmtpEvent[];
  readonly sessions: SessionEvent[];
}

/** Takes rows as all outputs do and keeps the events. */
export class Outputs implements RowSink {
  readonly events: Events = { smtp: [], sessions: [] };
  /** The same as a live tap prints them. */
  readonly hidden: Events = { smtp: [], sessions: [] };
  readonly #clear: EveWriter;
  readonly #hashed: EveWriter;
  readonly #summary = new Summary();

  constructor() {
    this.#clear = new EveWriter(into(this.events), { clear: true, sensor: undefined });
    const live = { clear: false, sensor: 'tap "1"\n', key: Buffer.alloc(32, 7) };
    this.#hashed = new EveWriter(into(this.hidden), live);
  }

  /** Forgets all events. */
  clear(): void {
    for (const { smtp, sessions } of [this.events, this.hidden]) {
      smtp.length = 0;
      sessions.length = 0;
    }
  }

  rows(area: ArrayBuffer, length: number): void {
    this.#clear.rows(area, length);
    this.#hashed.rows(area, length);
    this.#summary.rows(area, length);
  }
}

/** Collects what is written as events. */
function into(events: Events): EveOut {
  return {
    write: (bytes, length) => {
      for (const event of linesOf(bytes.subarray(0, length))) {
        if (event.event_type === 'smtp') events.smtp.push(event);
        else events.sessions.push(event);
      }
    },
  };
}

/** The lines of an output as objects; throws where a line is not one JSON object in UTF-8. */
export function linesOf(bytes: Buffer): (SmtpEvent | SessionEvent)[] {
  promise(isUtf8(bytes), 'an output is not UTF-8');
  const lines = bytes.toString('utf8').split('\n');
  promise(lines.pop() === '', 'an output does not end in a line feed');
  return lines.map((line) => {
    try {
      return JSON.parse(line) as SmtpEvent | SessionEvent;
    } catch (error) {
      throw new Finding(`${String(error)} in ${line}`);
    }
  });
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Facts are always asked for: they see every byte that the rest sees. */
const hash = new SipHash(Buffer.from('a key of no worth'.slice(0, 16)));

/** Outputs are dear to make: one set for each room, emptied before each use. */
class Outlet {
  readonly outputs = new Outputs();
  describe: (flow: number) => Connection = () => new Connection();
  readonly rows: RowWriter;

  constructor(rcptMax: number) {
    const sink = { rows: (area: ArrayBuffer, length: number) => this.outputs.rows(area, length) };
    this.rows = new RowWriter(sink, rcptMax, (flow) => this.describe(flow), hash);
  }
}

const outlets = { wide: new Outlet(rooms.wide.rcptMax), tight: new Outlet(rooms.tight.rcptMax) };

/** An SMTP stage and its outputs; valid until the next call for the same room. */
export function smtpStage(
  room: Room,
  describe: (flow: number) => Connection,
): { smtp: Smtp; rows: RowWriter; outputs: Outputs } {
  const outlet = outlets[room];
  // What an input that failed left behind.
  outlet.rows.flush();
  outlet.outputs.clear();
  outlet.describe = describe;
  const { rows, outputs } = outlet;
  return {
    smtp: new Smtp({ ...rooms[room], ...entries[room], facts: hash }, rows, sha256),
    rows,
    outputs,
  };
}

/** After the end everything is given back. */
export function promiseEmpty(store: Store): void {
  for (const pool of ['sessions', 'transactions', 'entries', 'cells'] as const) {
    promise(store[pool].used === 0, `${store[pool].used} ${pool} are in use after the end`);
  }
}

export interface LineOptions {
  readonly room: Room;
  readonly anyPort: boolean;
  readonly keyVlan: boolean;
  readonly seed: number;
  readonly strict: boolean;
}

export class Line {
  readonly decoder: Decoder;
  readonly flows: Flows;
  readonly #smtp: Smtp;
  readonly #rows: RowWriter;
  readonly #outputs: Outputs;
  readonly #packet = new Packet();
  #packets = 0;

  constructor(o: LineOptions) {
    const connection = new Connection();
    const stage = smtpStage(o.room, (flow) => {
      this.flows.describe(flow, connection);
      return connection;
    });
    this.#smtp = stage.smtp;
    this.#rows = stage.rows;
    this.#outputs = stage.outputs;
    const second = 1e6;
    const options = {
      ...rooms[o.room],
      ports: [25, 465, 587, 2525],
      anyPort: o.anyPort,
      keyVlan: o.keyVlan,
      attempts: true,
      timeoutHalfOpen: 30 * second,
      timeoutEstablished: 660 * second,
      timeoutClosed: 10 * second,
      seed: o.seed,
    };
    this.flows = new Flows(options, stage.smtp);
    pagesUsed = 0;
    const decode: DecodeOptions = {
      ...decodeDefaults,
      fragmentDatagramsMax: 16,
      fragmentBytesMax: 1 << 17,
      checksums: o.strict ? 'strict' : 'count',
      seed: o.seed,
    };
    this.decoder = new Decoder(decode);
  }

  feed(batch: FrameBatch): void {
    for (let index = 0; index < batch.count; index++) {
      this.flows.tick(batch.time[index]!);
      if (this.decoder.decode(batch, index, this.#packet) === 0) this.flows.packet(this.#packet);
    }
    this.#packets += batch.count;
  }

  /** Ends the input and checks what must be true of counters and pools. */
  finish(): Events {
    this.flows.finish();
    this.#rows.flush();
    const { events } = this.#outputs;
    const { counters } = this.flows;
    const { store, sessions, transactions } = this.#smtp;
    promiseEmpty(store);
    promise(pagesUsed === 0, `${pagesUsed} pages are in use after the end`);
    promise(this.flows.active === 0, `${this.flows.active} flows are in use after the end`);
    const frames = this.decoder.frames.reduce((sum, count) => sum + count, 0);
    promise(frames === this.#packets, `${this.#packets} packets, ${frames} are accounted for`);
    promise(events.sessions.length === sessions, 'sessions counted are not sessions written');
    promise(events.smtp.length === transactions, 'transactions counted are not those written');
    const flows = sessions + counters.halfOpen + counters.other;
    promise(counters.flows === flows, `${counters.flows} flows, ${flows} are accounted for`);
    for (const [name, value] of Object.entries(counters)) {
      promise(Number.isSafeInteger(value) && value >= 0, `counter ${name} is ${value}`);
    }
    return events;
  }
}

/**
 * Pages in use. The pool is private to the flow stage, and one line runs at a time: so its methods
 * are counted from outside.
 */
let pagesUsed = 0;
const { take, give } = PagePool.prototype;
PagePool.prototype.take = function (this: PagePool): number {
  const page = take.call(this);
  if (page >= 0) pagesUsed++;
  return page;
};
PagePool.prototype.give = function (this: PagePool, page: number): void {
  pagesUsed--;
  give.call(this, page);
};
