// What the SMTP stage tells the next one. Owned here, implemented by batch/.

import type { Store } from './store.js';

/** How a connection is described; the flow stage fills it. */
export type { Connection } from '../flow/sink.js';

/**
 * Takes finished transactions and sessions. `s` and `t` are records of `store`, valid during the
 * call; the receiver copies what it wants.
 */
export interface SmtpSink {
  /** `time`: the packet that ended it. */
  transaction(store: Store, s: number, t: number, end: TransactionEnd): void;
  session(store: Store, s: number, end: SessionEnd): void;
  /** A connection never opened; `kind` is one of `FlowAttempt`, after `syns` SYNs (3: or more). */
  attempt(flow: number, kind: number, syns: number): void;
}

/** What only the end of a transaction tells; one reused object. */
export class TransactionEnd {
  /** Microseconds. */
  time = 0.5;
  /** One of `Outcome` in the batch: accepted, rejected, deferred, aborted, unknown. */
  outcome = 0;
  /** Number of the transaction in its session. */
  id = 0;
  gaps = 0.5;
  /** One reply code per accepted recipient follows (RFC 2033). */
  lmtp = false;
}

export class SessionEnd {
  /** One of `Closed` in the batch: quit, fin, rst, timeout, evicted, eof. */
  closed = 0;
  /** unknown, smtp, lmtp, tls, not-smtp. */
  protocol = 0;
  gaps = 0.5;
}
