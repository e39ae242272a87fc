// Entries of the register of mail servers: reading them, and the state of one as of a time. What
// the entries mean for an address is in `register.ts`.

import { Prefix, prefixText } from '../lib/prefix.js';
import type { PrefixList } from '../lib/prefix-map.js';
import {
  dateCell,
  domainsCell,
  numberCell,
  prefixCell,
  prefixesCell,
  requiredCell,
  textCell,
  yesCell,
} from './cells.js';
import { dayOf, plusDays } from './dates.js';
import { shown } from './mistakes.js';
import type { Column, Row } from './rows.js';

/** What an address is to the provider (detection material 2.0), in the order of `roleNames`. */
export const Role = {
  foreign: 0,
  customerDynamic: 1,
  customerStatic: 2,
  infrastructure: 3,
  registered: 4,
  registeredBulk: 5,
  unregisteredServer: 6,
} as const;

export const roleNames = [
  'foreign',
  'customer-dynamic',
  'customer-static',
  'infrastructure',
  'registered',
  'registered-bulk',
  'unregistered-server',
] as const;

/** Where an entry stands as of a time, in the order of `serverStateNames`. */
export const ServerState = {
  /** No entry. */
  none: 0,
  /** Filed, and the notice that the law asks for is not over. */
  filed: 1,
  /** The notice is over or unknown, and the start has not come. */
  waiting: 2,
  active: 3,
  /** Active; a change is filed and has not taken effect. */
  changing: 4,
  /** From `retires_at` on: the address is no mail server of the register any more. */
  retired: 5,
} as const;

export const serverStateNames = [
  'none',
  'filed',
  'waiting',
  'active',
  'changing',
  'retired',
] as const;

/** Microseconds since 1970; NaN where nothing is said. */
export interface ServerDates {
  readonly filed: number;
  readonly starts: number;
  readonly changeFiled: number;
  readonly changes: number;
  /** Exclusive. */
  readonly retires: number;
}

export interface ServerEntry {
  /** In its usual form. */
  readonly cidr: string;
  readonly operator: string;
  /** A number of `Role`: registered, registeredBulk or infrastructure. */
  readonly role: number;
  readonly dates: ServerDates;
  /** Domains that it takes mail for, as `domainKey` gives them; *.NAME for all below NAME. */
  readonly domains: readonly string[];
  /** Prefixes that may send to anybody through it. */
  readonly relayClients: readonly string[];
  /** Prefixes from which it sends, beside its own. */
  readonly egress: readonly string[];
  /** Messages an hour and at once that were agreed; null where none were. */
  readonly ratePerHour: number | null;
  readonly burst: number | null;
  /** It declared that it sends advertisements, so its labels count. */
  readonly advertiser: boolean;
  /** Licence or filing number; "" where none is known. */
  readonly licence: string;
  /** Line of the file. */
  readonly line: number;
}

export const serverColumns: readonly Column[] = [
  { name: 'cidr', required: true },
  { name: 'operator', required: true },
  { name: 'role', required: true },
  { name: 'filed_at' },
  { name: 'starts_at' },
  { name: 'change_filed_at' },
  { name: 'changes_at' },
  { name: 'retires_at' },
  { name: 'domains' },
  { name: 'relay_clients' },
  { name: 'egress' },
  { name: 'rate_per_hour' },
  { name: 'burst' },
  { name: 'advertiser' },
  { name: 'licence' },
];

const serverRoles = new Map<string, number>([
  ['registered', Role.registered],
  ['registered-bulk', Role.registeredBulk],
  ['infrastructure', Role.infrastructure],
]);

const noDates: ServerDates = {
  filed: Number.NaN,
  starts: Number.NaN,
  changeFiled: Number.NaN,
  changes: Number.NaN,
  retires: Number.NaN,
};

const prefix = new Prefix();

/**
 * Reads a row into an entry and adds its prefix to `list`, so that both have the same number. Null
 * after telling that it has no usable prefix.
 */
export function readServer(row: Row, list: PrefixList, offsetHours: number): ServerEntry | null {
  const hasPrefix = prefixCell(row, 0, prefix);
  const role = serverRoles.get(row.cell(2));
  if (role === undefined) {
    row.wrong(2, `${shown(row.cell(2))} is none of ${[...serverRoles.keys()].join(', ')}`);
  }
  const entry = {
    cidr: hasPrefix ? prefixText(prefix) : '',
    operator: requiredCell(row, 1),
    role: role ?? Role.registered,
    dates: readDates(row, offsetHours),
    domains: domainsCell(row, 8),
    relayClients: prefixesCell(row, 9),
    egress: prefixesCell(row, 10),
    ratePerHour: numberCell(row, 11, 1),
    burst: numberCell(row, 12, 1),
    advertiser: yesCell(row, 13),
    licence: textCell(row, 14),
    line: row.line,
  };
  if (!hasPrefix) return null;
  list.add(prefix);
  return entry;
}

function readDates(row: Row, offsetHours: number): ServerDates {
  let isEmpty = true;
  for (let index = 3; index <= 7; index++) isEmpty &&= row.cell(index) === '';
  if (isEmpty) return noDates;
  const dates = {
    filed: dateCell(row, 3, offsetHours),
    starts: dateCell(row, 4, offsetHours),
    changeFiled: dateCell(row, 5, offsetHours),
    changes: dateCell(row, 6, offsetHours),
    retires: dateCell(row, 7, offsetHours),
  };
  if (dates.retires <= dates.starts) row.wrong(7, 'not after starts_at');
  return dates;
}

/** How the notice before a start is counted: calendar days, in a zone so far east of UTC. */
export interface Notice {
  readonly days: number;
  readonly offsetHours: number;
}

/**
 * When the server may begin, in microseconds: `starts_at`; else, for an address that came by a
 * change alone, `changes_at`; else the end of the notice after `filed_at`; else always (-Infinity).
 */
export function startOf(dates: ServerDates, notice: Notice): number {
  if (!Number.isNaN(dates.starts)) return dates.starts;
  if (!Number.isNaN(dates.filed)) return plusDays(dates.filed, notice.days);
  return Number.isNaN(dates.changes) ? Number.NEGATIVE_INFINITY : dates.changes;
}

/** The state as of `time`, a number of `ServerState`. Allocates nothing. */
export function stateAt(dates: ServerDates, time: number, notice: Notice): number {
  if (time >= dates.retires) return ServerState.retired;
  if (time < startOf(dates, notice)) {
    const { filed } = dates;
    if (!(time >= filed)) return ServerState.waiting;
    const days = dayOf(time, notice.offsetHours) - dayOf(filed, notice.offsetHours);
    return days < notice.days ? ServerState.filed : ServerState.waiting;
  }
  const isChanging = time >= dates.changeFiled && time < dates.changes;
  return isChanging ? ServerState.changing : ServerState.active;
}
