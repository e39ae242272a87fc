// The summary page: what a replay found, at 80 columns, for people. It reads counters and writes
// text; it counts nothing itself. What the figures mean is said by `hints.ts`.

import { Closed, Outcome, Protocol, Sides, StartTls } from '../batch/row.js';
import { findingLines } from './findings.js';
import { hints } from './hints.js';
import type { Stats } from './stats.js';
import type { Summary, Tally } from './summary.js';
import {
  addressText,
  bar,
  count,
  counted,
  moment,
  type Paint,
  percent,
  short,
  size,
  span,
  sparkline,
  wrap,
} from './text.js';
import type { Client } from './top.js';
import type { Verdicts } from './verdicts.js';

/** What the command knows and the rows do not. */
export interface Run {
  /** Captures read, and problems with files (each told on standard error). */
  readonly files: number;
  readonly failures: number;
  readonly ports: readonly number[] | 'any';
  /** Wall time of the work in seconds. */
  readonly seconds: number;
  /** Times of the first and the last packet, microseconds; NaN where there was none. */
  readonly first: number;
  readonly last: number;
  /** What was found and decided; absent where nobody judged. */
  readonly verdicts?: Verdicts | undefined;
}

const columns = 80;
const barColumns = 24;
const listed = 5;

type Ink = (text: string) => string;

