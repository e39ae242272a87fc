// What all rules share: the pages of their sets, the memory of sessions, lists, and the register's
// answers to what a bucket asks of it.

import { CodeState } from '../register/code.js';
import type { Register } from '../register/register.js';
import { Label } from '../smtp/label.js';
import type { Limit } from './bucket/leaky.js';
import type { Facts } from './facts.js';
import { Slot } from './fields.js';
import type { PrefixList } from './fold.js';
import type { Shared } from './rule.js';
import { RecentPairs } from './state/recent.js';
import { Tallies } from './state/tally.js';

/** For each subject of the largest table: pages of 16 and of 64 things, sessions of a rule. */
const smallShare = 1 / 4;
const largeShare = 1 / 8;
const sessionShare = 1;

/** Faults of a code in the words of `labelFaults`. */
const faults: Readonly<Record<number, string>> = {
  [CodeState.unknown]: 'unknown-code',
  [CodeState.expired]: 'expired-code',
  [CodeState.withdrawn]: 'withdrawn-code',
  [CodeState.wrongService]: 'wrong-service',
  [CodeState.foreignSource]: 'foreign-source',
};

/** `register` gives the one in force; `subjects` is the room of the largest table. */
export function sharedOf(
  register: () => Register,
  subjects: number,
): Shared & { lists: Shared['lists'] } {
  const noLists: ReadonlyMap<string, PrefixList> = new Map();
  return {
    tallies: new Tallies(Math.ceil(subjects * smallShare), Math.ceil(subjects * largeShare)),
    sessions: new RecentPairs(Math.ceil(subjects * sessionShare), true),
    lists: noLists,
    declared: (facts) => declared(register(), facts),
    labelFault: (facts) => labelFault(register(), facts),
  };
}

function declared(register: Register, facts: Facts): Limit | null {
  const entry = register.servers[facts.src.server];
  if (entry === undefined || entry.ratePerHour === null) return null;
  return { rate: entry.ratePerHour, burst: entry.burst ?? Math.max(1, entry.ratePerHour / 4) };
}

/** Order 38/2006 art. 13(3), Circular 12/2008 II. */
function labelFault(register: Register, facts: Facts): string {
  const { row, src } = facts;
  if (row.label === Label.none) {
    const entry = register.servers[src.server];
    return entry?.advertiser === true && facts.values[Slot.mailBytes]! > 0 ? 'missing' : '';
  }
  const codes = facts.labelCodes;
  if (codes === '' || register.codes.entries.length === 0) return '';
  let worst = '';
  for (const code of codes.split(',')) {
    const fault = faults[register.codes.judge(code, facts.time, src)];
    if (fault === 'withdrawn-code') return fault;
    if (fault !== undefined) worst = fault;
  }
  return worst;
}
