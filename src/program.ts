// Words of the command line to commands. Each command loads its own parts only when it is called,
// because the start counts where a script asks for one small file.

import { readFileSync, writeSync } from 'node:fs';
import type { Command as Commander } from 'commander';
import { addBlock } from './cli/block-words.js';
import type { DoctorOptions } from './cli/doctor.js';
import { addExabgp } from './cli/exabgp-words.js';
import { complain, Exit, explain } from './cli/fail.js';
import { doctorHelp, endings, replayHelp, runHelp } from './cli/help.js';
import { addRegister } from './cli/register-words.js';
import type { ReplayOptions } from './cli/replay.js';
import { addCheck, addRules } from './cli/rules-words.js';
import type { RunOptions } from './cli/run.js';
import { oneOf, portList, secondCount, speedFactor, workerCount } from './cli/words.js';
import { load } from './lib/commonjs.js';

const { Command, CommanderError } = load('commander') as typeof import('commander');

/** Runs one command line; gives the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  let status: number = Exit.done;
  const program = describe((code) => {
    status = code;
  });
  try {
    await program.parseAsync([...argv]);
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.done : Exit.usage;
    return explain(error, argv.includes('--debug'));
  }
}

function describe(end: (status: number) => void): Commander {
  const program = new Command('mailweir')
    .description('Passive SMTP sensor: what mail really did, read from a mirror port or a capture.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => print(1, text),
      writeErr: (text) => print(2, text),
      outputError: wrong,
    })
    .addHelpText('after', endings);
  addReplay(program, end);
  addRun(program, end);
  addRegister(program, end);
  addRules(program, end);
  addBlock(program, end);
  addDoctor(program, end);
  addCheck(program, end);
  addExabgp(program, end);
  return program;
}

function addReplay(program: Commander, end: (status: number) => void): void {
  program
    .command('replay')
    .summary('read capture files and say what happened')
    .description(
      'Reads capture files (pcap, pcapng, gzip or zstd of either, - for standard input) as fast ' +
        'as it can. Several files are one stream in the order given. What can be read of a ' +
        'damaged file is processed; the exit status is 1 then.',
    )
    .argument('<file...>', 'capture files in the order of their packets')
    .option('--config <file>', 'configuration, YAML; without it everything has its default')
    .option('--ports <list>', 'TCP ports that carry mail, such as 25,587, or any', portList)
    .option('--workers <n>', 'share the work among n threads; the events are the same', workerCount)
    .option(
      '--format <form>',
      'summary for people, eve for one JSON object a line',
      oneOf('--format', ['summary', 'eve']),
      'summary',
    )
    .option('--output <file>', 'write there instead of standard output')
    .option('--debug', 'print stack traces')
    .addHelpText('after', replayHelp)
    .action(async (files: string[], options: ReplayOptions) => {
      const { replay } = await import('./cli/replay.js');
      end(await replay(files, options));
    });
}

function addRun(program: Commander, end: (status: number) => void): void {
  program
    .command('run')
    .summary('listen on an interface until a signal ends it')
    .description(
      'The daemon: listens on an interface, or replays a file as if it were one. SIGTERM and ' +
        'SIGINT end it cleanly with a last stats event, SIGHUP opens the file of --output again.',
    )
    .option('--config <file>', 'configuration, YAML; without it everything has its default')
    .option('--interface <if>', 'interface to listen on, instead of capture.interface')
    .option('--replay <file>', 'read this capture instead of an interface')
    .option('--loop', 'with --replay: begin again at the end, for ever; time runs on')
    .option(
      '--speed <n>',
      'with --replay: n times real time; without it as fast as it can',
      speedFactor,
    )
    .option(
      '--format <form>',
      'none, or eve for one JSON object a line',
      oneOf('--format', ['none', 'eve']),
      'none',
    )
    .option('--clear', 'print addresses clear; without it a live tap prints keyed hashes')
    .option('--output <file>', 'append to this file instead of standard output')
    .option('--debug', 'print stack traces')
    .addHelpText('after', runHelp)
    .action(async (options: RunOptions) => {
      const { run } = await import('./cli/run.js');
      end(await run(options));
    });
}

function addDoctor(program: Commander, end: (status: number) => void): void {
  program
    .command('doctor')
    .summary('check this machine as a sensor and say what to change')
    .description(
      'Looks at the machine, and with --interface at that interface and at what comes in there: ' +
        'offloads that merge frames, rings, queues, MTU, mail, directions, tags, loss. Each ' +
        'finding comes with the command against it. Nothing is changed.',
    )
    .option('--interface <if>', 'an interface to look at and to listen to')
    .option('--seconds <n>', 'how long to listen, 0 for not at all', secondCount, 5)
    .option('--config <file>', 'configuration, YAML; without it everything has its default')
    .option('--debug', 'print stack traces')
    .addHelpText('after', doctorHelp)
    .action(async (options: DoctorOptions) => {
      const { doctor } = await import('./cli/doctor.js');
      end(await doctor(options));
    });
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Help and version. A reader that went away, as after `| head`, is no error. */
function print(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
  }
}

/** Commander's own complaints in the form of all others. */
function wrong(text: string): void {
  const line = text
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ');
  complain(`${line}; mailweir --help and mailweir COMMAND --help show what there is`);
}
