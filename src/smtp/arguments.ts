// The arguments of commands: names and sizes are kept, secrets are passed over.

import { Anomaly } from './anomaly.js';
import { decimal, isSpace, Path, parsePath, sizeParameter } from './path.js';
import { Bit, nameBytesMax, type Store, X } from './store.js';
import type { TlsReader } from './tls.js';

const verbBytes = 4;
const chunkBytesMax = 0x7fffffff;
const mechanismBytesMax = 20;

/** Reads the argument of the line that `take` was given last. */
export class Arguments {
  readonly #store: Store;
  readonly #tls: TlsReader;
  readonly #path = new Path();
  #bytes: Buffer = Buffer.alloc(0);
  /** Behind the verb and the white space after it. */
  #from = 0;
  #to = 0;
  /** After `chunk`: it said LAST. */
  last = false;

  constructor(store: Store, tls: TlsReader) {
    this.#store = store;
    this.#tls = tls;
  }

  /** The line [from, to) without its end; borrowed until the next call. */
  take(bytes: Buffer, from: number, to: number): void {
    this.#bytes = bytes;
    this.#to = to;
    this.#from = this.#skipSpace(Math.min(from + verbBytes, to));
  }

  /** HELO's name into a chain. */
  name(s: number, words: Int32Array, chain: number): void {
    let end = this.#to;
    while (end > this.#from && isSpace(this.#bytes[end - 1]!)) end--;
    this.#keep(s, words, chain, this.#from, end);
  }

  /** The mailbox of MAIL or RCPT into a chain; false if there is no path. */
  mailbox(s: number, words: Int32Array, chain: number): boolean {
    const path = this.#path;
    if (!parsePath(this.#bytes, this.#from, this.#to, path)) return false;
    if (!path.brackets) this.#store.countAnomaly(s, Anomaly.noBrackets);
    this.#keep(s, words, chain, path.from, path.to);
    return true;
  }

  /** After `mailbox`: SIZE= (RFC 1870), or -1. */
  size(): number {
    return sizeParameter(this.#bytes, this.#path.rest, this.#to);
  }

  /** BDAT size [LAST] (RFC 3030 section 2): the size, -1 if it is none. Sets `last`. */
  chunk(): number {
    const bytes = this.#bytes;
    const size = decimal(bytes, this.#from, this.#to);
    let at = this.#from;
    while (at < this.#to && !isSpace(bytes[at]!)) at++;
    at = this.#skipSpace(at);
    const word = bytes.toString('latin1', at, Math.min(at + 4, this.#to));
    this.last = word.toUpperCase() === 'LAST';
    return size > chunkBytesMax ? -1 : size;
  }

  /**
   * AUTH (RFC 4954): the mechanism's name. What stands behind it is a secret and not read. Leaves
   * in `X.remaining` how many lines the client will answer with, -1 if unknown, for when nobody is
   * there to ask for them.
   */
  auth(s: number): void {
    const w = this.#store.sessions.words;
    const bytes = this.#bytes;
    let end = this.#from;
    const stop = Math.min(this.#to, this.#from + mechanismBytesMax);
    while (end < stop && bytes[end]! > 32 && bytes[end]! < 127) end++;
    w[s + X.authAttempts]!++;
    w[s + X.authCode] = 0;
    this.#store.set(s, Bit.auth);
    this.#tls.keepMechanism(s, bytes, this.#from, end);
    while (end < this.#to && !isSpace(bytes[end]!)) end++;
    w[s + X.remaining] = authLines(bytes, this.#from, this.#skipSpace(end) < this.#to);
  }

  #skipSpace(from: number): number {
    let at = from;
    while (at < this.#to && isSpace(this.#bytes[at]!)) at++;
    return at;
  }

  #keep(s: number, words: Int32Array, chain: number, from: number, to: number): void {
    const stop = Math.min(to, from + nameBytesMax);
    if (stop < to) this.#store.countAnomaly(s, Anomaly.nameTooLong);
    if (!this.#store.cells.keep(words, chain, this.#bytes, from, stop)) this.#store.exhausted++;
  }
}

/** Lines that a client answers a mechanism with; -1 if unknown. */
function authLines(bytes: Buffer, from: number, initial: boolean): number {
  const name = bytes.toString('latin1', from, from + 5).toUpperCase();
  if (name.startsWith('LOGIN')) return initial ? 1 : 2;
  if (name.startsWith('PLAIN')) return initial ? 0 : 1;
  return name.startsWith('CRAM-') ? 1 : -1;
}
