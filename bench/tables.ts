// Tables of results and the places in a README where they go. Results are never typed by hand: what
// stands between a pair of markers belongs to the program that writes it.

import { readFileSync, writeFileSync } from 'node:fs';

/** A line of a Markdown table. Cells hold no `|`. */
export function row(...cells: (string | number)[]): string {
  const texts = cells.map((cell) =>
    typeof cell === 'number' ? cell.toLocaleString('en-US') : cell,
  );
  return `| ${texts.join(' | ')} |`;
}

/** A table with the sentence that says what it shows. */
export function table(caption: string, rows: readonly string[]): string {
  return `${caption}\n\n${rows.join('\n')}\n`;
}

/** Puts text between the markers `<!-- name:begin -->` and `<!-- name:end -->` of a file. */
export function fill(path: string, name: string, text: string): void {
  const begin = `<!-- ${name}:begin -->`;
  const end = `<!-- ${name}:end -->`;
  const file = readFileSync(path, 'utf8');
  const from = file.indexOf(begin);
  const to = file.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`${path} has no place "${name}"`);
  writeFileSync(path, `${file.slice(0, from + begin.length)}\n${text}${file.slice(to)}`);
}
