// Segments of a TCP connection as text, for tests of the flow stage: makes `Packet` objects as the
// decoder would, runs them through `Flows`, and records what comes out. Knows nothing of mail.

import { Packet, Tcp } from '../../src/decode/packet.js';
import { type FlowOptions, Flows } from '../../src/flow/flows.js';
import { type Chunk, Connection, FlowAttempt, type StreamSink } from '../../src/flow/sink.js';

export const second = 1e6;
/** Where the initial sequence numbers of a step's text count from. */
export const isn = { client: 1_000_000, server: 2_000_000_000 } as const;

export const flowDefaults: FlowOptions = {
  flowsMax: 64,
  pagesMax: 512,
  ports: [25, 465, 587, 2525],
  anyPort: false,
  keyVlan: false,
  attempts: true,
  timeoutHalfOpen: 30 * second,
  timeoutEstablished: 660 * second,
  timeoutClosed: 10 * second,
  seed: 12345,
};

/** One segment; what is left out is as `segment` says. */
export interface Step {
  readonly side?: 'client' | 'server';
  readonly flags?: number;
  /** Numbers as they stand in the header. */
  readonly seq?: number;
  readonly ack?: number;
  readonly data?: Buffer | string;
  /** Bytes of payload on the wire; more than `data` where the capture cut. */
  readonly length?: number;
  /** Microseconds. */
  readonly time?: number;
  /** IP identification; one of its own for each segment unless given. */
  readonly ipId?: number;
  readonly vlans?: readonly number[];
  /** Last word of the client's address, and the ports. */
  readonly host?: number;
  readonly clientPort?: number;
  readonly serverPort?: number;
}

/** A rough stand-in for the TCP checksum: alike for alike segments only. */
function checksumOf(step: Step, data: Buffer): number {
  let sum = ((step.seq ?? 0) * 31 + (step.ack ?? 0) * 17 + (step.flags ?? 0)) | 0;
  for (const byte of data) sum = (Math.imul(sum, 33) + byte) | 0;
  return (sum ^ (sum >>> 16)) & 0xffff;
}

/** A packet as the decoder would fill it. */
export function segment(step: Step): Packet {
  const p = new Packet();
  const data = Buffer.from(step.data ?? '');
  const fromClient = step.side !== 'server';
  const client = step.host ?? 0x0a000001;
  p.time = step.time ?? 0;
  // Bytes before and behind must not matter.
  p.bytes = Buffer.concat([Buffer.from('<<'), data, Buffer.from('>>>>>>>>')]);
  p.payloadFrom = 2;
  p.payloadTo = 2 + data.length;
  p.payloadLength = step.length ?? data.length;
  p.src2 = 0xffff;
  p.dst2 = 0xffff;
  p.src3 = fromClient ? client : 0x0a00ff19;
  p.dst3 = fromClient ? 0x0a00ff19 : client;
  const clientPort = step.clientPort ?? 40_000;
  const serverPort = step.serverPort ?? 25;
  p.srcPort = fromClient ? clientPort : serverPort;
  p.dstPort = fromClient ? serverPort : clientPort;
  p.seq = (step.seq ?? 0) | 0;
  p.ack = (step.ack ?? 0) | 0;
  p.flags = step.flags ?? Tcp.ACK;
  p.ipId = step.ipId ?? 0;
  p.checksum = checksumOf(step, data);
  const vlans = step.vlans ?? [];
  p.vlanCount = vlans.length;
  p.vlan0 = vlans[0] ?? 0;
  p.vlan1 = vlans[1] ?? 0;
  p.vlan2 = vlans[2] ?? 0;
  return p;
}

const flagLetters: Readonly<Record<string, number>> = {
  S: Tcp.SYN,
  A: Tcp.ACK,
  F: Tcp.FIN,
  R: Tcp.RST,
  P: Tcp.PSH,
  '.': 0,
};

/**
 * One line of text as a step: `[+seconds] c|s FLAGS seq [ack] [data] [name=value ...]`. Numbers
 * count from the side's initial one, so that SYN is 0 and the first byte 1; an underscore in data
 * is a space. Without an `ack` the segment has none. `id`, `len`, `vlan`, `port`, `to` and `host`
 * set the rest.
 */
export function stepOf(line: string, time: number, ipId: number): Step {
  const words = line.trim().split(/\s+/);
  const settings = new Map<string, string>();
  while (/^[a-z]+=/.test(words.at(-1) ?? '')) {
    const [name = '', value = ''] = words.pop()!.split('=');
    settings.set(name, value);
  }
  const [who, letters = '', seqText = '0', ackText, data = ''] = words;
  const side = who === 'c' ? 'client' : 'server';
  const ack = ackText === undefined || ackText === '-' ? null : Number(ackText);
  let flags = ack === null ? 0 : Tcp.ACK;
  for (const letter of letters) flags |= flagLetters[letter] ?? 0;
  const other = side === 'client' ? isn.server : isn.client;
  const text = data.replaceAll('_', ' ');
  return {
    side,
    flags,
    seq: (isn[side] + Number(seqText)) | 0,
    ack: ack === null ? 0 : (other + ack) | 0,
    data: text,
    length: Number(settings.get('len') ?? Buffer.byteLength(text)),
    time,
    ipId: Number(settings.get('id') ?? ipId),
    vlans: settings.get('vlan')?.split(',').map(Number) ?? [],
    host: Number(settings.get('host') ?? 0x0a000001),
    clientPort: Number(settings.get('port') ?? 40_000),
    serverPort: Number(settings.get('to') ?? 25),
  };
}

