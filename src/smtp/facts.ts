// What detectors want to know beyond what is printed: classes of replies, DNSBLs that they name,
// the client's dialect, keyed hashes. Kept behind the records of store.ts, and only when somebody
// asks for it. No text stays here: it is judged or hashed where it is read.

import { seqDiff } from '../lib/seq.js';
import type { SipHash } from '../lib/siphash.js';
import { Anomaly } from './anomaly.js';
import { Dialect } from './dialect.js';
import { enhancedOf, ReplyClass, ReplyText, replyClassOf, Stage } from './reply-class.js';
import { Bit, E, SF, type Store, T, TF, TxBit, X } from './store.js';
import { Verb } from './verb.js';

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

/** Recipients of an envelope that are compared with the refused one's. */
const comparedMax = 32;

export class Facts {
  readonly #store: Store;
  readonly #hash: SipHash;
  readonly #text = new ReplyText();
  /** The records that facts of sessions and of transactions lie behind. */
  readonly #sessions: Int32Array;
  readonly #transactions: Int32Array;
  /** Result of `#hashName`. */
  #name0 = 0;
  #name1 = 0;

  /** `store` has room for facts; Message-IDs are hashed with `hash`. */
  constructor(store: Store, hash: SipHash) {
    this.#store = store;
    this.#hash = hash;
    this.#sessions = store.sessions.words;
    this.#transactions = store.transactions.words;
  }

  /** Bytes of the server are missing. */
  serverGap(s: number): void {
    this.#sessions[s + SF.state]! |= State.torn | State.unsure;
  }

