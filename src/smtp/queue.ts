// The commands of a session that wait for their replies, and what stands for lost ones: a list of
// entries, oldest first.

import { seqAdd, seqDiff } from '../lib/seq.js';
import type { Reply } from './mode.js';
import { E, type Store, X } from './store.js';
import { Verb } from './verb.js';

/** Bytes of the shortest MAIL: "MAIL FROM:<>" and its line end. */
export const mailBytesMin = 14;

export class Queue {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  append(s: number, e: number): void {
    const w = this.#store.sessions.words;
    if (w[s + X.queueHead]! < 0) w[s + X.queueHead] = e;
    else this.#store.entries.words[w[s + X.queueTail]! + E.next] = e;
    w[s + X.queueTail] = e;
    w[s + X.queueCount]!++;
  }

  /** One more reply to the end of the data is due, before whatever waits. */
  prepend(s: number, e: number): void {
    const w = this.#store.sessions.words;
    const ew = this.#store.entries.words;
    const head = w[s + X.queueHead]!;
    ew[e + E.end] = w[s + X.replyAck]!;
    ew[e + E.ack] = w[s + X.dataAck]!;
    ew[e + E.next] = head;
    w[s + X.queueHead] = e;
    if (head < 0) w[s + X.queueTail] = e;
    w[s + X.queueCount]!++;
  }

  /** Whether a server that had received up to `ack` may have answered an entry, or a gap's. */
  isReached(e: number, ack: number): boolean {
    const ew = this.#store.entries.words;
    if (ew[e + E.verb] !== Verb.gap) return seqDiff(ack, ew[e + E.end]!) >= 0;
    return seqDiff(ack, seqAdd(ew[e + E.end]!, -ew[e + E.size]!)) > 0;
  }

  /** Takes the oldest entry out. */
  pop(s: number): void {
    const w = this.#store.sessions.words;
    const head = w[s + X.queueHead]!;
    w[s + X.queueHead] = this.#store.entries.words[head + E.next]!;
    if (w[s + X.queueHead]! < 0) w[s + X.queueTail] = -1;
    w[s + X.queueCount]!--;
  }

  /** Whether bytes of the client are missing that could have decided the open transaction. */
  hasGap(s: number): boolean {
    const ew = this.#store.entries.words;
    let e = this.#store.sessions.words[s + X.queueHead]!;
    while (e >= 0 && ew[e + E.verb] !== Verb.gap) e = ew[e + E.next]!;
    return e >= 0;
  }

  /** Whether the reply can only answer bytes that we missed, not a later command that we know. */
  isInGap(s: number, r: Reply): boolean {
    const ew = this.#store.entries.words;
    const head = this.#store.sessions.words[s + X.queueHead]!;
    if (head < 0 || r.code === 354) return true;
    const next = ew[head + E.next]!;
    return next < 0 || seqDiff(r.ack, ew[next + E.end]!) < 0;
  }
}

/** Whether the replies that fell on a gap show that no MAIL was lost in it. */
export function isExplained(ew: Int32Array, e: number): boolean {
  return ew[e + E.size]! < mailBytesMin || (ew[e + E.value]! > 0 && ew[e + E.code] === 0);
}
