// What servers of several makes say, word for word in their style: with and without enhanced status
// codes (RFC 3463), with and without CHUNKING. Only wording; who says what when is in `session.ts`.

import type { Rng } from './rng.js';

export interface Dialect {
  readonly name: string;
  readonly chunking: boolean;
  readonly pipelining: boolean;
  readonly size: boolean;
  banner(host: string, rng: Rng): string;
  /** EHLO keywords between the greeting line and the end; STARTTLS is put in by the session. */
  readonly keywords: readonly string[];
  ehlo(host: string, client: string, address: string): string;
  mailOk(from: string): string;
  rcptOk(to: string): string;
  rcptRefused(to: string): string;
  rcptDeferred(to: string): string;
  readonly noRecipients: string;
  readonly data: string;
  queued(rng: Rng, bytes: number): string;
  chunk(bytes: number): string;
  readonly rejected: string;
  readonly deferred: string;
  readonly rset: string;
  readonly tlsReady: string;
  bye(host: string): string;
}

const id = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const postfix: Dialect = {
  name: 'postfix',
  chunking: true,
  pipelining: true,
  size: true,
  banner: (host) => `220 ${host} ESMTP Postfix`,
  keywords: ['PIPELINING', 'SIZE 52428800', 'ETRN', 'ENHANCEDSTATUSCODES', '8BITMIME', 'DSN'],
  ehlo: (host) => host,
  mailOk: () => '250 2.1.0 Ok',
  rcptOk: () => '250 2.1.5 Ok',
  rcptRefused: (to) =>
    `550 5.1.1 <${to}>: Recipient address rejected: User unknown in local recipient table`,
  rcptDeferred: (to) => `450 4.2.0 <${to}>: Recipient address rejected: Greylisted`,
  noRecipients: '554 5.5.1 Error: no valid recipients',
  data: '354 End data with <CR><LF>.<CR><LF>',
  queued: (rng) => `250 2.0.0 Ok: queued as 4${rng.text(14, id)}`,
  chunk: (bytes) => `250 2.0.0 Ok: ${bytes} bytes`,
  rejected: '550 5.7.1 Message content rejected',
  deferred: '451 4.3.0 Error: queue file write error',
  rset: '250 2.0.0 Ok',
  tlsReady: '220 2.0.0 Ready to start TLS',
  bye: () => '221 2.0.0 Bye',
};

const exim: Dialect = {
  name: 'exim',
  chunking: true,
  pipelining: true,
  size: true,
  banner: (host) => `220 ${host} ESMTP Exim 4.97.1 Tue, 14 Nov 2023 22:13:20 +0000`,
  keywords: ['SIZE 52428800', '8BITMIME', 'PIPELINING', 'HELP'],
  ehlo: (host, client, address) => `${host} Hello ${client} [${address}]`,
  mailOk: () => '250 OK',
  rcptOk: () => '250 Accepted',
  rcptRefused: () => '550 Unrouteable address',
  rcptDeferred: () => '451 Temporary local problem - please try later',
  noRecipients:
    '503-All RCPT commands were rejected with this error:\r\n' +
    '503 Valid RCPT command must precede DATA',
  data: '354 Enter message, ending with "." on a line by itself',
  queued: (rng) => `250 OK id=1r${rng.text(4, id)}-${rng.text(11, id)}-${rng.text(4, id)}`,
  chunk: (bytes) => `250 ${bytes} byte chunk received`,
  rejected: '550 This message was classified as spam',
  deferred: '451 Temporary local problem - please try later',
  rset: '250 Reset OK',
  tlsReady: '220 TLS go ahead',
  bye: (host) => `221 ${host} closing connection`,
};

