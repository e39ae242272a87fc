// Who an entry would be about: a finding's subject in the eyes of the register, the address plan
// and the allow-list. Policy asks here before it does anything.

import type { Subject } from '../detect/finding.js';
import { clearStrayBits, Prefix, prefixText } from '../lib/prefix.js';
import { Place, type Register } from '../register/register.js';
import { roleNames, ServerState, stateAt } from '../register/server.js';
import type { Standing } from './guards.js';

const ipv4Extra = 96;

/** Standings as one register knows them; make another for another register. */
export class Standings {
  readonly #register: Register;
  readonly #place = new Place();
  readonly #prefix = new Prefix();
  /** By length: networks that hold something protected, made when a length is first asked for. */
  readonly #holders = new Map<number, Set<string>>();

  constructor(register: Register) {
    this.#register = register;
  }

  /** The standing of `subject` as of `time` in microseconds. */
  of(subject: Subject, time: number): Standing {
    const [w0, w1, w2, w3] = subject.words;
    const place = this.#place;
    place.point(w0, w1, w2, w3);
    this.#register.lookup(place, time);
    const isIpv4 = !subject.cidr.includes(':');
    const extra = isIpv4 ? ipv4Extra : 0;
    const given = subject.bits + extra;
    // Strangers may share a /64 with strangers: only the plan's own customers are a prefix.
    const customer = place.own ? place.customerBits + extra : 128;
    const wide = given < customer;
    // One customer's prefix with somebody protected inside: the one address, not its neighbours.
    const narrow = wide || (customer < 128 && this.#holds(customer));
    const bits = narrow ? given : customer;
    return {
      cidr: this.#text(bits),
      wide,
      own: place.own,
      role: this.#role(time),
      cgnat: place.cgnat,
      allowed: this.#register.allowedBy(place, time) >= 0,
      protects: !wide && bits < 128 && this.#holds(bits),
    };
  }

  /** The role of the place; an address that a server says it sends from has the server's. */
  #role(time: number): string {
    const place = this.#place;
    const sender = place.server < 0 ? this.#register.egressOf(place) : -1;
    if (sender >= 0) {
      const entry = this.#register.servers[sender]!;
      const state = stateAt(entry.dates, time);
      if (state !== ServerState.retired) return roleNames[entry.role]!;
    }
    return roleNames[place.role]!;
  }

  #text(bits: number): string {
    this.#point(bits);
    return prefixText(this.#prefix);
  }

  /** Points the prefix at the network of the place with so many bits. */
  #point(bits: number): void {
    const { w0, w1, w2, w3 } = this.#place;
    Object.assign(this.#prefix, { w0, w1, w2, w3, bits });
    clearStrayBits(this.#prefix);
  }

  /** Whether the network of the place with so many bits has something protected inside. */
  #holds(bits: number): boolean {
    let holders = this.#holders.get(bits);
    if (holders === undefined) {
      const found = new Set<string>();
      // Only IPv6 customers have a prefix of their own, so only IPv6 can lie inside of one.
      this.#register.eachProtected((one) => {
        if (!one.isIpv4 && one.bits > bits) found.add(key(one, bits));
      });
      this.#holders.set(bits, found);
      holders = found;
    }
    return holders.has(key(this.#place, bits));
  }
}

const masked = new Prefix();

function key({ w0, w1, w2, w3 }: Pick<Prefix, 'w0' | 'w1' | 'w2' | 'w3'>, bits: number): string {
  Object.assign(masked, { w0, w1, w2, w3, bits });
  clearStrayBits(masked);
  return `${masked.w0} ${masked.w1} ${masked.w2} ${masked.w3}`;
}
