// The words of `mailweir register`: what may be written behind it. The work is in `register.ts`.

import type { Command } from 'commander';
import { registerHelp } from './help.js';
import type { ImportOptions, LookOptions } from './register.js';
import { oneOf, wholeOver0 } from './words.js';

const kind = oneOf('--kind', ['servers', 'codes', 'allow']);
const configHelp = 'configuration, YAML; it names the files of the registers';

/** Adds the command; `end` takes the exit status. */
export function addRegister(program: Command, end: (status: number) => void): void {
  const register = program
    .command('register')
    .summary('the registers: mail servers, management codes, the allow-list')
    .description(
      'Imports, shows and checks the registers that the configuration names. A register is a ' +
        'CSV, JSON or YAML file; every version that was imported is kept in FILE.versions/.',
    )
    .helpCommand(false)
    .addHelpText('after', registerHelp);
  addImport(register, end);
  const load = () => import('./register.js');
  look(register.command('list'), 'list the entries of a register with their states')
    .option('--versions', 'list the versions that are kept instead')
    .action(async (options: LookOptions) => end(await (await load()).list(options)));
  look(register.command('show'), 'say what is known about an address or a code')
    .argument('<what>', 'an IPv4 or IPv6 address, or a management code')
    .action(async (what: string, options: LookOptions) => {
      end(await (await load()).show(what, options));
    });
  look(
    register.command('lint'),
    'check filings, changes, licences and terms; exit 3 if any',
  ).action(async (options: LookOptions) => end(await (await load()).lint(options)));
}

function addImport(register: Command, end: (status: number) => void): void {
  register
    .command('import')
    .summary('make a file the next version of a register')
    .description(
      'Reads a CSV, JSON or YAML file, tells every mistake in it, shows what it would change, ' +
        'and makes it the register. A running daemon takes it at the next SIGHUP.',
    )
    .argument('<file>', 'the new register, whole')
    .option('--config <file>', configHelp)
    .option('--kind <kind>', 'servers, codes or allow', kind, 'servers')
    .option('--dry-run', 'show what it would change, and change nothing')
    .option('--force <reason>', 'let in what drops too many entries; the reason is kept')
    .option('--debug', 'print stack traces')
    .action(async (file: string, options: ImportOptions) => {
      const { importFile } = await import('./register.js');
      end(await importFile(file, options));
    });
}

function look(command: Command, summary: string): Command {
  return command
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .option('--config <file>', configHelp)
    .option('--kind <kind>', 'servers, codes or allow', kind, 'servers')
    .option('--as-of <time>', 'the states at this time, ISO 8601; without it, now')
    .option('--revision <n>', 'look into this version of --kind', wholeOver0('--revision'))
    .option('--debug', 'print stack traces');
}
