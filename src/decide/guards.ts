// Guards: why less is done than the evidence justifies. They run before every action, and the first
// ones always win (detection.md 5.1, "Guards"). Pure; what they look at is handed in.

import { type Mode, modes } from '../detect/finding.js';

/**
 * Each guard with the words that follow "No automatic action: " or "Held to a limit: ".
 * The order is the order in which they are asked.
 */
export const guardWords = {
  'allow-list': 'the allow-list names it',
  'registered-server': 'a registered mail server is never limited or blocked automatically',
  infrastructure: "the provider's own infrastructure is never limited or blocked automatically",
  'protected-inside': 'a registered server or an address of the allow-list lies inside the prefix',
  prefix: 'a whole prefix is listed by a person only',
  network: 'it is about the network as a whole, not about a source',
  'no-handshake':
    'no completed handshake was seen, so the sender of the packets may have been forged',
  'capture-quality': 'too much of the traffic is missing on this sensor',
  'shared-address': 'the address is shared by several customers, and most of them are innocent',
  'circuit-breaker': 'more was to be blocked at once than can be right',
  'mode-limit': 'the mode allows limits only',
  'observe-period':
    'this rule only observes for now: it is new here, or a person took back what it said',
} as const;

export type Guard = keyof typeof guardWords;

/** Whom an entry would be about, as the register and the address plan know it. */
export interface Standing {
  /** The prefix of an entry: one address, or the one customer's IPv6 prefix. */
  readonly cidr: string;
  /** Longer than one customer: an automatic entry would hit neighbours. */
  readonly wide: boolean;
  readonly own: boolean;
  readonly role: string;
  /** Customers behind the address, 1 where it is not shared. */
  readonly cgnat: number;
  readonly allowed: boolean;
  /** Something registered or allow-listed lies inside the prefix. */
  readonly protects: boolean;
}

/** What else guards look at. */
export interface Circumstances {
  readonly handshake: boolean;
  /** The finding says so, or the sensor as a whole loses too much or sees one side too often. */
  readonly degraded: boolean;
  /** The lower of the global mode and the rule's. */
  readonly mode: Mode;
  /** The rule is in its first days here. */
  readonly observing: boolean;
  /** Asked last, and only for a block that nothing else held back. */
  readonly breaker: () => boolean;
}

export interface Guarded {
  readonly action: 'none' | 'limit' | 'block';
  readonly mode: Mode;
  /** What held it back, in the order of `guardWords`. */
  readonly guards: readonly Guard[];
}

/** Why nothing at all may happen to a source, or null. */
export function untouchable(standing: Standing): Guard | null {
  if (standing.allowed) return 'allow-list';
  if (standing.role === 'registered' || standing.role === 'registered-bulk') {
    return 'registered-server';
  }
  if (standing.role === 'infrastructure') return 'infrastructure';
  if (standing.protects) return 'protected-inside';
  return standing.wide ? 'prefix' : null;
}

/** What is left of an action. */
export function guarded(
  action: 'none' | 'limit' | 'block',
  standing: Standing,
  around: Circumstances,
): Guarded {
  const refusal = untouchable(standing) ?? (around.handshake ? null : 'no-handshake');
  if (refusal !== null) return { action: 'none', mode: around.mode, guards: [refusal] };
  const guards: Guard[] = [];
  if (action === 'block') {
    if (around.degraded) guards.push('capture-quality');
    if (standing.cgnat > 1) guards.push('shared-address');
    if (guards.length === 0 && !around.breaker()) guards.push('circuit-breaker');
    if (around.mode === 'limit') guards.push('mode-limit');
  }
  const left = guards.length > 0 ? 'limit' : action;
  const quiet = around.observing && around.mode !== 'observe';
  if (quiet) guards.push('observe-period');
  return { action: left, mode: quiet ? 'observe' : around.mode, guards };
}

export function lowerMode(one: Mode, other: Mode): Mode {
  return modes[Math.min(modes.indexOf(one), modes.indexOf(other))]!;
}
