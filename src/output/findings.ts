// The part of the page about findings: who, why, and what was decided, the worst first. Text only;
// `verdicts.ts` collects.

import type { Alert, Decision } from '../decide/decision.js';
import { guardWords } from '../decide/guards.js';
import { type Severity, severities } from '../detect/finding.js';
import { count, counted, moment, type Paint, span, wrap } from './text.js';
import type { Suspect, Verdicts } from './verdicts.js';

const columns = 80;
/** Subjects, and alerts of one subject, that are shown. */
const shownMax = 12;
const alertsMax = 3;

/** Lines of the block, without its title. */
export function findingLines(verdicts: Verdicts, ink: Paint): string[] {
  if (verdicts.total === 0) return [ink.quiet('nothing that a rule speaks of')];
  const shown = verdicts.worst(shownMax);
  const lines = [totals(verdicts), ''];
  for (const suspect of shown) lines.push(...suspectLines(suspect, ink), '');
  lines.pop();
  const more = verdicts.subjects - shown.length + verdicts.forgotten;
  if (more > 0) lines.push('', ink.quiet(`and ${count(more)} more; --format eve has all of them`));
  return lines;
}

function totals(verdicts: Verdicts): string {
  const alerts = severities
    .toReversed()
    .filter((word) => (verdicts.alerts.get(word) ?? 0) > 0)
    .map((word) => `${count(verdicts.alerts.get(word)!)} ${word}`);
  const entries = [...verdicts.entries].map(([action, made]) => counted(made, action));
  const decided = entries.length === 0 ? 'nothing decided' : `decided: ${entries.join(', ')}`;
  return `${counted(verdicts.total, 'alert')} (${alerts.join(', ')}); ${decided}`;
}

function suspectLines({ subject, role, severity, alerts, decisions }: Suspect, ink: Paint) {
  const name = subject === '' ? 'the network as a whole' : subject.replace(/\/(32|128)$/, '');
  const word = colour(severity, ink)(severity.toUpperCase().padEnd(8));
  const lines = [`${word} ${ink.strong(name)}${role === '' ? '' : `  ${ink.quiet(role)}`}`];
  const sorted = [...alerts.values()].sort(worseFirst);
  for (const alert of sorted.slice(0, alertsMax)) lines.push(...alertLines(alert, ink));
  if (sorted.length > alertsMax) {
    const rest = sorted.slice(alertsMax).map(({ rule }) => rule.id);
    lines.push(...indented(`also ${rest.join(', ')}`, ink.quiet));
  }
  for (const decision of lastOf(decisions)) lines.push(...decisionLines(decision, ink));
  if (decisions.size === 0) {
    const guards = new Set(sorted.flatMap((alert) => alert.guards));
    for (const guard of guards)
      lines.push(...indented(`no action: ${guardWords[guard]}`, ink.quiet));
  }
  return lines;
}

function alertLines({ rule, time, explanation, proof }: Alert, ink: Paint): string[] {
  const status = proof === undefined ? '' : `, ${proof}`;
  const [why = ''] = explanation.split(/(?<=[.)]) (?=[A-Z])/, 1);
  return [
    ...indented(`${moment(time).slice(11)} ${rule.id}${status}: ${rule.title}`, (text) => text),
    ...indented(`  ${why}`, ink.quiet),
  ];
}

function decisionLines(decision: Decision, ink: Paint): string[] {
  const { action, state, mode, created, until, corroborators } = decision;
  const would = mode === 'observe' ? 'would be ' : '';
  const done = { block: 'blocked', limit: 'limited', allow: 'allowed' }[action];
  const length = span((until - created) / 1e6);
  const with_ = corroborators.length === 0 ? '' : `, with ${corroborators.join(', ')}`;
  const end = state === 'expired' || state === 'released' ? `, ${state}` : '';
  const when = `${moment(created).slice(11)} for ${length}${end}`;
  const text = `${would}${done} from ${when}, for ${decision.rule.id}${with_}`;
  return indented(`=> ${text}`, action === 'block' ? ink.bad : ink.warn);
}

/** The entries of a subject that took no other's place: at most the last two. */
function lastOf(decisions: ReadonlyMap<string, Decision>): Decision[] {
  const all = [...decisions.values()];
  const replaced = new Set(all.map(({ supersedes }) => supersedes));
  return all.filter(({ id }) => !replaced.has(id)).slice(-2);
}

function worseFirst(one: Alert, other: Alert): number {
  return (
    severities.indexOf(other.severity) - severities.indexOf(one.severity) || one.time - other.time
  );
}

function indented(text: string, ink: (text: string) => string): string[] {
  return wrap(text.trimStart(), columns - 14, '  ')
    .split('\n')
    .map((line) => `         ${ink(line)}`);
}

function colour(severity: Severity, ink: Paint): (text: string) => string {
  if (severity === 'critical' || severity === 'high') return ink.bad;
  return severity === 'medium' ? ink.warn : ink.quiet;
}
