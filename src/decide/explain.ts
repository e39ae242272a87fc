// Alerts and decisions in words: why this source, why now, what would clear it. One sentence per
// family of rules, plain English, made of the numbers that decided. No mailbox and no text that a
// stranger wrote can be in it: evidence has neither.

import type { Finding } from '../detect/finding.js';
import { isoTime } from '../lib/iso-time.js';
import type { Decision } from './decision.js';
import type { Verdict } from './fusion.js';
import { type Guard, guardWords } from './guards.js';

type Evidence = Readonly<Record<string, number | string>>;

/** Why this source, for one finding; then what holds policy back, and what clears it. */
export function explainAlert(finding: Finding, guards: readonly Guard[]): string {
  const { rule, proof, degraded } = finding;
  const parts = [why(finding)];
  if (proof !== undefined && rule.id === 'core.open-relay') parts.push(proofs[proof]);
  if (degraded) {
    parts.push('The sensor misses part of the traffic that this rule needs, so look twice.');
  }
  if (guards.length > 0) parts.push(`No automatic action: ${wordsOf(guards)}.`);
  parts.push('It clears when nothing more of the kind is seen.');
  if (rule.falsePositives.length > 0) {
    parts.push(`Innocent reasons can be: ${rule.falsePositives.map(bare).join('; ')}.`);
  }
  return parts.join(' ');
}

const proofs = {
  suspected: 'This is a suspicion: it was seen to take such mail, and not to pass it on.',
  probable: 'This is probable: mail that fits left it afterwards.',
  confirmed: 'This is confirmed: the same mail was seen to arrive and to leave.',
} as const;

/** Why this entry, why now and why no stronger one; then when it ends. */
export function explainDecision(decision: Decision, verdict: Verdict): string {
  const { action, mode, until, level } = decision;
  const done = { block: 'Blocked', limit: 'Limited', allow: 'Allowed' }[action];
  const head = mode === 'observe' ? `Would be ${done.toLowerCase()} (observing)` : done;
  const parts = [`${head}: ${because(verdict)}.`, why(verdict.by.finding)];
  if (decision.guards.length > 0 && action === 'limit' && verdict.action === 'block') {
    parts.push(`Held to a limit: ${wordsOf(decision.guards)}.`);
  }
  if (action === 'limit') {
    const { rate, burst } = decision.scope;
    parts.push(`Allowed are ${rate} messages an hour, ${burst} at once.`);
  }
  if (level > 1) parts.push(`It is step ${level} of the ladder, because it happened before.`);
  parts.push(`It ends at ${moment(until)} unless more of the kind is seen.`);
  return parts.join(' ');
}

/** What a later change of an entry means. */
export function explainChange({ state, until, action }: Decision): string {
  switch (state) {
    case 'extended':
      return `It goes on, so the entry lives until ${moment(until)}.`;
    case 'expired':
      return `Its time is over and nothing more was seen: the ${action} ended by itself.`;
    case 'released':
      return `The ${action} was taken back before its time.`;
    default:
      return '';
  }
}

function because({ action, corroborators, twice }: Verdict): string {
  if (action === 'limit') return 'one kind of evidence is enough for a limit';
  if (corroborators.length === 0 && twice) {
    return 'the same strong evidence came twice, at least half an hour apart';
  }
  return `another kind of evidence agrees (${corroborators.join(', ')})`;
}

function wordsOf(guards: readonly Guard[]): string {
  return guards.map((guard) => guardWords[guard]).join('; ');
}

/** "2023-11-14 22:13:20 UTC" */
function moment(micros: number): string {
  const text = isoTime(micros, 'Z');
  return text === null ? 'no date' : `${text.slice(0, 19).replace('T', ' ')} UTC`;
}

/** A sentence of a rule's author without its full stop. */
function bare(text: string): string {
  return text.trim().replace(/\.$/, '');
}

/** One sentence for the numbers of a finding. */
function why({ rule, evidence }: Finding): string {
  const words = sentences[rule.id]?.(evidence) ?? null;
  return words ?? `${bare(rule.title)}: ${listed(evidence)}.`;
}

