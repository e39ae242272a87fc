// What is read of a message: where it ends, how long it is, the class of its subject's label, and
// for detectors a keyed hash of its Message-ID. No byte of it is kept, but those two headers' for
// as long as it takes to read them.

import type { Chunk } from '../flow/sink.js';
import { decodeSubject } from './encoded-word.js';
import { labelOf } from './label.js';
import { type Store, T, TxBit, X } from './store.js';

/** Where in a line of the data the next byte stands. */
const enum At {
  middle = 0,
  /** Behind CRLF; behind a bare LF. */
  start = 1,
  startBare = 2,
  /** Behind the dot that begins such a line. */
  dot = 3,
  dotBare = 4,
  /** Behind that dot and a CR. */
  dotCr = 5,
  dotBareCr = 6,
  /** Behind a CR in the middle of a line. */
  cr = 7,
}

/** Where in the header the next byte stands; `subject` + n: n letters of "subject:" matched, ... */
const enum Head {
  done = 0,
  lineStart = 1,
  skip = 2,
  value = 3,
  cr = 4,
  name = 5,
  /** Behind a value's line end: a continuation, or the next field. */
  afterValue = 6,
  /** Behind the colon of a name whose value is wanted. */
  colon = 7,
  subject = 16,
  messageId = 32,
}

const subjectName = Buffer.from('subject:', 'latin1');
const messageIdName = Buffer.from('message-id:', 'latin1');
/** Bytes that are kept of a value (RFC 5322 section 2.1.1 allows a line 998). */
const valueBytesMax = 1000;
/** A header longer than this is not looked through any more. */
const headerBytesMax = 64 * 1024;

const lineFeed = 10;
const carriageReturn = 13;
const dot = 46;
const lineFeedDot = Buffer.from('\n.', 'latin1');

export class Body {
  readonly #store: Store;
  /** After `scan`: the end that was found had a bare LF, and holds only if the server says so. */
  bare = false;
  /** After `scan`: bytes of the dot line. */
  dotLine = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** A message begins: the next byte is its first. */
  begin(s: number, t: number): void {
    this.#store.sessions.words[s + X.lineState] = At.start;
    this.#store.transactions.words[t + T.headerState] = Head.lineStart;
  }

  /** Data go on behind a dot line that did not end them; `dotLine` bytes long. */
  resume(s: number, dotLine: number): void {
    this.#store.sessions.words[s + X.lineState] = dotLine === 2 ? At.startBare : At.start;
  }

  /** Bytes of the data are missing. */
  lost(s: number, t: number, missing: number): void {
    const w = this.#store.transactions.words;
    this.#store.sessions.words[s + X.lineState] = At.middle;
    this.#store.transactions.doubles[(t + T.bytes) >> 1]! += missing;
    if (w[t + T.headerState] === Head.done) return;
    w[t + T.headerState] = Head.done;
    this.#store.cells.release(w, t + T.subject);
  }

  /** Reads data up to their end, whose end it gives, or -1 if all of [from, to) belongs to them. */
  scan(s: number, t: number, bytes: Buffer, from: number, to: number): number {
    const end = this.#findEnd(s, t, bytes, from, to);
    const stop = end < 0 ? to : end;
    this.#store.transactions.doubles[(t + T.bytes) >> 1]! += stop - from;
    this.header(t, bytes, from, stop);
    return end;
  }

  /**
   * The short way of nearly every chunk of a message: its header is behind us, no line begins at
   * the chunk's first byte, nothing of it was lost, and no line of the chunk begins with a dot.
   * True if the chunk was counted; if not, nothing was changed.
   */
  skip(s: number, t: number, c: Chunk): boolean {
    if (t < 0) return false;
    const sw = this.#store.sessions.words;
    const tw = this.#store.transactions.words;
    const state = sw[s + X.lineState]!;
    if ((tw[t + T.bits]! & TxBit.gapInData) !== 0 || tw[t + T.headerState] !== Head.done)
      return false;
    if ((state !== At.middle && state !== At.cr) || c.to - c.from < 2) return false;
    if (c.bytes[c.from] === lineFeed || findLineDot(c.bytes, c.from, c.to) >= 0) return false;
    sw[s + X.lineState] = stateBehind(c.bytes, c.from, c.to);
    sw[s + X.gapAck] = c.ack;
    this.#store.transactions.doubles[(t + T.bytes) >> 1]! += c.to - c.from;
    return true;
  }

