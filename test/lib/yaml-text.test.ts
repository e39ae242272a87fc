// The quick reader of YAML against the one that knows places: the same values and the same texts,
// or it leaves the file to the other.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { yamlParts } from '../../src/lib/yaml-text.js';

const folder = join(import.meta.dirname, '..', '..', 'rules');
const shipped = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

const situations: readonly (readonly [string, string])[] = [
  ['one document', 'a: 1\nb: [2, three]\n'],
  ['comments before it', '# one\n\n  # two\na: 1\n'],
  ['a marker first', '---\na: 1\n'],
  ['comments, then a marker', '# one\n---\na: 1\n'],
  ['two documents', 'a: 1\n---\nb: 2\n'],
  ['two documents with markers and comments', '---\n# one\na: 1\n# two\n---\n# three\nb: 2\n'],
  ['lines that end as in DOS', 'a: 1\r\n---\r\nb: 2\r\n'],
  ['a document on the line of its marker', '--- {a: 1}\n--- [b]\n'],
  ['a document of nothing between two', 'a: 1\n---\n---\nb: 2\n'],
  ['nothing but comments', '# one\n'],
  ['dashes that mark nothing', 'a: ---b\n----: 1\n'],
  ['a block with a dash line inside', 'a: |\n  ---\n  b\nc: >-\n  d\n  e\n'],
  ['words that were booleans once', 'a: [yes, no, on, off, true, False, ~, null]\n'],
  ['numbers of many kinds', 'a: [1, -2, 0x1f, 0o17, 017, 1e3, .5, .inf, 1_000, "1", 12:30]\n'],
  ['a date', 'a: 2026-01-31\n'],
  ['anchors and aliases', 'a: &x [1]\nb: *x\n'],
  ['a merge key', 'a: &x {b: 1}\nc:\n  <<: *x\n'],
  ['an end mark', 'a: 1\n...\n'],
  ['a directive', '%YAML 1.2\n---\na: 1\n'],
  ['a key named after a prototype', '__proto__: {a: 1}\nconstructor: 2\n'],
];

for (const [name, text] of situations) test(name, () => same(text));
for (const name of shipped) {
  test(`the rules of ${name}`, () => same(readFileSync(join(folder, name), 'utf8')));
}

const wrong: readonly (readonly [string, string, RegExp])[] = [
  ['a key twice', 'a: 1\na: 2\n', /^f\.yaml:2:1 /],
  ['a list that does not end', 'a: [1, 2\n', /^f\.yaml:2:1 /],
  ['a tab', 'a:\n\tb: 1\n', /^f\.yaml:2:1 /],
];
for (const [name, text, told] of wrong) {
  test(`${name} is told with its place`, () => {
    expect(() => yamlParts('f.yaml', text)).toThrow(told);
  });
}

test('a place in a later document is counted from the start of the file', () => {
  const parts = yamlParts('f.yaml', '# one\na: 1\n---\n# two\nb:\n  c: [1, 2]\n');
  expect(parts[1]!.place(['b', 'c', 1])).toBe('f.yaml:6:10');
});

test('aliases without bound are refused', () => {
  const lines = ['a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'];
  for (const [at, to] of [...'bcdefgh'].entries()) {
    const from = 'abcdefg'[at]!;
    lines.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(', ')}]`);
  }
  expect(() => yamlParts('f.yaml', lines.join('\n'))[0]!.values()).toThrow(/alias/i);
});

function same(text: string): void {
  const parts = yamlParts('f.yaml', text);
  const slow = parseAllDocuments(text);
  const documents = Array.isArray(slow) ? slow : [];
  expect(parts.map((part) => part.values())).toEqual(
    documents.map((document) => document.toJS() ?? {}),
  );
  expect(parts.map((part) => part.text)).toEqual(
    documents.map(({ range }) => text.slice(range[0], range[2])),
  );
}
