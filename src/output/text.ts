// Figures and small pictures as text for people: counts, sizes, spans, bars, colour. English, UTC,
// no locale of the machine, so that two people who compare their screens see the same.

import { load } from '../lib/commonjs.js';

const ipaddr = load('ipaddr.js') as typeof import('ipaddr.js');

/** 1234567 as "1,234,567". */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A count with its noun: "1 file", "2 files". */
export function counted(value: number, noun: string, nouns = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : nouns}`;
}

/** A rate or a large count in short: 950, 12.3 k, 4.56 M. */
export function short(value: number): string {
  return scaled(value, 1000, ['', ' k', ' M', ' G', ' T']);
}

/** Bytes in decimal units, as disks and links are sold: 1.23 GB. */
export function size(bytes: number): string {
  return scaled(bytes, 1000, [' B', ' kB', ' MB', ' GB', ' TB', ' PB']);
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let unit = 0;
  let rest = value;
  // 999.5 would round to a four-digit figure.
  while (rest >= step - 0.5 && unit < units.length - 1) {
    rest /= step;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return rest.toFixed(digits) + units[unit];
}

/** `part` of `whole` in percent; "under 0.1 %" instead of a zero that is none. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return '0 %';
  const share = (part / whole) * 100;
  if (share > 0 && share < 0.1) return '<0.1 %';
  if (share < 100 && share > 99.9) return '>99.9 %';
  return `${share === 0 || share === 100 ? share : share.toFixed(1)} %`;
}

/** A span in seconds: 850 ms, 4.25 s, 42 s, 5 min 12 s, 3 h 04 min, 2 d 07 h. */
export function span(seconds: number): string {
  if (seconds < 1) return `${(seconds * 1000).toFixed(0)} ms`;
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(0)} s`;
  const total = Math.round(seconds);
  const pair = (large: number, small: number): [number, string] => [
    Math.floor(total / large),
    String(Math.floor((total % large) / small)).padStart(2, '0'),
  ];
  if (total < 3600) return pair(60, 1).join(' min ').concat(' s');
  if (total < 86_400) return pair(3600, 60).join(' h ').concat(' min');
  return pair(86_400, 3600).join(' d ').concat(' h');
}

/** Microseconds since 1970 as "2026-08-01 10:00:00" in UTC. */
export function moment(micros: number): string {
  const date = new Date(micros / 1000);
  if (Number.isNaN(date.getTime())) return 'an impossible time';
  return date.toISOString().slice(0, 19).replace('T', ' ');
}

/** A bar of at most `width` columns, to an eighth of a column; never empty for a share above 0. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(share, 0), 1) * width * 8);
  const used = share > 0 ? Math.max(eighths, 1) : 0;
  return '█'.repeat(used >> 3) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][used & 7];
}

/** One column per value, as high as the value compared with the largest. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(...values, 1);
  return values
    .map((value) => (value === 0 ? ' ' : '▁▂▃▄▅▆▇█'[Math.ceil((value / most) * 8) - 1]))
    .join('');
}

/** Lines of at most `width` columns; the second and later ones begin with `indent`. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.join('\n');
}

/** Four big-endian address words as a row carries them; IPv6 as RFC 5952 writes it. */
export function addressText(words: readonly number[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = words;
  if (a === 0 && b === 0 && c === 0xffff) return new ipaddr.IPv4(octets(d)).toString();
  return new ipaddr.IPv6([a, b, c, d].flatMap(octets)).toRFC5952String();
}

function octets(word: number): number[] {
  return [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff];
}

/** Colours of a terminal, or none of them. */
export interface Paint {
  strong(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  quiet(text: string): string;
}

/** Colour for a terminal whose owner did not refuse it (https://no-color.org). */
export function paint(terminal: boolean, env: NodeJS.ProcessEnv): Paint {
  const on = terminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  const ink = (code: number) => (text: string) => (on ? `\x1b[${code}m${text}\x1b[0m` : text);
  return { strong: ink(1), good: ink(32), bad: ink(31), warn: ink(33), quiet: ink(2) };
}
