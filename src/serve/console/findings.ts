// What detectors said lately, the newest first, also about sources to which nothing is done: with
// the reason why nothing is.

import { get, withQuery } from './api.js';
import { h, keep, put, say } from './dom.js';
import { age, ago, nothing, sampleTable, severityBadge, sourceLink } from './parts.js';
import type { Finding, State } from './types.js';
import type { Desk, Place, View } from './view.js';
import { counted, evidenceName, evidenceValue } from './words.js';

const everywhere = '0.0.0.0/0';
/** Findings at first, and what the API gives at most. */
const step = 25;
const most = 500;

/** A finding in a line, for where there is little room. */
export function findingLine({ alert, timestamp }: Finding): HTMLElement {
  const { subject, severity, signature } = alert;
  const who = subject === everywhere ? h('span', {}, 'the whole network') : sourceLink(subject);
  return h(
    'li',
    { class: 'row' },
    h(
      'div',
      { class: 'line' },
      severityBadge(severity),
      who,
      h('span', { class: 'soft' }, ago(timestamp)),
    ),
    h('p', {}, signature),
  );
}

/** One finding; its numbers and connections unfold. */
export function findingItem(finding: Finding, isAlone = false): HTMLElement {
  const { alert, timestamp } = finding;
  const { evidence, subject, severity, signature, rule, explanation } = alert;
  const { samples = [], ...numbers } = evidence;
  const who =
    subject === everywhere ? h('span', {}, 'the network as a whole') : sourceLink(subject);
  const details = h('details', {}, h('summary', {}, 'Evidence'));
  const pairs = Object.entries(numbers).map(([name, value]) =>
    h('div', {}, h('dt', {}, evidenceName(name)), h('dd', {}, evidenceValue(name, value))),
  );
  put(details, h('dl', { class: 'facts' }, ...pairs), samples.length > 0 && sampleTable(samples));
  return h(
    'li',
    { class: 'row finding' },
    h(
      'div',
      { class: 'line' },
      severityBadge(severity),
      isAlone ? null : who,
      h('span', { class: 'what' }, signature),
      h('span', { class: 'soft' }, ago(timestamp)),
    ),
    h('p', {}, explanation, ' ', h('span', { class: 'soft code' }, rule.id)),
    details,
  );
}

export function findingKey({ timestamp, alert }: Finding): string {
  return `${timestamp} ${alert.rule.id} ${alert.subject}`;
}

export async function findingsView({ query }: Place, _: Desk): Promise<View> {
  const rule = query.get('rule') ?? '';
  const severity = query.get('severity') ?? '';
  const list = h('ul', { class: 'rows' });
  const told = h('p', { class: 'soft', role: 'status' });
  const none = nothing('Nothing was found since the daemon started.');
  const more = h('button', { type: 'button', class: 'more' }, 'Show more');
  let limit = step;
  const load = async (): Promise<void> => {
    const path = withQuery('/v1/findings', { rule, severity, limit });
    const { findings } = await get<{ findings: readonly Finding[] }>(path);
    keep(list, findings, findingKey, (finding) => findingItem(finding));
    none.hidden = findings.length > 0;
    say(told, findings.length === 0 ? '' : `The latest ${counted(findings.length, 'finding')}.`);
    more.hidden = findings.length < limit || limit >= most;
    age(list);
  };
  more.addEventListener('click', () => {
    limit = Math.min(most, limit * 2);
    void load();
  });
  await load();
  const filters = h('form', { class: 'filters', 'aria-label': 'Filter the findings' });
  const select = h('select', { id: 'severity' });
  for (const one of ['', 'critical', 'high', 'medium', 'low', 'info']) {
    select.append(h('option', { value: one, selected: one === severity }, one || 'all'));
  }
  select.addEventListener('change', () => {
    location.hash = withQuery('#/findings', { rule, severity: select.value });
  });
  filters.append(h('div', {}, h('label', { for: 'severity' }, 'Severity'), select));
  const alone =
    rule === ''
      ? null
      : h('p', {}, `Only of ${rule}. `, h('a', { href: '#/findings' }, 'Show all rules'));
  const element = h('div', {}, h('h1', {}, 'Findings'), filters, alone, told, list, none, more);
  return { title: 'Findings', element, refresh: (_state: State) => load() };
}
