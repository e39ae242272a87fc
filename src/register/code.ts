// The register of management codes: who may label advertisements with which code, and from where
// (Vietnam, Circular 12/2008 II and Circular 03/2009). It judges a code that a label carries;
// whether the mail is an advertisement is nobody's business here.

import { dateCell, prefixesCell, requiredCell, textCell } from './cells.js';
import { isBareDate, plusDays, plusYears } from './dates.js';
import { shown } from './mistakes.js';
import { OwnedPrefixes, type Words } from './owned.js';
import { profiles } from './profile.js';
import type { Column, Row } from './rows.js';

/** What is to be said of a code in a label, in the order of `codeStateNames`. */
export const CodeState = {
  valid: 0,
  expired: 1,
  withdrawn: 2,
  unknown: 3,
  wrongService: 4,
  foreignSource: 5,
} as const;

export const codeStateNames = [
  'valid',
  'expired',
  'withdrawn',
  'unknown',
  'wrong-service',
  'foreign-source',
] as const;

/** The last digit of a code (Circular 03/2009; that 1 is email follows the order of its list). */
export const serviceNames = ['', 'email', 'sms', 'internet-sms'] as const;
const emailService = 1;

export interface CodeEntry {
  readonly code: string;
  readonly holder: string;
  /** 1 to 3, an index of `serviceNames`. */
  readonly service: number;
  /** Microseconds since 1970; NaN where nothing is said. */
  readonly issued: number;
  /** The first moment at which it is no longer valid. */
  readonly expires: number;
  /** From here on it must not be used. */
  readonly withdrawn: number;
  /** Technical data: the prefixes that its holder sends from; empty: not known. */
  readonly sources: readonly string[];
  readonly line: number;
}

export const codeColumns: readonly Column[] = [
  { name: 'code', required: true },
  { name: 'holder', required: true },
  { name: 'service' },
  { name: 'issued_on' },
  { name: 'expires_on' },
  { name: 'withdrawn_on' },
  { name: 'source_cidrs' },
];

/**
 * Reads a row; null after telling that it has no usable code. A bare `expires_on` is the last day
 * on which the code is valid: the day of issue is not counted and a term ends with its last day
 * (Vietnam's Civil Code on terms), so one that is missing is the corresponding day `validYears`
 * after `issued_on`. `withdrawn_on` counts from its first moment, because on that date the use must
 * stop.
 */
export function readCode(row: Row, offsetHours: number): CodeEntry | null {
  const code = row.cell(0).toUpperCase();
  const isCode = /^[A-Z0-9]{3}[123]$/.test(code);
  if (!isCode) row.wrong(0, `${shown(code)} is not three of A-Z and 0-9 and a digit from 1 to 3`);
  const issued = dateCell(row, 3, offsetHours);
  const ends = dateCell(row, 4, offsetHours);
  const isDay = isBareDate(row.cell(4));
  const entry = {
    code,
    holder: requiredCell(row, 1),
    service: serviceCell(row, code),
    issued,
    expires: Number.isNaN(ends) ? endOfTerm(issued, offsetHours) : isDay ? plusDays(ends, 1) : ends,
    withdrawn: dateCell(row, 5, offsetHours),
    sources: prefixesCell(row, 6),
    line: row.line,
  };
  if (entry.expires <= issued) row.wrong(4, 'before issued_on');
  return isCode ? entry : null;
}

/** The first moment behind the longest term that a code can have. */
export function endOfTerm(issued: number, offsetHours: number): number {
  if (Number.isNaN(issued)) return Number.NaN;
  const { validYears } = profiles['vn-2008'].codes!;
  return plusDays(plusYears(issued, validYears, offsetHours), 1);
}

function serviceCell(row: Row, code: string): number {
  const text = textCell(row, 2).toLowerCase();
  const digit = Number(code.at(-1));
  if (text === '') return digit;
  const service = /^[123]$/.test(text) ? Number(text) : serviceNames.indexOf(text as 'sms');
  if (service < 1) row.wrong(2, `${shown(text)} is none of email, sms, internet-sms, 1, 2, 3`);
  else if (digit >= 1 && digit <= 3 && service !== digit)
    row.wrong(2, `the last digit of the code says ${serviceNames[digit]}`);
  return service;
}

/** All codes, looked up as of a time. Immutable. */
export class Codes {
  readonly entries: readonly CodeEntry[];
  /** Entries of one code by `issued`; a code may be issued again. */
  readonly #byCode = new Map<string, number[]>();
  readonly #sources: OwnedPrefixes;

  constructor(entries: readonly CodeEntry[]) {
    this.entries = entries;
    this.#sources = new OwnedPrefixes(entries.map(({ sources }) => sources));
    entries.forEach(({ code }, index) => {
      const same = this.#byCode.get(code);
      if (same === undefined) this.#byCode.set(code, [index]);
      else same.push(index);
    });
    const from = (index: number) => startOf(entries[index]!);
    for (const same of this.#byCode.values())
      same.sort((a, b) => (from(a) === from(b) ? a - b : from(a) - from(b)));
  }

  /** The entry of `code` that was issued last before `time`, or -1. */
  find(code: string, time: number): number {
    const same = this.#byCode.get(code) ?? [];
    return same.findLast((index) => startOf(this.entries[index]!) <= time) ?? -1;
  }

  /**
   * What is to be said of `code`, as a label in capitals carries it, in a mail of `time` from the
   * source: a number of `CodeState`. The gravest holds where several do. A holder without technical
   * data has no foreign sources.
   */
  judge(code: string, time: number, source: Words): number {
    const index = this.find(code, time);
    if (index < 0) return CodeState.unknown;
    const entry = this.entries[index]!;
    if (time >= entry.withdrawn) return CodeState.withdrawn;
    if (time >= entry.expires) return CodeState.expired;
    if (entry.service !== emailService) return CodeState.wrongService;
    const isForeign = entry.sources.length > 0 && !this.#sources.has(index, source);
    return isForeign ? CodeState.foreignSource : CodeState.valid;
  }
}

function startOf(entry: CodeEntry): number {
  return Number.isNaN(entry.issued) ? Number.NEGATIVE_INFINITY : entry.issued;
}
