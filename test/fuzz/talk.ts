// A grammar of what clients and servers say, and of what they should not: commands, replies,
// messages and rubbish, in pieces of any length.

import type { Random } from '../../src/lib/random.js';
import { pick } from './target.js';

const names = ['a', 'mx.example.net', '[192.0.2.1]', '', 'x'.repeat(300), '\xff\xfe', '"', 'é'];
const boxes = [
  '<a@example.org>',
  '<>',
  '< b@example.net >',
  'c@example.org',
  '<@one.example,@two.example:d@example.org>',
  '<"quoted > box"@example.org>',
  '<"never closed@example.org>',
  '<open@example.org',
  `<${'l'.repeat(300)}@example.org>`,
  '<\xff\xfe@\x00>',
  '<\u00e9\u4e2d@example.cn>',
  '',
];
const parameters = [
  '',
  '',
  '',
  ' SIZE=1000',
  ' SIZE=999999999999999999999',
  ' BODY=8BITMIME',
  ' X',
];
const auth = [
  'AUTH PLAIN AGEAYg==',
  'AUTH PLAIN',
  'AUTH LOGIN',
  'AUTH LOGIN YQ==',
  'AUTH CRAM-MD5',
  'AUTH XOAUTH2 dXNlcj0=',
  'AUTH',
  'AUTH X',
  'auth plain =',
];
const plain = [
  'DATA',
  'DATA',
  'DATA',
  'data',
  'RSET',
  'RSET',
  'QUIT',
  'NOOP',
  'NOOP x',
  'VRFY a',
  'EXPN b',
  'HELP',
  'STARTTLS',
  'STARTTLS x',
  'XCLIENT ADDR=192.0.2.9',
  'XFORWARD NAME=a',
  'ETRN #q',
  'TURN',
];
const subjects = [
  'Subject: (AD) hello\r\n',
  'Subject: =?UTF-8?B?5bm/5ZGK?= x\r\n',
  'subject: =?GB2312?Q?=B9=E3=B8=E6?=\r\n =?GB2312?Q?=B9?=\r\n',
  'SUBJECT:[QC]\r\n\tcontinued\r\n',
  'Subject: =?x?y?z\r\n',
  `Subject: ${'A'.repeat(1500)}\r\n`,
  'From: a\r\nTo: b\r\n',
  'Sub',
  ': \r\n',
];
const ends = [
  '\r\n.\r\n',
  '\r\n.\r\n',
  '\r\n.\r\n',
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '.\r\n',
  '',
];
const lineEnds = ['\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '', '\r\r\n'];

/** Bytes of a client. */
export function clientTalk(random: Random): Buffer {
  const said: (string | Buffer)[] = [];
  for (let n = random.below(4); n >= 0; n--) said.push(clientPiece(random));
  return joined(said);
}

// long: one case for each kind of thing said
function clientPiece(random: Random): string | Buffer {
  const end = pick(random, lineEnds);
  switch (random.below(16)) {
    case 0:
    case 1:
      return `${pick(random, ['EHLO', 'HELO', 'LHLO', 'ehlo'])} ${pick(random, names)}${end}`;
    case 2:
    case 3:
    case 4:
      return `MAIL FROM:${pick(random, boxes)}${pick(random, parameters)}${end}`;
    case 5:
    case 6:
    case 7:
      return `RCPT TO:${pick(random, boxes)}${pick(random, parameters)}${end}`;
    case 8:
    case 9:
    case 10:
      return `${pick(random, plain)}${end}`;
    case 11:
      return chunk(random);
    case 12:
      return `${pick(random, auth)}${end}`;
    case 13:
      return message(random);
    case 14:
      return `${'z'.repeat(random.below(2500))}${end}`;
    default:
      return rubbish(random);
  }
}

function chunk(random: Random): string {
  const size = pick(random, [0, 1, 5, 100, 3000, 2147483647, 2147483648, -1]);
  const last = pick(random, ['', ' LAST', ' last', ' LASTS']);
  const real = Math.max(0, Math.min(size, 3000) + pick(random, [0, 0, 0, 1, -1]));
  return `BDAT ${size}${last}\r\n${message(random).padEnd(3000, 'b').slice(0, real)}`;
}

function message(random: Random): string {
  const stuffed = random.chance(0.3) ? '..stuffed\r\n.\rx\r\n' : '';
  const body = 'line of text\r\n'.repeat(random.below(20));
  return `${pick(random, subjects)}\r\n${stuffed}${body}text${pick(random, ends)}`;
}

function rubbish(random: Random): Buffer {
  const bytes = Buffer.alloc(random.below(60));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256);
  if (random.chance(0.3)) bytes.set([0x16, 3, 1, 0, 200].slice(0, bytes.length));
  return bytes;
}

