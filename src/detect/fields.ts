// The fields that rules may name: one table with the type of each, the event streams on which it
// exists and where its value comes from. `facts.ts` fills the values; nothing else knows a field.

import { protocolNames, sidesNames } from '../batch/row.js';
import { roleNames, serverStateNames } from '../register/server.js';
import { replyClassNames } from '../smtp/reply-class.js';

/** What a rule can listen to. A row gives one to three of them, a recipient one of its own. */
export const streams = [
  'session.start',
  'session.end',
  'transaction',
  'transaction.accepted',
  'rcpt.outcome',
  'auth.outcome',
  'attempt',
] as const;
export type Stream = (typeof streams)[number];

export const directionNames = ['transit', 'in', 'out', 'internal'] as const;
/** How the HELO name was written, judged from its text and the connection alone. */
export const heloNames = [
  'absent',
  'name',
  'own-address',
  'server-name',
  'zero-literal',
  'private-literal',
  'foreign-literal',
  'literal',
  'bare-word',
  'registered-elsewhere',
] as const;
export const attemptNames = ['none', 'refused', 'silent'] as const;

/**
 * - number, flag, word: have a value and can be compared
 * - address: can be looked for in a list of prefixes
 * - key: stands for something that can only be counted (`of`) or grouped by: a mailbox, a domain
 */
export type FieldType = 'number' | 'flag' | 'word' | 'address' | 'key';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly words: readonly string[];
  readonly streams: readonly Stream[];
  /** Where the value comes from, for people. */
  readonly from: string;
  /** Place of the value in `Facts.values`; of an address, of its first of four words. */
  readonly slot: number;
}

const everywhere: readonly Stream[] = streams;
const inSession: readonly Stream[] = streams.filter((name) => name !== 'attempt');
const atEnd: readonly Stream[] = ['session.end', 'auth.outcome'];
const ofMail: readonly Stream[] = ['transaction', 'transaction.accepted', 'rcpt.outcome'];
const ofCost: readonly Stream[] = ['transaction', 'session.end'];
const ofRecipient: readonly Stream[] = ['transaction.accepted', 'rcpt.outcome'];

type Row = readonly [
  name: string,
  type: FieldType,
  where: readonly Stream[],
  from: string,
  words?: readonly string[],
];

