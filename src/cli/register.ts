// `mailweir register`: importing a new version of a register, and looking into the one in force.
// What it prints is for people; what a line means is in `register/`.

import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Config } from '../config.js';
import { Prefix, prefixText, readPrefix } from '../lib/prefix.js';
import { Out } from '../output/out.js';
import { type ClockItem, clockItems } from '../register/clock.js';
import { codeStateNames, serviceNames } from '../register/code.js';
import { dayText, readDate, timeText } from '../register/dates.js';
import { History, sha256, type Version } from '../register/history.js';
import { loadRegister } from '../register/load.js';
import { placeOf, type Register } from '../register/register.js';
import { roleNames, serverStateNames, stateAt } from '../register/server.js';
import {
  compare,
  type Difference,
  type Kind,
  kinds,
  type Table,
  tableOf,
  written,
} from '../register/table.js';
import { CommandError, complain, Exit } from './fail.js';
import { settings, usage } from './words.js';

interface RegisterOptions {
  readonly config?: string;
  readonly kind: Kind;
  readonly debug?: boolean;
}

export interface ImportOptions extends RegisterOptions {
  readonly dryRun?: boolean;
  readonly force?: string;
}

export interface LookOptions extends RegisterOptions {
  readonly asOf?: string;
  readonly revision?: number;
  readonly versions?: boolean;
}

/** So many lines of a difference are shown of each sort. */
const shownMax = 100;

/** `register import`: gives the exit status. */
export async function importFile(file: string, options: ImportOptions): Promise<number> {
  const config = await settings(options.config, undefined);
  const { kind } = options;
  const history = new History(fileOf(config, kind));
  const bytes = bytesOf(file);
  // The same reader that the daemon has, so that what is let in here can be read there.
  await loadRegister({
    profiles: config.profiles,
    network: { own: [], pools: [] },
    registers: { [kind]: file },
  });
  const after = await tableOf(kind, file, bytes);
  const before = await tableInPlace(history, kind);
  const difference = compare(before, after);
  print(differenceText(difference, kind));
  refuseDrops(difference, before, { config, force: options.force });
  if (options.dryRun) {
    print('dry run: nothing was changed\n');
    return Exit.done;
  }
  const isSameForm = sameForm(file, history.file);
  const next = isSameForm ? bytes : Buffer.from(written(after, history.file));
  print(`${putInForce(history, next, { before, after, file, reason: options.force ?? '' })}\n`);
  return Exit.done;
}

function fileOf(config: Config, kind: Kind): string {
  const path = config.registers[kind];
  if (path !== undefined) return path;
  throw usage(`register: registers.${kind} names no file; name one in the file of --config`);
}

function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new CommandError(`${file}: cannot be read (${code}); check the path`);
  }
}

/** The register that is there; an empty one where there is none or where it cannot be read. */
async function tableInPlace(history: History, kind: Kind): Promise<Table> {
  const bytes = history.current();
  try {
    if (bytes !== null) return await tableOf(kind, history.file, bytes);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'RegisterError') throw error;
    complain(`${history.file}: broken as it is, so everything counts as added:\n${error.message}`);
  }
  return { kind, names: [], rows: new Map() };
}

interface Limits {
  readonly config: Config;
  readonly force: string | undefined;
}

/** A file that was cut short must not make strangers of most servers. */
function refuseDrops(difference: Difference, before: Table, { config, force }: Limits): void {
  const most = config.registers.drop_max_percent;
  const share = (difference.removed.length / Math.max(before.rows.size, 1)) * 100;
  if (share <= most) return;
  const what = `drops ${difference.removed.length} of ${before.rows.size} entries`;
  if (force === undefined || force.trim() === '') {
    const help = 'if that is right, give --force "REASON"';
    throw new CommandError(
      `refused: it ${what}, more than ${most} % (registers.drop_max_percent); ${help}`,
    );
  }
  print(`it ${what}; forced: ${force}\n`);
}

function sameForm(a: string, b: string): boolean {
  const form = (path: string) => /\.(json|ya?ml)$/i.exec(path)?.[1]?.toLowerCase().at(0) ?? 'csv';
  return form(a) === form(b);
}

interface Imported {
  readonly before: Table;
  readonly after: Table;
  readonly file: string;
  readonly reason: string;
}

/** Keeps the version and makes it the register; gives what to tell. */
function putInForce(history: History, next: Buffer, imported: Imported): string {
  const time = timeText(Date.now() * 1000);
  const versions = history.versions();
  const current = history.current();
  if (current !== null && sha256(current) === sha256(next)) {
    const known = history.inForce(versions);
    if (known !== undefined) return `version ${known.version} is in force already`;
  } else if (current !== null && history.inForce(versions) === undefined) {
    const entries = imported.before.rows.size;
    const from = basename(history.file);
    history.keep(current, { time, entries, from, reason: 'found in place; not imported' });
  }
  const { after, file, reason } = imported;
  const entries = after.rows.size;
  const { version } = history.keep(next, { time, entries, from: basename(file), reason });
  history.replace(next);
  return `version ${version} is in force: ${entries} entries in ${history.file}`;
}

