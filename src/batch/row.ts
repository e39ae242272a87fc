// The row: the fixed-layout record in which a finished transaction or session, or an attempt at
// one, leaves the packet plane. Here are its layout, its words and the cursor that reads it;
// `writer.ts` writes it.
//
// A row starts on an 8-byte boundary and is read through three views of one ArrayBuffer:
//
//   words (int32)   0 size of the row in words, even        12,13 VLAN identifiers, outer first
//                   1 kind, sides, IP version, VLAN count    14,16 times (float64, microseconds)
//                   2-5 client address   6-9 server address  18,19 flow number
//                   10 ports             24,26 place among all rows, see `RowOrder`
//                   23 where the facts begin, 0: none        28 .. fields of the kind, below
//   then            tables (int32), then texts (bytes), padded to 4
//   then            facts (int32): what only detectors ask for; the row ends on 8
//
// 30,000 sessions a second are about 60 MB of rows: nothing here is an object until somebody asks.

/** What a row tells of. */
export const enum RowKind {
  transaction = 1,
  session = 2,
  attempt = 3,
}

/** Directions of which any packet was seen (contracts: `sides`). */
export const enum Sides {
  client = 1,
  server = 2,
  both = 3,
}
export const sidesNames = ['unknown', 'client', 'server', 'both'] as const;

export const enum Outcome {
  accepted = 0,
  rejected = 1,
  deferred = 2,
  aborted = 3,
  unknown = 4,
}
export const outcomeNames = ['accepted', 'rejected', 'deferred', 'aborted', 'unknown'] as const;

export const greetingNames = ['', 'ehlo', 'helo', 'lhlo'] as const;

export const enum StartTls {
  none = 0,
  offered = 1,
  refused = 2,
  established = 3,
  broken = 4,
}
export const startTlsNames = ['none', 'offered', 'refused', 'established', 'broken'] as const;

export const enum Protocol {
  unknown = 0,
  smtp = 1,
  lmtp = 2,
  tls = 3,
  notSmtp = 4,
}
export const protocolNames = ['unknown', 'smtp', 'lmtp', 'tls', 'not-smtp'] as const;

export const Closed = { quit: 0, fin: 1, rst: 2, timeout: 3, evicted: 4, eof: 5 } as const;
export const closedNames = ['quit', 'fin', 'rst', 'timeout', 'evicted', 'eof'] as const;

/** Word offsets of every row. */
export const enum At {
  size = 0,
  kind = 1,
  client = 2,
  server = 6,
  ports = 10,
  vlan = 12,
  time = 14,
  started = 16,
  flowHigh = 18,
  flowLow = 19,
  gaps = 20,
  helo = 22,
  /** Words from the row's first to the facts. */
  facts = 23,
  order = 24,
  last = 26,
}

/** Word offsets of a transaction row. Codes are 0 where absent; lengths are -1 where null. */
export const enum AtTx {
  bytes = 28,
  sizeDeclared = 30,
  txId = 32,
  mailCode = 33,
  dataCode = 34,
  finalCode = 35,
  words = 36,
  rcptCount = 37,
  rcptDropped = 38,
  mailFrom = 39,
  labelCode = 40,
  finalCodes = 41,
  tables = 42,
}

/** Word offsets of an attempt row, which has no facts and no texts. */
export const enum AtAttempt {
  kind = 28,
  syns = 29,
  size = 30,
}

/** Word offsets in the facts of a transaction; behind them four words for each recipient. */
export const enum TxFact {
  lists = 0,
  messageId = 1,
  rcpt = 5,
}

/** Word offsets in the facts of a session; `rcpt` has one word for each `ReplyClass`. */
export const enum SessionFact {
  dialect = 0,
  lists = 1,
  asked = 2,
  authFailures = 3,
  authLengths = 4,
  dataless = 5,
  rcpt = 6,
  size = 14,
}

/** Shifts in the packed word of a transaction, of a session, and in a recipient's code. */
export const enum TxShift {
  authenticated = 13,
  rotated = 14,
  afterLoss = 15,
  mailClass = 16,
  dataClass = 20,
  finalClass = 24,
}
export const enum SessionShift {
  greetingClass = 16,
  heloClass = 20,
}
export const enum RcptShift {
  class = 16,
}

/** In `At.kind`: a SYN-ACK was seen, and then acknowledged or followed by server payload. */
export const handshakeShift = 10;
export const handshakeBit = 1 << handshakeShift;

/** Word offsets of a session row. */
export const enum AtSession {
  bytesToServer = 28,
  bytesToClient = 30,
  packets = 32,
  bannerCode = 34,
  heloChanges = 35,
  transactions = 36,
  accepted = 37,
  rcptOffered = 38,
  rcptRefused = 39,
  words = 40,
  authCode = 41,
  authAttempts = 42,
  mechanism = 43,
  sni = 44,
  version = 45,
  ja4 = 46,
  anomalies = 47,
  tables = 48,
}

/**
 * What `At.order` holds: the frame that caused the row, counted from 0 over the whole stream, plus
 * one of these. Rows of one order are sorted by `At.last`, then by the flow's number: so rows of
 * several workers have one order, the one in which a single worker writes them.
 */
