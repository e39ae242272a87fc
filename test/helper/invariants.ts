// What must hold whatever was lost between the wire and us (contracts 2.1). Each function gives a
// list of violations in words, empty where all is well.

import type { SmtpEvent } from './run.js';

/** A loss, as far as the checks ask. */
export interface Loss {
  /** Microseconds; of the frames that are missing. */
  readonly times: readonly number[];
  /** Whether bytes are missing, and not only an acknowledgement. */
  readonly bytes: boolean;
  /** Senders that the client named and the server refused to know, in a reply that is lost. */
  readonly claims?: readonly string[];
  /** When the reply that decided a clean transaction was seen; the event's own time if absent. */
  readonly decided?: (event: SmtpEvent) => number;
}

type Name = string | null;

/** All invariants at once. `clean` is what the undamaged conversation gave. */
export function violations(
  clean: readonly SmtpEvent[],
  all: readonly SmtpEvent[],
  loss: Loss,
): string[] {
  const got = all.filter((event) => !loss.claims?.includes(senderOf(event) ?? ''));
  return [
    ...invented(clean, got),
    ...joined(clean, got),
    ...(loss.bytes ? [...believed(clean, got, loss), ...unmarked(clean, got, loss)] : []),
  ];
}

const senderOf = (event: SmtpEvent): Name => event.smtp.mail_from ?? null;

/** How many of a list claim each sender. */
function tally(events: readonly SmtpEvent[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const event of events) {
    const sender = senderOf(event);
    if (sender !== null) counts.set(sender, (counts.get(sender) ?? 0) + 1);
  }
  return counts;
}

/** No sender that was not there, and none more often than it was. */
export function invented(clean: readonly SmtpEvent[], got: readonly SmtpEvent[]): string[] {
  const real = tally(clean);
  const found: string[] = [];
  for (const [sender, count] of tally(got)) {
    const most = real.get(sender) ?? 0;
    if (count > most) found.push(`invented: <${sender}> ${count} times instead of ${most}`);
  }
  return found;
}

/** The sender and all recipients come from one and the same transaction. */
export function joined(clean: readonly SmtpEvent[], got: readonly SmtpEvent[]): string[] {
  return got
    .filter((event) => !clean.some((whole) => isPartOf(event, whole)))
    .map((event) => `joined: <${senderOf(event)}> to ${JSON.stringify(event.smtp.rcpt_to)}`);
}

/** Whether an envelope is what loss can leave of another. */
function isPartOf(event: SmtpEvent, whole: SmtpEvent): boolean {
  const sender = senderOf(event);
  if (sender !== null && sender !== senderOf(whole)) return false;
  const left = [...whole.smtp.rcpt_to];
  return event.smtp.rcpt_to.every((rcpt) => {
    if (rcpt === null) return true;
    const at = left.indexOf(rcpt);
    if (at >= 0) left.splice(0, at + 1);
    // Of those that were counted and not listed, some are listed when others are lost.
    return at >= 0 || (whole.smtp.rcpt_dropped ?? 0) > 0;
  });
}

/** Accepted only where the 2xx that says so is among what was seen. */
export function believed(
  clean: readonly SmtpEvent[],
  got: readonly SmtpEvent[],
  loss: Loss,
): string[] {
  const decided = loss.decided ?? ((event) => micros(event.timestamp));
  const seen = clean.filter(
    (event) => event.smtp.outcome === 'accepted' && !loss.times.includes(decided(event)),
  );
  const accepted = got.filter((event) => event.smtp.outcome === 'accepted');
  const found: string[] = [];
  if (accepted.length > seen.length) {
    found.push(`believed: ${accepted.length} accepted, ${seen.length} such replies were seen`);
  }
  const real = tally(seen);
  for (const [sender, count] of tally(accepted)) {
    if (count > (real.get(sender) ?? 0)) found.push(`believed: <${sender}> was not seen accepted`);
  }
  return found;
}

/** What a loss falls into says so. */
function unmarked(clean: readonly SmtpEvent[], got: readonly SmtpEvent[], loss: Loss): string[] {
  const found: string[] = [];
  const isMarked = (event: SmtpEvent) => event.gaps >= 1 || event.sides !== 'both';
  const counts = tally(clean);
  for (const time of loss.times) {
    for (const event of got) {
      if (covers(event, time) && !isMarked(event)) found.push(`unmarked: ${brief(event)}`);
    }
    for (const whole of clean) {
      const sender = senderOf(whole);
      if (!covers(whole, time) || sender === null || counts.get(sender) !== 1) continue;
      const same = got.find((event) => senderOf(event) === sender);
      if (same && !isMarked(same)) found.push(`unmarked: ${brief(same)}`);
    }
  }
  return [...new Set(found)];
}

function covers(event: SmtpEvent, time: number): boolean {
  return micros(event.smtp.started) <= time && time <= micros(event.timestamp);
}

function brief(event: SmtpEvent): string {
  const { mail_from, rcpt_to, outcome } = event.smtp;
  return `<${mail_from}> to ${JSON.stringify(rcpt_to)} ${outcome} gaps ${event.gaps}`;
}

/** Microseconds since 1970 of a timestamp of an event. */
export function micros(timestamp: string): number {
  return Date.parse(`${timestamp.slice(0, 19)}Z`) * 1000 + Number(timestamp.slice(20, 26));
}
