// The client's direction: lines into commands, data into sizes, AUTH answers into nothing.

import { Chunk } from '../flow/sink.js';
import { seqAdd, seqDiff } from '../lib/seq.js';
import { Anomaly } from './anomaly.js';
import { Arguments } from './arguments.js';
import { BareEnd } from './bare-end.js';
import type { Body } from './body.js';
import type { Dialogue } from './dialogue.js';
import { Mode, waits } from './mode.js';
import { Bit, E, type Store, T, TxBit, X } from './store.js';
import type { TlsReader } from './tls.js';
import { endsEnvelope, isCommand, isStrong, startsCommand, Verb, verbOf } from './verb.js';

const lineFeed = 10;
const carriageReturn = 13;
/** Bytes that are kept of a line; RFC 5321 section 4.5.3.1.6 allows 1,000. */
const lineBytesMax = 2000;
/** Lines without any command after which a stream on a mail port is not SMTP. */
const noiseLinesMax = 8;

export class ClientReader {
  readonly #store: Store;
  readonly #dialogue: Dialogue;
  readonly #body: Body;
  readonly #tls: TlsReader;
  readonly #bareEnd: BareEnd;
  readonly #arguments: Arguments;
  /** The chunk that is being read. */
  #seq = 0;
  #ack = 0;
  #time = 0.5;
  #alone = false;
  #segment = new Chunk();
  #after = 0;
  /** The line that is being judged, and whether LF alone ended it. */
  #bytes: Buffer = Buffer.alloc(0);
  #from = 0;
  #to = 0;
  #bare = false;

  constructor(store: Store, dialogue: Dialogue, body: Body, tls: TlsReader) {
    this.#store = store;
    this.#bareEnd = new BareEnd(store, body);
    this.#dialogue = dialogue;
    this.#body = body;
    this.#tls = tls;
    this.#arguments = new Arguments(store, tls);
  }

