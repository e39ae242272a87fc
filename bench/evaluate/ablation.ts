// Rule sets with one idea taken out, to see what it is worth: edits of the shipped texts, so that
// everything else stays as it ships.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shippedRules } from '../../src/cli/rule-folder.js';

/** What is taken out, and how. Each edit must find something to change. */
export const ablations: Readonly<Record<string, (text: string) => string>> = {
  'no session cap': (text) => text.replaceAll(/^ +session_cap: .*\n/gm, ''),
  'no thresholds of their own for server roles': (text) =>
    text.replaceAll(/^( +)by_role:\n(?:\1 +.*\n)+/gm, ''),
  'no corroboration asked for by rules': (text) =>
    text
      .replaceAll(/^corroborate:\n(?: +.*\n)+/gm, '')
      .replaceAll(
        /^action:\n +with_corroboration:\s*(\{[^}]*\})\n +without_corroboration: .*\n/gm,
        'action: $1\n',
      ),
};

/** Writes the shipped rules without one idea into a folder, and gives its path. */
export function ablated(name: string, into: string): string {
  const edit = ablations[name]!;
  const folder = join(into, name.replaceAll(' ', '-'));
  mkdirSync(folder, { recursive: true });
  let changed = false;
  for (const file of readdirSync(shippedRules).filter((one) => one.endsWith('.yaml'))) {
    const text = readFileSync(join(shippedRules, file), 'utf8');
    const edited = edit(text);
    changed ||= edited !== text;
    writeFileSync(join(folder, file), edited);
  }
  if (!changed) throw new Error(`"${name}" finds nothing to take out of the rules`);
  return folder;
}