const table: readonly Row[] = [
  ['src.ip', 'address', everywhere, 'client address'],
  ['dst.ip', 'address', everywhere, 'server address'],
  ['src.key', 'key', everywhere, 'client address, as something to count'],
  ['dst.key', 'key', everywhere, 'server address, as something to count'],
  ['src.network', 'key', everywhere, 'client address, its /24 or /64'],
  ['dst.network', 'key', everywhere, 'server address, its /24 or /64'],
  ['src.role', 'word', everywhere, 'register, client address', roleNames],
  ['dst.role', 'word', everywhere, 'register, server address', roleNames],
  ['src.own', 'flag', everywhere, 'network.own, client address'],
  ['dst.own', 'flag', everywhere, 'network.own, server address'],
  ['src.customers', 'number', everywhere, 'customers that share the address (pools, cgnat)'],
  ['src.serves', 'flag', everywhere, 'the client took mail from outside within seven days'],
  ['src.port', 'number', everywhere, 'client port'],
  ['dst.port', 'number', everywhere, 'server port'],
  ['src.registration', 'word', everywhere, 'register, dates of the entry', serverStateNames],
  ['src.in_relay_clients', 'flag', everywhere, 'register, relay_clients of the server'],
  ['dst.accepts_all', 'flag', everywhere, '200 recipients seen there, none refused as unknown'],
  ['dst.refuses_all', 'flag', everywhere, 'it knows no user of any of three networks'],
  ['session.direction', 'word', everywhere, 'own and foreign address', directionNames],
  ['session.sides', 'word', everywhere, 'row, sides', sidesNames],
  ['session.id', 'key', everywhere, 'row, number of the flow'],
  ['session.handshake', 'flag', everywhere, 'row, handshake completed'],
  ['session.gaps', 'flag', inSession, 'row, bytes missing'],
  ['session.auth', 'flag', inSession, 'row, 235 seen'],
  ['session.tls', 'flag', inSession, 'row, TLS established'],
  ['helo.class', 'word', inSession, 'row, HELO text', heloNames],
  ['helo.name', 'key', inSession, 'row, HELO text'],
  ['helo.pattern', 'key', inSession, 'row, HELO text without its digits'],
  ['greeting.class', 'word', atEnd, 'row, class of the greeting', replyClassNames],
  ['session.protocol', 'word', atEnd, 'row, protocol', protocolNames],
  ['session.transactions', 'number', atEnd, 'row'],
  ['session.accepted', 'number', atEnd, 'row'],
  ['session.rcpt_refused', 'number', atEnd, 'row'],
  ['session.rcpt_offered', 'number', atEnd, 'row'],
  ['session.envelopes_without_data', 'number', atEnd, 'row'],
  ['session.verify', 'number', atEnd, 'row, VRFY and EXPN'],
  ['session.early', 'flag', atEnd, 'row, the client spoke before the greeting'],
  ['session.to_server', 'number', atEnd, 'row, bytes to the server'],
  ['session.rotated', 'flag', inSession, 'row, another sender after a refusal'],
  ['session.dnsbl', 'flag', inSession, 'row, a reply names a block list'],
  ['dialect.helo', 'flag', atEnd, 'row, HELO instead of EHLO'],
  ['dialect.space', 'flag', atEnd, 'row, a space behind FROM: or TO:'],
  ['dialect.trailing_space', 'flag', atEnd, 'row, a space at the end of a command'],
  ['dialect.no_brackets', 'flag', atEnd, 'row, a path without brackets'],
  ['dialect.lower_case', 'flag', atEnd, 'row, verbs in lower case'],
  ['dialect.pipelining', 'flag', atEnd, 'row, pipelined though not announced'],
  ['dialect.data_behind_refusal', 'flag', atEnd, 'row, DATA sent with a refused RCPT'],
  ['dialect.bare_lf', 'flag', atEnd, 'row, lines end with a bare LF'],
  ['dialect.no_quit', 'flag', atEnd, 'row, ended without QUIT'],
  ['dialect.server_name', 'flag', atEnd, 'row, HELO is the name in the greeting'],
  ['dialect.anomalies', 'flag', atEnd, 'row, lines that are no commands'],
  ['auth.failed', 'number', ['auth.outcome'], 'row, refused AUTH commands'],
  ['auth.ok', 'flag', ['auth.outcome'], 'row, 235 seen'],
  [
    'auth.variety',
    'key',
    ['auth.outcome'],
    'row, server (foreign: its network) and number of lengths',
  ],
  ['auth.lengths', 'number', ['auth.outcome'], 'row, distinct lengths of the answers'],
  ['attempt.kind', 'word', ['attempt'], 'row, how the connection failed', attemptNames],
  ['mail.cost', 'number', ofCost, 'recipients taken; an encrypted session is one'],
  ['mail.null_sender', 'flag', ofMail, 'row, MAIL FROM:<>'],
  ['mail.domain', 'key', ofMail, 'row, domain of MAIL FROM'],
  ['mail.registered_elsewhere', 'flag', ofMail, 'register: the domain has servers, not this one'],
  ['mail.label', 'flag', ofMail, 'row, a label was seen'],
  ['mail.rcpt_count', 'number', ofMail, 'row'],
  ['mail.rcpt_accepted', 'number', ofMail, 'row, recipients answered 2xx'],
  ['mail.data', 'flag', ofMail, 'row, the message was sent'],
  ['mail.meant', 'flag', ofMail, 'row, SIZE stood in MAIL, or DATA was sent'],
  ['mail.bytes', 'number', ofMail, 'row'],
  ['outcome.class', 'word', ofRecipient, 'row, reply to the recipient', replyClassNames],
  ['outcome.code', 'number', ofRecipient, 'row'],
  ['rcpt.mailbox', 'key', ofRecipient, 'row, keyed hash of the address'],
  ['rcpt.domain', 'key', ofRecipient, 'row, domain of the recipient'],
  [
    'rcpt.hosted',
    'flag',
    ofRecipient,
    'register and what was seen: the server answers for the domain',
  ],
];

/** All fields by name. */
export const fields: ReadonlyMap<string, Field> = new Map(
  table.map(([name, type, where, from, words], index) => [
    name,
    { name, type, streams: where, from, words: words ?? [], slot: index * 4 },
  ]),
);

/** Values that a `Facts` holds: four words each, so that addresses fit anywhere. */
export const valueCount = table.length * 4;

/** Place of the value of a field that the program itself names. */
export function slotOf(name: string): number {
  const field = fields.get(name);
  if (field === undefined) throw new RangeError(`no field ${name}`);
  return field.slot;
}
