// Management codes in labels: what is to be said of one as of a time and from a source.

import { describe, expect, it } from 'vitest';
import { Prefix, readPrefix } from '../../src/lib/prefix.js';
import { Codes, codeColumns, codeStateNames, readCode } from '../../src/register/code.js';
import { readDate } from '../../src/register/dates.js';
import { Mistakes } from '../../src/register/mistakes.js';
import { readCsv } from '../../src/register/rows.js';

const hours = 7;

function read(...lines: string[]): { codes: Codes; mistakes: string[] } {
  const mistakes = new Mistakes('codes.csv');
  const entries: ReturnType<typeof readCode>[] = [];
  const names = 'code,holder,service,issued_on,expires_on,withdrawn_on,source_cidrs';
  const text = [names, ...lines].join('\n');
  readCsv(text, codeColumns, mistakes, (row) => entries.push(readCode(row, hours)));
  return {
    codes: new Codes(entries.filter((entry) => entry !== null)),
    mistakes: mistakes.lines(),
  };
}

function judged(codes: Codes, code: string, time: string, source = '192.0.2.1'): string {
  const words = new Prefix();
  expect(readPrefix(source, words)).toBe(true);
  return codeStateNames[codes.judge(code, readDate(time, hours), words)]!;
}

const known = read(
  'ABC1,Ad House,email,2021-03-01,2024-03-01,,192.0.2.0/24 2001:db8::/32',
  'TRM1,Term,,2021-03-01,,,',
  'LEA1,Leap,1,2020-02-29,,,',
  'GON1,Gone,email,2021-03-01,2024-03-01,2022-05-10,',
  'SMS2,Texts,sms,2021-03-01,,,',
  'NEW1,First,email,2015-01-01,2018-01-01,,',
  'NEW1,Second,email,2021-01-01,2024-01-01,,198.51.100.0/24',
  'OLD1,No dates,email,,,,',
  'EXA1,To the minute,email,2021-03-01,2024-03-01T12:00,,',
);

describe('a code in a label', () => {
  it.each([
    ['ABC1', '2021-02-28T23:59', 'unknown'],
    ['ABC1', '2021-03-01', 'valid'],
    // The printed day is the last one, and counts whole.
    ['ABC1', '2024-03-01T23:59:59', 'valid'],
    ['ABC1', '2024-03-02', 'expired'],
    ['TRM1', '2024-03-01T23:59:59', 'valid'],
    ['TRM1', '2024-03-02', 'expired'],
    ['LEA1', '2023-02-28T23:59:59', 'valid'],
    ['LEA1', '2023-03-01', 'expired'],
    ['EXA1', '2024-03-01T11:59:59', 'valid'],
    ['EXA1', '2024-03-01T12:00', 'expired'],
    ['GON1', '2022-05-09T23:59:59', 'valid'],
    ['GON1', '2022-05-10', 'withdrawn'],
    ['GON1', '2030-01-01', 'withdrawn'],
    ['SMS2', '2022-01-01', 'wrong-service'],
    ['NEW1', '2016-01-01', 'valid'],
    ['NEW1', '2019-01-01', 'expired'],
    ['NEW1', '2022-01-01', 'foreign-source'],
    ['OLD1', '2050-01-01', 'valid'],
    ['XXX1', '2022-01-01', 'unknown'],
    ['', '2022-01-01', 'unknown'],
  ])('%s at %s is %s', (code, time, state) => {
    expect(known.mistakes).toEqual([]);
    expect(judged(known.codes, code, time)).toBe(state);
  });

  it.each([
    ['192.0.2.255', 'valid'],
    ['192.0.3.0', 'foreign-source'],
    ['2001:db8::1', 'valid'],
    ['2001:db9::1', 'foreign-source'],
  ])('from %s: %s', (source, state) => {
    expect(judged(known.codes, 'ABC1', '2022-01-01', source)).toBe(state);
  });
});

it('mistakes stand with their column, all at once', () => {
  const { mistakes } = read(
    'ABCD,Holder,email,,,,',
    'ABC1,,email,,,,',
    'ABC1,Holder,sms,2024-02-30,,,',
    'ABC1,Holder,post,2024-02-01,2024-01-01,,10.0.0.1/8',
  );
  expect(mistakes).toEqual([
    'codes.csv:2:1 code: "ABCD" is not three of A-Z and 0-9 and a digit from 1 to 3',
    'codes.csv:3:6 holder: empty',
    'codes.csv:4:13 service: the last digit of the code says email',
    'codes.csv:4:17 issued_on: "2024-02-30" is not a date such as 2024-02-29 or ' +
      '2024-02-29T08:00+08:00',
    'codes.csv:5:13 service: "post" is none of email, sms, internet-sms, 1, 2, 3',
    'codes.csv:5:29 expires_on: before issued_on',
    'codes.csv:5:41 source_cidrs: "10.0.0.1/8" has bits set behind its length; did you mean ' +
      '10.0.0.0/8?',
  ]);
});
