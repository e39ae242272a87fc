// The events `smtp` and `smtp_session` as lists of fields, in the order of contracts 2.1 and 2.2:
// what stands before each field, where in the row it is, and how it is written. `eve.ts` walks the
// list. One loop over a list is one function for the compiler; written out, the two events were
// eight, and took 80 ms of a run's first second to optimize.

import {
  At,
  AtSession,
  AtTx,
  closedNames,
  greetingNames,
  handshakeShift,
  outcomeNames,
  protocolNames,
  sidesNames,
  startTlsNames,
} from '../batch/row.js';
import { Piece } from './json.js';

/** How a field is written; `at` is a word offset of the row. */
export const enum Kind {
  /** Only the text before it. */
  text = 0,
  /** A word. */
  word = 1,
  /** A word, if it is above 0. */
  code = 2,
  /** The upper and the lower half of a word. */
  high = 3,
  low = 4,
  /** A float64; the second only if it is at least 0. */
  double = 5,
  size = 6,
  /** Microseconds since 1970, in quotes. */
  time = 7,
  /** A text of the row, as long as the word says; absent if that is below 0. */
  string = 8,
  /** One of several pieces by a few bits of a word, see `named`. */
  name = 9,
  /** An address of four words. */
  address = 10,
  /** What `eve.ts` writes in its own way; `at` is a `Part`. */
  part = 11,
}

export const enum Part {
  flowId = 0,
  vlan = 1,
  mailFrom = 2,
  recipients = 3,
  finals = 4,
  label = 5,
  auth = 6,
  tls = 7,
  duration = 8,
  anomalies = 9,
  sensor = 10,
}

/** Words of a field: kind, place, piece before, piece behind or -1 (a name: its bits). */
export const fieldWords = 4;

/** All pieces; fields name them by number. */
export const pieces: Piece[] = [];

function piece(text: string): number {
  return pieces.push(new Piece(text)) - 1;
}

/** Adds pieces for names, an empty one for an empty name; gives the number of the first. */
function names(of: readonly string[], before: string, behind = '"'): number {
  const first = pieces.length;
  for (const name of of) piece(name === '' ? '' : before + name + behind);
  return first;
}

type Field = readonly [before: string, kind: Kind, at?: number, behind?: string];

function list(...fields: readonly (Field | Int32Array)[]): Int32Array {
  const words: number[] = [];
  for (const field of fields) {
    if (field instanceof Int32Array) words.push(...field);
    else {
      const [before, kind, at = 0, behind] = field;
      words.push(kind, at, piece(before), behind === undefined ? -1 : piece(behind));
    }
  }
  return Int32Array.from(words);
}

/** One of a few names, whole pieces of text: `bits` bits at `shift` of the word at `at`. */
function named(first: number, at: number, shift: number, bits = 4): Int32Array {
  return Int32Array.from([Kind.name, at, first, shift | (((1 << bits) - 1) << 8)]);
}

const connection = list(
  [',"flow_id":"', Kind.part, Part.flowId],
  ['","src_ip":"', Kind.address, At.client],
  [',"src_port":', Kind.high, At.ports],
  [',"dest_ip":"', Kind.address, At.server],
  [',"dest_port":', Kind.low, At.ports],
  [',"proto":"TCP"', Kind.part, Part.vlan],
);

const sides = names(sidesNames, ',"sides":"', '"}\n');

/** `event_type: "smtp"`. */
export const transactionFields: Int32Array = list(
  ['{"timestamp":', Kind.time, At.time],
  [',"event_type":"smtp"', Kind.part, Part.sensor],
  connection,
  [',"tx_id":', Kind.word, AtTx.txId],
  [',"smtp":{"started":', Kind.time, At.started],
  [',"helo":', Kind.string, At.helo],
  named(names(greetingNames, ',"greeting":"'), AtTx.words, 4),
  [',"mail_from":', Kind.part, Part.mailFrom],
  [',"mail_code":', Kind.code, AtTx.mailCode],
  [',"size_declared":', Kind.size, AtTx.sizeDeclared],
  [',"rcpt_to":[', Kind.part, Part.recipients],
  [',"rcpt_dropped":', Kind.code, AtTx.rcptDropped],
  [',"data_code":', Kind.code, AtTx.dataCode],
  [',"final_code":', Kind.code, AtTx.finalCode],
  ['', Kind.part, Part.finals],
  [',"bytes":', Kind.size, AtTx.bytes],
  named(names(['false', 'true'], ',"chunking":', ''), AtTx.words, 12, 1),
  named(names(outcomeNames, ',"outcome":"', '"}'), AtTx.words, 0),
  ['', Kind.part, Part.label],
  [',"gaps":', Kind.double, At.gaps],
  named(sides, At.kind, 8, 2),
);

/** `event_type: "smtp_session"`. */
export const sessionFields: Int32Array = list(
  ['{"timestamp":', Kind.time, At.time],
  [',"event_type":"smtp_session"', Kind.part, Part.sensor],
  connection,
  [',"session":{', Kind.text],
  ['"banner_code":', Kind.code, AtSession.bannerCode, ','],
  ['"helo":', Kind.string, At.helo, ','],
  ['"helo_changes":', Kind.word, AtSession.heloChanges],
  [',"transactions":', Kind.word, AtSession.transactions],
  [',"accepted":', Kind.word, AtSession.accepted],
  [',"rcpt_offered":', Kind.word, AtSession.rcptOffered],
  [',"rcpt_refused":', Kind.word, AtSession.rcptRefused],
  named(names(startTlsNames, ',"starttls":"'), AtSession.words, 0),
  ['', Kind.part, Part.auth],
  ['', Kind.part, Part.tls],
  named(names(protocolNames, ',"protocol":"'), AtSession.words, 4),
  [',"bytes_toserver":', Kind.double, AtSession.bytesToServer],
  [',"bytes_toclient":', Kind.double, AtSession.bytesToClient],
  [',"packets":', Kind.double, AtSession.packets],
  [',"gaps":', Kind.double, At.gaps],
  named(names(closedNames, ',"closed":"'), AtSession.words, 8),
  named(names(['false', 'true'], ',"handshake":', ''), At.kind, handshakeShift, 1),
  [',"duration_ms":', Kind.part, Part.duration],
  [',"anomalies":{', Kind.part, Part.anomalies],
  ['}}', Kind.text],
  named(sides, At.kind, 8, 2),
);