/** A sentence, or null where the evidence is not what the sentence speaks of. */
type Sentence = (evidence: Evidence) => string | null;

const sentences: Readonly<Record<string, Sentence>> = {
  'core.direct-to-mx': distinct('It spoke to', 'mail servers of others by itself'),
  'core.open-relay': (e) =>
    has(e, 'taken', 'clients', 'domains', 'passed_on')
      ? `It took ${count(e['taken'], 'mail')} from ${count(e['clients'], 'stranger')} for ` +
        `${count(e['domains'], 'domain')} that are not its own; ` +
        `${count(e['passed_on'], 'mail')} like them left it again` +
        `${number(e['encrypted']) > 0 ? `, ${figure(e['encrypted'])} may have, encrypted` : ''}.`
      : null,
  'core.rcpt-failure-sprt': (e) => {
    const text = walk('recipients that it offered', 'were refused')(e);
    const { policy_refused: policy, unknown_user: unknown } = e;
    const apart =
      has(e, 'policy_refused', 'unknown_user') && number(policy) > number(unknown)
        ? ` Of the refusals ${figure(policy)} are by policy and ${figure(unknown)} for an ` +
          "unknown user; a server that is on somebody's list is refused so too."
        : '';
    return text === null ? null : `${text}${apart}`;
  },
  'core.harvest': (e) => {
    if (e['way'] === 'crowd') return share('recipients that it was asked for did not exist')(e);
    if (e['way'] === 'verify') return 'It asked a server for five users or more by VRFY or EXPN.';
    const text = share('of its recipients did not exist')(e);
    if (text === null || !has(e, 'generated', 'not_meant')) return text;
    const percent = (value: number | string | undefined) => Math.round(number(value) * 100);
    return (
      `${text} Of the names ${percent(e['generated'])} % look generated, and ` +
      `${percent(e['not_meant'])} % of its mails were not meant to be sent.`
    );
  },
  'core.rcpt-fanout': distinct('It wrote to', 'different recipients'),
  'core.submission-fanout': distinct('It spoke to', 'different submission servers'),
  'core.auth-guessing': walk('logins that it tried', 'failed'),
  'core.compromised-sender': (e) =>
    shift('It sends')(e) ?? walk('recipients that it offered', 'were refused')(e),
  'core.rate-limit': (e) =>
    has(e, 'measured_per_hour', 'rate_per_hour', 'times_limit')
      ? `It sends at a rate of about ${figure(e['measured_per_hour'])} an hour where ` +
        `${figure(e['rate_per_hour'])} are allowed, ${figure(e['times_limit'])} times as many.`
      : null,
  'core.hot-source': (e) =>
    has(e, 'guaranteed', 'of', 'window_s')
      ? `At least ${figure(e['guaranteed'])} of ${figure(e['of'])} sessions in ` +
        `${span(e['window_s'])} are its own.`
      : null,
  'core.envelope-forgery': signs('Its envelopes and greetings do not fit it'),
  'core.dialect': signs('It speaks SMTP unlike any mail server'),
  'core.snowshoe': distinct('At least', 'senders of this prefix are alike, and refused'),
  'core.not-smtp': signs('It speaks something else than SMTP to a mail port'),
  'core.label': (e) =>
    has(e, 'mails', 'faults')
      ? `${count(e['mails'], 'mail')} had a label that is wrong (${e['faults']}).`
      : null,
  'core.network-cusum': shift('The network as a whole has'),
  'core.dnsbl-verdict': distinct('Servers in', 'networks refused it and named a block list'),
  'core.register-clock': (e) =>
    has(e, 'clocks', 'words', 'legal')
      ? `In the register: ${e['words']}${e['legal'] === '' ? '' : ` (${e['legal']})`}.`
      : null,
  'core.unregistered-server': (e) => {
    const since = has(e, 'discovered') ? ` It was first seen on ${day(e['discovered'])}.` : '';
    if (has(e, 'distinct', 'window_s')) {
      return (
        `It delivered mail to ${count(e['distinct'], 'network')} of others within ` +
        `${span(e['window_s'])} as a server does, and the register does not have it.${since}`
      );
    }
    return has(e, 'observations', 'window_s')
      ? `It worked as a mail server ${count(e['observations'], 'time')} within ` +
          `${span(e['window_s'])}, and the register does not have it.${since}`
      : null;
  },
  'core.relay-probe': distinct('It asked', 'own servers to relay and was refused'),
  'core.backscatter': distinct('It sends bounces to', 'domains that did not write to it'),
  'core.connect-failure': walk(
    'servers that it tried to reach for the first time',
    'did not answer',
  ),
};

