// Dates of registers: ISO 8601 into microseconds since 1970 and back, and the arithmetic of the
// regulations in calendar days. No clock is read here. Zones have a fixed offset, which is true of
// both countries from 1992 on; earlier dates are refused.

const micros_per_hour = 3_600e6;
const micros_per_day = 24 * micros_per_hour;
const firstYear = 1992;
const lastYear = 2199;

const day = /(\d{4})-(\d\d)-(\d\d)/;
const time = /(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d\d:?\d\d)?/;
const form = new RegExp(`^${day.source}(?:[T ]${time.source})?$`, 'i');

/**
 * Reads an ISO 8601 date or date and time; without a time it is 00:00, without a zone it is
 * `offsetHours` east of UTC. Microseconds since 1970, NaN if the text is no such date.
 */
export function readDate(text: string, offsetHours: number): number {
  const match = form.exec(text);
  if (match === null) return Number.NaN;
  const [, year, month, day, hour = '0', minute = '0', second = '0'] = match;
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  if (y < firstYear || y > lastYear || m < 1 || m > 12 || d < 1 || d > daysIn(y, m)) {
    return Number.NaN;
  }
  const [h, min, s] = [Number(hour), Number(minute), Number(second)];
  if (h > 23 || min > 59 || s > 59) return Number.NaN;
  const zone = zoneHours(match[8], offsetHours);
  const part = Number((match[7] ?? '').padEnd(6, '0'));
  return Date.UTC(y, m - 1, d, h, min, s) * 1000 + part - zone * micros_per_hour;
}

function zoneHours(zone: string | undefined, otherwise: number): number {
  if (zone === undefined) return otherwise;
  if (zone.length === 1) return 0;
  const digits = zone.slice(1).replace(':', '');
  const hours = Number(digits.slice(0, 2));
  const minutes = Number(digits.slice(2));
  if (hours > 14 || minutes > 59) return Number.NaN;
  return (zone.startsWith('-') ? -1 : 1) * (hours + minutes / 60);
}

/** Whether a date was written without a time of day. */
export function isBareDate(text: string): boolean {
  return text.length === 10;
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Number of the calendar day in the zone, counted from 1970-01-01. */
export function dayOf(micros: number, offsetHours: number): number {
  return Math.floor((micros + offsetHours * micros_per_hour) / micros_per_day);
}

/** The first moment of a calendar day in the zone. */
export function startOfDay(day: number, offsetHours: number): number {
  return day * micros_per_day - offsetHours * micros_per_hour;
}

/** The same time of day, so many calendar days later. */
export function plusDays(micros: number, days: number): number {
  return micros + days * micros_per_day;
}

/**
 * The corresponding day so many years later at the same time of day in the zone; 29 February
 * becomes the last day of February, as Vietnam's Civil Code counts terms in years.
 */
export function plusYears(micros: number, years: number, offsetHours: number): number {
  const day = dayOf(micros, offsetHours);
  const local = new Date(day * 86_400_000);
  const year = local.getUTCFullYear() + years;
  const month = local.getUTCMonth();
  const date = Math.min(local.getUTCDate(), daysIn(year, month + 1));
  return micros + (Date.UTC(year, month, date) / 86_400_000 - day) * micros_per_day;
}

/** The calendar day in the zone, as in 2024-02-29. */
export function dayText(micros: number, offsetHours: number): string {
  return new Date(dayOf(micros, offsetHours) * 86_400_000).toISOString().slice(0, 10);
}

/** ISO 8601 in UTC, to the second. */
export function timeText(micros: number): string {
  return `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, 19)}Z`;
}
