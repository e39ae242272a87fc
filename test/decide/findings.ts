// Findings made by hand, and a policy that remembers what it said: for tests of policy alone. The
// rules here have the ids, modes and actions of the shipped ones.

import { createHash } from 'node:crypto';
import type { Alert, Decision } from '../../src/decide/decision.js';
import type { Standing } from '../../src/decide/guards.js';
import { Policy, type PolicyOptions } from '../../src/decide/policy.js';
import type { Action, Finding, RuleMeta } from '../../src/detect/finding.js';

export const start = 1_700_000_000_000_000;
export const minute = 60_000_000;
export const hour = 60 * minute;
export const day = 24 * hour;

const limit: Action = { do: 'limit', rate: 25, burst: 10, for: 3600 };
const block: Action = {
  do: 'block',
  ports: [25],
  ban_time: 3600,
  ban_increment: [21_600, 86_400, 259_200, 604_800],
  ban_max: 604_800,
};

/** A rule by the last part of its id, changed where a test needs it. */
export function rule(name: string, change: Partial<RuleMeta> = {}): RuleMeta {
  return {
    id: `core.${name}`,
    title: `The rule ${name}`,
    version: '1.0.0',
    sha256: createHash('sha256').update(name).digest('hex'),
    status: 'stable',
    profiles: ['cn-2006', 'vn-2008'],
    legal: ['CN-38/2006 art.12(2)', 'VN-12/2008 V.2.3a'],
    severity: 'medium',
    mode: 'enforce',
    action: { do: 'none' },
    falsePositives: [],
    ...change,
  };
}

export const rules = {
  refusals: rule('rcpt-failure-sprt', { severity: 'high', action: limit, strongAction: block }),
  harvest: rule('harvest', {
    severity: 'high',
    action: limit,
    strongAction: { ...block, ban_time: 21_600, ban_increment: [86_400, 259_200, 604_800] },
  }),
  logins: rule('auth-guessing', {
    severity: 'high',
    action: { do: 'notify' },
    strongAction: { ...block, ports: [25, 465, 587, 22] },
  }),
  direct: rule('direct-to-mx', { action: { ...limit, for: 21_600 } }),
  rate: rule('rate-limit', { severity: 'low', action: limit }),
  forgery: rule('envelope-forgery'),
  dialect: rule('dialect', { severity: 'low' }),
  listed: rule('dnsbl-verdict'),
  snowshoe: rule('snowshoe', { action: { do: 'alert' } }),
  relay: rule('open-relay', { severity: 'critical', action: { do: 'alert' } }),
  submission: rule('submission-fanout', {
    severity: 'high',
    mode: 'limit',
    action: { do: 'notify', also: { ...limit, ports: [25], for: 21_600 } },
  }),
} as const;

export const bot = '203.0.113.9';

/** A finding about an IPv4 address, or a prefix with its length. */
export function finding(
  of: RuleMeta,
  change: Partial<Finding> & { source?: string } = {},
): Finding {
  const { source = bot, ...rest } = change;
  const [address, length] = source.split('/') as [string, string | undefined];
  const bits = Number(length ?? 32);
  const word = address.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0);
  return {
    rule: of,
    subject: {
      cidr: `${address}/${bits}`,
      words: [0, 0, 0xffff, word],
      bits,
      role: 'customer-dynamic',
    },
    time: start,
    state: 'fires',
    severity: typeof of.severity === 'string' ? of.severity : 'low',
    evidence: { llr: 12.6, outcomes: 23, failed: 19 },
    samples: [],
    handshake: true,
    degraded: false,
    ...rest,
  };
}

const home: Omit<Standing, 'cidr'> = {
  wide: false,
  own: true,
  role: 'customer-dynamic',
  cgnat: 1,
  allowed: false,
  protects: false,
};

/** A policy over a fixed standing, and everything that it said. */
export class Trial {
  readonly alerts: Alert[] = [];
  readonly decisions: Decision[] = [];
  readonly policy: Policy;

  constructor(standing: Partial<Standing> = {}, options: Partial<PolicyOptions> = {}) {
    const all: PolicyOptions = {
      mode: 'enforce',
      profiles: ['cn-2006'],
      register: '1',
      standing: ({ cidr, bits }) => ({ ...home, cidr, wide: bits < 32, ...standing }),
      digest: (text) => createHash('sha256').update(text).digest('hex'),
      ...options,
    };
    const keep =
      <T>(list: T[]) =>
      (item: T) =>
        void list.push(item);
    this.policy = new Policy(all, { alert: keep(this.alerts) }, { decision: keep(this.decisions) });
  }

  give(...findings: Finding[]): this {
    for (const each of findings) this.policy.finding(each);
    return this;
  }

  /** What was decided, in short: "added block", "expired block". */
  get said(): string[] {
    return this.decisions.map(({ state, action }) => `${state} ${action}`);
  }
}
