// The memory of the SMTP stage: three pools of fixed records and the cells their texts lie in. A
// session between two mails costs 200 bytes, its greeting name another cell.

import { Cells } from '../lib/cells.js';
import { Slots } from '../lib/slots.js';
import type { Facts } from './facts.js';

/** Words of a session. Chains are three words each, see `Cells`. */
export const enum X {
  flow = 0,
  /** Bits, see `Bit`. */
  bits = 1,
  clientMode = 2,
  serverMode = 3,
  bannerCode = 4,
  heloChanges = 5,
  transactions = 6,
  accepted = 7,
  rcptOffered = 8,
  rcptRefused = 9,
  authCode = 10,
  authAttempts = 11,
  /** Greeting, protocol hint and STARTTLS state: four bits each. */
  greeting = 12,
  startTls = 13,
  helo = 14,
  /** Mechanism, SNI, version and JA4 in one chain; their lengths packed in `textLengths`. */
  texts = 17,
  textLengths = 20,
  /** The unfinished line of each direction. */
  clientLine = 21,
  serverLine = 24,
  /** Bytes of a BDAT chunk still to come; lines of AUTH still to come. */
  remaining = 27,
  /** Where in a line of the data we stand, see body.ts. */
  lineState = 28,
  /** Client's acknowledgement when the data began. */
  dataAck = 29,
  /** Code of the reply that is being read, and what the server had received when it began. */
  replyCode = 30,
  replyAck = 31,
  replySeq = 32,
  /** Sequence number behind the last byte of the server. */
  serverNext = 33,
  /** Entries without an answer. */
  queueHead = 34,
  queueTail = 35,
  queueCount = 36,
  /** The transaction that is open for the server, and the one the client writes to. */
  tx = 37,
  clientTx = 38,
  /** The last acknowledgement of a reply, for reading one side only. */
  lastReplyAck = 39,
  gaps = 40,
  /** Sixteen counters of 8 bits; 40-41 is a float64. */
  anomalies = 42,
  /** Client's acknowledgement before its last gap. */
  gapAck = 46,
  /** Where a dot line with a bare LF ended, while we wait to see whether it ended the data. */
  dubiousEnd = 47,
  /** When the last transaction ended (float64). */
  lastEnd = 48,
}
export const sessionWords = 50;

/** Words of a session's facts, which stand behind its record. */
export const enum SF {
  /** Bits of `Dialect`, without those that anomalies tell. */
  dialect = sessionWords + 0,
  state = sessionWords + 1,
  /** Of the reply at hand: bits of `Said`, its enhanced code + 1, lists that it names. */
  said = sessionWords + 2,
  enhanced = sessionWords + 3,
  lists = sessionWords + 4,
  /** Lists of all replies. */
  allLists = sessionWords + 5,
  greetingClass = sessionWords + 6,
  heloClass = sessionWords + 7,
  asked = sessionWords + 8,
  authFailures = sessionWords + 9,
  /** A bit for each length modulo 64 of an answer to AUTH; bytes of the one at hand. */
  authLengths = sessionWords + 10,
  authBytes = sessionWords + 12,
  dataless = sessionWords + 13,
  /** Half a hash of the name in the greeting, and of the domain that it lies in. */
  banner = sessionWords + 14,
  bannerDomain = sessionWords + 16,
  /** The same of sender and first recipient of the last envelope that was refused with 5xx. */
  refusedSender = sessionWords + 18,
  refusedRcpt = sessionWords + 20,
  /** Sequence number behind the refusal of the open envelope's last recipient. */
  refusalEnd = sessionWords + 22,
  /** How many recipients were answered, by `ReplyClass`. */
  rcpt = sessionWords + 24,
}
export const sessionFactWords = 32;

/** Bits of a session. */
export const enum Bit {
  mailPort = 1 << 0,
  /** The server's stream is seen from its first byte, and no greeting was read yet. */
  bannerDue = 1 << 1,
  quit = 1 << 2,
  /** A verb that only SMTP clients say was seen. */
  strong = 1 << 3,
  verb = 1 << 4,
  banner = 1 << 5,
  lmtp = 1 << 6,
  implicitTls = 1 << 8,
  /** Client bytes that are no commands; server bytes that are no reply. */
  clientNoise = 1 << 9,
  serverNoise = 1 << 10,
  /** Replies were lost: which one answers what is not known until a provable place. */
  resync = 1 << 11,
  /** Commands may have been lost before what is read now. */
  uncertain = 1 << 12,
  reply = 1 << 13,
  /** The server has said STARTTLS. */
  starttlsOffered = 1 << 14,
  /** After a gap: the server's line at hand is thrown away up to its end. */
  discardServer = 1 << 16,
  auth = 1 << 17,
  /** The server will not answer behind a dot line: judge it by what follows. */
  forced = 1 << 19,
  /** The session's first client bytes have been looked at. */
  begun = 1 << 20,
  /** Bytes of the client, of the server were read. */
  clientSeen = 1 << 21,
  serverSeen = 1 << 22,
  /** The BDAT chunk at hand is the message's last. */
  lastChunk = 1 << 23,
  /** Read from the server's side alone: its greeting and EHLO are behind us. */
  ready = 1 << 24,
  /** The client's line at hand is longer than what is kept of it. */
  longLine = 1 << 25,
  /** The capture seems to have begun inside a message: what looks like a command proves nothing. */
  inMessage = 1 << 26,
  /** AUTH succeeded. */
  authenticated = 1 << 27,
  /** It began before the capture did, or one of its sides was not seen from its first byte. */
  begunUnseen = 1 << 28,
}

