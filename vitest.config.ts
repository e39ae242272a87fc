// How the tests run. They need `dist` only where they start the program itself.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two cores are the smallest machine that matters; tests that start programs share them.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
