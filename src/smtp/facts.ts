// What detectors want to know beyond what is printed: classes of replies, DNSBLs that they name,
// the client's dialect, keyed hashes. Kept beside the records of store.ts, and only when somebody
// asks for it. No text stays here: it is judged or hashed where it is read.

import { seqDiff } from '../lib/seq.js';
import type { SipHash } from '../lib/siphash.js';
import { Anomaly } from './anomaly.js';
import { Dialect } from './dialect.js';
import {
  enhancedOf,
  ReplyClass,
  ReplyText,
  replyClasses,
  replyClassOf,
  Stage,
} from './reply-class.js';
import { Bit, E, type Store, sessionWords, T, TxBit, txWords, X } from './store.js';
import { Verb } from './verb.js';

/** Words of a session's facts. */
export const enum SF {
  /** Bits of `Dialect`, without those that anomalies tell. */
  dialect = 0,
  state = 1,
  /** Of the reply at hand: bits of `Said`, its enhanced code + 1, lists that it names. */
  said = 2,
  enhanced = 3,
  lists = 4,
  /** Lists of all replies. */
  allLists = 5,
  greetingClass = 6,
  heloClass = 7,
  asked = 8,
  authFailures = 9,
  /** A bit for each length modulo 64 of an answer to AUTH; bytes of the one at hand. */
  authLengths = 10,
  authBytes = 12,
  dataless = 13,
  /** Half a hash of the name in the greeting, and of the domain that it lies in. */
  banner = 14,
  bannerDomain = 16,
  /** The same of sender and first recipient of the last envelope that was refused with 5xx. */
  refusedSender = 18,
  refusedRcpt = 20,
  /** Sequence number behind the refusal of the open envelope's last recipient. */
  refusalEnd = 22,
  /** How many recipients were answered, by `ReplyClass`. */
  rcpt = 24,
}
export const sessionFactWords = SF.rcpt + replyClasses;

/** Bits of `SF.state`. */
const enum State {
  /** EHLO was answered with PIPELINING, with SIZE. */
  pipelining = 1 << 0,
  size = 1 << 1,
  /** The first lines of the reply at hand may be missing. */
  torn = 1 << 2,
  /** Bytes of the server are missing: what it announced is not known. */
  unsure = 1 << 3,
  /** The last reply refused MAIL, RCPT or DATA. */
  refused = 1 << 4,
  refusalEnd = 1 << 5,
  refusedEnvelope = 1 << 6,
}

/** Words of a transaction's facts. */
export const enum TF {
  mailClass = 0,
  dataClass = 1,
  finalClass = 2,
  lists = 3,
  messageId = 4,
}
export const txFactWords = 8;

/** Recipients of an envelope that are compared with the refused one's. */
const comparedMax = 32;

export class Facts {
  readonly #store: Store;
  readonly #hash: SipHash;
  readonly #text = new ReplyText();
  /** Facts of sessions and of transactions, see `sessionAt` and `transactionAt`. */
  readonly sessions: Int32Array;
  readonly transactions: Int32Array;

  /** Recipients and Message-IDs are hashed with `hash`. */
  constructor(store: Store, hash: SipHash) {
    this.#store = store;
    this.#hash = hash;
    this.sessions = new Int32Array(store.sessions.capacity * sessionFactWords);
    this.transactions = new Int32Array(store.transactions.capacity * txFactWords);
  }

  /** First word of the facts of session `s`, of transaction `t`. */
  sessionAt(s: number): number {
    return (s / sessionWords) * sessionFactWords;
  }
  transactionAt(t: number): number {
    return (t / txWords) * txFactWords;
  }

  openSession(s: number): void {
    const at = this.sessionAt(s);
    this.sessions.fill(0, at, at + sessionFactWords);
  }

  openTransaction(t: number): void {
    const at = this.transactionAt(t);
    for (let i = 0; i < txFactWords; i++) this.transactions[at + i] = 0;
  }

  /** Bytes of the server are missing. */
  serverGap(s: number): void {
    this.sessions[this.sessionAt(s) + SF.state]! |= State.torn | State.unsure;
  }

