// Rows without packets: plain objects into row areas (row-reader.ts reads them back). It follows
// the layout of src/batch/row.ts on its own, slowly and readably; a test holds it to what the
// packet plane writes.

import {
  At,
  AtAttempt,
  AtSession,
  AtTx,
  handshakeBit,
  RcptShift,
  RowKind,
  type RowSink,
  SessionFact,
  SessionShift,
  TxFact,
  TxShift,
} from '../../src/batch/row.js';
import { noLabel } from '../../src/batch/writer.js';
import type { SipHash } from '../../src/lib/siphash.js';

/** What all rows have. Texts are Latin-1: one character is one byte of the wire. */
export interface RowBase {
  /** Addresses as four words; an IPv4 address is 0, 0, 0xffff, word. */
  client: readonly number[];
  server: readonly number[];
  clientPort: number;
  serverPort: number;
  ip: number;
  vlan: readonly number[];
  /** High and low word of the flow number. */
  flow: readonly number[];
  sides: number;
  handshake: boolean;
  /** When it began and ended, microseconds. */
  started: number;
  time: number;
  gaps: number;
  /** Place among all rows, see `RowOrder`; time of the connection's last packet. */
  order: number;
  last: number;
  /** Whether there are facts; without them they all read 0. */
  facts: boolean;
}

export interface Recipient {
  /** null where only the reply was seen. */
  address: string | null;
  code: number;
  /** One of `ReplyClass`. */
  class: number;
  /** The hash of the mailbox, where it is known already. */
  hash?: readonly number[];
}

/** A mail transaction; see `RowCursor` and contracts 2.1 for what each field means. */
export interface TransactionRow extends RowBase {
  kind: 'transaction';
  helo: string | null;
  greeting: number;
  txId: number;
  /** null: a MAIL may have been there unseen; undefined: the server did without. */
  mailFrom: string | null | undefined;
  mailCode: number;
  mailClass: number;
  dataCode: number;
  dataClass: number;
  finalCode: number;
  finalClass: number;
  /** LMTP's. */
  finalCodes: readonly number[];
  outcome: number;
  chunking: boolean;
  authenticated: boolean;
  afterLoss: boolean;
  rotated: boolean;
  label: number;
  labelCode: string;
  /** -1 without a data phase; without SIZE. */
  bytes: number;
  sizeDeclared: number;
  rcpts: readonly Recipient[];
  rcptDropped: number;
  lists: number;
  /** Text, which is hashed, or the hash. */
  messageId: string | readonly number[];
}

export interface SessionRow extends RowBase {
  kind: 'session';
  helo: string | null;
  bannerCode: number;
  heloChanges: number;
  transactions: number;
  accepted: number;
  rcptOffered: number;
  rcptRefused: number;
  startTls: number;
  protocol: number;
  closed: number;
  authCode: number;
  authAttempts: number;
  /** null without AUTH. */
  mechanism: string | null;
  sni: string;
  version: string;
  ja4: string;
  bytesToServer: number;
  bytesToClient: number;
  packets: number;
  /** Number and times of each anomaly. */
  anomalies: readonly (readonly [number, number])[];
  greetingClass: number;
  heloClass: number;
  dialect: number;
  lists: number;
  asked: number;
  authFailures: number;
  authLengths: number;
  dataless: number;
  /** Recipients by `ReplyClass`. */
  rcptOutcomes: readonly number[];
}

export interface AttemptRow extends RowBase {
  kind: 'attempt';
  /** One of `FlowAttempt`. */
  attempt: number;
  syns: number;
}

export type Row = TransactionRow | SessionRow | AttemptRow;

const base: RowBase = {
  client: [0, 0, 0xffff, 0xcb007105 | 0],
  server: [0, 0, 0xffff, 0xc6336419 | 0],
  clientPort: 40000,
  serverPort: 25,
  ip: 4,
  vlan: [],
  flow: [1, 1],
  sides: 3,
  handshake: true,
  started: 1_700_000_000_000_000,
  time: 1_700_000_000_000_000,
  gaps: 0,
  order: 0,
  last: 1_700_000_000_000_000,
  facts: true,
};

/** A delivery to one recipient. */
const transactionDefaults: TransactionRow = {
  ...base,
  kind: 'transaction',
  helo: 'client.example.org',
  greeting: 1,
  txId: 0,
  mailFrom: 'a@example.org',
  mailCode: 250,
  mailClass: 1,
  dataCode: 354,
  dataClass: 1,
  finalCode: 250,
  finalClass: 1,
  finalCodes: [],
  outcome: 0,
  chunking: false,
  authenticated: false,
  afterLoss: false,
  rotated: false,
  label: noLabel,
  labelCode: '',
  bytes: 1000,
  sizeDeclared: -1,
  rcpts: [{ address: 'b@example.net', code: 250, class: 1 }],
  rcptDropped: 0,
  lists: 0,
  messageId: [0, 0, 0, 0],
};

