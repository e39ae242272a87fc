// Rows of a register file, whatever its form: cells by column number, and a way to say what is
// wrong with one. CSV is read here (RFC 4180, UTF-8 with or without BOM, LF or CRLF; lines that
// start with # and empty lines are skipped); JSON and YAML in `document.ts`. Own code, because the
// packages for CSV give the line of a record and no column, and a million lines are to load in
// seconds.

import { isUtf8 } from 'node:buffer';
import { type Mistakes, shown } from './mistakes.js';

/** A column that a file may have. */
export interface Column {
  readonly name: string;
  readonly required?: boolean;
}

/** One row; valid until the next one is read. */
export interface Row {
  readonly line: number;
  /** Text of column `index`, without blanks around it; "" where the file has none. */
  cell(index: number): string;
  /** Says what is wrong with that cell. */
  wrong(index: number, message: string): void;
}

/** A quoted cell may span lines; a record that grows beyond this has lost its closing quote. */
const recordCharsMax = 65_536;

/** The text of a file's bytes, or null after telling what is wrong with them. */
export function textOf(bytes: Buffer, mistakes: Mistakes): string | null {
  if (!isUtf8(bytes)) {
    const { line, column } = firstBroken(bytes);
    mistakes.tell(line, column, '', 'not UTF-8; save the file as UTF-8');
    return null;
  }
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return bytes.toString('utf8', hasMark ? 3 : 0);
}

function firstBroken(bytes: Buffer): { line: number; column: number } {
  let from = 0;
  for (let line = 1; ; line++) {
    const found = bytes.indexOf(0x0a, from);
    const end = found < 0 ? bytes.length : found;
    if (!isUtf8(bytes.subarray(from, end)) || found < 0) {
      let length = 0;
      // A sequence that is cut is no mistake yet, so the longest good start counts.
      for (let n = 1; n <= Math.min(end - from, recordCharsMax); n++) {
        if (isUtf8(bytes.subarray(from, from + n))) length = n;
        else if (n - length > 4) break;
      }
      return { line, column: bytes.toString('utf8', from, from + length).length + 1 };
    }
    from = found + 1;
  }
}

/** Reads CSV text and hands over each record below the names. */
export function readCsv(
  text: string,
  columns: readonly Column[],
  mistakes: Mistakes,
  take: (row: Row) => void,
): void {
  const records = new Records(text, mistakes);
  if (!records.next()) {
    const names = columns.filter(({ required }) => required).map(({ name }) => name);
    mistakes.tell(1, 1, '', `empty; its first line names the columns, at least ${names.join(',')}`);
    return;
  }
  const places = header(records, columns, mistakes);
  if (places === null) return;
  const row = new CsvRow(records, places, columns);
  const expected = records.cells.length;
  while (records.next()) {
    const { cells, line } = records;
    if (cells.length !== expected) {
      const message = `${cells.length} cells where the first line names ${expected} columns`;
      mistakes.tell(line, 1, '', message);
    } else take(row);
  }
}

/** For each known column its place in the file, or -1; null when the names cannot be used. */
function header(
  records: Records,
  columns: readonly Column[],
  mistakes: Mistakes,
): Int32Array | null {
  const before = mistakes.count;
  const places = new Int32Array(columns.length).fill(-1);
  records.cells.forEach((name, place) => {
    const index = columns.findIndex((column) => column.name === name);
    if (index < 0) {
      const known = columns.map((column) => column.name).join(',');
      records.wrong(place, shown(name), `there is no such column; there are ${known}`);
    } else if (places[index]! >= 0) records.wrong(place, name, 'named twice');
    else places[index] = place;
  });
  columns.forEach(({ name, required }, index) => {
    if (!required || places[index]! >= 0) return;
    records.wrong(-1, name, 'this column is missing');
  });
  return mistakes.count === before ? places : null;
}

class CsvRow implements Row {
  readonly #records: Records;
  readonly #places: Int32Array;
  readonly #columns: readonly Column[];

  constructor(records: Records, places: Int32Array, columns: readonly Column[]) {
    this.#records = records;
    this.#places = places;
    this.#columns = columns;
  }

  get line(): number {
    return this.#records.line;
  }

  cell(index: number): string {
    const place = this.#places[index]!;
    return place < 0 ? '' : this.#records.cells[place]!;
  }

  wrong(index: number, message: string): void {
    this.#records.wrong(this.#places[index]!, this.#columns[index]!.name, message);
  }
}

