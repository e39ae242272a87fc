// Numbers, times and names as people read them. Times are UTC, because logs are; beside them stands
// how long ago that is, by the clock of the packets.

/** 12345 as "12,345". */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** "1 source", "3 sources", "2 entries". */
export function counted(value: number, noun: string, nouns = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : nouns}`;
}

/** Three digits at most and a unit: 0.4, 12, 3.4k, 1.2M. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 999_500) return `${digits(value / 1e6)}M`;
  if (size >= 9995) return `${digits(value / 1e3)}k`;
  return size >= 100 ? count(value) : digits(value);
}

function digits(value: number): string {
  if (Math.abs(value) >= 9.95 || Number.isInteger(value)) return String(Math.round(value));
  return value.toFixed(1).replace(/\.0$/, '');
}

export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return 'under 0.1 %';
  return `${value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} %`;
}

/** Bytes with a unit of 1,000. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${digits(value)} ${units[unit]}`;
}

/** "40 s", "12 min", "3 h 5 min", "2 d 4 h". */
export function span(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 1) return 'under 1 s';
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return pair(hours, 'h', minutes % 60, 'min');
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function pair(whole: number, unit: string, rest: number, small: string): string {
  return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${small}`;
}

/** "2023-11-14 22:16:57", UTC. */
export function moment(time: string): string {
  return time.slice(0, 19).replace('T', ' ');
}

/** "3 min ago", "in 5 h"; `now` in milliseconds. */
export function away(time: string, now: number): string {
  const ms = readTime(time) - now;
  if (Number.isNaN(ms)) return '';
  if (Math.abs(ms) < 1500) return 'now';
  return ms < 0 ? `${span(ms)} ago` : `in ${span(ms)}`;
}

/** Milliseconds since 1970; EVE writes its zone without a colon. */
export function readTime(time: string): number {
  return Date.parse(time.replace(/\+0000$/, 'Z'));
}

/** A single address without its length. */
export function bare(cidr: string): string {
  return cidr.replace(cidr.includes(':') ? /\/128$/ : /\/32$/, '');
}

/** What is done to a source. */
export const actionWords = { block: 'Blocked', limit: 'Limited', allow: 'Allowed' } as const;

/** What the wire shows of an entry. */
export const seenWords: Readonly<
  Record<string, { readonly short: string; readonly long: string }>
> = {
  enforced: {
    short: 'holds',
    long: 'Seen enforced: since it is on the list, connections from it are tried and do not open.',
  },
  leaking: {
    short: 'leaks',
    long: 'Leaking: mail still gets through against it. Somebody does not apply the list.',
  },
  unseen: {
    short: 'silent so far',
    long: 'Nothing has come from it since it is on the list, so nobody can tell yet.',
  },
  quiet: {
    short: 'quiet',
    long:
      'Quiet: nothing comes through any more. From this side of the routers that looks the same ' +
      'as a source that has stopped.',
  },
  unknown: {
    short: 'cannot be told',
    long:
      'It cannot be told: where the tap sits is not configured (capture.tap_side), so silence ' +
      'proves nothing.',
  },
};

/** Evidence names as words: `window_s` is "Window", because its value has the unit. */
export function evidenceName(name: string): string {
  const words = name
    .replace(/_per_hour$/, ' an hour')
    .replace(/_ms$/, ' (ms)')
    .replace(/_s$/, '')
    .replaceAll('_', ' ');
  return known[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

const known: Readonly<Record<string, string>> = {
  llr: 'Log likelihood ratio',
  rcpt: 'Recipients',
  over: 'Limit',
  of: 'Of',
};

/** A number of the evidence with its unit; times are times. */
export function evidenceValue(name: string, value: unknown): string {
  if (typeof value !== 'number') return String(value);
  if (name === 'first_evidence') return `${moment(new Date(value * 1000).toISOString())} UTC`;
  if (name.endsWith('_s')) return span(value * 1000);
  if (name === 'share' || name.startsWith('share_')) return percent(value);
  return value.toLocaleString('en', { maximumFractionDigits: 3 });
}
