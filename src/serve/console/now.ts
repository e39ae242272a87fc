// The first view: three answers in words, how the rates go, and what to look at first.

import { type Answer, doesItBite, isItBad, isItUs, rates } from './answers.js';
import { get } from './api.js';
import { h, keep, replace } from './dom.js';
import { findingKey, findingLine } from './findings.js';
import { actionBadge, age, ago, entryLink, nothing, section, seenBadge } from './parts.js';
import { mark, sparkline } from './pictures.js';
import { activityPicture } from './source.js';
import type { Entry, EntryPage, Finding, State } from './types.js';
import type { Desk, Place, View } from './view.js';
import { bare, moment, readTime, short, span } from './words.js';

const shown = 6;
/** A clock of packets that is further away than this is that of a replay. */
const replay_ms = 600_000;

export async function nowView(_: Place, desk: Desk): Promise<View> {
  const answers = h('div', { class: 'answers' });
  const live = h('div', { class: 'rates' });
  const clock = h('p', { class: 'soft' });
  const traffic = h('div');
  const latest = h('ul', { class: 'rows' });
  const findings = h('ul', { class: 'rows' });
  const noEntry = nothing('Nobody is on the list.');
  const noFinding = nothing('Nothing was found since the daemon started.');
  let revision = -1;
  const lists = async (state: State): Promise<void> => {
    const wantsList = state.list.revision !== revision;
    const [page, found] = await Promise.all([
      wantsList ? get<EntryPage>(`/v1/entries?order=newest&limit=${shown}`) : null,
      get<{ findings: readonly Finding[] }>(`/v1/findings?limit=${shown}`),
    ]);
    if (page !== null) {
      ({ revision } = page);
      keep(latest, page.entries, entryKey, entryItem);
      noEntry.hidden = page.entries.length > 0;
    }
    keep(findings, found.findings, findingKey, findingLine);
    noFinding.hidden = found.findings.length > 0;
  };
  const draw = async (state: State): Promise<void> => {
    const all = [isItBad(state), isItUs(state), doesItBite(state)];
    keep(answers, all, (answer) => JSON.stringify(answer), answerCard);
    replace(live, ...pictures(state));
    clock.textContent = clockWords(state);
    replace(traffic, trafficPart(state));
    await lists(state);
    age(latest);
    age(findings);
  };
  await draw(desk.state);
  const element = h(
    'div',
    {},
    h('h1', { class: 'hidden' }, 'Now'),
    answers,
    live,
    clock,
    traffic,
    h(
      'div',
      { class: 'two' },
      h(
        'section',
        { class: 'beside' },
        h('h2', {}, 'Latest on the list'),
        latest,
        noEntry,
        h('p', {}, h('a', { href: '#/list' }, 'The whole list')),
      ),
      h(
        'section',
        { class: 'beside' },
        h('h2', {}, 'Latest findings'),
        findings,
        noFinding,
        h('p', {}, h('a', { href: '#/findings' }, 'All findings')),
      ),
    ),
  );
  return { title: 'Now', element, refresh: draw };
}

function answerCard({ question, tone, says, because, next }: Answer): HTMLElement {
  const [href, words] = next;
  return h(
    'section',
    { class: `answer ${tone}` },
    h('h2', {}, question),
    h('p', { class: 'says' }, mark(tone), says),
    ...because.slice(0, 4).map((text) => h('p', {}, text)),
    h('p', { class: 'next' }, h('a', { href }, words)),
  );
}

/** Rates of the last half hour, each with its last value. */
function pictures(state: State): HTMLElement[] {
  const per = (name: string, title: string, unit: string): HTMLElement => {
    const values = rates(state, name);
    return rateCard(title, values, unit);
  };
  const entries = state.history?.series['entries'] ?? [];
  return [
    per('packets', 'Packets', '/s'),
    per('sessions', 'Sessions', '/s'),
    per('transactions', 'Messages', '/s'),
    rateCard('On the list', entries, ''),
  ];
}

function rateCard(title: string, values: readonly (number | null)[], unit: string): HTMLElement {
  const last = values.at(-1) ?? null;
  return h(
    'div',
    { class: 'rate' },
    h('span', { class: 'soft' }, title),
    h('strong', {}, last === null ? 'soon' : `${short(last)}${unit}`),
    sparkline(values, title),
  );
}

/** Everything that was seen, step by step. */
function trafficPart({ activity }: State): HTMLElement | null {
  if (activity === undefined) return null;
  return section('All mail of two hours', activityPicture(activity));
}

function clockWords({ time, wall, history }: State): string {
  const long =
    history === undefined ? 0 : ((history.series['packets']?.length ?? 1) - 1) * history.step_ms;
  const pictures = `The pictures show the last ${span(Math.max(long, 5000))}.`;
  if (time === null) return `${pictures} No packet has come yet.`;
  const isReplay = Math.abs(readTime(wall) - readTime(time)) > replay_ms;
  const clock = isReplay ? 'This is a replay: its packets say that it is' : 'It is';
  return `${clock} ${moment(time)} UTC. ${pictures}`;
}

function entryKey({ id, revision, seen }: Entry): string {
  return `${id} ${revision} ${seen?.state ?? ''}`;
}

function entryItem({
  id,
  cidr,
  action,
  title,
  reason,
  rule,
  created_at,
  seen,
}: Entry): HTMLElement {
  const link = entryLink(id, bare(cidr));
  link.className = 'address';
  return h(
    'li',
    { class: 'row' },
    h(
      'div',
      { class: 'line' },
      actionBadge(action),
      link,
      h('span', { class: 'soft' }, ago(created_at)),
    ),
    h(
      'p',
      {},
      rule === null ? (reason ?? 'by hand') : title,
      ' ',
      action === 'allow' ? '' : seenBadge(seen?.state),
    ),
  );
}
