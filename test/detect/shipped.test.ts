// The rules that come with the program: every one is read, and every test inside each goes as its
// author says. A rule without a firing and a silent test is refused when it is read.

import { describe, expect, it } from 'vitest';
import { loadRules, shippedRules } from '../../src/cli/rule-folder.js';
import { runRuleTests, testNetwork } from '../../src/cli/rule-tests.js';
import { Detectors, detectorDefaults } from '../../src/detect/detectors.js';

const set = loadRules(shippedRules);
const network = await testNetwork();

describe('shipped rules', () => {
  it.each(runRuleTests(set, network).map((result) => [result.rule, result.test, result] as const))(
    '%s: %s',
    (_, __, { place, problem }) => {
      expect(problem === '' ? '' : `${place} ${problem}`).toBe('');
    },
  );
});

it('a set remembers what a subject takes', () => {
  const sink = { finding: () => {} };
  const detectors = new Detectors(set, network.register, sink, {
    ...detectorDefaults,
    subjects: 1000,
  });
  const tables = detectors.tables();
  expect(tables.length).toBeGreaterThan(0);
  for (const { used, bytes } of tables) {
    expect(used).toBe(0);
    expect(bytes).toBeLessThan(4096);
  }
});
