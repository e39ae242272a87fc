// Policy: how long things last, what holds them back, and that the innocent are not listed.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Breaker } from '../../src/decide/breaker.js';
import type { Guard, Standing } from '../../src/decide/guards.js';
import { climb, faded, renewed, steps } from '../../src/decide/ladder.js';
import type { PolicyOptions } from '../../src/decide/policy.js';
import type { Finding, Mode } from '../../src/detect/finding.js';
import { day, finding, hour, minute, rule, rules, start, Trial } from './findings.js';

const hours = (micros: number): number => micros / hour;

/** Both kinds of evidence at once: enough for a block. */
function both(time: number, source = '203.0.113.9', change: Partial<Finding> = {}): Finding[] {
  return [
    finding(rules.dialect, { time, source, ...change }),
    finding(rules.refusals, { time, source, ...change }),
  ];
}

describe('ladder', () => {
  it('1, 6, 24, 72 and 168 hours where a rule does not say', () => {
    expect(steps({ do: 'block' }).map(hours)).toEqual([1, 6, 24, 72, 168]);
    expect(steps({ do: 'block', ban_time: 21_600 }).map(hours)).toEqual([6, 24, 72, 168]);
    expect(steps({ do: 'block', ban_time: 60, ban_increment: [120] })).toEqual([60e6, 120e6]);
  });

  it('never over 168 hours, whatever a rule says', () => {
    const longest = { do: 'block', ban_time: 1e9, ban_max: 1e9 } as const;
    expect(steps(longest).map(hours)).toEqual([168]);
    expect(steps({ do: 'block', ban_max: 7200 }).map(hours)).toEqual([1, 2, 2, 2, 2]);
    expect(climb({ do: 'block' }, 9)).toEqual({ level: 5, length: 168 * hour });
  });

  it.each([
    [3, 0, 3],
    [3, 7 * day - 1, 3],
    [3, 7 * day, 2],
    [3, 21 * day, 0],
    [1, 70 * day, 0],
    [2, -day, 2],
  ])('level %i after %i quiet microseconds is %i', (level, quiet, left) => {
    expect(faded(level, quiet)).toBe(left);
  });

  it('a renewal never shortens and never passes seven days', () => {
    fc.assert(
      fc.property(fc.nat(400), fc.nat(400), fc.nat(400), (ran, left, length) => {
        const now = ran * hour;
        const until = Math.min(now + left * hour, 168 * hour);
        const end = renewed(0, until, now, length * hour);
        expect(end).toBeGreaterThanOrEqual(until);
        expect(end).toBeLessThanOrEqual(168 * hour);
      }),
    );
  });
});