/** Words of a transaction. */
export const enum T {
  bits = 0,
  mailCode = 1,
  mailFrom = 2,
  rcptHead = 5,
  rcptTail = 6,
  rcptCount = 7,
  rcptDropped = 8,
  rcptAccepted = 9,
  rcptDeferred = 10,
  dataCode = 11,
  finalCode = 12,
  label = 14,
  labelCode = 15,
  bytes = 18,
  sizeDeclared = 20,
  started = 22,
  gapsBase = 24,
  subject = 26,
  headerState = 29,
  finalBest = 30,
  rcptUnknown = 31,
}
export const txWords = 32;

/** Words of a transaction's facts, behind its record. */
export const enum TF {
  mailClass = txWords + 0,
  dataClass = txWords + 1,
  finalClass = txWords + 2,
  lists = txWords + 3,
  messageId = txWords + 4,
}
export const txFactWords = 8;

/** Bits of a transaction. */
export const enum TxBit {
  mail = 1 << 0,
  /** Data were announced (354) or a chunk was taken. */
  data = 1 << 1,
  chunking = 1 << 2,
  /** The end of the data was seen or shown by the reply behind it. */
  ended = 1 << 3,
  headers = 1 << 4,
  /** There may have been a MAIL that we did not see; void unless data follow. */
  tentative = 1 << 5,
  /** The server side of the connection was not seen. */
  clientOnly = 1 << 6,
  /** A reply that would have decided was lost. */
  lostReply = 1 << 8,
  /** Bytes of the data were lost: their end may have been among them. */
  gapInData = 1 << 11,
  /** A MAIL may have been lost in it: what came behind is not provably its own. */
  doubtful = 1 << 12,
  /** Bytes of the server were lost while the data came: the final reply may be among them. */
  gapInReplies = 1 << 13,
  /** AUTH had succeeded before it began, or not been seen to fail; bytes before it are unknown. */
  authenticated = 1 << 14,
  afterLoss = 1 << 19,
  /** Facts: see `Dialect.rotated`; the header value at hand is a Message-ID's; one was read. */
  rotated = 1 << 15,
  messageId = 1 << 16,
  messageIdRead = 1 << 17,
  subjectRead = 1 << 18,
}

/** Words of an entry: a command that waits for its reply, then a recipient of a transaction. */
export const enum E {
  next = 0,
  verb = 1,
  /** Sequence number behind it, and what its sender had received. */
  end = 2,
  ack = 3,
  text = 4,
  code = 7,
  /** MAIL: its transaction; BDAT: 1 for LAST; recipient: LMTP's final code. */
  value = 8,
  tx = 9,
  time = 10,
  size = 12,
  /** Recipient: class of its reply, when facts are asked for. */
  class = 13,
}
export const entryWords = 14;

/** Longest name that is kept (RFC 5321 section 4.5.3.1 allows 255 and 256). */
export const nameBytesMax = 256;

/** How many records there is room for, see `limits.ts`. */
export interface StoreRooms {
  readonly sessionsMax: number;
  readonly transactionsMax: number;
  readonly entriesMax: number;
  readonly cellsMax: number;
}

export class Store {
  readonly sessions: Slots;
  readonly transactions: Slots;
  readonly entries: Slots;
  readonly cells: Cells;
  /** Where lines that lay in pieces are put together. */
  readonly scratch = Buffer.alloc(20480);
  /** What detectors ask for beyond what is printed; null when nobody does. */
  facts: Facts | null = null;
  /** Names and entries that found no room. */
  exhausted = 0;

  /** `facts`: records have room for them. */
  constructor(rooms: StoreRooms, facts: boolean) {
    this.sessions = new Slots(rooms.sessionsMax, sessionWords + (facts ? sessionFactWords : 0));
    this.transactions = new Slots(rooms.transactionsMax, txWords + (facts ? txFactWords : 0));
    this.entries = new Slots(rooms.entriesMax, entryWords);
    this.cells = new Cells(rooms.cellsMax);
  }

