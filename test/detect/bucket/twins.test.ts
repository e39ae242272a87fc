// Buckets against obvious twins: Wald's walk by hand, a bucket that leaks, counting over a list.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Asks } from '../../../src/detect/asks.js';
import { Verdict } from '../../../src/detect/bucket/bucket.js';
import { Cusum } from '../../../src/detect/bucket/cusum.js';
import { Distinct } from '../../../src/detect/bucket/distinct.js';
import { Leaky } from '../../../src/detect/bucket/leaky.js';
import { Ratio } from '../../../src/detect/bucket/ratio.js';
import { Sprt, walkOf } from '../../../src/detect/bucket/sprt.js';
import { Trigger } from '../../../src/detect/bucket/trigger.js';
import { Facts } from '../../../src/detect/facts.js';
import { fields, Slot } from '../../../src/detect/fields.js';
import { RecentPairs } from '../../../src/detect/state/recent.js';
import { Cells } from '../../../src/detect/state/subjects.js';
import { Tallies } from '../../../src/detect/state/tally.js';
import { Random } from '../../../src/lib/random.js';

const isBad = (values: Float64Array) => values[Slot.sessionDnsbl] !== 0;
const signs = new Asks([{ kind: 'flag', field: fields.get('session.dnsbl')! }], new Map());
const isCapped = (values: Float64Array) => values[Slot.mailMeant] !== 0;
const roles = 7;
const same = <T>(value: T) => Array.from({ length: roles }, () => value);

const memory = () => ({ tallies: new Tallies(64, 64), sessions: new RecentPairs(4096, true) });

/** The observation at hand. */
class Now extends Facts {
  constructor() {
    super(1);
    this.at(1_700_000_000);
  }

  at(second: number): this {
    this.time = second * 1e6;
    this.second = Math.floor(second);
    return this;
  }

  set(isBadOne: boolean, session: number, thingOf = 1): this {
    this.values[Slot.sessionDnsbl] = isBadOne ? 1 : 0;
    this.values[Slot.dstKey] = thingOf;
    this.flowLow = session;
    return this;
  }
}

const settings = { theta0: 0.2, theta1: 0.7, alpha: 1e-5, beta: 0.01 };

function sprt(sessionCap: number, more: Partial<ConstructorParameters<typeof Sprt>[0]> = {}): Sprt {
  return new Sprt({
    observe: isBad,
    walks: same(walkOf(settings)),
    sessionCap,
    idleSeconds: 86_400,
    atLeast: 0,
    sessions: new RecentPairs(4096, true),
    salt: 3,
    tallies: new Tallies(64, 64),
    ...more,
  });
}

/** After how many outcomes it fires; 0: never. Outcome i belongs to session `sessionOf(i)`. */
function firesAt(bucket: Sprt, outcomes: readonly boolean[], sessionOf: (i: number) => number) {
  const cells = new Cells(64, 0);
  const now = new Now();
  const at = outcomes.findIndex(
    (isBadOne, i) => bucket.observe(cells, 0, now.set(isBadOne, sessionOf(i))) >= Verdict.suspected,
  );
  return at + 1;
}

