// Pools of records against a set of their addresses: no record twice, all zeroed, none leaked.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Slots } from '../../src/lib/slots.js';

describe('slots', () => {
  it.each([
    [1, 2],
    [7, 6],
    [50, 54],
  ])('are records (%d of %d words)', (capacity, stride) => {
    // A number below 0 takes a record, any other gives back the one at that place.
    const steps = fc.array(fc.integer({ min: -8, max: 7 }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (operations) => {
        const slots = new Slots(capacity, stride);
        const held: number[] = [];
        for (const step of operations) {
          if (step >= 0) {
            const [at] = held.splice(step % Math.max(held.length, 1), 1);
            if (at !== undefined) slots.give(at);
          } else {
            const at = slots.take();
            if (held.length === capacity) {
              expect(at).toBe(-1);
              continue;
            }
            expect(at % stride).toBe(0);
            expect(at).toBeLessThan(capacity * stride);
            expect(held).not.toContain(at);
            const record = slots.words.subarray(at, at + stride);
            expect(record.every((word) => word === 0)).toBe(true);
            record.fill(at + 1);
            held.push(at);
          }
          expect(slots.used).toBe(held.length);
          for (const at of held) expect(slots.words[at + stride - 1]).toBe(at + 1);
        }
        for (const at of held) slots.give(at);
        expect(slots.used).toBe(0);
        for (let n = 0; n < capacity; n++) expect(slots.take()).toBeGreaterThanOrEqual(0);
        expect(slots.take()).toBe(-1);
      }),
      { numRuns: 200 },
    );
  });

  it('shows the same memory as doubles', () => {
    const slots = new Slots(3, 6);
    slots.take();
    const at = slots.take();
    slots.doubles[(at + 2) >> 1] = 1.5;
    expect([slots.words[at + 2], slots.words[at + 3]]).toEqual([0, 0x3ff80000]);
  });
});
