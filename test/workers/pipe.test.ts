// The ring that carries portions of rows: what goes in comes out, whole and in order, and what has
// no room is refused, not overwritten.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openPipeMemory, RowPipe } from '../../src/batch/pipe.js';

const portionMax = 1024;

/** A portion whose every word is `mark`. */
function portion(words: number, mark: number): { area: ArrayBuffer; length: number } {
  const area = new ArrayBuffer(portionMax);
  new Int32Array(area).fill(mark);
  return { area, length: words * 8 };
}

describe('the ring', () => {
  it('is a queue of portions, whatever the order of writing and reading', () => {
    const step = fc.record({ write: fc.boolean(), words: fc.integer({ min: 1, max: 128 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const memory = openPipeMemory(4096, portionMax);
        const [writer, reader] = [new RowPipe(memory), new RowPipe(memory)];
        const twin: { mark: number; length: number }[] = [];
        let mark = 0;
        for (const { write, words } of steps) {
          if (write) {
            const { area, length } = portion(words, ++mark);
            if (writer.write(area, length)) twin.push({ mark, length });
            // It is refused only where half of the ring is in use.
            else expect(twin.reduce((sum, one) => sum + one.length + 8, 0)).toBeGreaterThan(2048);
            continue;
          }
          const length = reader.peek();
          const wanted = twin.shift();
          expect(length).toBe(wanted?.length ?? 0);
          if (wanted === undefined) continue;
          const from = reader.from >> 2;
          const got = reader.words.subarray(from, from + (length >> 2));
          expect(new Set(got)).toEqual(new Set([wanted.mark]));
          reader.release(length);
        }
      }),
    );
  });

  it('has room for the longest portion wherever the last one ended', () => {
    for (let words = 1; words <= portionMax / 8; words++) {
      const memory = openPipeMemory(1, portionMax);
      const pipe = new RowPipe(memory);
      for (let turn = 0; turn < 20; turn++) {
        for (const size of [words, portionMax / 8]) {
          const { area, length } = portion(size, turn);
          expect(pipe.write(area, length)).toBe(true);
          expect(pipe.peek()).toBe(length);
          pipe.release(length);
        }
      }
    }
  });
});
