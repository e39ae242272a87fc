// Row areas as the packet plane hands them over, built field by field from the layout in
// src/batch/row.ts. For tests of what reads rows; what writes them has tests of its own.

import { At, AtSession, AtTx, Outcome, Protocol, RowKind, Sides } from '../../src/batch/row.js';

export interface RowFields {
  /** The client's address as four words; an IPv4 address is 0, 0, 0xffff, word. */
  client?: readonly number[];
  /** When it ended, microseconds. */
  time?: number;
  sides?: number;
  gaps?: number;
}

export interface TransactionFields extends RowFields {
  outcome?: number;
  bytes?: number;
  rcptCodes?: readonly number[];
}

export interface SessionFields extends RowFields {
  protocol?: number;
  closed?: number;
  startTls?: number;
}

const areaWords = 1 << 20;

/** Collects rows; hand `area` and `length` to a sink, then `clear`. */
export class RowArea {
  readonly area = new ArrayBuffer(areaWords * 4);
  readonly #words = new Int32Array(this.area);
  readonly #doubles = new Float64Array(this.area);
  #next = 0;

  get length(): number {
    return this.#next * 4;
  }

  clear(): void {
    this.#words.fill(0, 0, this.#next);
    this.#next = 0;
  }

  transaction(fields: TransactionFields = {}): this {
    const codes = fields.rcptCodes ?? [250];
    const base = this.#begin(RowKind.transaction, fields, AtTx.tables + codes.length * 2);
    this.#doubles[(base + AtTx.bytes) >> 1] = fields.bytes ?? 1000;
    this.#words[base + AtTx.words] = fields.outcome ?? Outcome.accepted;
    this.#words[base + AtTx.rcptCount] = codes.length;
    codes.forEach((code, at) => {
      this.#words[base + AtTx.tables + at * 2] = code;
    });
    return this;
  }

  session(fields: SessionFields = {}): this {
    const base = this.#begin(RowKind.session, fields, AtSession.tables);
    const protocol = (fields.protocol ?? Protocol.smtp) << 4;
    const closed = (fields.closed ?? 0) << 8;
    this.#words[base + AtSession.words] = (fields.startTls ?? 0) | protocol | closed;
    return this;
  }

  #begin(kind: number, fields: RowFields, words: number): number {
    const base = this.#next;
    const size = (words + 1) & ~1;
    this.#next += size;
    this.#words[base + At.size] = size;
    this.#words[base + At.kind] = kind | ((fields.sides ?? Sides.both) << 8) | (4 << 16);
    const client = fields.client ?? [0, 0, 0xffff, 0xcb007105 | 0];
    this.#words.set(client, base + At.client);
    this.#doubles[(base + At.time) >> 1] = fields.time ?? 1_700_000_000_000_000;
    this.#doubles[(base + At.gaps) >> 1] = fields.gaps ?? 0;
    return base;
  }
}
