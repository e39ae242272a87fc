// What detectors are told of a dialogue: classes of replies, lists they name, hashes, habits of the
// client. Tables of dialogues first; then the same under loss, where a fact is never guessed.

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Conversation, dialogue } from '../../bench/generate/conversation.js';
import { readRows } from '../../bench/generate/row-reader.js';
import type { Row } from '../../bench/generate/rows.js';
import { openCapture } from '../../src/capture/open.js';
import { Engine } from '../../src/engine.js';
import { capturesFolder, realCaptures } from '../helper/captures.js';
import {
  className,
  dialectOf,
  factsKey,
  hashOf,
  listsOf,
  rowsOf,
  type Seen,
} from '../helper/facts.js';
import { smallConfig } from '../helper/run.js';

const none = [0, 0, 0, 0];

/** A delivery to `b@example.net` with other replies, headers or commands put in. */
function delivery(put: Partial<Record<string, string>> = {}): string {
  const at = (place: string, otherwise: string) => put[place] ?? otherwise;
  return `
    S: ${at('banner', '220 mx.example.net ESMTP')}
    C: ${at('hello', 'EHLO client.example.org')}
    ${at('extensions', 'S: 250-mx.example.net\nS: 250 8BITMIME')}
    ${at('before', '')}
    C: ${at('mail', 'MAIL FROM:<a@example.org>')}
    S: ${at('mail reply', '250 ok')}
    C: ${at('rcpt', 'RCPT TO:<b@example.net>')}
    ${at('rcpt reply', 'S: 250 ok')}
    C: DATA
    S: ${at('data reply', '354 go')}
    ${at('message', 'C: Subject: x\nC: ')}
    C: .
    S: ${at('final reply', '250 taken')}
    ${at('end', 'C: QUIT\nS: 221 bye')}
    --`;
}

function factsOf(text: string) {
  return rowsOf(dialogue(text).frames);
}

const refusals: [reply: string, wanted: string, ...lists: string[]][] = [
  ['250 2.1.5 ok', 'ok'],
  ['251 will forward', 'ok'],
  ['550 5.1.1 <b@example.net>: Recipient address rejected: User unknown', 'unknown-user'],
  ['550 no such user here', 'unknown-user'],
  ['550 no', 'unknown-user'],
  ['553 sorry', 'unknown-user'],
  ['550 5.5.0 Requested action not taken: mailbox unavailable', 'unknown-user'],
  ['550 5.4.1 Recipient address rejected: Access denied', 'unknown-user'],
  ['550 5.2.1 The account is over', 'unknown-user'],
  ['554 5.7.1 <b@example.net>: Relay access denied', 'relay-denied'],
  ['550 5.7.1 Unable to relay', 'relay-denied'],
  ["553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", 'relay-denied'],
  ['554 5.7.1 Service unavailable; Client host [192.0.2.25] blocked', 'policy-refused'],
  ['550 Administrative prohibition', 'policy-refused'],
  ['550 5.1.8 <a@example.org>: Sender address rejected: Domain not found', 'policy-refused'],
  ['550 5.1.7 odd sender', 'policy-refused'],
  ['554 no', 'policy-refused'],
  ['554 5.7.1 see https://www.spamhaus.org/query/ip/192.0.2.25', 'policy-refused', 'spamhaus'],
  ['550 listed by bl.SpamCop.net and dnsbl.sorbs.net', 'policy-refused', 'spamcop', 'sorbs'],
  // What somebody named his mailbox or domain says nothing.
  ['550 5.1.1 <user@spamhaus.org>: unknown', 'unknown-user'],
  ['550 relay.denied@sorbs.net is not here', 'unknown-user'],
  ['550 5.1.1 spamhausen has no such user', 'unknown-user'],
  ['451 4.7.1 Greylisted, see http://www.spamhaus.org/', 'deferred'],
  ['452 4.2.2 full', 'deferred'],
  ['421 later', 'deferred'],
  ['503 5.5.1 bad sequence', 'protocol'],
  ['501 5.1.3 bad syntax', 'protocol'],
  ['530 5.7.0 Must issue a STARTTLS command first', 'other-refused'],
  ['552 5.2.2 mailbox full', 'other-refused'],
];

