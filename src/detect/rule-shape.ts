// The shape of a rule in YAML: every key, its type and its range. One definition serves the reader
// (`rule-file.ts`), the schema for editors (rules/schema.json) and, through its descriptions,
// people. What a rule means is elsewhere; here is only how it is written.

import { z } from 'zod';
import { roleNames } from '../register/server.js';
import { quantity } from './expression.js';
import { streams } from './fields.js';
import { modes, proofs, severities } from './finding.js';

/** A span of time in seconds; written as 10m, 1h, 24h, 7d or a number of seconds. */
const span = amount('a time such as 90s, 10m, 1h or 7d', /^\d+(\.\d+)?[smhd]?$/);
/** Per hour; written as 25/h or 600/d. */
const rate = amount('a rate such as 25/h', /^\d+(\.\d+)?\/[smhd]$/);
/** A share of 1; written as 5% or 0.05. */
const share = amount('a share such as 5% or 0.05', /^\d+(\.\d+)?%?$/);

function amount(message: string, shape: RegExp) {
  const text = z.string(message).regex(shape, message).transform(quantity);
  return z.union([z.number(message).nonnegative(message), text], { error: message });
}

const expression = z.string().min(1).max(4096).describe('an expression over fields');
const fieldName = z.string().regex(/^[a-z_]+(\.[a-z_]+)?(\(\d+,\d+\))?$/, 'the name of a field');
const whole = (low: number, high: number) => z.int().min(low).max(high);
const count = whole(1, 1_000_000);
const evidenceName = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'a name such as policy_refused');
const role = z.enum(roleNames);

/** At most this many windows, weights or levels: each costs every subject memory. */
const partsMax = 16;

const trigger = z.strictObject({
  type: z.literal('trigger'),
  weights: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9-]{1,40}$/, 'a short word for the evidence'),
        when: expression,
        add: z.number().min(0).max(100),
        many: z
          .strictObject({ of: fieldName, over: count })
          .optional()
          .describe('the sign is that more than so many different ones were seen in the window'),
      }),
    )
    .min(1)
    .max(partsMax)
    .optional()
    .describe('signs; each counts once in the window, and their sum is compared with over'),
  over: z.number().min(0).max(1000).default(0).describe('the sum must be at least this'),
  count: count.default(1).describe('observations, or sessions that showed a sign, that it takes'),
  within: span.default(3600).describe('the window'),
});

const leaky = z.strictObject({
  type: z.literal('leaky'),
  cost: fieldName.optional().describe('a number field that one observation costs; else 1'),
  rate: rate.optional(),
  burst: count.optional(),
  by_role: z.partialRecord(role, z.strictObject({ rate, burst: count })).optional(),
  and: z.strictObject({ of: fieldName, over: count }).optional(),
  declared: z.boolean().default(false).describe('registered servers: the rate in the register'),
});

const sprt = z.strictObject({
  type: z.literal('sprt'),
  observe: expression.describe('true is an observation of 1, false one of 0'),
  theta0: share,
  theta1: share,
  alpha: share,
  beta: share,
  by_role: z
    .partialRecord(role, z.strictObject({ theta0: share, theta1: share, alpha: share }))
    .optional(),
  session_cap: whole(1, 1000).optional().describe('outcomes that one session may contribute'),
  first_contact: span.optional().describe('a recipient counts once for a source in this time'),
  idle_reset: span.default(86_400),
  at_least: share.default(0).describe('the share of 1 over the whole walk that it takes to fire'),
  guard: z
    .strictObject({
      of: fieldName,
      at_least: whole(1, 64),
      by_role: z.partialRecord(role, whole(1, 64)).optional(),
      within: span.default(86_400),
    })
    .optional()
    .describe('different things that the observations of 1 must have touched'),
  apart: z
    .strictObject({ when: expression, name: evidenceName, rest: evidenceName })
    .optional()
    .describe('a class of the observations of 1 with a walk of its own, and names of both classes'),
});

const window = z.strictObject({ window: span, over: count });
const distinct = z.strictObject({
  type: z.literal('distinct'),
  of: fieldName.describe('what is counted'),
  window: span,
  over: count.describe('fires above this'),
  or: window.optional(),
  and: z.strictObject({ of: fieldName, over: count }).optional(),
  share: z.strictObject({ when: expression, over: share }).optional(),
  same: z.strictObject({ of: fieldName, over: share }).optional(),
  by_role: z
    .partialRecord(role, z.number().min(1).max(1000))
    .optional()
    .describe('how many times the limits hold for a role'),
  probable_over: count.optional().describe('above this, suspected becomes probable'),
});