/** The whole page, ending in a line end. */
export function page(summary: Summary, stats: Stats, run: Run, ink: Paint): string {
  const parts = [
    reading(stats, run, ink),
    packets(stats, ink),
    summary.sessions > 0 ? sessions(summary, stats, ink) : '',
    summary.transactions > 0 ? messages(summary, ink) : '',
    clients(summary, ink),
    run.verdicts === undefined ? '' : block('Findings', findingLines(run.verdicts, ink), ink),
    advice(summary, stats, run, ink),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function reading(stats: Stats, run: Run, ink: Paint): string {
  const files = counted(run.files, 'file');
  const failed = run.failures === 0 ? '' : `; ${counted(run.failures, 'problem')}, see above`;
  const seconds = Math.max(run.seconds, 0.001);
  const lines = [
    `${count(stats.packets)} packets, ${size(stats.bytes)} in ${files}${ink.bad(failed)}`,
  ];
  if (stats.packets > 0) {
    const length = span((run.last - run.first) / 1e6);
    lines.push(`${moment(run.first)} to ${moment(run.last)} UTC (${length})`);
  }
  const rate = `${short(stats.packets / seconds)} packets/s, ${size(stats.bytes / seconds)}/s`;
  lines.push(ink.quiet(`read in ${span(run.seconds)}: ${rate}`));
  return block('Read', lines, ink);
}

function packets(stats: Stats, ink: Paint): string {
  if (stats.packets === 0) return '';
  const lines = [row('TCP segments used', stats.decoded, stats.packets, ink.good)];
  if (stats.duplicates > 0) {
    lines.push(row('of them second copies', stats.duplicates, stats.decoded, ink.quiet));
  }
  const skipped = Object.entries(stats.skipped).filter(([, value]) => value > 0);
  for (const [reason, value] of skipped.sort((one, other) => other[1] - one[1])) {
    lines.push(row(`skipped: ${reason}`, value, stats.packets, ink.warn));
  }
  if (stats.kernel_drops > 0) lines.push(`dropped by the kernel: ${count(stats.kernel_drops)}`);
  if (stats.rows_dropped > 0) {
    lines.push(ink.bad(`read, but no room to tell of it: ${count(stats.rows_dropped)}`));
  }
  return block('Packets', lines, ink);
}

function sessions(summary: Summary, stats: Stats, ink: Paint): string {
  const { sessions: total, sides } = summary;
  const oneSided = sides.of(Sides.client) + sides.of(Sides.server);
  const lines = [
    row('all', total, total, (text) => text),
    ...rows(summary.protocols, [Protocol.smtp, Protocol.lmtp, Protocol.tls, 0, 4], total, ink.good),
    '',
    ...rows(summary.closed, Object.values(Closed), total, ink.quiet, 'ended: '),
    '',
    row('encrypted', summary.encrypted, total, ink.quiet),
    ...rows(summary.startTls, [StartTls.refused, StartTls.broken], total, ink.warn, 'STARTTLS '),
    row('one side seen only', oneSided, total, oneSided > 0 ? ink.warn : ink.quiet),
    row('with bytes missing', summary.damagedSessions, total, ink.warn),
  ];
  const lost = `${counted(stats.reassembly_gaps, 'gap')} of ${size(stats.gap_bytes)} together`;
  if (stats.reassembly_gaps > 0) lines.push(`lost before it came here: ${lost}`);
  const payload = stats.stream_bytes + stats.unseen_bytes;
  if (stats.unseen_bytes > 0) {
    lines.push(`loss, as TCP tells it: ${percent(stats.unseen_bytes, payload)} of the bytes`);
  }
  if (stats.half_open > 0) lines.push(`besides, never opened: ${count(stats.half_open)}`);
  if (stats.other > 0) lines.push(`besides, not mail: ${count(stats.other)}`);
  if (stats.evicted > 0)
    lines.push(ink.bad(`given up for lack of memory: ${count(stats.evicted)}`));
  return block('Sessions', lines, ink);
}

function messages(summary: Summary, ink: Paint): string {
  const total = summary.transactions;
  const colours: [number, Ink][] = [
    [Outcome.accepted, ink.good],
    [Outcome.rejected, ink.bad],
    [Outcome.deferred, ink.warn],
    [Outcome.aborted, ink.warn],
    [Outcome.unknown, ink.quiet],
  ];
  const lines = [row('all', total, total, (text) => text)];
  for (const [outcome, colour] of colours) {
    lines.push(...rows(summary.outcomes, [outcome], total, colour));
  }
  if (summary.damaged > 0) lines.push(row('with bytes missing', summary.damaged, total, ink.warn));
  const { rcptOffered, rcptRefused } = summary;
  const refused = `${count(rcptRefused)} refused (${percent(rcptRefused, rcptOffered)})`;
  lines.push('', `${counted(rcptOffered, 'recipient')}, ${refused}`);
  lines.push(`${size(summary.messageBytes)} of content`);
  const { values, step } = summary.timeline;
  if (values.length > 1) {
    lines.push('', sparkline(values), ink.quiet(`over time, one column is ${span(step / 1e6)}`));
  }
  return block('Transactions', lines, ink);
}

function clients(summary: Summary, ink: Paint): string {
  const table = summary.clients;
  if (table.size === 0) return '';
  const parts: string[] = [];
  const add = (title: string, rank: (client: Client) => number): void => {
    const top = table.top(listed, rank);
    if (top.length === 0) return;
    const most = rank(top[0]!);
    const lines = top.map((client) => clientRow(client, rank(client), most, ink));
    if (table.missing > 0) {
      lines.push(
        ink.quiet(`at least these; up to ${count(table.missing)} more each were forgotten`),
      );
    }
    parts.push(block(title, lines, ink));
  };
  const talkers = summary.transactions > 0;
  if (talkers) add('Clients with most transactions', (client) => client.messages);
  else add('Clients with most sessions', (client) => client.sessions);
  add('Clients with most refusals', (client) => client.refusals);
  return parts.join('\n\n');
}

function clientRow(client: Client, value: number, most: number, ink: Paint): string {
  const address = addressText(client.words).padEnd(40);
  return `${address}${count(value).padStart(10)}  ${ink.quiet(bar(value / most, barColumns))}`;
}

function advice(summary: Summary, stats: Stats, run: Run, ink: Paint): string {
  const lines = hints(summary, stats, run).map((hint) => `- ${wrap(hint, columns - 5, '  ')}`);
  if (lines.length === 0) return '';
  return block('What this means', lines.join('\n').split('\n'), ink);
}

// Pieces of a page.

function block(title: string, lines: readonly string[], ink: Paint): string {
  const body = lines.map((line) => (line === '' ? '' : `  ${line}`));
  return [ink.strong(title), ...body].join('\n');
}

function rows(tally: Tally, which: readonly number[], total: number, ink: Ink, before = '') {
  return which
    .filter((value) => tally.of(value) > 0)
    .map((value) => row(before + tally.names[value], tally.of(value), total, ink));
}

function row(name: string, value: number, total: number, ink: Ink): string {
  const share = percent(value, total).padStart(8);
  const picture = ink(bar(total > 0 ? value / total : 0, barColumns));
  return `${name.padEnd(28)}${count(value).padStart(13)} ${share}  ${picture}`.trimEnd();
}
