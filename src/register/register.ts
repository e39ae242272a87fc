// The register as the detectors see it: what an address is as of a time. Built once, immutable; a
// reload makes another one, which is swapped in between two batches. `load.ts` reads the files.

import { Prefix, readPrefix } from '../lib/prefix.js';
import type { PrefixMap } from '../lib/prefix-map.js';
import type { AllowEntry } from './allow.js';
import { domainKey } from './cells.js';
import type { Codes } from './code.js';
import { OwnedPrefixes } from './owned.js';
import {
  type Notice,
  Role,
  type ServerDates,
  type ServerEntry,
  ServerState,
  stateAt,
} from './server.js';

/** One entry of the address plan. */
export interface Pool {
  readonly cidr: string;
  /** A number of `Role`. */
  readonly role: number;
  /** Customers behind one address; 1: not shared. */
  readonly cgnat: number;
  /** Length of an IPv6 prefix that is one customer. */
  readonly customerBits: number;
}

/** The parts of a register; each map of prefixes has the numbers of its entries. */
export interface RegisterParts {
  readonly version: string;
  readonly notice: Notice;
  readonly own: PrefixMap;
  readonly pools: readonly Pool[];
  readonly poolPrefixes: PrefixMap;
  readonly servers: readonly ServerEntry[];
  readonly serverPrefixes: PrefixMap;
  readonly allow: readonly AllowEntry[];
  readonly allowPrefixes: PrefixMap;
  readonly codes: Codes;
}

/** What a prefix of foreign IPv6 space stands for: one customer of somebody (RFC 6177 practice). */
export const customerBits6 = 64;

/**
 * An address, and what `Register.lookup` found out about it. Made once, pointed at one address
 * after the other.
 */
export class Place {
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  /** In the provider's own prefixes or in a pool of its address plan. */
  own = false;
  /** A number of `Role`. Entries that wait or change have the role of the register. */
  role: number = Role.foreign;
  /** Customers behind the address; 1: not shared. */
  cgnat = 1;
  /**
   * Length of the prefix that is one customer: 32 for IPv4; 64, or what the plan says, for IPv6.
   */
  customerBits = 32;
  /** Number of the entry in `Register.servers`, also of one that is retired; else -1. */
  server = -1;
  /** A number of `ServerState`. */
  state: number = ServerState.none;

  /**
   * Points at an address, four int32 words, IPv4 as 0, 0, 0xffff, a. The rest is of no use then.
   */
  point(w0: number, w1: number, w2: number, w3: number): void {
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
  }
}

export class Register {
  /** Tells registers apart: 16 hexadecimal digits over everything that was read. */
  readonly version: string;
  readonly servers: readonly ServerEntry[];
  readonly pools: readonly Pool[];
  readonly allow: readonly AllowEntry[];
  readonly codes: Codes;
  readonly notice: Notice;
  readonly #own: PrefixMap;
  readonly #pools: PrefixMap;
  readonly #servers: PrefixMap;
  readonly #allow: PrefixMap;
  readonly #egress: OwnedPrefixes;
  readonly #hosts: Hosts;
  readonly #relayClients: OwnedPrefixes;

  constructor(parts: RegisterParts) {
    this.version = parts.version;
    this.notice = parts.notice;
    this.servers = parts.servers;
    this.pools = parts.pools;
    this.allow = parts.allow;
    this.codes = parts.codes;
    this.#own = parts.own;
    this.#pools = parts.poolPrefixes;
    this.#servers = parts.serverPrefixes;
    this.#allow = parts.allowPrefixes;
    this.#egress = new OwnedPrefixes(parts.servers.map(({ egress }) => egress));
    this.#hosts = new Hosts(parts.servers);
    this.#relayClients = new OwnedPrefixes(parts.servers.map(({ relayClients }) => relayClients));
  }

  /** No own prefix and no pool is known: everything is foreign. */
  get knowsNothingOwn(): boolean {
    return this.#own.list.count === 0 && this.pools.length === 0;
  }

  /** Fills `place` for the address that it points at, as of `time` (microseconds since 1970). */
  lookup(place: Place, time: number): void {
    const { w0, w1, w2, w3 } = place;
    const isIpv4 = w2 === 0xffff && w0 === 0 && w1 === 0;
    const pool = this.#pools.find(w0, w1, w2, w3);
    place.cgnat = 1;
    place.customerBits = isIpv4 ? 32 : customerBits6;
    if (pool >= 0) {
      const { role, cgnat, customerBits } = this.pools[pool]!;
      place.own = true;
      place.role = role;
      place.cgnat = cgnat;
      if (!isIpv4) place.customerBits = customerBits;
    } else {
      place.own = this.#own.find(w0, w1, w2, w3) >= 0;
      place.role = place.own ? Role.unregisteredServer : Role.foreign;
    }
    place.server = this.#entryAt(this.#servers.find(w0, w1, w2, w3), time);
    if (place.server < 0) {
      place.state = ServerState.none;
      return;
    }
    const entry = this.servers[place.server]!;
    place.state = stateAt(entry.dates, time);
    if (place.state === ServerState.retired) return;
    place.role = entry.role;
    // Neighbours of a server are not the server.
    if (!isIpv4) place.customerBits = 128;
  }

