// The SMTP stage: takes ordered bytes of connections, gives sessions and transactions.

import { type Chunk, Dir, FlowEnd, type StreamSink } from '../flow/sink.js';
import { seqDiff } from '../lib/seq.js';
import type { SipHash } from '../lib/siphash.js';
import { Body } from './body.js';
import { ClientReader } from './client.js';
import { ClientHelloReader } from './client-hello.js';
import { Dialogue } from './dialogue.js';
import { SessionEnd, type SmtpSink } from './events.js';
import { Facts } from './facts.js';
import { Mode } from './mode.js';
import { ServerReader } from './server.js';
import { Bit, Store, type StoreRooms, X } from './store.js';
import { TlsReader } from './tls.js';
import { Transactions } from './transactions.js';
import { isStrong, verbOf } from './verb.js';

/** Numbers of `Protocol` and `Closed` in the batch. */
const enum Protocol {
  unknown = 0,
  smtp = 1,
  lmtp = 2,
  tls = 3,
  notSmtp = 4,
}
const closedByQuit = 0;
/** STARTTLS and then TLS, in `X.startTls`. */
const startTlsEstablished = 3;

export interface SmtpOptions extends StoreRooms {
  /** Recipients that a transaction's record lists. */
  readonly rcptMax: number;
  /** What recipients and Message-IDs are hashed with when facts are wanted, else null. */
  readonly facts: SipHash | null;
}

export class Smtp implements StreamSink {
  readonly store: Store;
  readonly #sink: SmtpSink;
  readonly #body: Body;
  readonly #dialogue: Dialogue;
  readonly #client: ClientReader;
  readonly #server: ServerReader;
  readonly #end = new SessionEnd();
  /** Sessions that were written. */
  sessions = 0;
  readonly #transactions: Transactions;

  /** `sha256` gives the hexadecimal digest of a text, for JA4. */
  constructor(options: SmtpOptions, sink: SmtpSink, sha256: (text: string) => string) {
    this.store = new Store(options, options.facts !== null);
    if (options.facts !== null) this.store.facts = new Facts(this.store, options.facts);
    this.#sink = sink;
    this.#body = new Body(this.store);
    this.#transactions = new Transactions(this.store, sink, this.#body, options.rcptMax);
    this.#dialogue = new Dialogue(this.store, this.#body, this.#transactions);
    const tls = new TlsReader(this.store, new ClientHelloReader(sha256));
    this.#client = new ClientReader(this.store, this.#dialogue, this.#body, tls);
    this.#server = new ServerReader(this.store, this.#dialogue);
  }

  /** Transactions that were written. */
  get transactions(): number {
    return this.#transactions.written;
  }

  speaker(bytes: Buffer, from: number, to: number): number {
    if (isStrong(verbOf(bytes, from, to))) return 1;
    if (to - from < 4) return 0;
    const after = bytes[from + 3]!;
    for (let i = 0; i < 3; i++) if (bytes[from + i]! < 48 || bytes[from + i]! > 57) return 0;
    return after === 32 || after === 45 ? 2 : 0;
  }

  open(flow: number, mailPort: boolean, starts: number): number {
    const s = this.store.openSession(flow);
    if (s < 0) return -1;
    const w = this.store.sessions.words;
    if (mailPort) w[s + X.bits]! |= Bit.mailPort;
    if ((starts & (1 << Dir.client)) === 0) {
      w[s + X.bits]! |= Bit.uncertain;
      w[s + X.clientMode] = Mode.unknown;
    }
    if ((starts & (1 << Dir.server)) !== 0) w[s + X.bits]! |= Bit.bannerDue;
    else w[s + X.bits]! |= Bit.discardServer;
    if (starts === 0) w[s + X.bits]! |= Bit.ready;
    if (starts !== 3) w[s + X.bits]! |= Bit.begunUnseen;
    const whole = (starts & (1 << Dir.server)) !== 0;
    if (!whole) this.store.facts?.serverGap(s);
    return s;
  }

  data(c: Chunk): number {
    const s = c.session;
    if (c.dir === Dir.server) {
      const read = this.#server.feed(c);
      return read >= 0 && this.#isForeign(s) ? -1 : read;
    }
    const w = this.store.sessions.words;
    // Only something unfinished or lost makes it matter that the client has heard all there is.
    const open = (w[s + X.bits]! & Bit.resync) | w[s + X.serverMode]! | w[s + X.serverLine + 2]!;
    if (open !== 0 && this.store.has(s, Bit.serverSeen)) {
      if (seqDiff(c.ack, w[s + X.serverNext]!) >= 0) {
        this.#server.close(s, c.time, c.sides);
        this.#dialogue.clientSpeaks(s, c.ack, c.time);
      }
    }
    return this.#client.feed(c);
  }

  gap(c: Chunk): void {
    this.store.countGap(c.session, c.missing);
    if (c.dir === Dir.server) this.#server.gap(c);
    else this.#client.gap(c);
  }

  force(session: number, dir: number): void {
    if (dir === Dir.client) this.#client.force(session);
  }

  anomaly(session: number, which: number): void {
    this.store.countAnomaly(session, which);
  }

  attempt(flow: number, kind: number, syns: number): void {
    this.#sink.attempt(flow, kind, syns);
  }

  /** `last` is the time of the connection's last packet. */
  end(s: number, how: number, last: number, sides: number): boolean {
    const w = this.store.sessions.words;
    this.#server.close(s, last, sides);
    this.#dialogue.end(s, last);
    const protocol = this.#protocol(s);
    const named = this.store.has(s, Bit.strong) || w[s + X.transactions]! > 0;
    const written = this.store.has(s, Bit.mailPort) || named;
    if (written) {
      this.sessions++;
      const end = this.#end;
      end.closed = this.store.has(s, Bit.quit) ? closedByQuit : how;
      end.protocol = protocol;
      end.gaps = this.store.sessions.doubles[(s + X.gaps) >> 1]!;
      this.store.facts?.end(s, this.#isWithoutQuit(s, how, sides));
      this.#sink.session(this.store, s, end);
    }
    this.store.closeSession(s);
    return written;
  }

  /** On a port that is not mail's, a server that does not greet like SMTP is not followed. */
  #isForeign(s: number): boolean {
    return (
      !this.store.has(s, Bit.mailPort | Bit.verb | Bit.banner | Bit.reply) &&
      this.store.has(s, Bit.serverNoise)
    );
  }

  /** Whether a client that was seen to the end, in clear and whole, closed without QUIT. */
  #isWithoutQuit(s: number, how: number, sides: number): boolean {
    const closed = how === FlowEnd.fin || how === FlowEnd.rst || how === FlowEnd.timeout;
    if (!closed || sides !== 3 || this.store.has(s, Bit.quit | Bit.implicitTls)) return false;
    if (this.store.sessions.words[s + X.startTls] === startTlsEstablished) return false;
    return this.store.has(s, Bit.verb) && this.store.sessions.doubles[(s + X.gaps) >> 1] === 0;
  }

  #protocol(s: number): number {
    const bits = this.store.sessions.words[s + X.bits]!;
    if ((bits & Bit.lmtp) !== 0) return Protocol.lmtp;
    if ((bits & Bit.verb) !== 0) return Protocol.smtp;
    if ((bits & Bit.implicitTls) !== 0) return Protocol.tls;
    if ((bits & Bit.clientNoise) !== 0) return Protocol.notSmtp;
    if ((bits & (Bit.banner | Bit.reply)) !== 0) return Protocol.smtp;
    return (bits & (Bit.serverNoise | Bit.clientSeen)) !== 0 ? Protocol.notSmtp : Protocol.unknown;
  }
}
