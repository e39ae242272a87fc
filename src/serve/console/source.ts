// One source, or a prefix of them: who it is, what it did, what was found, what is done about it,
// and what it would take to clear.

import { allowQuestion, askPerson, listQuestion } from './actions.js';
import { get, withQuery } from './api.js';
import { type Child, h } from './dom.js';
import { roleWords } from './entry.js';
import { findingItem } from './findings.js';
import {
  actionBadge,
  age,
  ago,
  type Column,
  currentTime,
  entryLink,
  facts,
  nothing,
  section,
  seenBadge,
  sourceLink,
  table,
  tableRow,
  when,
} from './parts.js';
import { bars } from './pictures.js';
import type { Activity, Entry, Source, Talker } from './types.js';
import type { Desk, Place, View } from './view.js';
import { away, bare, count, counted, moment } from './words.js';

export async function sourceView({ what }: Place, desk: Desk): Promise<View> {
  const path = withQuery('/v1/source', { cidr: what });
  const source = await get<Source>(path);
  const element = h('div', {}, ...content(source, desk));
  let before = JSON.stringify(source);
  const refresh = async (): Promise<void> => {
    const latest = await get<Source>(path);
    const text = JSON.stringify(latest);
    // What somebody has unfolded or works in is left as it is.
    const isUsed =
      element.contains(document.activeElement) && document.activeElement?.tagName !== 'H1';
    if (text === before || isUsed || element.querySelector('details[open]') !== null) {
      age(element);
      return;
    }
    before = text;
    element.replaceChildren(...content(latest, desk));
  };
  return { title: bare(source.cidr), element, refresh };
}

function content(source: Source, desk: Desk): HTMLElement[] {
  const { cidr, standing, entries, findings } = source;
  const { server, allowed } = standing;
  const parts: (HTMLElement | null)[] = [
    h(
      'div',
      { class: 'head' },
      h('h1', { tabindex: '-1' }, h('span', { class: 'address' }, bare(cidr))),
      ...entries.slice(0, 3).map(({ action }) => actionBadge(action)),
    ),
    h('p', { class: 'lead' }, inWords(source)),
    buttons(source, desk),
    outlook(source),
    activityPart(source.activity, source.talkers),
    section(
      'Who it is',
      facts([
        ['It is', roleWords(standing.role, standing.cgnat)],
        [
          'Registered as',
          server === null ? null : `${server.operator} (${server.cidr}), ${server.state}`,
        ],
        ['Licence', server?.licence],
        [
          'May send',
          server?.rate_per_hour ? `${count(server.rate_per_hour)} messages an hour` : null,
        ],
        [
          'Allow-list',
          allowed === null ? null : `${allowed.cidr}, ${allowed.owner}: ${allowed.reason}`,
        ],
        ['Allowed until', allowed === null || allowed.until === null ? null : when(allowed.until)],
      ]),
    ),
    entries.length === 0 ? null : h('section', {}, h('h2', {}, 'On the list'), entryTable(entries)),
    h(
      'section',
      {},
      h('h2', {}, 'What was found'),
      findings.length === 0
        ? nothing('No rule spoke of it lately.')
        : h(
            'ul',
            { class: 'rows' },
            ...findings.map((one) => findingItem(one, bare(cidr) === one.alert.subject)),
          ),
    ),
    source.ended.length === 0
      ? null
      : h('section', {}, h('h2', {}, 'Earlier'), endedTable(source.ended)),
  ];
  return parts.filter((part) => part !== null);
}

