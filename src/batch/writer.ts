// Writes rows: what a finished transaction, session or attempt is, copied out of the packet plane's
// own memory into an area that the service plane reads. Layout in row.ts.

import type { SipHash } from '../lib/siphash.js';
import { anomalyKinds } from '../smtp/anomaly.js';
import type { Connection, SessionEnd, SmtpSink, TransactionEnd } from '../smtp/events.js';
import { replyClasses } from '../smtp/reply-class.js';
import { Bit, E, SF, type Store, T, TF, TxBit, X } from '../smtp/store.js';
import { TextLength } from '../smtp/tls.js';
import {
  At,
  AtAttempt,
  AtSession,
  AtTx,
  handshakeBit,
  RcptShift,
  RowKind,
  type RowSink,
  SessionFact,
  SessionShift,
  TxFact,
  TxShift,
} from './row.js';

/**
 * Rows are handed on before the next one when they fill more than this: while they are still in
 * the processor's cache. Alerts stand behind the portion that they came of, so `merge.ts` makes the
 * same portions.
 */
export const portionBytes = 64 * 1024;
/** Cells of a name, and what a recipient takes at most. */
const nameBytesMax = 256;
const rcptBytesMax = nameBytesMax + 28;
const fixedBytesMax = 4096;

/** Bytes of the longest portion where a row has room for `rcptMax` recipients. */
export function portionBytesMax(rcptMax: number): number {
  return portionBytes + fixedBytesMax + rcptMax * rcptBytesMax;
}

/** The label word of a transaction whose header was not seen. */
export const noLabel = 15;

export class RowWriter implements SmtpSink {
  readonly #area: ArrayBuffer;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #bytes: Buffer;
  readonly #sink: RowSink;
  readonly #describe: (flow: number) => Connection;
  readonly #hash: SipHash | null;
  /** First word of the row at hand, and the end of the rows so far, in words. */
  #base = 0;
  #used = 0;
  /** Place in the stream of whatever causes the next rows; see `RowOrder`. */
  order = 0.5;
  /** Rows that did not fit any area: more recipients than `smtp.rcpt_max` lets through. */
  dropped = 0;

  /**
   * `describe` tells of a connection; `rcptMax` recipients are what a row has room for; recipients
   * are hashed with `hash` where there are facts.
   */
  constructor(
    sink: RowSink,
    rcptMax: number,
    describe: (flow: number) => Connection,
    hash: SipHash | null,
  ) {
    this.#area = new ArrayBuffer(portionBytesMax(rcptMax));
    this.#words = new Int32Array(this.#area);
    this.#doubles = new Float64Array(this.#area);
    this.#bytes = Buffer.from(this.#area);
    this.#sink = sink;
    this.#describe = describe;
    this.order = 0;
    this.#hash = hash;
  }

