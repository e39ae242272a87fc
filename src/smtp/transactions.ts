// The life of a mail transaction (contracts 2.1): what begins it, what belongs to it, how it ends
// and what its outcome was. Driven by replies, in the server's order.

import type { Body } from './body.js';
import { type SmtpSink, TransactionEnd } from './events.js';
import { Bit, E, type Store, T, TxBit, X } from './store.js';
import { Verb } from './verb.js';

/** "Bad sequence of commands" (RFC 5321 section 4.2.3). */
const badSequence = 503;

/** Numbers of `Outcome` in the batch. */
const enum Outcome {
  accepted = 0,
  rejected = 1,
  deferred = 2,
  aborted = 3,
  unknown = 4,
}

export class Transactions {
  readonly #store: Store;
  readonly #sink: SmtpSink;
  readonly #body: Body;
  readonly #rcptMax: number;
  readonly #end = new TransactionEnd();
  written = 0;

  constructor(store: Store, sink: SmtpSink, body: Body, rcptMax: number) {
    this.#store = store;
    this.#sink = sink;
    this.#body = body;
    this.#rcptMax = rcptMax;
  }

  /** The server has answered MAIL; `t` is what the client began with it. */
  mail(s: number, t: number, code: number, time: number): void {
    const w = this.#store.sessions.words;
    const open = w[s + X.tx]!;
    if (open >= 0 && open !== t) {
      if (code >= 300 && !this.isDead(s, open)) {
        this.#fold(s, t, open);
        return;
      }
      this.finish(s, time, code === 0);
    }
    if (t < 0) return;
    if (code === badSequence && this.#store.has(s, Bit.uncertain)) {
      // A MAIL that we did not see stands open, and this one is nested in it.
      this.discard(s, t);
      this.openTentative(s, time);
      return;
    }
    this.#store.transactions.words[t + T.mailCode] = code;
    this.#open(s, t);
  }

