// Fuzzing by hand, for as long as wanted:
//
//   npm run build && npm run fuzz -- --target smtp --seconds 600
//   npm run fuzz -- --target smtp --replay finding-smtp.ndjson
//
// A finding is written to a file, smaller where that was possible, and how to run it again is said.

import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { Command, Option } from 'commander';
import { corpusOf, fuzz, type Report } from './driver.js';
import { targetOf, targets } from './targets.js';

interface Flags {
  readonly target?: string;
  readonly seconds: string;
  readonly seed?: string;
  readonly replay?: string;
}

async function run(flags: Flags): Promise<void> {
  const names = flags.target === undefined ? targets.map(({ name }) => name) : [flags.target];
  const seed = Number(flags.seed ?? Date.now() % 1e9);
  for (const name of names) {
    const { extension } = targetOf(name);
    const first = flags.replay === undefined ? corpusOf(name).map(({ bytes }) => bytes) : [];
    if (flags.replay !== undefined) first.push(readFileSync(flags.replay));
    const seconds = flags.replay === undefined ? Number(flags.seconds) : 0;
    const report = await fuzz({ target: name, seconds, seed, first }, (runs) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${name}: ${runs} inputs`);
    });
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    process.stdout.write(`${name}: ${report.runs} inputs, seed ${seed}: ${verdict(report)}\n`);
    if (report.input !== null) tell(name, extension, report.input);
  }
}

function verdict({ message }: Report): string {
  return message === null ? 'nothing found' : `FOUND: ${message}`;
}

function tell(name: string, extension: string, input: Uint8Array): void {
  const file = `finding-${name}.${extension}`;
  writeFileSync(file, input);
  const again = `npm run fuzz -- --target ${name} --replay ${file}`;
  process.stdout.write(
    `  ${input.length} bytes in ${file}; again: ${again}\n` +
      `  once mended, keep it: mv ${file} test/fuzz/corpus/${name}/WHAT-IT-WAS.${extension}\n`,
  );
  process.exitCode = 1;
}

await new Command('fuzz')
  .description('Fuzzes the program.')
  .addOption(
    new Option('--target <name>', 'all when not given').choices(targets.map(({ name }) => name)),
  )
  .option('--seconds <n>', 'time for each target', '60')
  .option('--seed <n>', 'the same seed gives the same inputs; the date when not given')
  .option('--replay <file>', 'run this input and nothing else; needs --target')
  .action(run)
  .parseAsync();
