// One entry: what is done, why, on what evidence, whether it holds, and what a person can do.

import { operations } from './actions.js';
import { get } from './api.js';
import { type Child, h } from './dom.js';
import {
  actionBadge,
  age,
  entryLink,
  facts,
  sampleTable,
  section,
  seenBadge,
  toneBadge,
  when,
} from './parts.js';
import type { Entry, Seen, State } from './types.js';
import type { Desk, Place, View } from './view.js';
import { bare, counted, evidenceName, evidenceValue, percent, seenWords, span } from './words.js';

export async function entryView({ what }: Place, desk: Desk): Promise<View> {
  const path = `/v1/entries/${encodeURIComponent(what)}`;
  const entry = await get<Entry>(path);
  const element = h('div', {}, ...content(entry, desk));
  let key = keyOf(entry);
  const refresh = async (_: State): Promise<void> => {
    age(element);
    const latest = await get<Entry>(path);
    if (keyOf(latest) === key) return;
    key = keyOf(latest);
    const hadFocus = element.contains(document.activeElement);
    element.replaceChildren(...content(latest, desk));
    if (hadFocus) element.querySelector('h1')?.focus();
  };
  return { title: bare(entry.cidr), element, refresh };
}

/** What of an entry is worth drawing it anew. */
function keyOf({ revision, appeal, ended, seen, fetched_by }: Entry): string {
  const { state = null, answer = null } = appeal;
  const names = fetched_by.map(({ name }) => name);
  return JSON.stringify([revision, state, answer, ended, seen, names]);
}

function content(entry: Entry, desk: Desk): HTMLElement[] {
  const { id, cidr, action, ended } = entry;
  const head = h(
    'div',
    { class: 'head' },
    h('h1', { tabindex: '-1' }, h('span', { class: 'address' }, bare(cidr))),
    actionBadge(action, ended !== null),
    ended === null ? null : h('span', { class: 'badge' }, `${ended.state}`),
    h(
      'a',
      { class: 'code', href: `#/source/${encodeURIComponent(bare(cidr))}` },
      'all about this source',
    ),
  );
  return [
    head,
    h('p', { class: 'lead' }, entry.explanation || byHand(entry)),
    operations(entry, desk),
    wire(entry),
    evidence(entry),
    appeals(entry),
    section(
      'The entry',
      facts([
        ['Number', h('span', { class: 'code' }, id)],
        ['Since', when(entry.created_at)],
        ['Ends', entry.until === null ? 'never' : when(entry.until)],
        ['Ended', ended === null ? null : endWords(ended)],
        ['About', scopeWords(entry)],
        [
          'Rule',
          entry.rule === null ? 'none: a person made it' : `${entry.rule.id} ${entry.rule.version}`,
        ],
        [
          'Text of the rule',
          entry.rule === null
            ? null
            : h('span', { class: 'code soft' }, entry.rule.sha256.slice(0, 16)),
        ],
        ['Owner', entry.owner],
        ['Reason', entry.reason],
        ['Law', entry.legal.length === 0 ? null : entry.legal.join(', ')],
        ['Step of the ladder', entry.level === 0 ? null : String(entry.level)],
        ['Took the place of', entry.supersedes === null ? null : entryLink(entry.supersedes)],
        ['Revision', String(entry.revision)],
      ]),
    ),
  ].filter((part) => part !== null);
}

function byHand({ owner, reason }: Entry): string {
  return `${owner ?? 'A person'} made this entry by hand: ${reason ?? 'no reason is noted'}`;
}

function endWords({ time, by, reason, wrong }: NonNullable<Entry['ended']>): HTMLElement {
  const said = reason === '' ? '' : `: ${reason}`;
  const note = wrong ? ' It should never have been there.' : '';
  return h('span', {}, when(time), ` by ${by}${said}.${note}`);
}

export function scopeWords({ scope, action }: Pick<Entry, 'scope' | 'action'>): string {
  const { dport, direction, rate, burst } = scope;
  const way = direction === 'out' ? 'mail from it to the world' : 'mail from it to our servers';
  const ports = `port${dport.length === 1 ? '' : 's'} ${dport.join(', ')}`;
  const limit =
    action === 'limit' && rate !== undefined
      ? `; ${rate} messages an hour and ${burst ?? 0} at once are let through`
      : '';
  return `${way}, ${ports}${limit}`;
}