describe('how long a block lasts', () => {
  it('expires at its time, at packet time, and once', () => {
    const trial = new Trial().give(...both(start));
    trial.policy.tick(start + hour - 1);
    expect(trial.said).toEqual(['added block']);
    trial.policy.tick(start + 5 * hour);
    trial.policy.tick(start + 6 * hour);
    expect(trial.said).toEqual(['added block', 'expired block']);
    expect(trial.decisions[1]).toMatchObject({ time: start + hour, until: start + hour });
  });

  it('climbs only on fresh evidence after it ended', () => {
    const trial = new Trial();
    let time = start;
    const lengths: number[] = [];
    for (let round = 0; round < 6; round++) {
      trial.give(...both(time));
      const { until, level } = trial.decisions.at(-1)!;
      lengths.push(level, hours(until - time));
      time = until + 1;
    }
    expect(lengths).toEqual([1, 1, 2, 6, 3, 24, 4, 72, 5, 168, 5, 168]);
  });

  it('a corroborator alone does not use old evidence twice', () => {
    const trial = new Trial().give(...both(start));
    trial.give(finding(rules.dialect, { time: start + hour + minute, state: 'again' }));
    expect(trial.said).toEqual(['added block', 'expired block']);
  });

  it('evidence while it lasts renews it at the same level', () => {
    const trial = new Trial().give(...both(start));
    trial.give(finding(rules.refusals, { time: start + 30 * minute, state: 'again' }));
    expect(trial.said).toEqual(['added block', 'extended block']);
    expect(trial.decisions[1]).toMatchObject({ level: 1, until: start + 90 * minute });
    expect(trial.decisions[1]!.id).toBe(trial.decisions[0]!.id);
    trial.policy.tick(start + hour);
    expect(trial.said).toHaveLength(2);
    trial.policy.tick(start + 90 * minute);
    expect(trial.said).toEqual(['added block', 'extended block', 'expired block']);
  });

  it('small gains are not worth an event', () => {
    const trial = new Trial().give(...both(start));
    trial.give(finding(rules.refusals, { time: start + minute, state: 'again' }));
    expect(trial.said).toEqual(['added block']);
  });

  it('renewals for ever end after seven days', () => {
    const trial = new Trial();
    for (let time = start; time < start + 8 * day; time += 20 * minute) trial.give(...both(time));
    const first = trial.decisions.filter(({ id }) => id === trial.decisions[0]!.id);
    expect(first.at(-1)).toMatchObject({ state: 'expired', until: start + 7 * day });
    expect(trial.decisions.at(-1)!.level).toBe(2);
  });

  it('quiet weeks are forgiven step by step', () => {
    const trial = new Trial().give(...both(start)).give(...both(start + 2 * hour));
    expect(trial.decisions.at(-1)!.level).toBe(2);
    trial.give(...both(start + 15 * day));
    expect(trial.decisions.at(-1)).toMatchObject({ state: 'added', level: 1 });
  });

  it('a limit lives as long as its rule says, and a block takes its place without a hole', () => {
    const trial = new Trial().give(finding(rules.direct));
    expect(trial.decisions[0]).toMatchObject({
      action: 'limit',
      until: start + 6 * hour,
      level: 0,
    });
    trial.give(...both(start + hour));
    const [limit, block, released] = trial.decisions;
    expect(trial.said).toEqual(['added limit', 'added block', 'released limit']);
    expect(block).toMatchObject({ supersedes: limit!.id });
    expect(released!.id).toBe(limit!.id);
    trial.policy.tick(start + 7 * hour);
    expect(trial.said.slice(3)).toEqual(['expired block']);
  });

  it('two policies say the same about the same findings', () => {
    const run = () => {
      const trial = new Trial().give(...both(start), ...both(start + 3 * hour));
      trial.policy.tick(start + 30 * day);
      return trial.decisions;
    };
    expect(run()).toEqual(run());
    expect(new Set(run().map(({ id }) => id)).size).toBe(2);
    expect(run()[0]!.id).toMatch(/^bl_[0-9a-f]{20}$/);
  });
});

describe('what an entry is about', () => {
  it('own customers: TCP to port 25, outwards, whatever the rule says', () => {
    const odd = {
      ...rules.refusals,
      strongAction: { ...rules.refusals.strongAction!, ports: [587] },
    };
    const trial = new Trial().give(finding(rules.dialect), finding(odd));
    expect(trial.decisions[0]!.scope).toEqual({ proto: 'tcp', dport: [25], direction: 'out' });
  });

  it('strangers who guess passwords: the mail ports of own servers', () => {
    const trial = new Trial({ own: false, role: 'foreign' });
    trial.give(finding(rules.listed), finding(rules.logins));
    const scope = { proto: 'tcp', dport: [25, 465, 587], direction: 'in' };
    expect(trial.decisions[0]!.scope).toEqual(scope);
  });

  it('the prefix of one IPv6 customer', () => {
    const trial = new Trial({ cidr: '2001:db8:25:4::/64' }).give(...both(start));
    expect(trial.decisions[0]!.cidr).toBe('2001:db8:25:4::/64');
  });

  it('a limit says how much, for each customer behind a shared address', () => {
    const { decisions } = new Trial({ cgnat: 16 }).give(finding(rules.direct));
    expect(decisions[0]!.scope).toMatchObject({ rate: 400, burst: 160 });
  });

  it('everything that an appeal needs', () => {
    const appeal = { url: 'https://isp.example/appeal', contact: 'abuse@isp.example' };
    const { decisions } = new Trial({}, { appeal, sensor: 'tap-1' }).give(...both(start));
    expect(decisions[0]).toMatchObject({
      rule: { id: 'core.rcpt-failure-sprt', version: '1.0.0', sha256: rules.refusals.sha256 },
      profile: 'cn-2006',
      legal: ['CN-38/2006 art.12(2)'],
      severity: 'high',
      confidence: 0.9966,
      role: 'customer-dynamic',
      register: '1',
      sensor: 'tap-1',
      firstSeen: start,
      lastSeen: start,
      symmetry: 1,
      loss: 0,
      evidence: { llr: 12.6 },
      appeal: { ...appeal, due: start + day },
    });
  });
});