  /** Whether CRLF, dot, CRLF stands in [from, to), behind a dot line of `dotLine` bytes. */
  hasEnd(bytes: Buffer, from: number, to: number, dotLine: number): boolean {
    const begins = dotLine === 3 && to - from >= 3 && bytes[from] === dot;
    if (begins && bytes[from + 1] === carriageReturn && bytes[from + 2] === lineFeed) return true;
    const found = bytes.indexOf('\r\n.\r\n', from, 'latin1');
    return found >= 0 && found + 5 <= to;
  }

  /** The message is complete, or will not be: what was collected of its subject is judged. */
  finish(t: number): void {
    const w = this.#store.transactions.words;
    const state = w[t + T.headerState]!;
    if (state === Head.value || state === Head.afterValue) this.#endValue(t, state);
    w[t + T.headerState] = Head.done;
  }

  /** Takes the dot line that ended the data off their size. */
  dropDotLine(t: number, length: number): void {
    this.#store.transactions.doubles[(t + T.bytes) >> 1]! -= length;
  }

  #findEnd(s: number, t: number, bytes: Buffer, from: number, to: number): number {
    const w = this.#store.sessions.words;
    let state = w[s + X.lineState]!;
    let at = from;
    while (at < to) {
      if (state === At.middle || state === At.cr) {
        const found = findLineDot(bytes, at, to);
        if (found < 0) {
          // A CR before this stretch only matters to an LF that is its first byte.
          if (to - at === 1 && bytes[at] === lineFeed && state === At.cr) state = At.start;
          else state = stateBehind(bytes, at, to);
          break;
        }
        const strict = found > at ? bytes[found - 1] === carriageReturn : state === At.cr;
        state = strict ? At.dot : At.dotBare;
        at = found + 2;
        continue;
      }
      const byte = bytes[at++]!;
      const next = step(state, byte);
      if (next >= 0) {
        if (state === At.dot || state === At.dotCr) this.#unstuff(t, next);
        state = next;
        continue;
      }
      this.bare = state !== At.dotCr;
      this.dotLine = state === At.dot || state === At.dotBare ? 2 : 3;
      w[s + X.lineState] = At.middle;
      return at;
    }
    w[s + X.lineState] = state;
    return -1;
  }

  /** A dot that begins a line and does not end the data is not part of the message. */
  #unstuff(t: number, next: number): void {
    if (next === At.dotCr) return;
    this.#store.transactions.doubles[(t + T.bytes) >> 1]! -= 1;
  }

  /** A BDAT chunk was announced; `over`: it is empty and the message's last. */
  beginChunk(s: number, t: number, over: boolean): void {
    const tw = this.#store.transactions.words;
    if ((tw[t + T.bits]! & TxBit.chunking) === 0) this.begin(s, t);
    tw[t + T.bits]! |= TxBit.chunking;
    if (over) this.#store.sessions.words[s + X.clientTx] = -1;
  }

  /** Takes bytes of a BDAT chunk, which are what they are. */
  chunk(t: number, bytes: Buffer, from: number, to: number): void {
    this.#store.transactions.doubles[(t + T.bytes) >> 1]! += to - from;
    this.header(t, bytes, from, to);
  }

  /** Looks through header bytes for the subject. */
  header(t: number, bytes: Buffer, from: number, to: number): void {
    const w = this.#store.transactions.words;
    let state = w[t + T.headerState]!;
    if (state === Head.done) return;
    let at = from;
    while (at < to && state !== Head.done) {
      if (state === Head.skip || state === Head.name) {
        at = this.#skipLine(t, state, bytes, at, to);
        state = w[t + T.headerState]!;
      } else if (state === Head.value) {
        at = this.#value(t, bytes, at, to);
        state = w[t + T.headerState]!;
      } else {
        state = this.#begin(t, state, bytes[at]!);
        if (state !== Head.name && state !== Head.value) at++;
      }
    }
    if (this.#store.transactions.doubles[(t + T.bytes) >> 1]! > headerBytesMax) state = Head.done;
    w[t + T.headerState] = state;
  }

  /** A byte at or near the beginning of a header line. */
  #begin(t: number, state: number, byte: number): number {
    if (state >= Head.subject) return this.#matchName(t, state, byte);
    if (state === Head.colon) return Head.value;
    if (state === Head.cr) return byte === lineFeed ? Head.done : Head.skip;
    if (byte === lineFeed) {
      if (state === Head.afterValue) this.#endValue(t, state);
      return Head.done;
    }
    if (byte === carriageReturn) {
      if (state === Head.afterValue) this.#endValue(t, state);
      return Head.cr;
    }
    if (byte === 32 || byte === 9) return state === Head.afterValue ? Head.value : Head.skip;
    if (state === Head.afterValue && this.#endValue(t, state)) return Head.done;
    const bits = this.#store.transactions.words[t + T.bits]!;
    if ((byte | 32) === 115 && (bits & TxBit.subjectRead) === 0) return Head.subject + 1;
    if (byte === 77 || byte === 109) {
      if (this.#store.facts !== null && (bits & TxBit.messageIdRead) === 0)
        return Head.messageId + 1;
    }
    return Head.name;
  }

  #matchName(t: number, state: number, byte: number): number {
    const isId = state >= Head.messageId;
    const name = isId ? messageIdName : subjectName;
    const matched = state - (isId ? Head.messageId : Head.subject);
    const w = this.#store.transactions.words;
    if ((byte | 32) === name[matched]! || byte === name[matched]!) {
      if (matched < name.length - 1) return state + 1;
      w[t + T.bits]! |= isId ? TxBit.headers | TxBit.messageId : TxBit.headers;
      return Head.colon;
    }
    if (byte === 58) w[t + T.bits]! |= TxBit.headers;
    return byte === lineFeed ? Head.lineStart : byte === 58 ? Head.skip : Head.name;
  }

  /** To the end of a line; a colon in its name makes it a header line. */
  #skipLine(t: number, state: number, bytes: Buffer, from: number, to: number): number {
    const w = this.#store.transactions.words;
    let at = from;
    w[t + T.headerState] = Head.skip;
    if (state === Head.name) {
      while (at < to && bytes[at] !== 58 && bytes[at]! > 32) at++;
      if (at < to && bytes[at] === 58) w[t + T.bits]! |= TxBit.headers;
      w[t + T.headerState] = at < to ? Head.skip : Head.name;
    }
    while (at < to && bytes[at] !== lineFeed) at++;
    if (at === to) return to;
    w[t + T.headerState] = Head.lineStart;
    return at + 1;
  }

  #value(t: number, bytes: Buffer, from: number, to: number): number {
    const w = this.#store.transactions.words;
    let at = from;
    while (at < to && bytes[at] !== lineFeed) at++;
    const isId = (w[t + T.bits]! & TxBit.messageId) !== 0;
    if (isId && w[t + T.subject + 2] === 0 && at + 1 < to && bytes[at + 1]! > 32) {
      // It lies here whole, and need not be copied: nearly always.
      w[t + T.headerState] = this.#endMessageId(t, bytes, from, at) ? Head.done : Head.lineStart;
      return at + 1;
    }
    const room = valueBytesMax - w[t + T.subject + 2]!;
    this.#store.cells.keep(w, t + T.subject, bytes, from, Math.min(at, from + room));
    if (at === to) {
      w[t + T.headerState] = Head.value;
      return to;
    }
    w[t + T.headerState] = Head.afterValue;
    return at + 1;
  }

  /** A value is over, or breaks off; true when the rest of the header is of no interest. */
  #endValue(t: number, state: number): boolean {
    const w = this.#store.transactions.words;
    if ((w[t + T.bits]! & TxBit.messageId) === 0) {
      w[t + T.bits]! |= TxBit.subjectRead;
      this.#classify(t);
      return this.#store.facts === null || (w[t + T.bits]! & TxBit.messageIdRead) !== 0;
    }
    const scratch = this.#store.scratch;
    const length = this.#store.cells.copy(w, t + T.subject, scratch, 0);
    this.#store.cells.release(w, t + T.subject);
    // Of an unfinished line nobody knows how it would have gone on.
    const over = this.#endMessageId(t, scratch, 0, state === Head.afterValue ? length : 0);
    scratch.fill(0, 0, length);
    return over;
  }

  #endMessageId(t: number, bytes: Buffer, from: number, to: number): boolean {
    const w = this.#store.transactions.words;
    w[t + T.bits] = (w[t + T.bits]! & ~TxBit.messageId) | TxBit.messageIdRead;
    this.#store.facts?.messageId(t, bytes, from, to);
    return (w[t + T.bits]! & TxBit.subjectRead) !== 0;
  }

  /** Reduces the subject to its label class and forgets it. */
  #classify(t: number): void {
    const w = this.#store.transactions.words;
    const scratch = this.#store.scratch;
    const end = this.#store.cells.copy(w, t + T.subject, scratch, 0);
    this.#store.cells.release(w, t + T.subject);
    if (mayBeLabel(scratch, end)) {
      const found = labelOf(decodeSubject(scratch, 0, end));
      w[t + T.label] = found.label;
      if (found.code !== '') {
        const length = scratch.write(found.code, 0, 'latin1');
        this.#store.cells.keep(w, t + T.labelCode, scratch, 0, length);
      }
    }
    scratch.fill(0, 0, end);
  }
}

