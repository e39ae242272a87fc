// A TCP conversation as a script: handshake, what each side says, acknowledgements, the end. Tests
// write dialogues with it and get frames in capture order. It loses and reorders nothing: drop or
// swap entries of `frames` for that. Sequence and acknowledgement numbers are always right.

import { ethernet, Flag, ip, pcapHeader, pcapRecord, synOptions, tcp, vlan } from './frame.js';

export type Side = 'client' | 'server';

export interface Frame {
  /** Microseconds since 1970. */
  time: number;
  bytes: Buffer;
  /** Who sent it. */
  dir: Side;
}

export interface ConversationOptions {
  readonly client?: string;
  readonly server?: string;
  readonly clientPort?: number;
  readonly serverPort?: number;
  /** Microseconds since 1970 of the first frame. */
  readonly start?: number;
  /** Round trip in microseconds; a change of sides takes half of it. */
  readonly rtt?: number;
  readonly mss?: number;
  /** VLAN identifiers, outer first. */
  readonly vlan?: readonly number[];
  readonly clientIsn?: number;
  readonly serverIsn?: number;
  /** Puts the link layer around the IP packet; Ethernet with the tags of `vlan` when not given. */
  readonly link?: (packet: Buffer) => Buffer;
  /** Puts a tunnel around the finished frame. */
  readonly wrap?: (frame: Buffer) => Buffer;
  /** `dialogue` opens with a handshake unless this is false. */
  readonly handshake?: boolean;
}

/** How to cut what a side says: the lengths of the first segments; the rest is cut by the MSS. */
export interface SayOptions {
  readonly segments?: readonly number[];
}

interface Half {
  readonly address: string;
  readonly port: number;
  /** Next sequence number to send, and the next one expected from the peer. */
  seq: number;
  ack: number;
  /** Segments received and not yet acknowledged. */
  owed: number;
}

/**
 * Builds one connection step by step:
 *
 *     const c = new Conversation({ rtt: 20_000 });
 *     c.handshake();
 *     c.server('220 mx.example.net ESMTP\r\n');
 *     c.client('EHLO a.example\r\nMAIL FROM:<>\r\n', { segments: [7] });
 *     c.fin();
 *     c.frames; // { time, bytes, dir }, in capture order
 *
 * Strings are sent as UTF-8. Two segments in a row bring a pure ACK, as a delayed-ACK stack does.
 */
export class Conversation {
  readonly frames: Frame[] = [];
  /** Time of the next frame, microseconds. */
  now: number;
  readonly #options: ConversationOptions;
  readonly #rtt: number;
  readonly #mss: number;
  readonly #halves: Record<Side, Half>;
  #last: Side | null = null;

