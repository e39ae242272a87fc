// rules/README.md teaches by an example and tells what each rule has: here the example is tried,
// and the table held to the rules.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadRules, shippedRules } from '../../src/cli/rule-folder.js';
import { runRuleTests, testNetwork } from '../../src/cli/rule-tests.js';
import { signatureId } from '../../src/decide/signatures.js';
import { fields, streams } from '../../src/detect/fields.js';
import type { Action } from '../../src/detect/finding.js';
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

describe('the table of detectors', () => {
  const set = loadRules(shippedRules);
  const lines = readme
    .slice(readme.indexOf('## The detectors'))
    .split('\n')
    .filter((line) => /^\| (D\d+)? ?\| `/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const rows = lines.map(([, number, rule, severity, action, there, not]) => {
    return { number, id: rule!.replaceAll('`', ''), severity, action, there: there!, not };
  });

  it('has each rule once, and D1 to D18 in the order of their numbers in alerts', () => {
    const ids = rows.map(({ id }) => id);
    expect(ids.toSorted()).toEqual(set.rules.map(({ meta }) => meta.id).toSorted());
    const numbered = rows.filter(({ number }) => number !== '');
    expect(numbered.map(({ number }) => number)).toEqual(
      Array.from({ length: 18 }, (_, n) => `D${n + 1}`),
    );
    expect(numbered.map(({ id }) => signatureId(id) - 1_825_000)).toEqual(
      Array.from({ length: 18 }, (_, n) => n + 1),
    );
  });

  it.each(rows.map((row) => [row.id, row] as const))('%s is as it says', (id, row) => {
    const { text } = set.rules.find(({ meta }) => meta.id === id)!;
    const { severity, action } = text;
    const words = typeof severity === 'string' ? [severity] : new Set(Object.values(severity));
    expect(row.severity).toBe([...words].join(' to '));
    expect(row.action).toBe(
      'with_corroboration' in action
        ? `${asked(action.with_corroboration)}; alone ${asked(action.without_corroboration)}`
        : asked(action),
    );
    const document = documents.find((part) => part.includes(`\nid: ${id}\n`));
    const figures = [...row.there.matchAll(/`([^`]+)`/g)].map(([, figure]) => figure!);
    for (const figure of figures) {
      // 60 is no figure of a rule that has 600.
      const escaped = figure.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
      expect(document, figure).toMatch(new RegExp(`\\b${escaped}(?![\\d.])`));
    }
    expect(row.there.length).toBeGreaterThan(10);
  });

  it('says of most what is not there', () => {
    expect(rows.filter(({ not }) => not !== '').length).toBeGreaterThan(15);
  });
});

/** The text of each shipped rule. */
const documents = readdirSync(shippedRules)
  .filter((name) => name.endsWith('.yaml'))
  .flatMap((name) => readFileSync(join(shippedRules, name), 'utf8').split(/^---$/m))
  .map((part) => `\n${part}`);

/** An action as the table writes it. */
function asked(action: Action): string {
  const heads: Partial<Record<Action['do'], string>> = {
    block: `block ${hours(action.ban_time)}`,
    limit: `limit ${action.rate}/h ${hours(action.for)}`,
  };
  const who = [...(action.from === undefined ? [] : [action.from]), ...(action.only ?? [])];
  const forWhom = who.length === 0 ? '' : ` (${who.join(', ')})`;
  const also = action.also === undefined ? '' : `, ${asked(action.also)}`;
  return `${heads[action.do] ?? action.do}${forWhom}${also}`;
}

function hours(seconds: number | undefined): string {
  return `${(seconds ?? 0) / 3600}h`;
}
