// How the sensor is: what it reads, what it misses, and whether what it says reaches anybody.

import { figure, isItUs, rates } from './answers.js';
import { h, replace } from './dom.js';
import {
  age,
  ago,
  type Column,
  facts,
  nothing,
  section,
  table,
  tableRow,
  toneBadge,
} from './parts.js';
import { meter, sparkline } from './pictures.js';
import type { Consumer, Figures, State } from './types.js';
import type { Desk, Place, View } from './view.js';
import { count, percent, short, size, span } from './words.js';

export async function sensorView(_: Place, desk: Desk): Promise<View> {
  const body = h('div');
  const draw = (state: State): void => {
    // Nobody works inside of this page, so it may be drawn anew as a whole.
    replace(body, ...content(state));
    age(body);
  };
  draw(desk.state);
  return { title: 'Sensor', element: h('div', {}, h('h1', {}, 'Sensor'), body), refresh: draw };
}

function content(state: State): (HTMLElement | null)[] {
  const { figures } = state;
  if (figures === undefined) return [nothing('The daemon gives no figures.')];
  const { tone, says, because } = isItUs(state);
  return [
    h(
      'section',
      { class: `card health ${tone}` },
      h('h2', {}, toneBadge(tone, says)),
      h('ul', {}, ...because.map((text) => h('li', {}, text))),
    ),
    capture(state, figures),
    losses(figures),
    detection(figures),
    consumers(state),
    workers(figures),
  ];
}

function capture(state: State, figures: Figures): HTMLElement {
  const n = (path: string) => figure(figures, path);
  const bytes = rates(state, 'bytes');
  return section(
    'What it reads',
    h(
      'div',
      { class: 'rates inner' },
      picture(state, 'packets', 'Packets'),
      picture(state, 'sessions', 'Mail sessions'),
      bits(bytes),
      picture(state, 'kernel_drops', 'Dropped by the kernel'),
    ),
    facts([
      ['Up for', span(n('uptime_ms'))],
      ['Packets', count(n('packets'))],
      ['On the wire', size(n('bytes'))],
      ['Mail sessions', count(n('sessions'))],
      ['Transactions', count(n('transactions'))],
      ['Connections now', count(n('flows_open'))],
      ['Second copies', count(n('duplicates'))],
      ['Tap sits', tapWords[state.tapSide ?? ''] ?? 'unknown'],
      ['Version', state.version],
    ]),
  );
}

const tapWords: Readonly<Record<string, string>> = {
  customer: 'on the side of the customers',
  upstream: 'on the side of the world',
  unknown: 'nobody said (capture.tap_side)',
};

function picture(state: State, name: string, title: string): HTMLElement {
  const values = rates(state, name);
  const last = values.at(-1) ?? null;
  return h(
    'div',
    { class: 'rate' },
    h('span', { class: 'soft' }, title),
    h('strong', {}, last === null ? 'soon' : `${short(last)}/s`),
    sparkline(values, `${title} a second`),
  );
}

function bits(bytes: readonly (number | null)[]): HTMLElement {
  const values = bytes.map((value) => (value === null ? null : value * 8));
  const last = values.at(-1) ?? null;
  return h(
    'div',
    { class: 'rate' },
    h('span', { class: 'soft' }, 'On the wire'),
    h('strong', {}, last === null ? 'soon' : `${short(last)}bit/s`),
    sparkline(values, 'Bits a second'),
  );
}

