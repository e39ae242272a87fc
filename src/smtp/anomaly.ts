// Stranger things, counted per session: one number and one name each. Never a reason to lose a
// transaction; later rules may read them.

import { FlowAnomaly } from '../flow/sink.js';

export const enum Anomaly {
  // The flow stage's come first, under its own numbers: two copies of the same bytes differ; a RST
  // that its alleged sender did not send; a RST whose number is not the connection's.
  overlapConflict = FlowAnomaly.overlapConflict,
  dataAfterRst = FlowAnomaly.dataAfterRst,
  rstOutOfWindow = FlowAnomaly.rstOutOfWindow,
  /** The client spoke before the greeting. */
  earlyTalker = 3,
  /** A reply that answers nothing we saw. */
  unexpectedReply = 4,
  /** A line of a server that carries no code. */
  replyWithoutCode = 5,
  /** A reply or line that never ended: closed where the client went on. */
  unfinishedReply = 6,
  /** A line longer than 2,000 bytes. */
  lineTooLong = 7,
  /** A mailbox or HELO name longer than 255 bytes: only its beginning was kept. */
  nameTooLong = 8,
  /** Clear text after STARTTLS was accepted. */
  clearAfterStartTls = 9,
  /** Commands in the segment behind STARTTLS. */
  pipelinedBehindStartTls = 10,
  /** A BDAT without a readable size. */
  malformedBdat = 11,
  /** A line that is no command. */
  unknownCommand = 12,
  /** The dot line that ended the data had a bare LF. */
  bareLfEnd = 13,
  /** A dot line with a bare LF stood in the data and did not end it. */
  bareLfDot = 14,
  /** MAIL or RCPT without brackets. */
  noBrackets = 15,
}

export const anomalyNames = [
  'overlap-conflict',
  'data-after-rst',
  'rst-out-of-window',
  'early-talker',
  'unexpected-reply',
  'reply-without-code',
  'unfinished-reply',
  'line-too-long',
  'name-too-long',
  'clear-after-starttls',
  'pipelined-behind-starttls',
  'malformed-bdat',
  'unknown-command',
  'bare-lf-end',
  'bare-lf-dot',
  'no-brackets',
] as const;

/** Kinds that a session has room to count. */
export const anomalyKinds = 16;
