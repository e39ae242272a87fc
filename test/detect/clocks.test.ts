// What the dates of a register ask for, as findings: each told once, on its day, by the time of the
// traffic; graver when it is too late, over when it is put right.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RowEncoder } from '../../bench/generate/rows.js';
import { Judge } from '../../src/cli/judge.js';
import { loadRules, shippedRules } from '../../src/cli/rule-folder.js';
import { testNetwork } from '../../src/cli/rule-tests.js';
import type { Alert, Decision } from '../../src/decide/decision.js';
import { Detectors, detectorDefaults } from '../../src/detect/detectors.js';
import { readDate } from '../../src/register/dates.js';
import { loadRegister } from '../../src/register/load.js';
import type { ProfileName } from '../../src/register/profile.js';
import type { Register } from '../../src/register/register.js';
import { FindingRecorder } from '../helper/findings.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-clocks-'));
afterAll(() => rmSync(folder, { recursive: true }));
const rules = loadRules(shippedRules);
const { config } = await testNetwork();
const profiles: readonly ProfileName[] = ['cn-2006', 'vn-2008'];

const columns = 'cidr,operator,role,filed_at,starts_at,change_filed_at,changes_at,retires_at';
const codeColumns = 'code,holder,issued_on,expires_on,withdrawn_on,source_cidrs';

async function registerOf(servers: readonly string[], codes: readonly string[] = []) {
  const files = { servers: join(folder, 'servers.csv'), codes: join(folder, 'codes.csv') };
  writeFileSync(files.servers, [columns, ...servers, ''].join('\n'));
  writeFileSync(files.codes, [codeColumns, ...codes, ''].join('\n'));
  const network = { own: ['203.0.113.0/24'], pools: [] };
  return loadRegister({ profiles, network, registers: files });
}

/** Detectors that are told the time alone. */
class Days {
  readonly recorder = new FindingRecorder();
  readonly detectors: Detectors;
  readonly #register: Register;

  constructor(register: Register, laws = profiles) {
    const options = { ...detectorDefaults, subjects: 1000, profiles: laws };
    this.#register = register;
    this.detectors = new Detectors(rules, register, this.recorder, options);
  }

