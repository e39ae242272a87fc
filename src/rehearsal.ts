// Plays made-up mail through a packet line of its own before a worker listens. V8 compiles what it
// has seen run: a worker that begins cold at a million packets a second loses the first seconds of
// them (1.6 of 1.9 million frames of a burst, with a ring of 64 MiB), one that rehearsed none.
// Nothing of it is counted or seen outside.

import { FrameBatch, slack } from './capture/source.js';
import type { Config } from './config.js';
import { Engine, type EngineOptions } from './engine.js';
import { addHalves, fold } from './lib/checksum.js';

/** Rehearsal ends with the first of: this much time, or this many frames. */
const time_ms = 1500;
const framesMax = 600_000;
const memoryBytes = 64 * 1024 ** 2;
const batchFrames = 512;
const areaBytes = 1 << 20;
/** Connections that take turns, as on a real line. */
const atOnce = 64;

const body = 'A line of a message as long as most of them are, and then more.\r\n'.repeat(20);
const header =
  'From: <a@sender.example>\r\nTo: <b@receiver.example>\r\nSubject: =?UTF-8?B?aGVsbG8=?=\r\n' +
  'Message-ID: <1@sender.example>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\n';

/** What is said: "C" the client, "S" the server; "-" an acknowledgement of the client's. */
type Line = readonly [who: 'C' | 'S' | '-', text: string];

const greeting: readonly Line[] = [
  ['S', '220 mx.receiver.example ESMTP\r\n'],
  ['-', ''],
  ['C', 'EHLO sender.example\r\n'],
  ['S', '250-mx.receiver.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 CHUNKING\r\n'],
];
const farewell: readonly Line[] = [
  ['C', 'QUIT\r\n'],
  ['S', '221 2.0.0 Bye\r\n'],
];

function delivery(recipients: number): readonly Line[] {
  const to = Array.from({ length: recipients }, (_, n) => `RCPT TO:<b${n}@receiver.example>\r\n`);
  const answers = to.map((_, n) =>
    n % 4 === 3 ? '550 5.1.1 no such user\r\n' : '250 2.1.5 Ok\r\n',
  );
  return [
    ['C', `MAIL FROM:<a@sender.example> SIZE=20000\r\n${to.join('')}DATA\r\n`],
    ['S', `250 2.1.0 Ok\r\n${answers.join('')}354 go on\r\n`],
    ['C', header + body],
    ...Array.from(
      { length: 12 },
      (_, n): Line => [n % 3 === 2 ? 'S' : 'C', n % 3 === 2 ? '' : body],
    ),
    ['C', '..a line with a dot\r\n.\r\n'],
    ['S', '250 2.0.0 Ok: queued as 12345\r\n'],
    ['-', ''],
  ];
}

const chunked: readonly Line[] = [
  ['C', `MAIL FROM:<>\r\nRCPT TO:<b@receiver.example>\r\nBDAT ${body.length} LAST\r\n${body}`],
  ['S', '250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.0.0 Ok\r\n'],
];
const refused: readonly Line[] = [
  ['C', 'MAIL FROM:<x@sender.example>\r\n'],
  ['S', '250 2.1.0 Ok\r\n'],
  ['C', 'RCPT TO:<nobody@receiver.example>\r\n'],
  ['S', '550 5.1.1 no such user\r\n'],
  ['C', 'RSET\r\n'],
  ['S', '250 2.0.0 Ok\r\n'],
];

const talks: readonly (readonly Line[])[] = [
  [...greeting, ...delivery(1), ...farewell],
  [...greeting, ...delivery(3), ...delivery(1), ...farewell],
  [...greeting, ...refused, ...chunked, ...farewell],
  [...greeting, ...delivery(2), ...refused, ...farewell],
];

const Flag = { fin: 1, syn: 2, psh: 8, ack: 16 } as const;

/** One made-up connection: `step` writes its next frame. */
class Talk {
  #lines: readonly Line[] = [];
  #next = 0;
  #client = 0;
  readonly #seq = [0, 0];

  begin(number: number): void {
    this.#lines = talks[number % talks.length]!;
    this.#client = number;
    this.#next = -3;
    this.#seq[0] = Math.imul(number, 0x9e3779b1);
    this.#seq[1] = Math.imul(number, 0x85ebca6b);
  }

