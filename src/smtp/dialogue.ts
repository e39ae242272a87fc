// Joins the two directions: commands wait in order, replies answer them in order, and what a
// transaction is follows the server's order. After a loss replies are given to commands only where
// the acknowledgement numbers prove it:
//
//   a reply answers nothing that its sender had not received            (reply.ack >= command.end)
//   354 answers DATA
//   one command waits: the reply is its own
//   the client went on, having received all there is: what waited before was answered, unseen
//
// Everything else that was lost stays unknown; a code is never guessed onto a command.

import { seqDiff } from '../lib/seq.js';
import { Anomaly } from './anomaly.js';
import { BareEnd } from './bare-end.js';
import type { Body } from './body.js';
import { authOk, Mode, type Reply } from './mode.js';
import { isExplained, mailBytesMin, Queue } from './queue.js';
import { Bit, E, type Store, T, TxBit, X } from './store.js';
import type { Transactions } from './transactions.js';
import { Unseen } from './unseen.js';
import { Verb } from './verb.js';

/** X.1.5, "destination address valid" (RFC 3463), as `Reply.enhanced` has it. */
const recipientOk = 105;

/** Entries that may wait for an answer; RFC 2920 sets none, a server's window does. */
const queueMax = 2000;

export class Dialogue {
  readonly #store: Store;
  readonly #body: Body;
  readonly #transactions: Transactions;
  readonly #unseen: Unseen;
  readonly #bare: BareEnd;
  readonly #queue: Queue;

  constructor(store: Store, body: Body, transactions: Transactions) {
    this.#store = store;
    this.#body = body;
    this.#transactions = transactions;
    this.#bare = new BareEnd(store, body);
    this.#queue = new Queue(store);
    this.#unseen = new Unseen(store, body, transactions);
  }

