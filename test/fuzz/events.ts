// What must be true of any list of events, whatever came in (contracts 2.1 and 2.2).

import { micros } from '../helper/invariants.js';
import type { SessionEvent, SmtpEvent } from '../helper/run.js';
import type { Events } from './line.js';
import { promise } from './target.js';

/** Times of all packets lie in [first, last], microseconds. */
export interface Span {
  readonly first: number;
  readonly last: number;
  /** Time ran backwards in the input: then two connections may begin at one time, and be one. */
  readonly disorder: boolean;
}

/** Throws a `Finding` for the first promise that does not hold. */
export function checkEvents(events: Events, span: Span): void {
  for (const event of events.smtp) checkTransaction(event, span);
  for (const event of events.sessions) checkSession(event, span);
  if (span.disorder) return;
  const flows = new Set(events.sessions.map((event) => event.flow_id));
  promise(flows.size === events.sessions.length, 'two sessions have one flow_id');
  for (const { flow_id } of events.smtp) {
    promise(flows.has(flow_id), `a transaction of flow ${flow_id} has no session`);
  }
  for (const event of events.sessions) checkSum(event, events.smtp, span);
}

const outcomes = new Set(['accepted', 'rejected', 'deferred', 'aborted', 'unknown']);

function checkTransaction(event: SmtpEvent, span: Span): void {
  const { smtp, gaps, sides } = event;
  const text = JSON.stringify(event);
  promise(outcomes.has(smtp.outcome), `outcome of ${text}`);
  promise(isWhole(gaps) && isWhole(smtp.bytes ?? 0), `gaps or bytes of ${text}`);
  promise(isWhole(smtp.rcpt_dropped ?? 1), `rcpt_dropped of ${text}`);
  promise(smtp.rcpt_to.length === smtp.rcpt_codes.length, `rcpt_to and rcpt_codes of ${text}`);
  checkTimes(event.timestamp, smtp.started, span, text);
  if (smtp.outcome === 'accepted') {
    const finals = [smtp.final_code, ...(smtp.final_codes ?? [])];
    promise(finals.some(isTaken), `accepted without a 2xx: ${text}`);
  }
  if (sides === 'client') promise(smtp.outcome === 'unknown', `client only, judged: ${text}`);
  if (smtp.final_codes !== undefined) {
    const taken = smtp.rcpt_codes.filter(isTaken).length;
    promise(smtp.final_codes.length === taken, `final_codes of ${text}`);
  }
  const codes = [smtp.mail_code, smtp.data_code, smtp.final_code, ...smtp.rcpt_codes];
  for (const code of codes) promise(isCode(code ?? 250), `a code of ${text}`);
}

/** What a session says of its transactions. */
function checkSum(event: SessionEvent, all: readonly SmtpEvent[], span: Span): void {
  const own = all.filter(({ flow_id }) => flow_id === event.flow_id);
  const text = JSON.stringify(event);
  const { session } = event;
  promise(session['transactions'] === own.length, `${own.length} transactions, not as in ${text}`);
  const accepted = own.filter(({ smtp }) => smtp.outcome === 'accepted').length;
  promise(session['accepted'] === accepted, `${accepted} accepted, not as in ${text}`);
  own.forEach(({ tx_id, timestamp }, index) => {
    promise(tx_id === index, `tx_id ${tx_id} where ${index} is due: ${text}`);
    const before = index === 0 ? span.first : micros(own[index - 1]!.timestamp);
    promise(micros(timestamp) >= before, `transactions out of order: ${text}`);
    promise(micros(timestamp) <= micros(event.timestamp), `a transaction ends behind ${text}`);
  });
}

function checkSession(event: SessionEvent, span: Span): void {
  const { session } = event;
  const text = JSON.stringify(event);
  checkTimes(event.timestamp, event.timestamp, span, text);
  for (const name of ['bytes_toserver', 'bytes_toclient', 'packets', 'gaps', 'duration_ms']) {
    promise(isWhole(session[name]), `${name} of ${text}`);
  }
  const { rcpt_offered: offered, rcpt_refused: refused } = session as Record<string, number>;
  promise(isWhole(offered) && refused! <= offered!, `recipients of ${text}`);
  if (event.sides === 'client') promise(session['handshake'] === false, `handshake of ${text}`);
  for (const count of Object.values(session['anomalies'] as Record<string, number>)) {
    promise(isWhole(count) && count > 0, `anomalies of ${text}`);
  }
}

function checkTimes(ended: string, started: string, span: Span, text: string): void {
  const from = micros(started);
  const to = micros(ended);
  const sane = span.first <= from && from <= to && to <= span.last;
  promise(sane, `times outside ${span.first} to ${span.last}: ${text}`);
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCode(code: number): boolean {
  return Number.isInteger(code) && code >= 100 && code <= 999;
}

function isTaken(code: number | null | undefined): boolean {
  return code !== null && code !== undefined && code >= 200 && code < 300;
}
