// Each alert fires where it should and is silent where it should, as promtool evaluates it.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { alerts, recordings, ruleFile, runbook } from '../../dashboards/rules.js';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

/** A value a minute, as promtool writes series: `0+60x90` grows by 60, `0x90` stands still. */
type Series = Readonly<Record<string, string>>;

const packets = 'mailweir_capture_packets_total';
const sessions = 'mailweir_smtp_sessions_total';
const drops = 'mailweir_capture_kernel_drops_total';
const one_sided = 'mailweir_flow_one_sided_total';
const connections = 'mailweir_flow_connections_total';
const stream = 'mailweir_flow_stream_bytes_total';
const unseen = 'mailweir_flow_unseen_bytes_total';
const added = 'mailweir_list_added_total';
const wrong = 'mailweir_list_wrong_total';
const age = 'mailweir_consumer_fetch_age_seconds{consumer="mx"}';
const person = 'mailweir_consumer_fetch_age_seconds{consumer="local"}';
const up = 'up{job="mailweir"}';
const clock = (name: string) => `mailweir_register_clocks{clock="${name}"}`;
const within = (days: string) => `mailweir_register_ending{register="codes",within="${days}"}`;
const receiver = 'mailweir_notify_dropped_total{receiver="syslog"}';
const leaking = 'mailweir_enforce_entries{state="leaking"}';

/** A counter that steps once, ten minutes before it is looked at. */
const step = (name: string): [Series, Series] => [{ [name]: '0x80 1x20' }, { [name]: '5x100' }];

/** A state that holds, and one that is over or so far has not been. */
const holds = (name: string): [Series, Series] => [{ [name]: '1x100' }, { [name]: '1x80 0x20' }];

/** Of each alert: series with which it fires after 90 minutes, and near ones with which not. */
const cases: Record<string, readonly [Series, Series]> = {
  MailweirDown: [{ [up]: '0x100' }, { [up]: '0x80 1x20', 'up{job="other"}': '0x100' }],
  MailweirBlind: [{ [packets]: '7x100' }, { [packets]: '0+1x100' }],
  MailweirInterfaceDown: holds('mailweir_capture_interfaces_down'),
  MailweirNoMail: [
    { [packets]: '0+60x100', [sessions]: '5x100' },
    { [packets]: '0+60x100', [sessions]: '0+1x100' },
  ],
  MailweirPacketLoss: [
    { [packets]: '0+9000x100', [drops]: '0+100x100' },
    { [packets]: '0+100000x100', [drops]: '0+5x100', [stream]: '0+1000x100', [unseen]: '0+5x100' },
  ],
  MailweirOneSided: [
    { [connections]: '0+10x100', [one_sided]: '0+6x100' },
    { [connections]: '0+10x100', [one_sided]: '0+4x100' },
  ],
  MailweirWorkerRestarts: step('mailweir_worker_restarts_total'),
  MailweirListNotPublished: step('mailweir_documents_failed_total'),
  MailweirListNotKept: step('mailweir_list_dropped_total'),
  MailweirListHeld: holds('mailweir_documents_held'),
  MailweirConsumerStale: [
    { [age]: '0+60x100' },
    { [age]: '0+60x80 0+30x20', [person]: '0+60x100' },
  ],
  MailweirEnforcementLeaking: [{ [leaking]: '2x100' }, { [leaking]: '0x80 2x20' }],
  MailweirBreakerOpen: holds('mailweir_decide_breaker_open'),
  MailweirFalseBlocks: [
    { [added]: '0+100x100', [wrong]: '0+1x100' },
    { [added]: '0+10000x100', [wrong]: '0+1x100' },
  ],
  MailweirRegisterEnds: [
    { [within('7d')]: '1x100', [within('30d')]: '2x100' },
    { [within('7d')]: '0x100', [within('30d')]: '2x100' },
  ],
  MailweirRegisterDue: [
    { [clock('filing-due')]: '1x100' },
    { [clock('filing-due')]: '0x100', [clock('late-filing')]: '3x100' },
  ],
  MailweirRegisterLate: [
    { [clock('code-expired')]: '1x100' },
    { [clock('code-expired')]: '0x100', [clock('late-filing')]: '3x100' },
  ],
  MailweirNotHeard: step(receiver),
  MailweirRulesDegraded: [
    { mailweir_detect_rules_degraded: '2x100' },
    { mailweir_detect_rules_degraded: '0x100' },
  ],
  MailweirRowsDropped: step('mailweir_rows_dropped_total'),
};

function inputOf(series: Series): object[] {
  return Object.entries(series).map(([name, values]) => ({ series: name, values }));
}

/** Labels of the series that make an alert fire. */
function labelsOf(alert: string): Record<string, string> {
  const names = Object.keys(cases[alert]![0]);
  return Object.fromEntries(
    [...names[0]!.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label!, value!]),
  );
}

/** One of promtool's tests: what the alert says after 90 minutes of these series. */
function testOf({ alert, severity, summary }: (typeof alerts)[number], fires: boolean): object {
  const expected = {
    exp_labels: { severity, ...labelsOf(alert) },
    exp_annotations: { summary, runbook: `dashboards/README.md#${alert.toLowerCase()}` },
  };
  const at = { eval_time: '90m', alertname: alert, exp_alerts: fires ? [expected] : [] };
  const input_series = inputOf(cases[alert]![fires ? 0 : 1]);
  return { name: `${alert} ${fires}`, interval: '1m', input_series, alert_rule_test: [at] };
}

it('every alert has a case, and its section in the runbook', () => {
  expect(Object.keys(cases)).toEqual(alerts.map(({ alert }) => alert));
  const path = new URL('../../dashboards/README.md', import.meta.url);
  expect(readFileSync(path, 'utf8')).toContain(runbook());
});

it.skipIf(!hasPromtool)('promtool finds the rules right, and each fires and is silent', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-rules-'));
  try {
    writeFileSync(join(folder, 'rules.yml'), ruleFile());
    const tests = alerts.flatMap((alert) => [testOf(alert, true), testOf(alert, false)]);
    const whole = { rule_files: ['rules.yml'], evaluation_interval: '1m', tests };
    writeFileSync(join(folder, 'tests.yml'), JSON.stringify(whole));
    const promtool = (...words: string[]) => {
      const { stdout, stderr } = spawnSync('promtool', words, { cwd: folder, encoding: 'utf8' });
      return `${stdout}${stderr}`;
    };
    const checked = promtool('check', 'rules', 'rules.yml');
    expect(checked).toContain(`SUCCESS: ${alerts.length + recordings.length} rules found`);
    const tested = promtool('test', 'rules', 'tests.yml');
    expect(tested).toContain('SUCCESS');
    expect(tested).not.toContain('FAILED');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