describe('sprt', () => {
  // ln((1-beta)/alpha), and how many refusals in a row reach it.
  it.each([
    [0.2, 0.9, 1e-2, 4.595, 4],
    [0.2, 0.7, 1e-5, 11.503, 10],
    [0.1, 0.6, 1e-5, 11.503, 7],
    [0.25, 0.65, 1e-6, 13.805, 15],
  ])('theta %f and %f, alpha %f: bound %f, %i in a row', (theta0, theta1, alpha, bound, row) => {
    const walk = walkOf({ theta0, theta1, alpha, beta: 0.01 });
    expect(walk.upper).toBeCloseTo(bound, 2);
    expect(Math.ceil(walk.upper / walk.up)).toBe(row);
  });

  it('fires where the sum by hand passes the bound', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (outcomes) => {
        const { up, down, upper, lower } = walkOf(settings);
        let sum = 0;
        const expected = outcomes.findIndex((isBadOne) => {
          sum += isBadOne ? up : down;
          if (sum <= lower) sum = 0;
          return sum >= upper;
        });
        expect(firesAt(sprt(0), outcomes, (i) => i)).toBe(expected + 1);
      }),
    );
  });

  it('one session never moves the walk to the bound, whatever it holds', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 300 }), (outcomes) => {
        expect(firesAt(sprt(3), outcomes, () => 7)).toBe(0);
      }),
    );
  });

  it('four sessions of twenty refusals are as good as ten sessions of one', () => {
    const refused = (n: number) => Array.from({ length: n }, () => true);
    expect(firesAt(sprt(3), refused(80), (i) => Math.floor(i / 20))).toBe(61);
    expect(firesAt(sprt(3), refused(80), (i) => i)).toBe(10);
  });

  describe('with a class apart', () => {
    const policy = Slot.sessionTls;
    const apart = {
      when: (values: Float64Array) => values[policy] !== 0,
      name: 'policy_refused',
      rest: 'unknown_user',
    };
    /** The highest verdict after each of the outcomes: g good, u unknown, p policy. */
    function verdicts(outcomes: string, sessionCap = 0, perSession = 1): number[] {
      const bucket = sprt(sessionCap, { apart });
      const cells = new Cells(64, 0);
      const now = new Now();
      return [...outcomes].map((outcome, i) => {
        now.set(outcome !== 'g', Math.floor(i / perSession)).values[policy] =
          outcome === 'p' ? 1 : 0;
        return bucket.observe(cells, 0, now);
      });
    }

    it.each([
      ['nothing but policy is a suspicion, after ten', 'p'.repeat(10), Verdict.suspected],
      ['nine of them are none', 'p'.repeat(9), Verdict.noted],
      ['nothing but unknown users is probable, after ten', 'u'.repeat(10), Verdict.probable],
      ['five and five of each are neither', 'pu'.repeat(5), Verdict.noted],
      ['half and half are probable in the end', 'pu'.repeat(12), Verdict.probable],
      ['a tenth of unknown users beside policy stays one', 'pppppppppu'.repeat(200), 2],
      ['good ones and policy in turn are nothing', 'pggg'.repeat(100), Verdict.none],
    ] as const)('%s', (_, outcomes, expected) => {
      expect(Math.max(...verdicts(outcomes))).toBe(expected);
    });

    it('is two walks by hand', () => {
      const { up, down, upper, lower } = walkOf(settings);
      const outcome = fc.constantFrom('g', 'u', 'p');
      fc.assert(
        fc.property(fc.array(outcome, { maxLength: 300 }), (list) => {
          let [unknown, refused, all, ofUnknown] = [0, 0, 0, 0];
          const expected = list.map((one) => {
            all++;
            if (one === 'u') ofUnknown++;
            if (one !== 'p') unknown += one === 'u' ? up : down;
            if (one !== 'u') refused += one === 'p' ? up : down;
            if (unknown <= lower) unknown = 0;
            if (refused <= lower) refused = 0;
            if (unknown >= upper) {
              const isEnough = ofUnknown >= settings.theta0 * all;
              unknown = isEnough ? 0 : upper;
              if (isEnough) return 3;
            }
            if (refused < upper) return 0;
            refused = 0;
            return 2;
          });
          const got = verdicts(list.join('')).map((verdict) => (verdict < 2 ? 0 : verdict));
          expect(got).toEqual(expected);
        }),
      );
    });

    it('one session moves neither to its bound', () => {
      const outcome = fc.constantFrom('g', 'u', 'p');
      fc.assert(
        fc.property(fc.array(outcome, { maxLength: 300 }), (list) => {
          expect(Math.max(0, ...verdicts(list.join(''), 3, 1000))).toBeLessThan(2);
        }),
      );
      expect(verdicts('p'.repeat(80), 3, 20).indexOf(Verdict.suspected)).toBe(60);
      expect(verdicts('u'.repeat(80), 3, 20).indexOf(Verdict.probable)).toBe(60);
    });
  });

  it('waits for as many different things as its guard asks for', () => {
    const guard = { slot: Slot.dstKey, atLeast: same(5), seconds: 3600 };
    const cells = new Cells(64, 0);
    const now = new Now();
    const bucket = sprt(0, { guard });
    for (let i = 0; i < 50; i++) {
      expect(bucket.observe(cells, 0, now.set(true, i, 1 + (i % 4)))).toBeLessThan(2);
    }
    expect(bucket.observe(cells, 0, now.set(true, 99, 77))).toBe(Verdict.suspected);
  });

  it('false alarms stay rare where a fifth is refused, ten to a session and alike', () => {
    const random = new Random(11);
    const bucket = sprt(3);
    const cells = new Cells(64, 0);
    const now = new Now();
    let alarms = 0;
    for (let session = 0; session < 20_000; session++) {
      const share = random.chance(0.3) ? (random.chance(0.1) ? 1 : 0) : 0.1;
      for (let i = 0; i < 10; i++) {
        const verdict = bucket.observe(cells, 0, now.set(random.chance(share), session));
        if (verdict >= Verdict.suspected) alarms++;
      }
    }
    expect(alarms).toBeLessThanOrEqual(2);
  });
});

