// The register as the API shows it as of a time: who may send, what the clocks say, and what one
// address is. Reading it is all that is done here.

import { type Prefix, prefixText } from '../lib/prefix.js';
import type { AllowEntry } from './allow.js';
import { type ClockItem, clockItems } from './clock.js';
import type { CodeEntry } from './code.js';
import { serviceNames } from './code.js';
import type { ProfileName } from './profile.js';
import { placeOf, type Register } from './register.js';
import { roleNames, type ServerEntry, serverStateNames, stateAt } from './server.js';

/** Clock items that are shown; of more the number is told. */
const itemsMax = 500;
/** Clocks go by days; a million entries are not looked through for each who asks. */
const clocksKept = 600 * 1e6;

export interface RegisterWish {
  /** Servers, codes and allowances that contain this text; "" for all. */
  readonly find: string;
  /** Number of the first entry of each part. */
  readonly from: number;
  readonly limit: number;
}

/** Microseconds as RFC 3339 to the second; null where nothing is said or there is no end. */
function moment(micros: number): string | null {
  if (!Number.isFinite(micros)) return null;
  return `${new Date(micros / 1000).toISOString().slice(0, 19)}Z`;
}

export class RegisterView {
  readonly #register: Register;
  readonly #profiles: readonly ProfileName[];
  #items: readonly ClockItem[] = [];
  #asOf = Number.NaN;

  constructor(register: Register, profiles: readonly ProfileName[]) {
    this.#register = register;
    this.#profiles = profiles;
  }

  /** One page of every part. */
  page(time: number, wish: RegisterWish): object {
    const { version, servers, codes, allow, pools } = this.#register;
    const items = this.#clocks(time);
    return {
      version,
      as_of: moment(time),
      profiles: this.#profiles,
      counts: { servers: servers.length, codes: codes.entries.length, allow: allow.length },
      pools: pools.slice(0, itemsMax).map(({ cidr, role, cgnat, customerBits }) => ({
        cidr,
        role: roleNames[role],
        cgnat,
        customer_bits: cidr.includes(':') ? customerBits : null,
      })),
      clocks: {
        count: items.length,
        items: items.slice(0, itemsMax).map((item) => this.#item(item)),
      },
      servers: pageOf(servers, wish, (entry, at) => this.#server(entry, at, time)),
      codes: pageOf(codes.entries, wish, (entry) => codeView(entry, time)),
      allow: pageOf(allow, wish, (entry) => allowView(entry, time)),
    };
  }

  /** What an address, or the first of a prefix, is. */
  standing(prefix: Prefix, time: number): object {
    const register = this.#register;
    const place = placeOf(prefix);
    register.lookup(place, time);
    const allowed = register.allowedBy(place, time);
    const sender = place.server >= 0 ? place.server : register.egressOf(place);
    return {
      own: place.own,
      role: roleNames[place.role],
      cgnat: place.cgnat,
      server: sender < 0 ? null : this.#server(register.servers[sender]!, sender, time),
      allowed: allowed < 0 ? null : allowView(register.allow[allowed]!, time),
    };
  }

  #clocks(time: number): readonly ClockItem[] {
    if (!(Math.abs(time - this.#asOf) < clocksKept)) {
      this.#items = clockItems(this.#register, this.#profiles, time);
      this.#asOf = time;
    }
    return this.#items;
  }

  #item({ name, register, index, line, severity, due, legal, words }: ClockItem): object {
    return {
      name,
      register,
      about: this.#about(register, index),
      line,
      severity,
      due: moment(due),
      legal,
      words,
    };
  }

  #about(register: ClockItem['register'], index: number): string {
    const { codes, allow, servers } = this.#register;
    if (register === 'codes') {
      const { code, holder } = codes.entries[index]!;
      return `${code}, ${holder}`;
    }
    if (register === 'allow') return `${allow[index]!.cidr}, ${allow[index]!.owner}`;
    return `${this.#cidr(index)}, ${servers[index]!.operator}`;
  }

  #cidr(index: number): string {
    return prefixText(this.#register.prefixOf(index));
  }

  #server(entry: ServerEntry, index: number, time: number): object {
    const { operator, role, dates, domains, egress, ratePerHour, licence, line } = entry;
    return {
      cidr: this.#cidr(index),
      operator,
      role: roleNames[role],
      state: serverStateNames[stateAt(dates, time)],
      filed_at: moment(dates.filed),
      starts_at: moment(dates.starts),
      change_filed_at: moment(dates.changeFiled),
      changes_at: moment(dates.changes),
      retires_at: moment(dates.retires),
      domains: domains.slice(0, 20),
      egress,
      rate_per_hour: ratePerHour,
      licence,
      line,
    };
  }
}

/** A page of entries whose view contains the text that is looked for. */
function pageOf<Entry>(
  entries: readonly Entry[],
  { find, from, limit }: RegisterWish,
  view: (entry: Entry, index: number) => object,
): { readonly entries: readonly object[]; readonly next: number | null } {
  const found: object[] = [];
  const text = find.toLowerCase();
  for (let at = from; at < entries.length; at++) {
    if (found.length === limit) return { entries: found, next: at };
    const one = view(entries[at]!, at);
    if (text === '' || JSON.stringify(one).toLowerCase().includes(text)) found.push(one);
  }
  return { entries: found, next: null };
}

function codeView(
  { code, holder, service, issued, expires, withdrawn, sources, line }: CodeEntry,
  time: number,
): object {
  const state = time >= withdrawn ? 'withdrawn' : time >= expires ? 'expired' : 'valid';
  return {
    code,
    holder,
    service: serviceNames[service],
    state,
    issued_on: moment(issued),
    expires_on: moment(expires),
    withdrawn_on: moment(withdrawn),
    source_cidrs: sources,
    line,
  };
}

function allowView({ cidr, owner, reason, until, line }: AllowEntry, time: number): object {
  return { cidr, owner, reason, until: moment(until), over: time >= until, line };
}
