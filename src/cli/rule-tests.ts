// Runs the tests that rules carry. Each test is its own world:
// the network of rules/test, one rule, the dialogues of the test through the whole engine.

import { join } from 'node:path';
import { type Config, loadConfig } from '../config.js';
import { Detectors } from '../detect/detectors.js';
import type { Finding } from '../detect/finding.js';
import type { RuleDefinition, RuleSet } from '../detect/rule-file.js';
import type { RuleTest } from '../detect/rule-shape.js';
import { Engine } from '../engine.js';
import { loadRegister } from '../register/load.js';
import type { Register } from '../register/register.js';
import { shippedRules } from './rule-folder.js';
import { framesOf } from './rule-talks.js';

/** Subjects that a test may have. */
const testSubjects = 8192;

/** How a test went; `problem` is empty when it went as expected. */
export interface TestResult {
  readonly rule: string;
  readonly test: string;
  readonly place: string;
  readonly problem: string;
}

/** The network of the tests. */
export interface TestNetwork {
  readonly config: Config;
  readonly register: Register;
}

export async function testNetwork(): Promise<TestNetwork> {
  const config = await loadConfig(join(shippedRules, 'test', 'network.yaml'));
  return { config, register: await loadRegister(config) };
}

/** Runs all tests of a set. */
export function runRuleTests(set: RuleSet, network: TestNetwork): TestResult[] {
  return set.rules.flatMap((rule) =>
    rule.text.tests.map((test, at) => ({
      rule: rule.meta.id,
      test: test.name,
      place: rule.place(['tests', at]),
      problem: problemOf(test, runTest(set, rule, test, network)),
    })),
  );
}

interface Outcome {
  readonly findings: readonly Finding[];
  readonly starts: readonly number[];
}

/** What one test makes the rule say. */
function runTest(
  set: RuleSet,
  rule: RuleDefinition,
  test: RuleTest,
  { config, register }: TestNetwork,
): Outcome {
  const findings: Finding[] = [];
  const alone: RuleSet = { rules: [rule], lists: set.lists };
  const sink = { finding: (finding: Finding) => findings.push(finding) };
  const options = { subjects: testSubjects, seed: 1 };
  const detectors = new Detectors(alone, register, sink, options);
  const engine = new Engine(config, detectors, { factsKey: new Uint8Array(16) });
  const { batch, starts } = framesOf(test.talks);
  engine.feed(batch);
  engine.finish();
  return { findings, starts };
}

function problemOf({ expect }: RuleTest, { findings, starts }: Outcome): string {
  const spoken = findings.filter(({ state }) => state !== 'clears');
  const first = spoken[0];
  if (!expect.fires) {
    if (first === undefined) return '';
    return `it should be silent, but says ${told(first)}`;
  }
  if (first === undefined) return 'it should fire, and is silent';
  const begun = starts.filter((start) => start <= first.time).length;
  if (expect.by !== undefined && begun > expect.by) {
    return `it should fire by talk ${expect.by}, and does by talk ${begun}`;
  }
  const { proof, subject, way } = expect;
  const waysSeen = new Set(spoken.map(({ evidence }) => evidence['way'] ?? ''));
  if (way !== undefined && !waysSeen.has(way)) return `it should speak by way of ${way}`;
  const highest = spoken.findLast(({ state }) => state === 'rises') ?? first;
  if (proof !== undefined && highest.proof !== proof) {
    return `it should be ${proof} in the end, and says ${told(highest)}`;
  }
  if (subject !== undefined && first.subject.cidr !== subject) {
    return `it should speak of ${subject}, not of ${first.subject.cidr}`;
  }
  return '';
}

function told({ subject, proof, evidence }: Finding): string {
  const numbers = Object.entries(evidence).map(([name, value]) => `${name} ${value}`);
  return `${subject.cidr}${proof === undefined ? '' : ` ${proof}`}: ${numbers.join(', ')}`;
}
