// `npm run evaluate`: judges labelled worlds with the shipped rules and writes what came of it into
// bench/README.md. Seeds 1 to 20 are there to tune on; 21 to 40 are held back and draw their habits
// from ranges that nobody has tuned on.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { fill } from '../tables.js';
import { crowdMix, cut, dayMix, guiltyMix, heldBackSpread, tuningSpread } from '../world/mixes.js';
import { hour } from '../world/source.js';
import { ablated, ablations } from './ablation.js';
import { CountAnHour, LeakyRefusals, SentToReceived } from './baselines.js';
import { type DayOptions, dayOfPackets, dayOfRows } from './day.js';
import { noises } from './noise.js';
import {
  ablationTable,
  adversaryTable,
  detectorTable,
  foundTable,
  loadTable,
  methodTable,
  noiseTable,
  paidTable,
  relayText,
  shortText,
  waysText,
} from './page.js';
import { Tally } from './tally.js';

const parts = ['world', 'crowd', 'lossy', 'ways', 'noise', 'ablation'] as const;
type Part = (typeof parts)[number];

interface Flags {
  readonly quick: boolean;
  readonly tuning: boolean;
  readonly only?: Part;
  readonly seeds?: readonly number[];
  readonly share?: number;
  readonly rules?: string;
  readonly cases?: string;
  readonly dry: boolean;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Set by an interrupt: what is done so far is written, and that is the end. */
let enough = false;

class Evaluation {
  readonly #flags: Flags;
  readonly cases: string[] = [];

  constructor(flags: Flags) {
    this.#flags = flags;
  }

  /** So many seeds of the chosen half. */
  #seeds(full: number, quick: number): readonly number[] {
    const { seeds, tuning } = this.#flags;
    const first = tuning ? 1 : 21;
    const count = this.#flags.quick ? quick : full;
    return seeds ?? Array.from({ length: count }, (_, n) => first + n);
  }

  #day(seed: number, share: number, hours: number): DayOptions {
    const { rules } = this.#flags;
    return {
      seed,
      mix: cut(dayMix, this.#flags.share ?? share),
      spread: seed > 20 ? heldBackSpread : tuningSpread,
      length: hours * hour,
      baselines: [],
      ...(rules === undefined ? {} : { rules }),
    };
  }

