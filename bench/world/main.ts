// The command behind `node dist/bench/world/main.js --out FILE`: writes a labelled world as a
// capture, with the truth and the ISP's own files beside it. What `bench/evaluate` measures, to
// look at.

import process from 'node:process';
import { Command, InvalidArgumentError } from 'commander';
import { beside, epoch, writeConfig, writeWorld } from './files.js';
import { cut, dayMix, heldBackSpread, tuningSpread } from './mixes.js';
import type { Wrapping } from './packets.js';
import { hour } from './source.js';
import type { Talk } from './talk.js';
import { makeWorld } from './world.js';

interface Flags {
  readonly out: string;
  readonly seed: number;
  readonly hours: number;
  readonly share: number;
  readonly loss: number;
  readonly oneSided: number;
  readonly skew: number;
  readonly late: number;
  readonly wrapping: keyof typeof wrappings;
}

function amount(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('not a number');
  return value;
}

const wrappings = {
  plain: () => ({ vlan: [] }),
  vlan: () => ({ vlan: [300] }),
  qinq: () => ({ vlan: [2001, 117] }),
  pppoe: ({ client }: Talk) => ({ vlan: [], pppoe: client.startsWith('198.18.') }),
} as const satisfies Record<string, (talk: Talk) => Wrapping>;

function run(flags: Flags): void {
  const length = flags.hours * hour;
  const spread = flags.seed > 20 ? heldBackSpread : tuningSpread;
  const world = makeWorld({ seed: flags.seed, mix: cut(dayMix, flags.share), spread, length });
  const { ground, entries, codes } = world;
  writeConfig(flags.out, { ground, entries, codes, mode: 'enforce' });
  const result = writeWorld({
    path: flags.out,
    seed: flags.seed,
    talks: world.talks(),
    sources: world.sources,
    mirror: {
      loss: flags.loss / 100,
      oneSided: flags.oneSided / 100,
      skew: flags.skew * 1000,
      begins: flags.late === 0 ? 0 : epoch + flags.late * 60_000_000,
    },
    wrapping: wrappings[flags.wrapping],
    truthPath: beside(flags.out, '-truth.ndjson'),
    length,
    progress: (share) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${Math.floor(share * 100)} %`);
    },
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  process.stdout.write(
    `${flags.out}: ${result.sessions} sessions, ${result.frames} frames, ${result.lost} lost, ` +
      `${(result.bytes / 1e6).toFixed(1)} MB\n`,
  );
}

new Command('world')
  .description(
    'Writes a labelled world as a capture. Beside FILE.pcap stand FILE.yaml and its registers,\n' +
      'and FILE-truth.ndjson. Seeds from 21 on draw from the wider, held-back ranges.',
  )
  .requiredOption('--out <file>', 'pcap file to write')
  .option('--seed <n>', 'another seed gives another world', amount, 1)
  .option('--hours <n>', 'how long it lasts', amount, 1)
  .option('--share <n>', 'how many of everybody, 1 for all', amount, 0.2)
  .option('--loss <percent>', 'packets that the mirror loses', amount, 0)
  .option('--one-sided <percent>', 'address pairs of which one direction is seen', amount, 0)
  .option('--skew <ms>', 'how late the tap of the servers stamps', amount, 0)
  .option('--late <minutes>', 'the capture begins that much after the world', amount, 0)
  .option('--wrapping <kind>', Object.keys(wrappings).join(', '), 'plain')
  .action((flags: Flags) => run(flags))
  .parse();
