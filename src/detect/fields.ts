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
/** Numbers of the streams. */
export const enum At {
  start = 0,
  end = 1,
  transaction = 2,
  accepted = 3,
  rcpt = 4,
  auth = 5,
  attempt = 6,
}

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

/**
 * Where a `Facts` holds the value of each field. An address takes four words; of a mailbox a second
 * word of its hash stands behind the first.
 */
export const enum Slot {
  srcIp = 0,
  dstIp = 4,
  srcKey = 8,
  dstKey = 9,
  srcNetwork = 10,
  dstNetwork = 11,
  srcRole = 12,
  dstRole = 13,
  srcOwn = 14,
  dstOwn = 15,
  srcCustomers = 16,
  srcServes = 17,
  srcPort = 18,
  dstPort = 19,
  srcRegistration = 20,
  srcInRelayClients = 21,
  sessionDirection = 22,
  sessionSides = 23,
  sessionId = 24,
  sessionHandshake = 25,
  /** From here on values are of one kind of row, and are cleared for each. */
  dstAcceptsAll = 26,
  dstRefusesAll = 27,
  sessionGaps = 28,
  sessionAuth = 29,
  sessionTls = 30,
  heloClass = 31,
  heloName = 32,
  heloPattern = 33,
  greetingClass = 34,
  sessionProtocol = 35,
  sessionTransactions = 36,
  sessionAccepted = 37,
  sessionRcptRefused = 38,
  sessionRcptOffered = 39,
  sessionEnvelopesWithoutData = 40,
  sessionVerify = 41,
  sessionEarly = 42,
  sessionToServer = 43,
  sessionRotated = 44,
  sessionDnsbl = 45,
  dialectHelo = 46,
  dialectSpace = 47,
  dialectTrailingSpace = 48,
  dialectNoBrackets = 49,
  dialectLowerCase = 50,
  dialectPipelining = 51,
  dialectDataBehindRefusal = 52,
  dialectBareLf = 53,
  dialectNoQuit = 54,
  dialectServerName = 55,
  dialectAnomalies = 56,
  authFailed = 57,
  authOk = 58,
  authVariety = 59,
  authLengths = 60,
  attemptKind = 61,
  mailCost = 62,
  mailNullSender = 63,
  mailDomain = 64,
  mailRegisteredElsewhere = 65,
  mailLabel = 66,
  mailRcptCount = 67,
  mailRcptAccepted = 68,
  mailData = 69,
  mailMeant = 70,
  mailBytes = 71,
  outcomeClass = 72,
  outcomeCode = 73,
  rcptMailbox = 74,
  rcptDomain = 76,
  rcptHosted = 77,
  count = 78,
}

type Row = readonly [
  name: string,
  type: FieldType,
  slot: Slot,
  where: readonly Stream[],
  from: string,
  words?: readonly string[],
];

