// The words of `mailweir rules`: what may be written behind it. The work is in files of their own,
// which are loaded when they are called.

import type { Command } from 'commander';
import type { BacktestOptions } from './backtest.js';
import { backtestHelp, endings, rulesHelp } from './help.js';
import type { RulesOptions } from './rules.js';
import { portList } from './words.js';

/** Adds the command; `end` takes the exit status. */
export function addRules(program: Command, end: (status: number) => void): void {
  const rules = program
    .command('rules')
    .summary('the rules that say what is suspicious')
    .description('Works with rule files; rules/README.md says how to write and test one.')
    .helpCommand(false);
  const load = () => import('./rules.js');
  common(rules.command('list'))
    .summary('list the rules with their versions, statistics and actions')
    .action(async (options: RulesOptions) => end(await (await load()).listRules(options)));
  common(rules.command('test'))
    .summary('run the tests that rules carry; exit 3 if one fails')
    .argument('[id...]', 'rules; without one all of them')
    .addHelpText('after', rulesHelp)
    .action(async (ids: string[], options: RulesOptions) => {
      end(await (await load()).testRules(ids, options));
    });
  addBacktest(rules, end);
}

/** Adds `mailweir check`. */
export function addCheck(program: Command, end: (status: number) => void): void {
  program
    .command('check')
    .summary('check configuration, registers and rules; change nothing')
    .description(
      'Reads the configuration, the registers and the rules that it names, and runs the tests of ' +
        'the rules. Every mistake is told with file, line and column. It changes nothing.',
    )
    .option('--config <file>', 'configuration, YAML; without it everything has its default')
    .option('--debug', 'print stack traces')
    .addHelpText('after', endings)
    .action(async (options: RulesOptions) => {
      const { check } = await import('./rules.js');
      end(await check(options));
    });
}

function common(command: Command): Command {
  return command
    .option('--config <file>', 'configuration, YAML; its rules.directory names the folder')
    .option('--rules <folder>', 'a folder of rule files, instead of that')
    .option('--debug', 'print stack traces');
}

function addBacktest(rules: Command, end: (status: number) => void): void {
  rules
    .command('backtest')
    .summary('say who would be listed with other rules, before and after')
    .description(
      'Replays captures through the rules in force and through another set at once, both as if ' +
        'they were enforced, and prints who would be listed before and after, with the reasons. ' +
        'It changes nothing.',
    )
    .argument('<file...>', 'capture files in the order of their packets')
    .requiredOption('--rules <folder>', 'the other set: a folder of rule files, whole')
    .option('--config <file>', 'configuration, YAML: the network, its registers, its rules')
    .option('--ports <list>', 'TCP ports that carry mail, such as 25,587, or any', portList)
    .option('--debug', 'print stack traces')
    .addHelpText('after', backtestHelp)
    .action(async (files: string[], options: BacktestOptions) => {
      const { backtest } = await import('./backtest.js');
      end(await backtest(files, options));
    });
}
