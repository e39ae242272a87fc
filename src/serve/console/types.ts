// What the API says, as far as the console reads it. Types only: nothing of this is sent.

export type Action = 'limit' | 'block' | 'allow';
export type Scalar = string | number | boolean | null;

export interface Sample {
  readonly time: string;
  readonly [name: string]: Scalar | undefined;
}

export interface Seen {
  readonly state: 'enforced' | 'leaking' | 'unseen' | 'quiet' | 'unknown';
  readonly published_at: string;
  readonly opened: number;
  readonly refused: number;
  readonly excess: number;
  readonly leak_ratio: number | null;
  readonly last_through: string | null;
  readonly last_refused: string | null;
  readonly time_to_enforce_ms: number | null;
}

export interface AppealState {
  readonly url?: string;
  readonly contact?: string;
  readonly due: string | null;
  readonly state: string | null;
  readonly filed?: string;
  readonly last?: string;
  readonly decided?: string | null;
  readonly by?: string | null;
  readonly answer?: string | null;
}

export interface Entry {
  readonly id: string;
  readonly cidr: string;
  readonly subject: string;
  readonly action: Action;
  readonly origin: 'automatic' | 'manual';
  readonly scope: {
    readonly dport: readonly number[];
    readonly direction: 'in' | 'out';
    readonly rate?: number;
    readonly burst?: number;
  };
  readonly rule: { readonly id: string; readonly version: string; readonly sha256: string } | null;
  readonly title: string;
  readonly severity: string | null;
  readonly level: number;
  readonly until: string | null;
  readonly created_at: string;
  readonly first_seen: string;
  readonly last_seen: string;
  readonly owner: string | null;
  readonly reason: string | null;
  readonly explanation: string;
  readonly evidence: Readonly<Record<string, string | number>>;
  readonly corroborators: readonly string[];
  readonly samples: readonly Sample[];
  readonly guards: readonly string[];
  readonly legal: readonly string[];
  readonly profile: string;
  readonly role: string;
  readonly cgnat: number;
  readonly sensor?: string;
  readonly symmetry: number;
  readonly loss: number;
  readonly confidence: number | null;
  readonly supersedes: string | null;
  readonly revision: number;
  readonly appeal: AppealState;
  readonly fetched_by: readonly { readonly name: string; readonly since: string | null }[];
  readonly seen: Seen | null;
  readonly ended: {
    readonly state: string;
    readonly time: string;
    readonly by: string;
    readonly reason: string;
    readonly wrong: boolean;
  } | null;
}

export interface EntryPage {
  readonly revision: number;
  readonly count: number;
  readonly entries: readonly Entry[];
  readonly next: string | null;
}

/** An alert, as its event has it. */
export interface Finding {
  readonly timestamp: string;
  readonly alert: {
    readonly signature: string;
    readonly category: string;
    readonly severity: 1 | 2 | 3;
    readonly rule: { readonly id: string; readonly version: string };
    readonly subject: string;
    readonly evidence: Readonly<Record<string, unknown>> & { readonly samples?: readonly Sample[] };
    readonly degraded?: boolean;
    readonly guards?: readonly string[];
    readonly explanation: string;
  };
}

export type Deed = 'sessions' | 'accepted' | 'refused' | 'vain';

/** What was done, one number for each step. */
export interface Activity {
  readonly step_s: number;
  /** Microseconds since 1970. */
  readonly from: number;
  readonly series: Readonly<Record<Deed, readonly number[]>>;
  readonly addresses: number;
}

export interface Talker {
  readonly address: string;
  readonly counts: Readonly<Record<Deed, number>>;
}

export interface ServerEntry {
  readonly cidr: string;
  readonly operator: string;
  readonly role: string;
  readonly state: string;
  readonly filed_at: string | null;
  readonly starts_at: string | null;
  readonly change_filed_at: string | null;
  readonly changes_at: string | null;
  readonly retires_at: string | null;
  readonly domains: readonly string[];
  readonly egress: readonly string[];
  readonly rate_per_hour: number | null;
  readonly licence: string;
  readonly line: number;
}

export interface AllowEntry {
  readonly cidr: string;
  readonly owner: string;
  readonly reason: string;
  readonly until: string | null;
  readonly over: boolean;
  readonly line: number;
}

export interface CodeEntry {
  readonly code: string;
  readonly holder: string;
  readonly state: string;
  readonly issued_on: string | null;
  readonly expires_on: string | null;
  readonly withdrawn_on: string | null;
  readonly line: number;
}

export interface ClockItem {
  readonly name: string;
  readonly register: string;
  readonly about: string;
  readonly line: number;
  readonly severity: string;
  readonly due: string | null;
  readonly legal: string;
  readonly words: string;
}

interface Part<Entry> {
  readonly entries: readonly Entry[];
  readonly next: number | null;
}

export interface RegisterPage {
  readonly version: string;
  readonly as_of: string;
  readonly profiles: readonly string[];
  readonly counts: { readonly servers: number; readonly codes: number; readonly allow: number };
  readonly pools: readonly {
    readonly cidr: string;
    readonly role: string;
    readonly cgnat: number;
    readonly customer_bits: number | null;
  }[];
  readonly clocks: { readonly count: number; readonly items: readonly ClockItem[] };
  readonly servers: Part<ServerEntry>;
  readonly codes: Part<CodeEntry>;
  readonly allow: Part<AllowEntry>;
}

export interface Source {
  readonly cidr: string;
  readonly standing: {
    readonly own: boolean;
    readonly role: string;
    readonly cgnat: number;
    readonly server: ServerEntry | null;
    readonly allowed: AllowEntry | null;
  };
  readonly activity: Activity;
  readonly talkers: readonly Talker[];
  readonly entries: readonly Entry[];
  readonly ended: readonly Entry[];
  readonly findings: readonly Finding[];
}

export interface AuditRecord {
  readonly sequence: number;
  readonly time: string;
  readonly actor: string;
  readonly action: string;
  readonly id: string;
  readonly cidr: string;
  readonly detail: string;
  readonly hash: string;
}

export interface Figures {
  readonly [name: string]: unknown;
}

export interface Consumer {
  readonly name: string;
  readonly fetched_at: string | null;
  readonly behind: number | null;
  readonly what: string;
}

export interface State {
  readonly version: string;
  readonly wall: string;
  readonly time: string | null;
  readonly me: { readonly name: string; readonly scopes: readonly string[] };
  readonly sensor?: string;
  readonly mode?: string;
  readonly tapSide?: string;
  readonly figures?: Figures;
  readonly activity?: Activity;
  readonly history?: {
    readonly step_ms: number;
    readonly taken: string | null;
    readonly series: Readonly<Record<string, readonly (number | null)[]>>;
  };
  readonly list: {
    readonly revision: number;
    readonly count: number;
    readonly actions: Readonly<Record<Action, number>>;
    readonly rules: Readonly<Record<string, number>>;
    readonly sound: boolean;
    readonly held_from: number | null;
    readonly appeals: number;
  };
  readonly consumers: readonly Consumer[];
  readonly rules: readonly {
    readonly id: string;
    readonly wrong: number;
    readonly observes_since: string | null;
  }[];
  readonly problems: readonly string[];
}
