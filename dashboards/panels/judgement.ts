// Panels about detectors and policy: what was found, what was decided, what held it back.

import { grown, grownBy, most, quantile, rate, rateBy, sum } from '../select.js';
import { bars, figure, graph } from '../style.js';

export const findingsOpen = figure({
  title: 'Findings open',
  description: 'Sources and servers of which a detector says something at present.',
  unit: 'short',
  queries: [['open', sum('mailweir_detect_findings_open')]],
  console: '/#/findings',
});

export const decisionsOpen = figure({
  title: 'Decisions in force',
  description: 'Limits and blocks that policy wants at present, also those that only observe.',
  unit: 'short',
  queries: [['in force', sum('mailweir_decide_open')]],
  console: '/#/list',
});

export const customersActive = figure({
  title: 'Customers active',
  description: 'Own customers with a mail connection in the last half hour.',
  unit: 'short',
  queries: [['customers', sum('mailweir_detect_customers')]],
});

export const rulesDegraded = figure({
  title: 'Rules degraded',
  description: 'Rules that miss what they need, often a register: they see less than they could.',
  unit: 'short',
  queries: [['degraded', sum('mailweir_detect_rules_degraded')]],
  warn: 1,
});

export const rowsJudged = graph({
  title: 'Rows judged, and those that are no evidence',
  description:
    'Rows that the detectors looked at. Those with bytes missing, or without a handshake, ' +
    'accuse nobody.',
  unit: 'ops',
  queries: [
    ['judged', rate('mailweir_detect_rows_total')],
    ['with holes', rate('mailweir_detect_gapped_total')],
    ['unproven', rate('mailweir_detect_unproven_total')],
  ],
});

export const subjects = graph({
  title: 'Under observation',
  description: 'Sources and servers that detectors keep figures of, and those given up for room.',
  unit: 'short',
  queries: [
    ['subjects', sum('mailweir_detect_subjects')],
    ['given up a second', rate('mailweir_detect_evicted_total')],
  ],
});

export const detectorsGaveUp = graph({
  title: 'Detectors at a limit',
  description: 'What detectors gave up because a table was full, by what it was.',
  unit: 'ops',
  queries: [['{{what}}', rateBy('what', 'mailweir_detect_given_up_total')]],
});

export const verdicts = graph({
  title: 'From findings to decisions',
  description: 'Findings that reached policy, alerts that people saw, limits and blocks decided.',
  unit: 'ops',
  queries: [
    ['findings', rate('mailweir_decide_findings_total')],
    ['alerts', rate('mailweir_decide_alerts_total')],
    ['added', rate('mailweir_decide_added_total')],
    ['released', rate('mailweir_decide_released_total')],
    ['expired', rate('mailweir_decide_expired_total')],
  ],
});

export const guards = bars({
  title: 'What held decisions back, 24 hours',
  description:
    'Decisions that a guard weakened or held back, by guard. Much under `breaker` is an outbreak ' +
    'or a rule that misfires.',
  unit: 'short',
  queries: [['{{guard}}', grownBy('24h', 'guard', 'mailweir_decide_guarded_total')]],
});

const today = '24h';
const inForce = 'mailweir_decide_entries';

export const blockedNow = figure({
  title: 'Blocked',
  description: 'Sources that policy blocks at present, where blocks are published.',
  unit: 'short',
  queries: [['blocked', sum(inForce, { action: 'block', mode: 'enforce' })]],
  console: '/#/list',
});

export const limitedNow = figure({
  title: 'Limited',
  description: 'Sources that policy limits at present, published ones.',
  unit: 'short',
  queries: [['limited', sum(inForce, { action: 'limit', mode: /limit|enforce/ })]],
  console: '/#/list',
});

export const alertsBySeverity = graph(
  {
    title: 'Alerts by severity',
    description: 'Alerts raised a second: a source is told of once by each rule until it clears.',
    unit: 'ops',
    queries: [['{{severity}}', rateBy('severity', 'mailweir_decide_rule_alerts_total')]],
  },
  { stacked: true },
);

export const alertsByRule = bars({
  title: 'Alerts by rule, 24 hours',
  description:
    'Which detectors speak. One that speaks far more than it did is an outbreak, or a rule that ' +
    'misfires.',
  unit: 'short',
  queries: [['{{rule}}', grownBy(today, 'rule', 'mailweir_decide_rule_alerts_total')]],
  console: '/#/findings',
});

export const entriesByRule = bars({
  title: 'Limits and blocks by rule, 24 hours',
  description: 'Which rules decided, limits and blocks together.',
  unit: 'short',
  queries: [['{{rule}}', grownBy(today, 'rule', 'mailweir_decide_rule_entries_total')]],
  console: '/#/list',
});

export const entriesByRole = bars({
  title: 'Limits and blocks by role, 24 hours',
  description:
    'Who is held back, by role in the address plan and the register. Registered servers and ' +
    'infrastructure are never to be here.',
  unit: 'short',
  queries: [
    ['{{role}}', grownBy(today, 'role', 'mailweir_decide_changes_total', { state: 'added' })],
  ],
});

export const changesByState = graph({
  title: 'Decisions by what happened',
  description:
    'Added, extended because the source went on, expired in time, released by people or by a ' +
    'stronger decision.',
  unit: 'ops',
  queries: [['{{state}}', rateBy('state', 'mailweir_decide_changes_total')]],
});

const hour = '1h';

export const timeToDecision = graph({
  title: 'From the first finding to a decision',
  description:
    'Time from the first finding about a source to its limit or block, of those of the last hour. ' +
    'What is long here goes through to the world.',
  unit: 's',
  queries: [
    ['half', quantile(0.5, 'mailweir_decide_time_to_decision_seconds', hour)],
    ['95 of 100', quantile(0.95, 'mailweir_decide_time_to_decision_seconds', hour)],
  ],
});

export const breakerNow = figure({
  title: 'Circuit breaker',
  description: '1: open. Too many were to be blocked at once, and no new block is published.',
  unit: 'short',
  queries: [['open', most('mailweir_decide_breaker_open')]],
  bad: 1,
});

export const breakerTrips = figure({
  title: 'Breaker, 24 hours',
  description: 'Times that the circuit breaker opened: too many were to be blocked at once.',
  unit: 'short',
  queries: [['trips', grown('24h', 'mailweir_decide_breaker_trips_total')]],
  bad: 1,
});
