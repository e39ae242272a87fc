// Frames through an engine that is asked for facts; rows out as plain objects, with the words that
// detection rules use for their numbers.

import type { Frame } from '../../bench/generate/conversation.js';
import { readRows } from '../../bench/generate/row-reader.js';
import type { AttemptRow, Row, SessionRow, TransactionRow } from '../../bench/generate/rows.js';
import { Engine, type EngineOptions } from '../../src/engine.js';
import { SipHash } from '../../src/lib/siphash.js';
import { dialectNames } from '../../src/smtp/dialect.js';
import { listNames, replyClassNames } from '../../src/smtp/reply-class.js';
import { feedFrames, smallConfig } from './run.js';

export const factsKey = Buffer.from('0123456789abcdef');

/** The dialogue of one mail that is accepted. */
export const acceptedMail = `
  S: 220 mx.example.net ESMTP
  C: EHLO home
  S: 250 mx.example.net
  C: MAIL FROM:<a@example.org>
  S: 250 ok
  C: RCPT TO:<b@example.net>
  S: 250 ok
  C: DATA
  S: 354 go
  C: Subject: x
  C:
  C: x
  C: .
  S: 250 ok
  C: QUIT
  S: 221 bye
`;

/** The four words of a text's hash under `factsKey`; mailboxes are folded. */
export function hashOf(text: string, fold: boolean): number[] {
  const hash = new SipHash(factsKey);
  const bytes = Buffer.from(text, 'latin1');
  hash.hash(bytes, 0, bytes.length, fold);
  return [hash.h0, hash.h1, hash.h2, hash.h3];
}

/** Row areas, copied, of an engine that read `frames`. */
export function areasOf(frames: readonly Frame[], options: EngineOptions = { factsKey }) {
  const areas: ArrayBuffer[] = [];
  const sink = {
    rows: (area: ArrayBuffer, length: number) => void areas.push(area.slice(0, length)),
  };
  const engine = new Engine(smallConfig(), sink, options);
  feedFrames(engine, frames);
  engine.finish();
  return areas;
}

export interface Seen {
  readonly transactions: TransactionRow[];
  readonly sessions: SessionRow[];
  readonly attempts: AttemptRow[];
}

/** The rows of an engine that read `frames`. */
export function rowsOf(frames: readonly Frame[]): Seen {
  const rows: Row[] = areasOf(frames).flatMap((area) => readRows(area, area.byteLength));
  return {
    transactions: rows.filter((row) => row.kind === 'transaction'),
    sessions: rows.filter((row) => row.kind === 'session'),
    attempts: rows.filter((row) => row.kind === 'attempt'),
  };
}

export function className(replyClass: number): string {
  return replyClassNames[replyClass] ?? `class ${replyClass}`;
}

/** The names of a mask's bits. */
export function listsOf(mask: number): string[] {
  return listNames.filter((_, bit) => ((mask >>> bit) & 1) === 1);
}
export function dialectOf(bits: number): string[] {
  return dialectNames.filter((_, bit) => ((bits >>> bit) & 1) === 1);
}