  /** Hands the rows so far on. */
  flush(): void {
    if (this.#used === 0) return;
    const length = this.#used * 4;
    this.#used = 0;
    this.#sink.rows(this.#area, length);
  }

  transaction(store: Store, s: number, t: number, end: TransactionEnd): void {
    const tw = store.transactions.words;
    const count = tw[t + T.rcptCount]!;
    if (!this.#room(fixedBytesMax + count * rcptBytesMax)) return;
    const c = this.#describe(store.sessions.words[s + X.flow]!);
    this.#common(RowKind.transaction, c);
    const w = this.#words;
    const b = this.#base;
    const d = store.transactions.doubles;
    this.#set(At.time, end.time);
    this.#set(At.started, d[(t + T.started) >> 1]!);
    this.#set(At.gaps, end.gaps);
    const bits = tw[t + T.bits]!;
    const body = (bits & (TxBit.data | TxBit.chunking)) !== 0 || d[(t + T.bytes) >> 1]! > 0;
    this.#set(AtTx.bytes, body ? d[(t + T.bytes) >> 1]! : -1);
    this.#set(AtTx.sizeDeclared, d[(t + T.sizeDeclared) >> 1]!);
    w[b + AtTx.txId] = end.id;
    w[b + AtTx.mailCode] = tw[t + T.mailCode]!;
    w[b + AtTx.dataCode] = tw[t + T.dataCode]!;
    w[b + AtTx.finalCode] = tw[t + T.finalCode]!;
    const label = (bits & TxBit.headers) !== 0 ? tw[t + T.label]! : noLabel;
    const chunking = (bits & TxBit.chunking) !== 0 ? 1 : 0;
    const greeting = store.sessions.words[s + X.greeting]!;
    w[b + AtTx.words] = end.outcome | (greeting << 4) | (label << 8) | (chunking << 12);
    if ((bits & TxBit.authenticated) !== 0) w[b + AtTx.words]! |= 1 << TxShift.authenticated;
    if ((bits & TxBit.afterLoss) !== 0) w[b + AtTx.words]! |= 1 << TxShift.afterLoss;
    w[b + AtTx.rcptCount] = count;
    w[b + AtTx.rcptDropped] = tw[t + T.rcptDropped]!;
    const tables = this.#recipients(store, t, end.lmtp);
    this.#transactionTexts(store, s, t, tables);
  }

  session(store: Store, s: number, end: SessionEnd): void {
    if (!this.#room(fixedBytesMax)) return;
    const sw = store.sessions.words;
    const c = this.#describe(sw[s + X.flow]!);
    this.#common(RowKind.session, c);
    const w = this.#words;
    const b = this.#base;
    this.#set(At.time, c.last);
    this.#set(At.started, c.first);
    this.#set(At.gaps, end.gaps);
    this.#set(AtSession.bytesToServer, c.bytesToServer);
    this.#set(AtSession.bytesToClient, c.bytesToClient);
    this.#set(AtSession.packets, c.packets);
    w[b + AtSession.bannerCode] = sw[s + X.bannerCode]!;
    w[b + AtSession.heloChanges] = sw[s + X.heloChanges]!;
    w[b + AtSession.transactions] = sw[s + X.transactions]!;
    w[b + AtSession.accepted] = sw[s + X.accepted]!;
    w[b + AtSession.rcptOffered] = sw[s + X.rcptOffered]!;
    w[b + AtSession.rcptRefused] = sw[s + X.rcptRefused]!;
    let tls = sw[s + X.startTls]!;
    if (tls === 0 && store.has(s, Bit.starttlsOffered)) tls = 1;
    w[b + AtSession.words] = tls | (end.protocol << 4) | (end.closed << 8);
    w[b + AtSession.authCode] = sw[s + X.authCode]!;
    w[b + AtSession.authAttempts] = sw[s + X.authAttempts]!;
    const lengths = sw[s + X.textLengths]!;
    const mechanism = lengths & 31;
    const tried = store.has(s, Bit.auth) && sw[s + X.authAttempts]! > 0;
    w[b + AtSession.mechanism] = tried ? mechanism : -1;
    w[b + AtSession.sni] = (lengths >> TextLength.sni) & 255;
    w[b + AtSession.version] = (lengths >> TextLength.version) & 15;
    w[b + AtSession.ja4] = (lengths >> TextLength.ja4) & 63;
    w[b + At.helo] = sw[s + X.greeting] !== 0 ? sw[s + X.helo + 2]! : -1;
    let at = b + AtSession.tables;
    let kinds = 0;
    for (let kind = 0; kind < anomalyKinds; kind++) {
      const times = store.anomalyCount(s, kind);
      if (times === 0) continue;
      w[at] = kind;
      w[at + 1] = times;
      at += 2;
      kinds++;
    }
    w[b + AtSession.anomalies] = kinds;
    let byte = store.cells.copy(sw, s + X.helo, this.#bytes, at * 4);
    byte = store.cells.copy(sw, s + X.texts, this.#bytes, byte);
    this.#close(this.#sessionFacts(store, s, byte));
  }

  attempt(flow: number, kind: number, syns: number): void {
    if (!this.#room(fixedBytesMax)) return;
    const c = this.#describe(flow);
    this.#common(RowKind.attempt, c);
    this.#set(At.time, c.last);
    this.#set(At.started, c.first);
    this.#set(At.gaps, 0);
    this.#words[this.#base + At.helo] = -1;
    this.#words[this.#base + AtAttempt.kind] = kind;
    this.#words[this.#base + AtAttempt.syns] = syns;
    this.#close((this.#base + AtAttempt.size) * 4);
  }

  /** Makes room for a row of at most `bytes`; false if no area could hold it. */
  #room(bytes: number): boolean {
    if (this.#used * 4 > portionBytes) this.flush();
    this.#base = this.#used;
    if (bytes <= this.#area.byteLength - portionBytes) return true;
    this.dropped++;
    return false;
  }

  #set(at: number, value: number): void {
    this.#doubles[(this.#base + at) >> 1] = value;
  }

  #common(kind: number, c: Connection): void {
    const w = this.#words;
    const b = this.#base;
    w[b + At.kind] = kind | (c.sides << 8) | (c.ip << 16) | (c.vlanCount << 24);
    if (c.handshake) w[b + At.kind]! |= handshakeBit;
    w[b + At.facts] = 0;
    w[b + At.client] = c.client0;
    w[b + At.client + 1] = c.client1;
    w[b + At.client + 2] = c.client2;
    w[b + At.client + 3] = c.client3;
    w[b + At.server] = c.server0;
    w[b + At.server + 1] = c.server1;
    w[b + At.server + 2] = c.server2;
    w[b + At.server + 3] = c.server3;
    w[b + At.ports] = (c.clientPort << 16) | c.serverPort;
    w[b + At.vlan] = c.vlan01;
    w[b + At.vlan + 1] = c.vlan2;
    w[b + At.flowHigh] = c.flowHigh;
    w[b + At.flowLow] = c.flowLow;
    this.#set(At.order, this.order);
    this.#set(At.last, c.last);
  }

  /** Writes the tables of codes; gives the word behind them. */
  #recipients(store: Store, t: number, lmtp: boolean): number {
    const w = this.#words;
    const ew = store.entries.words;
    let at = this.#base + AtTx.tables;
    let finals = 0;
    for (let e = store.transactions.words[t + T.rcptHead]!; e >= 0; e = ew[e + E.next]!) {
      w[at] = ew[e + E.code]! | (ew[e + E.class]! << RcptShift.class);
      w[at + 1] = ew[e + E.text + 2]!;
      at += 2;
    }
    if (lmtp) {
      for (let e = store.transactions.words[t + T.rcptHead]!; e >= 0; e = ew[e + E.next]!) {
        if (ew[e + E.code]! < 200 || ew[e + E.code]! >= 300) continue;
        w[at++] = ew[e + E.value]!;
        finals++;
      }
    }
    w[this.#base + AtTx.finalCodes] = finals;
    return at;
  }

  #transactionTexts(store: Store, s: number, t: number, tables: number): void {
    const w = this.#words;
    const b = this.#base;
    const sw = store.sessions.words;
    const tw = store.transactions.words;
    const ew = store.entries.words;
    w[b + At.helo] = sw[s + X.greeting] !== 0 ? sw[s + X.helo + 2]! : -1;
    const known = (tw[t + T.bits]! & TxBit.mail) !== 0;
    w[b + AtTx.mailFrom] = known ? tw[t + T.mailFrom + 2]! : this.#unknownSender(store, s);
    w[b + AtTx.labelCode] = tw[t + T.labelCode + 2]!;
    let byte = store.cells.copy(sw, s + X.helo, this.#bytes, tables * 4);
    if (known) byte = store.cells.copy(tw, t + T.mailFrom, this.#bytes, byte);
    byte = store.cells.copy(tw, t + T.labelCode, this.#bytes, byte);
    const mailboxes = byte;
    for (let e = tw[t + T.rcptHead]!; e >= 0; e = ew[e + E.next]!) {
      if (ew[e + E.text + 2]! > 0) byte = store.cells.copy(ew, e + E.text, this.#bytes, byte);
    }
    this.#close(this.#transactionFacts(store, t, mailboxes, byte));
  }

  /** Writes the facts of a transaction behind `byte`, and gives the byte behind them. */
  #transactionFacts(store: Store, t: number, mailboxes: number, byte: number): number {
    if (store.facts === null || this.#hash === null) return byte;
    const w = this.#words;
    const fw = store.transactions.words;
    const bits = store.transactions.words[t + T.bits]!;
    let packed =
      (fw[t + TF.mailClass]! << TxShift.mailClass) | (fw[t + TF.dataClass]! << TxShift.dataClass);
    packed |= fw[t + TF.finalClass]! << TxShift.finalClass;
    if ((bits & TxBit.rotated) !== 0) packed |= 1 << TxShift.rotated;
    w[this.#base + AtTx.words]! |= packed;
    const at = this.#beginFacts(byte);
    w[at + TxFact.lists] = fw[t + TF.lists]!;
    for (let i = 0; i < 4; i++) w[at + TxFact.messageId + i] = fw[t + TF.messageId + i]!;
    const ew = store.entries.words;
    let to = at + TxFact.rcpt;
    let from = mailboxes;
    for (let e = store.transactions.words[t + T.rcptHead]!; e >= 0; e = ew[e + E.next]!) {
      const length = ew[e + E.text + 2]!;
      const known = length >= 0;
      if (known) this.#hash.hash(this.#bytes, from, from + length, true);
      w[to] = known ? this.#hash.h0 : 0;
      w[to + 1] = known ? this.#hash.h1 : 0;
      w[to + 2] = known ? this.#hash.h2 : 0;
      w[to + 3] = known ? this.#hash.h3 : 0;
      if (known) from += length;
      to += 4;
    }
    return to * 4;
  }

  #sessionFacts(store: Store, s: number, byte: number): number {
    if (store.facts === null) return byte;
    const w = this.#words;
    const fw = store.sessions.words;
    let packed = fw[s + SF.greetingClass]! << SessionShift.greetingClass;
    packed |= fw[s + SF.heloClass]! << SessionShift.heloClass;
    w[this.#base + AtSession.words]! |= packed;
    const at = this.#beginFacts(byte);
    w[at + SessionFact.dialect] = fw[s + SF.dialect]!;
    w[at + SessionFact.lists] = fw[s + SF.allLists]!;
    w[at + SessionFact.asked] = fw[s + SF.asked]!;
    w[at + SessionFact.authFailures] = fw[s + SF.authFailures]!;
    w[at + SessionFact.authLengths] = store.facts.authLengths(s);
    w[at + SessionFact.dataless] = fw[s + SF.dataless]!;
    for (let i = 0; i < replyClasses; i++) w[at + SessionFact.rcpt + i] = fw[s + SF.rcpt + i]!;
    return (at + SessionFact.size) * 4;
  }

  /** The first word of the facts behind texts that end at `byte`. */
  #beginFacts(byte: number): number {
    let end = byte;
    while ((end & 3) !== 0) this.#bytes[end++] = 0;
    this.#words[this.#base + At.facts] = (end >> 2) - this.#base;
    return end >> 2;
  }

  /** -1: a MAIL may have been there that we did not see; -2: the server did without. */
  #unknownSender(store: Store, s: number): number {
    const whole = this.#words[this.#base + At.kind]! >> 8;
    return (whole & 3) === 3 && !store.has(s, Bit.uncertain) ? -2 : -1;
  }

  /** The row ends at `byte`. */
  #close(byte: number): void {
    // What an earlier row left in the padding is nobody's business.
    for (let pad = byte; (pad & 7) !== 0; pad++) this.#bytes[pad] = 0;
    this.#used = ((byte + 7) >> 3) * 2;
    this.#words[this.#base + At.size] = this.#used - this.#base;
  }
}