const exchange: Dialect = {
  name: 'exchange',
  chunking: true,
  pipelining: true,
  size: true,
  banner: (host) =>
    `220 ${host} Microsoft ESMTP MAIL Service ready at Tue, 14 Nov 2023 22:13:20 +0000`,
  keywords: ['SIZE 37748736', 'PIPELINING', 'DSN', 'ENHANCEDSTATUSCODES', '8BITMIME', 'BINARYMIME'],
  ehlo: (host, _client, address) => `${host} Hello [${address}]`,
  mailOk: () => '250 2.1.0 Sender OK',
  rcptOk: () => '250 2.1.5 Recipient OK',
  rcptRefused: () =>
    '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup',
  rcptDeferred: () => '452 4.5.3 Recipient limit reached',
  noRecipients: '503 5.5.2 Need rcpt command',
  data: '354 Start mail input; end with <CRLF>.<CRLF>',
  queued: (rng, bytes) =>
    `250 2.6.0 <${rng.text(24)}@mx.example> [InternalId=${rng.int(1e9)}, ` +
    `Hostname=EX01.corp.example] ${bytes} bytes in 0.1${rng.int(99)}, ` +
    `${rng.between(20, 900)}.1 KB/sec Queued mail for delivery`,
  chunk: (bytes) => `250 2.6.0 CHUNK received OK, ${bytes} octets`,
  rejected: '550 5.7.1 Message rejected as spam by Content Filtering.',
  deferred: '451 4.7.0 Temporary server error. Please try again later.',
  rset: '250 2.0.0 Resetting',
  tlsReady: '220 2.0.0 SMTP server ready',
  bye: () => '221 2.0.0 Service closing transmission channel',
};

const sendmail: Dialect = {
  name: 'sendmail',
  chunking: false,
  pipelining: true,
  size: true,
  banner: (host) => `220 ${host} ESMTP Sendmail 8.17.1/8.17.1; Tue, 14 Nov 2023 22:13:20 GMT`,
  keywords: ['ENHANCEDSTATUSCODES', 'PIPELINING', '8BITMIME', 'SIZE 20000000', 'DSN', 'DELIVERBY'],
  ehlo: (host, client, address) => `${host} Hello ${client} [${address}], pleased to meet you`,
  mailOk: (from) => `250 2.1.0 <${from}>... Sender ok`,
  rcptOk: (to) => `250 2.1.5 <${to}>... Recipient ok`,
  rcptRefused: (to) => `550 5.1.1 <${to}>... User unknown`,
  rcptDeferred: (to) => `451 4.7.1 <${to}>... Greylisting in action, please come back later`,
  noRecipients: '503 5.0.0 Need RCPT (recipient)',
  data: '354 Enter mail, end with "." on a line by itself',
  queued: (rng) => `250 2.0.0 3AE${rng.text(11, id)} Message accepted for delivery`,
  chunk: (bytes) => `250 2.0.0 ${bytes} octets`,
  rejected: '554 5.7.1 Command rejected',
  deferred: '451 4.3.2 Please try again later',
  rset: '250 2.0.0 Reset state',
  tlsReady: '220 2.0.0 Ready to start TLS',
  bye: (host) => `221 2.0.0 ${host} closing connection`,
};

const qmail: Dialect = {
  name: 'qmail',
  chunking: false,
  pipelining: true,
  size: false,
  banner: (host) => `220 ${host} ESMTP`,
  keywords: ['PIPELINING', '8BITMIME'],
  ehlo: (host) => host,
  mailOk: () => '250 ok',
  rcptOk: () => '250 ok',
  rcptRefused: () => "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
  rcptDeferred: () => '451 unable to verify recipient (#4.3.0)',
  noRecipients: '503 RCPT first (#5.5.1)',
  data: '354 go ahead',
  queued: (rng) => `250 ok 17000${rng.between(10000, 99999)} qp ${rng.between(1000, 32000)}`,
  chunk: (bytes) => `250 ok ${bytes}`,
  rejected: '554 mail server permanently rejected message (#5.3.0)',
  deferred: '451 qq temporary problem (#4.3.0)',
  rset: '250 flushed',
  tlsReady: '220 ready for tls',
  bye: (host) => `221 ${host}`,
};

/** The makes, more common ones more often. */
export const dialects: readonly Dialect[] = [
  postfix,
  postfix,
  postfix,
  exim,
  exim,
  exchange,
  exchange,
  sendmail,
  qmail,
];