  /** A line of a reply, `first` or another, without its end. */
  line(s: number, first: boolean, bytes: Buffer, from: number, to: number): void {
    const w = this.#sessions;
    if (first) this.#beginReply(s);
    switch (bytes[from]) {
      case 50:
        if (bytes[from + 1] === 53) w[s + SF.state]! |= announced(bytes, from + 4, to);
        else if (!this.#store.has(s, Bit.reply)) this.#keepBanner(s, bytes, from + 4, to);
        break;
      case 53: {
        const enhanced = bytes[from + 4] === 53 ? enhancedOf(bytes, from + 4, to) : -1;
        if (w[s + SF.enhanced] === 0) w[s + SF.enhanced] = enhanced + 1;
        this.#text.read(bytes, from + 3, to);
        w[s + SF.said]! |= this.#text.said;
        w[s + SF.lists]! |= this.#text.lists;
        break;
      }
      default:
        break;
    }
  }

  /** A reply is taken for complete where the client goes on; `begun`: lines of it were read. */
  cut(s: number, begun: boolean): void {
    if (!begun) this.#beginReply(s);
  }

  /** The reply at hand has been given to what it answers. */
  replied(s: number): void {
    const w = this.#sessions;
    w[s + SF.allLists]! |= w[s + SF.lists]!;
    w[s + SF.state]! &= ~State.torn;
  }

  greeting(s: number, code: number): void {
    this.#sessions[s + SF.greetingClass] = this.#classOf(s, Stage.greeting, code);
  }

  helo(s: number, code: number): void {
    this.#sessions[s + SF.heloClass] = this.#classOf(s, Stage.helo, code);
  }

  mail(s: number, t: number, code: number): void {
    this.#sessions[s + SF.state]! &= ~State.refusalEnd;
    if (code >= 400) this.#sessions[s + SF.state]! |= State.refused;
    if (t >= 0) this.#file(s, t, TF.mailClass, this.#classOf(s, Stage.mail, code));
  }

  /** A recipient's reply; `e` becomes its record. */
  rcpt(s: number, e: number, code: number): void {
    const w = this.#sessions;
    const found = this.#classOf(s, Stage.rcpt, code);
    this.#store.entries.words[e + E.class] = found;
    w[s + SF.rcpt + found]!++;
    if (code < 400) return;
    w[s + SF.state]! |= State.refused | State.refusalEnd;
    w[s + SF.refusalEnd] = this.#store.sessions.words[s + X.serverNext]!;
  }

  /** A recipient with this class of reply has become part of a transaction. */
  joins(s: number, t: number, replyClass: number): void {
    if (replyClass === ReplyClass.none) return;
    const lists = this.#sessions[s + SF.lists]!;
    this.#transactions[t + TF.lists]! |= lists;
  }

  /** The reply to DATA, which is `e`; -1: DATA was not seen. */
  data(s: number, t: number, e: number, code: number): void {
    const w = this.#sessions;
    const state = w[s + SF.state]!;
    if (code >= 400) w[s + SF.state] = state | State.refused;
    const lossless = this.#store.sessions.doubles[(s + X.gaps) >> 1] === 0;
    if (e >= 0 && code > 0 && lossless && (state & State.refusalEnd) !== 0) {
      const heard = this.#store.entries.words[e + E.ack]!;
      if (seqDiff(heard, w[s + SF.refusalEnd]!) < 0) this.note(s, Dialect.dataBehindRefusal);
    }
    if (t >= 0) this.#file(s, t, TF.dataClass, this.#classOf(s, Stage.data, code));
  }

  /**
   * A reply to the end of the data or to a chunk. A chunk that was refused has decided already; of
   * LMTP's several the best one counts: a delivery, then hope.
   */
  final(s: number, t: number, code: number): void {
    const tw = this.#store.transactions.words;
    const at = t + TF.finalClass;
    const before = this.#transactions[at];
    const hope = before === ReplyClass.deferred && code >= 400;
    if (this.#store.has(s, Bit.lmtp) && (before === ReplyClass.ok || hope)) return;
    if ((tw[t + T.bits]! & TxBit.chunking) !== 0 && tw[t + T.finalCode]! >= 300) return;
    this.#file(s, t, TF.finalClass, this.#classOf(s, Stage.final, code));
  }

  /** What was taken for the final reply is none. */
  clearFinal(t: number): void {
    this.#transactions[t + TF.finalClass] = ReplyClass.none;
  }

  auth(s: number, code: number): void {
    if (code === 535) this.#sessions[s + SF.authFailures]!++;
  }

  /** `length` more bytes of the client's answer to AUTH; nobody looks at them. */
  authBytes(s: number, length: number): void {
    this.#sessions[s + SF.authBytes]! += length;
  }

  /** That answer is over; `is` false: it was none. */
  authLine(s: number, is: boolean): void {
    const w = this.#sessions;
    const length = w[s + SF.authBytes]!;
    w[s + SF.authBytes] = 0;
    if (is) w[s + SF.authLengths + ((length >> 5) & 1)]! |= 1 << (length & 31);
  }

  /** How many lengths of answers to AUTH there were. */
  authLengths(s: number): number {
    const at = s + SF.authLengths;
    return ones(this.#sessions[at]!) + ones(this.#sessions[at + 1]!);
  }

  /** A habit shows. */
  note(s: number, dialect: number): void {
    this.#sessions[s + SF.dialect]! |= dialect;
  }

  /**
   * A command is about to be put into the queue as `e`. `alone`: no server is seen; `bare`: its
   * line ended in LF alone.
   */
  command(s: number, e: number, alone: boolean, bare: boolean): void {
    const w = this.#sessions;
    const sw = this.#store.sessions.words;
    const verb = this.#store.entries.words[e + E.verb]!;
    const waiting = sw[s + X.queueHead]! >= 0;
    const state = w[s + SF.state]!;
    w[s + SF.state] = state & ~State.refused;
    if (bare && verb !== Verb.unknown) w[s + SF.dialect]! |= Dialect.bareLf;
    const lossless = this.#store.sessions.doubles[(s + X.gaps) >> 1] === 0;
    if (verb === Verb.rset && (state & State.refused) !== 0 && !waiting && lossless) {
      w[s + SF.dialect]! |= Dialect.resetAfterRefusal;
    } else if (verb === Verb.vrfy || verb === Verb.expn) {
      w[s + SF.asked]!++;
    } else if (verb === Verb.mail) {
      this.#mailSize(s, this.#store.entries.words[e + E.tx]!);
    } else if (verb === Verb.ehlo || verb === Verb.helo) {
      w[s + SF.dialect]! |= verb === Verb.ehlo ? Dialect.ehlo : Dialect.helo;
      this.#isServer(s, e);
    }
    if (!waiting || alone || (state & (State.pipelining | State.unsure)) !== 0) return;
    if (!lossless || this.#store.has(s, Bit.resync | Bit.uncertain)) return;
    // What waits for an answer may have had one that was not seen, or not yet.
    const heard = this.#store.entries.words[e + E.ack]!;
    if (!this.#store.has(s, Bit.serverSeen) || seqDiff(heard, sw[s + X.serverNext]!) > 0) return;
    w[s + SF.dialect]! |= Dialect.unannouncedPipelining;
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
    let open = first;
    while (open < last && bytes[open] !== 60) open++;
    let close = open;
    while (close < last && bytes[close] !== 62) close++;
    if (close < last) {
      first = open + 1;
      last = close;
    }
    const at = t + TF.messageId;
    const w = this.#transactions;
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
    const from = t + TF.messageId;
    const to = open + TF.messageId;
    for (let i = 0; i < 4; i++) this.#transactions[to + i]! |= this.#transactions[from + i]!;
  }

  /** An envelope is over; `refused`: with 5xx, nothing in it `lost`. */
  envelope(s: number, t: number, refused: boolean, lost: boolean): void {
    const w = this.#sessions;
    const tw = this.#store.transactions.words;
    const offered = tw[t + T.rcptCount]! > 0;
    const sent =
      (tw[t + T.bits]! & (TxBit.data | TxBit.chunking)) !== 0 || tw[t + T.dataCode] !== 0;
    if (offered && !sent && !lost) w[s + SF.dataless]!++;
    if ((tw[t + T.bits]! & TxBit.mail) === 0 || !offered) return;
    if ((w[s + SF.state]! & State.refusedEnvelope) !== 0 && this.#isRotated(s, t)) {
      tw[t + T.bits]! |= TxBit.rotated;
      w[s + SF.dialect]! |= Dialect.rotated;
    }
    if (!refused || this.#store.entries.words[tw[t + T.rcptHead]! + E.text + 2]! < 0) return;
    w[s + SF.state]! |= State.refusedEnvelope;
    this.#hashChain(tw, t + T.mailFrom);
    this.#keepName(s + SF.refusedSender);
    this.#hashChain(this.#store.entries.words, tw[t + T.rcptHead]! + E.text);
    this.#keepName(s + SF.refusedRcpt);
  }

  /** The session ends; `noQuit`: the client could have said QUIT and did not. */
  end(s: number, noQuit: boolean): void {
    if (noQuit) this.note(s, Dialect.noQuit);
    if (this.#store.anomalyCount(s, Anomaly.noBrackets) > 0) this.note(s, Dialect.noBrackets);
    if (this.#store.anomalyCount(s, Anomaly.earlyTalker) > 0) this.note(s, Dialect.earlyTalker);
  }

  #beginReply(s: number): void {
    this.#sessions[s + SF.said] = 0;
    this.#sessions[s + SF.enhanced] = 0;
    this.#sessions[s + SF.lists] = 0;
  }

  /** The class of the reply at hand. Of a torn refusal the deciding words may be missing. */
  #classOf(s: number, stage: number, code: number): number {
    const w = this.#sessions;
    if (code === 0 || (code >= 500 && (w[s + SF.state]! & State.torn) !== 0)) {
      return ReplyClass.none;
    }
    return replyClassOf(stage, code, w[s + SF.enhanced]! - 1, w[s + SF.said]!, w[s + SF.lists]!);
  }

  #file(s: number, t: number, which: number, replyClass: number): void {
    this.#transactions[t + which] = replyClass;
    this.joins(s, t, replyClass);
  }

  #mailSize(s: number, t: number): void {
    if (t < 0 || (this.#sessions[s + SF.state]! & State.size) === 0) return;
    if (this.#store.transactions.doubles[(t + T.sizeDeclared) >> 1]! >= 0) return;
    this.#sessions[s + SF.dialect]! |= Dialect.noSize;
  }

  /** The server's name stands first in its greeting (RFC 5321 section 4.2). */
  #keepBanner(s: number, bytes: Buffer, from: number, to: number): void {
    let end = from;
    while (end < to && bytes[end]! > 32) end++;
    if (end === from) return;
    this.#hashName(bytes, from, end);
    this.#keepName(s + SF.banner);
    let domain = from;
    while (domain < end && bytes[domain] !== 46) domain++;
    let dots = 0;
    for (let i = domain + 1; i < end; i++) if (bytes[i] === 46) dots++;
    if (dots === 0) return;
    this.#hashName(bytes, domain + 1, end);
    this.#keepName(s + SF.bannerDomain);
  }

  #isServer(s: number, e: number): void {
    const w = this.#sessions;
    const ew = this.#store.entries.words;
    if (ew[e + E.text + 2]! <= 0 || (w[s + SF.banner]! | w[s + SF.banner + 1]!) === 0) return;
    this.#hashChain(ew, e + E.text);
    if (this.#isName(s + SF.banner)) w[s + SF.dialect]! |= Dialect.heloIsServer;
    if (this.#isName(s + SF.bannerDomain)) w[s + SF.dialect]! |= Dialect.heloIsServerDomain;
  }

  /** Whether another sender offers the recipient that the refused envelope was for. */
  #isRotated(s: number, t: number): boolean {
    const tw = this.#store.transactions.words;
    const ew = this.#store.entries.words;
    this.#hashChain(tw, t + T.mailFrom);
    if (this.#isName(s + SF.refusedSender)) return false;
    let e = tw[t + T.rcptHead]!;
    for (let count = 0; e >= 0 && count < comparedMax; count++) {
      if (ew[e + E.text + 2]! >= 0) this.#hashChain(ew, e + E.text);
      if (ew[e + E.text + 2]! >= 0 && this.#isName(s + SF.refusedRcpt)) return true;
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
    this.#hashName(scratch, 0, this.#store.cells.copy(words, chain, scratch, 0));
  }

  /**
   * 64 bits of a name, upper and lower case alike: FNV-1a with two primes. It never leaves the
   * session; who finds two names of one hash says something of himself alone.
   */
  #hashName(bytes: Uint8Array, from: number, to: number): void {
    let a = 0x811c9dc5 | 0;
    let b = 0x2f0b4c47;
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!;
      const folded = byte >= 65 && byte <= 90 ? byte | 32 : byte;
      a = Math.imul(a ^ folded, 0x01000193);
      b = Math.imul(b ^ folded, 0x5bd1e995);
    }
    this.#name0 = a;
    this.#name1 = b;
  }

  #keepName(at: number): void {
    this.#sessions[at] = this.#name0;
    this.#sessions[at + 1] = this.#name1;
  }

  #isName(at: number): boolean {
    return this.#sessions[at] === this.#name0 && this.#sessions[at + 1] === this.#name1;
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
