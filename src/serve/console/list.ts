// The list as it stands, page by page: the daemon orders and filters, so that a hundred thousand
// entries are as quick as ten.

import { get, withQuery } from './api.js';
import { h, keep, put, replace, say } from './dom.js';
import {
  actionBadge,
  age,
  ago,
  type Column,
  entryLink,
  nothing,
  seenBadge,
  table,
  tableRow,
} from './parts.js';
import type { Entry, EntryPage, State } from './types.js';
import type { Desk, Place, View } from './view.js';
import { bare, count, counted } from './words.js';

const pageSize = 50;

const columns: readonly Column<Entry>[] = [
  { head: 'Source', cell: ({ id, cidr }) => addressOf(id, cidr), kind: 'wide' },
  { head: 'Action', cell: ({ action }) => actionBadge(action) },
  { head: 'Why', cell: (entry) => why(entry), kind: 'wide' },
  { head: 'Since', cell: ({ created_at }) => ago(created_at) },
  { head: 'Ends', cell: ({ until }) => (until === null ? 'never' : ago(until)) },
  {
    head: 'On the wire',
    cell: ({ seen, action }) => (action === 'allow' ? '' : seenBadge(seen?.state)),
  },
];

function addressOf(id: string, cidr: string): HTMLElement {
  const link = entryLink(id, bare(cidr));
  link.className = 'address';
  return link;
}

function why({ rule, title, reason, owner, appeal }: Entry): HTMLElement {
  const words = rule === null ? (reason ?? 'by hand') : title;
  const from = rule === null ? `by hand, ${owner ?? 'nobody'}` : rule.id;
  const waits = appeal.state === 'open' ? h('span', { class: 'badge tone warn' }, 'appeal') : null;
  return h(
    'span',
    { class: 'why' },
    words,
    ' ',
    h('span', { class: 'soft code' }, from),
    ' ',
    waits,
  );
}

interface Filter {
  readonly action: string;
  readonly rule: string;
  readonly order: string;
  readonly within: string;
  readonly appealed: string;
}

function filterOf({ query }: Place): Filter {
  const at = (name: string) => query.get(name) ?? '';
  return {
    action: at('action'),
    rule: at('rule'),
    order: at('order') || 'newest',
    within: at('within'),
    appealed: at('appealed'),
  };
}

export async function listView(place: Place, desk: Desk): Promise<View> {
  const filter = filterOf(place);
  const { element, body } = table('Entries of the list', columns);
  const more = h('button', { type: 'button', class: 'more' }, `Show ${pageSize} more`);
  const told = h('p', { class: 'soft', role: 'status' });
  let shown: Entry[] = [];
  let next: string | null = null;
  let revision = -1;
  const fetchPage = (after: string, limit: number) =>
    get<EntryPage>(withQuery('/v1/entries', { ...filter, after, limit }));
  const draw = (page: EntryPage, before: readonly Entry[]): void => {
    shown = [...before, ...page.entries];
    ({ next, revision } = page);
    keep(body, shown, keyOf, (entry) => tableRow(columns, entry));
    more.hidden = next === null;
    element.hidden = shown.length === 0;
    const many = counted(shown.length, 'entry', 'entries');
    const all = isFiltered(filter) ? many : `${count(shown.length)} of ${count(page.count)}`;
    say(told, `${all} shown${next === null ? '' : '; there are more'}.`);
  };
  more.addEventListener('click', () => {
    void fetchPage(next ?? '', pageSize).then((page) => draw(page, shown));
  });
  draw(await fetchPage('', pageSize), []);
  const filters = h('form', { class: 'filters', role: 'search', 'aria-label': 'Filter the list' });
  fillFilters(filters, filter, desk.state);
  const none = nothing(emptyWords(desk.state, filter));
  none.hidden = shown.length > 0;
  const part = h('div', {}, h('h1', {}, 'List'), filters, told, element, none, more);
  const refresh = async (state: State): Promise<void> => {
    age(body);
    // Who reads further down is not moved: only the first pages come anew.
    if (state.list.revision === revision || shown.length > 200) return;
    draw(await fetchPage('', Math.max(pageSize, shown.length)), []);
    none.hidden = shown.length > 0;
    age(body);
  };
  return { title: 'List', element: part, refresh };
}

function keyOf({ id, revision, seen, appeal }: Entry): string {
  return `${id} ${revision} ${seen?.state ?? ''} ${appeal.state ?? ''}`;
}

function isFiltered({ action, rule, within, appealed }: Filter): boolean {
  return action + rule + within + appealed !== '';
}

function emptyWords(state: State, filter: Filter): string {
  if (isFiltered(filter)) return 'No entry fits.';
  if (state.mode === 'observe') {
    return 'The list is empty: the sensor only observes (rules.mode), so nothing is ever listed.';
  }
  return 'The list is empty: nobody is limited or blocked.';
}

function fillFilters(form: HTMLFormElement, filter: Filter, state: State): void {
  const { actions, rules, appeals } = state.list;
  const change = (name: keyof Filter, value: string): void => {
    const wanted = { ...filter, [name]: value };
    location.hash = withQuery('#/list', {
      ...wanted,
      order: wanted.order === 'newest' ? '' : wanted.order,
    });
  };
  const choice = (
    name: keyof Filter,
    label: string,
    options: readonly (readonly [string, string])[],
  ) => {
    const select = h('select', { id: `filter-${name}`, name });
    for (const [value, words] of options) {
      select.append(h('option', { value, selected: filter[name] === value }, words));
    }
    select.addEventListener('change', () => change(name, select.value));
    return h('div', {}, h('label', { for: `filter-${name}` }, label), select);
  };
  const within = h('input', {
    id: 'filter-within',
    name: 'within',
    value: filter.within,
    maxlength: 50,
    placeholder: 'any prefix',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    change('within', within.value.trim());
  });
  replace(form);
  put(
    form,
    choice('action', 'Action', [
      ['', 'all'],
      ['block', `blocked (${count(actions.block)})`],
      ['limit', `limited (${count(actions.limit)})`],
      ['allow', `allowed (${count(actions.allow)})`],
    ]),
    choice('rule', 'Rule', [
      ['', 'all'],
      ...Object.entries(rules).map(([id, many]) => [id, `${id} (${count(many)})`] as const),
    ]),
    choice('order', 'Order', [
      ['newest', 'latest first'],
      ['ending', 'ending first'],
    ]),
    choice('appealed', 'Appeals', [
      ['', 'all'],
      ['true', `waiting (${count(appeals)})`],
    ]),
    h('div', {}, h('label', { for: 'filter-within' }, 'Inside of'), within),
  );
}
