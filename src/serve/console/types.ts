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
