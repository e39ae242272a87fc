// Alerts and decisions among the other events: their form, and their place in time.

import { describe, expect, it } from 'vitest';
import { RowEncoder } from '../../bench/generate/rows.js';
import { signatureId } from '../../src/decide/signatures.js';
import { EveWriter } from '../../src/output/eve.js';
import { finding, rule, rules, start, Trial } from '../decide/findings.js';

type Event = Record<string, unknown>;

/** An EVE writer and the events that it wrote. */
function writer() {
  const parts: Buffer[] = [];
  const write = (bytes: Buffer, length: number) =>
    void parts.push(Buffer.from(bytes.subarray(0, length)));
  const eve = new EveWriter({ write }, { clear: true, sensor: 'tap-1' });
  const events = () =>
    Buffer.concat(parts)
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Event);
  return { eve, events };
}

/** What a policy says about findings, as objects of events. */
function said(...findings: Parameters<Trial['give']>): Event[] {
  const trial = new Trial().give(...findings);
  const { eve, events } = writer();
  for (const alert of trial.alerts) eve.alert(alert);
  for (const decision of trial.decisions) eve.decision(decision);
  eve.flush();
  return events();
}

describe('their place', () => {
  it('behind the last row that is not later, and never back in time', () => {
    const { eve, events } = writer();
    const [alert] = new Trial().give(finding(rules.dialect)).alerts;
    const rows = new RowEncoder(null);
    for (const second of [0, 2, 4]) rows.session({ time: start + second * 1e6 });
    for (const second of [3, 2, 9]) eve.alert({ ...alert!, time: start + second * 1e6 });
    eve.rows(rows.area, rows.length);
    eve.alert({ ...alert!, time: start });
    eve.flush();
    const order = events().map(({ event_type, timestamp }) => [
      event_type,
      String(timestamp).slice(17, 19),
    ]);
    expect(order).toEqual([
      ['smtp_session', '20'],
      ['smtp_session', '22'],
      ['alert', '23'],
      ['alert', '23'],
      ['smtp_session', '24'],
      ['alert', '29'],
      ['alert', '29'],
    ]);
  });
});

describe('an alert', () => {
  it.each([
    ['info', 3],
    ['low', 3],
    ['medium', 2],
    ['high', 1],
    ['critical', 1],
  ] as const)('severity %s is %i', (severity, number) => {
    const [event] = said(finding(rules.dialect, { severity }));
    expect(event).toMatchObject({ event_type: 'alert', alert: { severity: number } });
  });

  it('about an address, a prefix and the network', () => {
    const whole = { cidr: '', words: [0, 0, 0, 0], bits: 0, role: '' } as const;
    const events = said(
      finding(rules.dialect),
      finding(rules.snowshoe, { source: '198.51.100.0/24' }),
      finding(rule('network-cusum'), { subject: whole }),
    );
    expect(events.map((event) => [event['src_ip'], (event['alert'] as Event)['subject']])).toEqual([
      ['203.0.113.9', '203.0.113.9'],
      ['198.51.100.0', '198.51.100.0/24'],
      ['0.0.0.0', '0.0.0.0/0'],
    ]);
  });

  it('one flow that triggered it has its fields; a proof is the status of the evidence', () => {
    const flow = {
      id: '9007199254740993',
      src_ip: '192.0.2.1',
      src_port: 4000,
      dest_ip: '203.0.113.9',
      dest_port: 25,
    };
    const [event] = said(finding(rules.relay, { flow, proof: 'confirmed' }));
    expect(event).toMatchObject({
      sensor: 'tap-1',
      flow_id: flow.id,
      src_ip: '192.0.2.1',
      proto: 'TCP',
      alert: { action: 'allowed', evidence: { status: 'confirmed', llr: 12.6 } },
    });
  });

  it('numbers of rules are for ever, and those of local rules are their own', () => {
    expect(signatureId('core.direct-to-mx')).toBe(1_825_001);
    expect(signatureId('core.connect-failure')).toBe(1_825_022);
    const local = signatureId('isp.night-shift');
    expect(local).toBe(signatureId('isp.night-shift'));
    expect(local).toBeGreaterThanOrEqual(1_900_000);
    expect(local).toBeLessThan(2_000_000);
  });
});

it('a decision has the fields of the contract', () => {
  const [, event] = said(finding(rules.direct));
  expect(event).toEqual({
    timestamp: '2023-11-14T22:13:20.000000+0000',
    event_type: 'decision',
    sensor: 'tap-1',
    decision: {
      id: expect.stringMatching(/^bl_[0-9a-f]{20}$/),
      cidr: '203.0.113.9/32',
      action: 'limit',
      state: 'added',
      scope: { proto: 'tcp', dport: [25], direction: 'out', rate: 25, burst: 10 },
      rule: { id: 'core.direct-to-mx', version: '1.0.0' },
      until: '2023-11-15T04:13:20.000000+0000',
      level: 0,
      mode: 'enforce',
      explanation: expect.stringMatching(/^Limited: /),
    },
  });
});
