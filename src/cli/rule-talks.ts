// Packets for the tests that rules carry: a dialogue of C: and S: lines becomes the frames of a TCP
// connection, raw IP, so that a rule is tested through the whole engine. Not for tests of the
// engine itself: nothing is lost here, and checksums are left 0.

import { FrameBatch, slack } from '../capture/source.js';
import type { RuleTest } from '../detect/rule-shape.js';
import { Prefix, readPrefix } from '../lib/prefix.js';
import { CommandError } from './fail.js';

type Talk = RuleTest['talks'][number];

/** When the first talk begins: 2024-05-01, microseconds. */
export const testBegin = 1_714_521_600e6;
/** Time between a line and its answer. */
const turn = 10_000;
/** LINKTYPE_RAW. */
const rawIp = 101;
const Flag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

interface Frame {
  readonly time: number;
  readonly bytes: Buffer;
}

/** The frames of all talks in the order of time, and when each talk began. */
export interface TalkFrames {
  readonly batch: FrameBatch;
  readonly starts: readonly number[];
  /** The time of the last frame. */
  readonly end: number;
}

export function framesOf(talks: readonly Talk[]): TalkFrames {
  const frames: Frame[] = [];
  const starts: number[] = [];
  let port = 20_000;
  for (const talk of talks) {
    for (let n = 1; n <= talk.repeat; n++) {
      const time = testBegin + (talk.wait + talk.every * (n - 1)) * 1e6;
      starts.push(time);
      // Far from the ports that carry mail, and another for each connection of a while.
      port = port >= 60_000 ? 20_000 : port + 1;
      frames.push(...new Wire(talk, n, port, time).frames());
    }
  }
  frames.sort((a, b) => a.time - b.time);
  starts.sort((a, b) => a - b);
  const length = frames.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const batch = new FrameBatch(Buffer.alloc(length + slack), frames.length);
  let offset = 0;
  frames.forEach(({ time, bytes }, at) => {
    bytes.copy(batch.bytes, offset);
    batch.offset[at] = offset;
    batch.length[at] = bytes.length;
    batch.wireLength[at] = bytes.length;
    batch.time[at] = time;
    batch.link[at] = rawIp;
    offset += bytes.length;
  });
  batch.count = frames.length;
  return { batch, starts, end: frames.at(-1)?.time ?? testBegin };
}

/** One connection. */
class Wire {
  readonly #talk: Talk;
  readonly #n: number;
  readonly #client: Prefix;
  readonly #server: Prefix;
  readonly #port: number;
  readonly #frames: Frame[] = [];
  #time: number;
  #clientSeq = 1000;
  #serverSeq = 5000;

  constructor(talk: Talk, n: number, port: number, time: number) {
    this.#talk = talk;
    this.#n = n;
    this.#port = port;
    this.#time = time;
    this.#client = address(this.#fill(talk.from));
    this.#server = address(this.#fill(talk.to));
  }

  frames(): readonly Frame[] {
    const { says, attempt } = this.#talk;
    if (attempt === 'silent') {
      for (const wait of [0, 1, 3]) {
        this.#time += wait * 1e6;
        this.#send(true, Flag.syn, '');
        this.#clientSeq--;
      }
      return this.#frames;
    }
    this.#send(true, Flag.syn, '');
    if (attempt === 'refused') {
      this.#send(false, Flag.rst | Flag.ack, '');
      return this.#frames;
    }
    this.#send(false, Flag.syn | Flag.ack, '');
    this.#send(true, Flag.ack, '');
    this.#say(this.#fill(says ?? ''));
    this.#send(true, Flag.fin | Flag.ack, '');
    this.#send(false, Flag.fin | Flag.ack, '');
    this.#send(true, Flag.ack, '');
    return this.#frames;
  }

  /** Lines of one side that follow one another go in one segment. */
  #say(text: string): void {
    let side = '';
    let said = '';
    for (const line of text.split('\n')) {
      const match = /^\s*([CS]): ?(.*)$/.exec(line);
      if (match === null) continue;
      if (match[1] !== side && said !== '') {
        this.#send(side === 'C', Flag.psh | Flag.ack, said);
        said = '';
      }
      side = match[1]!;
      said += `${match[2]}\r\n`;
    }
    if (said !== '') this.#send(side === 'C', Flag.psh | Flag.ack, said);
  }

  /** `{n}` is the number of the talk; other names take their turns. */
  #fill(text: string): string {
    return text.replaceAll(/\{([a-z_]+)\}/g, (whole, name: string) => {
      if (name === 'n') return String(this.#n);
      const values = this.#talk.vary?.[name];
      return values === undefined ? whole : values[(this.#n - 1) % values.length]!;
    });
  }

  #send(isClient: boolean, flags: number, text: string): void {
    const payload = Buffer.from(text, 'utf8');
    const tcp = Buffer.alloc(20);
    tcp.writeUInt16BE(isClient ? this.#port : this.#talk.port, 0);
    tcp.writeUInt16BE(isClient ? this.#talk.port : this.#port, 2);
    tcp.writeUInt32BE(isClient ? this.#clientSeq : this.#serverSeq, 4);
    const isFirst = flags === Flag.syn;
    tcp.writeUInt32BE(isFirst ? 0 : isClient ? this.#serverSeq : this.#clientSeq, 8);
    tcp[12] = 5 << 4;
    tcp[13] = flags;
    tcp.writeUInt16BE(65_535, 14);
    const [from, to] = isClient ? [this.#client, this.#server] : [this.#server, this.#client];
    const bytes = Buffer.concat([ipHeader(from, to, tcp.length + payload.length), tcp, payload]);
    this.#frames.push({ time: this.#time, bytes });
    this.#time += turn;
    const counted = payload.length + ((flags & (Flag.syn | Flag.fin)) !== 0 ? 1 : 0);
    if (isClient) this.#clientSeq += counted;
    else this.#serverSeq += counted;
  }
}

function ipHeader(from: Prefix, to: Prefix, length: number): Buffer {
  if (from.isIpv4) {
    const header = Buffer.alloc(20);
    header[0] = 0x45;
    header.writeUInt16BE(20 + length, 2);
    header[8] = 64;
    header[9] = 6;
    header.writeInt32BE(from.w3, 12);
    header.writeInt32BE(to.w3, 16);
    return header;
  }
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(length, 4);
  header[6] = 6;
  header[7] = 64;
  [from.w0, from.w1, from.w2, from.w3, to.w0, to.w1, to.w2, to.w3].forEach((word, at) => {
    header.writeInt32BE(word, 8 + at * 4);
  });
  return header;
}

function address(text: string): Prefix {
  const prefix = new Prefix();
  if (readPrefix(text, prefix) && !text.includes('/')) return prefix;
  throw new CommandError(`"${text}" is no address; a test needs one in from and to`);
}
