// Alerting and recording rules. Each expression names metrics of the table only, which the compiler
// checks; `rules.yml` is made from here, and so is the runbook's list of alerts in README.md.

import type { MetricName } from '../src/metrics/table.js';
import { limits } from './limits.js';

/** Under this name Prometheus scrapes the sensors. */
export const job = 'mailweir';

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
    alert: 'MailweirDown',
    expr: `up{job="${job}"} == 0`,
    for: '2m',
    severity: 'critical',
    summary: 'Prometheus cannot scrape the sensor.',
    todo:
      'Does the daemon run, does its HTTP server listen, is the token good? Consumers keep the ' +
      'last list until its life is over (`block.life_s`), and then block nobody.',
  },
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
    alert: 'MailweirInterfaceDown',
    expr: q`${'mailweir_capture_interfaces_down'} > 0`,
    for: '2m',
    severity: 'critical',
    summary: 'An interface that the sensor listens on is down.',
    todo: 'Cable, optics, the port of the switch. What it carried is not seen meanwhile.',
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
    expr:
      q`increase(${'mailweir_documents_failed_total'}[15m]) > 0 ` +
      q`or increase(${'mailweir_documents_unaccounted_total'}[15m]) > 0`,
    for: '0m',
    severity: 'critical',
    summary: 'Documents of the block list could not be printed.',
    todo:
      'Consumers keep the last good list. The log names the format and the error, or the entries ' +
      'that nobody accounts for.',
  },
  {
    alert: 'MailweirListNotKept',
    expr: q`increase(${'mailweir_list_dropped_total'}[15m]) > 0`,
    for: '0m',
    severity: 'critical',
    summary: 'Changes of the block list could not be kept.',
    todo: 'They are gone with the next restart. Is the disk of `block.directory` full or failing?',
  },
  {
    alert: 'MailweirListHeld',
    expr: q`${'mailweir_documents_held'} > 0`,
    for: '0m',
    severity: 'critical',
    summary: 'The list changed too much at once and waits for a person.',
    todo:
      'Look at the newest entries. Accept the list when they are right; release them when they ' +
      'are not.',
  },
  {
    alert: 'MailweirConsumerStale',
    expr:
      q`${'mailweir_consumer_fetch_age_seconds'}{consumer!~"local|public|others"} ` +
      q`> ${limits.fetchAge}`,
    for: '5m',
    severity: 'warning',
    summary: 'A consumer has not fetched the list for an hour.',
    todo:
      'The label `consumer` names it. It still blocks whom the list released: find out why it ' +
      'does not ask. Requests without a token have no name and are left out.',
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
    expr: q`${'mailweir_decide_breaker_open'} > 0`,
    for: '0m',
    severity: 'critical',
    summary: 'The circuit breaker is open: too many customers were to be blocked at once.',
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
    alert: 'MailweirRegisterEnds',
    expr: q`${'mailweir_register_ending'}{within="7d"} > 0`,
    for: '0m',
    severity: 'warning',
    summary: 'Entries of a register end within a week.',
    todo:
      'The label `register` names it, the console the entries. Renew or retire them: a server that ' +
      'falls out of the register is a customer again, and its mail is judged as one.',
  },
  {
    alert: 'MailweirRegisterDue',
    expr: q`${'mailweir_register_clocks'}{clock=~"filing-due|change-due|extension-due"} > 0`,
    for: '0m',
    severity: 'warning',
    summary: 'A filing or an extension is due within days.',
    todo: '`mailweir register lint` names the line, the last day and the section that asks for it.',
  },
  {
    alert: 'MailweirRegisterLate',
    expr:
      q`${'mailweir_register_clocks'}` +
      '{clock=~"never-filed|change-never-filed|code-expired|allow-over"} > 0',
    for: '0m',
    severity: 'warning',
    summary: 'Something in a register is over, or was never filed.',
    todo:
      'File it late, withdraw the code, take the line off the allow-list: `mailweir register lint` ' +
      'names them.',
  },
  {
    alert: 'MailweirNotHeard',
    expr: q`increase(${'mailweir_notify_dropped_total'}[15m]) > 0`,
    for: '0m',
    severity: 'warning',
    summary: 'Alerts and decisions did not reach a receiver and are gone.',
    todo: 'The label `receiver` names it. It was away too long, or is slower than we speak.',
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
