// Dates and the regulations' arithmetic at its edges: zones, leap days, the ends of terms. The slow
// twin of the zones is the time-zone database that Node brings.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { profileNames as configNames } from '../../src/config.js';
import {
  dayOf,
  dayText,
  plusDays,
  plusYears,
  readDate,
  timeText,
} from '../../src/register/dates.js';
import { profileNames, profiles } from '../../src/register/profile.js';

const micros = (text: string) => Date.parse(text) * 1000;

describe('reading', () => {
  it.each([
    ['2024-02-29', 8, '2024-02-28T16:00:00Z'],
    ['2024-02-29', 7, '2024-02-28T17:00:00Z'],
    ['2024-02-29T08:00', 8, '2024-02-29T00:00:00Z'],
    ['2024-02-29 08:00:30', 8, '2024-02-29T00:00:30Z'],
    ['2024-02-29T08:00Z', 8, '2024-02-29T08:00:00Z'],
    ['2024-02-29T08:00:00.25z', 8, '2024-02-29T08:00:00.250Z'],
    ['2024-02-29T08:00-0330', 8, '2024-02-29T11:30:00Z'],
    ['2000-02-29', 0, '2000-02-29T00:00:00Z'],
  ])('%s, %i hours east, is %s', (text, hours, utc) => {
    expect(readDate(text, hours)).toBe(micros(utc));
  });

  it('keeps microseconds', () => {
    expect(readDate('2024-01-01T00:00:00.123456789Z', 0) % 1e6).toBe(123_456);
  });

  it.each([
    '',
    '2023-02-29',
    '2100-02-29',
    '2024-13-01',
    '2024-00-01',
    '2024-01-00',
    '2024-04-31',
    '2024-1-1',
    '24-01-01',
    '20240101',
    '2024-01-01T',
    '2024-01-01T24:00',
    '2024-01-01T00:60',
    '2024-01-01T00:00:60',
    '2024-01-01T00:00+15:00',
    '2024-01-01T00:00+08:60',
    '2024-01-01Z',
    '1991-12-31',
    '2200-01-01',
    ' 2024-01-01',
    '2024-01-01\n',
    '01/02/2024',
    '٢٠٢٤-01-01',
  ])('%j is none', (text) => {
    expect(readDate(text, 8)).toBeNaN();
  });
});

describe('arithmetic', () => {
  it.each([
    ['2021-03-01', 3, '2024-03-01'],
    ['2021-02-28', 3, '2024-02-28'],
    ['2024-02-29', 3, '2027-02-28'],
    ['2024-02-29', 4, '2028-02-29'],
    ['2021-12-31', 3, '2024-12-31'],
  ])('%s and %i years is %s, in every zone', (from, years, to) => {
    for (const hours of [-11, 0, 7, 8, 14]) {
      expect(plusYears(readDate(from, hours), years, hours)).toBe(readDate(to, hours));
    }
  });

  it('a day is a calendar day of the zone', () => {
    const filed = readDate('2024-02-20T23:59', 8);
    const starts = readDate('2024-03-11T00:01', 8);
    expect(dayOf(starts, 8) - dayOf(filed, 8), 'a leap year').toBe(20);
    expect(dayOf(micros('2024-03-10T16:00:00Z'), 8)).toBe(dayOf(micros('2024-03-11T02:00Z'), 8));
    expect(dayOf(micros('2024-03-10T15:59:59Z'), 8)).toBe(dayOf(micros('2024-03-10T00:00Z'), 8));
    expect(plusDays(readDate('2024-02-28', 8), 2)).toBe(readDate('2024-03-01', 8));
  });

  it('what was written is read again', () => {
    const day = fc.integer({ min: 9000, max: 80_000 });
    fc.assert(
      fc.property(day, fc.integer({ min: -12, max: 14 }), (number, hours) => {
        const start = number * 86_400e6 - hours * 3600e6;
        expect(readDate(dayText(start, hours), hours)).toBe(start);
        expect(dayText(start + 86_400e6 - 1, hours)).toBe(dayText(start, hours));
        expect(readDate(timeText(start), hours)).toBe(start);
      }),
    );
  });
});

describe('profiles', () => {
  it('are the ones that the configuration knows', () => {
    expect([...configNames]).toEqual([...profileNames]);
    expect(Object.keys(profiles)).toEqual([...profileNames]);
  });

  it.each(Object.values(profiles))('the zone of $name has that offset from 1992 on', (profile) => {
    const clock = new Intl.DateTimeFormat('en', {
      timeZone: profile.zone,
      timeZoneName: 'longOffset',
    });
    for (let year = 1992; year < 2040; year++) {
      for (let month = 0; month < 12; month++) {
        const parts = clock.formatToParts(new Date(Date.UTC(year, month, 15)));
        const offset = parts.find(({ type }) => type === 'timeZoneName')?.value;
        expect(offset).toBe(`GMT+0${profile.offsetHours}:00`);
      }
    }
    expect(readDate(profile.from, profile.offsetHours)).not.toBeNaN();
  });
});