  /** A line of a reply, `first` or another, without its end. */
  line(s: number, first: boolean, bytes: Buffer, from: number, to: number): void {
    const w = this.sessions;
    const at = this.sessionAt(s);
    if (first) this.#beginReply(at);
    switch (bytes[from]) {
      case 50:
        if (bytes[from + 1] === 53) w[at + SF.state]! |= announced(bytes, from + 4, to);
        else if (!this.#store.has(s, Bit.reply)) this.#keepBanner(at, bytes, from + 4, to);
        break;
      case 53: {
        const enhanced = bytes[from + 4] === 53 ? enhancedOf(bytes, from + 4, to) : -1;
        if (w[at + SF.enhanced] === 0) w[at + SF.enhanced] = enhanced + 1;
        this.#text.read(bytes, from + 3, to);
        w[at + SF.said]! |= this.#text.said;
        w[at + SF.lists]! |= this.#text.lists;
        break;
      }
      default:
        break;
    }
  }

  /** A reply is taken for complete where the client goes on; `begun`: lines of it were read. */
  cut(s: number, begun: boolean): void {
    if (!begun) this.#beginReply(this.sessionAt(s));
  }

  /** The reply at hand has been given to what it answers. */
  replied(s: number): void {
    const w = this.sessions;
    const at = this.sessionAt(s);
    w[at + SF.allLists]! |= w[at + SF.lists]!;
    w[at + SF.state]! &= ~State.torn;
  }

  greeting(s: number, code: number): void {
    this.sessions[this.sessionAt(s) + SF.greetingClass] = this.#classOf(s, Stage.greeting, code);
  }

  helo(s: number, code: number): void {
    this.sessions[this.sessionAt(s) + SF.heloClass] = this.#classOf(s, Stage.helo, code);
  }

  mail(s: number, t: number, code: number): void {
    const at = this.sessionAt(s);
    this.sessions[at + SF.state]! &= ~State.refusalEnd;
    if (code >= 400) this.sessions[at + SF.state]! |= State.refused;
    if (t >= 0) this.#file(s, t, TF.mailClass, this.#classOf(s, Stage.mail, code));
  }

  /** A recipient's reply; `e` becomes its record. */
  rcpt(s: number, e: number, code: number): void {
    const w = this.sessions;
    const at = this.sessionAt(s);
    const found = this.#classOf(s, Stage.rcpt, code);
    this.#store.entries.words[e + E.class] = found;
    w[at + SF.rcpt + found]!++;
    if (code < 400) return;
    w[at + SF.state]! |= State.refused | State.refusalEnd;
    w[at + SF.refusalEnd] = this.#store.sessions.words[s + X.serverNext]!;
  }

  /** A recipient with this class of reply has become part of a transaction. */
  joins(s: number, t: number, replyClass: number): void {
    if (replyClass === ReplyClass.none) return;
    const lists = this.sessions[this.sessionAt(s) + SF.lists]!;
    this.transactions[this.transactionAt(t) + TF.lists]! |= lists;
  }

  /** The reply to DATA, which is `e`; -1: DATA was not seen. */
  data(s: number, t: number, e: number, code: number): void {
    const w = this.sessions;
    const at = this.sessionAt(s);
    const state = w[at + SF.state]!;
    if (code >= 400) w[at + SF.state] = state | State.refused;
    const lossless = this.#store.sessions.doubles[(s + X.gaps) >> 1] === 0;
    if (e >= 0 && code > 0 && lossless && (state & State.refusalEnd) !== 0) {
      const heard = this.#store.entries.words[e + E.ack]!;
      if (seqDiff(heard, w[at + SF.refusalEnd]!) < 0) this.note(s, Dialect.dataBehindRefusal);
    }
    if (t >= 0) this.#file(s, t, TF.dataClass, this.#classOf(s, Stage.data, code));
  }

  /**
   * A reply to the end of the data or to a chunk. A chunk that was refused has decided already; of
   * LMTP's several the best one counts: a delivery, then hope.
   */
  final(s: number, t: number, code: number): void {
    const tw = this.#store.transactions.words;
    const at = this.transactionAt(t) + TF.finalClass;
    const before = this.transactions[at];
    const hope = before === ReplyClass.deferred && code >= 400;
    if (this.#store.has(s, Bit.lmtp) && (before === ReplyClass.ok || hope)) return;
    if ((tw[t + T.bits]! & TxBit.chunking) !== 0 && tw[t + T.finalCode]! >= 300) return;
    this.#file(s, t, TF.finalClass, this.#classOf(s, Stage.final, code));
  }

  /** What was taken for the final reply is none. */
  clearFinal(t: number): void {
    this.transactions[this.transactionAt(t) + TF.finalClass] = ReplyClass.none;
  }

  auth(s: number, code: number): void {
    if (code === 535) this.sessions[this.sessionAt(s) + SF.authFailures]!++;
  }

  /** `length` more bytes of the client's answer to AUTH; nobody looks at them. */
  authBytes(s: number, length: number): void {
    this.sessions[this.sessionAt(s) + SF.authBytes]! += length;
  }

  /** That answer is over; `is` false: it was none. */
  authLine(s: number, is: boolean): void {
    const w = this.sessions;
    const at = this.sessionAt(s);
    const length = w[at + SF.authBytes]!;
    w[at + SF.authBytes] = 0;
    if (is) w[at + SF.authLengths + ((length >> 5) & 1)]! |= 1 << (length & 31);
  }

  /** How many lengths of answers to AUTH there were. */
  authLengths(s: number): number {
    const at = this.sessionAt(s) + SF.authLengths;
    return ones(this.sessions[at]!) + ones(this.sessions[at + 1]!);
  }

  /** A habit shows. */
  note(s: number, dialect: number): void {
    this.sessions[this.sessionAt(s) + SF.dialect]! |= dialect;
  }

  /**
   * A command is about to be put into the queue as `e`. `alone`: no server is seen; `bare`: its
   * line ended in LF alone.
   */
  command(s: number, e: number, alone: boolean, bare: boolean): void {
    const w = this.sessions;
    const at = this.sessionAt(s);
    const sw = this.#store.sessions.words;
    const verb = this.#store.entries.words[e + E.verb]!;
    const waiting = sw[s + X.queueHead]! >= 0;
    const state = w[at + SF.state]!;
    w[at + SF.state] = state & ~State.refused;
    if (bare && verb !== Verb.unknown) w[at + SF.dialect]! |= Dialect.bareLf;
    const lossless = this.#store.sessions.doubles[(s + X.gaps) >> 1] === 0;
    if (verb === Verb.rset && (state & State.refused) !== 0 && !waiting && lossless) {
      w[at + SF.dialect]! |= Dialect.resetAfterRefusal;
    } else if (verb === Verb.vrfy || verb === Verb.expn) {
      w[at + SF.asked]!++;
    } else if (verb === Verb.mail) {
      this.#mailSize(at, this.#store.entries.words[e + E.tx]!);
    } else if (verb === Verb.ehlo || verb === Verb.helo) {
      w[at + SF.dialect]! |= verb === Verb.ehlo ? Dialect.ehlo : Dialect.helo;
      this.#isServer(at, e);
    }
    if (!waiting || alone || (state & (State.pipelining | State.unsure)) !== 0) return;
    if (!lossless || this.#store.has(s, Bit.resync | Bit.uncertain)) return;
    w[at + SF.dialect]! |= Dialect.unannouncedPipelining;
  }

  /** The habits that a command's line shows; `verb` was read of [from, to). */
  style(s: number, verb: number, bytes: Buffer, from: number, to: number): void {
    if (verb === Verb.unknown) return;
    let dialect = 0;
    const letters = bytes[from]! | bytes[from + 1]! | bytes[from + 2]! | bytes[from + 3]!;
    if ((letters & 32) !== 0) dialect |= Dialect.lowerCaseVerb;
    if (isBlank(bytes[to - 1]!)) dialect |= Dialect.trailingSpace;
    if (verb === Verb.mail || verb === Verb.rcpt) {
      let at = from + 4;
      while (at < to && bytes[at] !== 58) at++;
      if (at + 1 < to && isBlank(bytes[at + 1]!)) dialect |= Dialect.spaceAfterColon;
    } else if (verb === Verb.auth) {
      this.#initialResponse(s, bytes, from, to);
    }
    if (dialect !== 0) this.note(s, dialect);
  }

  /** The value of a Message-ID header as it came; what stands between its brackets counts. */
  messageId(t: number, bytes: Buffer, from: number, to: number): void {
    let first = from;
    let last = to;
    while (first < last && bytes[first]! <= 32) first++;
    while (last > first && bytes[last - 1]! <= 32) last--;
    const open = bytes.indexOf(60, first);
    const close = open >= 0 && open < last ? bytes.indexOf(62, open) : -1;
    if (close >= 0 && close < last) {
      first = open + 1;
      last = close;
    }
    const at = this.transactionAt(t) + TF.messageId;
    const w = this.transactions;
    const known = (w[at]! | w[at + 1]! | w[at + 2]! | w[at + 3]!) !== 0;
    if (first === last || known) return;
    this.#hash.hash(bytes, first, last, false);
    w[at] = this.#hash.h0;
    w[at + 1] = this.#hash.h1;
    w[at + 2] = this.#hash.h2;
    w[at + 3] = this.#hash.h3;
  }

  /** What was written under `t` belongs to `open`. */
  fold(t: number, open: number): void {
    const from = this.transactionAt(t) + TF.messageId;
    const to = this.transactionAt(open) + TF.messageId;
    for (let i = 0; i < 4; i++) this.transactions[to + i]! |= this.transactions[from + i]!;
  }

  /** An envelope is over; `refused`: with 5xx, nothing in it `lost`. */
  envelope(s: number, t: number, refused: boolean, lost: boolean): void {
    const w = this.sessions;
    const at = this.sessionAt(s);
    const tw = this.#store.transactions.words;
    const offered = tw[t + T.rcptCount]! > 0;
    const sent =
      (tw[t + T.bits]! & (TxBit.data | TxBit.chunking)) !== 0 || tw[t + T.dataCode] !== 0;
    if (offered && !sent && !lost) w[at + SF.dataless]!++;
    if ((tw[t + T.bits]! & TxBit.mail) === 0 || !offered) return;
    if ((w[at + SF.state]! & State.refusedEnvelope) !== 0 && this.#isRotated(at, t)) {
      tw[t + T.bits]! |= TxBit.rotated;
      w[at + SF.dialect]! |= Dialect.rotated;
    }
    if (!refused || this.#store.entries.words[tw[t + T.rcptHead]! + E.text + 2]! < 0) return;
    w[at + SF.state]! |= State.refusedEnvelope;
    this.#hashChain(tw, t + T.mailFrom);
    this.#keepHash(at + SF.refusedSender);
    this.#hashChain(this.#store.entries.words, tw[t + T.rcptHead]! + E.text);
    this.#keepHash(at + SF.refusedRcpt);
  }

  /** The session ends; `noQuit`: the client could have said QUIT and did not. */
  end(s: number, noQuit: boolean): void {
    if (noQuit) this.note(s, Dialect.noQuit);
    if (this.#store.anomalyCount(s, Anomaly.noBrackets) > 0) this.note(s, Dialect.noBrackets);
    if (this.#store.anomalyCount(s, Anomaly.earlyTalker) > 0) this.note(s, Dialect.earlyTalker);
  }

  #beginReply(at: number): void {
    this.sessions[at + SF.said] = 0;
    this.sessions[at + SF.enhanced] = 0;
    this.sessions[at + SF.lists] = 0;
  }

  /** The class of the reply at hand. Of a torn refusal the deciding words may be missing. */
  #classOf(s: number, stage: number, code: number): number {
    const w = this.sessions;
    const at = this.sessionAt(s);
    if (code === 0 || (code >= 500 && (w[at + SF.state]! & State.torn) !== 0)) {
      return ReplyClass.none;
    }
    return replyClassOf(stage, code, w[at + SF.enhanced]! - 1, w[at + SF.said]!, w[at + SF.lists]!);
  }

  #file(s: number, t: number, which: number, replyClass: number): void {
    this.transactions[this.transactionAt(t) + which] = replyClass;
    this.joins(s, t, replyClass);
  }

  #mailSize(at: number, t: number): void {
    if (t < 0 || (this.sessions[at + SF.state]! & State.size) === 0) return;
    if (this.#store.transactions.doubles[(t + T.sizeDeclared) >> 1]! >= 0) return;
    this.sessions[at + SF.dialect]! |= Dialect.noSize;
  }

  /** The server's name stands first in its greeting (RFC 5321 section 4.2). */
  #keepBanner(at: number, bytes: Buffer, from: number, to: number): void {
    let end = from;
    while (end < to && bytes[end]! > 32) end++;
    if (end === from) return;
    this.#hash.hash(bytes, from, end, true);
    this.#keepHash(at + SF.banner);
    let domain = from;
    while (domain < end && bytes[domain] !== 46) domain++;
    let dots = 0;
    for (let i = domain + 1; i < end; i++) if (bytes[i] === 46) dots++;
    if (dots === 0) return;
    this.#hash.hash(bytes, domain + 1, end, true);
    this.#keepHash(at + SF.bannerDomain);
  }

  #isServer(at: number, e: number): void {
    const w = this.sessions;
    const ew = this.#store.entries.words;
    if (ew[e + E.text + 2]! <= 0 || (w[at + SF.banner]! | w[at + SF.banner + 1]!) === 0) return;
    this.#hashChain(ew, e + E.text);
    if (this.#isHash(at + SF.banner)) w[at + SF.dialect]! |= Dialect.heloIsServer;
    if (this.#isHash(at + SF.bannerDomain)) w[at + SF.dialect]! |= Dialect.heloIsServerDomain;
  }

  /** Whether another sender offers the recipient that the refused envelope was for. */
  #isRotated(at: number, t: number): boolean {
    const tw = this.#store.transactions.words;
    const ew = this.#store.entries.words;
    this.#hashChain(tw, t + T.mailFrom);
    if (this.#isHash(at + SF.refusedSender)) return false;
    let e = tw[t + T.rcptHead]!;
    for (let count = 0; e >= 0 && count < comparedMax; count++) {
      if (ew[e + E.text + 2]! >= 0) this.#hashChain(ew, e + E.text);
      if (ew[e + E.text + 2]! >= 0 && this.#isHash(at + SF.refusedRcpt)) return true;
      e = ew[e + E.next]!;
    }
    return false;
  }

  #initialResponse(s: number, bytes: Buffer, from: number, to: number): void {
    let at = from + 4;
    while (at < to && isBlank(bytes[at]!)) at++;
    while (at < to && !isBlank(bytes[at]!)) at++;
    while (at < to && isBlank(bytes[at]!)) at++;
    // A line of its own would have ended in CRLF.
    if (at < to) this.authBytes(s, to - at + 2);
    this.authLine(s, at < to);
  }

  #hashChain(words: Int32Array, chain: number): void {
    const scratch = this.#store.scratch;
    const end = this.#store.cells.copy(words, chain, scratch, 0);
    this.#hash.hash(scratch, 0, end, true);
  }

  #keepHash(at: number): void {
    this.sessions[at] = this.#hash.h0;
    this.sessions[at + 1] = this.#hash.h1;
  }

  #isHash(at: number): boolean {
    return this.sessions[at] === this.#hash.h0 && this.sessions[at + 1] === this.#hash.h1;
  }
}

/** Bits of `State` for an extension line of the reply to EHLO. */
function announced(bytes: Buffer, from: number, to: number): number {
  if (isKeyword(bytes, from, to, 'PIPELINING')) return State.pipelining;
  return isKeyword(bytes, from, to, 'SIZE') ? State.size : 0;
}

function isKeyword(bytes: Buffer, from: number, to: number, word: string): boolean {
  if (to - from < word.length) return false;
  for (let i = 0; i < word.length; i++) {
    if ((bytes[from + i]! & 0xdf) !== word.charCodeAt(i)) return false;
  }
  return to - from === word.length || isBlank(bytes[from + word.length]!);
}

function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9;
}

/** Bits that are set. */
function ones(word: number): number {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}