  /** Reads ordered bytes; gives how far, or -1 when nothing more of the connection is wanted. */
  feed(c: Chunk): number {
    const s = c.session;
    const w = this.#store.sessions.words;
    if (w[s + X.clientMode] === Mode.data && this.#body.skip(s, w[s + X.clientTx]!, c)) return c.to;
    this.#ack = c.ack;
    this.#time = c.time;
    this.#segment = c;
    this.#alone = (c.sides & 2) === 0;
    if (!this.#store.has(s, Bit.begun)) this.#begin(s, c);
    let at = c.from;
    while (at < c.to) {
      this.#seq = seqAdd(c.seq, -c.from);
      const mode = w[s + X.clientMode]!;
      if (mode === Mode.maybeEnd || mode === Mode.probeEnd) {
        if (!this.#leaveMaybeEnd(s, mode, c, at)) break;
        continue;
      }
      const next = this.#step(s, mode, c, at);
      if (next === at) break;
      if (next < 0) return -1;
      at = next;
    }
    if (at === c.to) w[s + X.gapAck] = c.ack;
    return at;
  }

  /** `c.missing` bytes of the client are lost. */
  gap(c: Chunk): void {
    const s = c.session;
    const w = this.#store.sessions.words;
    const mode = w[s + X.clientMode]!;
    const t = w[s + X.clientTx]!;
    if (mode === Mode.data || mode === Mode.maybeEnd || mode === Mode.probeEnd) {
      if (mode !== Mode.data) w[s + X.clientMode] = Mode.data;
      if (t < 0) return;
      this.#body.lost(s, t, c.missing);
      this.#store.transactions.words[t + T.bits]! |= TxBit.gapInData;
      return;
    }
    if (mode === Mode.bdat && c.missing <= w[s + X.remaining]!) {
      w[s + X.remaining]! -= c.missing;
      if (t >= 0) this.#body.lost(s, t, c.missing);
      if (w[s + X.remaining] === 0) this.#endChunk(s);
      return;
    }
    this.#store.cells.release(w, s + X.clientLine);
    w[s + X.clientMode] = Mode.unknown;
    this.#dialogue.clientGap(s, seqAdd(c.seq, c.missing), c.missing, (c.sides & 2) === 0);
  }

  /** Reads on without the answer it waits for. */
  force(s: number): void {
    const w = this.#store.sessions.words;
    const mode = w[s + X.clientMode]!;
    if (mode === Mode.waitData) w[s + X.clientMode] = Mode.dataMaybe;
    else if (mode === Mode.waitTls) w[s + X.clientMode] = Mode.tlsDue;
    else if (mode === Mode.waitAuth) {
      w[s + X.clientMode] = Mode.authLine;
      w[s + X.remaining] = -1;
    } else if (mode === Mode.maybeEnd || mode === Mode.probeEnd) {
      this.#store.set(s, Bit.forced);
    }
  }

  /** The first client bytes: TLS or not. */
  #begin(s: number, c: Chunk): void {
    const w = this.#store.sessions.words;
    this.#store.set(s, Bit.begun | Bit.clientSeen);
    if (c.bytes[c.from] === 0x16 && !this.#store.has(s, Bit.reply)) {
      this.#store.set(s, Bit.implicitTls);
      w[s + X.clientMode] = Mode.hello;
    }
  }

  #step(s: number, mode: number, c: Chunk, at: number): number {
    switch (mode) {
      case Mode.data:
        return this.#data(s, c, at);
      case Mode.bdat:
        return this.#chunk(s, c, at);
      case Mode.tlsDue:
        return this.#tlsDue(s, c, at);
      case Mode.hello:
        return this.#tls.feed(s, c.bytes, at, c.to) ? -1 : c.to;
      default:
        return waits(mode) ? at : this.#line(s, mode, c, at);
    }
  }

  /** One line, or the beginning of one. */
  #line(s: number, mode: number, c: Chunk, at: number): number {
    const w = this.#store.sessions.words;
    let end = at;
    while (end < c.to && c.bytes[end] !== lineFeed) end++;
    // Nothing that AUTH is answered with is ever kept (contracts 2.2).
    const secret = mode === Mode.authLine && w[s + X.remaining]! > 0;
    if (mode === Mode.authLine) this.#store.facts?.authBytes(s, end - at);
    if (!secret) {
      const room = lineBytesMax - w[s + X.clientLine + 2]!;
      if (end - at > room && !this.#store.has(s, Bit.longLine)) {
        this.#store.countAnomaly(s, Anomaly.lineTooLong);
        this.#store.set(s, Bit.longLine);
      }
      if (end === c.to || w[s + X.clientLine + 2]! > 0) {
        const stop = Math.min(end, at + Math.max(0, room));
        this.#store.cells.keep(w, s + X.clientLine, c.bytes, at, stop);
      }
    }
    if (end === c.to) return end;
    this.#bare = !this.#store.has(s, Bit.longLine);
    this.#store.unset(s, Bit.longLine);
    this.#bytes = c.bytes;
    this.#from = at;
    this.#to = end;
    if (!secret && w[s + X.clientLine + 2]! > 0) {
      this.#bytes = this.#store.scratch;
      this.#from = 0;
      this.#to = this.#store.cells.copy(w, s + X.clientLine, this.#bytes, 0);
      this.#store.cells.release(w, s + X.clientLine);
    }
    if (this.#to > this.#from && this.#bytes[this.#to - 1] === carriageReturn) {
      this.#to--;
      this.#bare = false;
    }
    this.#seq = seqAdd(this.#seq, end + 1);
    this.#after = end + 1;
    return this.#judge(s, mode) ? end + 1 : -1;
  }

