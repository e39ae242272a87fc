// Times as text: ISO 8601 in UTC with microseconds (RFC 3339 where the zone is Z).

/**
 * Microseconds since 1970 as text, ending in `zone`: `Z`, or `+0000` as EVE writes it. Null where
 * no date has that time.
 */
export function isoTime(micros: number, zone: 'Z' | '+0000'): string | null {
  const date = new Date(Math.floor(micros / 1000));
  if (Number.isNaN(date.getTime())) return null;
  const rest = String(Math.floor(micros % 1000)).padStart(3, '0');
  return `${date.toISOString().slice(0, -1)}${rest}${zone}`;
}
