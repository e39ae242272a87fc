// The ground of a world: which addresses the ISP has and what it uses them for, and the mail
// domains outside. Everything lies in documentation and benchmark space (RFC 5737, RFC 3849, RFC
// 2544).

import type { Rng } from '../generate/rng.js';

/** Consecutive IPv4 addresses. */
export class Range {
  readonly first: number;
  readonly count: number;
  readonly cidr: string;

  /** `cidr` as in 198.18.0.0/18. */
  constructor(cidr: string) {
    const [address, bits] = cidr.split('/');
    const [a, b, c, d] = address!.split('.').map(Number);
    this.first = ((a! * 256 + b!) * 256 + c!) * 256 + d!;
    this.count = 2 ** (32 - Number(bits));
    this.cidr = cidr;
  }

  /** Address number `n` as text, from 1 on; wraps, and leaves out 0 and 255. */
  at(n: number): string {
    const usable = Math.max(1, Math.floor(this.count / 256)) * Math.min(254, this.count - 2);
    const index = n % usable;
    const perBlock = Math.min(254, this.count - 2);
    const value = this.first + Math.floor(index / perBlock) * 256 + 1 + (index % perBlock);
    return quad(value);
  }

  has(address: string): boolean {
    if (address.includes(':')) return false;
    const [a, b, c, d] = address.split('.').map(Number);
    const value = ((a! * 256 + b!) * 256 + c!) * 256 + d!;
    return value >= this.first && value < this.first + this.count;
  }
}

function quad(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
}

/** The address plan of an ISP. */
export interface Ground {
  readonly own: readonly Range[];
  readonly own6: string;
  readonly dynamic: Range;
  readonly static: Range;
  /** Addresses that `sharing` homes have together. */
  readonly shared: Range;
  readonly sharing: number;
  readonly infrastructure: Range;
  /** Own space that the plan gives no role: where servers are housed. */
  readonly housing: Range;
  /** IPv6 customers: a /64 each under this prefix. */
  readonly dynamic6: string;
  readonly domains: Domains;
}

export interface Domain {
  readonly name: string;
  readonly servers: readonly string[];
  /** Takes every recipient and sorts out later. */
  readonly takesAll: boolean;
  /** Asks strangers to come again. */
  readonly greylists: boolean;
  /** Refuses clients in dynamic ranges or on a list. */
  readonly checks: boolean;
}

/** What is the matter with a domain for a while. */
export interface Outage {
  readonly domain: Domain;
  /** Microseconds. */
  readonly from: number;
  readonly to: number;
  /** No answer, 421 to everybody, or a directory that knows nobody. */
  readonly how: 'silent' | 'down' | 'amnesia';
}

/** The mail domains of the rest of the world, few of them large. */
export class Domains {
  readonly all: readonly Domain[];
  readonly outages: Outage[] = [];

  constructor(rng: Rng, count: number, space: Range) {
    const taken = new Set<number>();
    const free = (block: number) => {
      let host = rng.int(serversOfBlock);
      while (taken.has(block * 254 + host)) host = (host + 1) % serversOfBlock;
      taken.add(block * 254 + host);
      return space.at(block * 254 + host);
    };
    this.all = Array.from({ length: count }, (_, at): Domain => {
      // The first ones are large providers with several servers, as most mail goes to such.
      const servers = at < 6 ? 6 : rng.between(1, 2);
      const block = (at * 7919) % blocks;
      return {
        name: `d${at}.example`,
        servers: Array.from({ length: servers }, () => free(block)),
        takesAll: rng.chance(0.1),
        greylists: rng.chance(0.08),
        checks: rng.chance(0.6),
      };
    });
  }

  /** What is the matter with a domain at a time; null when nothing is. */
  outage(domain: Domain, time: number): Outage['how'] | null {
    for (const one of this.outages) {
      if (one.domain === domain && time >= one.from && time < one.to) return one.how;
    }
    return null;
  }

  /** A domain, large ones often. */
  any(rng: Rng): Domain {
    if (rng.chance(0.45)) return this.all[rng.int(Math.min(6, this.all.length))]!;
    return rng.pick(this.all);
  }

  /** A domain, each as often as another, as in a bought list. */
  even(rng: Rng): Domain {
    return rng.pick(this.all);
  }
}

/** Everybody else: 250 networks of 254, in each first the servers of mail domains. */
const outside = new Range('198.19.0.0/16');
const blocks = 250;
const serversOfBlock = 60;

/** The large ISP of the evaluation: a /16, of which 16,000 dynamic homes. */
export function largeGround(rng: Rng): Ground {
  return {
    own: [new Range('198.18.0.0/16')],
    own6: '2001:db8:25::/48',
    dynamic: new Range('198.18.0.0/18'),
    static: new Range('198.18.64.0/19'),
    shared: new Range('198.18.96.0/22'),
    sharing: 16,
    infrastructure: new Range('198.18.104.0/24'),
    housing: new Range('198.18.112.0/20'),
    dynamic6: '2001:db8:25:4',
    domains: new Domains(rng, 600, outside),
  };
}

/** The small ISP of the demonstration. */
export function smallGround(rng: Rng): Ground {
  return {
    own: [new Range('203.0.113.0/24')],
    own6: '2001:db8:25::/48',
    dynamic: new Range('203.0.113.0/25'),
    static: new Range('203.0.113.128/27'),
    shared: new Range('203.0.113.192/28'),
    sharing: 16,
    infrastructure: new Range('203.0.113.240/28'),
    housing: new Range('203.0.113.160/27'),
    dynamic6: '2001:db8:25:4',
    domains: new Domains(rng, 60, outside),
  };
}

/** An address outside, for clients: not one of a mail domain, and few of them in each /24. */
export function strangerAt(n: number): string {
  const host = serversOfBlock + (Math.floor(n / blocks) % (254 - serversOfBlock));
  return outside.at(((n * 61) % blocks) * 254 + host);
}

/** Address of IPv6 customer `n`, a /64 of its own. */
export function customer6(ground: Ground, n: number): string {
  return `${ground.dynamic6}${n.toString(16).padStart(3, '0')}::b${(n % 4096).toString(16)}`;
}
