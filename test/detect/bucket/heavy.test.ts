// Space-Saving against counting everything: a guaranteed count is never above the true one, and who
// has more than N/k is never missing.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SpaceSaving } from '../../../src/detect/bucket/heavy.js';

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