  /** A command was read. `alone`: the server's side is not seen, so no answer will come. */
  push(s: number, e: number, alone: boolean): void {
    const w = this.#store.sessions.words;
    if (alone) {
      this.#answer(s, e, 0, this.#store.entries.doubles[(e + E.time) >> 1]!);
      return;
    }
    if (w[s + X.queueCount]! >= queueMax) this.#drop(s, this.#timeOf(e));
    this.#queue.append(s, e);
    const t = w[s + X.tx]!;
    if (this.#store.entries.words[e + E.verb] !== Verb.dataEnd || t < 0) return;
    // Replies that were lost while data came may have answered this end of them.
    const lost = this.#store.transactions.words[t + T.bits]! & TxBit.gapInReplies;
    if (lost !== 0) this.#store.set(s, Bit.resync);
  }

  /**
   * The client goes on, having received the server's bytes up to `ack`. After a loss this is the
   * provable place: what waited was answered by bytes that we did not see.
   */
  clientSpeaks(s: number, ack: number, time: number): void {
    const w = this.#store.sessions.words;
    if (!this.#store.has(s, Bit.resync)) return;
    if (seqDiff(ack, w[s + X.serverNext]!) < 0) return;
    const head = w[s + X.queueHead]!;
    if (head >= 0 && seqDiff(ack, this.#store.entries.words[head + E.ack]!) <= 0) return;
    this.#dropAll(s, time);
    this.#store.unset(s, Bit.resync);
  }

  /** Bytes of the server were lost. */
  serverGap(s: number): void {
    const w = this.#store.sessions.words;
    this.#store.unset(s, Bit.bannerDue);
    if (w[s + X.queueHead]! >= 0) this.#store.set(s, Bit.resync);
    const t = w[s + X.tx]!;
    if (t < 0) return;
    const inData = w[s + X.clientMode] === Mode.data ? TxBit.gapInReplies : 0;
    this.#store.transactions.words[t + T.bits]! |= TxBit.lostReply | inData;
  }

  /** `missing` bytes of the client were lost where commands were due; they end before `end`. */
  clientGap(s: number, end: number, missing: number, alone: boolean): void {
    this.#store.set(s, Bit.uncertain);
    const e = alone ? -1 : this.#store.openEntry(Verb.gap);
    if (e < 0) {
      if (missing >= mailBytesMin) this.#transactions.doubt(s);
      return;
    }
    this.#store.entries.words[e + E.size] = missing;
    this.#store.entries.words[e + E.end] = end;
    const w = this.#store.sessions.words;
    const before = this.#store.has(s, Bit.begun) ? w[s + X.gapAck]! : w[s + X.serverNext]!;
    this.#store.entries.words[e + E.ack] = before;
    this.#store.set(s, Bit.resync);
    this.push(s, e, false);
  }

  /** A complete reply. False: it cannot be judged before the client's bytes are read further. */
  reply(s: number, r: Reply): boolean {
    const w = this.#store.sessions.words;
    const mode = w[s + X.clientMode]!;
    if (mode === Mode.maybeEnd && !this.#bareEnd(s, r)) return false;
    this.#note(s, r);
    if (this.#isBanner(s, r)) return true;
    const head = this.#eligible(s, r);
    if (head < 0) {
      this.#stray(s, r);
    } else {
      this.#queue.pop(s);
      this.#answer(s, head, r.code, r.time);
    }
    w[s + X.lastReplyAck] = r.ack;
    return true;
  }

  /** The connection is over: what waits stays unanswered, what is open ends. */
  end(s: number, time: number): void {
    const w = this.#store.sessions.words;
    const lost = this.#queue.hasGap(s);
    if (w[s + X.clientMode] === Mode.maybeEnd) this.#bare.unanswered(s);
    // A chunk that did not come whole was not the last word.
    const tail = w[s + X.queueTail]!;
    if (w[s + X.clientMode] === Mode.bdat && tail >= 0) {
      this.#store.entries.words[tail + E.verb] = Verb.other;
    }
    this.#dropAll(s, time);
    this.#transactions.finish(s, time, lost);
    this.#transactions.discard(s, w[s + X.clientTx]!);
  }

  /** Nobody will answer what waits. */
  answerAll(s: number, time: number): void {
    this.#dropAll(s, time);
  }

  /** The client writes a message though DATA's reply was not seen; gives its transaction, or -1. */
  unansweredData(s: number, time: number): number {
    const w = this.#store.sessions.words;
    this.#dropAll(s, time);
    const begun = w[s + X.clientTx] === w[s + X.tx] ? -1 : w[s + X.clientTx]!;
    const t = this.#transactions.data(s, begun, time, false);
    w[s + X.clientTx] = t;
    return t;
  }

  /** A lone dot where data may have been: their transaction, if a reply to it follows. */
  dataEndUnseen(s: number, time: number): void {
    if (this.#store.sessions.words[s + X.tx]! < 0) this.#transactions.openTentative(s, time);
  }

  /** The open transaction's data ended in bytes that we did not see, and so did their reply. */
  dataLost(s: number, time: number): void {
    this.#store.set(s, Bit.uncertain);
    this.#final(s, 0, time);
  }

  #timeOf(e: number): number {
    return this.#store.entries.doubles[(e + E.time) >> 1]!;
  }

  #note(s: number, r: Reply): void {
    this.#store.set(s, Bit.reply);
    if (r.code === 221) this.#store.set(s, Bit.quit);
  }

  /** The first reply of a connection greets (RFC 5321 section 3.1), whoever spoke before it. */
  #isBanner(s: number, r: Reply): boolean {
    const w = this.#store.sessions.words;
    if (!this.#store.has(s, Bit.bannerDue)) {
      if (r.code !== 220 || w[s + X.queueHead]! >= 0 || this.#store.has(s, Bit.banner))
        return false;
    }
    this.#store.unset(s, Bit.bannerDue);
    // A server that never greets answers the first command at once.
    if (r.code !== 220 && r.code < 400) return false;
    this.#store.set(s, Bit.banner);
    w[s + X.bannerCode] = r.code;
    this.#store.facts?.greeting(s, r.code);
    w[s + X.lastReplyAck] = r.ack;
    if (w[s + X.queueHead]! >= 0) this.#store.countAnomaly(s, Anomaly.earlyTalker);
    return true;
  }

  /** The entry that the reply answers, at the head of the queue; -1 if that is not known. */
  #eligible(s: number, r: Reply): number {
    const w = this.#store.sessions.words;
    const ew = this.#store.entries.words;
    let head = w[s + X.queueHead]!;
    if (head < 0) return -1;
    if (r.code === 354) return this.#dataEntry(s, r);
    if (!this.#store.has(s, Bit.resync)) {
      return seqDiff(r.ack, ew[head + E.end]!) >= 0 ? head : -1;
    }
    if (ew[head + E.verb] === Verb.gap) {
      const next = ew[head + E.next]!;
      if (next < 0 || seqDiff(r.ack, ew[next + E.end]!) < 0) return -1;
      if (seqDiff(ew[next + E.ack]!, ew[head + E.ack]!) <= 0) return -1;
      // The client had heard answers to what we missed before it said the next.
      this.#drop(s, r.time);
      head = next;
    }
    if (seqDiff(r.ack, ew[head + E.end]!) < 0) return -1;
    const second = ew[head + E.next]!;
    const alone = second < 0 || !this.#queue.isReached(second, r.ack);
    if (alone) this.#store.unset(s, Bit.resync);
    return alone ? head : -1;
  }

  /** 354 answers the first DATA that the server had received; what waited before it is lost. */
  #dataEntry(s: number, r: Reply): number {
    const ew = this.#store.entries.words;
    let e = this.#store.sessions.words[s + X.queueHead]!;
    while (e >= 0 && ew[e + E.verb] !== Verb.data) e = ew[e + E.next]!;
    if (e < 0 || seqDiff(r.ack, ew[e + E.end]!) < 0) return -1;
    while (this.#store.sessions.words[s + X.queueHead] !== e) this.#drop(s, r.time);
    this.#store.unset(s, Bit.resync);
    return e;
  }

  /** A reply that answers nothing we saw. */
  #stray(s: number, r: Reply): void {
    const w = this.#store.sessions.words;
    const mode = w[s + X.clientMode]!;
    const clientSeen = (r.sides & 1) !== 0;
    if (mode === Mode.data && clientSeen) {
      this.#duringData(s, r);
      return;
    }
    const head = w[s + X.queueHead]!;
    const ew = this.#store.entries.words;
    const inGap = head >= 0 && ew[head + E.verb] === Verb.gap;
    if (inGap) {
      // Only a recipient's reply, or a refusal, shows that what was lost there ended no envelope.
      if (r.code < 300 && r.enhanced !== recipientOk) ew[head + E.code]!++;
      ew[head + E.value]!++;
    }
    const known = head >= 0 && !inGap;
    if (!clientSeen || (this.#store.has(s, Bit.uncertain) && (!known || r.code === 354))) {
      if (!this.#queue.isInGap(s, r)) return;
      if (r.code === 354) this.#dropBefore(s, r);
      if (this.#unseen.reply(s, r)) {
        w[s + X.clientMode] = Mode.data;
        w[s + X.dataAck] = w[s + X.serverNext]!;
      } else if (r.code >= 300 && r.code < 400 && clientSeen) {
        // Only AUTH is answered so: the client's next line is a secret.
        w[s + X.clientMode] = Mode.authLine;
        w[s + X.remaining] = 1;
      }
      return;
    }
    this.#store.countAnomaly(s, Anomaly.unexpectedReply);
  }

  /** The server speaks while we read data: their end was lost, or it gives up early. */
  #duringData(s: number, r: Reply): void {
    const w = this.#store.sessions.words;
    const tw = this.#store.transactions.words;
    const t = w[s + X.tx]!;
    if (t < 0) return;
    if ((tw[t + T.bits]! & TxBit.gapInData) === 0) {
      this.#store.countAnomaly(s, Anomaly.unexpectedReply);
      if (r.code >= 400) tw[t + T.finalCode] = r.code;
      if (r.code >= 400) tw[t + T.finalBest] = r.code;
      if (r.code >= 400) this.#store.facts?.final(s, t, r.code);
      return;
    }
    w[s + X.clientMode] = Mode.unknown;
    this.#store.set(s, Bit.uncertain);
    w[s + X.clientTx] = -1;
    const known = (tw[t + T.bits]! & TxBit.gapInReplies) === 0;
    this.#final(s, known ? r.code : 0, r.time);
  }

  /** A reply behind a dot line with a bare LF; false if it cannot be judged yet. */
  #bareEnd(s: number, r: Reply): boolean {
    const w = this.#store.sessions.words;
    if (seqDiff(r.ack, w[s + X.dubiousEnd]!) < 0) return true;
    if (!this.#bare.isAnswer(s, r.ack)) return false;
    this.#bare.end(s);
    const e = this.#store.openEntry(Verb.dataEnd);
    if (e < 0) return true;
    this.#store.entries.words[e + E.end] = w[s + X.dubiousEnd]!;
    this.push(s, e, false);
    return true;
  }

  /** The head of the queue was answered, if at all, by bytes that we did not see. */
  #drop(s: number, time: number): void {
    const head = this.#store.sessions.words[s + X.queueHead]!;
    this.#queue.pop(s);
    this.#answer(s, head, 0, time);
  }

  /** What the server had received when it asked for data was answered before. */
  #dropBefore(s: number, r: Reply): void {
    const ew = this.#store.entries.words;
    let head = this.#store.sessions.words[s + X.queueHead]!;
    while (head >= 0 && seqDiff(r.ack, ew[head + E.end]!) >= 0) {
      this.#drop(s, r.time);
      head = this.#store.sessions.words[s + X.queueHead]!;
    }
  }

  #dropAll(s: number, time: number): void {
    while (this.#store.sessions.words[s + X.queueHead]! >= 0) this.#drop(s, time);
  }

  /** Gives an entry its reply, code 0 if that was not seen, and the entry's memory back. */
  #answer(s: number, e: number, code: number, time: number): void {
    const verb = this.#store.entries.words[e + E.verb]!;
    const kept = verb === Verb.rcpt && this.#transactions.rcpt(s, e, code, time);
    if (verb !== Verb.rcpt) this.#apply(s, e, code, time);
    if (!kept) this.#store.closeEntry(e);
  }

  // long: one case for each verb
  #apply(s: number, e: number, code: number, time: number): void {
    const ew = this.#store.entries.words;
    const taken = code < 300;
    switch (ew[e + E.verb]) {
      case Verb.ehlo:
      case Verb.helo:
      case Verb.lhlo:
        if (taken) this.#transactions.finish(s, time, false);
        this.#store.facts?.helo(s, code);
        this.#greet(s, e);
        break;
      case Verb.mail:
        this.#store.facts?.mail(s, ew[e + E.tx]!, code);
        this.#transactions.mail(s, ew[e + E.tx]!, code, time);
        if (taken) this.#store.unset(s, Bit.uncertain);
        break;
      case Verb.data:
        this.#data(s, e, code);
        break;
      case Verb.bdat:
        this.#bdat(s, e, code, time);
        break;
      case Verb.dataEnd:
        this.#final(s, code, time);
        break;
      case Verb.rset:
      case Verb.xclient:
        if (taken) this.#transactions.finish(s, time, false);
        break;
      case Verb.quit:
        this.#store.set(s, Bit.quit);
        break;
      case Verb.gap:
        if (!isExplained(ew, e)) this.#transactions.doubt(s);
        break;
      case Verb.auth:
      case Verb.authLine:
        this.#auth(s, code);
        break;
      case Verb.startTls:
        this.#startTls(s, code);
        break;
      default:
        break;
    }
  }