/** The whole in one breath. */
function inWords({ cidr, standing, entries, findings, activity }: Source): string {
  const who = `${bare(cidr)} is ${roleWords(standing.role, standing.cgnat)}.`;
  const sum = (name: 'accepted' | 'refused' | 'sessions') =>
    activity.series[name].reduce((total, value) => total + value, 0);
  const did =
    sum('sessions') + sum('accepted') + sum('refused') === 0
      ? 'Nothing was seen from it within two hours.'
      : `Within two hours it opened ${counted(sum('sessions'), 'session')}; ` +
        `${counted(sum('accepted'), 'message')} went through, ${count(sum('refused'))} did not.`;
  const held = entries.filter(({ action }) => action !== 'allow');
  const now =
    held.length > 0
      ? `It is ${held.some(({ action }) => action === 'block') ? 'blocked' : 'limited'} now.`
      : entries.length > 0
        ? 'A person allowed it, so nothing is done to it.'
        : standing.allowed !== null
          ? 'The allow-list names it, so nothing is done to it.'
          : findings.length > 0
            ? 'Something was found, and it is not on the list.'
            : 'It is not on the list.';
  return `${who} ${did} ${now}`;
}

function buttons({ cidr, entries }: Source, desk: Desk): HTMLElement | null {
  if (!desk.mayOperate) return null;
  const own = entries.filter((entry) => entry.cidr === cidr || bare(entry.cidr) === bare(cidr));
  const { name } = desk.state.me;
  const make = (text: string, question: () => Parameters<typeof askPerson>[0]): HTMLElement => {
    const button = h('button', { type: 'button', class: 'act quiet' }, text);
    button.addEventListener('click', () => askPerson(question(), desk));
    return button;
  };
  const open = own.map(({ id, action }) =>
    h(
      'a',
      { class: 'act', href: `#/entry/${id}` },
      action === 'allow' ? 'Open its allowance' : 'Open its entry: evidence, release',
    ),
  );
  return h(
    'div',
    { class: 'buttons' },
    ...open,
    own.some(({ action }) => action === 'allow')
      ? null
      : make('Allow this source …', () => allowQuestion(cidr, name)),
    own.length > 0 ? null : make('Put it on the list …', () => listQuestion(cidr, name)),
  );
}

/** What it would take to clear. */
function outlook({ entries, findings, standing }: Source): HTMLElement | null {
  const held = entries.filter(({ action }) => action !== 'allow');
  if (held.length === 0 && findings.length === 0) return null;
  const steps: Child[] = held.map((entry) => h('li', {}, clearing(entry)));
  if (held.length === 0) {
    steps.push(
      h(
        'li',
        {},
        'Nothing is done to it. What was found clears when nothing more of the kind is seen.',
      ),
    );
  }
  const guards = new Set(findings.flatMap(({ alert }) => alert.guards ?? []));
  if (guards.size > 0) {
    steps.push(
      h('li', {}, `What holds the sensor back: ${[...guards].join(', ').replaceAll('-', ' ')}.`),
    );
  }
  if (standing.server !== null) {
    steps.push(
      h('li', {}, `${standing.server.operator} answers for it: call them before anything else.`),
    );
  }
  return section('What it would take to clear', h('ul', {}, ...steps));
}

function clearing({ id, action, until, rule, level, appeal, origin }: Entry): HTMLElement {
  const what = action === 'block' ? 'The block' : 'The limit';
  const end =
    until === null
      ? ' has no end.'
      : ` ends by itself at ${moment(until)} UTC (${away(until, currentTime())})` +
        (origin === 'automatic'
          ? ' if nothing more of the kind is seen; each new finding moves the end.'
          : '.');
  const ladder =
    level > 0
      ? ` It is step ${level} of the ladder (1, 6, 24, 72 h, 7 days); a quiet week takes one off.`
      : '';
  const waits = appeal.state === 'open' ? ' An appeal waits for an answer.' : '';
  const by = rule === null ? '' : ` The rule is ${rule.id}.`;
  return h('span', {}, entryLink(id, what), end, ladder, by, waits);
}