const ratioWindow = { window: span, at_least: count, over: share };
const ratio = z.strictObject({
  type: z.literal('ratio'),
  observe: expression.describe('true counts for, false against'),
  ...ratioWindow,
  or: z.strictObject(ratioWindow).optional(),
  first_contact: span.optional(),
  sources: z
    .strictObject({
      of: fieldName,
      at_least: whole(1, 64),
      under: whole(2, 1000).optional().describe('of each only its first outcomes, fewer than this'),
    })
    .optional()
    .describe('different sources that it takes'),
  session_cap: z
    .strictObject({ outcomes: whole(1, 1000), when: expression })
    .optional()
    .describe('only so many first outcomes of a session count, of those that satisfy a test'),
  grave: z
    .strictObject({ generated: share, not_meant: share })
    .optional()
    .describe('shares of generated names and of mails without a message meant: probable then'),
});

const heavy = z.strictObject({
  type: z.literal('heavy'),
  counters: whole(16, 65_536).default(4096),
  window: span.default(3600),
  over: share.default(0.01).describe('share of all observations in the window'),
  at_least: count.default(1000).describe('guaranteed observations that it takes'),
  prefix: fieldName
    .optional()
    .describe('a grouping such as src.prefix(24,48): hot prefixes too, without their hot sources'),
});

const cusum = z.strictObject({
  type: z.literal('cusum'),
  count: fieldName.optional().describe('a number field to add up; else observations'),
  bin: span.default(300),
  slack: z.number().min(0).max(5).default(0.5),
  limit: z.number().min(1).max(100).default(8),
  smooth: share.default(0.05),
  learn: whole(1, 10_000).default(24).describe('bins before it speaks'),
  lasting: whole(1, 1000).default(1).describe('bins in a row that must be above the limit'),
  times: z.number().min(0).max(1000).default(0).describe('times the usual count that it takes'),
  seasonal: z.boolean().default(false).describe('one mean for each hour of the week'),
});

const correlate = z.strictObject({
  type: z.literal('correlate'),
  second: expression.describe('which transactions are the second leg'),
  hidden: expression.optional().describe('which encrypted sessions may be it: probable at most'),
  within: span.default(900),
  slow: span.default(21_600).describe('up to here a match counts half'),
  score: z.strictObject({
    rcpt: z.number().min(0).max(10),
    message_id: z.number().min(0).max(10),
    mail_from_domain: z.number().min(0).max(10),
    size: z.number().min(0).max(10),
  }),
  confirm_at: z.number().min(1).max(20),
  domains: whole(1, 64).default(3).describe('domains, and networks it goes to, that it takes'),
  messages: whole(1, 1000).default(3).describe('messages that must match before it is confirmed'),
});

const label = z.strictObject({ type: z.literal('label') });

const ports = z.array(whole(1, 65_535)).min(1).max(16);
const plainAction = {
  do: z.enum(['block', 'limit', 'notify', 'alert', 'none']),
  from: z
    .enum(proofs)
    .optional()
    .describe('the proof that it takes; below it the program only tells'),
  only: z.array(role).min(1).max(roleNames.length).optional(),
  ports: ports.optional(),
  rate: rate.optional(),
  burst: count.optional(),
  for: span.optional(),
  ban_time: span.optional(),
  ban_increment: z.array(span).max(10).optional(),
  ban_max: span.optional(),
  to: z.array(z.string().min(1).max(64)).max(10).optional(),
};
const action = z.strictObject({
  ...plainAction,
  also: z.strictObject(plainAction).optional(),
});
const actions = z.union([
  action,
  z.strictObject({ with_corroboration: action, without_corroboration: action }),
]);

const ruleId = z.string().regex(/^[a-z0-9-]+\.[a-z0-9-]+$/, 'an id such as core.rcpt-fanout');
const talk = z.strictObject({
  repeat: whole(1, 100_000).default(1),
  every: span.default(1).describe('time between two of them'),
  wait: span.default(0).describe('time before the first'),
  from: z.string().min(2).max(64).describe('client address; {n} counts from 1'),
  to: z.string().min(2).max(64).describe('server address'),
  port: whole(1, 65_535).default(25),
  vary: z.record(z.string(), z.array(z.string()).min(1).max(1000)).optional(),
  says: z.string().min(1).max(100_000).optional().describe('C: and S: lines; -- ends it'),
  attempt: z.enum(['refused', 'silent']).optional().describe('a connection that never opens'),
});