  #greet(s: number, e: number): void {
    const w = this.#store.sessions.words;
    const ew = this.#store.entries.words;
    const verb = ew[e + E.verb]!;
    const before = this.#store.cells.copy(w, s + X.helo, this.#store.scratch, 0);
    const after = this.#store.cells.copy(ew, e + E.text, this.#store.scratch, before);
    const same =
      after - before === before &&
      this.#store.scratch.compare(this.#store.scratch, before, after, 0, before) === 0;
    if (w[s + X.greeting] !== 0 && !same) w[s + X.heloChanges]!++;
    w[s + X.greeting] = verb;
    if (verb === Verb.lhlo) this.#store.set(s, Bit.lmtp);
    else this.#store.unset(s, Bit.lmtp);
    if (same && before > 0) return;
    // The entry's chain becomes the session's.
    this.#store.cells.release(w, s + X.helo);
    for (let i = 0; i < 3; i++) {
      w[s + X.helo + i] = ew[e + E.text + i]!;
    }
    ew[e + E.text] = -1;
    ew[e + E.text + 2] = 0;
  }

  #data(s: number, e: number, code: number): void {
    const w = this.#store.sessions.words;
    const tw = this.#store.transactions.words;
    if (code === 354) {
      const begins = w[s + X.tx]! < 0 && !this.#store.has(s, Bit.uncertain);
      const t = this.#transactions.data(s, -1, this.#timeOf(e), true);
      if (begins && t >= 0) {
        const base = this.#store.entries.words[e + E.size]!;
        this.#store.transactions.doubles[(t + T.gapsBase) >> 1] = base;
      }
      w[s + X.clientTx] = t;
      w[s + X.clientMode] = t >= 0 ? Mode.data : Mode.unknown;
      w[s + X.dataAck] = w[s + X.serverNext]!;
      if (t < 0) return;
      tw[t + T.dataCode] = code;
      this.#store.facts?.data(s, t, e, code);
      this.#body.begin(s, t);
      return;
    }
    if (w[s + X.tx]! >= 0) tw[w[s + X.tx]! + T.dataCode] = code;
    this.#store.facts?.data(s, w[s + X.tx]!, e, code);
    if (w[s + X.clientMode] !== Mode.waitData) return;
    // A 2xx is no answer to DATA (RFC 5321 section 4.3.2): the client's next line tells.
    w[s + X.clientMode] = code < 300 ? Mode.dataMaybe : Mode.command;
  }

  #bdat(s: number, e: number, code: number, time: number): void {
    const w = this.#store.sessions.words;
    const tw = this.#store.transactions.words;
    const ew = this.#store.entries.words;
    const begun = ew[e + E.tx]!;
    if (code >= 300 && w[s + X.tx]! < 0) {
      this.#transactions.discard(s, begun);
      return;
    }
    const t = this.#transactions.data(s, begun, this.#timeOf(e), code !== 0);
    if (t < 0) return;
    tw[t + T.bits]! |= TxBit.chunking;
    if (code >= 300 && tw[t + T.finalCode] === 0) {
      this.#store.facts?.final(s, t, code);
      tw[t + T.finalCode] = code;
      tw[t + T.finalBest] = code;
    }
    if (code === 0) tw[t + T.bits]! |= TxBit.lostReply;
    if (ew[e + E.value] !== 1) return;
    this.#final(s, tw[t + T.finalCode]! > 0 ? tw[t + T.finalCode]! : code, time);
  }

  /** The reply to the end of the data; LMTP gives one for each accepted recipient (RFC 2033). */
  #final(s: number, code: number, time: number): void {
    const w = this.#store.sessions.words;
    const tw = this.#store.transactions.words;
    const t = w[s + X.tx]!;
    if (t < 0) return;
    if ((tw[t + T.bits]! & TxBit.ended) === 0) {
      // What the server said before the end is not its verdict.
      tw[t + T.finalCode] = 0;
      tw[t + T.finalBest] = 0;
    }
    this.#store.facts?.final(s, t, code);
    tw[t + T.bits]! |= TxBit.ended;
    if (code !== 0) tw[t + T.bits]! &= ~TxBit.tentative;
    const lmtp = this.#store.has(s, Bit.lmtp) && tw[t + T.rcptAccepted]! > 0;
    if (lmtp && code !== 0 && this.#transactions.lmtpFinal(t, code) > 0) {
      const e = this.#store.openEntry(Verb.dataEnd);
      if (e >= 0) {
        this.#queue.prepend(s, e);
        return;
      }
    }
    if (!lmtp) {
      tw[t + T.finalCode] = code;
      tw[t + T.finalBest] = code;
    }
    this.#transactions.finish(s, time, code === 0);
  }

  #auth(s: number, code: number): void {
    const w = this.#store.sessions.words;
    if (code >= 300 && code < 400) {
      w[s + X.clientMode] = Mode.authLine;
      w[s + X.remaining] = 1;
      return;
    }
    if (code !== 0) w[s + X.authCode] = code;
    if (code === authOk) this.#store.set(s, Bit.authenticated);
    this.#store.facts?.auth(s, code);
    if (w[s + X.clientMode] !== Mode.waitAuth) return;
    w[s + X.clientMode] = code === 0 ? Mode.authLine : Mode.command;
    w[s + X.remaining] = -1;
  }

  #startTls(s: number, code: number): void {
    const w = this.#store.sessions.words;
    if (w[s + X.clientMode] !== Mode.waitTls && code !== 0) return;
    if (code >= 400) {
      w[s + X.startTls] = 2;
      w[s + X.clientMode] = Mode.command;
    } else {
      if (code !== 0 && w[s + X.startTls] === 0) w[s + X.startTls] = 1;
      w[s + X.clientMode] = Mode.tlsDue;
      // Who has heard this sends TLS; what was sent before it is not the client's.
      if (code !== 0) w[s + X.dataAck] = w[s + X.serverNext]!;
    }
  }
}