function differenceText({ added, removed, changed, same }: Difference, kind: Kind): string {
  const some = (mark: string, lines: readonly string[]): string[] => {
    const first = lines.slice(0, shownMax).map((line) => `${mark} ${line}`);
    const more = lines.length - first.length;
    return more > 0 ? [...first, `${mark} and ${more} more`] : first;
  };
  const words = changed.map(({ key, cells }) => {
    const texts = cells.map(([name, was, is]) => `${name}: ${was || '-'} -> ${is || '-'}`);
    return `${key}  ${texts.join('; ')}`;
  });
  const isTechnical = changed.some(({ cells }) => cells.some(([name]) => name === 'source_cidrs'));
  const note = 'technical data of a code: notify it 5 days before it changes (VN-12/2008 II.5)';
  const counts = `${added.length} added, ${removed.length} removed, ${changed.length} changed`;
  const lines = [
    ...some('+', added),
    ...some('-', removed),
    ...some('~', words),
    ...(kind === 'codes' && isTechnical ? [note] : []),
    `${counts}, ${same} the same`,
  ];
  return `${lines.join('\n')}\n`;
}

/** What is looked into, and when. */
interface Look {
  readonly config: Config;
  /** The files that were read. */
  readonly registers: { readonly [one in Kind]?: string };
  readonly register: Register;
  /** Microseconds since 1970. */
  readonly time: number;
}

async function lookInto(options: LookOptions): Promise<Look> {
  const config = await settings(options.config, undefined);
  const { kind, revision } = options;
  // While a provider sets up, one register is there and another is still to be imported.
  const paths = kinds.map((one) => {
    const path = config.registers[one];
    return [one, one === kind || (path !== undefined && existsSync(path)) ? path : undefined];
  });
  const registers: { [one in Kind]?: string } = Object.fromEntries(paths);
  if (revision !== undefined) registers[kind] = new History(fileOf(config, kind)).pathOf(revision);
  const register = await loadRegister({ ...config, registers });
  const now = Date.now() * 1000;
  const { asOf } = options;
  const time = asOf === undefined ? now : readDate(asOf, register.notice.offsetHours);
  if (!Number.isNaN(time)) return { config, registers, register, time };
  throw usage(`--as-of "${asOf}": give a date such as 2024-02-29 or 2024-02-29T08:00Z`);
}

/** `register list`: gives the exit status. */
export async function list(options: LookOptions): Promise<number> {
  if (options.versions) return listVersions(options);
  const { config, register, time } = await lookInto(options);
  fileOf(config, options.kind);
  print(`${entryLines(options.kind, register, time).join('\n')}\n`);
  return Exit.done;
}

function entryLines(kind: Kind, register: Register, time: number): string[] {
  if (kind === 'servers') {
    const lines = register.servers.map((server, index) => {
      const state = serverStateNames[stateAt(server.dates, time)]!;
      const cidr = prefixText(register.prefixOf(index));
      const role = roleNames[server.role]!.padEnd(16);
      return `${cidr.padEnd(20)} ${role} ${state.padEnd(9)} ${server.operator}`;
    });
    return [...lines, `${lines.length} servers as of ${timeText(time)}`];
  }
  if (kind === 'codes') {
    const lines = register.codes.entries.map(({ code, holder }) => {
      return `${code} ${codeStateText(register, code, time).padEnd(13)} ${holder}`;
    });
    return [...lines, `${lines.length} codes as of ${timeText(time)}`];
  }
  const lines = register.allow.map(({ cidr, owner, reason, until }) => {
    const state = time >= until ? 'over' : 'allowed';
    return `${cidr.padEnd(20)} ${state.padEnd(9)} ${owner}: ${reason}`;
  });
  return [...lines, `${lines.length} allowed prefixes as of ${timeText(time)}`];
}

/** The state of a code for a mail from one of its own sources. */
function codeStateText(register: Register, code: string, time: number): string {
  const entry = register.codes.entries[register.codes.find(code, time)];
  const source = new Prefix();
  if (entry?.sources[0] !== undefined) readPrefix(entry.sources[0], source);
  return codeStateNames[register.codes.judge(code, time, source)]!;
}

async function listVersions(options: LookOptions): Promise<number> {
  const config = await settings(options.config, undefined);
  const history = new History(fileOf(config, options.kind));
  const versions = history.versions();
  const current = history.inForce(versions);
  const lines = versions.map((version) => versionText(version, version === current));
  if (history.current() === null) lines.push(`${history.file}: there is none yet`);
  else if (current === undefined) lines.push(`${history.file}: in force, and never imported`);
  print(`${lines.join('\n')}\n`);
  return Exit.done;
}

