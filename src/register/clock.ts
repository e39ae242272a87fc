// What the regulations say about the dates of a register as of a time: filings that were late, that
// are due, that never came; codes that end. They are facts about the files alone: traffic from an
// address that may not begin yet is for the detectors, which see its state in `Place`.

import type { CodeEntry } from './code.js';
import { dayOf, dayText, plusDays, plusYears, readDate } from './dates.js';
import { type Profile, type ProfileName, profiles } from './profile.js';
import type { Register } from './register.js';
import { Role, type ServerEntry } from './server.js';

/** Something about one entry that a person should look at. */
export interface ClockItem {
  /** Such as late-filing: what `register lint` prints and a rule may ask for. */
  readonly name: string;
  readonly register: 'servers' | 'codes' | 'allow';
  /** Number of the entry in its register, and line of its file. */
  readonly index: number;
  readonly line: number;
  readonly severity: 'low' | 'medium';
  /** Until when something can be done, in microseconds; NaN where it is too late or has no end. */
  readonly due: number;
  /** The start, change or end that it is about, in microseconds; NaN where no date is known. */
  readonly event: number;
  /** The regulation and its section; "" where it is good practice only. */
  readonly legal: string;
  readonly words: string;
}

/** A filing is told of so many days before its last day: a working week. */
const remindDays = 5;
/** An extension of a code, so many: its holder has to write to an authority. */
const remindExtensionDays = 15;
/** Prefixes shorter than these exempt whole neighbourhoods; both as IPv6 counts. */
const widest = { four: 96 + 24, six: 48 } as const;

type Found = Omit<ClockItem, 'register' | 'index' | 'line'>;
type Add = (found: Found) => void;

/** Everything that is to be said as of `time`, in the order of the registers and their lines. */
export function clockItems(
  register: Register,
  names: readonly ProfileName[],
  time: number,
): ClockItem[] {
  const items = serverClockItems(register, names, time, [0, register.servers.length]);
  items.push(...codeClockItems(register, names, time));
  register.allow.forEach(({ until, line }, index) => {
    if (!(time >= until)) return;
    const ended = dayText(until, register.notice.offsetHours);
    const words = `ended on ${ended} and allows nothing any more`;
    adder(items, 'allow', index, line)(practice('allow-over', words));
  });
  return items;
}

/** The same of some servers alone: those whose numbers lie from the first to before the second. */
export function serverClockItems(
  register: Register,
  names: readonly ProfileName[],
  time: number,
  [from, to]: readonly [number, number],
): ClockItem[] {
  const items: ClockItem[] = [];
  for (let index = from; index < to; index++) {
    const server = register.servers[index]!;
    if (time >= server.dates.retires) continue;
    const add = adder(items, 'servers', index, server.line);
    for (const name of names) serverItems(server, profiles[name], time, add);
    const { isIpv4, bits } = register.prefixOf(index);
    if (bits < (isIpv4 ? widest.four : widest.six)) {
      add(practice('wide-entry', 'so many addresses are exempt from automatic action at once'));
    }
  }
  return items;
}

/** The same of the management codes alone. */
export function codeClockItems(
  register: Register,
  names: readonly ProfileName[],
  time: number,
): ClockItem[] {
  const items: ClockItem[] = [];
  register.codes.entries.forEach((entry, index) => {
    const add = adder(items, 'codes', index, entry.line);
    for (const name of names) codeItems(entry, profiles[name], time, add);
  });
  return items;
}

function adder(
  items: ClockItem[],
  register: ClockItem['register'],
  index: number,
  line: number,
): Add {
  return (found) => items.push({ ...found, register, index, line });
}

function practice(name: string, words: string): Found {
  return { name, severity: 'low', due: Number.NaN, event: Number.NaN, legal: '', words };
}

/** Days from one time to another by the calendar of the profile's zone. */
function daysBetween(from: number, to: number, { offsetHours }: Profile): number {
  return dayOf(to, offsetHours) - dayOf(from, offsetHours);
}

/** A duty to file something a number of days before it happens. */
interface Filing {
  readonly event: number;
  readonly filed: number;
  readonly days: number;
  readonly what: string;
  readonly legal: string;
  /** Names of the findings: filed too late, not filed and due, never filed. */
  readonly names: readonly [late: string, due: string, never: string];
}