  /** The server has answered RCPT; true if the entry has become part of the transaction. */
  rcpt(s: number, e: number, code: number, time: number): boolean {
    const sw = this.#store.sessions.words;
    sw[s + X.rcptOffered]!++;
    if (code >= 400) sw[s + X.rcptRefused]!++;
    this.#store.facts?.rcpt(s, e, code);
    let t = sw[s + X.tx]!;
    if (t >= 0 && code < 300 && code > 0 && (this.isDead(s, t) || this.#hasData(t))) {
      // Nobody is taken behind a refused MAIL or behind data: another envelope is open, unseen.
      this.#store.set(s, Bit.uncertain);
      this.finish(s, time, true);
      t = -1;
    }
    if (t < 0) {
      if (code >= 400 || !this.#store.has(s, Bit.uncertain)) return false;
      t = this.openTentative(s, time);
      if (t < 0) return false;
    }
    return this.#addRcpt(s, t, e, code);
  }

  #hasData(t: number): boolean {
    return (this.#store.transactions.words[t + T.bits]! & TxBit.data) !== 0;
  }

  /** Whether nothing can be accepted in a transaction any more. */
  isDead(s: number, t: number): boolean {
    const tw = this.#store.transactions.words;
    if (tw[t + T.mailCode]! >= 400) return true;
    return this.#store.has(s, Bit.uncertain) && tw[t + T.dataCode]! >= 400;
  }

  /** Commands were lost in the envelope that is open, perhaps another MAIL among them. */
  doubt(s: number): void {
    const t = this.#store.sessions.words[s + X.tx]!;
    if (t < 0) return;
    const tw = this.#store.transactions.words;
    const sent = (tw[t + T.bits]! & (TxBit.data | TxBit.chunking)) === TxBit.data;
    if (!sent) tw[t + T.bits]! |= TxBit.doubtful;
  }

  /** A recipient of which only the reply was seen. */
  unseenRcpt(s: number, t: number, code: number): void {
    this.#store.sessions.words[s + X.rcptOffered]!++;
    if (code >= 400) this.#store.sessions.words[s + X.rcptRefused]!++;
    const e = this.#store.openEntry(Verb.rcpt);
    if (e < 0) {
      this.#store.transactions.words[t + T.rcptDropped]!++;
      return;
    }
    this.#store.entries.words[e + E.text + 2] = -1;
    this.#store.facts?.rcpt(s, e, code);
    if (!this.#addRcpt(s, t, e, code)) this.#store.entries.give(e);
  }

  /** A transaction that is real only if data or their reply follow. */
  openTentative(s: number, time: number): number {
    const t = this.#store.openTransaction(s, time);
    if (t < 0) return -1;
    this.#store.transactions.words[t + T.bits]! |= TxBit.tentative;
    this.#store.transactions.words[t + T.mailFrom + 2] = 0;
    this.#open(s, t);
    return t;
  }

  /**
   * Data were announced or a chunk was taken: the transaction there is, or one without MAIL, which
   * is real only if the server was seen to say so (`proven`).
   */
  data(s: number, t: number, time: number, proven: boolean): number {
    const w = this.#store.sessions.words;
    let open = w[s + X.tx]!;
    if (open >= 0 && proven && this.isDead(s, open)) {
      this.finish(s, time, true);
      open = -1;
    }
    if (open < 0) {
      open = t >= 0 ? t : this.openTentative(s, time);
      if (open < 0) return -1;
      this.#open(s, open);
    } else if (t >= 0 && t !== open) {
      this.#fold(s, t, open);
    }
    const tw = this.#store.transactions.words;
    tw[open + T.bits]! |= TxBit.data;
    if (proven) tw[open + T.bits]! &= ~TxBit.tentative;
    return open;
  }

  /** The open transaction ends; `lost` when a reply that we did not see may have decided it. */
  finish(s: number, time: number, lost: boolean): void {
    const w = this.#store.sessions.words;
    const t = w[s + X.tx]!;
    if (t < 0) return;
    w[s + X.tx] = -1;
    if (w[s + X.clientTx] === t) w[s + X.clientTx] = -1;
    const bits = this.#store.transactions.words[t + T.bits]!;
    if ((bits & TxBit.tentative) === 0) {
      this.#body.finish(t);
      this.#emit(s, t, time, lost);
    }
    this.#store.closeTransaction(t);
  }

  /** Files one of LMTP's final replies (RFC 2033); gives how many are still due. */
  lmtpFinal(t: number, code: number): number {
    const tw = this.#store.transactions.words;
    const ew = this.#store.entries.words;
    let left = 0;
    let filed = false;
    for (let e = tw[t + T.rcptHead]!; e >= 0; e = ew[e + E.next]!) {
      const taken = ew[e + E.code]! >= 200 && ew[e + E.code]! < 300;
      if (!taken || ew[e + E.value] !== 0) continue;
      if (filed) left++;
      else ew[e + E.value] = code;
      filed = true;
    }
    tw[t + T.finalCode] = Math.max(tw[t + T.finalCode]!, code);
    const best = tw[t + T.finalBest]!;
    if (best === 0 || lmtpRank(code) > lmtpRank(best)) tw[t + T.finalBest] = code;
    return left;
  }

  /** A transaction the server never knew: its record goes. */
  discard(s: number, t: number): void {
    if (t < 0) return;
    const w = this.#store.sessions.words;
    if (w[s + X.clientTx] === t) w[s + X.clientTx] = w[s + X.tx]!;
    this.#store.closeTransaction(t);
  }

  #open(s: number, t: number): void {
    const w = this.#store.sessions.words;
    const tw = this.#store.transactions.words;
    if (w[s + X.tx] === t) return;
    w[s + X.tx] = t;
    if (w[s + X.clientTx]! < 0) w[s + X.clientTx] = t;
    if ((tw[t + T.bits]! & TxBit.mail) === 0) {
      // Begun without MAIL: what was lost before it is its loss.
      const gaps = this.#store.sessions.doubles[(s + X.gaps) >> 1]!;
      const base = this.#store.has(s, Bit.uncertain) ? -1 : 0;
      this.#store.transactions.doubles[(t + T.gapsBase) >> 1] = gaps + base;
    }
  }

  #addRcpt(s: number, t: number, e: number, code: number): boolean {
    const tw = this.#store.transactions.words;
    const ew = this.#store.entries.words;
    this.#store.facts?.joins(s, t, ew[e + E.class]!);
    if (tw[t + T.rcptCount]! >= this.#rcptMax) {
      tw[t + T.rcptDropped]!++;
      if (code >= 200 && code < 300) tw[t + T.rcptAccepted]!++;
      return false;
    }
    if ((tw[t + T.bits]! & TxBit.doubtful) !== 0 && ew[e + E.text + 2]! >= 0) {
      // Only that somebody was offered is certain, not that it was in this envelope.
      this.#store.cells.release(ew, e + E.text);
      ew[e + E.text + 2] = -1;
    }
    ew[e + E.next] = -1;
    ew[e + E.code] = code;
    ew[e + E.value] = 0;
    if (tw[t + T.rcptHead]! < 0) tw[t + T.rcptHead] = e;
    else ew[tw[t + T.rcptTail]! + E.next] = e;
    tw[t + T.rcptTail] = e;
    tw[t + T.rcptCount]!++;
    if (code >= 200 && code < 300) tw[t + T.rcptAccepted]!++;
    else if (code >= 400 && code < 500) tw[t + T.rcptDeferred]!++;
    else if (code === 0) tw[t + T.rcptUnknown]!++;
    return true;
  }

  /** A nested MAIL was refused: what the client wrote under it belongs to the open transaction. */
  #fold(s: number, t: number, open: number): void {
    if (t < 0) return;
    const d = this.#store.transactions.doubles;
    const tw = this.#store.transactions.words;
    d[(open + T.bytes) >> 1]! += d[(t + T.bytes) >> 1]!;
    tw[open + T.bits]! |= tw[t + T.bits]! & (TxBit.chunking | TxBit.headers);
    if (tw[t + T.label] !== 0) tw[open + T.label] = tw[t + T.label]!;
    this.#store.facts?.fold(t, open);
    if (this.#store.sessions.words[s + X.clientTx] === t) {
      this.#store.sessions.words[s + X.clientTx] = open;
    }
    this.#store.closeTransaction(t);
  }

