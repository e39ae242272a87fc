// What the main thread tells the lookup thread, and hears from it. Plain data.

import type { ZoneOptions } from '../dnsbl/answer.js';
import type { Listener } from '../dnsbl/sockets.js';
import type { Limit } from '../policy/meter.js';
import type { ListUpdate } from './listed.js';
import type { Appeal } from './wording.js';

export interface DnsblOrder {
  readonly listener: Listener;
  readonly zone: ZoneOptions;
  /** Answers a second by UDP for one prefix; 0: no limit. */
  readonly rate: number;
  /** Prefixes of those who are not limited, as text that was checked. */
  readonly trusted: readonly string[];
}

export interface PolicyOrder {
  readonly listener: Listener;
  readonly appeal: Appeal;
  /** Recipients an hour and at once, of limits that do not say it themselves. */
  readonly limit: Limit;
}

/** What is to be opened; null: not. */
export interface LookupDoors {
  readonly dnsbl: DnsblOrder | null;
  readonly policy: PolicyOrder | null;
}

export interface LookupOrder extends LookupDoors {
  readonly seed: number;
  /** See `figures.ts`. */
  readonly figures: SharedArrayBuffer;
  readonly update: ListUpdate;
}

export type ToThread = ListUpdate | 'close';

/** Ports that were opened, 0 for what was not asked for. */
export interface Ports {
  readonly dnsbl: number;
  readonly policy: number;
}

export type FromThread = { readonly ports: Ports } | { readonly problem: string };
