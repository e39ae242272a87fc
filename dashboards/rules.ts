// Alerting and recording rules. Each expression names metrics of the table only, which the compiler
// checks; `rules.yml` is made from here, and so is the runbook's list of alerts in README.md.

import type { MetricName } from '../src/metrics/table.js';
import { limits } from './limits.js';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  /** How long it has to hold. */
  readonly for: string;
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
  /** What to look at and to do, in the runbook. */
  readonly todo: string;
}

export interface Recording {
  readonly record: string;
  readonly expr: string;
}

/** An expression: what stands between its words is a metric that exists, or a limit. */
function q(words: TemplateStringsArray, ...names: (MetricName | number)[]): string {
  return words.reduce((text, word, index) => `${text}${names[index - 1]}${word}`);
}

export const recordings: readonly Recording[] = [
  {
    record: 'mailweir:capture_packets:rate5m',
    expr: q`rate(${'mailweir_capture_packets_total'}[5m])`,
  },
  {
    record: 'mailweir:kernel_loss:ratio5m',
    expr:
      q`rate(${'mailweir_capture_kernel_drops_total'}[5m]) / ` +
      q`(rate(${'mailweir_capture_packets_total'}[5m]) + ` +
      q`rate(${'mailweir_capture_kernel_drops_total'}[5m]) > 0)`,
  },
  {
    record: 'mailweir:stream_loss:ratio5m',
    expr:
      q`rate(${'mailweir_flow_unseen_bytes_total'}[5m]) / ` +
      q`(rate(${'mailweir_flow_stream_bytes_total'}[5m]) + ` +
      q`rate(${'mailweir_flow_unseen_bytes_total'}[5m]) > 0)`,
  },
  {
    record: 'mailweir:wrong_entries:ratio30d',
    expr:
      q`increase(${'mailweir_list_wrong_total'}[30d]) / ` +
      q`(increase(${'mailweir_list_added_total'}[30d]) > 0)`,
  },
];