  at(day: string): this {
    this.detectors.tick(readDate(day, this.#register.notice.offsetHours));
    return this;
  }

  /** What was said so far, and no more of it later. */
  said(): readonly string[] {
    const lines = this.recorder.findings.splice(0).map((finding) => {
      const { rule, state, severity, subject, evidence } = finding;
      expect(rule.id).toBe('core.register-clock');
      return `${state} ${severity} ${subject.cidr} ${evidence['clocks']}`;
    });
    return lines;
  }
}

const server = (dates: string, host = 1) => `203.0.113.${host}/32,A,registered,${dates}`;
const one = '203.0.113.1/32';

describe('a start that is not filed', () => {
  it('is due five days before the last day, then missing, and over when it is filed', async () => {
    const days = new Days(await registerOf([server(',2024-03-01,,,')]));
    expect(days.at('2024-02-04').said()).toEqual([]);
    expect(days.at('2024-02-05').said()).toEqual([`fires low ${one} filing-due`]);
    expect(days.at('2024-02-05T23:00').at('2024-02-08').said()).toEqual([]);
    expect(days.at('2024-02-11').said()).toEqual([`rises medium ${one} never-filed`]);
    expect(days.at('2024-02-12').at('2026-02-12').said()).toEqual([]);
    expect(days.detectors.open).toBe(1);
    const filed = await registerOf([server('2024-02-01,2024-03-01,,,')]);
    days.detectors.replaceRegister(filed, profiles);
    expect(days.at('2026-02-12T10:00').said()).toEqual([`clears medium ${one} never-filed`]);
    expect(days.detectors.open).toBe(0);
  });

  it('is of no interest to a register that is held to no law, or to other laws', async () => {
    const register = await registerOf([server(',2024-03-01,,,')]);
    expect(new Days(register, []).at('2024-06-01').said()).toEqual([]);
    expect(new Days(register, ['vn-2008']).at('2024-06-01').said()).toEqual([]);
  });
});

it.each([
  ['filed 19 days before', '2024-01-01,2024-01-20,,,', '2024-06-01', 'medium late-filing'],
  [
    'changed after 29 days',
    '2024-01-01,2024-02-01,2024-04-02,2024-05-01,',
    '2024-06-01',
    'medium late-change',
  ],
  ['a change to be filed', '2024-01-01,2024-02-01,,2024-05-01,', '2024-03-27', 'low change-due'],
  [
    'a change not filed',
    '2024-01-01,2024-02-01,,2024-05-01,',
    '2024-04-02',
    'medium change-never-filed',
  ],
  [
    'late, and a change due',
    '2024-01-01,2024-01-20,,2024-05-01,',
    '2024-03-27',
    'medium late-filing change-due',
  ],
  ['in order', '2024-01-01,2024-02-01,,,', '2024-06-01', null],
  ['late, long ago', '2020-01-01,2020-01-10,,,', '2024-06-01', null],
  ['retired', ',2024-03-01,,,2024-05-01', '2024-06-01', null],
  ['without any date, which is for register lint', ',,,,', '2024-06-01', null],
] as const)('%s', async (_, dates, day, told) => {
  const [severity, ...names] = (told ?? '').split(' ');
  const line = `fires ${severity} ${one} ${names.join(' ')}`;
  const days = new Days(await registerOf([server(dates)]));
  expect(days.at(day).said()).toEqual(told === null ? [] : [line]);
});

it('a code that ends: to be extended, then over, and nothing once it is withdrawn', async () => {
  const code = (withdrawn: string) => `ABC1,News,2022-06-01,,${withdrawn},203.0.113.9/32`;
  const days = new Days(await registerOf([], [code('')]));
  expect(days.at('2025-04-01').said()).toEqual([]);
  expect(days.at('2025-05-20').said()[0]).toMatch(/^fires \w+ {2}extension-due$/);
  expect(days.at('2025-06-03').said().at(-1)).toMatch(/medium {2}code-expired$/);
  const withdrawn = await registerOf([], [code('2025-06-05')]);
  days.detectors.replaceRegister(withdrawn, profiles);
  expect(days.at('2025-06-06').said()[0]).toMatch(/^clears/);
});

it('each code is told of, as a matter of the network, and ends for itself', async () => {
  const codes = ['ABC1,News,2022-06-01,,,203.0.113.9/32', 'DEF1,News,2022-06-01,,,203.0.113.9/32'];
  const days = new Days(await registerOf([], codes)).at('2025-06-03');
  expect(days.recorder.findings.splice(0)).toMatchObject([
    {
      state: 'fires',
      subject: { cidr: '' },
      evidence: { code: 'ABC1', register: 'codes', line: 2 },
    },
    {
      state: 'fires',
      subject: { cidr: '' },
      evidence: { code: 'DEF1', words: 'code DEF1: valid until 2025-06-01' },
    },
  ]);
  days.detectors.replaceRegister(await registerOf([], codes.slice(1)), profiles);
  days.at('2025-06-04');
  const over = days.recorder.findings.filter(({ state }) => state === 'clears');
  expect(over.map(({ evidence }) => evidence['code'])).toEqual(['ABC1']);
  expect(days.detectors.open).toBe(1);
});

it('mail before a start and its missing filing are one alert', async () => {
  const days = new Days(await registerOf([server(',2024-03-10,,,')]));
  expect(days.at('2024-03-01').said()).toEqual([`fires medium ${one} never-filed`]);
  const rows = new RowEncoder();
  rows.transaction({
    client: [0, 0, 0xffff, 0xcb007101 | 0],
    server: [0, 0, 0xffff, 0xc6336419 | 0],
    time: readDate('2024-03-01T12:00', 8),
    outcome: 1,
    rcpts: [{ address: 'u@d.example', code: 250, class: 1, hash: [1, 2, 3, 4] }],
  });
  days.detectors.rows(rows.area, rows.length);
  expect(days.recorder.findings.map(({ state }) => state)).toEqual(['again']);
  days.recorder.findings.splice(0);
  days.detectors.replaceRegister(await registerOf([server('2024-02-01,2024-03-10,,,')]), profiles);
  // The mail that was seen is one more reason, which is older than a week only later.
  expect(days.at('2024-03-02').said()).toEqual([]);
  expect(days.at('2024-03-20').said().length).toBe(1);
});

it('a large register is looked at a part at a time, and no more is told than is read', async () => {
  const text = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}/32,A,registered,`;
  const servers = Array.from({ length: 42_000 }, (_, n) => `${text(n)}2024-01-01,2024-02-01,,,`);
  servers[30_000] = `${text(30_000)},2024-03-01,,,`;
  const days = new Days(await registerOf(servers));
  const begin = readDate('2024-06-01', 8);
  const found: number[] = [];
  for (let minute = 0; minute < 5; minute++) {
    days.detectors.tick(begin + minute * 60e6);
    found.push(days.recorder.findings.length);
  }
  expect(found).toEqual([0, 1, 1, 1, 1]);
  const late = servers.map((_, n) => `${text(n)},2024-03-01,,,`).slice(0, 1500);
  const many = new Days(await registerOf(late)).at('2024-06-01');
  expect(many.recorder.findings.length).toBe(1000);
  expect(many.detectors.givenUp['clocks']).toBe(500);
});

it('becomes an alert with the words and the law, and touches nobody', async () => {
  const register = await registerOf([server(',2024-03-01,,,')]);
  const told: (Alert | Decision)[] = [];
  const sinks = {
    alert: (alert: Alert) => told.push(alert),
    decision: (decision: Decision) => told.push(decision),
  };
  const law = { config: { ...config, profiles }, register, rules };
  new Judge(law, { sinks, subjects: 1000 }).tick(readDate('2024-06-01', 8));
  expect(told).toMatchObject([
    {
      rule: { id: 'core.register-clock' },
      subject: { cidr: one },
      severity: 'medium',
      explanation: expect.stringMatching(
        /^In the register: starts on 2024-03-01 and is not filed; 20 days before are .* \(.*6.*\)/,
      ),
    },
  ]);
});