describe('leaky', () => {
  it('agrees with a bucket that leaks', () => {
    const gaps = fc.array(fc.tuple(fc.nat({ max: 400 }), fc.integer({ min: 1, max: 3 })), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 50 }), (order, burst) => {
        const cells = new Cells(64, 0);
        const now = new Now();
        const limits = same({ rate: 36, burst });
        const tallies = new Tallies(1, 1);
        const bucket = new Leaky({
          limits,
          costSlot: Slot.mailCost,
          and: null,
          declared: null,
          tallies,
        });
        let level = 0;
        let second = 1_700_000_000;
        for (const [later, amount] of order) {
          second += later;
          // 36 an hour leak at 1 in 100 seconds.
          level = Math.max(0, level - later / 100);
          const fits = level + amount <= burst + 1e-6;
          if (fits) level += amount;
          now.at(second).values[Slot.mailCost] = amount;
          expect(bucket.observe(cells, 0, now) < Verdict.suspected).toBe(fits);
        }
      }),
    );
  });
});

describe('ratio', () => {
  it('never counts what is older than its window, nor forgets what is younger than half', () => {
    const order = fc.array(fc.tuple(fc.nat({ max: 40 }), fc.boolean()), { maxLength: 200 });
    fc.assert(
      fc.property(order, (moves) => {
        const windows = [{ seconds: 100, atLeast: 5, over: 0.8 }];
        const bucket = new Ratio({ observe: isBad, windows, ...memory() });
        const cells = new Cells(64, 0);
        const now = new Now();
        const seen: { second: number; isBadOne: boolean }[] = [];
        let second = 1_700_000_000;
        for (const [later, isBadOne] of moves) {
          second += later;
          seen.push({ second, isBadOne });
          const fires = bucket.observe(cells, 0, now.at(second).set(isBadOne, 1)) >= 2;
          const hits = (span: number) =>
            seen.filter((one) => one.isBadOne && second - one.second < span).length;
          const { hits: counted } = bucket.evidence(cells, 0, now) as { hits: number };
          expect(counted).toBeLessThanOrEqual(hits(100));
          expect(counted).toBeGreaterThanOrEqual(hits(50));
          if (fires) expect(counted).toBeGreaterThanOrEqual(5);
        }
      }),
    );
  });
});

describe('ratio with a session cap', () => {
  it('counts the first outcomes of each session, good and bad alike', () => {
    const order = fc.array(fc.tuple(fc.nat({ max: 5 }), fc.boolean(), fc.boolean()));
    fc.assert(
      fc.property(order, fc.integer({ min: 1, max: 6 }), (moves, outcomes) => {
        const windows = [{ seconds: 1000, atLeast: 3, over: 0.6 }];
        const cap = { outcomes, when: isCapped, salt: 5 };
        const bucket = new Ratio({ observe: isBad, windows, cap, ...memory() });
        const cells = new Cells(64, 0);
        const now = new Now();
        const seen = new Map<number, number>();
        let hits = 0;
        let misses = 0;
        for (const [session, isBadOne, isCappedOne] of moves) {
          now.set(isBadOne, session).values[Slot.mailMeant] = isCappedOne ? 1 : 0;
          const fires = bucket.observe(cells, 0, now) >= Verdict.suspected;
          const before = seen.get(session) ?? 0;
          const counts = !isCappedOne || before < outcomes;
          if (isCappedOne && counts) seen.set(session, before + 1);
          if (counts && isBadOne) hits++;
          else if (counts) misses++;
          const should = counts && isBadOne && hits >= 3 && hits >= 0.6 * (hits + misses);
          expect(fires).toBe(should);
        }
      }),
    );
  });
});

describe('ratio of a crowd', () => {
  const windows = [{ seconds: 3600, atLeast: 20, over: 0.7 }];
  const sources = { slot: Slot.dstKey, atLeast: 10, under: 5 };

  it('of each source its first four count, and it takes enough sources', () => {
    const source = fc.integer({ min: 1, max: 30 });
    fc.assert(
      fc.property(fc.array(source, { maxLength: 400 }), (list) => {
        const bucket = new Ratio({ observe: isBad, windows, sources, ...memory() });
        const cells = new Cells(64, 0);
        const now = new Now();
        const each = new Map<number, number>();
        const expected = list.map((one) => {
          const before = each.get(one) ?? 0;
          each.set(one, before + 1);
          const counted = [...each.values()].reduce((sum, n) => sum + Math.min(n, 4), 0);
          return before < 4 && counted >= 20 && each.size >= 10;
        });
        const got = list.map((one, i) => bucket.observe(cells, 0, now.set(true, i, one)) >= 2);
        expect(got).toEqual(expected);
      }),
    );
  });

  it('one source that asks for everything is no crowd', () => {
    const bucket = new Ratio({ observe: isBad, windows, sources, ...memory() });
    const cells = new Cells(64, 0);
    const now = new Now();
    for (let n = 0; n < 500; n++) {
      expect(bucket.observe(cells, 0, now.set(true, n, 1))).toBeLessThan(2);
    }
    expect(bucket.evidence(cells, 0, now)).toMatchObject({ hits: 4, sources: 1 });
  });
});