describe('guards', () => {
  const refused: readonly (readonly [Guard, Partial<Standing>, Partial<Finding>])[] = [
    ['allow-list', { allowed: true }, {}],
    ['allow-list', { allowed: true, role: 'registered' }, {}],
    ['registered-server', { role: 'registered' }, {}],
    ['registered-server', { role: 'registered-bulk' }, {}],
    ['infrastructure', { role: 'infrastructure' }, {}],
    ['protected-inside', { protects: true }, {}],
    ['prefix', { wide: true }, {}],
    ['no-handshake', {}, { handshake: false }],
  ];

  it.each(refused)('%s: nothing is decided, the alert says why', (guard, standing, change) => {
    const trial = new Trial(standing).give(...both(start, '203.0.113.9', change));
    expect(trial.said).toEqual([]);
    expect(trial.alerts.at(-1)!.guards).toEqual([guard]);
    expect(trial.policy.guards[guard]).toBeGreaterThan(0);
  });

  const lowered: readonly (readonly [Guard, Partial<Standing>, Partial<Finding>, Mode])[] = [
    ['capture-quality', {}, { degraded: true }, 'enforce'],
    ['shared-address', { cgnat: 16 }, {}, 'enforce'],
    ['mode-limit', {}, {}, 'limit'],
  ];

  it.each(lowered)('%s: a block is held to a limit', (guard, standing, change, mode) => {
    const trial = new Trial(standing, { mode });
    trial.give(finding(rules.dialect), finding(rules.refusals, change));
    expect(trial.said).toEqual(['added limit']);
    expect(trial.decisions[0]).toMatchObject({ guards: [guard], mode });
  });

  it.each([
    [0.02, 1],
    [0, 0.79],
  ])('a sensor that loses %f and sees both sides of %f blocks nobody', (loss, symmetry) => {
    let quality = { loss, symmetry };
    const trial = new Trial({}, { quality: () => quality });
    expect(trial.give(...both(start)).said).toEqual(['added limit']);
    quality = { loss: 0.009, symmetry: 0.81 };
    trial.give(...both(start + minute, '203.0.113.10'));
    expect(trial.decisions[1]).toMatchObject({ action: 'block', loss: 0.009, symmetry: 0.81 });
  });

  it.each<[Mode, Mode, Mode]>([
    ['observe', 'enforce', 'observe'],
    ['enforce', 'observe', 'observe'],
    ['limit', 'enforce', 'limit'],
    ['enforce', 'limit', 'limit'],
    ['enforce', 'enforce', 'enforce'],
  ])('mode %s and a rule that says %s: %s', (mode, own, effective) => {
    const trial = new Trial({}, { mode });
    trial.give(finding({ ...rules.refusals, mode: own }));
    expect(trial.decisions[0]!.mode).toBe(effective);
  });

  it('in observe a block is shown as the block it would have been', () => {
    const trial = new Trial({}, { mode: 'observe' }).give(...both(start));
    expect(trial.decisions[0]).toMatchObject({ action: 'block', mode: 'observe' });
  });

  it('a new rule observes, and its entries count when the week is over', () => {
    const observing = (_: string, time: number) => time < start + hour;
    const trial = new Trial({}, { observing }).give(...both(start));
    expect(trial.decisions[0]).toMatchObject({ mode: 'observe', guards: ['observe-period'] });
    trial.give(finding(rules.refusals, { time: start + hour, state: 'again' }));
    expect(trial.decisions.at(-1)).toMatchObject({ mode: 'enforce' });
  });

  it('a prefix is told about and never listed', () => {
    const trial = new Trial().give(
      finding(rule('snowshoe', { action: { do: 'limit' } }), { source: '203.0.113.0/24' }),
    );
    expect([trial.said, trial.alerts.length]).toEqual([[], 1]);
  });

  it('the network as a whole is told about', () => {
    const whole = { cidr: '', words: [0, 0, 0, 0], bits: 0, role: '' } as const;
    const trial = new Trial().give(finding(rules.direct, { subject: whole }));
    expect(trial.alerts[0]).toMatchObject({ guards: ['network'] });
    expect(trial.said).toEqual([]);
  });

  it('who is allowed or registered later is released at once', () => {
    const standings = new Map<string, Partial<Standing>>();
    const options: Partial<PolicyOptions> = {
      standing: ({ cidr }) => ({ ...home, cidr, ...standings.get(cidr) }),
    };
    const trial = new Trial({}, options);
    trial.give(...both(start, '203.0.113.9'), ...both(start, '203.0.113.10'));
    standings.set('203.0.113.9/32', { allowed: true });
    trial.policy.use({ ...base, ...options } as PolicyOptions, start + minute);
    expect(trial.said).toEqual(['added block', 'added block', 'released block']);
    expect(trial.decisions[2]).toMatchObject({ cidr: '203.0.113.9/32', time: start + minute });
    trial.give(...both(start + hour / 2, '203.0.113.9'));
    expect(trial.said).toHaveLength(3);
  });

  it('a lower mode releases what it does not allow', () => {
    const trial = new Trial().give(
      ...both(start),
      finding(rules.direct, { source: '203.0.113.10' }),
    );
    trial.policy.use({ ...base, mode: 'limit' } as PolicyOptions, start + minute);
    expect(trial.said).toEqual(['added block', 'added limit', 'released block']);
    trial.policy.use({ ...base, mode: 'observe' } as PolicyOptions, start + minute);
    expect(trial.said.at(-1)).toBe('released limit');
  });
});

