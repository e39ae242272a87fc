// What the lookup thread counts, as slots of a Float64Array in shared memory: the thread writes,
// the main thread reads whenever it likes. The names are those of the figures outside.

import { Histogram, slotsOf } from '../../lib/histogram.js';

/** In the order of their slots. The last group are states, the others only grow. */
const lookupFigureNames = [
  // Questions to the DNSBL, and what became of them.
  'dns_udp',
  'dns_tcp',
  'dns_blocked',
  'dns_limited',
  'dns_unlisted',
  'dns_about_zone',
  /** The name is there, the type is not; a part of an address is such a name. */
  'dns_no_data',
  'dns_outside',
  'dns_malformed',
  'dns_not_supported',
  /** No message, or an answer: nothing goes back. */
  'dns_dropped',
  /** Asked after the list had died. */
  'dns_stale',
  /** Over the rate of their source: told to come by TCP, or not answered. */
  'dns_rate_truncated',
  'dns_rate_dropped',
  /** Did not fit, told to come by TCP. */
  'dns_truncated',
  /** Answers that the socket did not take. */
  'dns_unsent',
  'dns_connections',
  'dns_connections_refused',
  'dns_connections_closed',
  // The policy server.
  'policy_requests',
  'policy_passed',
  'policy_deferred',
  'policy_rejected',
  'policy_stale',
  'policy_malformed',
  'policy_oversize',
  'policy_connections',
  'policy_connections_refused',
  'policy_timeouts',
  /** Sources that were forgotten because too many are limited at once. */
  'policy_forgotten',
  'updates',
  // States.
  'revision',
  'entries',
  'index_bytes',
  'policy_sources',
] as const;

/** Seconds from a datagram's arrival in the thread to its answer; every sixteenth is measured. */
export const answerBounds_s = [
  0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.001, 0.005, 0.025, 0.1, 1,
];

export type LookupFigure = (typeof lookupFigureNames)[number];

/** The named ones, and behind them the histogram of answers. */
const namedCount = lookupFigureNames.length;
export const lookupFigureCount = namedCount + slotsOf(answerBounds_s);

/** Where a thread counts how long its answers took, or another one reads it. */
export function answerTimes(values: Float64Array): Histogram {
  return new Histogram(answerBounds_s, values.subarray(namedCount));
}

const slots = new Map<string, number>(lookupFigureNames.map((name, slot) => [name, slot]));

/** The slot of a figure. */
export function slotOf(name: LookupFigure): number {
  return slots.get(name)!;
}

/** All of them by name. */
export function lookupFigures(values: Float64Array): Readonly<Record<LookupFigure, number>> {
  const entries = lookupFigureNames.map((name, slot) => [name, values[slot]!]);
  return Object.fromEntries(entries) as Record<LookupFigure, number>;
}
