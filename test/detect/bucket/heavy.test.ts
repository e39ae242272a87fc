// Space-Saving against counting everything: a guaranteed count is never above the true one, and who
// has more than N/k is never missing.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Verdict } from '../../../src/detect/bucket/bucket.js';
import { Heavy, SpaceSaving } from '../../../src/detect/bucket/heavy.js';
import { Facts } from '../../../src/detect/facts.js';
import { Cells } from '../../../src/detect/state/subjects.js';

/** Counts keys as a bucket does: each key remembers its counter. */
function counted(keys: readonly number[], capacity: number, halveAt = -1) {
  const space = new SpaceSaving(capacity);
  const counters = new Map<number, number>();
  const truth = new Map<number, number>();
  const guaranteed = new Map<number, number>();
  keys.forEach((key, at) => {
    if (at === halveAt) {
      space.halve();
      for (const [one, count] of truth) truth.set(one, count / 2);
    }
    const counter = space.add(key, counters.get(key) ?? -1);
    counters.set(key, counter);
    guaranteed.set(key, space.guaranteed(counter));
    truth.set(key, (truth.get(key) ?? 0) + 1);
  });
  return { space, truth, guaranteed };
}

const streams = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 400 });

it('never guarantees more than was there', () => {
  fc.assert(
    fc.property(streams, fc.integer({ min: 2, max: 40 }), (keys, capacity) => {
      const { truth, guaranteed, space } = counted(keys, capacity);
      for (const [key, count] of guaranteed) expect(count).toBeLessThanOrEqual(truth.get(key)!);
      expect(space.total).toBe(keys.length);
    }),
  );
});

it('is exact while there are enough counters', () => {
  fc.assert(
    fc.property(streams, (keys) => {
      const { truth, guaranteed } = counted(keys, 30);
      expect(guaranteed).toEqual(truth);
    }),
  );
});

it('halves without guaranteeing more', () => {
  fc.assert(
    fc.property(streams, fc.nat({ max: 399 }), (keys, at) => {
      const { truth, guaranteed } = counted(keys, 12, at);
      const again = new Set(keys.slice(at));
      for (const key of again) expect(guaranteed.get(key)!).toBeLessThanOrEqual(truth.get(key)!);
    }),
  );
});

it('keeps whoever has more than its share', () => {
  fc.assert(
    fc.property(streams, fc.integer({ min: 2, max: 20 }), (keys, capacity) => {
      // One key among the others, as often as all of them together.
      const mixed = keys.flatMap((key) => [key, 99]);
      const { guaranteed } = counted(mixed, capacity);
      const floor = mixed.length / 2 - mixed.length / capacity;
      if (keys.length > 0) expect(guaranteed.get(99)!).toBeGreaterThanOrEqual(Math.floor(floor));
    }),
  );
});

it('a subject that is gone leaves nothing guaranteed', () => {
  const space = new SpaceSaving(2);
  const counter = space.add(7, -1);
  space.add(7, counter);
  space.forget(7, counter);
  const next = space.add(7, counter);
  expect(space.guaranteed(next)).toBe(1);
});

it('a prefix is hot by what its hot sources leave of it', () => {
  const source = fc.oneof(fc.integer({ min: 0, max: 23 }), fc.constantFrom(0, 1, 9));
  fc.assert(
    fc.property(fc.array(source, { maxLength: 300 }), (sources) => {
      const options = { counters: 64, seconds: 3600, share: 0.1, atLeast: 6 };
      const below = new Heavy(options);
      const above = new Heavy({ ...options, below });
      const [low, high] = [new Cells(256, 0), new Cells(256, 1)];
      const facts = new Facts(1);
      facts.second = 1_700_000_000;
      const counts = new Float64Array(24);
      const told = new Float64Array(24);
      sources.forEach((one, n) => {
        // Eight sources to a prefix.
        const prefix = one >> 3;
        const limit = Math.max(6, 0.1 * (n + 1));
        counts[one]!++;
        const isHot = counts[one]! >= limit;
        if (isHot) told[one] = counts[one]!;
        let left = 0;
        for (let i = prefix * 8; i < prefix * 8 + 8; i++) left += counts[i]! - told[i]!;
        expect(below.observe(low, one * 8, facts)).toBe(isHot ? Verdict.suspected : Verdict.none);
        const wanted = left >= limit ? Verdict.suspected : Verdict.none;
        expect(above.observe(high, prefix * 8, facts)).toBe(wanted);
      });
    }),
  );
});

it('the hours that pass make nothing of a prefix hot that a source explains', () => {
  const options = { counters: 64, seconds: 3600, share: 0.01, atLeast: 20 };
  const below = new Heavy(options);
  const above = new Heavy({ ...options, below });
  const [low, high] = [new Cells(64, 0), new Cells(64, 1)];
  const facts = new Facts(1);
  let hot = 0;
  for (let n = 0; n < 2000; n++) {
    facts.second = 1_700_000_000 + n * 60;
    if (below.observe(low, 0, facts) === Verdict.suspected) hot++;
    expect(above.observe(high, 0, facts)).toBe(Verdict.none);
  }
  expect(hot).toBeGreaterThan(1900);
});
