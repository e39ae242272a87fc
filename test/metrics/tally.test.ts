// What is counted for the metrics alone, each against a slow and obvious count of the same.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RowEncoder } from '../../bench/generate/rows.js';
import { Outcome, outcomeNames, Protocol, StartTls } from '../../src/batch/row.js';
import { Histogram, slotsOf } from '../../src/lib/histogram.js';
import { Clocks, clockNames } from '../../src/metrics/clocks.js';
import { MailTally } from '../../src/metrics/mail.js';
import { openFigures, VerdictTally } from '../../src/metrics/verdicts.js';
import { loadRegister } from '../../src/register/load.js';
import type { Register } from '../../src/register/register.js';
import { ReplyClass } from '../../src/smtp/reply-class.js';
import { finding, minute, rules, start, Trial } from '../decide/findings.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-tally-'));
let register: Register;
let nothing: Register;

beforeAll(async () => {
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const base = { profiles: ['cn-2006'] as const, registers: {} };
  nothing = await loadRegister({ ...base, network: { own: [], pools: [] } });
  const codes = `code,holder,service,issued_on,expires_on,withdrawn_on,source_cidrs
SHP1,Shop Ltd,email,2023-01-01,2023-11-20,,
OLD1,Old Ltd,email,2021-01-01,2023-06-30,,
`;
  register = await loadRegister({
    ...base,
    network: { own: ['203.0.113.0/24'], pools: [] },
    registers: {
      allow: file('allow.csv', 'cidr,owner,reason,until\n192.0.2.1,Bank,tests,2023-12-01\n'),
      codes: file('codes.csv', codes),
    },
  });
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('a histogram', () => {
  const bounds = [1, 5, 20];

  it('has each value in the first bucket that is large enough', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -5, max: 50, noNaN: true })), (values) => {
        const histogram = new Histogram(bounds);
        for (const value of values) histogram.observe(value);
        const sizes = values.map((value) => Math.max(0, value));
        const within = (low: number, high: number) =>
          sizes.filter((size) => size > low && size <= high).length;
        expect(histogram.figures.counts).toEqual([
          within(-1, 1),
          within(1, 5),
          within(5, 20),
          within(20, 100),
        ]);
        const sum = sizes.reduce((total, size) => total + size, 0);
        expect(histogram.figures.sum).toBeCloseTo(sum, 6);
      }),
    );
  });

  it('in shared numbers is read by another one; what is no number counts as 0', () => {
    const area = new Float64Array(new SharedArrayBuffer(slotsOf(bounds) * 8));
    new Histogram(bounds, area).observe(Number.NaN);
    new Histogram(bounds, area).observe(Number.POSITIVE_INFINITY);
    expect(new Histogram(bounds, area).figures.counts).toEqual([1, 0, 0, 1]);
  });
});

