// Judging as a user sees it: `mailweir replay --config` and `mailweir rules backtest`, from
// captures and files to events and pages.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accused, accusedCapture, accusedFiles } from '../helper/accused.js';
import { eventsIn, mailweir } from '../helper/program.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-judge-'));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (name: string): string => join(folder, name);
let config = '';

beforeAll(() => {
  writeFileSync(place('hour.pcap'), accusedCapture());
  config = accusedFiles(folder);
});

type Event = Record<string, unknown> & {
  timestamp: string;
  event_type: string;
  src_ip: string;
  alert: { subject: string; rule: { id: string }; severity: number; signature_id: number };
  decision: { cidr: string; action: string; state: string; mode: string; id: string };
};

const known = new Map<string, Event[]>();

/** The events of a replay; run once for the same words. */
function events(...words: string[]): Event[] {
  const key = words.join(' ');
  if (!known.has(key)) known.set(key, replayed(words));
  return known.get(key)!;
}

function replayed(words: readonly string[]): Event[] {
  const { status, stdout, stderr } = mailweir([
    'replay',
    place('hour.pcap'),
    '--format',
    'eve',
    ...words,
  ]);
  expect([status, stderr]).toEqual([0, '']);
  return eventsIn(stdout) as Event[];
}

describe('replay --config', () => {
  it('judges: alerts and decisions among the events, in the order of time', () => {
    const all = events('--config', config);
    const alerts = all.filter(({ event_type }) => event_type === 'alert');
    const decisions = all.filter(({ event_type }) => event_type === 'decision');
    const refusals = alerts.find(({ alert }) => alert.rule.id === 'core.rcpt-failure-sprt')!;
    expect(refusals).toMatchObject({
      sensor: 'tap-1',
      src_ip: accused.bot,
      dest_port: 25,
      proto: 'TCP',
      alert: {
        action: 'allowed',
        signature_id: 1_825_003,
        category: 'Spam source',
        severity: 1,
        subject: accused.bot,
        evidence: { samples: expect.arrayContaining([expect.objectContaining({ dport: 25 })]) },
      },
    });
    expect(String(refusals['flow_id'])).toMatch(/^\d+$/);
    const block = decisions.find(({ decision }) => decision.action === 'block')!;
    expect(block.decision).toMatchObject({
      cidr: `${accused.bot}/32`,
      state: 'added',
      scope: { proto: 'tcp', dport: [25], direction: 'out' },
      rule: { id: 'core.rcpt-failure-sprt' },
      level: 1,
      mode: 'enforce',
    });
    const verdicts = new Set(['alert', 'decision']);
    let latest = '';
    for (const { timestamp, event_type } of all) {
      if (verdicts.has(event_type)) expect(timestamp >= latest).toBe(true);
      if (timestamp > latest) latest = timestamp;
    }
    const stats = all.at(-1)! as unknown as { stats: { decide: Record<string, unknown> } };
    expect(stats.stats.decide).toMatchObject({ alerts: alerts.length });
  });

  it('lists nobody but the bot', () => {
    const decisions = events('--config', config).filter((each) => each.event_type === 'decision');
    expect(new Set(decisions.map(({ decision }) => decision.cidr))).toEqual(
      new Set([`${accused.bot}/32`]),
    );
  });

  it('says of those who are out of reach why nothing is done', () => {
    const alerts = events('--config', config).filter(({ alert }) => alert !== undefined);
    const of = (subject: string) => alerts.filter(({ alert }) => alert.subject === subject);
    expect(of(accused.allowed).length).toBeGreaterThan(0);
    for (const { alert } of of(accused.allowed)) {
      if (alert.rule.id !== 'core.rcpt-failure-sprt') continue;
      expect(alert).toMatchObject({ guards: ['allow-list'] });
    }
    expect(of(accused.innocent)).toEqual([]);
  });

  it('twice, and with workers, is the same', () => {
    const judged = (...words: string[]) =>
      replayed(['--config', config, ...words]).filter(
        ({ event_type }) => event_type === 'alert' || event_type === 'decision',
      );
    const one = judged();
    expect(one.length).toBeGreaterThan(3);
    expect(judged()).toEqual(one);
    expect(judged('--workers', '3')).toEqual(one);
  });

  it('in observe, decisions say so', () => {
    const observing = accusedFiles(folder, '', 'observe');
    const decisions = replayed(['--config', observing]).filter(({ decision }) => decision);
    accusedFiles(folder);
    expect(decisions.length).toBeGreaterThan(0);
    for (const { decision } of decisions) expect(decision.mode).toBe('observe');
  });

  it('without it nobody is judged', () => {
    const kinds = new Set(events().map(({ event_type }) => event_type));
    expect(kinds).toEqual(new Set(['smtp', 'smtp_session', 'stats']));
  });

  it('the page shows the findings, the worst first, and what was decided', () => {
    const words = ['replay', place('hour.pcap'), '--config', config];
    const { status, stdout, stderr } = mailweir(words);
    expect([status, stderr]).toEqual([0, '']);
    const findings = stdout.slice(stdout.indexOf('\nFindings\n'));
    expect(findings).toMatch(/^\nFindings\n {2}\d+ alerts \(\d+ high, .*decided: .*1 block/);
    expect(findings).toMatch(/HIGH +203\.0\.113\.9 {2}customer-dynamic\n/);
    expect(findings).toContain('=> blocked from 22:');
    expect(findings).toContain('no action: the allow-list names it');
    expect(findings.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('the page of a quiet capture says that nothing was found', () => {
    const words = ['replay', place('hour.pcap'), '--ports', '2525', '--config', config];
    expect(mailweir(words).stdout).toContain('Findings\n  nothing that a rule speaks of\n');
  });

  it.each([
    ['registers: { servers: none.csv }', /none\.csv/],
    ['rules: { directory: none }', /none: cannot read the folder of rules/],
  ])('a law that cannot be read: %s', (text, message) => {
    writeFileSync(place('bad.yaml'), `${text}\n`);
    const words = ['replay', place('hour.pcap'), '--config', place('bad.yaml')];
    const { status, stdout, stderr } = mailweir(words);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^mailweir: [^\n]*\n$/);
    expect(stderr).toMatch(message);
  });
});

describe('rules backtest', () => {
  const shipped = join(import.meta.dirname, '..', '..', 'rules');

  /** A copy of the shipped rules, changed file by file. */
  function rulesWith(change: (text: string) => string): string {
    const target = mkdtempSync(join(folder, 'rules-'));
    cpSync(shipped, target, { recursive: true });
    for (const name of readdirSync(target).filter((each) => each.endsWith('.yaml'))) {
      writeFileSync(join(target, name), change(readFileSync(join(target, name), 'utf8')));
    }
    return target;
  }

  const backtest = (rules: string, capture = 'hour.pcap') =>
    mailweir(['rules', 'backtest', '--rules', rules, '--config', config, place(capture)]);

  it('the same rules list the same', () => {
    const { status, stdout, stderr } = backtest(shipped);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/no rule differs\n/);
    expect(stdout).toMatch(/blocked +1 +1\n/);
    expect(stdout).toMatch(/Same \(1 source\)\n {2}block +203\.0\.113\.9 {2}customer-dynamic\n/);
    expect(stdout).toMatch(/Added \(0 sources\)/);
  });

  it('a rule that only observes takes its entries away, with the reasons', () => {
    const gentle = rulesWith((text) =>
      text.replaceAll(/^severity: /gm, 'mode: observe\nseverity: '),
    );
    const { status, stdout } = backtest(gentle);
    expect(status).toBe(0);
    expect(stdout).toMatch(/changed {2}core\.rcpt-failure-sprt 1\.\d+\.\d+ -> 1\.\d+\.\d+\n/);
    expect(stdout).toMatch(/blocked +1 +0\n/);
    expect(stdout).toMatch(/Removed \(1 source\)/);
  });

  it('a rule that is gone lists nobody', () => {
    const silent = rulesWith((text) => text.replaceAll('dst.port == 25', 'dst.port == 2525'));
    const { status, stdout } = backtest(silent);
    expect(status).toBe(0);
    expect(stdout).toMatch(/blocked +1 +0\n/);
    expect(stdout).toMatch(/Removed \(1 source\)\n {2}block +203\.0\.113\.9/);
    expect(stdout).toMatch(/recipients that it offered were refused/);
  });

  it('a broken capture is told and compared as far as it goes', () => {
    const whole = accusedCapture();
    writeFileSync(place('cut.pcap'), whole.subarray(0, whole.length - 30));
    const { status, stdout, stderr } = backtest(shipped, 'cut.pcap');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^mailweir: [^\n]*cut\.pcap: truncated[^\n]*\n$/);
    expect(stdout).toMatch(/Same \(1 source\)/);
  });

  it('the other set is asked for', () => {
    const { status, stderr } = mailweir(['rules', 'backtest', place('hour.pcap')]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^mailweir: [^\n]*--rules[^\n]*\n$/);
  });
});