export const RowOrder = {
  /** A live clock moved behind the frame before, and flows ran out. */
  clock: -0.5,
  /** The frame moved the clock, and flows ran out. */
  timeout: 0,
  /** The frame itself ended something. */
  frame: 0.5,
  /** The stream is over; this one stands alone. */
  end: 2 ** 53,
} as const;

/**
 * Reads rows in place. Point it at an area with `open`, step with `next`; everything it gives is
 * valid until the area is written again.
 */
export class RowCursor {
  #words = new Int32Array(0);
  #doubles = new Float64Array(0);
  #base = 0;
  #next = 0;
  #end = 0;
  /** The area's bytes; text ranges point into it. */
  bytes: Buffer = Buffer.alloc(0);

  /** Points the cursor before the first row of `length` bytes of rows. */
  open(area: ArrayBuffer, length: number): void {
    if (this.bytes.buffer !== area) {
      this.#words = new Int32Array(area);
      this.#doubles = new Float64Array(area);
      this.bytes = Buffer.from(area);
    }
    this.#next = 0;
    this.#end = length >> 2;
  }

  /** Steps to the next row; false behind the last. */
  next(): boolean {
    if (this.#next >= this.#end) return false;
    this.#base = this.#next;
    this.#next += this.#words[this.#base]!;
    return true;
  }

  /** A word of the row by its offset in `At`, `AtTx` or `AtSession`. */
  word(at: number): number {
    return this.#words[this.#base + at]!;
  }

  /** A float64 of the row by the word offset of its first half. */
  double(at: number): number {
    return this.#doubles[(this.#base + at) >> 1]!;
  }

  get kind(): number {
    return this.word(At.kind) & 0xff;
  }
  /** One of `Sides`. */
  get sides(): number {
    return (this.word(At.kind) >> 8) & 3;
  }
  /** The connection's handshake was seen (contracts 2.2): nobody forged the client's address. */
  get handshake(): boolean {
    return (this.word(At.kind) & handshakeBit) !== 0;
  }
  /** Whether the engine was asked for facts. Without them every fact reads 0. */
  get hasFacts(): boolean {
    return this.word(At.facts) !== 0;
  }
  /** DNSBLs that 5xx replies named, bit numbers of `listNames` in `smtp/reply-class.ts`. */
  get lists(): number {
    return this.#fact(this.kind === RowKind.session ? SessionFact.lists : TxFact.lists);
  }
  #fact(at: number): number {
    const facts = this.word(At.facts);
    return facts === 0 ? 0 : this.word(facts + at);
  }
  /** 4 or 6. */
  get ip(): number {
    return (this.word(At.kind) >> 16) & 0xff;
  }
  get vlanCount(): number {
    return (this.word(At.kind) >> 24) & 0xff;
  }
  /** VLAN identifier `index`, outer first. */
  vlan(index: number): number {
    const pair = this.word(At.vlan + (index >> 1));
    return (index & 1) === 0 ? pair & 0xfff : (pair >> 12) & 0xfff;
  }
  /** Writes the client's address over the words of `out`, IPv4 as ::ffff:a.b.c.d. */
  clientInto(out: { w0: number; w1: number; w2: number; w3: number }): void {
    out.w0 = this.word(At.client);
    out.w1 = this.word(At.client + 1);
    out.w2 = this.word(At.client + 2);
    out.w3 = this.word(At.client + 3);
  }
  get clientPort(): number {
    return this.word(At.ports) >>> 16;
  }
  get serverPort(): number {
    return this.word(At.ports) & 0xffff;
  }
  /** When it ended, microseconds since 1970. */
  get time(): number {
    return this.double(At.time);
  }
  get started(): number {
    return this.double(At.started);
  }
  /** Bytes missing in either direction while it lasted. */
  get gaps(): number {
    return this.double(At.gaps);
  }

