// How the tests run. They need `dist` only where they start the program itself.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two cores are the smallest machine that matters; tests that start programs share them.
    testTimeout: 30_000,
    // Tests with real programs, kernels and clocks share two cores there: what fails once and then
    // passes is printed as retried. Seeds are fixed, so what is wrong fails twice.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    hookTimeout: 30_000,
  },
});
