// Pieces that several views share: links, badges, times, tables. Each is an element; what it says
// comes from the words beside it.

import { type Child, h } from './dom.js';
import { mark } from './pictures.js';
import type { Action, Scalar } from './types.js';
import { actionWords, away, bare, moment, readTime, seenWords } from './words.js';

/** The address of a source, as a link to its page. */
export function sourceLink(cidr: string): HTMLElement {
  const text = bare(cidr);
  return h('a', { class: 'address', href: `#/source/${encodeURIComponent(text)}` }, text);
}

export function entryLink(id: string, text = id): HTMLElement {
  return h('a', { class: 'code', href: `#/entry/${id}` }, text);
}

export function actionBadge(action: Action, isEnded = false): HTMLElement {
  const ended = isEnded ? ' ended' : '';
  return h('span', { class: `badge ${action}${ended}` }, actionWords[action]);
}

export function toneBadge(tone: string, text: string): HTMLElement {
  return h('span', { class: `badge tone ${tone}` }, mark(tone), text);
}

export const severityNames: Readonly<Record<number, string>> = { 1: 'High', 2: 'Medium', 3: 'Low' };

export function severityBadge(severity: number): HTMLElement {
  const name = severityNames[severity] ?? 'Low';
  return h('span', { class: `badge severity-${severity}` }, name);
}

const seenTones: Readonly<Record<string, string>> = {
  enforced: 'good',
  leaking: 'bad',
  unseen: 'unknown',
  quiet: 'good',
  unknown: 'unknown',
};

export function seenBadge(state: string | undefined): HTMLElement {
  if (state === undefined) return h('span', { class: 'soft' }, 'not watched');
  return toneBadge(seenTones[state] ?? 'unknown', seenWords[state]?.short ?? state);
}

/** The clock of the packets, milliseconds; the page moves it with each answer. */
let now = Date.now();

export function setNow(time: string | null): void {
  if (time !== null) now = readTime(time);
}

export function currentTime(): number {
  return now;
}

/** How long ago or ahead, with the time itself beside it for whoever points or listens. */
export function ago(time: string | null): HTMLElement {
  if (time === null) return h('span', {}, 'never');
  const full = `${moment(time)} UTC`;
  return h(
    'time',
    { datetime: time.replace('+0000', 'Z'), title: full, class: 'ago' },
    away(time, now),
  );
}

/** The time itself, then how long ago that is. */
export function when(time: string | null): HTMLElement {
  if (time === null) return h('span', {}, 'never');
  const passed = h('span', { class: 'soft' }, ` (${away(time, now)})`);
  return h('time', { datetime: time.replace('+0000', 'Z') }, `${moment(time)} UTC`, passed);
}

/** Writes the times of a part of the page anew: they move though nothing else does. */
export function age(part: Element): void {
  for (const element of part.querySelectorAll('time.ago')) {
    const time = element.getAttribute('datetime') ?? '';
    const text = away(time, now);
    if (element.textContent !== text) element.textContent = text;
  }
}

export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => Child;
  /** Of the cell: number, wide. */
  readonly kind?: string;
}

/** A table whose rows become cards where the page is narrow; its roles say what it stays. */
export function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
): { readonly element: HTMLTableElement; readonly body: HTMLTableSectionElement } {
  const heads = columns.map(({ head, kind = '' }) =>
    h('th', { scope: 'col', role: 'columnheader', class: kind }, head),
  );
  const body = h('tbody', { role: 'rowgroup' });
  const element = h(
    'table',
    { role: 'table' },
    h('caption', { class: 'hidden' }, caption),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...heads)),
    body,
  );
  return { element, body };
}

export function tableRow<Row>(columns: readonly Column<Row>[], row: Row): HTMLTableRowElement {
  return h(
    'tr',
    { role: 'row' },
    ...columns.map(({ head, cell, kind = '' }) =>
      h(
        'td',
        { role: 'cell', 'data-head': head, class: kind },
        h('span', { class: 'in' }, cell(row)),
      ),
    ),
  );
}

/** Names and what they are. */
export function facts(pairs: readonly (readonly [string, Child])[]): HTMLElement {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return h(
    'dl',
    { class: 'facts' },
    ...shown.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );
}

export function section(title: string, ...children: readonly Child[]): HTMLElement {
  return h('section', { class: 'card' }, h('h2', {}, title), ...children);
}

export function nothing(text: string): HTMLElement {
  return h('p', { class: 'nothing' }, text);
}

/** The connections that an alert or an entry shows. */
export function sampleTable(
  samples: readonly Readonly<Record<string, Scalar | undefined>>[],
): HTMLElement {
  const names = [...new Set(samples.flatMap((sample) => Object.keys(sample)))];
  const columns = names.map((name): Column<Readonly<Record<string, Scalar | undefined>>> => {
    const cell = (sample: Readonly<Record<string, Scalar | undefined>>): Child => {
      const value = sample[name];
      if (value === undefined || value === null) return '';
      return name === 'time' ? moment(String(value)) : String(value);
    };
    return { head: sampleHeads[name] ?? name.replaceAll('_', ' '), cell, kind: 'code' };
  });
  const { element, body } = table('Connections that were seen', columns);
  for (const sample of samples) body.append(tableRow(columns, sample));
  return element;
}

const sampleHeads: Readonly<Record<string, string>> = {
  time: 'Time (UTC)',
  src_port: 'From port',
  src_ip: 'From',
  dst: 'To',
  dport: 'Port',
  helo_class: 'Greeting',
  outcome: 'Outcome',
};
