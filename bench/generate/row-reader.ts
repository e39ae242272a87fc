// Rows as plain objects: every field of every kind, for tests and tools that have time.

import { At, AtSession, AtTx, RowCursor, RowKind } from '../../src/batch/row.js';
import { replyClasses } from '../../src/smtp/reply-class.js';
import type { Row, RowBase, SessionRow, TransactionRow } from './rows.js';

/** All rows of an area as plain objects. */
export function readRows(area: ArrayBuffer, length: number): Row[] {
  const row = new RowCursor();
  const found: Row[] = [];
  row.open(area, length);
  while (row.next()) {
    if (row.kind === RowKind.transaction) found.push(readTransaction(row));
    else if (row.kind === RowKind.session) found.push(readSession(row));
    else {
      const { attemptKind: attempt, syns } = row;
      found.push({ ...readBase(row), kind: 'attempt', attempt, syns });
    }
  }
  return found;
}

function readBase(row: RowCursor): RowBase {
  const words = (at: number, count: number) =>
    Array.from({ length: count }, (_, i) => row.word(at + i));
  return {
    client: words(At.client, 4),
    server: words(At.server, 4),
    clientPort: row.clientPort,
    serverPort: row.serverPort,
    ip: row.ip,
    vlan: Array.from({ length: row.vlanCount }, (_, i) => row.vlan(i)),
    flow: words(At.flowHigh, 2),
    sides: row.sides,
    handshake: row.handshake,
    started: row.started,
    time: row.time,
    gaps: row.gaps,
    order: row.double(At.order),
    last: row.double(At.last),
    facts: row.hasFacts,
  };
}

/** Reads texts one behind the other; null where the length is below 0. */
function textReader(row: RowCursor, from: number): (length: number) => string | null {
  let at = from;
  return (length) => {
    if (length < 0) return null;
    at += length;
    return row.bytes.toString('latin1', at - length, at);
  };
}

function readTransaction(row: RowCursor): TransactionRow {
  const text = textReader(row, row.transactionTexts);
  const mailFromLength = row.word(AtTx.mailFrom);
  const helo = text(row.word(At.helo));
  const mailFrom = mailFromLength === -2 ? undefined : text(mailFromLength);
  return {
    ...readBase(row),
    kind: 'transaction',
    helo,
    greeting: row.greeting,
    txId: row.word(AtTx.txId),
    mailFrom,
    mailCode: row.word(AtTx.mailCode),
    mailClass: row.mailClass,
    dataCode: row.word(AtTx.dataCode),
    dataClass: row.dataClass,
    finalCode: row.word(AtTx.finalCode),
    finalClass: row.finalClass,
    finalCodes: Array.from({ length: row.word(AtTx.finalCodes) }, (_, i) => row.finalCode(i)),
    outcome: row.outcome,
    chunking: row.chunking,
    authenticated: row.authenticated,
    afterLoss: row.afterLoss,
    rotated: row.rotated,
    label: row.label,
    labelCode: text(row.word(AtTx.labelCode)) ?? '',
    bytes: row.double(AtTx.bytes),
    sizeDeclared: row.double(AtTx.sizeDeclared),
    rcpts: Array.from({ length: row.rcptCount }, (_, i) => ({
      address: text(row.rcptLength(i)),
      code: row.rcptCode(i),
      class: row.rcptClass(i),
      hash: [0, 1, 2, 3].map((word) => row.rcptHash(i, word)),
    })),
    rcptDropped: row.word(AtTx.rcptDropped),
    lists: row.lists,
    messageId: [0, 1, 2, 3].map((i) => row.messageId(i)),
  };
}

function readSession(row: RowCursor): SessionRow {
  const text = textReader(row, row.sessionTexts);
  return {
    ...readBase(row),
    kind: 'session',
    helo: text(row.word(At.helo)),
    bannerCode: row.word(AtSession.bannerCode),
    heloChanges: row.word(AtSession.heloChanges),
    transactions: row.word(AtSession.transactions),
    accepted: row.word(AtSession.accepted),
    rcptOffered: row.word(AtSession.rcptOffered),
    rcptRefused: row.word(AtSession.rcptRefused),
    startTls: row.startTls,
    protocol: row.protocol,
    closed: row.closed,
    authCode: row.word(AtSession.authCode),
    authAttempts: row.word(AtSession.authAttempts),
    mechanism: text(row.word(AtSession.mechanism)),
    sni: text(row.word(AtSession.sni)) ?? '',
    version: text(row.word(AtSession.version)) ?? '',
    ja4: text(row.word(AtSession.ja4)) ?? '',
    bytesToServer: row.double(AtSession.bytesToServer),
    bytesToClient: row.double(AtSession.bytesToClient),
    packets: row.double(AtSession.packets),
    anomalies: Array.from(
      { length: row.anomalyCount },
      (_, i) => [row.anomalyId(i), row.anomalyTimes(i)] as const,
    ),
    greetingClass: row.greetingClass,
    heloClass: row.heloClass,
    dialect: row.dialect,
    lists: row.lists,
    asked: row.asked,
    authFailures: row.authFailures,
    authLengths: row.authLengths,
    dataless: row.dataless,
    rcptOutcomes: Array.from({ length: replyClasses }, (_, i) => row.rcptOutcomes(i)),
  };
}