/** The first bytes of any subject that could carry a label; all others need no decoding. */
function mayBeLabel(bytes: Buffer, end: number): boolean {
  let at = 0;
  while (at < end && (bytes[at] === 32 || bytes[at] === 9 || bytes[at]! === carriageReturn)) at++;
  if (at === end) return false;
  const byte = bytes[at]!;
  if (byte >= 0x80 || byte === 61 || byte === 27 || byte === 43) return true;
  if (byte === 91 || byte === 40 || byte === 123 || byte === 60 || byte === 126) return true;
  return (byte | 32) === 97;
}

/** Dots inside lines after which a stretch is searched for the pair at once. */
const dotsMax = 4;

/**
 * First "\n." in [from, to), or -1. Base64 has no dots: one native search for a dot takes 29 ns for
 * a full segment, where the search for the pair, which stops at every line feed, takes 204. Text
 * with many dots is handed to the latter. Both take no end: the two bytes behind the range are
 * overwritten for the time of the search so that it stops there, since a view would cost 60 ns.
 */
function findLineDot(bytes: Buffer, from: number, to: number): number {
  const first = bytes[to]!;
  const second = bytes[to + 1]!;
  bytes[to] = lineFeed;
  bytes[to + 1] = dot;
  let at = from;
  let found = -1;
  for (let dots = 0; dots < dotsMax; dots++) {
    const next = bytes.indexOf(dot, at);
    if (next > from && bytes[next - 1] === lineFeed) {
      found = next - 1;
      break;
    }
    at = next + 1;
  }
  if (found < 0) found = bytes.indexOf(lineFeedDot, Math.max(at - 1, from));
  bytes[to] = first;
  bytes[to + 1] = second;
  // A line feed that is the range's last byte is told by the state behind it.
  return found >= to - 1 ? -1 : found;
}

/** State behind a stretch that has no "\n." in it. */
function stateBehind(bytes: Buffer, from: number, to: number): number {
  const last = bytes[to - 1]!;
  if (last === carriageReturn) return At.cr;
  if (last !== lineFeed) return At.middle;
  return to - 2 >= from && bytes[to - 2] === carriageReturn ? At.start : At.startBare;
}

/** One byte in a state at or near the beginning of a line; -1: it ends the data. */
function step(state: number, byte: number): number {
  switch (state) {
    case At.start:
      if (byte === dot) return At.dot;
      break;
    case At.startBare:
      if (byte === dot) return At.dotBare;
      break;
    case At.dot:
      if (byte === carriageReturn) return At.dotCr;
      if (byte === lineFeed) return -1;
      break;
    case At.dotBare:
      if (byte === carriageReturn) return At.dotBareCr;
      if (byte === lineFeed) return -1;
      break;
    default:
      if (byte === lineFeed) return -1;
  }
  if (byte === carriageReturn) return At.cr;
  return byte === lineFeed ? At.startBare : At.middle;
}
