// `mailweir rules list` and `rules test`, and `mailweir check`: what can be said about rules,
// registers and configuration without looking at traffic. They change nothing.

import { join } from 'node:path';
import type { Config } from '../config.js';
import type { Action, RuleMeta } from '../detect/finding.js';
import { RuleError, type RuleSet } from '../detect/rule-file.js';
import { Out } from '../output/out.js';
import { counted } from '../output/text.js';
import { loadRegister } from '../register/load.js';
import { RegisterError } from '../register/mistakes.js';
import { CommandError, Exit } from './fail.js';
import { loadRules, shippedRules } from './rule-folder.js';
import { runRuleTests, testNetwork } from './rule-tests.js';
import { settings } from './words.js';

export interface RulesOptions {
  readonly config?: string;
  /** Folder of rule files, instead of the configuration's or the shipped ones. */
  readonly rules?: string;
  readonly debug?: boolean;
}

async function folderOf(options: RulesOptions): Promise<string> {
  if (options.rules !== undefined) return options.rules;
  const config = await settings(options.config, undefined);
  return config.rules.directory ?? shippedRules;
}

/** `rules list`: gives the exit status. */
export async function listRules(options: RulesOptions): Promise<number> {
  const { rules } = loadRules(await folderOf(options));
  const lines = rules.map(({ meta, text }) => {
    const action = actionText(meta);
    return [meta.id, meta.version, text.bucket.type, severityText(meta), meta.mode, action];
  });
  const widths = [0, 1, 2, 3, 4].map((at) => Math.max(...lines.map((line) => line[at]!.length)));
  const shown = lines.map((line, row) => {
    const cells = line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ');
    return `${cells.trimEnd()}\n    ${rules[row]!.meta.title}\n`;
  });
  print(`${shown.join('')}${counted(rules.length, 'rule')}\n`);
  return Exit.done;
}

function severityText({ severity }: RuleMeta): string {
  if (typeof severity === 'string') return severity;
  return [...new Set(Object.values(severity))].join('..');
}

function actionText({ action, strongAction }: RuleMeta): string {
  const told = (one: Action): string =>
    one.also === undefined ? one.do : `${one.do} and ${told(one.also)}`;
  return strongAction === undefined ? told(action) : `${told(action)} or ${told(strongAction)}`;
}

/** `rules test`: runs the tests that rules carry; gives the exit status. */
export async function testRules(ids: readonly string[], options: RulesOptions): Promise<number> {
  const folder = await folderOf(options);
  const set = loadRules(folder);
  const unknown = ids.find((id) => set.rules.every(({ meta }) => meta.id !== id));
  if (unknown !== undefined) {
    throw new CommandError(
      `${folder}: there is no rule ${unknown}; mailweir rules list names them`,
    );
  }
  const rules = set.rules.filter(({ meta }) => ids.length === 0 || ids.includes(meta.id));
  const results = runRuleTests({ ...set, rules }, await testNetwork());
  for (const { rule, test, place, problem } of results) {
    print(problem === '' ? `ok      ${rule}: ${test}\n` : `FAILED  ${rule}: ${test}\n`);
    if (problem !== '') print(`        ${place} ${problem}\n`);
  }
  const failed = results.filter(({ problem }) => problem !== '').length;
  print(`${counted(results.length, 'test')}, ${failed} failed\n`);
  return failed > 0 ? Exit.found : Exit.done;
}

/** `check`: gives the exit status, 3 where something was found. */
export async function check(options: { readonly config?: string }): Promise<number> {
  const found: string[] = [];
  const config = await configOf(options.config, found);
  if (config !== null) {
    await checkRegister(config, found);
    await checkRules(config, found);
  }
  for (const line of found) print(`${line}\n`);
  print(found.length === 0 ? 'nothing was found\n' : `${counted(found.length, 'finding')}\n`);
  return found.length > 0 ? Exit.found : Exit.done;
}

/** The configuration, or null after saying what is wrong in it. A missing file is an error. */
async function configOf(path: string | undefined, found: string[]): Promise<Config | null> {
  try {
    const config = await settings(path, undefined);
    if (config.network.own.length === 0 && config.network.own_file === undefined) {
      const file = path ?? 'no configuration';
      found.push(`${file}: network.own is empty, so nobody is a customer; name your own prefixes`);
    }
    return config;
  } catch (error) {
    const { name, message } = error as Error;
    if (name !== 'ConfigError' || message.includes('cannot read')) throw error;
    found.push(...message.split('\n'));
    return null;
  }
}

async function checkRegister(config: Config, found: string[]): Promise<void> {
  try {
    const register = await loadRegister(config);
    const parts = [
      counted(register.servers.length, 'server'),
      counted(register.codes.entries.length, 'code'),
      counted(register.pools.length, 'pool'),
      counted(register.allow.length, 'allow entry', 'allow entries'),
    ];
    print(`register: ${parts.join(', ')}\n`);
  } catch (error) {
    if (!(error instanceof RegisterError)) throw error;
    found.push(...error.message.split('\n'));
  }
}

async function checkRules(config: Config, found: string[]): Promise<void> {
  const folder = config.rules.directory ?? shippedRules;
  let set: RuleSet;
  try {
    set = loadRules(folder);
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    found.push(...error.message.split('\n'));
    return;
  }
  const results = runRuleTests(set, await testNetwork());
  const where = config.rules.directory === undefined ? 'shipped' : join(folder);
  const tests = counted(results.length, 'test');
  print(`rules (${where}): ${counted(set.rules.length, 'rule')}, ${tests}\n`);
  for (const { rule, test, place, problem } of results) {
    if (problem !== '') found.push(`${place} ${rule}, "${test}": ${problem}`);
  }
}

function print(text: string): void {
  const out = new Out({ path: '-', append: true });
  out.writeText(text);
  out.close();
}
