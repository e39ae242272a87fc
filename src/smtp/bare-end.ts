// A dot line with a bare LF (".\n", or "\n.\r\n"): it ends the data only if the server answers
// there (contracts 2.1). Between the two lies what is known as SMTP smuggling.

import { seqDiff } from '../lib/seq.js';
import { Anomaly } from './anomaly.js';
import type { Body } from './body.js';
import { Mode } from './mode.js';
import { type Store, T, TxBit, X } from './store.js';

/** Bytes of the shortest end of data that could follow a dot line: ".", CR, LF. */
const strictEndBytes = 3;

export class BareEnd {
  readonly #store: Store;
  readonly #body: Body;

  constructor(store: Store, body: Body) {
    this.#store = store;
    this.#body = body;
  }

  /**
   * Whether a reply, before which the server had received up to `ack`, can only answer the dot
   * line. If not, the client's reader is told to look what stood behind it (`Mode.probeEnd`).
   */
  isAnswer(s: number, ack: number): boolean {
    const w = this.#store.sessions.words;
    if (seqDiff(ack, w[s + X.dubiousEnd]!) < strictEndBytes) return true;
    w[s + X.clientMode] = Mode.probeEnd;
    return false;
  }

  /** It did end the data. */
  end(s: number): void {
    const w = this.#store.sessions.words;
    const t = w[s + X.clientTx]!;
    w[s + X.clientMode] = Mode.command;
    w[s + X.clientTx] = -1;
    if (t >= 0) this.#body.dropDotLine(t, w[s + X.remaining]!);
    this.#store.countAnomaly(s, Anomaly.bareLfEnd);
  }

  /** It did not: the data go on behind it. */
  resume(s: number): void {
    const w = this.#store.sessions.words;
    w[s + X.clientMode] = Mode.data;
    this.#body.resume(s, w[s + X.remaining]!);
  }

  /** It was the last that was sent: nobody said what it was. */
  unanswered(s: number): void {
    const w = this.#store.sessions.words;
    const t = w[s + X.clientTx]!;
    if (t < 0) return;
    this.#body.dropDotLine(t, w[s + X.remaining]!);
    this.#store.transactions.words[t + T.bits]! |= TxBit.lostReply;
  }
}