const endNames = ['', 'fin', 'rst', 'timeout', 'evicted', 'eof'];
const sideNames = ['none', 'client', 'server', 'both'];

/** What was said of one connection. */
export class Told {
  flow = 0;
  mailPort = false;
  starts = 0;
  /** Text of each direction; lost bytes stand as `<count>`. */
  readonly text: [string, string] = ['', ''];
  readonly anomalies: string[] = [];
  forced = 0;
  end = '';
  last = 0;
  /** As `Flows.describe` gave it at the end. */
  connection = new Connection();

  get flowId(): string {
    const { flowHigh, flowLow } = this.connection;
    return ((BigInt(flowHigh) << 32n) | BigInt(flowLow >>> 0)).toString();
  }

  /** One line: how it ended, sides, handshake, then the text of both directions, then anomalies. */
  get line(): string {
    const words = [this.end, sideNames[this.connection.sides]];
    if (this.connection.handshake) words.push('handshake');
    words.push(`c:${this.text[0]}`, `s:${this.text[1]}`, ...this.anomalies);
    return words.join(' ');
  }
}

/** Records all it is told. */
export class RecordingSink implements StreamSink {
  readonly records: Told[] = [];
  readonly sessions = new Map<number, Told>();
  /** Attempts as `refused 1 to 25`: how, after how many SYNs, to which port. */
  readonly attempts: string[] = [];
  flows: Flows | null = null;
  /** Sessions there is room for. */
  room = Number.POSITIVE_INFINITY;
  /** Whether a record is written; false counts the connection as `other`. */
  written = true;
  #next = 1;

  speaker(bytes: Buffer, from: number, to: number): number {
    const text = bytes.toString('latin1', from, to);
    if (/^(EHLO|HELO|MAIL) /.test(text)) return 1;
    return /^\d{3}[ -]/.test(text) ? 2 : 0;
  }

  open(flow: number, mailPort: boolean, starts: number): number {
    if (this.sessions.size >= this.room) return -1;
    const record = new Told();
    record.flow = flow;
    record.mailPort = mailPort;
    record.starts = starts;
    this.records.push(record);
    this.sessions.set(this.#next, record);
    return this.#next++;
  }

  data(chunk: Chunk): number {
    const record = this.#of(chunk.session);
    record.text[chunk.dir as 0 | 1] += chunk.bytes.toString('latin1', chunk.from, chunk.to);
    return chunk.to;
  }

  gap(chunk: Chunk): void {
    this.#of(chunk.session).text[chunk.dir as 0 | 1] += `<${chunk.missing}>`;
  }

  force(session: number): void {
    this.#of(session).forced++;
  }

  end(session: number, end: number, last: number, sides: number): boolean {
    const record = this.#of(session);
    this.flows?.describe(record.flow, record.connection);
    if (record.connection.sides !== sides) throw new Error('sides differ from describe');
    record.end = endNames[end] ?? '';
    record.last = last;
    this.sessions.delete(session);
    return this.written;
  }

  attempt(flow: number, kind: number, syns: number): void {
    const connection = new Connection();
    this.flows?.describe(flow, connection);
    const name = kind === FlowAttempt.refused ? 'refused' : 'silent';
    this.attempts.push(`${name} ${syns} to ${connection.serverPort}`);
  }

  anomaly(session: number, which: number): void {
    this.#of(session).anomalies.push(
      ['overlapConflict', 'dataAfterRst', 'rstOutOfWindow'][which] ?? '?',
    );
  }

  #of(session: number): Told {
    const record = this.sessions.get(session);
    if (record === undefined) throw new Error(`session ${session} is not open`);
    return record;
  }
}

/** A flow stage with a recording sink, driven by lines of text. */
export class Bench {
  readonly sink = new RecordingSink();
  readonly flows: Flows;
  /** Microseconds of the next segment. */
  time = 1_700_000_000 * second;
  #ipId = 0;

  constructor(options: Partial<FlowOptions> = {}) {
    this.flows = new Flows({ ...flowDefaults, ...options }, this.sink);
    this.sink.flows = this.flows;
  }

  /** Plays lines, a millisecond apart unless one begins with `+seconds`. */
  play(lines: string): this {
    for (const line of lines.split('\n')) {
      const text = line.replace(/#.*$/, '').trim();
      if (text === '') continue;
      const wait = /^([+-]\d+(?:\.\d+)?) /.exec(text);
      this.time += wait === null ? 1000 : Number(wait[1]) * second;
      this.send(stepOf(wait === null ? text : text.slice(wait[0].length), this.time, ++this.#ipId));
    }
    return this;
  }

  send(step: Step): void {
    const p = segment(step);
    this.flows.tick(p.time);
    this.flows.packet(p);
  }

  finish(): this {
    this.flows.finish();
    return this;
  }

  get lines(): string[] {
    return this.sink.records.map((record) => record.line);
  }

  /** The counters of events that are not 0; of volumes there are tests of their own. */
  get counted(): { [name: string]: number } {
    const { streamBytes, unseenBytes, ...events } = this.flows.counters;
    return Object.fromEntries(Object.entries(events).filter(([, value]) => value > 0));
  }
}

/** A client and a server that shake hands. */
export const handshake = `
  c S 0
  s S 0 1
  c A 1 1
`;
