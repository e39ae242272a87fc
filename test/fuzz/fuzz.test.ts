// A short time of fuzzing for each target, after everything that was found before. Longer by hand:
// `npm run fuzz`. The seed is printed; set MAILWEIR_SEED to run one again.

import { describe, expect, it } from 'vitest';
import { corpusOf, fuzz } from './driver.js';
import { targets } from './targets.js';

const seed = Number(process.env['MAILWEIR_SEED'] ?? Date.now() % 1e9);
const seconds = 3;

describe(`fuzzing (MAILWEIR_SEED=${seed})`, () => {
  it.each(targets.map(({ name }) => name))(
    '%s',
    async (target) => {
      const first = corpusOf(target).map(({ bytes }) => bytes);
      const { runs, message, input } = await fuzz({ target, seconds, seed, first });
      if (message !== null) {
        const shown = Buffer.from(input ?? []).subarray(0, 4000);
        throw new Error(
          `${message}\ninput (base64): ${shown.toString('base64')}\n` +
            `seed ${seed}; more of it: npm run fuzz -- --target ${target} --seed ${seed}`,
        );
      }
      // A target that hardly runs would find nothing.
      expect(runs).toBeGreaterThan(first.length + 50);
    },
    40_000,
  );
});
