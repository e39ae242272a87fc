// Decoding allocates nothing. Chunks of calls are weighed by the growth of the heap; a collection
// in a chunk hides its growth, so the median counts. A second measurement shows that the scales
// work.

import { describe, expect, it } from 'vitest';
import type { FrameBatch } from '../../src/capture/source.js';
import { Packet } from '../../src/decode/packet.js';
import { batchOf, cases, decoderWith } from './frames.js';

const chunk = 20_000;

/** Median bytes that one call of `work` leaves on the heap; `work` is called 10^6 times. */
function bytesPerCall(work: (index: number) => void): number {
  const grown: number[] = [];
  for (let round = 0; round < 50; round += 1) {
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < chunk; index += 1) work(index);
    grown.push(process.memoryUsage().heapUsed - before);
  }
  // The first rounds compile.
  return (
    grown
      .slice(10)
      .sort((a, b) => a - b)
      .at(20)! / chunk
  );
}

describe('bytes per frame', () => {
  const kinds: [string, FrameBatch][] = [
    ['plain frames', batchOf(cases.filter((each) => /^ethernet|^802.1Q/.test(each.name)))],
    ['all encapsulations', batchOf(cases)],
    ['other traffic', batchOf([{ bytes: Buffer.alloc(60) }, { bytes: Buffer.alloc(9) }])],
  ];
  for (const [name, batch] of kinds) {
    it(`${name}: below 1`, () => {
      const decoder = decoderWith();
      const packet = new Packet();
      expect(batch.count).toBeGreaterThan(1);
      const bytes = bytesPerCall((index) => {
        decoder.decode(batch, index % batch.count, packet);
      });
      expect(bytes).toBeLessThan(1);
      expect(decoder.frames.reduce((sum, n) => sum + n, 0)).toBe(50 * chunk);
    });
  }

  it('the scales see one small object per call', () => {
    const kept: { value: number }[] = [{ value: 0 }];
    const bytes = bytesPerCall((index) => {
      kept[0] = { value: index };
    });
    expect(bytes).toBeGreaterThan(8);
  });
});