describe('release by a person', () => {
  it('forgives two levels, and for a day the same rule only observes', () => {
    const trial = new Trial();
    let time = start;
    for (let round = 0; round < 3; round++) {
      trial.give(...both(time));
      time = trial.decisions.at(-1)!.until + 1;
    }
    trial.give(...both(time));
    expect(trial.decisions.at(-1)!.level).toBe(4);
    expect(trial.policy.release('bl_none', time)).toBe(false);
    expect(trial.policy.release(trial.decisions.at(-1)!.id, time + minute)).toBe(true);
    expect(trial.said.at(-1)).toBe('released block');
    trial.give(...both(time + hour));
    const observed = trial.decisions.at(-1)!;
    expect(observed).toMatchObject({ state: 'added', mode: 'observe', guards: ['observe-period'] });
    trial.policy.tick(observed.until);
    trial.give(...both(time + 26 * hour));
    expect(trial.decisions.at(-1)).toMatchObject({ state: 'added', mode: 'enforce', level: 3 });
  });

  it('a rule that is not trusted any more only observes, and others go on, until it is', () => {
    const trial = new Trial();
    trial.policy.trust(rules.refusals.sha256, false);
    trial.give(...both(start));
    expect(trial.decisions.at(-1)).toMatchObject({ mode: 'observe' });
    trial.give(finding(rules.direct, { source: '203.0.113.50' }));
    expect(trial.decisions.at(-1)).toMatchObject({ mode: 'enforce', action: 'limit' });
    trial.policy.trust(rules.refusals.sha256, true);
    trial.give(...both(start, '203.0.113.51'));
    expect(trial.decisions.at(-1)).toMatchObject({ mode: 'enforce', action: 'block' });
  });
});

const home: Standing = {
  cidr: '',
  wide: false,
  own: true,
  role: 'customer-dynamic',
  cgnat: 1,
  allowed: false,
  protects: false,
};

const base: Partial<PolicyOptions> = {
  mode: 'enforce',
  profiles: ['cn-2006'],
  register: '2',
  standing: ({ cidr }) => ({ ...home, cidr }),
  digest: (text) => text,
};

