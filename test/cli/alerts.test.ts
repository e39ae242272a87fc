// From packets to alerts, for every shipped rule: the dialogues of its own tests as packets through
// the whole engine, all rules together, policy behind them. What the rule's tests hold it to alone
// must come out as an alert that says why, and what they call silent must not.

import { describe, expect, it } from 'vitest';
import { Judge } from '../../src/cli/judge.js';
import { loadRules, shippedRules } from '../../src/cli/rule-folder.js';
import { framesOf } from '../../src/cli/rule-talks.js';
import { testNetwork } from '../../src/cli/rule-tests.js';
import type { Config } from '../../src/config.js';
import type { Alert, Decision } from '../../src/decide/decision.js';
import { category, signatureId } from '../../src/decide/signatures.js';
import type { RuleTest } from '../../src/detect/rule-shape.js';
import { Engine } from '../../src/engine.js';

const network = await testNetwork();
const rules = loadRules(shippedRules);
const config: Config = {
  ...network.config,
  rules: { ...network.config.rules, mode: 'enforce' },
};
/** No list may ever touch these, whatever was said. */
const untouchable = /^203\.0\.113\.2(2[5-9]|4\d)\//;

interface Told {
  readonly alerts: readonly Alert[];
  readonly decisions: readonly Decision[];
}

/** What the program says of the packets of a test. */
function told({ talks }: RuleTest): Told {
  const alerts: Alert[] = [];
  const decisions: Decision[] = [];
  const sinks = {
    alert: (alert: Alert) => alerts.push(alert),
    decision: (decision: Decision) => decisions.push(decision),
  };
  const judge = new Judge(
    { config, register: network.register, rules },
    { sinks, seed: 1, subjects: 8192 },
  );
  const engine = new Engine(config, judge, { factsKey: new Uint8Array(16) });
  engine.feed(framesOf(talks).batch);
  engine.finish();
  return { alerts, decisions };
}

describe.each(rules.rules.map((rule) => [rule.meta.id, rule] as const))('%s', (id, rule) => {
  it('has a number and a category of its own', () => {
    expect(signatureId(id)).toBeLessThan(1_900_000);
    expect(category(id)).not.toBe('Local rule');
  });

  it.each(rule.text.tests.map((test) => [test.name, test] as const))('%s', (_, test) => {
    const { alerts, decisions } = told(test);
    const mine = alerts.filter((alert) => alert.rule.id === id);
    if (!test.expect.fires) {
      expect(mine.map(({ subject, evidence }) => [subject.cidr, evidence])).toEqual([]);
      return;
    }
    const { subject, proof, way } = test.expect;
    if (subject !== undefined) expect(mine.map((alert) => alert.subject.cidr)).toContain(subject);
    if (proof !== undefined) expect(mine.map((alert) => alert.proof)).toContain(proof);
    if (way !== undefined) expect(mine.map(({ evidence }) => evidence['way'])).toContain(way);
    for (const alert of mine) {
      expect(alert.explanation).not.toMatch(/see its rule|undefined|NaN/);
      expect(alert.explanation.length).toBeGreaterThan(60);
    }
    const once = mine.map((alert) => `${alert.subject.cidr} ${alert.proof} ${alert.severity}`);
    expect(new Set(once).size, 'one alert until it clears or rises').toBe(once.length);
    expect(decisions.filter(({ cidr }) => untouchable.test(cidr))).toEqual([]);
  });
});

describe('labels and codes', () => {
  const ad = (subject: string) =>
    [
      'S: 220 mx.example.net ESMTP',
      'C: EHLO mail.news.example',
      'S: 250 mx.example.net',
      'C: MAIL FROM:<a@news.example>',
      'S: 250 ok',
      'C: RCPT TO:<user@example.net>',
      'S: 250 ok',
      'C: DATA',
      'S: 354 go',
      `C: Subject: ${subject}`,
      'C:',
      'C: x',
      'C: .',
      'S: 250 ok',
      'C: QUIT',
      'S: 221 bye',
    ].join('\n');
  const advertiser = '203.0.113.227';
  const other = '203.0.113.226';
  const customer = '203.0.113.9';
  it.each([
    ['of its holder', advertiser, '[QC ABC1] x', ''],
    ['of its holder, and no code', advertiser, '[ADV] x', ''],
    ['missing', advertiser, 'x', 'missing'],
    ['missing, of who declared nothing', other, 'x', ''],
    ['of who declared nothing', other, '[QC] x', ''],
    ['of a customer who is no server', customer, '[QC BAD1] x', 'withdrawn-code'],
    ['withdrawn', advertiser, '[QC BAD1] x', 'withdrawn-code'],
    ['expired', other, '[QC OLD1] x', 'expired-code'],
    ['unknown', other, '[QC XXX1] x', 'unknown-code'],
    ['of another service', other, '[SMS2] x', 'wrong-service'],
    ["somebody else's", other, '[QC ABC1] x', 'foreign-source'],
    ['two, of which one is withdrawn', other, '[QC OLD1, BAD1] x', 'withdrawn-code'],
  ] as const)('%s', (_, from, subject, fault) => {
    const talk = { repeat: 1, every: 1, wait: 0, from, to: '198.51.100.1', port: 25 };
    const says = ad(subject);
    const { alerts } = told({ name: '', talks: [{ ...talk, says }], expect: { fires: true } });
    const labels = alerts.filter(({ rule }) => rule.id === 'core.label');
    expect(labels.map(({ evidence }) => evidence['faults'])).toEqual(fault === '' ? [] : [fault]);
    const isGrave = fault === 'withdrawn-code';
    for (const label of labels) {
      expect([label.proof, label.severity]).toEqual(
        isGrave ? ['confirmed', 'high'] : ['suspected', 'low'],
      );
      // What the label stood in is nobody's business.
      expect(JSON.stringify(label)).not.toMatch(/QC|user@|Subject/);
    }
  });
});