/** Two hours in steps of five minutes. */
export function activityPicture({ series, step_s, from }: Activity): HTMLElement {
  const { accepted, refused, vain } = series;
  const steps = accepted.map((value, at) => [value, refused[at] ?? 0, vain[at] ?? 0]);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const words =
    `Messages in steps of ${step_s / 60} minutes: ${count(sum(accepted))} accepted, ` +
    `${count(sum(refused))} refused, ${count(sum(vain))} connections that never opened`;
  const end = new Date(from / 1000 + steps.length * step_s * 1000).toISOString();
  const start = new Date(from / 1000).toISOString();
  return h(
    'figure',
    {},
    bars(steps, ['ok', 'no', 'other'], words),
    h(
      'div',
      { class: 'axis soft', 'aria-hidden': 'true' },
      h('span', {}, moment(start).slice(11, 16)),
      h('span', {}, `${moment(end).slice(11, 16)} UTC`),
    ),
    h(
      'figcaption',
      {},
      key('ok', `${count(sum(accepted))} accepted`),
      key('no', `${count(sum(refused))} refused`),
      key('other', `${count(sum(vain))} never opened`),
    ),
  );
}

function key(kind: string, words: string): HTMLElement {
  return h(
    'span',
    { class: 'key' },
    h('span', { class: `dot ${kind}`, 'aria-hidden': 'true' }),
    words,
  );
}

function activityPart(activity: Activity, talkers: readonly Talker[]): HTMLElement {
  const { sessions, accepted, refused, vain } = activity.series;
  const isSilent = [sessions, accepted, refused, vain].every((values) =>
    values.every((value) => value === 0),
  );
  if (isSilent)
    return section('What it did', nothing('Nothing was seen from it within the last two hours.'));
  return section(
    'What it did',
    activityPicture(activity),
    talkers.length === 0
      ? null
      : h('h3', {}, `${counted(activity.addresses, 'address', 'addresses')} inside were seen`),
    talkers.length === 0 ? null : talkerTable(talkers),
  );
}

const talkerColumns: readonly Column<Talker>[] = [
  { head: 'Address', cell: ({ address }) => sourceLink(address), kind: 'wide' },
  { head: 'Sessions', cell: ({ counts }) => count(counts.sessions), kind: 'number' },
  { head: 'Accepted', cell: ({ counts }) => count(counts.accepted), kind: 'number' },
  { head: 'Refused', cell: ({ counts }) => count(counts.refused), kind: 'number' },
  { head: 'Never opened', cell: ({ counts }) => count(counts.vain), kind: 'number' },
];

export function talkerTable(talkers: readonly Talker[]): HTMLElement {
  const { element, body } = table('Who did most within two hours', talkerColumns);
  for (const talker of talkers) body.append(tableRow(talkerColumns, talker));
  return element;
}

const entryColumns: readonly Column<Entry>[] = [
  { head: 'Entry', cell: ({ id, cidr }) => entryLink(id, bare(cidr)), kind: 'wide' },
  { head: 'Action', cell: ({ action }) => actionBadge(action) },
  {
    head: 'Why',
    cell: ({ title, rule, reason }) => (rule === null ? reason : title),
    kind: 'wide',
  },
  { head: 'Since', cell: ({ created_at }) => ago(created_at) },
  { head: 'Ends', cell: ({ until }) => (until === null ? 'never' : ago(until)) },
  {
    head: 'On the wire',
    cell: ({ action, seen }) => (action === 'allow' ? '' : seenBadge(seen?.state)),
  },
];

function entryTable(entries: readonly Entry[]): HTMLElement {
  const { element, body } = table('Entries about it', entryColumns);
  for (const entry of entries) body.append(tableRow(entryColumns, entry));
  return element;
}

const endedColumns: readonly Column<Entry>[] = [
  { head: 'Entry', cell: ({ id, cidr }) => entryLink(id, bare(cidr)), kind: 'wide' },
  { head: 'Action', cell: ({ action }) => actionBadge(action, true) },
  {
    head: 'Why',
    cell: ({ title, rule, reason }) => (rule === null ? reason : title),
    kind: 'wide',
  },
  { head: 'Began', cell: ({ created_at }) => ago(created_at) },
  { head: 'Ended', cell: ({ ended }) => ago(ended?.time ?? null) },
  { head: 'How', cell: ({ ended }) => (ended === null ? '' : `${ended.state} by ${ended.by}`) },
];

function endedTable(entries: readonly Entry[]): HTMLElement {
  const { element, body } = table('Entries about it that ended', endedColumns);
  for (const entry of entries) body.append(tableRow(endedColumns, entry));
  return element;
}
