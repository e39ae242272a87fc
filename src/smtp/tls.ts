// The clear part of a TLS handshake, and the short texts of a session: AUTH mechanism, SNI,
// version and JA4 in one chain, their lengths packed in a word.

import { type ClientHelloReader, Hello } from './client-hello.js';
import { type Store, X } from './store.js';

/** Bytes of a ClientHello that are waited for; with post-quantum keys it has about 1,800. */
const helloBytesMax = 16384;
/** Attempts at a ClientHello that comes in pieces. */
const attemptsMax = 64;

/** Bits of `X.textLengths`. */
export const enum TextLength {
  mechanism = 0,
  sni = 5,
  version = 13,
  ja4 = 17,
}

export class TlsReader {
  readonly #store: Store;
  readonly #hello: ClientHelloReader;

  constructor(store: Store, hello: ClientHelloReader) {
    this.#store = store;
    this.#hello = hello;
  }

  /** Takes bytes of the client's first flight. True when there is no more to learn. */
  feed(s: number, bytes: Buffer, from: number, to: number): boolean {
    const w = this.#store.sessions.words;
    const chain = s + X.clientLine;
    let source = bytes;
    let start = from;
    let end = to;
    if (w[chain + 2]! > 0) {
      const fits = w[chain + 2]! + (to - from) <= helloBytesMax;
      if (!fits || !this.#store.cells.keep(w, chain, bytes, from, to)) return this.#done(s);
      source = this.#store.scratch;
      start = 0;
      end = this.#store.cells.copy(w, chain, source, 0);
    } else {
      w[s + X.remaining] = attemptsMax;
    }
    const result = this.#hello.read(source, start, end);
    if (result === Hello.needMore) {
      if (--w[s + X.remaining]! <= 0) return this.#done(s);
      return w[chain + 2] === 0 && !this.#store.cells.keep(w, chain, bytes, from, to);
    }
    if (result === Hello.complete) this.#keep(s);
    return this.#done(s);
  }

  /** The name of an AUTH mechanism; the last one counts. */
  keepMechanism(s: number, bytes: Buffer, from: number, to: number): void {
    const w = this.#store.sessions.words;
    this.#store.cells.release(w, s + X.texts);
    this.#store.cells.keep(w, s + X.texts, bytes, from, to);
    w[s + X.textLengths] = to - from;
  }

  #keep(s: number): void {
    const w = this.#store.sessions.words;
    const scratch = this.#store.scratch;
    const sni = scratch.write(this.#hello.sni.slice(0, 255), 0, 'latin1');
    const version = scratch.write(this.#hello.version.slice(0, 15), sni, 'latin1');
    const ja4 = scratch.write(this.#hello.ja4.slice(0, 63), sni + version, 'latin1');
    this.#store.cells.keep(w, s + X.texts, scratch, 0, sni + version + ja4);
    w[s + X.textLengths]! |=
      (sni << TextLength.sni) | (version << TextLength.version) | (ja4 << TextLength.ja4);
  }

  #done(s: number): boolean {
    this.#store.cells.release(this.#store.sessions.words, s + X.clientLine);
    return true;
  }
}