export const alerts: readonly Alert[] = [
  {
    alert: 'MailweirBlind',
    expr: q`rate(${'mailweir_capture_packets_total'}[5m]) == 0`,
    for: '5m',
    severity: 'critical',
    summary: 'The sensor sees no packet at all.',
    todo:
      'Is the mirror session up, the cable in, the interface up? `mailweir doctor` on the ' +
      'sensor says which.',
  },
  {
    alert: 'MailweirNoMail',
    expr:
      q`rate(${'mailweir_capture_packets_total'}[30m]) > 0 ` +
      q`and rate(${'mailweir_smtp_sessions_total'}[30m]) == 0`,
    for: '10m',
    severity: 'warning',
    summary: 'Packets come, but no mail session among them.',
    todo:
      'Does the mirror still carry the mail ports? Look at the reasons of ' +
      '`mailweir_decode_skipped_total`.',
  },
  {
    alert: 'MailweirPacketLoss',
    expr:
      q`mailweir:kernel_loss:ratio5m > ${limits.kernelLoss} ` +
      q`or mailweir:stream_loss:ratio5m > ${limits.streamLoss}`,
    for: '10m',
    severity: 'warning',
    summary: 'Packets are lost between the wire and the sensor.',
    todo:
      'Kernel drops: give it more workers or a larger ring. Else the mirror port itself loses: ' +
      'look at the switch.',
  },
  {
    alert: 'MailweirOneSided',
    expr:
      q`rate(${'mailweir_flow_one_sided_total'}[15m]) / ` +
      q`(rate(${'mailweir_flow_connections_total'}[15m]) > 0) > ${limits.oneSided}`,
    for: '15m',
    severity: 'warning',
    summary: 'Of most connections only one direction is seen.',
    todo:
      'Mirror both directions, or all links of an asymmetric route. Detectors that need ' +
      'replies are quiet until then.',
  },
  {
    alert: 'MailweirWorkerRestarts',
    expr: q`increase(${'mailweir_worker_restarts_total'}[15m]) > 0`,
    for: '0m',
    severity: 'warning',
    summary: 'A packet worker died and was started again.',
    todo:
      'The log has the error. What was open in the worker is counted as lost; report it if it ' +
      'comes again.',
  },
  {
    alert: 'MailweirListNotPublished',
    expr: q`increase(${'mailweir_documents_failed_total'}[15m]) > 0`,
    for: '0m',
    severity: 'critical',
    summary: 'Documents of the block list could not be printed.',
    todo: 'Consumers keep the last good list. The log names the format and the error.',
  },
  {
    alert: 'MailweirListHeld',
    expr: q`increase(${'mailweir_documents_held_total'}[15m]) > 0`,
    for: '0m',
    severity: 'critical',
    summary: 'The list changed too much at once and waits for a person.',
    todo:
      'Look at the newest entries. Accept the list when they are right; release them when they ' +
      'are not.',
  },
  {
    alert: 'MailweirConsumerStale',
    expr: q`${'mailweir_consumer_behind_revisions'} > 0`,
    for: '1h',
    severity: 'warning',
    summary: 'A consumer has not fetched the list for an hour although it changed.',
    todo:
      'The label `consumer` names it. It still blocks whom the list released: find out why it ' +
      'does not ask.',
  },
  {
    alert: 'MailweirEnforcementLeaking',
    expr: q`${'mailweir_enforce_entries'}{state="leaking"} > 0`,
    for: '15m',
    severity: 'warning',
    summary: 'Sources on the list still get mail through.',
    todo:
      'Some consumer does not enforce, or not on that path. The entry in the API says where it ' +
      'was seen.',
  },
  {
    alert: 'MailweirBreakerOpen',
    expr: q`increase(${'mailweir_decide_breaker_trips_total'}[1h]) > 0`,
    for: '0m',
    severity: 'critical',
    summary: 'The circuit breaker opened: too many customers were to be blocked at once.',
    todo:
      'Blocks became limits meanwhile. An outbreak, or a rule that is wrong? Look at which ' +
      'rule spoke most.',
  },
  {
    alert: 'MailweirFalseBlocks',
    expr: q`mailweir:wrong_entries:ratio30d > ${limits.wrong}`,
    for: '0m',
    severity: 'critical',
    summary: 'More than one entry in a thousand of the last 30 days was wrong.',
    todo:
      'Read the released entries in the audit trail, and put the rule that they share back to ' +
      'observe.',
  },
  {
    alert: 'MailweirRulesDegraded',
    expr: q`${'mailweir_detect_rules_degraded'} > 0`,
    for: '15m',
    severity: 'warning',
    summary: 'Detection rules miss what they need.',
    todo: 'The `stats` event names them under `detect.degraded`; often a register is missing.',
  },
  {
    alert: 'MailweirRowsDropped',
    expr: q`increase(${'mailweir_rows_dropped_total'}[15m]) > 0`,
    for: '0m',
    severity: 'warning',
    summary: 'Transactions were read but could not be handed on.',
    todo:
      'The main thread is too slow: is a reader of the events standing still, or the disk ' +
      'full?',
  },
];

/** The groups as Prometheus reads them. JSON is YAML, and needs no quoting rules of our own. */
export function ruleFile(): string {
  const rules = alerts.map(({ alert, expr, for: wait, severity, summary }) => ({
    alert,
    expr,
    for: wait,
    labels: { severity },
    annotations: { summary, runbook: `dashboards/README.md#${alert.toLowerCase()}` },
  }));
  const groups = [
    { name: 'mailweir-recordings', rules: recordings },
    { name: 'mailweir-alerts', rules },
  ];
  return `${JSON.stringify({ groups }, null, 2)}\n`;
}

/** The runbook: a section for each alert. */
export function runbook(): string {
  return alerts
    .map(({ alert, severity, summary, todo, expr }) => {
      return `### ${alert}\n\n${summary} (${severity}) ${todo}\n\n\`${expr}\``;
    })
    .join('\n\n');
}
