// Facts where packets are cut otherwise, lost, or seen of one side only. However the bytes came,
// the facts are the same; what was not seen is `none`, and nothing is added.

import { describe, expect, it } from 'vitest';
import type { Frame } from '../../bench/generate/conversation.js';
import type { SessionRow, TransactionRow } from '../../bench/generate/rows.js';
import { ReplyClass } from '../../src/smtp/reply-class.js';
import { allCases } from '../helper/cases.js';
import { className, dialectOf, listsOf, rowsOf, type Seen } from '../helper/facts.js';
import { firstPort } from '../helper/run.js';
import { chunked, connection, cutAtRandom, doubled, only, without } from '../helper/variations.js';

/** Dialogues that are full of facts, beside the golden ones. */
const rich = [
  `
  S: 220 mx.example.net ESMTP
  C: EHLO mx.example.net
  S: 250-mx.example.net
  S: 250-SIZE 1000000
  S: 250 AUTH PLAIN LOGIN
  C: AUTH LOGIN
  S: 334 a
  C: dXNlcg==
  S: 334 b
  C: cGFzc3dvcmQ=
  S: 535 5.7.8 no
  C: AUTH PLAIN AHVzZXIAcGFzcw==
  S: 235 ok
  C: mail FROM: <one@example.org>
  S: 250 ok
  C: RCPT TO:<b@example.net>
  S: 550-5.7.1 Your address is listed
  S: 550 5.7.1 see https://www.spamhaus.org/ and dnsbl.sorbs.net
  C: RCPT TO:<c@example.net>
  S: 550 5.1.1 user unknown
  C: RCPT TO:<d@example.net>
  S: 450 later
  C: RSET
  S: 250 ok
  C: MAIL FROM:<two@example.org> SIZE=100
  S: 250 ok
  C: RCPT TO:<b@example.net>
  S: 250 ok
  C: DATA
  S: 354 go
  C: Subject: x
  C: Message-ID: <1@example.org>
  C: \n  C: body
  C: .
  S: 554 5.7.1 spam
  C: VRFY root
  S: 252 perhaps
  C: QUIT
  S: 221 bye
  --`,
  `
  S: 220 mx.example.net
  C: HELO a
  S: 250 mx.example.net
  C: MAIL FROM:<one@example.org>
  C: RCPT TO:<b@example.net>
  C: RCPT TO:<c@example.net>
  C: DATA
  S: 250 ok
  S: 554 5.7.1 Relay access denied
  S: 550 no such user
  S: 554 5.5.1 no valid recipients
  C: MAIL FROM:<two@example.org>
  S: 250 ok
  C: RCPT TO:<d@example.net>
  S: 250 ok
  C: RSET
  S: 250 ok
  RST`,
];
const dialogues: [name: string, text: string, options: object][] = [
  ...rich.map((text, i) => [`rich ${i}`, text, {}] as [string, string, object]),
  ...allCases().map((one) => [one.name, one.text, one.options] as [string, string, object]),
];
/** What a damaged connection of the golden cases costs adds up: they show less of them. */
const framesMax = { rich: 60, golden: 20 };

interface Own {
  readonly transactions: TransactionRow[];
  readonly sessions: SessionRow[];
}

/** As many bytes of frames share an engine. */
const bytesTogether = 400_000;

/** The rows of many connections, each by its client port. */
function each(frames: readonly Frame[][]): Own[] {
  const all: Own[] = frames.map(() => ({ transactions: [], sessions: [] }));
  let part: Frame[] = [];
  let bytes = 0;
  const flush = () => {
    const seen: Seen = rowsOf(part.sort((a, b) => a.time - b.time));
    for (const row of seen.transactions) all[row.clientPort - firstPort]!.transactions.push(row);
    for (const row of seen.sessions) all[row.clientPort - firstPort]!.sessions.push(row);
    part = [];
    bytes = 0;
  };
  for (const one of frames) {
    part.push(...one);
    bytes += one.reduce((sum, frame) => sum + frame.bytes.length, 0);
    if (bytes > bytesTogether) flush();
  }
  flush();
  return all;
}

/** The facts alone. */
function factsOf({ transactions, sessions }: Own) {
  return {
    transactions: transactions.map((row) => [
      [row.mailClass, row.dataClass, row.finalClass].map(className),
      row.rcpts.map((rcpt) => [className(rcpt.class), rcpt.hash]),
      [row.rotated, row.authenticated, row.handshake, row.afterLoss],
      listsOf(row.lists),
      row.messageId,
    ]),
    sessions: sessions.map((row) => [
      [row.greetingClass, row.heloClass].map(className),
      dialectOf(row.dialect),
      listsOf(row.lists),
      row.rcptOutcomes,
      [row.asked, row.authFailures, row.authLengths, row.dataless, row.handshake],
    ]),
  };
}