const test = z.strictObject({
  name: z.string().min(1).max(200),
  talks: z.array(talk).min(1).max(50),
  expect: z.strictObject({
    fires: z.boolean(),
    by: whole(1, 1_000_000).optional().describe('talks after which it must have fired'),
    proof: z.enum(['suspected', 'probable', 'confirmed']).optional(),
    subject: z.string().optional(),
    way: z.string().optional().describe('the way that must have spoken'),
  }),
});

const severity = z.enum(severities);
const severityByProof = z.union([
  severity,
  z.strictObject({ suspected: severity, probable: severity, confirmed: severity }),
]);
const on = z.union([z.enum(streams), z.array(z.enum(streams)).min(1).max(3)]);
const groupBy = z.union([fieldName, z.array(fieldName).min(1).max(2), z.literal('network')]);
const anyBucket = z.discriminatedUnion('type', [
  trigger,
  leaky,
  sprt,
  distinct,
  ratio,
  heavy,
  cusum,
  correlate,
  label,
]);

/** Another way to the same finding: what it does not say is as in the rule. */
const way = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'a short word, such as refusals'),
  on,
  where: expression,
  group_by: groupBy.optional(),
  bucket: anyBucket,
  severity: severityByProof.optional(),
  action: actions.optional(),
  quiet: span.optional(),
  clears_after: span.optional(),
});

/** A rule as it is written. */
export const ruleShape = z.strictObject({
  id: ruleId,
  title: z.string().min(1).max(200),
  description: z.string().max(4000).optional(),
  status: z.enum(['experimental', 'stable', 'deprecated']).default('stable'),
  version: z.string().regex(/^\d+\.\d+\.\d+$/, 'a version such as 1.0.0'),
  profiles: z.array(z.string().min(1).max(40)).max(20).default([]),
  legal: z.array(z.string().min(1).max(200)).max(20).default([]),
  severity: severityByProof,
  mode: z.enum(modes).default('enforce'),
  on,
  where: expression,
  group_by: groupBy,
  bucket: anyBucket,
  ways: z
    .array(way)
    .min(1)
    .max(4)
    .optional()
    .describe('other observations that lead to the same finding, each with a statistic of its own'),
  unless: z
    .array(z.strictObject({ list: z.string().min(1), field: fieldName }))
    .max(10)
    .optional(),
  clocks: z
    .boolean()
    .default(false)
    .describe('tells too, once a day, what the dates of the register ask for'),
  frozen_by: ruleId.optional().describe('a rule whose open finding stops this one'),
  needs: z
    .strictObject({
      sides: z.enum(['client', 'server', 'both', 'any']).default('any'),
      max_loss: share.default(0.01),
      min_symmetry: share.default(0.8),
    })
    .default({ sides: 'any', max_loss: 0.01, min_symmetry: 0.8 }),
  corroborate: z
    .strictObject({ any: z.array(z.string()).min(1).max(30), count: whole(1, 10), within: span })
    .optional(),
  action: actions,
  quiet: span.default(300).describe('shortest time between two findings that say the same'),
  clears_after: span.default(86_400).describe('time without new evidence'),
  false_positives: z.array(z.string().min(1).max(500)).max(30).default([]),
  evidence: z
    .strictObject({
      samples: whole(0, 10).default(10),
      discovery: z
        .boolean()
        .default(false)
        .describe('also the date on which it was first seen, which stays when a finding clears'),
    })
    .default({ samples: 10, discovery: false }),
  tests: z.array(test).max(50).default([]),
});

/** A list of prefixes that rules of the same set may name. */
export const listShape = z.strictObject({
  list: z.string().regex(/^[a-z][a-z0-9-]*$/, 'a name such as submission-providers'),
  prefixes: z.array(z.string()).max(100_000),
});

export type RuleText = z.infer<typeof ruleShape>;
export type BucketText = RuleText['bucket'];
export type BucketOf<T extends BucketText['type']> = Extract<BucketText, { type: T }>;
/** A further way of a rule, as it is written. */
export type WayText = z.infer<typeof way>;
export type RuleTest = z.infer<typeof test>;

/** JSON Schema of a document in a rule file, for editors: rules/schema.json is this. */
export function ruleSchema(): unknown {
  const shape = z.union([ruleShape, listShape]);
  return { title: 'Mailweir rule', ...z.toJSONSchema(shape, { io: 'input' }) };
}
