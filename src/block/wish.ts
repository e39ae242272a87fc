// What a person asks of the list, why it can be refused, and what surrounds the list: who is
// protected, who learns from what people say.

import type { DecisionAction, Scope } from '../decide/decision.js';
import type { Guard } from '../decide/guards.js';
import type { Prefix } from '../lib/prefix.js';
import { appealDue } from './appeal.js';
import type { Entry } from './entry.js';

/** Why an operation was refused; a door turns it into its own words. */
export type Refusal =
  | 'unknown'
  | 'ended'
  | 'allowed'
  | 'protected'
  | 'full'
  | 'invalid'
  | 'exists'
  | 'not-yet';

export class ListError extends Error {
  override name = 'ListError';
  readonly refusal: Refusal;

  constructor(refusal: Refusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

/** Who must not be listed, as register, address plan and allow-list know it. */
export type Protection = (prefix: Prefix, time: number) => Guard | null;

/** Who wants to know what people said about entries: policy, which learns from it. */
export interface Verdicts {
  /** A person, or the clock of an appeal, released an automatic entry. */
  released(entry: Entry): void;
  /** Since when a rule only observes, microseconds; null: it acts again. */
  demoted(rule: { readonly id: string; readonly sha256: string }, since: number | null): void;
}

/** What the list is made with, and what surrounds it. */
export interface Surroundings {
  readonly protection: Protection;
  readonly verdicts: Verdicts;
  readonly appeal: { readonly url?: string | undefined; readonly contact?: string | undefined };
}

/** What happened to decisions, and operations that were refused. */
export interface ListCounters {
  added: number;
  extended: number;
  expired: number;
  released: number;
  superseded: number;
  /** Decisions that were only observed: by mode, by a demoted rule, in the grace of a release. */
  observed: number;
  demoted: number;
  graced: number;
  /** Decisions about entries that ended or were never there. */
  stale: number;
  refused_allowed: number;
  refused_protected: number;
  refused_full: number;
  appeals: number;
  wrong: number;
}

/** What a person asks for. Times in microseconds since 1970. */
export interface ManualEntry {
  readonly cidr: string;
  readonly action: DecisionAction;
  readonly until: number | null;
  readonly owner: string;
  readonly reason: string;
  readonly scope?: Partial<Omit<Scope, 'proto'>> | undefined;
  /** List one registered server all the same; never a prefix that has one inside. */
  readonly overrule?: boolean | undefined;
}

export interface Release {
  readonly reason: string;
  readonly wrong: boolean;
}

const usualPorts = [25];
const usualRate = { rate: 25, burst: 10 };

/** The entry that a person gets for a wish; `hex` are the 20 digits of its id. */
export function manualEntry(
  wish: ManualEntry,
  cidr: string,
  hex: string,
  now: number,
  appeal: Surroundings['appeal'],
): Omit<Entry, 'revision'> {
  const { url, contact } = appeal;
  const { action, until, owner, reason, scope } = wish;
  const base = {
    proto: 'tcp',
    dport: scope?.dport ?? usualPorts,
    direction: scope?.direction ?? 'out',
  } as const;
  const rate = { rate: scope?.rate ?? usualRate.rate, burst: scope?.burst ?? usualRate.burst };
  return {
    id: `bl_${hex}`,
    cidr,
    subject: cidr,
    action,
    scope: action === 'limit' ? { ...base, ...rate } : base,
    rule: null,
    title: 'Entry of a person',
    origin: 'manual',
    owner,
    reason,
    level: 0,
    created: now,
    until,
    firstSeen: now,
    lastSeen: now,
    profile: '',
    legal: [],
    severity: null,
    confidence: null,
    role: '',
    cgnat: 1,
    sensor: undefined,
    symmetry: 1,
    loss: 0,
    register: '',
    evidence: {},
    corroborators: [],
    samples: [],
    appeal: {
      ...(url !== undefined && { url }),
      ...(contact !== undefined && { contact }),
      due: now + appealDue,
    },
    supersedes: null,
    guards: [],
    explanation: reason,
  };
}

/** Counters of a list that was just opened. */
export function noCounters(): ListCounters {
  return {
    added: 0,
    extended: 0,
    expired: 0,
    released: 0,
    superseded: 0,
    observed: 0,
    demoted: 0,
    graced: 0,
    stale: 0,
    refused_allowed: 0,
    refused_protected: 0,
    refused_full: 0,
    appeals: 0,
    wrong: 0,
  };
}