  /** A whole line in a mode that reads lines; false: no more of this connection is wanted. */
  #judge(s: number, mode: number): boolean {
    const w = this.#store.sessions.words;
    const verb = verbOf(this.#bytes, this.#from, this.#to);
    if (mode === Mode.command) return this.#command(s, verb);
    const command = isCommand(verb, this.#bytes, this.#from, this.#to);
    if (mode === Mode.authLine) this.#store.facts?.authLine(s, !command || w[s + X.remaining]! > 0);
    if (mode === Mode.dataMaybe && !command) {
      this.#beginData(s);
      return true;
    }
    if (mode === Mode.authLine && (!command || w[s + X.remaining]! > 0)) {
      this.#authLine(s);
      return true;
    }
    if (mode === Mode.unknown && !(command && this.#isProven(s))) {
      if (this.#to - this.#from === 1 && this.#bytes[this.#from] === 46) this.#endUnseen(s);
      else this.#store.set(s, Bit.inMessage);
      return true;
    }
    w[s + X.clientMode] = Mode.command;
    return this.#command(s, verb);
  }

  /**
   * Whether a line that looks like a command is one where the capture may have begun inside a
   * message that quotes a dialogue: it stands among commands alone, or the server has spoken.
   */
  #isProven(s: number): boolean {
    if (this.#store.has(s, Bit.reply)) return true;
    const c = this.#segment;
    if (this.#store.has(s, Bit.inMessage)) return false;
    return this.#after === c.to || startsCommand(c.bytes, this.#after, c.to);
  }

  #command(s: number, verb: number): boolean {
    const w = this.#store.sessions.words;
    if (verb === Verb.unknown) {
      this.#store.countAnomaly(s, Anomaly.unknownCommand);
      this.#store.set(s, Bit.clientNoise);
      if (!this.#store.has(s, Bit.verb)) {
        if (!this.#store.has(s, Bit.mailPort | Bit.banner)) return false;
        if (this.#store.anomalyCount(s, Anomaly.unknownCommand) > noiseLinesMax) return false;
      }
    } else {
      this.#store.set(s, isStrong(verb) ? Bit.verb | Bit.strong : Bit.verb);
    }
    const e = this.#store.openEntry(verb);
    if (e < 0) return true;
    const ew = this.#store.entries.words;
    ew[e + E.end] = this.#seq;
    ew[e + E.ack] = this.#ack;
    this.#store.entries.doubles[(e + E.time) >> 1] = this.#time;
    this.#arguments.take(this.#bytes, this.#from, this.#to);
    this.#argument(s, e, verb);
    const kind = ew[e + E.verb]!;
    const size = ew[e + E.size]!;
    if (endsEnvelope(kind)) w[s + X.clientTx] = -1;
    this.#next(s, kind, size);
    this.#store.facts?.style(s, verb, this.#bytes, this.#from, this.#to);
    this.#store.facts?.command(s, e, this.#alone, this.#bare);
    if (kind === Verb.data) ew[e + E.size] = this.#store.sessions.doubles[(s + X.gaps) >> 1]!;
    // With nobody to answer, a chunk is over when its bytes are through, see `#chunk`.
    this.#dialogue.push(s, e, this.#alone && size === 0);
    return true;
  }

  /** What is read of a command's argument. */
  #argument(s: number, e: number, verb: number): void {
    const ew = this.#store.entries.words;
    switch (verb) {
      case Verb.ehlo:
      case Verb.helo:
      case Verb.lhlo:
        this.#arguments.name(s, ew, e + E.text);
        break;
      case Verb.mail:
        this.#mail(s, e);
        break;
      case Verb.rcpt:
        this.#arguments.mailbox(s, ew, e + E.text);
        break;
      case Verb.bdat:
        this.#bdat(s, e);
        break;
      case Verb.auth:
        this.#arguments.auth(s);
        break;
      default:
        break;
    }
  }

  #mail(s: number, e: number): void {
    const w = this.#store.sessions.words;
    const t = this.#store.openClientTransaction(s, this.#time, this.#alone);
    this.#store.entries.words[e + E.tx] = t;
    w[s + X.clientTx] = t;
    if (t < 0) return;
    const tw = this.#store.transactions.words;
    tw[t + T.bits]! |= TxBit.mail;
    if (!this.#arguments.mailbox(s, tw, t + T.mailFrom)) return;
    this.#store.transactions.doubles[(t + T.sizeDeclared) >> 1] = this.#arguments.size();
  }

  /** BDAT without a MAIL that we saw: a transaction, if the server says so. */
  #ensureTx(s: number): number {
    const w = this.#store.sessions.words;
    if (w[s + X.clientTx]! >= 0) return -1;
    const t = this.#store.openClientTransaction(s, this.#time, this.#alone);
    w[s + X.clientTx] = t;
    if (t >= 0) this.#store.transactions.words[t + T.bits]! |= TxBit.tentative;
    return t;
  }

  /** A chunk is announced. A size that is none makes it no command. */
  #bdat(s: number, e: number): void {
    const ew = this.#store.entries.words;
    const size = this.#arguments.chunk();
    if (size < 0) {
      this.#store.countAnomaly(s, Anomaly.malformedBdat);
      ew[e + E.verb] = Verb.other;
      return;
    }
    ew[e + E.value] = this.#arguments.last ? 1 : 0;
    ew[e + E.size] = size;
    ew[e + E.tx] = this.#ensureTx(s);
    ew[e + E.end] = seqAdd(this.#seq, size);
    if (this.#arguments.last) this.#store.set(s, Bit.lastChunk);
    else this.#store.unset(s, Bit.lastChunk);
    const t = this.#store.sessions.words[s + X.clientTx]!;
    if (t >= 0) this.#body.beginChunk(s, t, size === 0 && this.#arguments.last);
  }

  /** The mode behind a command. */
  #next(s: number, verb: number, size: number): void {
    const w = this.#store.sessions.words;
    switch (verb) {
      case Verb.data:
        w[s + X.clientMode] = this.#alone ? Mode.dataMaybe : Mode.waitData;
        break;
      case Verb.bdat:
        w[s + X.remaining] = size;
        w[s + X.clientMode] = size > 0 ? Mode.bdat : Mode.command;
        break;
      case Verb.auth:
        if (!this.#alone) w[s + X.clientMode] = Mode.waitAuth;
        else w[s + X.clientMode] = w[s + X.remaining] === 0 ? Mode.command : Mode.authLine;
        break;
      case Verb.startTls:
        w[s + X.clientMode] = this.#alone ? Mode.tlsDue : Mode.waitTls;
        w[s + X.dataAck] = seqAdd(this.#ack, 1);
        break;
      default:
        w[s + X.clientMode] = Mode.command;
    }
  }

  /** A line that answered AUTH: passed over. */
  #authLine(s: number): void {
    const w = this.#store.sessions.words;
    if (this.#alone) {
      const cancelled = this.#to - this.#from === 1 && this.#bytes[this.#from] === 42;
      const last = w[s + X.remaining]! > 0 && --w[s + X.remaining]! === 0;
      if (cancelled || last) w[s + X.clientMode] = Mode.command;
      return;
    }
    w[s + X.clientMode] = Mode.waitAuth;
    this.#pushBare(s, Verb.authLine);
  }

  #pushBare(s: number, verb: number): void {
    const e = this.#store.openEntry(verb);
    if (e < 0) return;
    const ew = this.#store.entries.words;
    ew[e + E.end] = this.#seq;
    ew[e + E.ack] = this.#ack;
    this.#store.entries.doubles[(e + E.time) >> 1] = this.#time;
    this.#dialogue.push(s, e, this.#alone);
  }

  /** DATA's reply was not seen, and this line is no command: it is the message's first. */
  #beginData(s: number): void {
    const w = this.#store.sessions.words;
    const t = this.#dialogue.unansweredData(s, this.#time);
    w[s + X.clientMode] = t >= 0 ? Mode.data : Mode.unknown;
    w[s + X.dataAck] = this.#ack;
    if (t < 0) return;
    this.#body.begin(s, t);
    // The line is put together again with its end; a bare LF is taken for CRLF here.
    const line = this.#store.scratch;
    const length = Math.min(this.#to - this.#from, line.length - 16);
    if (this.#bytes !== line) this.#bytes.copy(line, 0, this.#from, this.#from + length);
    line[length] = carriageReturn;
    line[length + 1] = lineFeed;
    const end = this.#body.scan(s, t, line, 0, length + 2);
    if (end < 0) return;
    this.#body.dropDotLine(t, 3);
    this.#endOfData(s);
  }

  /** After a loss, a lone dot: the end of data whose beginning we did not see. */
  #endUnseen(s: number): void {
    this.#store.unset(s, Bit.inMessage);
    this.#store.set(s, Bit.uncertain);
    this.#dialogue.dataEndUnseen(s, this.#time);
    this.#endOfData(s);
  }

  #data(s: number, c: Chunk, at: number): number {
    const w = this.#store.sessions.words;
    const t = w[s + X.clientTx]!;
    if (t < 0) {
      w[s + X.clientMode] = Mode.unknown;
      return this.#line(s, Mode.unknown, c, at);
    }
    const lost = (this.#store.transactions.words[t + T.bits]! & TxBit.gapInData) !== 0;
    if (lost && seqDiff(c.ack, w[s + X.dataAck]!) > 0) {
      // The server has spoken since: the end of the data was in what we missed.
      w[s + X.clientMode] = Mode.unknown;
      w[s + X.clientTx] = -1;
      this.#dialogue.dataLost(s, c.time);
      return this.#line(s, Mode.unknown, c, at);
    }
    const end = this.#body.scan(s, t, c.bytes, at, c.to);
    if (end < 0) return c.to;
    this.#seq = seqAdd(this.#seq, end);
    if (!this.#body.bare) {
      this.#body.dropDotLine(t, 3);
      this.#endOfData(s);
      return end;
    }
    w[s + X.clientMode] = Mode.maybeEnd;
    w[s + X.remaining] = this.#body.dotLine;
    w[s + X.dubiousEnd] = this.#seq;
    return end;
  }

  /**
   * Bytes behind a dot line with a bare LF. True when it is settled what that line was: an end if
   * the server has answered there, or nobody can be asked and the client goes on with a command.
   */
  #leaveMaybeEnd(s: number, mode: number, c: Chunk, at: number): boolean {
    const w = this.#store.sessions.words;
    // The server has spoken since, and it was not seen: the answer is lost.
    const unseen = seqDiff(this.#ack, w[s + X.dataAck]!) > 0;
    let ended = unseen;
    if (!ended && mode === Mode.probeEnd) {
      // An end that any server accepts, or more than can be seen from here, and it was not this.
      const reaches = seqDiff(seqAdd(this.#seq, c.to), w[s + X.replyAck]!) >= 0;
      ended = reaches && !this.#body.hasEnd(c.bytes, at, c.to, w[s + X.remaining]!);
    } else if (!ended) {
      if (!this.#alone && !this.#store.has(s, Bit.forced)) return false;
      const end = this.#body.hasEnd(c.bytes, at, c.to, w[s + X.remaining]!);
      ended = !end && startsCommand(c.bytes, at, c.to);
    }
    this.#store.unset(s, Bit.forced);
    if (!ended) {
      this.#store.countAnomaly(s, Anomaly.bareLfDot);
      this.#bareEnd.resume(s);
      return true;
    }
    this.#seq = w[s + X.dubiousEnd]!;
    this.#bareEnd.end(s);
    const alone = this.#alone;
    this.#alone = alone || unseen;
    this.#pushBare(s, Verb.dataEnd);
    this.#alone = alone;
    return true;
  }

  #endOfData(s: number): void {
    const w = this.#store.sessions.words;
    w[s + X.clientMode] = Mode.command;
    w[s + X.clientTx] = -1;
    this.#pushBare(s, Verb.dataEnd);
  }

  /** Bytes of a BDAT chunk: counted already, only the header is looked at. */
  #chunk(s: number, c: Chunk, at: number): number {
    const w = this.#store.sessions.words;
    const count = Math.min(c.to - at, w[s + X.remaining]!);
    const t = w[s + X.clientTx]!;
    if (t >= 0) this.#body.chunk(t, c.bytes, at, at + count);
    w[s + X.remaining]! -= count;
    if (w[s + X.remaining] === 0) this.#endChunk(s);
    return at + count;
  }

  #endChunk(s: number): void {
    const w = this.#store.sessions.words;
    w[s + X.clientMode] = Mode.command;
    if (this.#store.has(s, Bit.lastChunk)) w[s + X.clientTx] = -1;
    if (this.#alone) this.#dialogue.answerAll(s, this.#time);
  }

  #tlsDue(s: number, c: Chunk, at: number): number {
    const w = this.#store.sessions.words;
    if (c.bytes[at] === 0x16) {
      w[s + X.startTls] = 3;
      w[s + X.clientMode] = Mode.hello;
      return this.#tls.feed(s, c.bytes, at, c.to) ? -1 : c.to;
    }
    if (seqDiff(c.ack, w[s + X.dataAck]!) < 0) {
      // Sent before the server's answer could be heard: injected, and thrown away (RFC 3207
      // section 4.2 has the server forget what it was told in clear).
      if (this.#store.anomalyCount(s, Anomaly.pipelinedBehindStartTls) === 0) {
        this.#store.countAnomaly(s, Anomaly.pipelinedBehindStartTls);
      }
      return c.to;
    }
    w[s + X.startTls] = 4;
    this.#store.countAnomaly(s, Anomaly.clearAfterStartTls);
    w[s + X.clientMode] = Mode.command;
    return this.#line(s, Mode.command, c, at);
  }
}
