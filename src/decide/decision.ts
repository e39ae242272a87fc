// What policy says: alerts (a detector spoke) and decisions (the block list changed, or would
// have). Here are their shapes and who takes them; `policy.ts` makes them, `explain.ts` words them.

import type { Mode, Proof, RuleMeta, Sample, Severity, Subject } from '../detect/finding.js';
import type { Guard } from './guards.js';

/** What is done about a source. `allow` comes from a person only. */
export type DecisionAction = 'limit' | 'block' | 'allow';

/**
 * - added: a new entry of the list
 * - extended: the same entry lives longer, because the source goes on
 * - expired: its time is over and nothing renewed it
 * - released: taken back before its time: a person did, or a stronger entry took its place
 */
export type DecisionState = 'added' | 'extended' | 'expired' | 'released';

/** What an entry is about, beside the source: never more than these ports. */
export interface Scope {
  readonly proto: 'tcp';
  /** TCP destination ports. */
  readonly dport: readonly number[];
  /** out: from an own customer to the world; in: from the world to own servers. */
  readonly direction: 'in' | 'out';
  /** Of a limit: messages an hour and how many at once; absent in a block. */
  readonly rate?: number;
  readonly burst?: number;
}

/** One source on the list, with everything that it must carry (detection.md 5.2). */
export interface Decision {
  /** `bl_` and 20 hexadecimal digits; the same in every replay of the same packets. */
  readonly id: string;
  readonly cidr: string;
  /** What the finding spoke of: the address, where `cidr` is its customer's prefix. */
  readonly subject: string;
  readonly action: DecisionAction;
  readonly state: DecisionState;
  readonly scope: Scope;
  readonly rule: Pick<RuleMeta, 'id' | 'version' | 'sha256'>;
  /** The title of the rule. */
  readonly title: string;
  /** The effective mode: in `observe` nothing is published. */
  readonly mode: Mode;
  /** Step of the ladder, from 1; 0 for a limit of a source that was never blocked. */
  readonly level: number;
  /** Microseconds since 1970: this change, and the entry's first and last moment. */
  readonly time: number;
  readonly created: number;
  readonly until: number;
  /** First and last finding of any rule about this source, microseconds. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly profile: string;
  /** Articles that the rule names for this profile. */
  readonly legal: readonly string[];
  readonly severity: Severity;
  /** Posterior probability (`confidence` in fusion.ts); null where the rule gives no likelihood. */
  readonly confidence: number | null;
  readonly role: string;
  /** Customers behind the address; 1 where it is not shared. */
  readonly cgnat: number;
  readonly sensor: string | undefined;
  /** Share of connections with both directions, and of bytes lost, when it was decided. */
  readonly symmetry: number;
  readonly loss: number;
  /** Version of the register it was decided with. */
  readonly register: string;
  readonly evidence: Readonly<Record<string, number | string>>;
  /** Findings of other rules that made it a block: `core.dialect`. */
  readonly corroborators: readonly string[];
  readonly samples: readonly Sample[];
  /** Who hears an appeal, and until when one that comes at once is decided, in microseconds. */
  readonly appeal: { readonly url?: string; readonly contact?: string; readonly due: number };
  /** The entry that this one takes the place of. */
  readonly supersedes: string | null;
  /** Why it is this action and no stronger one: names of guards, see `guards.ts`. */
  readonly guards: readonly Guard[];
  /** Why this source, why now, and what ends it, in plain English. */
  readonly explanation: string;
}

export interface DecisionSink {
  decision(decision: Decision): void;
}

/** A detector spoke: once per subject and rule, until it clears or its proof rises. */
export interface Alert {
  readonly rule: Pick<RuleMeta, 'id' | 'version' | 'title'>;
  readonly subject: Subject;
  /** Microseconds since 1970. */
  readonly time: number;
  readonly severity: Severity;
  readonly proof: Proof | undefined;
  readonly evidence: Readonly<Record<string, number | string>>;
  readonly samples: readonly Sample[];
  readonly flow: AlertFlow | undefined;
  readonly degraded: boolean;
  /** What keeps policy from acting, names of guards; empty where nothing does. */
  readonly guards: readonly Guard[];
  readonly explanation: string;
}

/** The one connection that triggered an alert. */
export interface AlertFlow {
  readonly id: string;
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_ip: string;
  readonly dest_port: number;
}

export interface AlertSink {
  alert(alert: Alert): void;
}
