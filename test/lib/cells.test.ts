// Chains of cells against plain byte arrays, with a look at leaks: what is released can be used
// again, and `used` is back at 0 when everything is.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cells, cellBytes } from '../../src/lib/cells.js';

const chains = 6;

function textOf(cells: Cells, words: Int32Array, at: number): Buffer {
  const target = Buffer.alloc(words[at + 2]! + 4, 0xee);
  const end = cells.copy(words, at, target, 2);
  expect(end).toBe(words[at + 2]! + 2);
  // Nothing is written before or behind.
  expect(target.subarray(0, 2)).toEqual(Buffer.from([0xee, 0xee]));
  expect(target.subarray(end)).toEqual(Buffer.from([0xee, 0xee]));
  return target.subarray(2, end);
}

const length = fc.oneof(
  fc.nat(200),
  fc.constantFrom(0, 1, cellBytes - 1, cellBytes, cellBytes + 1, 2 * cellBytes),
);
const operation = fc.record({
  kind: fc.constantFrom('keep', 'keep', 'keep', 'release', 'clear' as const),
  chain: fc.nat(chains - 1),
  length,
  byte: fc.nat(255),
});

describe('cells', () => {
  it.each([1000, 8, 1])('are byte strings (%d cells)', (capacity) => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const cells = new Cells(capacity);
        const words = new Int32Array(chains * 3);
        const wanted = Array.from({ length: chains }, () => Buffer.alloc(0));
        for (let chain = 0; chain < chains; chain++) Cells.clear(words, chain * 3);
        const used = () => wanted.reduce((sum, b) => sum + Math.ceil(b.length / cellBytes), 0);
        for (const step of operations) {
          const at = step.chain * 3;
          const before = wanted[step.chain]!;
          if (step.kind !== 'keep') {
            cells.release(words, at);
            wanted[step.chain] = Buffer.alloc(0);
          } else {
            const bytes = Buffer.alloc(step.length + 6, step.byte).fill('!', 0, 3);
            const fits = cells.keep(words, at, bytes, 3, 3 + step.length);
            const room = (capacity - used()) * cellBytes + (-before.length & (cellBytes - 1));
            expect(fits).toBe(step.length <= room);
            const kept = bytes.subarray(3, 3 + Math.min(step.length, room));
            wanted[step.chain] = Buffer.concat([before, kept]);
          }
          expect(cells.used).toBe(used());
        }
        for (let chain = 0; chain < chains; chain++) {
          expect(textOf(cells, words, chain * 3)).toEqual(wanted[chain]);
          cells.release(words, chain * 3);
          expect([...words.subarray(chain * 3, chain * 3 + 3)]).toEqual([-1, -1, 0]);
        }
        expect(cells.used).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('gives every cell out again after everything was released', () => {
    const cells = new Cells(10);
    const words = new Int32Array(6);
    Cells.clear(words, 0);
    Cells.clear(words, 3);
    const bytes = Buffer.alloc(cellBytes * 5, 'x');
    for (let round = 0; round < 20; round++) {
      expect(cells.keep(words, 0, bytes, 0, bytes.length)).toBe(true);
      expect(cells.keep(words, 3, bytes, 0, bytes.length)).toBe(true);
      expect(cells.keep(words, 3, bytes, 0, 1)).toBe(false);
      expect(cells.used).toBe(10);
      cells.release(words, round % 2 === 0 ? 0 : 3);
      cells.release(words, round % 2 === 0 ? 3 : 0);
      expect(cells.used).toBe(0);
    }
  });

  it('may be released twice', () => {
    const cells = new Cells(4);
    const words = new Int32Array(3);
    Cells.clear(words, 0);
    cells.keep(words, 0, Buffer.from('abc'), 0, 3);
    cells.release(words, 0);
    cells.release(words, 0);
    expect(cells.used).toBe(0);
  });
});
