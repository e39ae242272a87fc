// The commands of RFC 5321 and its extensions, told from four bytes packed into an integer with the
// case bit cleared: no string, no regular expression.

/** What a client's line was; `gap` and below are entries of the dialogue that are no commands. */
export const enum Verb {
  unknown = 0,
  ehlo = 1,
  helo = 2,
  lhlo = 3,
  mail = 4,
  rcpt = 5,
  data = 6,
  bdat = 7,
  rset = 8,
  quit = 9,
  auth = 10,
  startTls = 11,
  noop = 12,
  vrfy = 13,
  expn = 14,
  help = 15,
  xclient = 16,
  other = 17,
  /** The end of data was sent. */
  dataEnd = 18,
  /** A client's answer inside AUTH. */
  authLine = 19,
  /** Bytes of the client were lost: an unknown number of commands. */
  gap = 20,
}

function packed(word: string): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value = (value << 8) | (word.charCodeAt(i) & 0xdf);
  return value;
}

const ehlo = packed('EHLO');
const helo = packed('HELO');
const lhlo = packed('LHLO');
const mail = packed('MAIL');
const rcpt = packed('RCPT');
const data = packed('DATA');
const bdat = packed('BDAT');
const rset = packed('RSET');
const quit = packed('QUIT');
const auth = packed('AUTH');
const star = packed('STAR');
const noop = packed('NOOP');
const vrfy = packed('VRFY');
const expn = packed('EXPN');
const help = packed('HELP');
const xcli = packed('XCLI');
const etrn = packed('ETRN');
const turn = packed('TURN');
const send = packed('SEND');
const soml = packed('SOML');
const saml = packed('SAML');
const xfor = packed('XFOR');

/** Whether `word` (upper case) continues at `at`, with the same letters in any case. */
function continues(bytes: Uint8Array, at: number, to: number, word: string): boolean {
  if (to - at < word.length) return false;
  for (let i = 0; i < word.length; i++) {
    if ((bytes[at + i]! & 0xdf) !== word.charCodeAt(i)) return false;
  }
  return true;
}

/** The verb of the line [from, to), which does not include its line end. */
export function verbOf(bytes: Uint8Array, from: number, to: number): number {
  if (to - from < 4) return Verb.unknown;
  const word =
    ((bytes[from]! & 0xdf) << 24) |
    ((bytes[from + 1]! & 0xdf) << 16) |
    ((bytes[from + 2]! & 0xdf) << 8) |
    (bytes[from + 3]! & 0xdf);
  const verb = known(word, bytes, from + 4, to);
  if (verb === Verb.unknown || verb === Verb.startTls || verb === Verb.xclient) return verb;
  if (to - from === 4 || verb === Verb.other) return verb;
  // The verb must end here: white space, or for MAIL and RCPT whatever leads to a colon.
  const after = bytes[from + 4]!;
  return after === 32 || after === 9 ? verb : Verb.unknown;
}

// long: one flat switch over the vocabulary
function known(word: number, bytes: Uint8Array, at: number, to: number): number {
  switch (word) {
    case ehlo:
      return Verb.ehlo;
    case helo:
      return Verb.helo;
    case lhlo:
      return Verb.lhlo;
    case mail:
      return Verb.mail;
    case rcpt:
      return Verb.rcpt;
    case data:
      return Verb.data;
    case bdat:
      return Verb.bdat;
    case rset:
      return Verb.rset;
    case quit:
      return Verb.quit;
    case auth:
      return Verb.auth;
    case noop:
      return Verb.noop;
    case vrfy:
      return Verb.vrfy;
    case expn:
      return Verb.expn;
    case help:
      return Verb.help;
    case star:
      return continues(bytes, at, to, 'TTLS') ? Verb.startTls : Verb.unknown;
    case xcli:
      return continues(bytes, at, to, 'ENT') ? Verb.xclient : Verb.unknown;
    case xfor:
      return continues(bytes, at, to, 'WARD') ? Verb.other : Verb.unknown;
    case etrn:
    case turn:
    case send:
    case soml:
    case saml:
      return Verb.other;
    default:
      return Verb.unknown;
  }
}

/** Whether a verb is one that only an SMTP client says first. */
export function isStrong(verb: number): boolean {
  return verb >= Verb.ehlo && verb <= Verb.rcpt;
}

/** Whether a command ends the envelope for its client. */
export function endsEnvelope(verb: number): boolean {
  return verb === Verb.rset || (verb >= Verb.ehlo && verb <= Verb.lhlo) || verb === Verb.xclient;
}

/** Whether a line whose first word is a verb is a command by its whole shape. */
export function isCommand(verb: number, bytes: Uint8Array, from: number, to: number): boolean {
  const length = to - from;
  switch (verb) {
    case Verb.mail:
      return (
        bytes[from + 4] === 32 && continues(bytes, from + 5, to, 'FROM') && bytes[from + 9] === 58
      );
    case Verb.rcpt:
      return (
        bytes[from + 4] === 32 && continues(bytes, from + 5, to, 'TO') && bytes[from + 7] === 58
      );
    case Verb.data:
    case Verb.rset:
    case Verb.quit:
      return length === 4;
    case Verb.startTls:
      return length === 8;
    case Verb.ehlo:
    case Verb.helo:
    case Verb.lhlo:
      return length > 5 && oneWord(bytes, from + 5, to);
    case Verb.bdat:
      return length > 5 && bytes[from + 5]! >= 48 && bytes[from + 5]! <= 57;
    case Verb.auth:
      return length > 8;
    case Verb.noop:
      return length === 4;
    default:
      return false;
  }
}

function oneWord(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at]! <= 32) return false;
  return true;
}

/** Whether an empty line or a command stands at the beginning of [from, to). */
export function startsCommand(bytes: Uint8Array, from: number, to: number): boolean {
  let end = from;
  while (end < to && bytes[end] !== 10) end++;
  if (end > from && bytes[end - 1] === 13) end--;
  return end === from || isCommand(verbOf(bytes, from, end), bytes, from, end);
}
