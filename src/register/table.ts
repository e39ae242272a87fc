// A register file as a table of texts: comparing two of them, and writing one in another form. What
// the cells mean is for the readers of the kinds; a table is made only of a file that they accept.

import { stringify } from 'yaml';
import { Prefix, prefixText, readPrefix } from '../lib/prefix.js';
import { allowColumns } from './allow.js';
import { codeColumns } from './code.js';
import { formOf, readRows } from './load.js';
import { Mistakes, RegisterError } from './mistakes.js';
import { type Column, textOf } from './rows.js';
import { serverColumns } from './server.js';

export const kinds = ['servers', 'codes', 'allow'] as const;
export type Kind = (typeof kinds)[number];

const columnsOf: Readonly<Record<Kind, readonly Column[]>> = {
  servers: serverColumns,
  codes: codeColumns,
  allow: allowColumns,
};
/** The column that orders entries with one key: servers by their start, codes by their issue. */
const orderOf: Readonly<Record<Kind, string>> = {
  servers: 'starts_at',
  codes: 'issued_on',
  allow: 'until',
};

export interface Table {
  readonly kind: Kind;
  readonly names: readonly string[];
  /** Cells in the order of `names`, by key: the prefix or the code; a second one has #2 behind. */
  readonly rows: ReadonlyMap<string, readonly string[]>;
}

/** Makes the table of a file's bytes; `path` says the form. Throws a `RegisterError`. */
export async function tableOf(kind: Kind, path: string, bytes: Buffer): Promise<Table> {
  const mistakes = new Mistakes(path);
  const columns = columnsOf[kind];
  const names = columns.map(({ name }) => name);
  const groups = new Map<string, string[][]>();
  const text = textOf(bytes, mistakes);
  if (text !== null) {
    await readRows(text, columns, mistakes, (row) => {
      const cells = columns.map((_, index) => row.cell(index));
      const key = keyOf(kind, cells[0]!);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [cells]);
      else group.push(cells);
    });
  }
  if (mistakes.count > 0) throw new RegisterError(mistakes.lines().join('\n'));
  const order = names.indexOf(orderOf[kind]);
  const rows = new Map<string, string[]>();
  for (const [key, group] of groups) {
    const at = (cells: readonly string[]) => cells[order]!;
    group.sort((a, b) => (at(a) < at(b) ? -1 : Number(at(a) > at(b))));
    for (const [n, cells] of group.entries()) rows.set(n === 0 ? key : `${key} #${n + 1}`, cells);
  }
  return { kind, names, rows };
}

const prefix = new Prefix();

function keyOf(kind: Kind, cell: string): string {
  if (kind === 'codes') return cell.toUpperCase();
  return readPrefix(cell, prefix) ? prefixText(prefix) : cell;
}

export interface Change {
  readonly key: string;
  /** Each column that differs, with the text before and after. */
  readonly cells: readonly (readonly [name: string, before: string, after: string])[];
}

export interface Difference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly Change[];
  readonly same: number;
}

/** What becomes of the entries of `before` in `after`. Blanks between values do not count. */
export function compare(before: Table, after: Table): Difference {
  const added: string[] = [];
  const changed: Change[] = [];
  let same = 0;
  for (const [key, cells] of after.rows) {
    const old = before.rows.get(key);
    if (old === undefined) {
      added.push(key);
      continue;
    }
    // The first cell is the key, which may be written in another way.
    const differ = after.names.flatMap((name, at) => {
      const [was, is] = [plain(old[at]!), plain(cells[at]!)];
      return at === 0 || was === is ? [] : [[name, was, is] as const];
    });
    if (differ.length > 0) changed.push({ key, cells: differ });
    else same += 1;
  }
  const removed = [...before.rows.keys()].filter((key) => !after.rows.has(key));
  return { added, removed, changed, same };
}

function plain(cell: string): string {
  return cell.replace(/\s+/g, ' ');
}

/** The table as text of the form that the end of `path` says. Remarks are not kept. */
export function written(table: Table, path: string): string {
  const rows = [...table.rows.values()];
  const form = formOf(path);
  if (form === 'csv') {
    const lines = [table.names, ...rows].map((cells) => cells.map(quoted).join(','));
    return `${lines.join('\n')}\n`;
  }
  const entries = rows.map((cells) =>
    Object.fromEntries(
      table.names.map((name, at) => [name, cells[at]!]).filter(([, cell]) => cell !== ''),
    ),
  );
  return form === 'json' ? `${JSON.stringify(entries, null, 1)}\n` : stringify(entries);
}

function quoted(cell: string): string {
  return /[",\r\n]|^#/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