/** Counts of different things within a window. */
function distinct(before: string, things: string): Sentence {
  return (e) => {
    if (!has(e, 'distinct', 'over', 'window_s')) return null;
    const long =
      has(e, 'distinct_long', 'window_long_s') && number(e['distinct_long']) > number(e['distinct'])
        ? `, ${figure(e['distinct_long'])} within ${span(e['window_long_s'])}`
        : '';
    return (
      `${before} ${figure(e['distinct'])} ${things} within ${span(e['window_s'])}${long}; ` +
      `more than ${figure(e['over'])} is not usual.`
    );
  };
}

/** A sequential test over outcomes. */
function walk(things: string, failed: string): Sentence {
  return (e) =>
    has(e, 'failed', 'outcomes', 'sessions', 'llr', 'threshold')
      ? `${figure(e['failed'])} of ${figure(e['outcomes'])} ${things} ${failed}, in ` +
        `${count(e['sessions'], 'session')}; chance does not explain it (log likelihood ratio ` +
        `${e['llr']}, limit ${e['threshold']}).`
      : null;
}

/** A share of outcomes within a window. */
function share(things: string): Sentence {
  return (e) => {
    if (!has(e, 'hits', 'share', 'window_s')) return null;
    const from = has(e, 'sources') ? `, from ${count(e['sources'], 'source')}` : '';
    const percent = Math.round(number(e['share']) * 100);
    return `${figure(e['hits'])} ${things} (${percent} %) within ${span(e['window_s'])}${from}.`;
  };
}

/** A sum of weights of signs. */
function signs(what: string): Sentence {
  return (e) => {
    if (!has(e, 'signs', 'score', 'over')) return null;
    const which = String(e['signs']).split(' ').join(', ');
    return `${what}: ${which} (score ${e['score']}, limit ${e['over']}).`;
  };
}

/** A change against the usual. */
function shift(who: string): Sentence {
  return (e) =>
    has(e, 'sum', 'limit', 'usual', 'bin_s')
      ? `${who} far more than the usual ${figure(e['usual'])} in ${span(e['bin_s'])} (sum of ` +
        `deviations ${e['sum']}, limit ${e['limit']}).`
      : null;
}

function has(evidence: Evidence, ...names: readonly string[]): boolean {
  return names.every((name) => evidence[name] !== undefined);
}

/** All numbers of evidence that has no sentence of its own. */
function listed(evidence: Evidence): string {
  const hidden = new Set(['first_evidence', 'exact', 'way']);
  const shown = Object.entries(evidence).filter(([name]) => !hidden.has(name));
  const texts = shown.map(([name, value]) => `${name.replaceAll('_', ' ')} ${figure(value)}`);
  return texts.length === 0 ? 'see its rule' : texts.join(', ');
}

function number(value: number | string | undefined): number {
  return typeof value === 'number' ? value : 0;
}

/** The day of a date and time: 2024-05-01. */
function day(value: number | string | undefined): string {
  return String(value).slice(0, 10);
}

/** 12345 as "12,345"; words as they are. */
function figure(value: number | string | undefined): string {
  if (typeof value !== 'number') return String(value);
  const [whole = '', rest] = String(value).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

function count(value: number | string | undefined, noun: string): string {
  return `${figure(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Seconds in the largest unit that is whole: 600 is "10 minutes". */
function span(value: number | string | undefined): string {
  const seconds = number(value);
  for (const [unit, size] of units) {
    if (seconds >= size && seconds % size === 0) {
      const many = seconds / size;
      return many === 1 ? `one ${unit}` : `${many} ${unit}s`;
    }
  }
  return `${figure(seconds)} seconds`;
}

const units = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;
