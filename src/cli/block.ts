// `mailweir block`: the block list as people handle it, through the running daemon, so that there
// is one list, one order of changes and one audit trail.

import { appendFileSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { isTokenName, newToken, type Scope, scopes } from '../serve/http/tokens.js';
import { Api } from './api.js';
import { CommandError, Exit } from './fail.js';
import { type CommonOptions, settings, usage } from './words.js';

export interface BlockOptions extends CommonOptions {
  readonly json?: boolean;
}

export interface ListOptions extends BlockOptions {
  readonly action?: string;
  readonly rule?: string;
  readonly origin?: string;
  readonly appealed?: boolean;
  readonly limit: number;
}

export interface AddOptions extends BlockOptions {
  readonly action: 'block' | 'limit' | 'allow';
  readonly reason: string;
  readonly owner?: string;
  readonly until?: string;
  readonly for?: number;
  readonly rate?: number;
  readonly overrule?: boolean;
}

export interface ReleaseOptions extends BlockOptions {
  readonly reason: string;
  readonly wrong?: boolean;
}

export interface AppealOptions extends BlockOptions {
  readonly text?: string;
  readonly contact?: string;
  readonly uphold?: string;
}

export interface TokenOptions extends BlockOptions {
  readonly scopes: string;
}

/** An entry as the API shows it, as far as people are shown it. */
interface Shown {
  readonly id: string;
  readonly cidr: string;
  readonly action: string;
  readonly until: string | null;
  readonly created_at: string;
  readonly origin: string;
  readonly owner: string | null;
  readonly reason: string | null;
  readonly title: string;
  readonly level: number;
  readonly role: string;
  readonly rule: { readonly id: string; readonly version: string } | null;
  readonly explanation: string;
  readonly legal: readonly string[];
  readonly evidence: Readonly<Record<string, number | string>>;
  readonly corroborators: readonly string[];
  readonly guards: readonly string[];
  readonly samples: readonly Readonly<Record<string, unknown>>[];
  readonly appeal: Readonly<Record<string, string | null>>;
  readonly ended: { state: string; time: string; by: string; reason: string } | null;
}

interface Page {
  readonly revision: number;
  readonly count: number;
  readonly entries: readonly Shown[];
  readonly next: string | null;
}

const pageMax = 500;

/** Who is on the list, one line each. */
export async function listEntries(options: ListOptions): Promise<number> {
  const api = await apiOf(options);
  const { action, rule, origin, appealed, limit } = options;
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries({ action, rule, origin, appealed })) {
    if (value !== undefined) words.set(name, String(value));
  }
  let left = limit;
  let more: string | null = '';
  let page: Page | null = null;
  while (left > 0 && more !== null) {
    words.set('limit', String(Math.min(left, pageMax)));
    if (more !== '') words.set('after', more);
    page = await api.ask<Page>('GET', `/v1/entries?${words}`);
    for (const entry of page.entries) say(options, entry, line(entry));
    left -= page.entries.length;
    more = page.next;
  }
  if (!options.json && page !== null) {
    const rest = more === null ? '' : '; more with --limit';
    print(`${page.count} entries on the list, revision ${page.revision}${rest}`);
  }
  return Exit.done;
}

/** Everything about one entry, or about those that cover an address. */
export async function showEntry(what: string, options: BlockOptions): Promise<number> {
  const entries = await find(await apiOf(options), what);
  for (const entry of entries) say(options, entry, whole(entry));
  return Exit.done;
}

/** Why it is there, in words. */
export async function explainEntry(what: string, options: BlockOptions): Promise<number> {
  const entries = await find(await apiOf(options), what);
  for (const entry of entries) say(options, entry, reasons(entry));
  return Exit.done;
}

export async function addEntry(cidr: string, options: AddOptions): Promise<number> {
  const { action, reason, owner, until, for: seconds, rate, overrule } = options;
  const api = await apiOf(options);
  const entry = await api.ask<Shown>('POST', '/v1/entries', {
    cidr,
    action,
    reason,
    owner: owner ?? userInfo().username,
    ...(until !== undefined && { until }),
    ...(seconds !== undefined && { for: seconds }),
    ...(rate !== undefined && { rate }),
    ...(overrule === true && { overrule }),
  });
  say(options, entry, line(entry));
  return Exit.done;
}

export async function releaseEntry(what: string, options: ReleaseOptions): Promise<number> {
  const api = await apiOf(options);
  const { reason, wrong = false } = options;
  for (const { id } of await standing(api, what)) {
    const entry = await api.ask<Shown>('POST', `/v1/entries/${id}/release`, { reason, wrong });
    const hint = `mailweir block add ${entry.cidr} --action allow --reason "${id} was wrong"`;
    say(
      options,
      entry,
      `${entry.cidr} released (${id})${wrong ? `; to keep it out: ${hint}` : ''}`,
    );
  }
  return Exit.done;
}

