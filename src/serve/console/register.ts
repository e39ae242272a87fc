// The register: who may send, and what its clocks say.

import { get, withQuery } from './api.js';
import { h, replace } from './dom.js';
import { roleWords } from './entry.js';
import {
  type Column,
  currentTime,
  facts,
  nothing,
  section,
  sourceLink,
  table,
  tableRow,
  toneBadge,
} from './parts.js';
import type {
  AllowEntry,
  ClockItem,
  CodeEntry,
  RegisterPage,
  ServerEntry,
  State,
} from './types.js';
import type { Desk, Place, View } from './view.js';
import { away, count, counted, moment } from './words.js';

const pageSize = 100;

export async function registerView({ query }: Place, _: Desk): Promise<View> {
  const find = query.get('find') ?? '';
  const from = Number(query.get('from') ?? 0) || 0;
  const load = () => get<RegisterPage>(withQuery('/v1/register', { find, from, limit: pageSize }));
  const body = h('div');
  let version = '';
  const draw = (page: RegisterPage): void => {
    ({ version } = page);
    replace(body, ...content(page, find, from));
  };
  draw(await load());
  const input = h('input', {
    id: 'find',
    value: find,
    maxlength: 100,
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'operator, prefix, licence, code',
  });
  const form = h(
    'form',
    { class: 'filters', role: 'search', 'aria-label': 'Find in the register' },
    h('div', { class: 'wide' }, h('label', { for: 'find' }, 'Find in the register'), input),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    location.hash = withQuery('#/register', { find: input.value.trim() });
  });
  const refresh = async (_state: State): Promise<void> => {
    const page = await load();
    if (page.version !== version) draw(page);
  };
  return { title: 'Register', element: h('div', {}, h('h1', {}, 'Register'), form, body), refresh };
}

function content(page: RegisterPage, find: string, from: number): HTMLElement[] {
  const { counts, servers, codes, allow, version, profiles, pools } = page;
  const parts = [
    find === '' && from === 0 ? clocks(page) : null,
    part(`Mail servers (${count(counts.servers)})`, serverColumns, servers.entries, 'No server.'),
    pager(find, from, [servers.next, codes.next, allow.next]),
    part(`Management codes (${count(counts.codes)})`, codeColumns, codes.entries, 'No code.'),
    part(`Allow-list (${count(counts.allow)})`, allowColumns, allow.entries, 'Nobody.'),
    find === '' && from === 0
      ? part(`Address plan (${count(pools.length)})`, poolColumns, pools, 'No pool is configured.')
      : null,
    section(
      'About it',
      facts([
        ['Version', h('span', { class: 'code' }, version)],
        ['As of', `${moment(page.as_of)} UTC`],
        ['Regulations', profiles.join(', ')],
      ]),
    ),
  ];
  return parts.filter((one) => one !== null);
}

function part<Row>(
  title: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  none: string,
): HTMLElement {
  if (rows.length === 0) return h('section', {}, h('h2', {}, title), nothing(none));
  const { element, body } = table(title, columns);
  for (const row of rows) body.append(tableRow(columns, row));
  return h('section', {}, h('h2', {}, title), element);
}

function pager(find: string, from: number, nexts: readonly (number | null)[]): HTMLElement | null {
  const next = nexts.find((one) => one !== null) ?? null;
  if (next === null && from === 0) return null;
  const link = (words: string, at: number) =>
    h('a', { href: withQuery('#/register', { find, from: at === 0 ? '' : at }) }, words);
  return h(
    'p',
    { class: 'buttons' },
    from > 0 ? link('From the start', 0) : null,
    next === null ? null : link(`Next ${pageSize}`, next),
  );
}

/** What the clocks say, what is due first: a filing that is late is a fine that is due. */
function clocks({ clocks: { count: all, items } }: RegisterPage): HTMLElement {
  if (all === 0)
    return section('Clocks', h('p', {}, toneBadge('good', 'nothing is due and nothing is late')));
  const due = items
    .filter((item) => item.due !== null)
    .toSorted((one, other) => (one.due! < other.due! ? -1 : 1));
  const rest = items.filter((item) => item.due === null);
  const { element, body } = table('What the clocks of the register say', clockColumns);
  for (const item of [...due, ...rest]) body.append(tableRow(clockColumns, item));
  const more =
    all > items.length
      ? h(
          'p',
          { class: 'soft' },
          `${counted(all - items.length, 'more')}; mailweir register lint has all.`,
        )
      : null;
  return h('section', {}, h('h2', {}, `Clocks (${count(all)})`), element, more);
}

const clockColumns: readonly Column<ClockItem>[] = [
  {
    head: 'What',
    cell: ({ name, severity }) =>
      toneBadge(severity === 'medium' ? 'bad' : 'warn', name.replaceAll('-', ' ')),
  },
  { head: 'About', cell: ({ about }) => about, kind: 'wide' },
  { head: 'Words', cell: ({ words }) => words, kind: 'wide' },
  { head: 'Until', cell: ({ due }) => (due === null ? '' : away(due, currentTime())) },
  { head: 'Law', cell: ({ legal }) => legal },
];

const day = (time: string | null): string => (time === null ? '' : moment(time).slice(0, 10));

const serverColumns: readonly Column<ServerEntry>[] = [
  { head: 'Prefix', cell: ({ cidr }) => sourceLink(cidr), kind: 'wide' },
  { head: 'Operator', cell: ({ operator }) => operator, kind: 'wide' },
  { head: 'Role', cell: ({ role }) => role.replaceAll('-', ' ') },
  {
    head: 'State',
    cell: ({ state }) =>
      toneBadge(state === 'active' ? 'good' : state === 'retired' ? 'unknown' : 'warn', state),
  },
  { head: 'Filed', cell: ({ filed_at }) => day(filed_at) },
  { head: 'Starts', cell: ({ starts_at }) => day(starts_at) },
  { head: 'Changes', cell: ({ changes_at }) => day(changes_at) },
  { head: 'Retires', cell: ({ retires_at }) => day(retires_at) },
  { head: 'Line', cell: ({ line }) => count(line), kind: 'number' },
];

const codeColumns: readonly Column<CodeEntry>[] = [
  { head: 'Code', cell: ({ code }) => code, kind: 'code' },
  { head: 'Holder', cell: ({ holder }) => holder, kind: 'wide' },
  { head: 'State', cell: ({ state }) => toneBadge(state === 'valid' ? 'good' : 'bad', state) },
  { head: 'Issued', cell: ({ issued_on }) => day(issued_on) },
  { head: 'Expires', cell: ({ expires_on }) => day(expires_on) },
  { head: 'Withdrawn', cell: ({ withdrawn_on }) => day(withdrawn_on) },
];

const allowColumns: readonly Column<AllowEntry>[] = [
  { head: 'Prefix', cell: ({ cidr }) => sourceLink(cidr), kind: 'wide' },
  { head: 'Owner', cell: ({ owner }) => owner },
  { head: 'Reason', cell: ({ reason }) => reason, kind: 'wide' },
  {
    head: 'Until',
    cell: ({ until, over }) =>
      until === null ? 'for ever' : over ? toneBadge('bad', `ended ${day(until)}`) : day(until),
  },
];

const poolColumns: readonly Column<RegisterPage['pools'][number]>[] = [
  { head: 'Prefix', cell: ({ cidr }) => sourceLink(cidr), kind: 'wide' },
  { head: 'What it is', cell: ({ role, cgnat }) => roleWords(role, cgnat), kind: 'wide' },
  {
    head: 'One customer',
    cell: ({ customer_bits }) => (customer_bits === null ? '' : `/${customer_bits}`),
  },
];
