// rules/schema.json, which editors read, says what the program reads. `vitest run -u` writes it.

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ruleSchema } from '../../src/detect/rule-shape.js';

const path = join(import.meta.dirname, '..', '..', 'rules', 'schema.json');

it('rules/schema.json is that of the program', async () => {
  const text = `${JSON.stringify(ruleSchema(), null, 2)}\n`;
  expect(text).toContain('"session_cap"');
  await expect(text).toMatchFileSnapshot(path);
});
