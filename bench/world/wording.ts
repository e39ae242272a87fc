// What servers say in each case, in the words of their make. The greeting, EHLO answer and other
// polite lines are `dialects` of bench/generate; here are the refusals. No detector reads this
// file: it must find the meaning in the words, as on a real wire.

import { type Dialect, dialects } from '../generate/dialect.js';
import type { Answer } from './talk.js';

/** Lists that refusals name. */
export const lists = [
  { zone: 'zen.spamhaus.org', page: 'https://www.spamhaus.org/query/ip/' },
  { zone: 'bl.spamcop.net', page: 'https://www.spamcop.net/bl.shtml?' },
  { zone: 'b.barracudacentral.org', page: 'http://www.barracudacentral.org/rbl/' },
  { zone: 'psbl.surriel.com', page: 'https://psbl.org/listing?ip=' },
] as const;

/** Makes by number; a server is always of the same make. */
export const makes: readonly Dialect[] = dialects.filter(
  (dialect, at) => dialects.indexOf(dialect) === at,
);

interface Words {
  readonly unknown: string;
  readonly policy: string;
  readonly relaying: string;
  readonly greylisted: string;
  readonly busy: string;
  readonly full: string;
  readonly content: string;
}

/** `@` stands for the recipient. */
const words: Readonly<Record<string, Words>> = {
  postfix: {
    unknown: '550 5.1.1 <@>: Recipient address rejected: User unknown in virtual mailbox table',
    policy: '554 5.7.1 <@>: Recipient address rejected: Access denied',
    relaying: '554 5.7.1 <@>: Relay access denied',
    greylisted: '450 4.2.0 <@>: Recipient address rejected: Greylisted, see https://example.org/',
    busy: '451 4.3.0 <@>: Temporary lookup failure',
    full: '452 4.2.2 <@>: Recipient address rejected: Mailbox is full',
    content: '554 5.7.1 Message rejected by content filter',
  },
  exim: {
    unknown: '550 Unknown user',
    policy: '550 Administrative prohibition',
    relaying: '550 relay not permitted',
    greylisted: '451 Greylisted, please try again in 300 seconds',
    busy: '451 Temporary local problem - please try later',
    full: '452 mailbox is full',
    content: '550 This message was classified as spam',
  },
  exchange: {
    unknown:
      '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup',
    policy: '550 5.7.1 Service unavailable, access denied by policy',
    relaying: '550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain',
    greylisted: '451 4.7.500 Server busy. Please try again later',
    busy: '451 4.7.0 Temporary server error. Please try again later',
    full: '452 4.2.2 Mailbox full',
    content: '550 5.7.1 Message rejected as spam by Content Filtering.',
  },
  sendmail: {
    unknown: '550 5.1.1 <@>... User unknown',
    policy: '550 5.7.1 <@>... Access denied',
    relaying: '550 5.7.1 <@>... Relaying denied',
    greylisted: '451 4.7.1 <@>... Greylisting in action, please come back later',
    busy: '451 4.3.2 Please try again later',
    full: '452 4.2.2 <@>... Mailbox full',
    content: '554 5.7.1 Command rejected',
  },
  qmail: {
    unknown: '550 sorry, no mailbox here by that name (#5.1.1)',
    policy: '553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)',
    relaying: "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
    greylisted: '451 temporary failure, greylisted (#4.3.0)',
    busy: '451 qq temporary problem (#4.3.0)',
    full: '452 mailbox full (#4.2.2)',
    content: '554 mail server permanently rejected message (#5.3.0)',
  },
};

/** The make of a server, by its address. */
export function makeOf(server: string): Dialect {
  let hash = 7;
  for (let i = 0; i < server.length; i++) hash = (Math.imul(hash, 31) + server.charCodeAt(i)) | 0;
  return makes[(hash >>> 4) % makes.length]!;
}

/** Who asks whom; for texts that say it back. */
export interface About {
  readonly make: Dialect;
  readonly to: string;
  readonly client: string;
  readonly list: number;
}

/** A refusal or deferral in the make's words; `ok` is not here because each command has its own. */
export function refusal(answer: Exclude<Answer, 'ok'>, about: About): string {
  if (answer === 'syntax') return '501 5.5.4 Syntax error in parameters or arguments';
  if (answer === 'sequence') return '503 5.5.1 Error: need MAIL command';
  if (answer === 'down') return '421 4.3.2 Service not available, closing transmission channel';
  if (answer === 'listed') {
    const { zone, page } = lists[about.list]!;
    const { client } = about;
    if (about.make.name === 'exim') return `550 ${client} is listed at ${zone} (${page}${client})`;
    const what = `Client host [${client}] blocked using ${zone}; ${page}${client}`;
    return `554 5.7.1 Service unavailable; ${what}`;
  }
  return words[about.make.name]![answer].replace('@', about.to);
}

/** Whether a server announces PIPELINING; most do. */
export function announces(server: string): boolean {
  return server.charCodeAt(server.length - 1) % 10 < 8;
}