  #emit(s: number, t: number, time: number, lost: boolean): void {
    const w = this.#store.sessions.words;
    const end = this.#end;
    const gaps = this.#store.sessions.doubles[(s + X.gaps) >> 1]!;
    const base = this.#store.transactions.doubles[(t + T.gapsBase) >> 1]!;
    // A reply that waited for bytes before it may be older than what was read meanwhile.
    const d = this.#store.sessions.doubles;
    const started = this.#store.transactions.doubles[(t + T.started) >> 1]!;
    end.time = Math.max(time, started, d[(s + X.lastEnd) >> 1]!);
    d[(s + X.lastEnd) >> 1] = end.time;
    end.gaps = Math.max(0, gaps - base);
    end.lmtp = this.#store.has(s, Bit.lmtp);
    const doubtful = (this.#store.transactions.words[t + T.bits]! & TxBit.doubtful) !== 0;
    if (doubtful) this.#store.transactions.words[t + T.finalCode] = 0;
    if (doubtful) this.#store.transactions.words[t + T.finalBest] = 0;
    end.outcome = this.#outcome(t, lost || end.gaps > 0);
    end.id = w[s + X.transactions]!++;
    this.written++;
    if (end.outcome === Outcome.accepted) w[s + X.accepted]!++;
    const facts = this.#store.facts;
    if (facts !== null) {
      if (doubtful) facts.clearFinal(t);
      facts.envelope(s, t, end.outcome === Outcome.rejected, end.gaps > 0 || lost);
    }
    this.#sink.transaction(this.#store, s, t, end);
  }

  /** Contracts 2.1, outcome. */
  #outcome(t: number, lost: boolean): number {
    const w = this.#store.transactions.words;
    const bits = w[t + T.bits]!;
    if ((bits & TxBit.clientOnly) !== 0) return Outcome.unknown;
    const final = w[t + T.finalBest]!;
    if (final >= 200 && final < 300 && (bits & TxBit.ended) !== 0) return Outcome.accepted;
    const mail = refusal(w[t + T.mailCode]!);
    if (mail >= 0) return mail;
    const offered = w[t + T.rcptCount]! + w[t + T.rcptDropped]!;
    const undecided = w[t + T.rcptAccepted]! + w[t + T.rcptUnknown]!;
    if ((bits & TxBit.data) === 0 && offered > 0 && undecided === 0) {
      return w[t + T.rcptDeferred]! > 0 ? Outcome.deferred : Outcome.rejected;
    }
    const data = refusal(w[t + T.dataCode]!);
    if (data >= 0) return data;
    const last = refusal(final);
    if (last >= 0) return last;
    if ((bits & (TxBit.ended | TxBit.lostReply)) !== 0 || lost) return Outcome.unknown;
    return Outcome.aborted;
  }
}

/** The outcome that a refusing code means, or -1. */
function refusal(code: number): number {
  if (code >= 500 && code < 600) return Outcome.rejected;
  return code >= 400 && code < 500 ? Outcome.deferred : -1;
}

/** Of several verdicts the one that decides: a delivery, then hope, then refusal. */
function lmtpRank(code: number): number {
  if (code >= 200 && code < 300) return 3;
  return code >= 400 && code < 500 ? 2 : 1;
}
