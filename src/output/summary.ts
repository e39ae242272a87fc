// Counts finished transactions and sessions for the summary that people read. Here is the counting;
// the page itself is written in `page.ts`. Memory is bounded however long the capture is.

import {
  At,
  AtTx,
  closedNames,
  Outcome,
  outcomeNames,
  Protocol,
  protocolNames,
  RowCursor,
  RowKind,
  type RowSink,
  StartTls,
  sidesNames,
  startTlsNames,
} from '../batch/row.js';
import { ClientTable, Timeline } from './top.js';

/** Counts by the names of the row's words. */
export class Tally {
  readonly names: readonly string[];
  readonly counts: number[];

  constructor(names: readonly string[]) {
    this.names = names;
    this.counts = names.map(() => 0);
  }

  add(value: number): void {
    if (value < this.counts.length) this.counts[value]! += 1;
  }

  of(value: number): number {
    return this.counts[value] ?? 0;
  }

  get total(): number {
    return this.counts.reduce((sum, value) => sum + value, 0);
  }
}

/** What a replay found. Takes rows and can be read at any time. */
export class Summary implements RowSink {
  readonly #cursor = new RowCursor();
  readonly outcomes = new Tally(outcomeNames);
  readonly protocols = new Tally(protocolNames);
  readonly closed = new Tally(closedNames);
  readonly sides = new Tally(sidesNames);
  readonly startTls = new Tally(startTlsNames);
  readonly clients = new ClientTable();
  readonly timeline = new Timeline();
  sessions = 0;
  /** Sessions whose content is encrypted: from the first byte, or since STARTTLS. */
  encrypted = 0;
  transactions = 0;
  /** Transactions and sessions with bytes missing inside. */
  damaged = 0;
  damagedSessions = 0;
  /** Bytes of all messages, as far as they were seen. */
  messageBytes = 0;
  rcptOffered = 0;
  rcptRefused = 0;

  rows(area: ArrayBuffer, length: number): void {
    const row = this.#cursor;
    row.open(area, length);
    while (row.next()) {
      if (row.kind === RowKind.transaction) this.#transaction(row);
      else if (row.kind === RowKind.session) this.#session(row);
    }
  }

  #transaction(row: RowCursor): void {
    this.transactions += 1;
    this.outcomes.add(row.outcome);
    this.timeline.add(row.time);
    if (row.gaps > 0) this.damaged += 1;
    const bytes = row.double(AtTx.bytes);
    if (bytes > 0) this.messageBytes += bytes;
    let refused = 0;
    for (let at = 0; at < row.rcptCount; at++) if (row.rcptCode(at) >= 400) refused += 1;
    this.rcptOffered += row.rcptCount + row.word(AtTx.rcptDropped);
    this.rcptRefused += refused;
    const client = this.#clientOf(row);
    client.messages += 1;
    client.refusals += refused + (row.outcome === Outcome.rejected ? 1 : 0);
  }

  #session(row: RowCursor): void {
    this.sessions += 1;
    this.protocols.add(row.protocol);
    this.closed.add(row.closed);
    this.sides.add(row.sides);
    this.startTls.add(row.startTls);
    if (row.gaps > 0) this.damagedSessions += 1;
    if (row.protocol === Protocol.tls || row.startTls === StartTls.established) this.encrypted += 1;
    this.#clientOf(row).sessions += 1;
  }

  #clientOf(row: RowCursor) {
    return this.clients.client(
      row.word(At.client),
      row.word(At.client + 1),
      row.word(At.client + 2),
      row.word(At.client + 3),
    );
  }
}