function versionText(one: Version, isInForce: boolean): string {
  const mark = isInForce ? '*' : ' ';
  const reason = one.reason === '' ? '' : `; ${one.reason}`;
  const from = `${one.entries} entries from ${one.from}${reason}`;
  return `${mark} ${one.version}  ${one.time}  ${one.sha256.slice(0, 12)}  ${from}`;
}

/** `register show`: gives the exit status. */
export async function show(what: string, options: LookOptions): Promise<number> {
  const prefix = new Prefix();
  const isAddress = readPrefix(what, prefix) && prefix.bits === 128;
  const isCode = /^[A-Za-z0-9]{4}$/.test(what);
  if (!isAddress && !isCode) throw usage(`register show "${what}": give an address or a code`);
  const kind = isAddress ? options.kind : 'codes';
  const { register, time } = await lookInto({ ...options, kind });
  const lines = isAddress
    ? addressLines(register, prefix, time)
    : codeLines(register, what.toUpperCase(), time);
  const title = `${what} as of ${timeText(time)}, register ${register.version}`;
  const rows = lines.map(([name, text]) => `  ${name.padEnd(11)} ${text}`);
  print(`${[title, ...rows].join('\n')}\n`);
  return Exit.done;
}

type Lines = [name: string, text: string][];

function addressLines(register: Register, prefix: Prefix, time: number): Lines {
  const place = placeOf(prefix);
  register.lookup(place, time);
  const lines: Lines = [
    ['role', roleNames[place.role]!],
    ['own space', place.own ? 'yes' : 'no'],
    ['customer', customerText(prefix, place.customerBits, place.cgnat)],
  ];
  const server = register.servers[place.server];
  if (server === undefined) lines.push(['entry', 'none']);
  else {
    const cidr = prefixText(register.prefixOf(place.server));
    const state = serverStateNames[place.state];
    lines.push(['entry', `${cidr}, ${state}, line ${server.line}: ${server.operator}`]);
    const east = register.notice.offsetHours;
    const { filed, starts, changeFiled, changes, retires } = server.dates;
    const dates = { filed, starts, 'change filed': changeFiled, changes, retires };
    for (const [name, micros] of Object.entries(dates)) {
      if (!Number.isNaN(micros)) lines.push([name, dayText(micros, east)]);
    }
    const texts = { domains: server.domains, relay: server.relayClients, egress: server.egress };
    for (const [name, some] of Object.entries(texts)) {
      if (some.length > 0) lines.push([name, some.join(' ')]);
    }
    if (server.licence !== '') lines.push(['licence', server.licence]);
  }
  const allow = register.allow[register.allowedBy(place, time)];
  const allowed = allow === undefined ? 'no' : `${allow.cidr}, ${allow.owner}: ${allow.reason}`;
  return [...lines, ['allowed', allowed]];
}

function customerText(prefix: Prefix, bits: number, cgnat: number): string {
  if (cgnat > 1) return `one address for ${cgnat} customers`;
  return prefix.isIpv4 ? 'one address' : `one /${bits}`;
}

function codeLines(register: Register, code: string, time: number): Lines {
  const entry = register.codes.entries[register.codes.find(code, time)];
  if (entry === undefined) return [['state', 'unknown']];
  const east = register.notice.offsetHours;
  const day = (micros: number) => (Number.isNaN(micros) ? '-' : dayText(micros, east));
  return [
    ['state', codeStateText(register, code, time)],
    ['holder', entry.holder],
    ['service', serviceNames[entry.service] ?? ''],
    ['issued', day(entry.issued)],
    ['last day', day(entry.expires - 1)],
    ['withdrawn', day(entry.withdrawn)],
    ['sources', entry.sources.join(' ') || '-'],
    ['line', String(entry.line)],
  ];
}

/** `register lint`: gives the exit status, 3 where something was found. */
export async function lint(options: LookOptions): Promise<number> {
  const { config, registers, register, time } = await lookInto(options);
  const items = clockItems(register, config.profiles, time);
  const lines = items.map((item) => lintText(registers, register, item));
  const about = `as of ${timeText(time)}, by ${config.profiles.join(', ')}`;
  print(`${[...lines, `${items.length} findings ${about}`].join('\n')}\n`);
  return items.length > 0 ? Exit.found : Exit.done;
}

function lintText(registers: Look['registers'], register: Register, item: ClockItem): string {
  const subject = {
    servers: () => prefixText(register.prefixOf(item.index)),
    codes: () => register.codes.entries[item.index]!.code,
    allow: () => register.allow[item.index]!.cidr,
  }[item.register]();
  const place = `${registers[item.register] ?? item.register}:${item.line}`;
  const legal = item.legal === '' ? '' : ` (${item.legal})`;
  return `${place} ${item.severity} ${item.name} ${subject}: ${item.words}${legal}`;
}

function print(text: string): void {
  const out = new Out({ path: '-', append: true });
  out.writeText(text);
  out.close();
}