describe('the class of a recipient', () => {
  it.each(refusals)('%s', (reply, wanted, ...lists) => {
    const { transactions, sessions } = factsOf(delivery({ 'rcpt reply': `S: ${reply}` }));
    const [rcpt] = transactions[0]!.rcpts;
    expect(className(rcpt!.class)).toBe(wanted);
    expect(listsOf(transactions[0]!.lists)).toEqual(lists);
    expect(listsOf(sessions[0]!.lists)).toEqual(lists);
    expect(sessions[0]!.rcptOutcomes[rcpt!.class]).toBe(1);
    expect(sessions[0]!.rcptOutcomes.reduce((sum, count) => sum + count)).toBe(1);
  });

  it('looks at all lines of a reply, however the bytes are cut', () => {
    const reply = [
      'S: 550-5.7.1 Your address',
      'S: 550-is known to',
      `S: 550-${'x'.repeat(300)} zen.spamhaus.org`,
      'S: 550 for long',
    ];
    const text = delivery({ 'rcpt reply': reply.join('\n') });
    for (const mss of [1, 2, 3, 7, 64, 65, 300, 1460]) {
      const { transactions } = rowsOf(dialogue(text, { mss }).frames);
      expect(className(transactions[0]!.rcpts[0]!.class), `mss ${mss}`).toBe('policy-refused');
      expect(listsOf(transactions[0]!.lists), `mss ${mss}`).toEqual(['spamhaus']);
    }
  });

  it('does not carry a list from one reply to the next', () => {
    const { transactions } = factsOf(
      delivery({
        'rcpt reply': `S: 550 see spamhaus
          C: RCPT TO:<c@example.net>
          S: 550 no
          C: RCPT TO:<d@example.net>
          S: 250 ok`,
      }),
    );
    expect(transactions[0]!.rcpts.map((rcpt) => className(rcpt.class))).toEqual([
      'policy-refused',
      'unknown-user',
      'ok',
    ]);
  });
});

describe('the class of other replies', () => {
  it.each([
    ['mail reply', 'mailClass', '250 ok', 'ok'],
    ['mail reply', 'mailClass', '550 no', 'policy-refused'],
    ['mail reply', 'mailClass', '553 5.1.8 domain of sender does not exist', 'policy-refused'],
    ['mail reply', 'mailClass', '530 5.7.0 Authentication required', 'other-refused'],
    ['mail reply', 'mailClass', '451 later', 'deferred'],
    ['data reply', 'dataClass', '354 go', 'ok'],
    ['data reply', 'dataClass', '554 5.5.1 no valid recipients', 'protocol'],
    ['final reply', 'finalClass', '250 taken', 'ok'],
    ['final reply', 'finalClass', '554 5.7.1 spam', 'policy-refused'],
    ['final reply', 'finalClass', '554 transaction failed', 'other-refused'],
    ['final reply', 'finalClass', '550 no such user', 'other-refused'],
  ] as const)('%s, %s: %s', (place, field, reply, wanted) => {
    const { transactions } = factsOf(delivery({ [place]: reply }));
    expect(className(transactions[0]![field])).toBe(wanted);
  });

  it('a greeting that refuses, and names a list', () => {
    const { sessions } = factsOf(`
      S: 554 5.7.1 blocked, see psbl.surriel.com
      C: QUIT
      S: 221 bye
      --`);
    expect(className(sessions[0]!.greetingClass)).toBe('policy-refused');
    expect(listsOf(sessions[0]!.lists)).toEqual(['psbl']);
  });

  it('a refused EHLO, then HELO', () => {
    const { sessions } = factsOf(
      delivery({ extensions: 'S: 502 what\nC: HELO client.example.org\nS: 250 ok' }),
    );
    expect(className(sessions[0]!.heloClass)).toBe('ok');
    expect(dialectOf(sessions[0]!.dialect)).toEqual(expect.arrayContaining(['ehlo', 'helo']));
  });
});