const sessionDefaults: SessionRow = {
  ...base,
  kind: 'session',
  helo: 'client.example.org',
  bannerCode: 220,
  heloChanges: 0,
  transactions: 1,
  accepted: 1,
  rcptOffered: 1,
  rcptRefused: 0,
  startTls: 0,
  protocol: 1,
  closed: 0,
  authCode: 0,
  authAttempts: 0,
  mechanism: null,
  sni: '',
  version: '',
  ja4: '',
  bytesToServer: 1500,
  bytesToClient: 500,
  packets: 20,
  anomalies: [],
  greetingClass: 1,
  heloClass: 1,
  dialect: 1,
  lists: 0,
  asked: 0,
  authFailures: 0,
  authLengths: 0,
  dataless: 0,
  rcptOutcomes: [0, 1, 0, 0, 0, 0, 0, 0],
};

const attemptDefaults: AttemptRow = {
  ...base,
  kind: 'attempt',
  handshake: false,
  facts: false,
  attempt: 1,
  syns: 1,
};

const areaBytes = 1 << 20;
const portionBytes = 256 * 1024;

/**
 * Writes rows into one area. With a sink the rows so far are handed on when a portion is full, and
 * by `flush`; without one, take `area` and `length` and then `clear`.
 */
export class RowEncoder {
  readonly area = new ArrayBuffer(areaBytes);
  readonly #words = new Int32Array(this.area);
  readonly #doubles = new Float64Array(this.area);
  readonly #bytes = Buffer.from(this.area);
  readonly #hash: SipHash | null;
  readonly #sink: RowSink | null;
  #base = 0;
  #used = 0;

  /** `hash` is the engine's (null: the hashes are 0). */
  constructor(hash: SipHash | null = null, sink: RowSink | null = null) {
    this.#hash = hash;
    this.#sink = sink;
  }

  /** Bytes of the rows so far. */
  get length(): number {
    return this.#used * 4;
  }

  clear(): void {
    this.#used = 0;
  }