  /**
   * Number of the entry of `allow` that covers the address as of `time`, or -1. An entry that is
   * over does not hide a wider one that is not.
   */
  allowedBy(place: Place, time: number): number {
    let index = this.#allow.find(place.w0, place.w1, place.w2, place.w3);
    while (index >= 0 && time >= this.allow[index]!.until) index = this.#allow.parents[index]!;
    return index;
  }

  /** Whether one of the provider's own prefixes covers all of `prefix`. */
  ownsAll({ w0, w1, w2, w3, bits }: Prefix): boolean {
    let index = this.#own.find(w0, w1, w2, w3);
    while (index >= 0 && this.#own.list.bits(index) > bits) index = this.#own.parents[index]!;
    return index >= 0;
  }

  /** Number of the server that says it sends from the address beside its own (`egress`), or -1. */
  egressOf(place: Place): number {
    return this.#egress.ownerOf(place);
  }

  /** Whether `server` sends from the address: its own, or one of its `egress`. */
  sendsFrom(server: number, place: Place): boolean {
    if (this.#egress.has(server, place)) return true;
    let index = this.#servers.find(place.w0, place.w1, place.w2, place.w3);
    while (index >= 0 && index !== server) index = this.#servers.parents[index]!;
    return index >= 0;
  }

  /** Prefix of entry `server`. */
  prefixOf(server: number): Prefix {
    const prefix = new Prefix();
    this.#servers.list.read(server, prefix);
    return prefix;
  }

  /**
   * Shows every prefix that no list may hit: of servers, of what they send from, of the allow-list.
   * The prefix is the same object each time.
   */
  eachProtected(see: (prefix: Prefix) => void): void {
    const prefix = new Prefix();
    for (const { list } of [this.#servers, this.#allow]) {
      for (let index = 0; index < list.count; index++) {
        list.read(index, prefix);
        see(prefix);
      }
    }
    for (const { egress } of this.servers) {
      for (const text of egress) if (readPrefix(text, prefix)) see(prefix);
    }
  }

  /** Whether the address may send to anybody through `server`. */
  mayRelay(server: number, place: Place): boolean {
    return this.#relayClients.has(server, place);
  }

  /** Whether `server` takes mail for the domain, in any case, as an A- or U-label. */
  hosts(server: number, domain: string): boolean {
    return this.#hosts.has(domain, server);
  }

  /** Whether any server of the register takes mail for the domain. */
  hosted(domain: string): boolean {
    return this.#hosts.has(domain, -1);
  }

  /**
   * Of the entries with one prefix, the one that counts as of `time`: the one in force, else the
   * next to come, else the last that retired.
   */
  #entryAt(first: number, time: number): number {
    if (first < 0) return first;
    let best = first;
    for (let index = first; index >= 0; index = this.#servers.twin(index)) {
      const { dates } = this.servers[index]!;
      const state = stateAt(dates, time);
      if (state === ServerState.active || state === ServerState.changing) return index;
      if (this.#isNearer(dates, this.servers[best]!.dates, time)) best = index;
    }
    return best;
  }

  /** Of two that are not in force: one to come before one that is over, then the one closer. */
  #isNearer(a: ServerDates, b: ServerDates, time: number): boolean {
    const isOver = time >= a.retires;
    if (isOver !== time >= b.retires) return !isOver;
    if (isOver) return a.retires > b.retires;
    return a.from < b.from;
  }
}

/** Domains and the servers that take mail for them. */
class Hosts {
  /** One number, or a list where several take mail for a domain: most have one. */
  readonly #servers = new Map<string, number | number[]>();
  #hasWild = false;

  constructor(servers: readonly ServerEntry[]) {
    servers.forEach(({ domains }, index) => {
      for (const domain of domains) {
        this.#hasWild ||= domain.startsWith('*');
        const some = this.#servers.get(domain);
        if (some === undefined) this.#servers.set(domain, index);
        else if (typeof some === 'number') this.#servers.set(domain, [some, index]);
        else some.push(index);
      }
    });
  }

  /** `server` -1 is any. */
  has(domain: string, server: number): boolean {
    if (this.#servers.size === 0) return false;
    const key = domainKey(domain);
    if (this.#hasKey(key, server)) return true;
    if (!this.#hasWild) return false;
    for (let dot = key.indexOf('.'); dot >= 0; dot = key.indexOf('.', dot + 1)) {
      if (this.#hasKey(`*${key.slice(dot)}`, server)) return true;
    }
    return false;
  }

  #hasKey(key: string, server: number): boolean {
    const some = this.#servers.get(key);
    if (some === undefined || server < 0) return some !== undefined;
    return typeof some === 'number' ? some === server : some.includes(server);
  }
}

/** A place that points at a prefix's first address, for commands and tests. */
export function placeOf(prefix: Prefix): Place {
  const place = new Place();
  place.point(prefix.w0, prefix.w1, prefix.w2, prefix.w3);
  return place;
}