/** Tab and LF are none: they may stand in a quoted cell. */
export const control = /[\u0000-\u0008\u000b-\u001f\u007f]/;

/** The records of CSV text, one after the other. */
class Records {
  readonly #text: string;
  readonly #mistakes: Mistakes;
  #at = 0;
  #nextLine = 1;
  #start = 0;
  #end = 0;
  cells: string[] = [];
  /** Line on which the record starts. */
  line = 0;

  constructor(text: string, mistakes: Mistakes) {
    this.#text = text;
    this.#mistakes = mistakes;
  }

  /** Steps to the next record; false behind the last. Broken ones are told and passed over. */
  next(): boolean {
    const text = this.#text;
    while (this.#at < text.length) {
      this.#start = this.#at;
      this.line = this.#nextLine;
      this.#end = this.#lineEnd(this.#at);
      this.#step(this.#end);
      const line = text.slice(this.#start, this.#trimmedEnd());
      if (line.startsWith('#') || line.trim() === '') continue;
      const isWhole = line.includes('"') ? this.#quoted() : this.#plain(line);
      if (isWhole) return true;
    }
    return false;
  }

  /** Says what is wrong with cell `place`, where it starts. */
  wrong(place: number, name: string, message: string): void {
    const text = this.#text;
    let at = this.#start;
    let line = this.line;
    let lineStart = at;
    let quoted = false;
    for (let left = Math.max(place, 0); left > 0 && at < this.#end; at++) {
      const unit = text.charCodeAt(at);
      if (unit === 0x22) quoted = !quoted;
      else if (unit === 0x2c && !quoted) left -= 1;
      else if (unit === 0x0a) {
        line += 1;
        lineStart = at + 1;
      }
    }
    while (at < this.#end && /[ \t]/.test(text[at]!)) at++;
    this.#mistakes.tell(line, at - lineStart + 1, name, message);
  }

  #lineEnd(from: number): number {
    const found = this.#text.indexOf('\n', from);
    return found < 0 ? this.#text.length : found;
  }

  #step(end: number): void {
    this.#at = end + 1;
    this.#nextLine += 1;
  }

  #trimmedEnd(): number {
    const hasReturn = this.#end > this.#start && this.#text.charCodeAt(this.#end - 1) === 0x0d;
    return hasReturn ? this.#end - 1 : this.#end;
  }

  #plain(line: string): boolean {
    if (line.length > recordCharsMax) {
      return this.#broken(1, `longer than ${recordCharsMax} characters`);
    }
    const found = control.exec(line);
    if (found !== null) return this.#broken(found.index + 1, 'a control character');
    this.cells = line.split(',');
    for (let i = 0; i < this.cells.length; i++) this.cells[i] = this.cells[i]!.trim();
    return true;
  }

  /** A record with quotes; lines are added while one is open. */
  #quoted(): boolean {
    const text = this.#text;
    let quotes = this.#quotes(this.#start);
    while (quotes % 2 === 1) {
      if (this.#at >= text.length || this.#at - this.#start > recordCharsMax) {
        return this.#broken(1, 'a quote that is opened here is never closed');
      }
      const from = this.#at;
      this.#end = this.#lineEnd(from);
      this.#step(this.#end);
      quotes += this.#quotes(from);
    }
    const record = text.slice(this.#start, this.#trimmedEnd());
    const found = control.exec(record.replaceAll('\r\n', '\n'));
    if (found !== null) return this.#broken(1, 'a control character');
    const cells: string[] = [];
    const cell = /[ \t]*(?:"((?:[^"]|"")*)"[ \t]*|([^",]*))(,|$)/y;
    for (let more = true; more; ) {
      const at = cell.lastIndex;
      const match = cell.exec(record);
      if (match === null) {
        return this.#broken(at + 1, 'a quote inside a cell; write "" for it and quote the cell');
      }
      cells.push((match[1]?.replaceAll('""', '"') ?? match[2]!).trim());
      more = match[3] === ',';
    }
    this.cells = cells;
    return true;
  }

  #quotes(from: number): number {
    let count = 0;
    for (let at = from; at < this.#end; at++) {
      if (this.#text.charCodeAt(at) === 0x22) count += 1;
    }
    return count;
  }

  #broken(column: number, message: string): false {
    this.#mistakes.tell(this.line, column, '', message);
    return false;
  }
}