  /** False when the connection is over. */
  step(stage: Stage): boolean {
    const at = this.#next++;
    if (at === -3) this.#send(stage, 0, Flag.syn, '');
    else if (at === -2) this.#send(stage, 1, Flag.syn | Flag.ack, '');
    else if (at === -1) this.#send(stage, 0, Flag.ack, '');
    else if (at < this.#lines.length) {
      const [who, text] = this.#lines[at]!;
      this.#send(stage, who === 'S' ? 1 : 0, Flag.ack | Flag.psh, text);
    } else if (at === this.#lines.length) this.#send(stage, 0, Flag.fin | Flag.ack, '');
    else if (at === this.#lines.length + 1) this.#send(stage, 1, Flag.fin | Flag.ack, '');
    else {
      this.#send(stage, 0, Flag.ack, '');
      return false;
    }
    return true;
  }

  #send(stage: Stage, side: 0 | 1, flags: number, text: string): void {
    const seq = this.#seq[side]!;
    stage.write(this.#client, side, { flags, seq, ack: this.#seq[1 - side]!, text });
    const counts = (flags & (Flag.syn | Flag.fin)) !== 0 ? 1 : 0;
    this.#seq[side] = (seq + text.length + counts) | 0;
  }
}

interface Segment {
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly text: string;
}

/** Writes frames into one batch, which it hands on when it is full. */
class Stage {
  readonly #batch = new FrameBatch(Buffer.alloc(areaBytes), batchFrames);
  readonly #view: DataView;
  readonly #feed: (batch: FrameBatch) => void;
  #used = 0;
  #time = 1e15;
  frames = 0;

  constructor(feed: (batch: FrameBatch) => void) {
    const { buffer, byteOffset, byteLength } = this.#batch.bytes;
    this.#view = new DataView(buffer, byteOffset, byteLength);
    this.#feed = feed;
  }

  /** One segment of connection `number`: IPv4 as most are, some IPv6 and some in a VLAN. */
  write(number: number, side: 0 | 1, segment: Segment): void {
    const six = number % 8 === 7;
    const tagged = number % 16 === 3;
    const batch = this.#batch;
    const headers = 14 + (tagged ? 4 : 0) + (six ? 40 : 20) + 20;
    const length = headers + segment.text.length;
    if (batch.count === batchFrames || this.#used + length + slack > areaBytes) this.flush();
    const from = this.#used;
    const view = this.#view;
    let at = from + 12;
    if (tagged) {
      view.setUint32(at, 0x81000064);
      at += 4;
    }
    view.setUint16(at, six ? 0x86dd : 0x0800);
    at = six ? this.#six(at + 2, number, side, length) : this.#four(at + 2, number, side, length);
    const client = 10_000 + (number % 50_000);
    view.setUint16(at, side === 0 ? client : 25);
    view.setUint16(at + 2, side === 0 ? 25 : client);
    view.setInt32(at + 4, segment.seq);
    view.setInt32(at + 8, (segment.flags & Flag.ack) !== 0 ? segment.ack : 0);
    view.setUint16(at + 12, 0x5000 | segment.flags);
    view.setUint16(at + 14, 65_535);
    view.setUint16(at + 16, segment.seq & 0xffff);
    batch.bytes.write(segment.text, at + 20, 'latin1');
    this.#used = from + length;
    const { count } = batch;
    batch.offset[count] = from;
    batch.length[count] = length;
    batch.wireLength[count] = length;
    this.#time += 50;
    batch.time[count] = this.#time;
    batch.link[count] = 1;
    batch.count += 1;
    this.frames += 1;
  }

  /** Hands the frames so far on. */
  flush(): void {
    if (this.#batch.count > 0) this.#feed(this.#batch);
    this.#batch.count = 0;
    this.#used = 0;
  }

  /** An IPv4 header (RFC 791); gives the place behind it. Networks of RFC 2544 and RFC 5737. */
  #four(at: number, number: number, side: 0 | 1, length: number): number {
    const view = this.#view;
    const client = 0xc6120000 + (number & 0xffff);
    const server = 0xcb007100 + (number % 200);
    view.setUint32(at, 0x45000000 | (length - (at - this.#used)));
    view.setUint32(at + 4, (this.frames & 0xffff) << 16);
    view.setUint32(at + 8, 0x40060000);
    view.setUint32(at + 12, side === 0 ? client : server);
    view.setUint32(at + 16, side === 0 ? server : client);
    let sum = 0;
    for (let word = 0; word < 20; word += 4) sum = addHalves(sum, view.getInt32(at + word));
    view.setUint16(at + 10, ~fold(sum) & 0xffff);
    return at + 20;
  }

  /** An IPv6 header (RFC 8200), addresses of RFC 3849. */
  #six(at: number, number: number, side: 0 | 1, length: number): number {
    const view = this.#view;
    view.setUint32(at, 0x60000000);
    view.setUint32(at + 4, ((length - (at - this.#used) - 40) << 16) | 0x0640);
    for (const [place, host] of [
      [at + 8, side === 0 ? number : 25],
      [at + 24, side === 0 ? 25 : number],
    ] as const) {
      view.setUint32(place, 0x20010db8);
      view.setUint32(place + 4, 0);
      view.setUint32(place + 8, 0);
      view.setUint32(place + 12, host);
    }
    return at + 40;
  }
}

/** Rehearses with the settings that the real line will have. Takes up to two seconds. */
export function rehearse(config: Config, options: EngineOptions): void {
  const small = { ...config, flow: { ...config.flow, memory_bytes: memoryBytes } };
  const engine = new Engine(small, { rows: () => {} }, options);
  const stage = new Stage((batch) => engine.feed(batch));
  const open = Array.from({ length: atOnce }, () => new Talk());
  let number = 0;
  for (const talk of open) talk.begin(number++);
  const end = performance.now() + time_ms;
  while (stage.frames < framesMax && performance.now() < end) {
    for (const talk of open) if (!talk.step(stage)) talk.begin(number++);
  }
  stage.flush();
  engine.finish();
}