/** Files an appeal for somebody who called, or answers one. */
export async function appealEntry(what: string, options: AppealOptions): Promise<number> {
  const api = await apiOf(options);
  const { text = '', contact = '', uphold } = options;
  for (const { id } of await standing(api, what)) {
    const answer = await (uphold === undefined
      ? api.ask<Receipt>('POST', `/v1/entries/${id}/appeal`, { text, contact })
      : api.ask<Receipt>('POST', `/v1/entries/${id}/uphold`, { answer: uphold }));
    const { state, due, last } = answer;
    const clock = state === 'open' ? `, answer by ${due}, released by itself on ${last}` : '';
    say(options, answer, `${answer.cidr} ${id}: appeal ${state}${clock}`);
  }
  return Exit.done;
}

interface Receipt {
  readonly id: string;
  readonly cidr: string;
  readonly state: string;
  readonly due: string;
  readonly last: string;
}

/** Makes a token, tells it once, and notes its digest in the file of `serve.tokens`. */
export async function addToken(name: string, options: TokenOptions): Promise<number> {
  const config = await settings(options.config, undefined);
  const path = config.serve.tokens;
  if (path === undefined) throw usage('block token: name a file as serve.tokens in --config');
  if (!isTokenName(name)) throw usage(`block token "${name}": letters, digits, dots and dashes`);
  const reach = options.scopes.split(',');
  if (!reach.every((one): one is Scope => scopes.includes(one as Scope))) {
    throw usage(`--scopes "${options.scopes}": give some of ${scopes.join(',')}`);
  }
  const { token, line: noted } = newToken(name, reach);
  try {
    const before = textOf(path);
    if (before.split('\n').some((each) => each.startsWith(`${name} `))) {
      throw new CommandError(`${path}: "${name}" has a token; remove its line first`);
    }
    const gap = before === '' || before.endsWith('\n') ? '' : '\n';
    appendFileSync(path, `${gap}${noted}\n`, { mode: 0o600 });
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${path}: cannot be written (${(error as Error).message})`);
  }
  print(options.json === true ? JSON.stringify({ name, scopes: reach, token }) : token);
  return Exit.done;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

async function apiOf(options: CommonOptions): Promise<Api> {
  return new Api(await settings(options.config, undefined));
}

/** Entries by id, or all that cover an address or prefix. */
async function find(api: Api, what: string): Promise<readonly Shown[]> {
  if (what.startsWith('bl_')) {
    return [await api.ask<Shown>('GET', `/v1/entries/${encodeURIComponent(what)}`)];
  }
  const { entries } = await api.ask<Page>(
    'GET',
    `/v1/entries?${new URLSearchParams({ covers: what })}`,
  );
  if (entries.length > 0) return entries;
  throw new CommandError(`${what} is not on the list`);
}

/** The same without those that allow or ended: what a release or an appeal can be about. */
async function standing(api: Api, what: string): Promise<readonly Shown[]> {
  const found = await find(api, what);
  if (what.startsWith('bl_')) return found;
  const harmful = found.filter(({ action }) => action !== 'allow');
  if (harmful.length > 0) return harmful;
  throw new CommandError(`${what} is allowed; there is nothing to release`);
}

function say({ json }: BlockOptions, answer: object, text: string): void {
  print(json === true ? JSON.stringify(answer) : text);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function line({ id, cidr, action, until, rule, ended }: Shown): string {
  const end = ended === null ? `until ${until ?? 'for ever'}` : `${ended.state} ${ended.time}`;
  return `${cidr.padEnd(20)} ${action.padEnd(5)} ${end.padEnd(30)} ${id} ${rule?.id ?? 'manual'}`;
}

function whole(entry: Shown): string {
  const { rule, evidence, samples, appeal, owner, reason, legal, corroborators, ended } = entry;
  const pairs = Object.entries(evidence).map(([name, value]) => `${name} ${value}`);
  const rows: readonly [string, string | null | undefined][] = [
    ['rule', rule === null ? null : `${rule.id} ${rule.version}: ${entry.title}`],
    ['by', owner === null ? null : `${owner}: ${reason}`],
    ['since', entry.created_at],
    ['role', entry.role],
    ['level', entry.level > 0 ? String(entry.level) : null],
    ['why', entry.explanation],
    ['evidence', pairs.join(', ')],
    ['agreeing', corroborators.join(', ')],
    ['held by', entry.guards.join(', ')],
    ['legal', legal.join(', ')],
    ['samples', samples.map((sample) => `\n    ${Object.values(sample).join(' ')}`).join('')],
    ['appeal', appealWords(appeal)],
    [
      'ended',
      ended === null ? null : `${ended.state} ${ended.time} by ${ended.by}: ${ended.reason}`,
    ],
  ];
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return [line(entry), ...shown.map(([name, value]) => `  ${name.padEnd(9)} ${value}`)].join('\n');
}

function appealWords({ url, contact, state, due }: Shown['appeal']): string {
  const where = [url, contact].filter((one) => one !== undefined && one !== null).join(', ');
  const how = state === null || state === undefined ? 'none filed' : `${state}, due ${due}`;
  return `${how}${where === '' ? '' : `; ${where}`}`;
}

function reasons(entry: Shown): string {
  const { cidr, id, origin, owner, reason, explanation, ended } = entry;
  const why = origin === 'manual' ? `${owner} listed it: ${reason}` : explanation;
  const end = ended === null ? '' : ` It ${ended.state} on ${ended.time} by ${ended.by}.`;
  return `${cidr} (${id}): ${why}${end}`;
}
