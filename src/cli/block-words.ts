// The words of `mailweir block`: what may be written behind it. The work is in `block.ts`.

import type { Command } from 'commander';
import type {
  AddOptions,
  AppealOptions,
  BlockOptions,
  ListOptions,
  ReleaseOptions,
  TokenOptions,
} from './block.js';
import { blockHelp } from './help.js';
import { oneOf, wholeOver0 } from './words.js';

const what = 'an id (bl_...), an address or a prefix';

/** Adds the command; `end` takes the exit status. */
export function addBlock(program: Command, end: (status: number) => void): void {
  const block = program
    .command('block')
    .summary('the block list of the running daemon')
    .description('Shows and changes the block list through the API of the running daemon.')
    .helpCommand(false)
    .addHelpText('after', blockHelp);
  addViews(block, end);
  addChanges(block, end);
  const load = () => import('./block.js');
  common(block.command('token'))
    .summary('make a token for a consumer; it is told once')
    .argument('<name>', 'name of the consumer')
    .option('--scopes <list>', 'some of read,operate,records', 'read')
    .action(async (name: string, options: TokenOptions) =>
      end(await (await load()).addToken(name, options)),
    );
}

function addViews(block: Command, end: (status: number) => void): void {
  const load = () => import('./block.js');
  common(block.command('list'))
    .summary('list the entries')
    .option('--action <action>', 'only block, limit or allow', oneOf('--action', actions))
    .option('--rule <id>', 'only of this rule; manual: of people')
    .option('--origin <origin>', 'automatic or manual', oneOf('--origin', ['automatic', 'manual']))
    .option('--appealed', 'only those with an open appeal')
    .option('--limit <n>', 'at most so many', wholeOver0('--limit'), 1000)
    .action(async (options: ListOptions) => end(await (await load()).listEntries(options)));
  common(block.command('show'))
    .summary('show an entry with its evidence')
    .argument('<what>', what)
    .action(async (which: string, options: BlockOptions) =>
      end(await (await load()).showEntry(which, options)),
    );
  common(block.command('explain'))
    .summary('say in words why somebody is listed')
    .argument('<what>', what)
    .action(async (which: string, options: BlockOptions) =>
      end(await (await load()).explainEntry(which, options)),
    );
}

const actions = ['block', 'limit', 'allow'] as const;

function addChanges(block: Command, end: (status: number) => void): void {
  const load = () => import('./block.js');
  common(block.command('add'))
    .summary('add an entry; it needs a reason')
    .argument('<cidr>', 'address or prefix')
    .requiredOption('--reason <text>', 'why')
    .option('--action <action>', 'block, limit or allow', oneOf('--action', actions), 'block')
    .option('--owner <name>', 'who answers for it; without it the user of this shell')
    .option('--until <time>', 'its end, RFC 3339; without one a day, and allow for ever')
    .option('--for <seconds>', 'its length instead', wholeOver0('--for'))
    .option('--rate <n>', 'of a limit: messages an hour', wholeOver0('--rate'))
    .option('--overrule', 'list one registered server all the same')
    .action(async (cidr: string, options: AddOptions) =>
      end(await (await load()).addEntry(cidr, options)),
    );
  common(block.command('release'))
    .summary('let somebody out')
    .argument('<what>', what)
    .requiredOption('--reason <text>', 'why')
    .option('--wrong', 'it should never have been there; counts against its rule')
    .action(async (which: string, options: ReleaseOptions) =>
      end(await (await load()).releaseEntry(which, options)),
    );
  common(block.command('appeal'))
    .summary('file an appeal for somebody, or answer one')
    .argument('<what>', what)
    .option('--text <text>', 'what they say')
    .option('--contact <text>', 'how to reach them')
    .option('--uphold <answer>', 'the entry stays, and this is the answer')
    .action(async (which: string, options: AppealOptions) =>
      end(await (await load()).appealEntry(which, options)),
    );
}

function common(command: Command): Command {
  return command
    .option('--config <file>', 'configuration of the daemon, YAML')
    .option('--json', 'one JSON object a line')
    .option('--debug', 'print stack traces');
}
