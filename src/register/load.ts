// Reads the files of a register, whole and strictly: every mistake of every file is told at once,
// and nothing is half loaded. What the files mean is in `register.ts` and its neighbours.

import { createHash, type Hash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { Prefix, prefixMistake, prefixText, readPrefix } from '../lib/prefix.js';
import { PrefixList, PrefixMap } from '../lib/prefix-map.js';
import { type AllowEntry, allowColumns, readAllow } from './allow.js';
import { type CodeEntry, Codes, codeColumns, readCode } from './code.js';
import { Mistakes, RegisterError } from './mistakes.js';
import { type ProfileName, profiles } from './profile.js';
import { customerBits6, type Pool, Register } from './register.js';
import { type Column, type Row, readCsv, textOf } from './rows.js';
import {
  type Notice,
  Role,
  roleNames,
  type ServerEntry,
  ServerReader,
  serverColumns,
} from './server.js';

/** What the configuration says about registers; its shape is that of `Config`. */
export interface RegisterSettings {
  /** Regulations that apply; the first one's zone is that of bare dates. */
  readonly profiles: readonly ProfileName[];
  readonly network: {
    readonly own: readonly string[];
    readonly own_file?: string | undefined;
    readonly pools: readonly {
      readonly cidr: string;
      readonly role: string;
      readonly cgnat?: number | undefined;
      readonly customer_bits?: number | undefined;
    }[];
  };
  readonly registers: {
    readonly servers?: string | undefined;
    readonly codes?: string | undefined;
    readonly allow?: string | undefined;
  };
}

/** A million entries with everything in them are half of this. */
const fileBytesMax = 256 * 1024 ** 2;
/** One address rarely changes hands; a chain that is longer than this is a mistake, and slow. */
const chainMax = 100;

/**
 * Reads everything that `settings` names. Rejects with a `RegisterError` whose message is one line
 * per mistake, `file:line:column name: what is wrong`. A file that is named must be there.
 */
export async function loadRegister(settings: RegisterSettings): Promise<Register> {
  const { network, registers } = settings;
  const notice = noticeOf(settings.profiles);
  const { offsetHours } = notice;
  const reader = new Reader();
  const own = new PrefixList();
  const prefix = new Prefix();
  for (const text of network.own) if (readPrefix(text, prefix)) own.add(prefix);
  reader.ownFile(network.own_file, own);
  const { pools, prefixes: poolPrefixes } = addressPlan(network.pools);
  const serverReader = new ServerReader(notice);
  const servers = await reader.entries(registers.servers, serverColumns, (row) =>
    serverReader.read(row),
  );
  const serverPrefixes = new PrefixMap(serverReader.prefixes);
  reader.refuseOverlaps(servers, serverPrefixes);
  const allowPrefixes = new PrefixList();
  const allow: AllowEntry[] = await reader.entries(registers.allow, allowColumns, (row) =>
    readAllow(row, allowPrefixes, offsetHours),
  );
  const codes: CodeEntry[] = await reader.entries(registers.codes, codeColumns, (row) =>
    readCode(row, offsetHours),
  );
  reader.refuseTwins(codes);
  reader.hash.update(JSON.stringify([network.own, network.pools, settings.profiles]));
  if (reader.mistakes.length > 0) throw new RegisterError(reader.mistakes.join('\n'));
  return new Register({
    version: reader.hash.digest('hex').slice(0, 16),
    notice,
    own: new PrefixMap(own),
    pools,
    poolPrefixes: new PrefixMap(poolPrefixes),
    servers,
    serverPrefixes,
    allow,
    allowPrefixes: new PrefixMap(allowPrefixes),
    codes: new Codes(codes),
  });
}

/** The longest notice that any of the profiles asks for, in the zone of the first. */
export function noticeOf(names: readonly ProfileName[]): Notice {
  const days = names.map((name) => profiles[name].servers?.noticeDays ?? 0);
  const first = names[0];
  const offsetHours = first === undefined ? 0 : profiles[first].offsetHours;
  return { days: Math.max(0, ...days), offsetHours };
}

/** Pools of the configuration, whose form was checked when it was read. */
function addressPlan(settings: RegisterSettings['network']['pools']) {
  const prefixes = new PrefixList();
  const prefix = new Prefix();
  const pools: Pool[] = [];
  for (const { cidr, role, cgnat, customer_bits } of settings) {
    if (!readPrefix(cidr, prefix)) continue;
    prefixes.add(prefix);
    const number = roleNames.indexOf(role as (typeof roleNames)[number]);
    const bits = number === Role.infrastructure ? 128 : customerBits6;
    pools.push({
      cidr: prefixText(prefix),
      role: number,
      cgnat: cgnat ?? 1,
      customerBits: customer_bits ?? bits,
    });
  }
  return { pools, prefixes };
}

/** Reads files and gathers what is wrong with them. */
class Reader {
  readonly mistakes: string[] = [];
  /** Over every file that was read, in order. */
  readonly hash: Hash = createHash('sha256');
  #file: Mistakes = new Mistakes('');

  /** One prefix a line; # begins a remark. */
  ownFile(path: string | undefined, own: PrefixList): void {
    const text = this.#open(path);
    if (text === null) return;
    const prefix = new Prefix();
    text.split('\n').forEach((line, index) => {
      const written = line.replace(/#.*/, '').trim();
      if (written === '') return;
      const mistake = prefixMistake(written, prefix);
      if (mistake === null) own.add(prefix);
      else this.#file.tell(index + 1, line.indexOf(written) + 1, '', mistake);
    });
    this.#close();
  }

  /** Entries of a CSV, JSON or YAML file; none where no file is named. */
  async entries<T>(
    path: string | undefined,
    columns: readonly Column[],
    read: (row: Row) => T | null,
  ): Promise<T[]> {
    const entries: T[] = [];
    const text = this.#open(path);
    if (text === null) return entries;
    await readRows(text, columns, this.#file, (row) => {
      const entry = read(row);
      if (entry !== null) entries.push(entry);
    });
    this.#close();
    return entries;
  }

  /** Two entries may have one prefix only when one is retired before the other begins. */
  refuseOverlaps(servers: readonly ServerEntry[], prefixes: PrefixMap): void {
    const mistakes = new Mistakes(this.#file.file);
    servers.forEach(({ dates, line }, index) => {
      let other = prefixes.twin(index);
      for (let n = 1; other >= 0; n++) {
        const twin = servers[other]!;
        const isBefore = twin.dates.retires <= dates.from;
        const isBehind = dates.retires <= twin.dates.from;
        if (n > chainMax || !(isBefore || isBehind)) {
          const message = `in force at the same time as on line ${twin.line}`;
          mistakes.tell(line, 1, 'cidr', `${message}; give one of them retires_at`);
          return;
        }
        other = prefixes.twin(other);
      }
    });
    this.mistakes.push(...mistakes.lines());
  }

  /** One code may be issued again, and not twice at the same time. */
  refuseTwins(codes: readonly CodeEntry[]): void {
    const mistakes = new Mistakes(this.#file.file);
    const lines = new Map<string, number>();
    for (const { code, issued, line } of codes) {
      const key = `${code} ${issued}`;
      const other = lines.get(key);
      if (other === undefined) lines.set(key, line);
      else mistakes.tell(line, 1, 'code', `the same code with the same issue is on line ${other}`);
    }
    this.mistakes.push(...mistakes.lines());
  }

  /** The text of a file; null where none is named, and after telling why it cannot be read. */
  #open(path: string | undefined): string | null {
    if (path === undefined) return null;
    this.#file = new Mistakes(path);
    const bytes = readWhole(path, this.#file);
    if (bytes !== null) this.hash.update(`${bytes.length}:`).update(bytes);
    const text = bytes === null ? null : textOf(bytes, this.#file);
    if (text === null) this.#close();
    return text;
  }

  #close(): void {
    this.mistakes.push(...this.#file.lines());
  }
}

function readWhole(path: string, mistakes: Mistakes): Buffer | null {
  try {
    const { size } = statSync(path);
    if (size <= fileBytesMax) return readFileSync(path);
    mistakes.tellFile(`larger than ${fileBytesMax / 1024 ** 2} MiB; split the register`);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    mistakes.tellFile(`cannot read the register (${code}); check the path`);
  }
  return null;
}

/** Hands over the rows of a file's text in the language that the end of its name says. */
export async function readRows(
  text: string,
  columns: readonly Column[],
  mistakes: Mistakes,
  take: (row: Row) => void,
): Promise<void> {
  const form = formOf(mistakes.file);
  if (form === 'csv') return readCsv(text, columns, mistakes, take);
  const { readDocument } = await import('./document.js');
  readDocument(text, form === 'json', columns, mistakes, take);
}

/** The language of a file, by the end of its name; CSV where that says nothing. */
export function formOf(path: string): 'csv' | 'json' | 'yaml' {
  if (/\.json$/i.test(path)) return 'json';
  return /\.ya?ml$/i.test(path) ? 'yaml' : 'csv';
}
