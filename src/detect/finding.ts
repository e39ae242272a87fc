// What a detector says: the only thing that leaves detect/, and the input of decide/. A finding is
// evidence, not a verdict: whether anybody is limited or blocked for it is decided elsewhere.

/** Severity words, from the least to the worst; the index is the rank. */
export const severities = ['info', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** How far a rule may go by itself, from the least to the most; the index is the rank. */
export const modes = ['observe', 'limit', 'enforce'] as const;
export type Mode = (typeof modes)[number];

/** Proof levels of a finding that can rise; the index is the rank. */
export const proofs = ['suspected', 'probable', 'confirmed'] as const;
export type Proof = (typeof proofs)[number];

/** What a rule asks for. Times are seconds, rates are messages an hour. */
export interface Action {
  readonly do: 'block' | 'limit' | 'notify' | 'alert' | 'none';
  /** Roles of the subject that it is for; others are only told of. Absent: all. */
  readonly only?: readonly string[] | undefined;
  /** The proof from which on it is for; below it the program only tells. Absent: any. */
  readonly from?: Proof | undefined;
  /** TCP destination ports that the action is about; absent: 25. */
  readonly ports?: readonly number[] | undefined;
  readonly rate?: number | undefined;
  readonly burst?: number | undefined;
  /** How long a limit lives. */
  readonly for?: number | undefined;
  /** First block, then each further one, then the longest. */
  readonly ban_time?: number | undefined;
  readonly ban_increment?: readonly number[] | undefined;
  readonly ban_max?: number | undefined;
  /** Who is told: words of the rule file, such as server.owner. */
  readonly to?: readonly string[] | undefined;
  readonly also?: Action | undefined;
}

/** Findings of other rules that must stand beside this one before its strong action applies. */
export interface Corroboration {
  /** Rule ids; `complaint` stands for a complaint of a person. */
  readonly any: readonly string[];
  readonly count: number;
  /** Seconds between the two. */
  readonly within: number;
}

/** The part of a rule that policy and people read. The same object in all findings of a rule. */
export interface RuleMeta {
  readonly id: string;
  readonly title: string;
  readonly version: string;
  /** Of the rule's own YAML text, in hexadecimal. */
  readonly sha256: string;
  readonly status: 'experimental' | 'stable' | 'deprecated';
  readonly profiles: readonly string[];
  readonly legal: readonly string[];
  /** One word, or one per proof level. */
  readonly severity: Severity | Readonly<Record<Proof, Severity>>;
  readonly mode: Mode;
  /** Without corroboration, or always when the rule asks for none. */
  readonly action: Action;
  /** With corroboration. */
  readonly strongAction?: Action | undefined;
  readonly corroborate?: Corroboration | undefined;
  /** Innocent reasons for the same evidence, in the rule author's words. */
  readonly falsePositives: readonly string[];
}

/** One observation behind a finding. Never a mailbox, never a text of a reply. */
export interface Sample {
  /** Microseconds since 1970. */
  readonly time: number;
  readonly src_ip: string;
  readonly src_port: number;
  readonly dst: string;
  readonly dport: number;
  /** Class word of the HELO name, as in the field helo.class. */
  readonly helo_class: string;
  /** Class of the outcome and its code, as in `unknown-user 550`; empty where there is none. */
  readonly outcome: string;
}

/** The connection whose row triggered a finding. */
export interface FindingFlow {
  /** Decimal, as `flow_id` of the events. */
  readonly id: string;
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_ip: string;
  readonly dest_port: number;
}

/** The address or prefix a finding speaks of. */
export interface Subject {
  /** As RFC 5952 and RFC 4632 write it: 203.0.113.9/32. Empty: the network as a whole. */
  readonly cidr: string;
  /** Network address as four int32 words; an IPv4 address is 0, 0, 0xffff, word. */
  readonly words: readonly [number, number, number, number];
  /** Prefix length in the address's own family: 32 for one IPv4 address. */
  readonly bits: number;
  /** Role word of the address plan, such as customer-dynamic. */
  readonly role: string;
}

/**
 * - fires: the first time for this subject and rule, or again after it cleared
 * - rises: its proof level is higher than before
 * - again: the same, with evidence that is new; policy may extend what it decided
 * - clears: the condition is over, or its evidence is older than the rule remembers
 */
export type FindingState = 'fires' | 'rises' | 'again' | 'clears';

export interface Finding {
  readonly rule: RuleMeta;
  readonly subject: Subject;
  /** Microseconds since 1970: of the row, or of the tick that cleared it. */
  readonly time: number;
  readonly state: FindingState;
  readonly severity: Severity;
  readonly proof?: Proof | undefined;
  /** The numbers and short words that decided, by name. */
  readonly evidence: Readonly<Record<string, number | string>>;
  /** At most 10, oldest first. */
  readonly samples: readonly Sample[];
  readonly flow?: FindingFlow | undefined;
  /** The evidence rests on completed handshakes alone: nobody can have forged the address. */
  readonly handshake: boolean;
  /** A side of the dialogue that the rule needs was missing too often, or too much was lost. */
  readonly degraded: boolean;
  /** Index in the register of the server it speaks of; absent where it speaks of none. */
  readonly server?: number | undefined;
}

/** Who takes findings. Called in the order of the rows; the object is the receiver's to keep. */
export interface FindingSink {
  finding(finding: Finding): void;
}

/** The severity of a rule at a proof level. */
export function severityOf(rule: Pick<RuleMeta, 'severity'>, proof: Proof | undefined): Severity {
  if (typeof rule.severity === 'string') return rule.severity;
  return rule.severity[proof ?? 'suspected'];
}