describe('hashes', () => {
  it('a recipient in any case has one hash, another has another, an unseen one none', () => {
    const rcpt = 'RCPT TO:<Bob@Example.NET>\nS: 250 ok\nC: RCPT TO:<bob@example.org>';
    const { frames } = dialogue(delivery({ rcpt }));
    const hashes = (rows: Seen) => rows.transactions[0]!.rcpts.map(({ hash }) => hash);
    const both = [hashOf('bob@example.net', false), hashOf('bob@example.org', false)];
    expect(hashes(rowsOf(frames))).toEqual(both);
    expect(hashes(rowsOf(frames.filter(({ dir }) => dir === 'client')))).toEqual(both);
    const unseen = hashes(rowsOf(frames.filter(({ dir }) => dir === 'server')));
    expect(unseen).toEqual([none, none]);
  });

  it.each([
    ['first', 'C: Message-ID: <1@example.org>\nC: Subject: x\nC: ', '1@example.org'],
    ['behind the subject', 'C: Subject: x\nC: Message-Id: <1@example.org>\nC: ', '1@example.org'],
    ['without brackets', 'C: MESSAGE-ID:   1@example.org \nC: ', '1@example.org'],
    ['folded', 'C: Message-ID:\nC|  \nC:  <1@example.org>\nC: ', '1@example.org'],
    ['with a comment', 'C: Message-ID: <1@example.org> (by hand)\nC: ', '1@example.org'],
    ['twice, and the first counts', 'C: Message-ID: <1@x>\nC: Message-ID: <2@x>\nC: ', '1@x'],
    ['in the body', 'C: Subject: x\nC: \nC: Message-ID: <1@example.org>', null],
    ['empty', 'C: Message-ID:\nC: Subject: x\nC: ', null],
    ['a similar name', 'C: Message-IDs: <1@example.org>\nC: ', null],
    ['not there', 'C: Subject: x\nC: ', null],
  ])('Message-ID %s', (_, message, wanted) => {
    for (const mss of [1, 5, 1460]) {
      const { transactions } = rowsOf(dialogue(delivery({ message }), { mss }).frames);
      expect(transactions[0]!.messageId).toEqual(wanted === null ? none : hashOf(wanted, false));
    }
  });

  it('a Message-ID that breaks off is none', () => {
    const { transactions } = factsOf(`
      S: 220 mx
      C: EHLO a
      S: 250 ok
      C: MAIL FROM:<a@b>
      S: 250 ok
      C: RCPT TO:<c@d>
      S: 250 ok
      C: DATA
      S: 354 go
      C| Message-ID: <1@exam
      RST`);
    expect(transactions[0]!.messageId).toEqual(none);
  });

  it('the label is the same with and without facts', () => {
    const message = 'C: Subject: [AD] ABC\nC: Message-ID: <1@x>\nC: Subject: none\nC: ';
    const { transactions } = factsOf(delivery({ message }));
    expect(transactions[0]!.label).not.toBe(0);
    expect(transactions[0]!.messageId).toEqual(hashOf('1@x', false));
  });
});

const plain = ['ehlo'];
const pipelining = 'S: 250-mx.example.net\nS: 250 PIPELINING';
const dialects: [situation: string, put: Partial<Record<string, string>>, wanted: string[]][] = [
  ['nothing to remark', {}, plain],
  ['HELO', { hello: 'HELO client', extensions: 'S: 250 ok' }, ['helo']],
  ['a space behind the colon', { mail: 'MAIL FROM: <a@b>' }, [...plain, 'space-after-colon']],
  ['a space at the end', { rcpt: 'RCPT TO:<a@b> ' }, [...plain, 'trailing-space']],
  ['no brackets', { rcpt: 'RCPT TO:a@b' }, [...plain, 'no-brackets']],
  ['a lower-case verb', { mail: 'mail FROM:<a@b>' }, [...plain, 'lower-case-verb']],
  ['no QUIT', { end: '' }, [...plain, 'no-quit']],
  [
    'SIZE announced and not used',
    { extensions: 'S: 250-mx\nS: 250 SIZE 1000' },
    [...plain, 'no-size'],
  ],
  [
    'SIZE announced and used',
    { extensions: 'S: 250-mx\nS: 250 SIZE', mail: 'MAIL FROM:<a@b> SIZE=5' },
    plain,
  ],
  ['the name of the server', { hello: 'EHLO MX.example.net' }, [...plain, 'helo-is-server']],
  ['its domain', { hello: 'EHLO example.net' }, [...plain, 'helo-is-server-domain']],
  [
    'commands together, as was not announced',
    { 'mail reply': '250 ok', mail: 'MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nS: 250 ok' },
    [...plain, 'unannounced-pipelining'],
  ],
  [
    'commands together, as was announced',
    { extensions: pipelining, mail: 'MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nS: 250 ok' },
    plain,
  ],
  [
    'RSET behind a refusal',
    { 'rcpt reply': 'S: 550 no\nC: RSET\nS: 250 ok\nC: MAIL FROM:<a@example.org>\nS: 250 ok' },
    [...plain, 'reset-after-refusal'],
  ],
  ['RSET behind none', { before: 'C: RSET\nS: 250 ok' }, plain],
];

