// The words of `mailweir exabgp`. The work is in `exabgp.ts`, which is loaded when it is called.

import type { Command } from 'commander';
import type { ExabgpOptions } from './exabgp.js';
import { exabgpHelp } from './help.js';
import { wholeOver0 } from './words.js';

/** Adds the command; `end` takes the exit status. */
export function addExabgp(program: Command, end: (status: number) => void): void {
  program
    .command('exabgp')
    .summary('a process of ExaBGP: FlowSpec rules from the block list')
    .description(
      'Follows the list of a running daemon and tells ExaBGP, on standard output, which FlowSpec ' +
        'rules to announce and to withdraw: TCP to port 25 from a listed source is discarded or ' +
        'held to a rate. Only about own prefixes, and all are withdrawn when the list expires.',
    )
    .option('--config <file>', 'configuration, YAML; its network.own says what is own')
    .option('--url <url>', "address of the daemon's API, instead of serve.http")
    .option(
      '--interval <s>',
      'seconds between two looks without a stream',
      wholeOver0('--interval'),
      5,
    )
    .option('--rules <n>', 'announce at most n rules', wholeOver0('--rules'), 1000)
    .option('--state <file>', 'what was announced, for the process that comes after a crash')
    .option('--debug', 'print stack traces')
    .addHelpText('after', exabgpHelp)
    .action(async (options: ExabgpOptions) => {
      const { exabgp } = await import('./exabgp.js');
      end(await exabgp(options));
    });
}