function serverItems(server: ServerEntry, profile: Profile, time: number, add: Add): void {
  const duties = profile.servers;
  if (duties === undefined) return;
  const { dates } = server;
  filingItems(
    {
      event: dates.starts,
      filed: dates.filed,
      days: duties.noticeDays,
      what: 'starts',
      legal: duties.text,
      names: ['late-filing', 'filing-due', 'never-filed'],
    },
    { profile, time, add },
  );
  filingItems(
    {
      event: dates.changes,
      filed: dates.changeFiled,
      days: duties.changeNoticeDays,
      what: 'changes',
      legal: duties.changeText,
      names: ['late-change', 'change-due', 'change-never-filed'],
    },
    { profile, time, add },
  );
  const isUndated = [dates.filed, dates.starts, dates.changes].every(Number.isNaN);
  if (isUndated) {
    const words = 'no filing and no start is known';
    add({ ...practice('never-filed', words), legal: duties.text });
  }
  if (duties.licence && server.licence === '' && server.role !== Role.infrastructure) {
    const words = 'no licence or filing as a provider is known';
    add({ ...practice('no-licence', words), legal: duties.licenceText });
  }
}

interface Asked {
  readonly profile: Profile;
  readonly time: number;
  readonly add: Add;
}

function filingItems(filing: Filing, { profile, time, add }: Asked): void {
  const { event, filed, days, what, legal, names } = filing;
  // What happened before the law was in force owes it nothing.
  if (!(event >= readDate(profile.from, profile.offsetHours))) return;
  const on = dayText(event, profile.offsetHours);
  const lastDay = plusDays(event, -days);
  if (!Number.isNaN(filed)) {
    const had = daysBetween(filed, event, profile);
    if (had >= days) return;
    const was = dayText(filed, profile.offsetHours);
    const words = `filed on ${was} and ${what} on ${on}: ${had} days, ${days} are asked for`;
    add({ name: names[0], severity: 'medium', due: Number.NaN, event, legal, words });
    return;
  }
  const left = daysBetween(time, lastDay, profile);
  if (left > remindDays) return;
  if (left >= 0) {
    const last = dayText(lastDay, profile.offsetHours);
    const words = `${what} on ${on} and is not filed; the last day is ${last}`;
    add({ name: names[1], severity: 'low', due: plusDays(lastDay, 1), event, legal, words });
    return;
  }
  const words = `${what} on ${on} and is not filed; ${days} days before are asked for`;
  add({ name: names[2], severity: 'medium', due: Number.NaN, event, legal, words });
}

function codeItems(entry: CodeEntry, profile: Profile, time: number, add: Add): void {
  const duties = profile.codes;
  if (duties === undefined || time >= entry.withdrawn) return;
  const { offsetHours } = profile;
  const { issued, expires } = entry;
  const legal = duties.text;
  if (Number.isNaN(issued)) {
    const words = `no issue is known, so the ${duties.validYears} years cannot be counted`;
    add({ ...practice('code-undated', words), legal });
  } else {
    const longest = plusDays(plusYears(issued, duties.validYears, offsetHours), 1);
    const words = `longer than ${duties.validYears} years from ${dayText(issued, offsetHours)}`;
    if (expires > longest)
      add({ ...practice('code-term', words), severity: 'medium', event: expires, legal });
  }
  if (!(expires < Number.POSITIVE_INFINITY)) return;
  const last = dayText(expires - 1, offsetHours);
  if (time >= expires) {
    const item = practice('code-expired', `valid until ${last}`);
    add({ ...item, severity: 'medium', event: expires, legal });
    return;
  }
  const lastDay = plusDays(expires, -1 - duties.extensionDays);
  const left = daysBetween(time, lastDay, profile);
  if (left > remindExtensionDays) return;
  const by = dayText(lastDay, offsetHours);
  const words =
    left >= 0
      ? `valid until ${last}; an extension is to be asked for by ${by}`
      : `valid until ${last}; an extension was to be asked for by ${by}`;
  const due = left >= 0 ? plusDays(lastDay, 1) : Number.NaN;
  const severity = left >= 0 ? 'low' : 'medium';
  add({ name: 'extension-due', severity, due, event: expires, legal, words });
}
