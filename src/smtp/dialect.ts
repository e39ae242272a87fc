// The client's dialect: small habits of speaking SMTP that differ between programs (Stringhini et
// al., "B@bel", USENIX Security 2012). One bit each; none of them is wrong on its own.

export const enum Dialect {
  /** It greeted with EHLO; with HELO. */
  ehlo = 1 << 0,
  helo = 1 << 1,
  /** `MAIL FROM: <a@b>`. */
  spaceAfterColon = 1 << 2,
  /** White space before a line end. */
  trailingSpace = 1 << 3,
  /** MAIL or RCPT without `<>`. */
  noBrackets = 1 << 4,
  /** A verb that is not all in capitals. */
  lowerCaseVerb = 1 << 5,
  /** It did not wait for a reply, and PIPELINING (RFC 2920) was not announced. */
  unannouncedPipelining = 1 << 6,
  /** DATA was sent before the refusal of a recipient was heard. */
  dataBehindRefusal = 1 << 7,
  /** It spoke before the greeting. */
  earlyTalker = 1 << 8,
  /** A command ended in LF without CR. */
  bareLf = 1 << 9,
  /** It closed without QUIT. */
  noQuit = 1 << 10,
  /** SIZE (RFC 1870) was announced and MAIL did not use it. */
  noSize = 1 << 11,
  /** A refused command was followed by RSET. */
  resetAfterRefusal = 1 << 12,
  /** Behind an envelope refused with 5xx, another sender offered a recipient of it again. */
  rotated = 1 << 13,
  /** HELO was the name in the server's own greeting; the domain that name lies in. */
  heloIsServer = 1 << 14,
  heloIsServerDomain = 1 << 15,
}

/** Names by bit number. */
export const dialectNames = [
  'ehlo',
  'helo',
  'space-after-colon',
  'trailing-space',
  'no-brackets',
  'lower-case-verb',
  'unannounced-pipelining',
  'data-behind-refusal',
  'early-talker',
  'bare-lf',
  'no-quit',
  'no-size',
  'reset-after-refusal',
  'rotated',
  'helo-is-server',
  'helo-is-server-domain',
] as const;