const codes = ['220', '250', '250', '250', '250', '354', '354', '334', '235', '221', '421', '450'];
const oddCodes = ['550', '503', '554', '100', '000', '999', '25', '2500', 'OK', ''];
const texts = [
  'ok',
  '2.1.0 ok',
  '2.1.5 ok',
  '5.1.1 no',
  '2.6.0 queued',
  'STARTTLS',
  '',
  '\xff\x00',
];

/** Bytes of a server. */
export function serverTalk(random: Random): Buffer {
  const said: (string | Buffer)[] = [];
  for (let n = random.below(4); n >= 0; n--) said.push(serverPiece(random));
  return joined(said);
}

function serverPiece(random: Random): string | Buffer {
  if (random.chance(0.05)) return rubbish(random);
  const code = pick(random, random.chance(0.8) ? codes : oddCodes);
  let reply = '';
  for (let n = random.chance(0.2) ? random.below(6) : 0; n > 0; n--) {
    reply += `${random.chance(0.9) ? code : pick(random, codes)}-${pick(random, texts)}\r\n`;
  }
  const space = pick(random, [' ', ' ', ' ', ' ', '-', '', 'x']);
  return `${reply}${code}${space}${pick(random, texts)}${pick(random, lineEnds)}`;
}

function joined(said: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    said.map((each) => (typeof each === 'string' ? Buffer.from(each, 'latin1') : each)),
  );
}

/** A dialogue that makes sense, as turns; who damages it gets further than who makes it up. */
export function sensible(random: Random): ['c' | 's', Buffer][] {
  const turns: ['c' | 's', Buffer][] = [];
  const say = (side: 'c' | 's', text: string) =>
    void turns.push([side, Buffer.from(text, 'latin1')]);
  const lmtp = random.chance(0.15);
  say('s', '220 mx.example.net ESMTP\r\n');
  say('c', `${lmtp ? 'LHLO' : 'EHLO'} client.example\r\n`);
  say('s', '250-mx.example.net\r\n250-STARTTLS\r\n250 CHUNKING\r\n');
  if (random.chance(0.1)) {
    say('c', 'AUTH LOGIN\r\n');
    say('s', '334 VXNlcm5hbWU6\r\n');
    say('c', 'dXNlcg==\r\n');
    say('s', '334 UGFzc3dvcmQ6\r\n');
    say('c', 'c2VjcmV0\r\n');
    say('s', `${pick(random, ['235', '535', '421'])} done\r\n`);
  }
  for (let n = random.below(4); n > 0; n--) mail(say, random, lmtp);
  if (random.chance(0.1)) {
    say('c', 'STARTTLS\r\n');
    say('s', `${pick(random, ['220', '454'])} STARTTLS\r\n`);
  }
  say('c', 'QUIT\r\n');
  say('s', '221 bye\r\n');
  return turns;
}

type Say = (side: 'c' | 's', text: string) => void;

const answers = ['250 2.1.5 ok', '250 2.1.5 ok', '250 2.1.5 ok', '550 5.1.1 no', '450 4.2.0 wait'];
const finals = ['250 2.0.0 queued', '250 2.0.0 queued', '554 5.7.1 no', '451 4.3.0 later'];

function mail(say: Say, random: Random, lmtp: boolean): void {
  const count = 1 + random.below(4);
  const codes = Array.from({ length: count }, () => `${pick(random, answers)}\r\n`);
  const commands = codes.map((_, n) => `RCPT TO:<r${n}@example.net>\r\n`);
  const chunking = random.chance(0.3);
  const taken = codes.filter((code) => code.startsWith('2')).length;
  if (random.chance(0.5)) {
    say('c', `MAIL FROM:<s@example.org> SIZE=99\r\n${commands.join('')}`);
    say('s', `250 2.1.0 ok\r\n${codes.join('')}`);
  } else {
    say('c', 'MAIL FROM:<s@example.org>\r\n');
    say('s', '250 2.1.0 ok\r\n');
    for (const [n, command] of commands.entries()) {
      say('c', command);
      say('s', codes[n]!);
    }
  }
  if (random.chance(0.1)) {
    say('c', 'RSET\r\n');
    say('s', '250 2.0.0 ok\r\n');
    return;
  }
  const text = `Subject: [AD] x\r\n\r\n${'some text.\r\n'.repeat(random.below(30))}`;
  if (chunking) {
    say('c', `BDAT ${text.length}\r\n${text}`);
    say('s', '250 2.0.0 chunk\r\n');
    say('c', 'BDAT 5 LAST\r\nend\r\n');
  } else {
    say('c', 'DATA\r\n');
    say('s', taken > 0 ? '354 go\r\n' : '554 5.5.1 no recipients\r\n');
    if (taken === 0) return;
    say('c', `${text}${pick(random, ['.\r\n', '.\r\n', '.\r\n', '.\n'])}`);
  }
  for (let n = lmtp ? Math.max(1, taken) : 1; n > 0; n--) say('s', `${pick(random, finals)}\r\n`);
}