  /** The main figures: days of rows. */
  async world(): Promise<string> {
    const tally = new Tally();
    const seeds: number[] = [];
    const share = this.#flags.quick ? 0.25 : 0.5;
    for (const seed of this.#seeds(20, 2)) {
      if (enough && seeds.length > 0) break;
      seeds.push(seed);
      const baselines = [new CountAnHour(100), new LeakyRefusals(), new SentToReceived()];
      const o = { ...this.#day(seed, share, 24), baselines };
      const { world, ledger, talks, seconds } = await dayOfRows(o);
      tally.add(seed, ledger, world.ground, baselines);
      say(`seed ${seed}: ${talks} sessions in ${seconds.toFixed(1)} s`);
    }
    this.cases.push(...tally.cases);
    return [
      `Synthetic; not field-validated. ${seeds.length} days of an ISP, seeds ${seeds[0]} to ` +
        `${seeds.at(-1)}, ${this.#flags.tuning ? 'tuning' : 'held-back'} ranges, ` +
        `${new Date().toISOString().slice(0, 10)}.\n`,
      shortText(tally),
      foundTable(tally),
      paidTable(tally),
      relayText(tally),
      detectorTable(tally),
      methodTable(tally),
      adversaryTable(tally),
      loadTable(tally),
    ].join('\n');
  }

  /** Days of innocents alone. */
  async crowd(): Promise<string> {
    const tally = new Tally();
    const seeds: number[] = [];
    const mix = cut(crowdMix, this.#flags.share ?? (this.#flags.quick ? 0.1 : 1));
    for (const seed of this.#seeds(20, 1)) {
      if (enough && seeds.length > 0) break;
      seeds.push(seed);
      const { world, ledger, talks, seconds } = await dayOfRows({ ...this.#day(seed, 1, 24), mix });
      tally.add(seed, ledger, world.ground, []);
      say(`crowd, seed ${seed}: ${talks} sessions in ${seconds.toFixed(1)} s`);
    }
    this.cases.push(...tally.cases);
    const days = `${seeds.length} days, seeds ${seeds[0]} to ${seeds.at(-1)}`;
    const loads = loadTable(tally);
    return `Synthetic; not field-validated. ${days}.\n\n${paidTable(tally)}\n${loads}`;
  }

  /** Days on a mirror that loses one packet in a hundred: who is found, and who pays. */
  async lossy(): Promise<string> {
    const tally = new Tally();
    let done = 0;
    const days = { guilty: this.#seeds(6, 1), crowd: this.#seeds(6, 1) };
    for (const [kind, seeds] of Object.entries(days)) {
      for (const seed of seeds) {
        if (enough && done > 0) break;
        if (kind === 'crowd') done++;
        const share = this.#flags.quick ? 0.1 : 1;
        const mix = cut(kind === 'guilty' ? guiltyMix : crowdMix, this.#flags.share ?? share);
        const day = { ...this.#day(seed, 1, 24), mix, rowLoss: 0.01 };
        const { world, ledger, talks, seconds } = await dayOfRows(day);
        tally.add(seed, ledger, world.ground, []);
        say(`${kind} at a loss of 1 %, seed ${seed}: ${talks} sessions in ${seconds.toFixed(1)} s`);
      }
    }
    this.cases.push(...tally.cases);
    return [
      `Synthetic; not field-validated. ${days.guilty.length} days with many of each guilty kind ` +
        `and ${done} of a crowd of innocents, seeds from ${days.guilty[0]} on.\n`,
      shortText(tally),
      foundTable(tally),
      paidTable(tally),
      relayText(tally),
    ].join('\n');
  }

  /** Seeds both ways. */
  async ways(): Promise<string> {
    const lines = [];
    for (const seed of this.#seeds(5, 1)) {
      const day = this.#day(seed, this.#flags.quick ? 0.06 : 0.3, 1);
      const rows = await dayOfRows(day);
      const packets = await dayOfPackets(day);
      lines.push(waysText(seed, rows, packets));
      say(`both ways, seed ${seed}: ${rows.talks} sessions`);
    }
    return (
      'Synthetic; not field-validated. One hour, judged from rows of the batch boundary and from ' +
      `the packets of the same talks through \`mailweir replay\`.\n\n${lines.join('\n')}\n`
    );
  }

  /** Hours as captures through the program, on mirrors that are not perfect. */
  async noise(): Promise<string> {
    const results = [];
    for (const [name, noise] of Object.entries(noises)) {
      const tally = new Tally();
      const stats = [];
      for (const seed of this.#seeds(3, 1)) {
        const o = { ...this.#day(seed, this.#flags.quick ? 0.1 : 0.3, 1), ...noise };
        const day = await dayOfPackets(o);
        tally.add(seed, day.ledger, day.world.ground, []);
        stats.push(day.stats);
        say(`${name}, seed ${seed}: ${day.talks} sessions in ${day.seconds.toFixed(1)} s`);
      }
      results.push({ name, tally, stats });
    }
    return noiseTable(results);
  }

  /** Days of rows with one idea taken out of the rules. */
  async ablation(): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'mailweir-ablation-'));
    try {
      const results = [];
      for (const name of ['as shipped', ...Object.keys(ablations)]) {
        const rules = name === 'as shipped' ? {} : { rules: ablated(name, folder) };
        const tally = new Tally();
        for (const seed of this.#seeds(4, 1)) {
          const { world, ledger } = await dayOfRows({ ...this.#day(seed, 0.5, 24), ...rules });
          tally.add(seed, ledger, world.ground, []);
        }
        say(`ablation: ${name}`);
        results.push({ name, tally });
      }
      return ablationTable(results);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

async function main(flags: Flags): Promise<void> {
  process.once('SIGINT', () => {
    say('finishing with what is done so far; again to end at once');
    enough = true;
  });
  const readme = join(fileURLToPath(new URL('../../..', import.meta.url)), 'bench/README.md');
  const evaluation = new Evaluation(flags);
  for (const part of parts) {
    if ((flags.only !== undefined && flags.only !== part) || enough) continue;
    const text = await evaluation[part]();
    if (flags.dry) process.stdout.write(`${text}\n`);
    else fill(readme, part, text);
  }
  if (flags.cases !== undefined) writeFileSync(flags.cases, `${evaluation.cases.join('\n')}\n`);
}

function amount(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('not a number');
  return value;
}

new Command('evaluate')
  .description('Judges labelled worlds and writes the results into bench/README.md.')
  .option('--quick', 'few seeds and small worlds', false)
  .option('--tuning', 'the seeds that rules may be tuned on (1 to 20)', false)
  .option('--only <part>', `one of ${parts.join(', ')}`, (name: string) => {
    const part = parts.find((one) => one === name);
    if (part === undefined) throw new InvalidArgumentError(`one of ${parts.join(', ')}`);
    return part;
  })
  .option('--seeds <list>', 'these seeds, separated by commas', (list: string) =>
    list.split(',').map(amount),
  )
  .option('--share <n>', 'how many of everybody, 1 for all', amount)
  .option('--rules <folder>', 'other rules than the shipped ones')
  .option('--cases <file>', 'writes who was listed without guilt, and by which rule')
  .option('--dry', 'prints the tables and leaves the README', false)
  .action((flags: Flags) =>
    main(flags).catch((problem: unknown) => {
      say(problem instanceof Error ? problem.message : String(problem));
      process.exitCode = 1;
    }),
  )
  .parse();