const table: readonly Row[] = [
  ['src.ip', 'address', Slot.srcIp, everywhere, 'client address'],
  ['dst.ip', 'address', Slot.dstIp, everywhere, 'server address'],
  ['src.key', 'key', Slot.srcKey, everywhere, 'client address, as something to count'],
  ['dst.key', 'key', Slot.dstKey, everywhere, 'server address, as something to count'],
  ['src.network', 'key', Slot.srcNetwork, everywhere, 'client address, its /24 or /64'],
  ['dst.network', 'key', Slot.dstNetwork, everywhere, 'server address, its /24 or /64'],
  ['src.role', 'word', Slot.srcRole, everywhere, 'register, client address', roleNames],
  ['dst.role', 'word', Slot.dstRole, everywhere, 'register, server address', roleNames],
  ['src.own', 'flag', Slot.srcOwn, everywhere, 'network.own, client address'],
  ['dst.own', 'flag', Slot.dstOwn, everywhere, 'network.own, server address'],
  [
    'src.customers',
    'number',
    Slot.srcCustomers,
    everywhere,
    'customers that share the address (pools, cgnat)',
  ],
  [
    'src.serves',
    'flag',
    Slot.srcServes,
    everywhere,
    'the client took mail from outside within seven days',
  ],
  ['src.port', 'number', Slot.srcPort, everywhere, 'client port'],
  ['dst.port', 'number', Slot.dstPort, everywhere, 'server port'],
  [
    'src.registration',
    'word',
    Slot.srcRegistration,
    everywhere,
    'register, dates of the entry',
    serverStateNames,
  ],
  [
    'src.in_relay_clients',
    'flag',
    Slot.srcInRelayClients,
    everywhere,
    'register, relay_clients of the server',
  ],
  [
    'dst.accepts_all',
    'flag',
    Slot.dstAcceptsAll,
    everywhere,
    '200 recipients seen there, none refused as unknown',
  ],
  [
    'dst.refuses_all',
    'flag',
    Slot.dstRefusesAll,
    everywhere,
    'it knows no user of any of three networks',
  ],
  [
    'session.direction',
    'word',
    Slot.sessionDirection,
    everywhere,
    'own and foreign address',
    directionNames,
  ],
  ['session.sides', 'word', Slot.sessionSides, everywhere, 'row, sides', sidesNames],
  ['session.id', 'key', Slot.sessionId, everywhere, 'row, number of the flow'],
  ['session.handshake', 'flag', Slot.sessionHandshake, everywhere, 'row, handshake completed'],
  ['session.gaps', 'flag', Slot.sessionGaps, inSession, 'row, bytes missing'],
  ['session.auth', 'flag', Slot.sessionAuth, inSession, 'row, 235 seen'],
  ['session.tls', 'flag', Slot.sessionTls, inSession, 'row, TLS established'],
  ['helo.class', 'word', Slot.heloClass, inSession, 'row, HELO text', heloNames],
  ['helo.name', 'key', Slot.heloName, inSession, 'row, HELO text'],
  ['helo.pattern', 'key', Slot.heloPattern, inSession, 'row, HELO text without its digits'],
  [
    'greeting.class',
    'word',
    Slot.greetingClass,
    atEnd,
    'row, class of the greeting',
    replyClassNames,
  ],
  ['session.protocol', 'word', Slot.sessionProtocol, atEnd, 'row, protocol', protocolNames],
  ['session.transactions', 'number', Slot.sessionTransactions, atEnd, 'row'],
  ['session.accepted', 'number', Slot.sessionAccepted, atEnd, 'row'],
  ['session.rcpt_refused', 'number', Slot.sessionRcptRefused, atEnd, 'row'],
  ['session.rcpt_offered', 'number', Slot.sessionRcptOffered, atEnd, 'row'],
  ['session.envelopes_without_data', 'number', Slot.sessionEnvelopesWithoutData, atEnd, 'row'],
  ['session.verify', 'number', Slot.sessionVerify, atEnd, 'row, VRFY and EXPN'],
  ['session.early', 'flag', Slot.sessionEarly, atEnd, 'row, the client spoke before the greeting'],
  ['session.to_server', 'number', Slot.sessionToServer, atEnd, 'row, bytes to the server'],
  [
    'session.rotated',
    'flag',
    Slot.sessionRotated,
    inSession,
    'row, another sender after a refusal',
  ],
  ['session.dnsbl', 'flag', Slot.sessionDnsbl, inSession, 'row, a reply names a block list'],
  ['dialect.helo', 'flag', Slot.dialectHelo, atEnd, 'row, HELO instead of EHLO'],
  ['dialect.space', 'flag', Slot.dialectSpace, atEnd, 'row, a space behind FROM: or TO:'],
  [
    'dialect.trailing_space',
    'flag',
    Slot.dialectTrailingSpace,
    atEnd,
    'row, a space at the end of a command',
  ],
  ['dialect.no_brackets', 'flag', Slot.dialectNoBrackets, atEnd, 'row, a path without brackets'],
  ['dialect.lower_case', 'flag', Slot.dialectLowerCase, atEnd, 'row, verbs in lower case'],
  [
    'dialect.pipelining',
    'flag',
    Slot.dialectPipelining,
    atEnd,
    'row, pipelined though not announced',
  ],
  [
    'dialect.data_behind_refusal',
    'flag',
    Slot.dialectDataBehindRefusal,
    atEnd,
    'row, DATA sent with a refused RCPT',
  ],
  ['dialect.bare_lf', 'flag', Slot.dialectBareLf, atEnd, 'row, lines end with a bare LF'],
  ['dialect.no_quit', 'flag', Slot.dialectNoQuit, atEnd, 'row, ended without QUIT'],
  [
    'dialect.server_name',
    'flag',
    Slot.dialectServerName,
    atEnd,
    'row, HELO is the name in the greeting',
  ],
  ['dialect.anomalies', 'flag', Slot.dialectAnomalies, atEnd, 'row, lines that are no commands'],
  ['auth.failed', 'number', Slot.authFailed, ['auth.outcome'], 'row, refused AUTH commands'],
  ['auth.ok', 'flag', Slot.authOk, ['auth.outcome'], 'row, 235 seen'],
  [
    'auth.variety',
    'key',
    Slot.authVariety,
    ['auth.outcome'],
    'row, server (foreign: its network) and number of lengths',
  ],
  [
    'auth.lengths',
    'number',
    Slot.authLengths,
    ['auth.outcome'],
    'row, distinct lengths of the answers',
  ],
  [
    'attempt.kind',
    'word',
    Slot.attemptKind,
    ['attempt'],
    'row, how the connection failed',
    attemptNames,
  ],
  ['mail.cost', 'number', Slot.mailCost, ofCost, 'recipients taken; an encrypted session is one'],
  ['mail.null_sender', 'flag', Slot.mailNullSender, ofMail, 'row, MAIL FROM:<>'],
  ['mail.domain', 'key', Slot.mailDomain, ofMail, 'row, domain of MAIL FROM'],
  [
    'mail.registered_elsewhere',
    'flag',
    Slot.mailRegisteredElsewhere,
    ofMail,
    'register: the domain has servers, not this one',
  ],
  ['mail.label', 'flag', Slot.mailLabel, ofMail, 'row, a label was seen'],
  ['mail.rcpt_count', 'number', Slot.mailRcptCount, ofMail, 'row'],
  ['mail.rcpt_accepted', 'number', Slot.mailRcptAccepted, ofMail, 'row, recipients answered 2xx'],
  ['mail.data', 'flag', Slot.mailData, ofMail, 'row, the message was sent'],
  ['mail.meant', 'flag', Slot.mailMeant, ofMail, 'row, SIZE stood in MAIL, or DATA was sent'],
  ['mail.bytes', 'number', Slot.mailBytes, ofMail, 'row'],
  [
    'outcome.class',
    'word',
    Slot.outcomeClass,
    ofRecipient,
    'row, reply to the recipient',
    replyClassNames,
  ],
  ['outcome.code', 'number', Slot.outcomeCode, ofRecipient, 'row'],
  ['rcpt.mailbox', 'key', Slot.rcptMailbox, ofRecipient, 'row, keyed hash of the address'],
  ['rcpt.domain', 'key', Slot.rcptDomain, ofRecipient, 'row, domain of the recipient'],
  [
    'rcpt.hosted',
    'flag',
    Slot.rcptHosted,
    ofRecipient,
    'register and what was seen: the server answers for the domain',
  ],
];

/** All fields by name. */
export const fields: ReadonlyMap<string, Field> = new Map(
  table.map(([name, type, slot, where, from, words]) => [
    name,
    { name, type, streams: where, from, words: words ?? [], slot },
  ]),
);
