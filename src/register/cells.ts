// Cells of register files as values: prefixes, dates, domains, numbers, yes or no. What cannot be
// read is told with its place, and a stand-in goes on, so that all mistakes come at once.

import { domainToASCII } from 'node:url';
import { Prefix, prefixMistake, prefixText } from '../lib/prefix.js';
import { readDate } from './dates.js';
import { shown } from './mistakes.js';
import type { Row } from './rows.js';

/** Reads a prefix into `out`; false after telling why it is none. */
export function prefixCell(row: Row, index: number, out: Prefix): boolean {
  const mistake = prefixMistake(row.cell(index), out);
  if (mistake === null) return true;
  row.wrong(index, mistake);
  return false;
}

/** Values of one cell, separated by spaces. */
const valuesMax = 1000;

const none: readonly string[] = [];

/** Prefixes separated by spaces, in their usual form. */
export function prefixesCell(row: Row, index: number): readonly string[] {
  const prefix = new Prefix();
  return valuesOf(row, index, (text) => {
    const mistake = prefixMistake(text, prefix);
    if (mistake === null) return prefixText(prefix);
    row.wrong(index, mistake);
    return null;
  });
}

/** Domains separated by spaces, as `domainKey` gives them; *.NAME stands for all below NAME. */
export function domainsCell(row: Row, index: number): readonly string[] {
  return valuesOf(row, index, (text) => {
    const isWild = text.startsWith('*.');
    const key = domainKey(isWild ? text.slice(2) : text);
    if (key !== '') return isWild ? `*.${key}` : key;
    row.wrong(index, `${shown(text)} is not a domain name`);
    return null;
  });
}

function valuesOf(
  row: Row,
  index: number,
  read: (text: string) => string | null,
): readonly string[] {
  const cell = row.cell(index);
  if (cell === '') return none;
  if (!/\s/.test(cell)) {
    const value = read(cell);
    return value === null ? none : [value];
  }
  const texts = cell.split(/\s+/);
  if (texts.length > valuesMax) {
    row.wrong(index, `${texts.length} values; at most ${valuesMax}`);
    return none;
  }
  const values = texts.map(read).filter((value) => value !== null);
  return [...new Set(values)];
}

const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
// An underscore is in no host name, but in names that mail is sent to.
const upper = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const ldh = new RegExp(`^(?=.{1,253}$)(?:${upper}\\.)*${label}$`);

/** A domain in small letters as an A-label (RFC 5890), without the last dot; "" if it is none. */
export function domainKey(text: string): string {
  const bare = text.endsWith('.') ? text.slice(0, -1) : text;
  const lower = bare.toLowerCase();
  if (ldh.test(lower)) return lower;
  if (/^[\u0000-\u007f]*$/.test(lower)) return '';
  const ascii = domainToASCII(lower);
  return ldh.test(ascii) ? ascii : '';
}

/** A date in microseconds; NaN where the cell is empty, and after telling what is wrong. */
export function dateCell(row: Row, index: number, offsetHours: number): number {
  const text = row.cell(index);
  if (text === '') return Number.NaN;
  const micros = readDate(text, offsetHours);
  if (Number.isNaN(micros)) {
    row.wrong(index, `${shown(text)} is not a date such as 2024-02-29 or 2024-02-29T08:00+08:00`);
  }
  return micros;
}

/** A number of at least `least`; null where the cell is empty, and after telling what is wrong. */
export function numberCell(row: Row, index: number, least: number): number | null {
  const text = row.cell(index);
  if (text === '') return null;
  const value = /^\d{1,10}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least) return value;
  row.wrong(index, `${shown(text)} is not a number of at least ${least}`);
  return null;
}

const yes = new Set(['yes', 'true', '1']);
const no = new Set(['', 'no', 'false', '0']);

export function yesCell(row: Row, index: number): boolean {
  const text = row.cell(index).toLowerCase();
  if (!yes.has(text) && !no.has(text)) row.wrong(index, `${shown(text)} is neither yes nor no`);
  return yes.has(text);
}

/** Text for people; at most 200 characters, so that no alert carries a book. */
export function textCell(row: Row, index: number): string {
  const text = row.cell(index);
  if (text.length <= 200) return text;
  row.wrong(index, 'longer than 200 characters');
  return '';
}

/** A cell that must say something. */
export function requiredCell(row: Row, index: number): string {
  const text = textCell(row, index);
  if (text === '' && row.cell(index) === '') row.wrong(index, 'empty');
  return text;
}