describe('distinct', () => {
  it('fires when more things than its limit lie in the window', () => {
    const order = fc.array(fc.tuple(fc.nat({ max: 30 }), fc.integer({ min: 1, max: 12 })), {
      maxLength: 100,
    });
    fc.assert(
      fc.property(order, fc.integer({ min: 1, max: 8 }), (moves, over) => {
        const limit = { slot: Slot.dstKey, seconds: 100, over, times: same(1) };
        const bucket = new Distinct({ ...limit, tallies: new Tallies(64, 64) });
        const cells = new Cells(64, 0);
        const now = new Now();
        const last = new Map<number, number>();
        let second = 1_700_000_000;
        for (const [later, one] of moves) {
          second += later;
          last.set(one, second);
          const live = [...last.values()].filter((time) => second - time < 100).length;
          const fires = bucket.observe(cells, 0, now.at(second).set(false, 1, one)) >= 2;
          expect(fires).toBe(live > over);
        }
      }),
    );
  });

  it('a shared address has as many times the limit as customers', () => {
    const limit = { slot: Slot.dstKey, seconds: 100, over: 2, times: same(1) };
    const bucket = new Distinct({ ...limit, tallies: new Tallies(64, 64) });
    const cells = new Cells(64, 0);
    const now = new Now();
    now.src.cgnat = 16;
    for (let n = 1; n <= 32; n++)
      expect(bucket.observe(cells, 0, now.set(false, 1, n))).toBeLessThan(2);
    expect(bucket.observe(cells, 0, now.set(false, 1, 33))).toBe(Verdict.suspected);
  });
});

describe('trigger', () => {
  it('a sign counts once, however often it shows', () => {
    const weights = [{ name: 'sign', add: 2 }];
    const tallies = new Tallies(64, 64);
    const bucket = new Trigger({ signs, weights, over: 3, count: 1, seconds: 3600, tallies });
    const cells = new Cells(64, 0);
    const now = new Now();
    for (let n = 1; n < 50; n++)
      expect(bucket.observe(cells, 0, now.set(true, n))).toBe(Verdict.noted);
    expect(bucket.evidence(cells, 0)).toMatchObject({ score: 2, signs: 'sign' });
  });

  it('a sign of many things shows when more than its limit are there, for each customer', () => {
    const things = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 120 });
    fc.assert(
      fc.property(things, fc.constantFrom(1, 2, 16), (seen, customers) => {
        const many = { slot: Slot.dstKey, over: 2 };
        const weights = [{ name: 'names', add: 3, many }];
        const tallies = new Tallies(64, 64);
        const bucket = new Trigger({ signs, weights, over: 3, count: 1, seconds: 3600, tallies });
        const cells = new Cells(64, 0);
        const now = new Now();
        now.src.cgnat = customers;
        const twin = new Set<number>();
        seen.forEach((one, n) => {
          const counts = one % 3 !== 0;
          if (counts) twin.add(one);
          const shows = counts && twin.size > 2 * customers;
          const verdict = bucket.observe(cells, 0, now.set(counts, n + 1, one));
          expect(verdict >= Verdict.suspected).toBe(shows);
        });
        bucket.release(cells, 0);
        expect(tallies.pages).toBe(0);
      }),
    );
  });
});

describe('cusum', () => {
  const options = { countSlot: -1, seconds: 300, slack: 0.5, limit: 8, smooth: 0.05, learn: 24 };
  const bucketOf = () => new Cusum({ ...options, seasonal: false, times: 0, lasting: 1 });

  /** Feeds Poisson counts; gives the bins in which it fired. */
  function bins(means: readonly number[], seed: number): number[] {
    const random = new Random(seed);
    const cells = new Cells(64, 0);
    const now = new Now();
    const bucket = bucketOf();
    const fired: number[] = [];
    means.forEach((mean, bin) => {
      const second = 1_700_000_100 + bin * 300;
      let count = 0;
      // Knuth's method: how many exponential gaps fit in one.
      for (let left = random.fraction(); left > Math.exp(-mean); left *= random.fraction()) count++;
      for (let i = 0; i < Math.max(1, count); i++) {
        if (bucket.observe(cells, 0, now.at(second)) >= 2) fired.push(bin);
      }
    });
    return fired;
  }

  it('is silent where nothing changes', () => {
    const still = Array.from({ length: 2000 }, () => 20);
    expect(bins(still, 3).length).toBeLessThanOrEqual(1);
  });

  it('speaks within ten bins of a doubling', () => {
    const rise = Array.from({ length: 120 }, (_, bin) => (bin < 100 ? 20 : 60));
    const fired = bins(rise, 4).filter((bin) => bin > 100);
    expect(fired[0]).toBeLessThanOrEqual(106);
  });
});
