// The server's direction: lines into replies. Any three digits are a code; a reply that never ends,
// or has no code, is closed where the client goes on.

import type { Chunk } from '../flow/sink.js';
import { seqAdd } from '../lib/seq.js';
import { Anomaly } from './anomaly.js';
import type { Dialogue } from './dialogue.js';
import { Mode, Reply, waits } from './mode.js';
import { enhancedOf, replyBytesMax } from './reply-class.js';
import { Bit, type Store, X } from './store.js';

const lineFeed = 10;
const carriageReturn = 13;
/** What is kept of a line that comes in pieces: code, enhanced code and the extension's name. */
const keptBytes = 64;

/** What of a reply has been read, in `X.serverMode`. */
const enum State {
  none = 0,
  multiline = 1,
  noise = 2,
}

export class ServerReader {
  readonly #store: Store;
  readonly #dialogue: Dialogue;
  readonly #reply = new Reply();
  /** Bytes that are kept of a line in pieces. */
  readonly #keptBytes: number;
  #lines = 0;

  constructor(store: Store, dialogue: Dialogue) {
    this.#store = store;
    this.#dialogue = dialogue;
    this.#keptBytes = store.facts === null ? keptBytes : replyBytesMax;
  }

  /** Reads ordered bytes; gives how far, or -1 when the connection is encrypted from here on. */
  feed(c: Chunk): number {
    const s = c.session;
    const w = this.#store.sessions.words;
    this.#store.set(s, Bit.serverSeen);
    let at = c.from;
    while (at < c.to) {
      if (this.#isTls(s, c, at)) return -1;
      const waited = waits(w[s + X.clientMode]!);
      const end = lineEnd(c.bytes, at, c.to);
      const next = end < 0 ? this.#unfinished(c, at) : this.#line(c, at, end);
      w[s + X.serverNext] = seqAdd(c.seq, next - c.from);
      if (next === at) return at;
      at = next;
      // What the client sent meanwhile comes before the replies to it.
      if (waited && !waits(w[s + X.clientMode]!)) return at;
    }
    return at;
  }

  /** Bytes are missing: what was begun is gone, what follows begins in the middle of a line. */
  gap(c: Chunk): void {
    const s = c.session;
    const w = this.#store.sessions.words;
    this.#store.cells.release(w, s + X.serverLine);
    w[s + X.serverMode] = State.none;
    w[s + X.serverNext] = seqAdd(c.seq, c.missing);
    this.#store.set(s, Bit.discardServer | Bit.serverSeen);
    this.#store.facts?.serverGap(s);
    this.#dialogue.serverGap(s);
  }

  /** The client goes on, having received all there is: an unfinished reply was finished for it. */
  close(s: number, time: number, sides: number): void {
    const w = this.#store.sessions.words;
    if (w[s + X.serverLine + 2]! === 0 && w[s + X.serverMode] === State.none) return;
    let code = w[s + X.serverMode] === State.multiline ? w[s + X.replyCode]! : 0;
    if (w[s + X.serverLine + 2]! > 0) {
      const scratch = this.#store.scratch;
      const end = this.#store.cells.copy(w, s + X.serverLine, scratch, 0);
      this.#store.cells.release(w, s + X.serverLine);
      const own = codeOf(scratch, 0, end);
      if (own > 0) code = own;
    }
    const multiline = w[s + X.serverMode] === State.multiline;
    w[s + X.serverMode] = State.none;
    this.#store.countAnomaly(s, code === 0 ? Anomaly.replyWithoutCode : Anomaly.unfinishedReply);
    this.#begin(s, multiline ? 2 : 1, time, sides);
    this.#reply.code = code;
    this.#store.facts?.cut(s, multiline);
    this.#dialogue.reply(s, this.#reply);
    this.#store.facts?.replied(s);
  }

  /** TLS where STARTTLS was accepted, or where nobody greeted. */
  #isTls(s: number, c: Chunk, at: number): boolean {
    const w = this.#store.sessions.words;
    if (c.bytes[at] !== 0x16 || w[s + X.serverLine + 2]! > 0) return false;
    if (at + 1 < c.to && c.bytes[at + 1] !== 3) return false;
    const mode = w[s + X.clientMode]!;
    if (mode === Mode.tlsDue || mode === Mode.hello || w[s + X.startTls] === 1) {
      if (this.#store.has(s, Bit.implicitTls)) return true;
      w[s + X.startTls] = 3;
      return true;
    }
    if (this.#store.has(s, Bit.reply)) return false;
    this.#store.set(s, Bit.implicitTls);
    return true;
  }

  /** A piece of a line: its beginning is kept. */
  #unfinished(c: Chunk, at: number): number {
    const s = c.session;
    const w = this.#store.sessions.words;
    if (this.#store.has(s, Bit.discardServer)) {
      if (!looksLikeReply(c.bytes, at, c.to)) return c.to;
      this.#store.unset(s, Bit.discardServer);
    }
    const kept = w[s + X.serverLine + 2]!;
    if (kept === 0) this.#mark(s, c, at);
    const room = Math.min(c.to, at + Math.max(0, this.#keptBytes - kept));
    this.#store.cells.keep(w, s + X.serverLine, c.bytes, at, room);
    return c.to;
  }

  /** Remembers where a reply began. */
  #mark(s: number, c: Chunk, at: number): void {
    const w = this.#store.sessions.words;
    if (w[s + X.serverMode] === State.multiline) return;
    w[s + X.replyAck] = c.ack;
    w[s + X.replySeq] = seqAdd(c.seq, at - c.from);
  }

  /** A whole line, whose LF is at `end`; gives where the next begins, or `at` to wait. */
  #line(c: Chunk, at: number, end: number): number {
    const s = c.session;
    const w = this.#store.sessions.words;
    if (this.#store.has(s, Bit.discardServer)) {
      this.#store.unset(s, Bit.discardServer);
      if (!looksLikeReply(c.bytes, at, end)) {
        // The end of a line, or an answer without a code: what it answered is not known.
        if (w[s + X.queueHead]! >= 0) this.#store.set(s, Bit.resync);
        return end + 1;
      }
    }
    // The line counts as received when the client acknowledges its last byte.
    w[s + X.serverNext] = seqAdd(c.seq, end + 1 - c.from);
    if (w[s + X.serverLine + 2]! === 0) {
      this.#mark(s, c, at);
      return this.#judge(c, c.bytes, at, end) ? end + 1 : at;
    }
    const scratch = this.#store.scratch;
    let to = this.#store.cells.copy(w, s + X.serverLine, scratch, 0);
    const more = Math.min(end, at + Math.max(0, this.#keptBytes - to));
    for (let i = at; i < more; i++) scratch[to++] = c.bytes[i]!;
    if (!this.#judge(c, scratch, 0, to)) return at;
    this.#store.cells.release(w, s + X.serverLine);
    return end + 1;
  }

  /** Makes of a line a reply or a part of one; false if the dialogue wants it later. */
  #judge(c: Chunk, bytes: Buffer, from: number, lineTo: number): boolean {
    const s = c.session;
    const w = this.#store.sessions.words;
    const to = lineTo > from && bytes[lineTo - 1] === carriageReturn ? lineTo - 1 : lineTo;
    const code = codeOf(bytes, from, to);
    if (code < 0) {
      // Text inside a multi-line reply, or no reply at all: judged when the client goes on.
      if (w[s + X.serverMode] === State.none && to > from) {
        w[s + X.serverMode] = State.noise;
        this.#store.set(s, Bit.serverNoise);
      }
      return true;
    }
    const first = w[s + X.serverMode] !== State.multiline;
    if (first) this.#lines = 0;
    this.#lines++;
    if (first) w[s + X.replyCode] = code;
    if (code === 250) this.#extension(s, bytes, from + 4, to);
    this.#store.facts?.line(s, first, bytes, from, to);
    if (to - from > 3 && bytes[from + 3] === 45) {
      w[s + X.serverMode] = State.multiline;
      return true;
    }
    this.#begin(s, first ? 1 : Math.max(2, this.#lines), c.time, c.sides);
    this.#reply.code = w[s + X.replyCode]!;
    this.#reply.enhanced = enhancedOf(bytes, from + 4, to);
    if (!this.#dialogue.reply(s, this.#reply)) return false;
    this.#store.facts?.replied(s);
    w[s + X.serverMode] = State.none;
    return true;
  }

  #begin(s: number, lines: number, time: number, sides: number): void {
    const w = this.#store.sessions.words;
    const r = this.#reply;
    r.ack = w[s + X.replyAck]!;
    r.seq = w[s + X.replySeq]!;
    r.enhanced = -1;
    r.lines = lines;
    r.time = time;
    r.sides = sides;
  }

  /** STARTTLS among the extensions that EHLO is answered with. */
  #extension(s: number, bytes: Buffer, from: number, to: number): void {
    if (to - from < 8 || (bytes[from]! & 0xdf) !== 83 || (bytes[from + 5]! & 0xdf) !== 84) return;
    if (bytes.toString('latin1', from, from + 8).toUpperCase() !== 'STARTTLS') return;
    const w = this.#store.sessions.words;
    if (w[s + X.startTls] === 0) this.#store.set(s, Bit.starttlsOffered);
  }
}

/** Where the line's LF is, or -1. */
function lineEnd(bytes: Buffer, from: number, to: number): number {
  for (let at = from; at < to; at++) if (bytes[at] === lineFeed) return at;
  return -1;
}

/** Three digits and then nothing, a space, a hyphen or (as some servers say it) text; else -1. */
function codeOf(bytes: Uint8Array, from: number, to: number): number {
  if (to - from < 3) return -1;
  const a = bytes[from]! - 48;
  const b = bytes[from + 1]! - 48;
  const c = bytes[from + 2]! - 48;
  if (a < 1 || a > 9 || b < 0 || b > 9 || c < 0 || c > 9) return -1;
  if (to - from > 3) {
    const after = bytes[from + 3]! - 48;
    if (after >= 0 && after <= 9) return -1;
  }
  return a * 100 + b * 10 + c;
}

/** Whether bytes behind a gap are the beginning of a reply. */
function looksLikeReply(bytes: Uint8Array, from: number, to: number): boolean {
  if (codeOf(bytes, from, to) < 200) return false;
  return to - from > 3 ? bytes[from + 3] === 32 || bytes[from + 3] === 45 : true;
}
