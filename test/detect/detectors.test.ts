// The detectors over rows: what counts as evidence, one finding per subject and rule, its end,
// other rules in the middle of it, and full tables.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RowEncoder, type SessionRow, type TransactionRow } from '../../bench/generate/rows.js';
import { shippedRules } from '../../src/cli/rule-folder.js';
import { testNetwork } from '../../src/cli/rule-tests.js';
import { Detectors, detectorDefaults } from '../../src/detect/detectors.js';
import { type RuleSet, readRules } from '../../src/detect/rule-file.js';
import { ReplyClass } from '../../src/smtp/reply-class.js';
import { FindingRecorder } from '../helper/findings.js';

const { register } = await testNetwork();
const text = ['10-recipients.yaml', '20-sources.yaml', '30-dialogue.yaml', '40-servers.yaml']
  .map((name) => readFileSync(join(shippedRules, name), 'utf8'))
  .join('---\n');
const begin = 1_714_521_600;

function rulesOf(from = text): RuleSet {
  const digest = (part: string) => createHash('sha256').update(part).digest('hex');
  return readRules([{ path: 'rules.yaml', text: from }], digest);
}

const address = (a: number, b: number, c: number, d: number) =>
  [0, 0, 0xffff, (a << 24) | (b << 16) | (c << 8) | d] as const;
const customer = address(203, 0, 113, 9);

class World {
  readonly recorder = new FindingRecorder();
  readonly detectors: Detectors;
  readonly #rows = new RowEncoder();
  second = begin;
  #n = 0;

  constructor(subjects = 10_000, rules = rulesOf()) {
    const options = { ...detectorDefaults, subjects };
    this.detectors = new Detectors(rules, register, this.recorder, options);
  }