describe.each(dialogues)('%s', (name, text, options) => {
  const most = name.startsWith('rich') ? framesMax.rich : framesMax.golden;
  it('cut anywhere, or doubled', () => {
    const whole = connection(text, options, 0);
    const variants = [whole];
    const sizes = most === framesMax.rich ? [1, 2, 3, 5, 8, 13, 64, 65, 536] : [1, 7, 65];
    for (const size of sizes) {
      variants.push(chunked(text, options, variants.length, size));
    }
    for (let seed = 1; seed <= sizes.length; seed++) {
      variants.push(cutAtRandom(text, options, variants.length, seed));
    }
    for (let at = 0; at < Math.min(whole.length, most >> 2); at++) {
      variants.push(doubled(connection(text, options, variants.length), at));
    }
    const [first, ...others] = each(variants).map(factsOf);
    for (const other of others) expect(other).toEqual(first);
  });

  it('with a packet lost, or one side alone, nothing is added', () => {
    const { length } = connection(text, options, 0);
    const builds: ((index: number) => Frame[])[] = [(index) => connection(text, options, index)];
    for (let at = 0; at < Math.min(length, most); at++) {
      builds.push((index) => without(connection(text, options, index), at));
      builds.push((index) => connection(text, options, index).slice(at));
    }
    builds.push((index) => only(connection(text, options, index), 'client'));
    builds.push((index) => only(connection(text, options, index), 'server'));
    const [clean, ...damaged] = each(builds.map((build, index) => build(index)));
    const found = damaged.flatMap((own, at) => {
      const where = `frame ${at >> 1} ${at % 2 === 0 ? 'lost' : 'first'}`;
      const wrong = [...added(clean!, own), ...addedToSession(clean!, own)];
      return wrong.map((what) => `${where}: ${what}`);
    });
    expect(found).toEqual([]);
  });
});

/** Facts of transactions that the undamaged conversation does not have. */
function added(clean: Own, own: Own): string[] {
  const found: string[] = [];
  const authenticated = clean.transactions.some((one) => one.authenticated);
  for (const row of own.transactions) {
    const tried = clean.sessions.some((one) => one.mechanism !== null);
    if (row.authenticated && !authenticated && !tried) found.push('authenticated');
    const unknown = row.afterLoss || row.gaps > 0 || row.sides !== 3;
    if (authenticated && !row.authenticated && !unknown) found.push('not authenticated');
    const same = clean.transactions.filter((one) => one.mailFrom === row.mailFrom);
    const ids = [...clean.transactions.map((one) => one.messageId.toString()), '0,0,0,0'];
    if (!ids.includes(row.messageId.toString())) found.push('Message-ID');
    if (row.rotated && !same.some((one) => one.rotated)) found.push('rotated');
    for (const [replyClass, code] of repliesOf(row)) {
      // What a code was taken to answer is the dialogue's matter; the class is that reply's.
      const its = clean.transactions.flatMap(repliesOf).filter(([, other]) => other === code);
      // Of LMTP's final replies the code is the highest, and the class the best one's.
      const lmtp = clean.transactions.some((one) => one.finalCodes.length > 0);
      const known = lmtp || its.length === 0 || its.some(([other]) => other === replyClass);
      if (replyClass !== ReplyClass.none && (code === 0 || !known)) {
        found.push(`${code} ${className(replyClass)}`);
      }
    }
    for (const rcpt of row.rcpts) {
      const its = clean.transactions
        .flatMap((one) => one.rcpts)
        .filter((one) => one.address === rcpt.address && one.code === rcpt.code);
      const known = its.length === 0 || its.some((one) => one.class === rcpt.class);
      if (rcpt.class !== ReplyClass.none && rcpt.address !== null && !known) {
        found.push(`<${rcpt.address}> ${className(rcpt.class)}`);
      }
    }
  }
  return found;
}

/** Class and code of each reply of a transaction. */
function repliesOf(row: TransactionRow): [number, number][] {
  return [
    [row.mailClass, row.mailCode],
    [row.dataClass, row.dataCode],
    [row.finalClass, row.finalCode],
    ...row.rcpts
      .filter((rcpt) => rcpt.address !== null)
      .map((rcpt): [number, number] => [rcpt.class, rcpt.code]),
  ];
}

/** The same of sessions; counts may only shrink. */
function addedToSession(clean: Own, own: Own): string[] {
  const [whole] = clean.sessions;
  const found: string[] = [];
  for (const row of own.sessions) {
    if (whole === undefined) continue;
    for (const name of dialectOf(row.dialect & ~whole.dialect)) found.push(name);
    for (const name of listsOf(row.lists & ~whole.lists)) found.push(name);
    for (const field of ['asked', 'authFailures', 'authLengths'] as const) {
      if (row[field] > whole[field]) found.push(`${field} ${row[field]}`);
    }
    if (row.greetingClass !== 0 && row.greetingClass !== whole.greetingClass)
      found.push('greeting');
  }
  return found;
}
