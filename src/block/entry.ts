// What stands on the block list: an entry with all that it must carry (detection.md 5.2), its short
// form for those who only enforce it, and what a change of the list is. No behaviour.

import type { Decision, DecisionAction, Scope } from '../decide/decision.js';

/** Where an entry comes from: from policy, or from a person who signs for it. */
export type Origin = 'automatic' | 'manual';

/** Who did something: the name of a token, `list` for the list itself, `public` for a stranger. */
export interface Actor {
  readonly name: string;
}

/** How an entry left the list. */
export type EndState = 'expired' | 'released' | 'superseded';

export interface Ending {
  readonly state: EndState;
  /** Microseconds since 1970. */
  readonly time: number;
  readonly by: string;
  readonly reason: string;
  /** It should never have been there. */
  readonly wrong: boolean;
  /** A person, or the clock of an appeal, let it out: two levels are forgiven. */
  readonly forgiven?: boolean;
  /** The revision of the list that is without it. */
  readonly revision: number;
}

type FromDecision = Omit<Decision, 'state' | 'mode' | 'time' | 'rule' | 'severity' | 'until'>;

/** A whole entry, as it is kept. Times are microseconds since 1970. */
export interface Entry extends FromDecision {
  readonly origin: Origin;
  /** The rule that decided; null for an entry of a person. */
  readonly rule: Decision['rule'] | null;
  readonly severity: Decision['severity'] | null;
  /** Exclusive; null: for ever, which only `allow` may be. */
  readonly until: number | null;
  /** Whose entry it is and why; a person's entry has both. */
  readonly owner: string | null;
  readonly reason: string | null;
  /** Nobody who acts on the list is told of it before a person has looked (`growth.ts`). */
  readonly held?: true;
  /** The revision that last changed it. */
  readonly revision: number;
  /** Absent while it stands on the list. */
  readonly ended?: Ending;
}

/** What those who enforce the list need to know of an entry; plain data that can cross threads. */
export interface ListedEntry {
  readonly id: string;
  readonly cidr: string;
  readonly action: DecisionAction;
  /** Microseconds since 1970, exclusive; null: for ever. */
  readonly until: number | null;
  readonly created: number;
  /** Id of the rule, `manual` for a person's entry. */
  readonly rule: string;
  readonly scope: Scope;
  readonly level: number;
  readonly revision: number;
  readonly held?: true;
}

/**
 * One step of the list. `added` and `changed` carry the entry as it is now, `removed` as it was.
 * Steps come in the order of their revisions, each exactly once, when they cannot be lost any more.
 */
export interface ListChange {
  readonly revision: number;
  readonly kind: 'added' | 'changed' | 'removed';
  /** Microseconds since 1970. */
  readonly time: number;
  readonly entry: ListedEntry;
  /** How it left; null unless removed. */
  readonly state: EndState | null;
}

export function listed(entry: Entry): ListedEntry {
  const { id, cidr, action, until, created, scope, level, revision } = entry;
  const rule = entry.rule?.id ?? 'manual';
  const held = entry.held === true ? ({ held: true } as const) : {};
  return { id, cidr, action, until, created, rule, scope, level, revision, ...held };
}