  /** A session with one recipient that is refused, ten seconds after the last. */
  refused(row: Partial<TransactionRow> = {}): this {
    this.second += 10;
    this.#n++;
    const base = {
      client: customer,
      server: address(198, 51, this.#n & 255, 1),
      time: this.second * 1e6,
      flow: [1, this.#n],
      outcome: 1,
      rcpts: [
        { address: `u${this.#n}@d.example`, code: 550, class: 2, hash: [this.#n, this.#n, 0, 1] },
      ],
      ...row,
    };
    this.#rows.transaction(base);
    return this.#hand();
  }

  session(row: Partial<SessionRow>): this {
    this.#rows.session({ time: this.second * 1e6, ...row });
    return this.#hand();
  }

  #hand(): this {
    this.detectors.rows(this.#rows.area, this.#rows.length);
    this.#rows.clear();
    return this;
  }

  states(rule: string): readonly string[] {
    const mine = this.recorder.findings.filter((finding) => finding.rule.id === rule);
    return mine.map(({ state }) => state);
  }
}

const sprt = 'core.rcpt-failure-sprt';

function refusals(world: World, count: number, row: Partial<TransactionRow> = {}): World {
  for (let n = 0; n < count; n++) world.refused(row);
  return world;
}

describe('evidence', () => {
  it('ten refusals in a row are a finding with what decided', () => {
    const world = refusals(new World(), 10);
    const finding = world.recorder.findings.find(({ rule }) => rule.id === sprt);
    expect(finding).toMatchObject({
      subject: { cidr: '203.0.113.9/32', role: 'customer-dynamic' },
      state: 'fires',
      severity: 'high',
      handshake: true,
      degraded: false,
      evidence: { threshold: 11.5, outcomes: 10, failed: 10, sessions: 10 },
      flow: { src_ip: '203.0.113.9', dest_port: 25 },
    });
    expect(finding?.samples.length).toBeGreaterThan(3);
    expect(finding?.samples.at(-1)).toMatchObject({ outcome: 'unknown-user 550', dport: 25 });
  });

  it('of a transaction with a gap only the answers that were seen are', () => {
    const answer = { code: 550, class: ReplyClass.unknownUser };
    for (const [rcpt, states] of [
      [{ address: null, ...answer }, []],
      [{ code: 0, class: ReplyClass.none }, []],
      [{}, ['fires']],
    ] as const) {
      const world = new World();
      for (let n = 0; n < 10; n++) {
        const hash = [n, n, 0, 1];
        const seen = { address: `user${n}@example.net`, hash, ...answer };
        world.refused({ gaps: 1, rcpts: [{ ...seen, ...rcpt }] });
      }
      expect(world.states(sprt)).toEqual(states);
      expect(world.detectors.counters.gapped).toBe(10);
    }
  });

  it('a transaction with a gap is no mail, whatever else was seen of it', () => {
    const world = new World();
    for (let n = 0; n < 60; n++) {
      world.refused({ gaps: 1, rcpts: [{ address: `u${n}@example.net`, code: 250, class: 1 }] });
    }
    expect(world.states('core.rate-limit')).toEqual([]);
  });

  it('a connection whose handshake nobody saw is none: its address may be forged', () => {
    const world = refusals(new World(), 50, { handshake: false });
    expect(world.recorder.lines).toEqual([]);
    expect(world.detectors.counters.unproven).toBe(50);
  });

  it('where the tap shows no handshakes at all it counts, and says so', () => {
    const world = new World();
    for (let n = 0; n < 30; n++) world.session({ handshake: false, sides: 2, flow: [2, n] });
    refusals(world, 12, { handshake: false, sides: 2 });
    const finding = world.recorder.findings.find(({ rule }) => rule.id === sprt);
    expect(finding).toMatchObject({ handshake: false });
  });

  it('a rule whose side is missing is degraded, not silent', () => {
    const world = new World();
    for (let n = 0; n < 30; n++) world.session({ handshake: false, sides: 1, flow: [2, n] });
    world.second += 61;
    refusals(world, 12, { handshake: false, sides: 1 });
    expect(world.recorder.findings.find(({ rule }) => rule.id === sprt)?.degraded).toBe(true);
    const states = new Map(world.detectors.rules.map(({ id, degraded }) => [id, degraded]));
    expect(states.get(sprt)).toBe(true);
    expect(states.get('core.rcpt-fanout')).toBe(false);
  });

  it('a greylisted recipient counts once, when it is answered', () => {
    const world = new World();
    const once = [{ address: 'u@d.example', code: 550, class: 2, hash: [5, 5, 5, 5] }];
    refusals(world, 60, { rcpts: once });
    expect(world.states(sprt)).toEqual([]);
  });
});

describe('findings', () => {
  it('there is one until it clears, and it speaks again with new evidence, not at once', () => {
    const world = refusals(new World(), 10);
    expect(world.states(sprt)).toEqual(['fires']);
    refusals(world, 60);
    // Ten minutes of it: two more, for a rule is quiet for five.
    expect(world.states(sprt)).toEqual(['fires', 'again', 'again']);
    world.detectors.tick((world.second + 86_500) * 1e6);
    expect(world.states(sprt).at(-1)).toBe('clears');
    expect(world.detectors.open).toBe(0);
    refusals(world, 20);
    expect(world.states(sprt).at(-1)).toBe('fires');
  });

  it('equal rows give equal findings', () => {
    const [one, other] = [refusals(new World(), 100), refusals(new World(), 100)];
    expect(one.recorder.findings).toEqual(other.recorder.findings);
    expect(one.recorder.findings.length).toBeGreaterThan(3);
  });
});

describe('one finding for a subject', () => {
  /** Refusals of two domains: two keys of the rule, and a second way that is graver. */
  const two = `
id: a.two
title: Two ways
version: 1.0.0
severity: low
on: rcpt.outcome
where: src.own and outcome.class == unknown-user
group_by: [src.ip, rcpt.domain]
bucket: { type: trigger, count: 3, within: 24h }
ways:
  - name: many
    on: transaction
    where: src.own
    group_by: src.ip
    bucket: { type: trigger, count: 10, within: 24h }
    severity: high
    clears_after: 2d
action: { do: alert }
quiet: 1s
clears_after: 1d
evidence: { discovery: true }
tests:
  - name: speaks
    talks: [{ from: 203.0.113.9, to: 198.51.100.1 }]
    expect: { fires: true, way: many }
  - name: is silent
    talks: [{ from: 203.0.113.9, to: 198.51.100.1 }]
    expect: { fires: false }
`;
  const rcpts = (domain: string, n: number) => [
    { address: `u${n}@${domain}`, code: 550, class: 2, hash: [n, n, 0, 1] as const },
  ];
  const told = (world: World) =>
    world.recorder.findings
      .filter(({ state }) => state !== 'again')
      .map(({ state, severity, evidence }) => [state, severity, evidence['way'] ?? '']);

  it('several keys and ways tell once, rise with the graver one, and clear with the last', () => {
    const world = new World(1000, rulesOf(two));
    for (let n = 0; n < 12; n++) world.refused({ rcpts: rcpts(n % 2 === 0 ? 'a.x' : 'b.x', n) });
    expect(told(world)).toEqual([
      ['fires', 'low', ''],
      ['rises', 'high', 'many'],
    ]);
    expect(world.detectors.open).toBe(3);
    world.detectors.tick((world.second + 90_000) * 1e6);
    expect(world.detectors.open).toBe(1);
    expect(told(world).length).toBe(2);
    world.detectors.tick((world.second + 180_000) * 1e6);
    expect(told(world).at(-1)?.[0]).toBe('clears');
    expect(world.detectors.open).toBe(0);
  });

  it('the day of the discovery stays when it clears and comes back', () => {
    const world = new World(1000, rulesOf(two));
    const first = world.second + 10;
    for (let n = 0; n < 3; n++) world.refused({ rcpts: rcpts('a.x', n) });
    world.detectors.tick((world.second + 90_000) * 1e6);
    expect(world.detectors.open).toBe(0);
    world.second += 90_000;
    for (let n = 0; n < 3; n++) world.refused({ rcpts: rcpts('a.x', n + 5) });
    const days = world.recorder.findings.map(({ evidence }) => evidence['discovered']);
    expect(new Set(days)).toEqual(
      new Set([`${new Date(first * 1e3).toISOString().slice(0, -1)}000Z`]),
    );
    expect(world.states('a.two')).toContain('clears');
    expect(world.states('a.two').at(-1)).not.toBe('clears');
  });
});

describe('other rules in the middle', () => {
  const otherDialect = text.replace('space-after-colon, add: 0.3', 'space-after-colon, add: 0.4');

  it('a rule that is the same keeps what it knows', () => {
    const world = refusals(new World(), 7);
    expect(world.states(sprt)).toEqual([]);
    world.detectors.reload(rulesOf(otherDialect));
    refusals(world, 3);
    expect(world.states(sprt)).toEqual(['fires']);
  });

  it('an open finding stays open', () => {
    const world = refusals(new World(), 10);
    world.detectors.reload(rulesOf(otherDialect));
    const { open } = world.detectors;
    expect(open).toBeGreaterThan(0);
    refusals(world, 3);
    world.detectors.tick((world.second + 86_500) * 1e6);
    expect(world.states(sprt)).toEqual(['fires', 'clears']);
  });

  it('a rule with another text begins anew', () => {
    const world = refusals(new World(), 7);
    world.detectors.reload(rulesOf(text.replace('theta1: 0.70', 'theta1: 0.71')));
    refusals(world, 3);
    expect(world.states(sprt)).toEqual([]);
    refusals(world, 10);
    expect(world.states(sprt)).toEqual(['fires']);
  });

  it('a set that cannot be read leaves the old one in force', () => {
    const world = refusals(new World(), 7);
    expect(() => world.detectors.reload(rulesOf(`${text}---\nid: x\n`))).toThrow(/id/);
    refusals(world, 3);
    expect(world.states(sprt)).toEqual(['fires']);
  });
});

describe('limits', () => {
  it('a crowd of strangers takes no more memory and drives no busy source out', () => {
    const world = new World(200);
    for (let n = 0; n < 3000; n++) {
      const stranger = { client: address(198, 18, n >> 8, n & 255) };
      world.refused({ ...stranger, server: address(203, 0, 113, 225) });
    }
    refusals(world, 10);
    expect(world.states(sprt)).toContain('fires');
    const tables = world.detectors.tables();
    for (const { used } of tables) expect(used).toBeLessThanOrEqual(200);
    expect(tables.some(({ evicted }) => evicted > 1000)).toBe(true);
  });

  it('random rows never throw', () => {
    const world = new World(200);
    for (let n = 0; n < 500; n++) {
      world.refused({
        client: [n * 7919, n, n % 3 === 0 ? 0xffff : n, n * 104_729],
        ip: n % 2 === 0 ? 4 : 6,
        helo: n % 5 === 0 ? null : String.fromCharCode(n & 255).repeat(n % 9),
        mailFrom: ['', '@', 'a@', undefined, null, '@@'][n % 6],
        rcpts: Array.from({ length: n % 4 }, (_, i) => ({
          address: [null, '', '@', 'a@b'][(n + i) % 4]!,
          code: (n * 31) % 1000,
          class: (n + i) % 8,
        })),
        time: ((n * 7919) % 10_000) * 1e9,
        outcome: n % 5,
        label: n % 16,
      });
    }
    expect(world.detectors.counters.rows).toBe(500);
  });
});
