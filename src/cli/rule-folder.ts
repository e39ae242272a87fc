// Where a set of rules is read from: the folder that comes with the program, or another. What is in
// the files is the business of `detect/rule-file.ts`.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RuleError, type RuleSet, type RuleSource, readRules } from '../detect/rule-file.js';

/** The rules that come with the program. */
export const shippedRules = folderAbove('rules');
const filesMax = 1000;

/** The folder beside package.json, from the compiled program or from its sources. */
function folderAbove(name: string): string {
  const above = ['../..', '../../..'].map((up) => fileURLToPath(new URL(up, import.meta.url)));
  return join(above.find((folder) => existsSync(join(folder, 'package.json'))) ?? '.', name);
}

/** Reads every .yaml file of a folder, in the order of their names. Throws a `RuleError`. */
export function loadRules(folder: string): RuleSet {
  let names: string[];
  try {
    names = readdirSync(folder)
      .filter((name) => /\.ya?ml$/.test(name))
      .sort();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new RuleError(`${folder}: cannot read the folder of rules (${code}); check the path`);
  }
  if (names.length === 0) throw new RuleError(`${folder}: no .yaml file; a rule set needs one`);
  if (names.length > filesMax) throw new RuleError(`${folder}: more than ${filesMax} rule files`);
  const sources = names.map((name): RuleSource => {
    const path = join(folder, name);
    try {
      return { path, text: readFileSync(path, 'utf8') };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new RuleError(`${path}: cannot read the rules (${code}); check the file`);
    }
  });
  return readRules(sources, sha256);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
