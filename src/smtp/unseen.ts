// Reads replies to commands that were not seen: the server's side alone, or a loss on the client's.
// The reply's code, its enhanced code and how far its acknowledgement moved are all there is; what
// comes of it is a best reading, marked as such by `sides` or `gaps`.

import { Dir } from '../flow/sink.js';
import { seqDiff } from '../lib/seq.js';
import type { Body } from './body.js';
import { authOk, type Reply } from './mode.js';
import { Bit, type Store, T, TxBit, X } from './store.js';
import type { Transactions } from './transactions.js';

/** A command is at most 512 bytes (RFC 5321 section 4.5.3.1.4): more is a chunk. */
const commandBytesMax = 600;

export class Unseen {
  readonly #store: Store;
  readonly #body: Body;
  readonly #transactions: Transactions;

  constructor(store: Store, body: Body, transactions: Transactions) {
    this.#store = store;
    this.#body = body;
    this.#transactions = transactions;
  }

  /** Takes the reply. True if the client's next bytes, when they are seen, are data. */
  reply(s: number, r: Reply): boolean {
    const w = this.#store.sessions.words;
    let t = w[s + X.tx]!;
    const code = r.code;
    if (code === authOk) this.#store.set(s, Bit.authenticated);
    if (code === 354) return this.#data(s, r);
    if (t >= 0 && code < 300 && !this.#inData(t) && this.#transactions.isDead(s, t)) {
      this.#transactions.finish(s, r.time, true);
      t = -1;
    }
    if (t >= 0 && this.#inData(t)) {
      this.#final(s, t, r);
    } else if (code >= 300 && code < 400) {
      this.#store.set(s, Bit.auth);
    } else if (this.#store.has(s, Bit.auth) && w[s + X.authCode] === 0) {
      w[s + X.authAttempts]!++;
      w[s + X.authCode] = code;
      this.#store.facts?.auth(s, code);
    } else if (code === 220) {
      w[s + X.startTls] = 1;
    } else if (!this.#store.has(s, Bit.ready) && t < 0) {
      if (code < 300) this.#store.set(s, Bit.ready);
    } else if (code !== 221 && code !== 421) {
      this.#envelope(s, t, r);
    }
    return false;
  }

  #inData(t: number): boolean {
    const bits = this.#store.transactions.words[t + T.bits]!;
    return (bits & (TxBit.data | TxBit.chunking)) === TxBit.data;
  }

  #data(s: number, r: Reply): boolean {
    const w = this.#store.sessions.words;
    const tw = this.#store.transactions.words;
    const before = w[s + X.tx]!;
    // A second 354 in one envelope: the one before ended unseen.
    if (before >= 0 && this.#inData(before)) this.#transactions.finish(s, r.time, true);
    const t = this.#transactions.data(s, -1, r.time, true);
    if (t < 0) return false;
    tw[t + T.dataCode] = r.code;
    this.#store.facts?.data(s, t, -1, r.code);
    w[s + X.clientTx] = t;
    this.#store.set(s, Bit.ready);
    this.#body.begin(s, t);
    return true;
  }

  /** The reply behind 354 is the message's. */
  #final(s: number, t: number, r: Reply): void {
    const tw = this.#store.transactions.words;
    tw[t + T.bits]! |= TxBit.ended;
    tw[t + T.finalCode] = r.code;
    tw[t + T.finalBest] = r.code;
    this.#store.facts?.final(s, t, r.code);
    // What the server acknowledged between is the message and its dot line.
    const sent = seqDiff(r.ack, this.#store.sessions.words[s + X.lastReplyAck]!);
    if ((r.sides & (1 << Dir.client)) === 0 && sent >= 3) {
      this.#store.transactions.doubles[(t + T.bytes) >> 1] = sent - 3;
    }
    this.#transactions.finish(s, r.time, false);
  }

  #envelope(s: number, t: number, r: Reply): void {
    const w = this.#store.sessions.words;
    const moved = seqDiff(r.ack, w[s + X.lastReplyAck]!);
    const code = r.code;
    if (r.lines > 2 && code === 250) {
      // Only EHLO is answered at such length.
      this.#transactions.finish(s, r.time, false);
      return;
    }
    if (t >= 0 && this.#isChunk(t, r, moved)) {
      const tx = this.#transactions.data(s, -1, r.time, true);
      this.#store.transactions.words[tx + T.bits]! |= TxBit.chunking | TxBit.lostReply;
      // With the client in sight its next commands tell whether that chunk was the last.
      if ((r.sides & (1 << Dir.client)) === 0) this.#final(s, tx, r);
      return;
    }
    if (t >= 0 && code < 300 && (moved === 6 || r.enhanced === 0)) {
      // "RSET" and its line end.
      this.#transactions.finish(s, r.time, false);
      return;
    }
    if (t >= 0 && (r.enhanced !== 100 || code >= 300)) {
      this.#transactions.unseenRcpt(s, t, code);
      return;
    }
    if (code >= 300 || moved > commandBytesMax) return;
    this.#transactions.finish(s, r.time, true);
    const fresh = this.#transactions.openTentative(s, r.time);
    if (fresh < 0) return;
    this.#store.transactions.words[fresh + T.mailCode] = code;
    this.#store.facts?.mail(s, fresh, code);
  }

  /** A reply to a chunk (RFC 3030): more came than a command holds, or it speaks of a message. */
  #isChunk(t: number, r: Reply, moved: number): boolean {
    if (this.#store.transactions.words[t + T.rcptAccepted] === 0) return false;
    // X.0.0 also answers RSET, which is six bytes long with its line end.
    return moved > commandBytesMax || r.enhanced === 600 || (r.enhanced === 0 && moved > 6);
  }
}
