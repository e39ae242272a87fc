// The command behind `node dist/bench/generate/main.js PRESET --out FILE`: writes one of the
// generated captures. Nothing here is needed to run the product.

import process from 'node:process';
import { Command, InvalidArgumentError } from 'commander';
import { writeDemo } from '../world/demo.js';
import { generate, presets } from './traffic.js';

interface Flags {
  readonly out: string;
  readonly truth?: string;
  readonly seed: number;
  readonly sessions?: number;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('not a whole number');
  return value;
}

function progress(share: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${Math.floor(share * 100)} % of connections`);
}

function run(name: string, flags: Flags): void {
  const started = process.hrtime.bigint();
  const result =
    name === 'demo'
      ? writeDemo(flags.out)
      : generate({
          path: flags.out,
          seed: flags.seed,
          options: sized(presets[name]!.options, flags.sessions),
          progress,
          ...(flags.truth === undefined ? {} : { truthPath: flags.truth }),
        });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const megabytes = (result.bytes / 1e6).toFixed(1);
  const frames = 'frames' in result ? ` ${result.frames} frames,` : '';
  process.stdout.write(
    `${flags.out}: ${result.sessions} sessions,${frames} ${megabytes} MB ` +
      `in ${seconds.toFixed(1)} s\n`,
  );
}

/** Fewer sessions keep the rest of a preset in proportion. */
function sized<T extends { sessions: number; synFlood: number }>(options: T, sessions?: number): T {
  if (sessions === undefined) return options;
  const synFlood = Math.round((options.synFlood * sessions) / options.sessions);
  return { ...options, sessions, synFlood };
}

const names = [...Object.keys(presets), 'demo'];
const about = Object.entries(presets).map(([name, preset]) => `  ${name}: ${preset.about}`);
new Command('generate')
  .description(
    `Writes a generated capture.\n\nPresets:\n${about.join('\n')}\n  demo: a plausible hour`,
  )
  .argument('<preset>', names.join(', '), (name: string) => {
    if (!names.includes(name)) throw new InvalidArgumentError(`one of ${names.join(', ')}`);
    return name;
  })
  .requiredOption('--out <file>', 'pcap file to write')
  .option('--truth <file>', 'also write one JSON line per mail transaction (not for demo)')
  .option('--seed <n>', 'another seed gives another capture', count, 1)
  .option('--sessions <n>', 'sessions instead of the number of the preset', count)
  .action((name: string, flags: Flags) => run(name, flags))
  .parse();