describe('dialect', () => {
  it.each(dialects)('%s', (_, put, wanted) => {
    const { sessions } = factsOf(delivery(put));
    expect(dialectOf(sessions[0]!.dialect).sort()).toEqual([...wanted].sort());
  });

  it('a bare LF ends a command', () => {
    const text = delivery().replace(
      'C: MAIL FROM:<a@example.org>',
      'C| MAIL FROM:<a@example.org>\\n',
    );
    expect(dialectOf(factsOf(text).sessions[0]!.dialect)).toEqual([...plain, 'bare-lf']);
  });

  it('DATA behind a recipient whose refusal it had not heard, and behind one that it had', () => {
    const text = (between: string) => `
      S: 220 mx
      C: EHLO a
      ${pipelining}
      C: MAIL FROM:<a@b>
      S: 250 ok
      C: RCPT TO:<c@d>
      ${between}
      C: DATA
      ${between === '' ? 'S: 550 no' : ''}
      S: 554 no recipients
      C: QUIT
      S: 221 bye
      --`;
    const [blind] = factsOf(text('')).sessions;
    expect(dialectOf(blind!.dialect)).toContain('data-behind-refusal');
    const [waits] = factsOf(text('S: 550 no')).sessions;
    expect(dialectOf(waits!.dialect)).not.toContain('data-behind-refusal');
  });

  it('a client that talks before the greeting', () => {
    const c: Conversation = dialogue('C: EHLO a\nS: 220 mx\nS: 250 ok\nC: QUIT\nS: 221 bye\n--');
    expect(dialectOf(rowsOf(c.frames).sessions[0]!.dialect)).toContain('early-talker');
  });
});

describe('another sender behind a refusal', () => {
  const again = (first: string, sender: string, rcpt: string) => `
    S: 220 mx
    C: EHLO a
    S: 250 ok
    C: MAIL FROM:<one@example.org>
    S: 250 ok
    C: RCPT TO:<b@example.net>
    S: ${first}
    C: RSET
    S: 250 ok
    C: MAIL FROM:<${sender}>
    S: 250 ok
    C: RCPT TO:<${rcpt}>
    S: 250 ok
    C: QUIT
    S: 221 bye
    --`;
  it.each([
    ['another sender, the same recipient', '550 no', 'two@example.org', 'B@example.net', true],
    ['the same sender', '550 no', 'One@example.org', 'b@example.net', false],
    ['another recipient', '550 no', 'two@example.org', 'c@example.net', false],
    ['the first was only deferred', '450 no', 'two@example.org', 'b@example.net', false],
    ['the first was taken', '250 ok', 'two@example.org', 'b@example.net', false],
  ])('%s', (_, first, sender, rcpt, rotated) => {
    const { transactions, sessions } = factsOf(again(first, sender, rcpt));
    expect(transactions.map((row) => row.rotated)).toEqual([false, rotated]);
    expect(dialectOf(sessions[0]!.dialect).includes('rotated')).toBe(rotated);
  });
});

