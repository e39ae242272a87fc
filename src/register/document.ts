// Rows of a register that is written as JSON or YAML: a list of entries with the names of the CSV
// columns. A cell that holds several values may be a list. JSON is read by the platform, because a
// million entries are to load in seconds; places in the file are looked up only for a mistake.

import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { type Mistakes, shown } from './mistakes.js';
import { type Column, control, type Row } from './rows.js';

/** A file beyond this is told by the number of its entry: finding a place needs a whole tree. */
const placedCharsMax = 8 * 1024 ** 2;

/** Reads the list and hands over each entry. `isJson` chooses the language. */
export function readDocument(
  text: string,
  isJson: boolean,
  columns: readonly Column[],
  mistakes: Mistakes,
  take: (row: Row) => void,
): void {
  const places = new Places(text, mistakes);
  const list = isJson ? parseJson(text, mistakes) : places.parse();
  if (list === undefined) return;
  if (!Array.isArray(list)) {
    mistakes.tell(1, 1, '', 'not a list of entries; begin each entry with its own names');
    return;
  }
  const row = new EntryRow(columns, places);
  list.forEach((entry: unknown, index) => {
    if (row.point(entry, index)) take(row);
  });
}

function parseJson(text: string, mistakes: Mistakes): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The platform's message has no place on some versions; this reader is slow, and has one.
    const errors: ParseError[] = [];
    parse(text, errors, { disallowComments: true });
    const { error, offset } = errors[0] ?? { error: 0, offset: 0 };
    const before = text.slice(0, offset);
    const line = before.split('\n').length;
    const reason = words(printParseErrorCode(error));
    mistakes.tell(line, offset - before.lastIndexOf('\n'), '', `not JSON here: ${reason}`);
    return undefined;
  }
}

/** CommaExpected as "comma expected". */
function words(code: string): string {
  return code.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
}

/** Where in the text an entry or one of its cells stands. */
class Places {
  readonly #text: string;
  readonly #mistakes: Mistakes;
  readonly #lines = new LineCounter();
  #contents: unknown = null;

  constructor(text: string, mistakes: Mistakes) {
    this.#text = text;
    this.#mistakes = mistakes;
  }

  /** The value of the text as YAML; undefined after telling what is wrong with it. */
  parse(): unknown {
    const document = this.#document();
    for (const { pos, message } of document.errors) this.#tell(pos[0], '', message);
    if (document.errors.length > 0) return undefined;
    try {
      return (document.toJS({ maxAliasCount: 100 }) as unknown) ?? [];
    } catch (error) {
      this.#tell(0, '', (error as Error).message);
      return undefined;
    }
  }

  /** Says what is wrong with a cell of entry `index`; "" is the entry itself. */
  wrong(index: number, name: string, message: string): void {
    if (this.#contents === null && this.#text.length > placedCharsMax) {
      this.#mistakes.tell(1, 1, `[${index}]${name === '' ? '' : `.${name}`}`, message);
      return;
    }
    if (this.#contents === null) this.#document();
    this.#tell(this.#offset(index, name), name, message);
  }

  /** Line of entry `index` where the tree is there, else its number counted from 1. */
  lineOf(index: number): number {
    if (this.#contents === null) return index + 1;
    return this.#lines.linePos(this.#offset(index, '')).line;
  }

  #document() {
    const document = parseDocument(this.#text, {
      lineCounter: this.#lines,
      prettyErrors: false,
    });
    this.#contents = document.contents;
    return document;
  }

  #offset(index: number, name: string): number {
    const entry: unknown = isSeq(this.#contents) ? this.#contents.items[index] : null;
    const start = isNode(entry) ? (entry.range?.[0] ?? 0) : 0;
    if (!isMap(entry) || name === '') return start;
    const pair = entry.items.find(({ key }) => isScalar(key) && key.value === name);
    if (pair === undefined) return start;
    if (isNode(pair.value)) return pair.value.range?.[0] ?? start;
    return isScalar(pair.key) ? (pair.key.range?.[0] ?? start) : start;
  }

  #tell(offset: number, name: string, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.#mistakes.tell(Math.max(line, 1), Math.max(col, 1), name, message);
  }
}

class EntryRow implements Row {
  readonly #columns: readonly Column[];
  readonly #places: Places;
  readonly #cells: string[] = [];
  #index = 0;

  constructor(columns: readonly Column[], places: Places) {
    this.#columns = columns;
    this.#places = places;
  }

  get line(): number {
    return this.#places.lineOf(this.#index);
  }

  cell(index: number): string {
    return this.#cells[index]!;
  }

  wrong(index: number, message: string): void {
    this.#places.wrong(this.#index, this.#columns[index]!.name, message);
  }

  /** Takes an entry; false after telling why it is none. */
  point(entry: unknown, index: number): boolean {
    this.#index = index;
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      this.#places.wrong(index, '', 'not an entry; it has no names');
      return false;
    }
    const cells = this.#cells;
    cells.length = 0;
    for (const _ of this.#columns) cells.push('');
    let isGood = true;
    for (const [name, value] of Object.entries(entry)) {
      const at = this.#columns.findIndex((column) => column.name === name);
      const text = at < 0 ? null : cellText(value);
      if (text !== null) cells[at] = text;
      else {
        isGood = false;
        const message =
          at < 0 ? 'there is no such column' : 'give printable text, a number, or a list of them';
        this.#places.wrong(index, at < 0 ? shown(name).slice(1, -1) : name, message);
      }
    }
    this.#columns.forEach(({ name, required }, at) => {
      if (!required || cells[at] !== '' || name in entry) return;
      isGood = false;
      this.#places.wrong(index, name, 'this name is missing');
    });
    return isGood;
  }
}

/** A value as the cell of a CSV file would have it; null if it can be none. */
function cellText(value: unknown): string | null {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) {
    const texts = value.map((one) => (Array.isArray(one) ? null : cellText(one)));
    return texts.includes(null) ? null : texts.join(' ');
  }
  if (typeof value === 'object') return null;
  const text = String(value).trim();
  return control.test(text) ? null : text;
}