  // The packed word of a transaction row.
  get outcome(): number {
    return this.word(AtTx.words) & 0xf;
  }
  get greeting(): number {
    return (this.word(AtTx.words) >> 4) & 0xf;
  }
  /** `Label` number of `smtp/label.ts`, or 15 where no header line was seen. */
  get label(): number {
    return (this.word(AtTx.words) >> 8) & 0xf;
  }
  get chunking(): boolean {
    return ((this.word(AtTx.words) >> 12) & 1) === 1;
  }
  /**
   * Bytes of the session were lost before this began, or its beginning was not seen: what was said
   * then, an AUTH for one, is not known. (`gaps` counts the losses inside.)
   */
  get afterLoss(): boolean {
    return ((this.word(AtTx.words) >> TxShift.afterLoss) & 1) === 1;
  }
  /**
   * AUTH had succeeded (235) before its MAIL, or its outcome was not seen. False proves nothing
   * where `afterLoss` is true: the whole AUTH may have been lost.
   */
  get authenticated(): boolean {
    return ((this.word(AtTx.words) >> TxShift.authenticated) & 1) === 1;
  }
  /** A fact: see `Dialect.rotated`; it is this envelope that came with the other sender. */
  get rotated(): boolean {
    return ((this.word(AtTx.words) >> TxShift.rotated) & 1) === 1;
  }
  /** Facts: `ReplyClass` of the replies to MAIL, to DATA, and to the end of the data or BDAT. */
  get mailClass(): number {
    return (this.word(AtTx.words) >> TxShift.mailClass) & 0xf;
  }
  get dataClass(): number {
    return (this.word(AtTx.words) >> TxShift.dataClass) & 0xf;
  }
  get finalClass(): number {
    return (this.word(AtTx.words) >> TxShift.finalClass) & 0xf;
  }
  /**
   * A fact: word `index` (0 to 3) of the SipHash-2-4-128 of the Message-ID under the engine's key.
   * All four are 0 where no Message-ID was read whole.
   */
  messageId(index: number): number {
    return this.#fact(TxFact.messageId + index);
  }
  /**
   * A fact: word `index` (0 to 3) of the same hash of the mailbox of recipient `rcpt`, its letters
   * in lower case. All four are 0 where `rcptLength` is -1.
   */
  rcptHash(rcpt: number, index: number): number {
    return this.#fact(TxFact.rcpt + rcpt * 4 + index);
  }
  get rcptCount(): number {
    return this.word(AtTx.rcptCount);
  }
  /** Reply code of recipient `index`, 0 where it was not seen. */
  rcptCode(index: number): number {
    return this.word(AtTx.tables + index * 2) & 0xffff;
  }
  /** A fact: `ReplyClass` of that reply. */
  rcptClass(index: number): number {
    return this.word(AtTx.tables + index * 2) >>> RcptShift.class;
  }
  /** Text length of recipient `index`, -1 where only its reply was seen. */
  rcptLength(index: number): number {
    return this.word(AtTx.tables + index * 2 + 1);
  }
  /** Final reply code `index` of an LMTP transaction, 0 where it was not seen. */
  finalCode(index: number): number {
    return this.word(AtTx.tables + this.rcptCount * 2 + index);
  }
  /** First text byte of a transaction row: HELO, sender, label code, the recipients in order. */
  get transactionTexts(): number {
    const tables = this.rcptCount * 2 + this.word(AtTx.finalCodes);
    return (this.#base + AtTx.tables + tables) * 4;
  }

  // The packed word of a session row.
  get startTls(): number {
    return this.word(AtSession.words) & 0xf;
  }
  get protocol(): number {
    return (this.word(AtSession.words) >> 4) & 0xf;
  }
  get closed(): number {
    return (this.word(AtSession.words) >> 8) & 0xf;
  }
  /** Facts: `ReplyClass` of the greeting, and of the last reply to HELO, EHLO or LHLO. */
  get greetingClass(): number {
    return (this.word(AtSession.words) >> SessionShift.greetingClass) & 0xf;
  }
  get heloClass(): number {
    return (this.word(AtSession.words) >> SessionShift.heloClass) & 0xf;
  }
  /** A fact: bits of `Dialect` in `smtp/dialect.ts`. */
  get dialect(): number {
    return this.#fact(SessionFact.dialect);
  }
  /** A fact: VRFY and EXPN commands. */
  get asked(): number {
    return this.#fact(SessionFact.asked);
  }
  /** A fact: AUTH attempts that were answered 535. */
  get authFailures(): number {
    return this.#fact(SessionFact.authFailures);
  }
  /**
   * A fact: how many different lengths the client's answers to AUTH had (at least; 64 are told
   * apart). One stale password repeats itself, a guesser does not. No byte of them was looked at.
   */
  get authLengths(): number {
    return this.#fact(SessionFact.authLengths);
  }
  /** A fact: envelopes with recipients that ended, nothing lost, without DATA or BDAT. */
  get dataless(): number {
    return this.#fact(SessionFact.dataless);
  }
  /** A fact: recipients offered whose reply was of `replyClass`. */
  rcptOutcomes(replyClass: number): number {
    return this.#fact(SessionFact.rcpt + replyClass);
  }
  get anomalyCount(): number {
    return this.word(AtSession.anomalies);
  }
  /** Number of anomaly `index` in `smtp/anomaly.ts`. */
  anomalyId(index: number): number {
    return this.word(AtSession.tables + index * 2);
  }
  anomalyTimes(index: number): number {
    return this.word(AtSession.tables + index * 2 + 1);
  }
  /** First text byte of a session row: HELO, mechanism, SNI, version, JA4. */
  get sessionTexts(): number {
    return (this.#base + AtSession.tables + this.anomalyCount * 2) * 4;
  }

  /** One of `FlowAttempt`: RST answered the SYN (refused), or nothing did (silent). */
  get attemptKind(): number {
    return this.word(AtAttempt.kind);
  }
  /** SYNs of the client that were seen, 3 where there were more. */
  get syns(): number {
    return this.word(AtAttempt.syns);
  }
}

/** Who takes filled row areas: borrowed until the call returns. */
export interface RowSink {
  rows(area: ArrayBuffer, length: number): void;
}
