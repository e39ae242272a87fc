// rules/README.md teaches by an example; here the example is tried.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runRuleTests, shippedRules, testNetwork } from '../../src/cli/rule-tests.js';
import { fields, streams } from '../../src/detect/fields.js';
import { readRules } from '../../src/detect/rule-file.js';

const readme = readFileSync(join(shippedRules, 'README.md'), 'utf8');
const example = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';

it('the rule of the example passes its tests', async () => {
  const set = readRules([{ path: 'README.md', text: example }], () => '');
  const results = runRuleTests(set, await testNetwork());
  expect(results.map(({ problem }) => problem)).toEqual(['', '']);
});

it('the mistake of the example is told as it says', () => {
  const text = example.replace('dst.port == 25', 'dst.prt == 25');
  const told = /`90-local\.yaml(:\d+:\d+ where: there is no field dst\.prt)`/.exec(readme)?.[1];
  const read = () => readRules([{ path: '90-local.yaml', text }], () => '');
  expect(read).toThrow(`90-local.yaml${told}`);
});

it('every stream is described, and every field it names is there', () => {
  for (const stream of streams) expect(readme).toContain(`| \`${stream}\` |`);
  const named = readme.match(/`(src|dst|session|outcome|helo|mail|rcpt)\.[a-z_]+`/g) ?? [];
  for (const name of named) {
    const bare = name.slice(1, -1);
    const isKnown = fields.has(bare) || streams.some((stream) => stream === bare);
    expect(isKnown, bare).toBe(true);
  }
  expect(named.length).toBeGreaterThan(5);
});