  /** Hands the rows so far to the sink. */
  flush(): void {
    if (this.#used > 0) this.#sink?.rows(this.area, this.length);
    this.clear();
  }

  /** Writes any row. */
  row(row: Row): this {
    if (row.kind === 'transaction') return this.transaction(row);
    return row.kind === 'session' ? this.session(row) : this.attempt(row);
  }

  /** Writes a transaction; what is left out is an ordinary delivery's. */
  transaction(fields: Partial<TransactionRow> = {}): this {
    const f = { ...transactionDefaults, ...fields };
    if (!('mailFrom' in fields)) f.mailFrom = transactionDefaults.mailFrom;
    this.#begin(RowKind.transaction, f);
    this.#double(AtTx.bytes, f.bytes);
    this.#double(AtTx.sizeDeclared, f.sizeDeclared);
    this.#set(AtTx.txId, f.txId, f.mailCode, f.dataCode, f.finalCode, packedTransaction(f));
    this.#set(AtTx.rcptCount, f.rcpts.length, f.rcptDropped);
    const mailFrom = f.mailFrom === undefined ? -2 : lengthOf(f.mailFrom);
    this.#set(AtTx.mailFrom, mailFrom, f.labelCode.length, f.finalCodes.length);
    this.#set(At.helo, lengthOf(f.helo));
    let at: number = AtTx.tables;
    for (const rcpt of f.rcpts) {
      const replyClass = f.facts ? rcpt.class : 0;
      this.#set(at, rcpt.code | (replyClass << RcptShift.class), lengthOf(rcpt.address));
      at += 2;
    }
    this.#set(at, ...f.finalCodes);
    at += f.finalCodes.length;
    const texts = f.rcpts.map((rcpt) => rcpt.address ?? '');
    let end = this.#texts(at, [f.helo ?? '', f.mailFrom ?? '', f.labelCode, ...texts]);
    if (f.facts) {
      this.#set(At.facts, end);
      this.#set(end + TxFact.lists, f.lists);
      this.#set(end + TxFact.messageId, ...this.#hashOf(f.messageId, false));
      end += TxFact.rcpt;
      for (const { address, hash } of f.rcpts) {
        this.#set(end, ...this.#hashOf(hash ?? address ?? [0, 0, 0, 0], true));
        end += 4;
      }
    }
    return this.#close(end);
  }

  /** Writes a session; what is left out is one of an ordinary delivery. */
  session(fields: Partial<SessionRow> = {}): this {
    const f = { ...sessionDefaults, ...fields };
    this.#begin(RowKind.session, f);
    this.#double(AtSession.bytesToServer, f.bytesToServer);
    this.#double(AtSession.bytesToClient, f.bytesToClient);
    this.#double(AtSession.packets, f.packets);
    this.#set(AtSession.bannerCode, f.bannerCode, f.heloChanges, f.transactions, f.accepted);
    this.#set(AtSession.rcptOffered, f.rcptOffered, f.rcptRefused, packedSession(f), f.authCode);
    this.#set(AtSession.authAttempts, f.authAttempts, lengthOf(f.mechanism), f.sni.length);
    this.#set(AtSession.version, f.version.length, f.ja4.length, f.anomalies.length);
    this.#set(At.helo, lengthOf(f.helo));
    this.#set(AtSession.tables, ...f.anomalies.flat());
    const tables = AtSession.tables + f.anomalies.length * 2;
    const end = this.#texts(tables, [f.helo ?? '', f.mechanism ?? '', f.sni, f.version, f.ja4]);
    if (!f.facts) return this.#close(end);
    this.#set(At.facts, end);
    this.#set(end, f.dialect, f.lists, f.asked, f.authFailures, f.authLengths, f.dataless);
    this.#set(end + SessionFact.rcpt, ...f.rcptOutcomes);
    return this.#close(end + SessionFact.size);
  }

  /** Writes an attempt; what is left out is one that a RST refused. */
  attempt(fields: Partial<AttemptRow> = {}): this {
    const f = { ...attemptDefaults, ...fields };
    this.#begin(RowKind.attempt, f);
    this.#set(At.helo, -1);
    this.#set(AtAttempt.kind, f.attempt, f.syns);
    return this.#close(AtAttempt.size);
  }

  #begin(kind: number, f: RowBase): void {
    if (this.#sink !== null && this.length > portionBytes) this.flush();
    this.#base = this.#used;
    const sides = (f.sides << 8) | (f.handshake ? handshakeBit : 0);
    this.#set(At.kind, kind | sides | (f.ip << 16) | (f.vlan.length << 24));
    this.#set(At.client, ...f.client, ...f.server, (f.clientPort << 16) | f.serverPort);
    const [outer = 0, middle = 0, inner = 0] = f.vlan;
    this.#set(At.vlan, outer | (middle << 12), inner);
    this.#double(At.time, f.time);
    this.#double(At.started, f.started);
    this.#set(At.flowHigh, ...f.flow);
    this.#double(At.gaps, f.gaps);
    this.#double(At.order, f.order);
    this.#double(At.last, f.last);
    this.#set(At.facts, 0);
  }

  /** Writes words from `at` on. */
  #set(at: number, ...values: readonly number[]): void {
    this.#words.set(values, this.#base + at);
  }

  #double(at: number, value: number): void {
    this.#doubles[(this.#base + at) >> 1] = value;
  }

  /** Texts behind word `at`; gives the word behind them. */
  #texts(at: number, texts: readonly string[]): number {
    const from = (this.#base + at) * 4;
    const length = this.#bytes.write(texts.join(''), from, 'latin1');
    const words = (length + 3) >> 2;
    this.#bytes.fill(0, from + length, from + words * 4);
    return at + words;
  }

  #hashOf(text: string | readonly number[], fold: boolean): readonly number[] {
    if (typeof text !== 'string') return text;
    const hash = this.#hash;
    if (hash === null) return [0, 0, 0, 0];
    const bytes = Buffer.from(text, 'latin1');
    hash.hash(bytes, 0, bytes.length, fold);
    return [hash.h0, hash.h1, hash.h2, hash.h3];
  }

  #close(words: number): this {
    this.#words[this.#base + words] = 0;
    const size = (words + 1) & ~1;
    this.#words[this.#base + At.size] = size;
    this.#used = this.#base + size;
    return this;
  }
}

function lengthOf(text: string | null): number {
  return text === null ? -1 : text.length;
}

function packedTransaction(f: TransactionRow): number {
  let word = f.outcome | (f.greeting << 4) | (f.label << 8) | (f.chunking ? 1 << 12 : 0);
  if (f.authenticated) word |= 1 << TxShift.authenticated;
  if (f.afterLoss) word |= 1 << TxShift.afterLoss;
  if (!f.facts) return word;
  if (f.rotated) word |= 1 << TxShift.rotated;
  word |= f.mailClass << TxShift.mailClass;
  return word | (f.dataClass << TxShift.dataClass) | (f.finalClass << TxShift.finalClass);
}

function packedSession(f: SessionRow): number {
  const word = f.startTls | (f.protocol << 4) | (f.closed << 8);
  if (!f.facts) return word;
  return (
    word | (f.greetingClass << SessionShift.greetingClass) | (f.heloClass << SessionShift.heloClass)
  );
}
