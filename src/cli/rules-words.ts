// The words of `mailweir rules`: what may be written behind it. The work is in files of their own,
// which are loaded when they are called.

import type { Command } from 'commander';
import type { BacktestOptions } from './backtest.js';
import { backtestHelp } from './help.js';
import { portList } from './words.js';

/** Adds the command; `end` takes the exit status. */
export function addRules(program: Command, end: (status: number) => void): void {
  const rules = program
    .command('rules')
    .summary('the rules that say what is suspicious')
    .description('Works with rule files; rules/README.md says how to write and test one.')
    .helpCommand(false);
  addBacktest(rules, end);
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
