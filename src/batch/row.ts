// The row: the fixed-layout record in which a finished transaction or session leaves the packet
// plane. Here are its layout, its words and the cursor that reads it; `writer.ts` writes it.
//
// A row starts on an 8-byte boundary and is read through three views of one ArrayBuffer:
//
//   words (int32)   0 size of the row in words, even        12,13 VLAN identifiers, outer first
//                   1 kind, sides, IP version, VLAN count    14,16 times (float64, microseconds)
//                   2-5 client address   6-9 server address  18,19 flow number
//                   10 ports             24,26 place among all rows, see `RowOrder`
//                   28 .. fields of the kind, below
//   then            tables (int32), then texts (bytes), padded to 8
//
// 30,000 sessions a second are about 60 MB of rows: nothing here is an object until somebody asks.

/** What a row tells of. */
export const enum RowKind {
  transaction = 1,
  session = 2,
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
    return (this.word(At.kind) >> 8) & 0xff;
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
  get rcptCount(): number {
    return this.word(AtTx.rcptCount);
  }
  /** Reply code of recipient `index`, 0 where it was not seen. */
  rcptCode(index: number): number {
    return this.word(AtTx.tables + index * 2);
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
  get handshake(): boolean {
    return ((this.word(AtSession.words) >> 12) & 1) === 1;
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
}

/** Who takes filled row areas: borrowed until the call returns. */
export interface RowSink {
  rows(area: ArrayBuffer, length: number): void;
}