  constructor(options: ConversationOptions = {}) {
    this.#options = options;
    this.now = options.start ?? 1_700_000_000_000_000;
    this.#rtt = options.rtt ?? 20_000;
    this.#mss = options.mss ?? 1460;
    const client = options.clientIsn ?? 0x1000_0000;
    const server = options.serverIsn ?? 0x7000_0000;
    const v6 = options.client?.includes(':') || options.server?.includes(':');
    this.#halves = {
      client: {
        address: options.client ?? (v6 ? '2001:db8:1::25' : '192.0.2.25'),
        port: options.clientPort ?? 40000,
        seq: client >>> 0,
        ack: server >>> 0,
        owed: 0,
      },
      server: {
        address: options.server ?? (v6 ? '2001:db8:2::25' : '198.51.100.25'),
        port: options.serverPort ?? 25,
        seq: server >>> 0,
        ack: client >>> 0,
        owed: 0,
      },
    };
  }

  /** SYN, SYN-ACK, ACK. Without it the conversation begins in the middle. */
  handshake(): this {
    this.#send('client', Flag.syn);
    this.#send('server', Flag.syn | Flag.ack);
    this.#send('client', Flag.ack);
    return this;
  }

  /** The client sends bytes. */
  client(bytes: Buffer | string, options: SayOptions = {}): this {
    return this.#say('client', bytes, options);
  }

  /** The server sends bytes. */
  server(bytes: Buffer | string, options: SayOptions = {}): this {
    return this.#say('server', bytes, options);
  }

  /** A pure ACK of everything received so far. */
  ack(side: Side): this {
    this.#send(side, Flag.ack);
    return this;
  }

  /** Nothing happens for so many microseconds. */
  wait(micros: number): this {
    this.now += micros;
    return this;
  }

  /** `by` closes, the other side closes too, `by` acknowledges. */
  fin(by: Side = 'client'): this {
    this.#send(by, Flag.fin | Flag.ack);
    this.#send(peer(by), Flag.fin | Flag.ack);
    this.#send(by, Flag.ack);
    return this;
  }

  /** `by` resets the connection. */
  rst(by: Side = 'client'): this {
    this.#send(by, Flag.rst | Flag.ack);
    return this;
  }

  #say(side: Side, said: Buffer | string, options: SayOptions): this {
    const bytes = typeof said === 'string' ? Buffer.from(said, 'utf8') : said;
    const lengths = options.segments ?? [];
    let at = 0;
    for (let i = 0; at < bytes.length; i++) {
      const end = Math.min(bytes.length, at + (lengths[i] ?? this.#mss));
      const push = end === bytes.length ? Flag.psh : 0;
      this.#send(side, Flag.ack | push, bytes.subarray(at, end));
      at = end;
      const receiver = peer(side);
      if (at < bytes.length && this.#halves[receiver].owed >= 2) this.#send(receiver, Flag.ack);
    }
    return this;
  }

  #send(side: Side, flags: number, payload: Buffer = Buffer.alloc(0)): void {
    const from = this.#halves[side];
    const to = this.#halves[peer(side)];
    if (this.#last !== null) this.now += this.#last === side ? 10 : this.#rtt / 2;
    this.#last = side;
    const segment = tcp({
      src: from.address,
      dst: to.address,
      srcPort: from.port,
      dstPort: to.port,
      seq: from.seq,
      ack: flags & Flag.ack ? from.ack : 0,
      flags,
      payload,
      ...(flags & Flag.syn ? { options: synOptions(this.#mss) } : {}),
    });
    const length = payload.length + (flags & (Flag.syn | Flag.fin) ? 1 : 0);
    from.seq = (from.seq + length) >>> 0;
    from.owed = 0;
    to.ack = from.seq;
    if (payload.length > 0) to.owed++;
    this.frames.push({ time: this.now, bytes: this.#framed(ip(segment)), dir: side });
  }

  #framed(packet: Buffer): Buffer {
    const { link, wrap, vlan: tags = [] } = this.#options;
    let frame: Buffer;
    if (link) frame = link(packet);
    else frame = ethernet(tags.reduceRight((inner, id) => vlan(inner, { id }), packet));
    return wrap ? wrap(frame) : frame;
  }
}

function peer(side: Side): Side {
  return side === 'client' ? 'server' : 'client';
}

/** The frames of several conversations as one pcap file, in order of time. */
export function pcapOf(
  conversations: readonly { readonly frames: readonly Frame[] }[],
  link = 1,
): Buffer {
  const frames = conversations.flatMap((conversation) => conversation.frames);
  frames.sort((a, b) => a.time - b.time);
  return Buffer.concat([pcapHeader(link), ...frames.map((f) => pcapRecord(f.time, f.bytes))]);
}

/**
 * A conversation from text:
 *
 *     dialogue(`
 *       S: 220 mx.example.net ESMTP
 *       C: MAIL FROM:<a@example.net>
 *       C: RCPT TO:<b@example.org>
 *
 *       C: DATA
 *       C| half a li\xC3
 *       C: <fill 5000>
 *       --
 *     `)
 *
 * `C: ` and `S: ` lines end in CRLF, `C| ` and `S| ` lines end as they are. Lines of one side go in
 * one segment (cut by the MSS); an empty line starts another. `\r \n \t \0 \\ \xNN` are escapes
 * (write the text with `String.raw`), other text is UTF-8, `<fill N>` is N bytes of text lines.
 * `--` closes by FIN, `RST` is a reset by the client. Leading white space is ignored.
 */
export function dialogue(text: string, options: ConversationOptions = {}): Conversation {
  const conversation = new Conversation(options);
  if (options.handshake !== false) conversation.handshake();
  let side: Side = 'client';
  let said: Buffer[] = [];
  const flush = () => {
    if (said.length > 0) conversation[side](Buffer.concat(said));
    said = [];
  };
  for (const line of text.split('\n')) {
    const step = line.trimStart();
    const match = /^([CS])(?::|\|)(?: |$)/.exec(step);
    if (match) {
      const speaker = match[1] === 'C' ? 'client' : 'server';
      if (speaker !== side) flush();
      side = speaker;
      said.push(unescaped(step.slice(match[0].length)));
      if (step[1] === ':') said.push(Buffer.from('\r\n'));
      continue;
    }
    flush();
    if (step === '--') conversation.fin();
    else if (step === 'RST') conversation.rst();
    else if (step !== '')
      throw new Error(`a dialogue line begins with C: S: C| S| -- RST: ${step}`);
  }
  flush();
  return conversation;
}

const escapes: Record<string, number> = { r: 13, n: 10, t: 9, '0': 0, '\\': 92 };

function unescaped(text: string): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const match of text.matchAll(/\\x([0-9a-fA-F]{2})|\\([rnt0\\])|<fill (\d+)>/g)) {
    parts.push(Buffer.from(text.slice(at, match.index)));
    if (match[3] !== undefined) parts.push(fill(Number(match[3])));
    else if (match[1] !== undefined) parts.push(Buffer.from(match[1], 'hex'));
    else parts.push(Buffer.from([escapes[match[2]!]!]));
    at = match.index + match[0].length;
  }
  parts.push(Buffer.from(text.slice(at)));
  return Buffer.concat(parts);
}

/** Exactly `length` bytes of text in lines of 76, CRLF between them and no CRLF at the end. */
export function fill(length: number): Buffer {
  const bytes = Buffer.alloc(length, 'the quick brown fox jumps over the lazy dog ');
  for (let at = 76; at + 2 < length; at += 78) bytes.write('\r\n', at);
  return bytes;
}