describe('mail', () => {
  const own = [0, 0, 0xffff, 0xcb007109 | 0];
  const other = [0, 0, 0xffff, 0xcb00710a | 0];
  const foreign = [0, 0, 0xffff, 0xc6336401 | 0];
  const stranger = [0, 0, 0xffff, 0xc6336402 | 0];
  const ways = {
    out: { client: own, server: foreign },
    in: { client: foreign, server: own },
    inside: { client: own, server: other },
    through: { client: foreign, server: stranger },
  };

  it('is counted by direction and outcome as a plain count of the same rows has it', () => {
    const way = fc.constantFrom(...(Object.keys(ways) as (keyof typeof ways)[]));
    const outcome = fc.constantFrom(0, 1, 2, 3, 4);
    fc.assert(
      fc.property(fc.array(fc.tuple(way, outcome), { maxLength: 40 }), (mails) => {
        const encoder = new RowEncoder();
        for (const [name, number] of mails) encoder.transaction({ ...ways[name], outcome: number });
        const tally = new MailTally();
        tally.rows(encoder.area, encoder.length, register);
        const found = tally.figures(register).transactions as Record<string, object>;
        expect(Object.keys(found)).toEqual(Object.keys(ways));
        for (const name of Object.keys(ways)) {
          const count = (number: number) =>
            mails.filter(([is, ended]) => is === name && ended === number).length;
          const counts = outcomeNames.map((word, number) => [word, count(number)]);
          expect(found[name]).toEqual(Object.fromEntries(counts));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('has recipients by reply, sessions by TLS, attempts and oddities', () => {
    const encoder = new RowEncoder();
    const rcpt = (code: number, replyClass: number) => ({
      address: 'a@b',
      code,
      class: replyClass,
    });
    encoder
      .transaction({
        ...ways.out,
        outcome: Outcome.accepted,
        rcpts: [rcpt(250, ReplyClass.ok), rcpt(550, ReplyClass.unknownUser)],
      })
      .session({ ...ways.in, startTls: StartTls.established, anomalies: [[3, 2]] })
      .session({ ...ways.in, protocol: Protocol.tls })
      .attempt({ ...ways.through, attempt: 2 });
    const tally = new MailTally();
    tally.rows(encoder.area, encoder.length, register);
    expect(tally.figures(register)).toMatchObject({
      recipients: { out: { ok: 1, 'unknown-user': 1, deferred: 0 }, in: { ok: 0 } },
      sessions: { in: { none: 0, starttls: 1, 'from-start': 1 }, out: { none: 0 } },
      attempts: { through: { silent: 1, refused: 0 } },
      anomalies: { 'early-talker': 2, 'no-brackets': 0 },
    });
  });

  it('has an unknown direction where no network is configured, and only there', () => {
    const encoder = new RowEncoder().transaction(ways.out);
    const tally = new MailTally();
    tally.rows(encoder.area, encoder.length, nothing);
    expect(Object.keys(tally.figures(nothing).transactions)).toEqual(['unknown']);
    // A register came: what was counted before stays.
    expect(Object.keys(tally.figures(register).transactions)).toEqual([
      ...Object.keys(ways),
      'unknown',
    ]);
  });
});

describe('verdicts', () => {
  it('are counted by rule, severity, action, role and state, and the time they took', () => {
    const tally = new VerdictTally();
    const trial = new Trial();
    trial.policy.finding(finding(rules.direct, { time: start, severity: 'medium' }));
    trial.policy.finding(finding(rules.refusals, { time: start + 2 * minute, severity: 'high' }));
    trial.policy.tick(start + 400 * 24 * 60 * minute);
    for (const alert of trial.alerts) tally.alert(alert);
    for (const decision of trial.decisions) tally.decision(decision);
    const added = trial.decisions.filter(({ state }) => state === 'added');
    expect(added.length).toBeGreaterThan(0);
    const { alerts, rules: byRule, decisions, time_to_decision } = tally.figures;
    expect(alerts).toEqual({
      'core.direct-to-mx': { medium: 1 },
      'core.rcpt-failure-sprt': { high: 1 },
    });
    const total = (counts: Record<string, number>) =>
      Object.values(counts).reduce((sum, count) => sum + count, 0);
    expect(
      Object.values(byRule)
        .map(total)
        .reduce((sum, count) => sum + count, 0),
    ).toBe(added.length);
    const changes = Object.values(decisions).flatMap((roles) => Object.values(roles).map(total));
    expect(changes.reduce((sum, count) => sum + count, 0)).toBe(trial.decisions.length);
    expect(time_to_decision.counts.reduce((sum, count) => sum + count, 0)).toBe(added.length);
  });

  it('what is in force is counted by action and mode, with zeros', () => {
    const trial = new Trial();
    expect(openFigures(trial.policy.open)).toEqual({
      limit: { observe: 0, limit: 0, enforce: 0 },
      block: { observe: 0, enforce: 0 },
    });
    trial.policy.finding(finding(rules.refusals, { time: start, severity: 'high' }));
    const [{ action, mode }] = trial.policy.open as [(typeof trial.policy.open)[number]];
    expect(openFigures(trial.policy.open)[action]![mode]).toBe(1);
  });

  it('however many words there are, what is kept has an end', () => {
    const tally = new VerdictTally();
    const [alert] = (() => {
      const trial = new Trial();
      trial.policy.finding(finding(rules.direct, { time: start, severity: 'medium' }));
      return trial.alerts;
    })();
    for (let index = 0; index < 2000; index++) {
      tally.alert({ ...alert!, rule: { ...alert!.rule, id: `r.${index}` } });
    }
    const { alerts } = tally.figures;
    expect(Object.keys(alerts)).toHaveLength(257);
    expect(alerts['others']).toEqual({ medium: 2000 - 256 });
  });
});

describe('clocks', () => {
  const time = Date.UTC(2023, 10, 17) * 1000;

  it('count entries, those that end soon, and what is late by name', () => {
    const { entries, ending, clocks } = new Clocks().figures(register, ['cn-2006'], time);
    expect(entries).toEqual({ servers: 0, codes: 2, allow: 1, pools: 0 });
    expect(ending).toMatchObject({
      codes: { '7d': 1, '30d': 1, '90d': 1 },
      allow: { '7d': 0, '30d': 1, '90d': 1 },
    });
    expect(Object.keys(clocks)).toEqual([...clockNames]);
  });

  it('are counted again after an hour, or for another register', () => {
    const kept = new Clocks();
    const before = kept.figures(register, ['cn-2006'], time);
    expect(kept.figures(register, ['cn-2006'], time + 60e6)).toBe(before);
    const later = kept.figures(register, ['cn-2006'], time + 20 * 86_400e6);
    expect(later.clocks['allow-over']).toBe(1);
    expect(kept.figures(nothing, ['cn-2006'], time).entries['codes']).toBe(0);
  });
});
