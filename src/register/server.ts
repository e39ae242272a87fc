// Entries of the register of mail servers: reading them, and the state of one as of a time. What
// the entries mean for an address is in `register.ts`.

import { Prefix } from '../lib/prefix.js';
import { PrefixList } from '../lib/prefix-map.js';
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
import { dayOf, plusDays, startOfDay } from './dates.js';
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
  /** When the server may begin, as `startOf` says. */
  readonly from: number;
  /** When the notice after `filed` is over: the start of a day. */
  readonly noticed: number;
}

/** An entry; its prefix has the same number in a `PrefixList`. */
export interface ServerEntry {
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
  from: Number.NEGATIVE_INFINITY,
  noticed: Number.NaN,
};

/** Texts and dates that are remembered while a file is read: bulk files repeat them. */
const rememberedMax = 65_536;

/** Reads the rows of one file. */
export class ServerReader {
  /** Prefixes of the entries, with their numbers. */
  readonly prefixes = new PrefixList();
  readonly #notice: Notice;
  readonly #prefix = new Prefix();
  // A date is five boxed numbers and a text is cut from the file's text, which would live on with
  // it: 300 MB for a million entries that are kept once each.
  readonly #dates = new Map<string, ServerDates>();
  readonly #texts = new Map<string, string>();

  constructor(notice: Notice) {
    this.#notice = notice;
  }

  /** The entry of a row; null after telling that it has no usable prefix. */
  read(row: Row): ServerEntry | null {
    const hasPrefix = prefixCell(row, 0, this.#prefix);
    const role = serverRoles.get(row.cell(2));
    if (role === undefined) {
      row.wrong(2, `${shown(row.cell(2))} is none of ${[...serverRoles.keys()].join(', ')}`);
    }
    const entry = {
      operator: this.#keep(requiredCell(row, 1)),
      role: role ?? Role.registered,
      dates: this.#readDates(row),
      domains: domainsCell(row, 8),
      relayClients: prefixesCell(row, 9),
      egress: prefixesCell(row, 10),
      ratePerHour: numberCell(row, 11, 1),
      burst: numberCell(row, 12, 1),
      advertiser: yesCell(row, 13),
      licence: this.#keep(textCell(row, 14)),
      line: row.line,
    };
    if (!hasPrefix) return null;
    this.prefixes.add(this.#prefix);
    return entry;
  }

  #keep(text: string): string {
    if (text === '') return text;
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size === rememberedMax) this.#texts.clear();
    const copy = Buffer.from(text).toString();
    this.#texts.set(copy, copy);
    return copy;
  }

  #readDates(row: Row): ServerDates {
    let cells = '';
    for (let index = 3; index <= 7; index++) cells += `${row.cell(index)},`;
    if (cells === ',,,,,') return noDates;
    const known = this.#dates.get(cells);
    if (known !== undefined) return known;
    let isRead = true;
    const date = (index: number): number => {
      const micros = dateCell(row, index, this.#notice.offsetHours);
      isRead &&= row.cell(index) === '' || !Number.isNaN(micros);
      return micros;
    };
    const said = {
      filed: date(3),
      starts: date(4),
      changeFiled: date(5),
      changes: date(6),
      retires: date(7),
    };
    const { days, offsetHours } = this.#notice;
    const noticed = startOfDay(dayOf(said.filed, offsetHours) + days, offsetHours);
    const dates = { ...said, from: startOf(said, this.#notice), noticed };
    if (dates.retires <= dates.starts) row.wrong(7, 'not after starts_at');
    else if (isRead) {
      if (this.#dates.size === rememberedMax) this.#dates.clear();
      this.#dates.set(cells, dates);
    }
    return dates;
  }
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
function startOf(dates: Omit<ServerDates, 'from' | 'noticed'>, notice: Notice): number {
  if (!Number.isNaN(dates.starts)) return dates.starts;
  if (!Number.isNaN(dates.filed)) return plusDays(dates.filed, notice.days);
  return Number.isNaN(dates.changes) ? Number.NEGATIVE_INFINITY : dates.changes;
}

/**
 * The state as of `time`, a number of `ServerState`. Only comparisons: a number that is worked out
 * here would be an object on the heap for each look-up.
 */
export function stateAt(dates: ServerDates, time: number): number {
  if (time >= dates.retires) return ServerState.retired;
  if (time < dates.from) {
    const isFiled = time >= dates.filed && time < dates.noticed;
    return isFiled ? ServerState.filed : ServerState.waiting;
  }
  const isChanging = time >= dates.changeFiled && time < dates.changes;
  return isChanging ? ServerState.changing : ServerState.active;
}