/** What was lost and where, also where it is nothing: silence would say less. */
function losses(figures: Figures): HTMLElement {
  const n = (path: string) => figure(figures, path);
  const share = (part: number, whole: number) => (whole > 0 ? ` (${percent(part / whole)})` : '');
  const loss = n('detect.loss');
  const symmetry = n('detect.symmetry');
  const skipped = Object.entries((figures['skipped'] ?? {}) as Record<string, number>);
  return section(
    'What it misses',
    h(
      'div',
      { class: 'meters' },
      measure('Connections seen from both sides', symmetry, symmetry < 0.8 ? 'warn' : 'good'),
      measure('Bytes that are missing', loss, loss > 0.01 ? 'warn' : 'good'),
      measure('Fullest ring', n('ring_fill'), n('ring_fill') > 0.8 ? 'warn' : 'good'),
    ),
    facts([
      [
        'Dropped by the kernel',
        `${count(n('kernel_drops'))}${share(n('kernel_drops'), n('packets') + n('kernel_drops'))}`,
      ],
      ['Holes in the streams', `${count(n('reassembly_gaps'))}, ${size(n('gap_bytes'))}`],
      ['One side only', `${count(n('one_sided'))}${share(n('one_sided'), n('sessions'))}`],
      ['Given up for lack of memory', count(n('evicted') + n('exhausted'))],
      ['Read and not handed on', count(n('rows_dropped'))],
      [
        'Lost with workers',
        `${count(n('lost_flows'))} connections, ${count(n('lost_frames'))} frames`,
      ],
      ['Time ran backwards', count(n('time_backwards'))],
      ...skipped.map(([reason, value]) => [`Skipped: ${reason}`, count(value)] as const),
    ]),
  );
}

function measure(title: string, share: number, tone: string): HTMLElement {
  const words = `${title}: ${percent(share)}`;
  return h(
    'div',
    {},
    h('span', { class: 'soft' }, title),
    ' ',
    h('strong', {}, percent(share)),
    meter(share, words, tone),
  );
}

function detection(figures: Figures): HTMLElement {
  const n = (path: string) => figure(figures, path);
  const guards = Object.entries(
    ((figures['decide'] as Figures | undefined)?.['guards'] ?? {}) as Record<string, number>,
  );
  return section(
    'What it makes of it',
    facts([
      ['Rules', count(n('detect.rules'))],
      ['Sources and servers watched', count(n('detect.subjects'))],
      ['Own customers active', count(n('detect.customers'))],
      ['Findings not cleared', count(n('detect.open'))],
      ['Alerts', count(n('decide.alerts'))],
      ['Limits and blocks decided', count(n('decide.added'))],
      ['Ended in time', count(n('decide.expired'))],
      ['Breaker opened', count(n('decide.breaker_trips'))],
      ['Entries that were wrong', count(n('block.wrong'))],
      ...guards.map(([guard, value]) => [`Held back: ${guard}`, count(value)] as const),
    ]),
  );
}

const consumerColumns: readonly Column<Consumer>[] = [
  { head: 'Consumer', cell: ({ name }) => name },
  { head: 'Fetched', cell: ({ fetched_at }) => ago(fetched_at) },
  {
    head: 'Behind',
    cell: ({ behind }) =>
      behind === null ? 'unknown' : behind === 0 ? 'no' : `${count(behind)} revisions`,
  },
  { head: 'What', cell: ({ what }) => what, kind: 'code' },
];

function consumers({ consumers }: State): HTMLElement {
  if (consumers.length === 0)
    return section('Who fetches the list', nothing('Nobody has since the daemon started.'));
  const { element, body } = table('Consumers of the list', consumerColumns);
  for (const one of consumers) body.append(tableRow(consumerColumns, one));
  return section('Who fetches the list', element);
}

interface Worker {
  readonly at: number;
  readonly figures: Figures;
}

const workerColumns: readonly Column<Worker>[] = [
  { head: 'Worker', cell: ({ at }) => at },
  ...(
    [
      ['Packets', 'packets'],
      ['Sessions', 'sessions'],
      ['Connections now', 'flows_open'],
      ['Dropped by the kernel', 'kernel_drops'],
      ['Interfaces down', 'interfaces_down'],
      ['Started again', 'worker_restarts'],
    ] as const
  ).map(([head, name]) => ({
    head,
    cell: ({ figures }: Worker) => count(figure(figures, name)),
    kind: 'number',
  })),
];

function workers(figures: Figures): HTMLElement | null {
  const all = figures['workers'] as readonly Figures[] | undefined;
  if (all === undefined) return null;
  const { element, body } = table('Packet workers', workerColumns);
  all.forEach((one, at) => {
    body.append(tableRow(workerColumns, { at, figures: one }));
  });
  return section('Packet workers', element);
}