describe('circuit breaker', () => {
  it('more than 200 blocks in ten minutes are held to limits, and somebody is told', () => {
    const trial = new Trial();
    for (let n = 0; n < 210; n++) trial.give(...both(start + n, `198.51.${n >> 7}.${n & 127}`));
    const blocks = trial.decisions.filter(({ action }) => action === 'block');
    expect(blocks).toHaveLength(200);
    expect(trial.decisions.slice(200).map(({ action }) => action)).toEqual(Array(10).fill('limit'));
    const told = trial.alerts.filter(({ rule: { id } }) => id === 'core.circuit-breaker');
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ severity: 'critical', subject: { cidr: '' } });
  });

  it('more than 0.5 % of the active customers, from ten on', () => {
    const counted = (customers: number, blocks: number) => {
      const trial = new Trial({}, { customers: () => customers });
      for (let n = 0; n < blocks; n++) trial.give(...both(start + n, `198.51.100.${n}`));
      return trial.decisions.filter(({ action }) => action === 'block').length;
    };
    expect(counted(100, 30)).toBe(10);
    expect(counted(4000, 30)).toBe(20);
    expect(counted(100_000, 30)).toBe(30);
  });

  it('closes an hour after the last block that was too many', () => {
    const breaker = new Breaker();
    for (let n = 0; n < 200; n++) expect(breaker.pass(start, 0)).toBe(true);
    expect(breaker.pass(start, 0)).toBe(false);
    expect(breaker.pass(start + 30 * minute, 0)).toBe(false);
    expect(breaker.open(start + hour - 1)).toBe(true);
    expect(breaker.pass(start + hour, 0)).toBe(true);
    expect([breaker.trips, breaker.held]).toEqual([1, 2]);
  });
});

describe('alerts', () => {
  it('one per subject and rule until it clears or rises', () => {
    const trial = new Trial().give(
      finding(rules.relay, { proof: 'suspected' }),
      finding(rules.relay, { proof: 'suspected', state: 'again' }),
      finding(rules.relay, { proof: 'confirmed', state: 'rises' }),
      finding(rules.relay, { state: 'clears' }),
      finding(rules.relay, { proof: 'suspected' }),
    );
    expect(trial.alerts.map(({ proof }) => proof)).toEqual(['suspected', 'confirmed', 'suspected']);
  });
});

describe('bounds', () => {
  it('a flood of sources costs the silent ones, never an entry, and is counted', () => {
    const trial = new Trial().give(...both(start));
    const { policy } = trial;
    for (let n = 0; n < 70_000; n++) {
      const source = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
      policy.finding(finding(rules.dialect, { source, time: start + n, state: 'again' }));
    }
    expect(policy.counters.evicted).toBe(70_000 - 65_536);
    policy.tick(start + hour);
    expect(trial.said).toEqual(['added block', 'expired block']);
  });
});

describe('the innocent', () => {
  const roles = [
    'registered',
    'registered-bulk',
    'infrastructure',
    'customer-dynamic',
    'customer-static',
    'unregistered-server',
    'foreign',
  ];

  it('no findings at all list who is allowed, registered, infrastructure or may be forged', () => {
    const event = fc.record({
      rule: fc.constantFrom(...Object.values(rules)),
      state: fc.constantFrom(
        'fires' as const,
        'rises' as const,
        'again' as const,
        'clears' as const,
      ),
      after: fc.integer({ min: 0, max: 3 * 86_400 }),
      source: fc.integer({ min: 0, max: 7 }),
      times_limit: fc.integer({ min: 0, max: 1000 }),
      handshake: fc.boolean(),
    });
    const standing = fc.record({
      role: fc.constantFrom(...roles),
      allowed: fc.boolean(),
      own: fc.boolean(),
      cgnat: fc.constantFrom(1, 16),
      protects: fc.boolean(),
    });
    const standings = fc.array(standing, { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), standings, (events, people) => {
        const of = (cidr: string): number => Number(/\.(\d+)\/32$/.exec(cidr)![1]);
        const trial = new Trial(
          {},
          {
            standing: ({ cidr }) => ({ cidr, wide: false, ...people[of(cidr)]! }),
          },
        );
        let time = start;
        for (const { after, source, times_limit, ...rest } of events) {
          time += after * 1e6;
          const evidence = { times_limit, llr: 12 };
          trial.give(finding(rest.rule, { ...rest, time, source: `192.0.2.${source}`, evidence }));
        }
        for (const decision of trial.decisions) {
          const person = people[of(decision.cidr)]!;
          expect(person.allowed || person.protects).toBe(false);
          expect(roles.slice(0, 3)).not.toContain(person.role);
          if (decision.action === 'block') expect(person.cgnat).toBe(1);
          expect(decision.until - decision.created).toBeLessThanOrEqual(7 * day);
        }
        expect(trial.policy.open.length).toBeLessThanOrEqual(8);
      }),
      { numRuns: 300 },
    );
  });
});