function wire({ action, seen, fetched_by, ended }: Entry): HTMLElement | null {
  if (action === 'allow' || ended !== null) return null;
  const names = fetched_by.map(({ name }) => name);
  const fetched =
    names.length === 0
      ? 'No consumer has fetched the list with this entry yet.'
      : `Fetched with this entry by ${names.join(', ')}.`;
  const figures = seen === null ? null : seenFacts(seen);
  return section(
    'Does it hold?',
    h(
      'p',
      {},
      seenBadge(seen?.state),
      ' ',
      seen === null ? '' : (seenWords[seen.state]?.long ?? ''),
    ),
    h('p', {}, fetched),
    figures,
  );
}

function seenFacts(seen: Seen): HTMLElement {
  return facts([
    ['Published', when(seen.published_at)],
    ['Opened since', counted(seen.opened, 'connection')],
    ['Tried in vain', counted(seen.refused, 'connection')],
    ['Messages beyond it', seen.excess === 0 ? null : String(seen.excess)],
    ['Share that gets through', seen.leak_ratio === null ? null : percent(seen.leak_ratio)],
    ['Last got through', seen.last_through === null ? null : when(seen.last_through)],
    ['Last in vain', seen.last_refused === null ? null : when(seen.last_refused)],
    ['Took hold after', seen.time_to_enforce_ms === null ? null : span(seen.time_to_enforce_ms)],
  ]);
}

function evidence(entry: Entry): HTMLElement | null {
  const { corroborators, samples, guards, symmetry, loss, role, cgnat, confidence } = entry;
  if (entry.origin === 'manual') return null;
  const numbers = Object.entries(entry.evidence).map(([name, value]): [string, Child] => [
    evidenceName(name),
    evidenceValue(name, value),
  ]);
  return section(
    'Evidence',
    h('p', {}, entry.title, '. ', h('span', { class: 'code soft' }, entry.rule?.id ?? '')),
    facts([
      ...numbers,
      ['Agreeing rules', corroborators.join(', ')],
      ['Probability', confidence === null ? null : percent(confidence)],
      ['Held back by', guards.join(', ')],
      ['It is', roleWords(role, cgnat)],
      ['First seen', when(entry.first_seen)],
      ['Last seen', when(entry.last_seen)],
      [
        'The sensor then',
        `${percent(symmetry)} of connections seen from both sides, ${percent(loss)} lost`,
      ],
    ]),
    samples.length === 0 ? null : h('h3', {}, 'Connections that were seen'),
    samples.length === 0 ? null : sampleTable(samples),
  );
}

export function roleWords(role: string, cgnat: number): string {
  const words: Readonly<Record<string, string>> = {
    foreign: 'a stranger to this network',
    'customer-dynamic': 'an own customer, dynamic address',
    'customer-static': 'an own customer, static address',
    infrastructure: 'own infrastructure',
    registered: 'a registered mail server',
    'registered-bulk': 'a registered bulk sender',
    'unregistered-server': 'an own address that no plan and no register names',
  };
  const shared = cgnat > 1 ? `, shared by about ${cgnat} customers` : '';
  return `${words[role] ?? role}${shared}`;
}

function appeals({ appeal, action, ended }: Entry): HTMLElement | null {
  if (action === 'allow') return null;
  const { state, url, contact, due, filed, last, answer, by } = appeal;
  if (state === null) {
    if (ended !== null) return null;
    const way = [url, contact].filter((one) => one !== undefined).join(' or ');
    return section(
      'Appeal',
      h('p', {}, `None is filed. Whoever is listed can appeal${way === '' ? '' : ` at ${way}`}.`),
    );
  }
  const words =
    state === 'open' ? toneBadge('warn', 'waits for an answer') : toneBadge('good', state);
  return section(
    'Appeal',
    h('p', {}, words),
    facts([
      ['Filed', filed === undefined ? null : when(filed)],
      ['A person answers by', state === 'open' ? when(due) : null],
      ['Released by itself', state === 'open' && last !== undefined ? when(last) : null],
      ['Answer', answer ?? null],
      ['By', by ?? null],
    ]),
  );
}
