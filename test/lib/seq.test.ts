// The wrap arithmetic, against plain integers modulo 2^32.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seqAdd, seqDiff } from '../../src/lib/seq.js';

const turn = 2 ** 32;
const half = 2 ** 31;

/** Numbers as a header gives them, unsigned; the ends of the range often. */
const number = fc.oneof(
  fc.integer({ min: 0, max: turn - 1 }),
  fc.constantFrom(0, 1, half - 1, half, half + 1, turn - 1),
);
const distance = fc.oneof(
  fc.integer({ min: -(half - 1), max: half - 1 }),
  fc.constantFrom(0, 1, -1, half - 1, -(half - 1)),
);

/** The same number without a sign. */
function unsigned(value: number): number {
  return ((value % turn) + turn) % turn;
}

describe('sequence numbers', () => {
  it('add over the wrap as unsigned numbers do, and stay signed 32-bit integers', () => {
    fc.assert(
      fc.property(number, distance, (n, d) => {
        const sum = seqAdd(n, d);
        expect(sum).toBe(sum | 0);
        expect(unsigned(sum)).toBe(unsigned(n + d));
        expect(seqAdd(n | 0, d)).toBe(sum);
      }),
    );
  });

  it('seqDiff is the inverse of seqAdd below 2^31', () => {
    fc.assert(
      fc.property(number, distance, (n, d) => {
        expect(seqDiff(seqAdd(n, d), n)).toBe(d);
        // `|| 0` because minus zero is no difference.
        expect(seqDiff(n, seqAdd(n, d))).toBe(-d || 0);
      }),
    );
  });

  it('orders numbers less than 2^31 apart, whatever the wrap', () => {
    fc.assert(
      fc.property(number, fc.integer({ min: 1, max: half - 1 }), (n, d) => {
        expect(seqDiff(seqAdd(n, d), n)).toBeGreaterThan(0);
        expect(seqDiff(n, seqAdd(n, d))).toBeLessThan(0);
      }),
    );
  });

  it('knows the places where it wraps', () => {
    expect(seqAdd(0xffff_ffff, 1)).toBe(0);
    expect(seqAdd(0x7fff_ffff, 1)).toBe(-0x8000_0000);
    expect(seqDiff(2, 0xffff_fffe)).toBe(4);
    expect(seqDiff(0xffff_fffe, 2)).toBe(-4);
    expect(seqDiff(-1, 0)).toBe(-1);
  });
});
