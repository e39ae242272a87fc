// Mail by its direction, as seen from the provider's own networks: what the rows say, counted for
// the metrics. No address, mailbox or domain leaves this file: all that it keeps are numbers.

import { At, outcomeNames, Protocol, RowCursor, RowKind, StartTls } from '../batch/row.js';
import { Place, type Register } from '../register/register.js';
import { anomalyNames } from '../smtp/anomaly.js';
import { replyClassNames } from '../smtp/reply-class.js';

/**
 * - out: from an own address to a foreign one; in: the other way
 * - inside: between own addresses; through: between foreign ones
 * - unknown: no network is configured, so nobody knows
 */
export const directions = ['out', 'in', 'inside', 'through', 'unknown'] as const;
const unknown = 4;

const tlsNames = ['none', 'starttls', 'from-start'] as const;
const attemptNames = ['unknown', 'refused', 'silent'] as const;

/** Counts for each pair of two words. */
class Grid {
  readonly #words: readonly string[];
  readonly #counts: Float64Array;

  constructor(words: readonly string[]) {
    this.#words = words;
    this.#counts = new Float64Array(directions.length * words.length);
  }

  add(direction: number, word: number): void {
    this.#counts[direction * this.#words.length + word]! += 1;
  }

  /** By direction and word; directions without a single one are left out. */
  figures(isKnown: boolean): Record<string, Record<string, number>> {
    const width = this.#words.length;
    const rows = directions.map((direction, index): [string, Record<string, number>] => {
      const counts = this.#counts.subarray(index * width, (index + 1) * width);
      return [direction, Object.fromEntries(this.#words.map((word, at) => [word, counts[at]!]))];
    });
    // A series that begins with its first count would hide that count from every rate.
    return Object.fromEntries(
      rows.filter(([direction, counts]) => {
        const isUsual = (direction === 'unknown') !== isKnown;
        return isUsual || Object.values(counts).some((count) => count > 0);
      }),
    );
  }
}

/** What `MailTally` counted, each by direction. */
export interface MailFigures {
  /** By `outcomeNames`. */
  readonly transactions: object;
  /** By `replyClassNames`. */
  readonly recipients: object;
  /** By how TLS began, if it did. */
  readonly sessions: object;
  /** Connections to mail ports that never opened, by what answered. */
  readonly attempts: object;
  readonly anomalies: Readonly<Record<string, number>>;
}

export class MailTally {
  readonly #row = new RowCursor();
  readonly #place = new Place();
  readonly #transactions = new Grid(outcomeNames);
  readonly #recipients = new Grid(replyClassNames);
  readonly #sessions = new Grid(tlsNames);
  readonly #attempts = new Grid(attemptNames);
  readonly #anomalies = new Float64Array(anomalyNames.length);

  /** Counts the rows of an area as the register sees their addresses. */
  rows(area: ArrayBuffer, length: number, register: Register): void {
    const row = this.#row;
    row.open(area, length);
    while (row.next()) {
      const direction = this.#direction(register);
      if (row.kind === RowKind.transaction) this.#transaction(direction);
      else if (row.kind === RowKind.session) this.#session(direction);
      else this.#attempts.add(direction, row.attemptKind);
    }
  }

  figures(register: Register): MailFigures {
    const isKnown = !register.knowsNothingOwn;
    const anomalies = anomalyNames.map((name, index) => [name, this.#anomalies[index]!]);
    return {
      transactions: this.#transactions.figures(isKnown),
      recipients: this.#recipients.figures(isKnown),
      sessions: this.#sessions.figures(isKnown),
      attempts: this.#attempts.figures(isKnown),
      anomalies: Object.fromEntries(anomalies),
    };
  }

  #transaction(direction: number): void {
    const row = this.#row;
    this.#transactions.add(direction, row.outcome);
    for (let rcpt = 0; rcpt < row.rcptCount; rcpt++) {
      this.#recipients.add(direction, row.rcptClass(rcpt));
    }
  }

  #session(direction: number): void {
    const row = this.#row;
    const isWrapped = row.protocol === Protocol.tls;
    const isStarted = row.startTls === StartTls.established;
    this.#sessions.add(direction, isWrapped ? 2 : isStarted ? 1 : 0);
    for (let index = 0; index < row.anomalyCount; index++) {
      this.#anomalies[row.anomalyId(index)]! += row.anomalyTimes(index);
    }
  }

  #direction(register: Register): number {
    if (register.knowsNothingOwn) return unknown;
    const isFromOwn = this.#isOwn(At.client, register);
    const isToOwn = this.#isOwn(At.server, register);
    if (isFromOwn) return isToOwn ? 2 : 0;
    return isToOwn ? 1 : 3;
  }

  #isOwn(at: number, register: Register): boolean {
    const row = this.#row;
    const place = this.#place;
    place.point(row.word(at), row.word(at + 1), row.word(at + 2), row.word(at + 3));
    register.lookup(place, row.time);
    return place.own;
  }
}