  /** A fresh session for a flow; -1 if there is no room. */
  openSession(flow: number): number {
    const s = this.sessions.take();
    if (s < 0) return -1;
    const w = this.sessions.words;
    w[s + X.flow] = flow;
    Cells.clear(w, s + X.helo);
    w[s + X.helo + 2] = 0;
    Cells.clear(w, s + X.texts);
    Cells.clear(w, s + X.clientLine);
    Cells.clear(w, s + X.serverLine);
    w[s + X.queueHead] = -1;
    w[s + X.queueTail] = -1;
    w[s + X.tx] = -1;
    w[s + X.clientTx] = -1;
    return s;
  }

  closeSession(s: number): void {
    const w = this.sessions.words;
    this.cells.release(w, s + X.helo);
    this.cells.release(w, s + X.texts);
    this.cells.release(w, s + X.clientLine);
    this.cells.release(w, s + X.serverLine);
    this.sessions.give(s);
  }

  /** A fresh transaction of session `s`; -1 if there is no room. */
  openTransaction(s: number, time: number): number {
    const t = this.transactions.take();
    if (t < 0) {
      this.exhausted++;
      return -1;
    }
    const w = this.transactions.words;
    Cells.clear(w, t + T.mailFrom);
    Cells.clear(w, t + T.labelCode);
    Cells.clear(w, t + T.subject);
    w[t + T.rcptHead] = -1;
    w[t + T.rcptTail] = -1;
    this.transactions.doubles[(t + T.started) >> 1] = time;
    this.transactions.doubles[(t + T.sizeDeclared) >> 1] = -1;
    const lost = this.has(s, Bit.begunUnseen) || this.sessions.doubles[(s + X.gaps) >> 1]! > 0;
    if (lost) w[t + T.bits] = TxBit.afterLoss;
    const sw = this.sessions.words;
    const unheard = this.has(s, Bit.auth) && sw[s + X.authCode] === 0;
    if (unheard || this.has(s, Bit.authenticated)) w[t + T.bits]! |= TxBit.authenticated;
    return t;
  }

  /** A transaction that the client begins; `alone`: nobody will be heard to answer. */
  openClientTransaction(s: number, time: number, alone: boolean): number {
    const t = this.openTransaction(s, time);
    if (t < 0) return -1;
    const gaps = this.sessions.doubles[(s + X.gaps) >> 1]!;
    this.transactions.doubles[(t + T.gapsBase) >> 1] = gaps;
    if (alone) this.transactions.words[t + T.bits]! |= TxBit.clientOnly;
    return t;
  }

  closeTransaction(t: number): void {
    const w = this.transactions.words;
    this.cells.release(w, t + T.mailFrom);
    this.cells.release(w, t + T.labelCode);
    this.cells.release(w, t + T.subject);
    let entry = w[t + T.rcptHead]!;
    while (entry >= 0) {
      const next = this.entries.words[entry + E.next]!;
      this.closeEntry(entry);
      entry = next;
    }
    this.transactions.give(t);
  }

  openEntry(verb: number): number {
    const e = this.entries.take();
    if (e < 0) {
      this.exhausted++;
      return -1;
    }
    const w = this.entries.words;
    w[e + E.next] = -1;
    w[e + E.verb] = verb;
    w[e + E.tx] = -1;
    Cells.clear(w, e + E.text);
    return e;
  }

  closeEntry(e: number): void {
    this.cells.release(this.entries.words, e + E.text);
    this.entries.give(e);
  }

  /** Counts up to 255 of each kind. */
  countAnomaly(s: number, which: number): void {
    const w = this.sessions.words;
    const at = s + X.anomalies + (which >> 2);
    const shift = (which & 3) << 3;
    const count = (w[at]! >>> shift) & 0xff;
    if (count < 0xff) w[at] = w[at]! + (1 << shift);
  }

  anomalyCount(s: number, which: number): number {
    return (this.sessions.words[s + X.anomalies + (which >> 2)]! >>> ((which & 3) << 3)) & 0xff;
  }

  /** Bytes went missing: `missing` of them, or some if it is 0. */
  countGap(s: number, missing: number): void {
    this.sessions.doubles[(s + X.gaps) >> 1]! += missing > 0 ? missing : 1;
  }

  has(s: number, bit: number): boolean {
    return (this.sessions.words[s + X.bits]! & bit) !== 0;
  }
  set(s: number, bit: number): void {
    this.sessions.words[s + X.bits]! |= bit;
  }
  unset(s: number, bit: number): void {
    this.sessions.words[s + X.bits]! &= ~bit;
  }
}