describe('counts', () => {
  it('VRFY and EXPN, envelopes without DATA, recipients by class', () => {
    const { sessions } = factsOf(`
      S: 220 mx
      C: EHLO a
      S: 250 ok
      C: VRFY bob
      S: 252 perhaps
      C: EXPN all
      S: 550 no
      C: MAIL FROM:<>
      S: 250 ok
      C: RCPT TO:<b@example.net>
      S: 550 no
      C: RCPT TO:<c@example.net>
      S: 250 ok
      C: RCPT TO:<d@example.net>
      S: 450 later
      C: RSET
      S: 250 ok
      C: MAIL FROM:<>
      S: 250 ok
      C: QUIT
      S: 221 bye
      --`);
    const { asked, dataless, rcptOutcomes } = sessions[0]!;
    expect({ asked, dataless, rcptOutcomes }).toEqual({
      asked: 2,
      dataless: 1,
      rcptOutcomes: [0, 1, 1, 0, 0, 1, 0, 0],
    });
  });

  it.each([
    ['one password again and again', ['AAAA', 'AAAA', 'AAAA'], 1],
    ['guesses', ['AAAA', 'BBBBBBBB', 'CCCCCCCCCCCC'], 3],
  ])('AUTH PLAIN, %s', (_, passwords, lengths) => {
    for (const form of ['initial', 'line']) {
      const tries = passwords.map((word) =>
        form === 'initial'
          ? `C: AUTH PLAIN ${word}\nS: 535 no`
          : `C: AUTH PLAIN\nS: 334\nC: ${word}\nS: 535 no`,
      );
      for (const mss of [1, 3, 1460]) {
        const text = delivery({ before: tries.join('\n') });
        const { sessions, transactions } = rowsOf(dialogue(text, { mss }).frames);
        expect(sessions[0]!.authFailures).toBe(3);
        expect(sessions[0]!.authLengths, `${form}, mss ${mss}`).toBe(lengths);
        expect(transactions[0]!.authenticated).toBe(false);
      }
    }
  });

  it('a transaction is authenticated when 235 came before its MAIL', () => {
    const login = 'C: AUTH PLAIN AAAA\nS: 235 ok';
    expect(factsOf(delivery({ before: login })).transactions[0]!.authenticated).toBe(true);
    const { frames } = dialogue(delivery({ before: login }));
    const client = rowsOf(frames.filter(({ dir }) => dir === 'client'));
    expect(client.transactions[0]!.authenticated, 'nobody saw it fail').toBe(true);
    const failed = delivery({ before: 'C: AUTH PLAIN AAAA\nS: 535 no' });
    expect(factsOf(failed).transactions[0]!.authenticated).toBe(false);
    const late = factsOf(`
      S: 220 mx
      C: EHLO a
      S: 250 ok
      C: MAIL FROM:<a@b>
      S: 530 first
      C: AUTH PLAIN AAAA
      S: 235 ok
      C: MAIL FROM:<a@b>
      S: 250 ok
      C: QUIT
      S: 221 bye
      --`);
    expect(late.transactions.map((row) => row.authenticated)).toEqual([false, true]);
  });

  it('handshake', () => {
    expect(factsOf(delivery()).transactions[0]!.handshake).toBe(true);
    const { frames } = dialogue(delivery(), { handshake: false });
    expect(rowsOf(frames).transactions[0]!.handshake).toBe(false);
  });
});

describe('real captures', () => {
  // Their clients acknowledge more than the captured servers said: that was not pipelining.
  const captures = realCaptures().filter(({ file }) =>
    /smtp-subject-(windows|multi-nospace)/.test(file),
  );

  it.each(captures)('$file', async ({ file }) => {
    const rows: Row[] = [];
    const sink = {
      rows: (area: ArrayBuffer, length: number) => void rows.push(...readRows(area, length)),
    };
    const engine = new Engine(smallConfig(), sink, { factsKey });
    const source = openCapture(join(capturesFolder, 'files', file));
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      engine.feed(batch);
    }
    engine.finish();
    const [session] = rows.filter((row) => row.kind === 'session');
    expect(dialectOf(session!.dialect)).toContain('ehlo');
    expect(dialectOf(session!.dialect)).not.toContain('unannounced-pipelining');
  });
});
