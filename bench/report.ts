// Runs every bench and writes the results into `bench/README.md`: the whole program against
// tcpdump, allocation, memory, the micro benches. `--quick` takes smaller captures and fewer runs;
// BENCH_DIR names a folder in which the generated captures stay.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { type Generated, generate, ownNetwork, presets } from './generate/traffic.js';
import type { JudgedRows } from './judged-rows.js';
import { liveTables } from './live.js';
import {
  allocated,
  type Comparison,
  compare,
  installed,
  median,
  output,
  peakMemory,
  processor,
} from './measure.js';
import { fill, row, table } from './tables.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const program = join(root, 'dist/src/main.js');
const seed = 1;

interface Flags {
  readonly quick: boolean;
  readonly runs: number;
  readonly only?: string;
}

interface Capture extends Generated {
  readonly path: string;
}

class Report {
  readonly #folder: string;
  readonly #quick: boolean;
  readonly #runs: number;

  constructor(folder: string, flags: Flags) {
    this.#folder = folder;
    this.#quick = flags.quick;
    this.#runs = flags.quick ? Math.min(3, flags.runs) : flags.runs;
  }

  /** The whole program against tcpdump over ordinary mail and over small mail. */
  async replay(): Promise<string> {
    const lines = [
      row('capture', 'packets', 'MB', 'mailweir s', 'tcpdump s', 'ratio (min-max)', 'packets/s'),
      row('---', '--:', '--:', '--:', '--:', '--:', '--:'),
    ];
    for (const name of ['ordinary', 'small']) {
      const capture = this.#capture(name, name === 'ordinary' ? 2000 : 3000);
      say(`${name}: ${this.#runs} pairs of runs`);
      const yardstick = ['tcpdump', '-r', capture.path, '-w', '/dev/null'];
      const ours = [process.execPath, ...this.#command(capture.path)];
      lines.push(comparisonRow(name, capture, await compare(ours, yardstick, this.#runs)));
    }
    return table(
      `Processor time (user and system, all threads) of \`mailweir replay FILE --format eve\` ` +
        `and of \`tcpdump -r FILE -w /dev/null\`, run in turn; medians of ${this.#runs} runs each.`,
      lines,
    );
  }

  /** A replay with all shipped rules against one that only parses; and rows without packets. */
  async judge(): Promise<string> {
    const config = join(this.#folder, 'judge.yaml');
    writeFileSync(config, ownNetwork);
    const lines = [
      row(
        'capture',
        'packets',
        'judged s',
        'parsed s',
        'ratio (min-max)',
        'ratio behind the start',
      ),
      row('---', '--:', '--:', '--:', '--:', '--:'),
    ];
    for (const name of ['ordinary', 'small']) {
      const few = name === 'ordinary' ? 2000 : 3000;
      const capture = this.#capture(name, few);
      const whole = await this.#judged(name, capture, config);
      // A capture of a tenth costs mostly the start: what is left of the difference has none.
      const start = await this.#judged(name, this.#capture(name, few / 10, few), config);
      const behind = (whole.judged - start.judged) / (whole.parsed - start.parsed);
      const [ours, theirs] = [whole.judged.toFixed(2), whole.parsed.toFixed(2)];
      lines.push(row(name, capture.frames, ours, theirs, whole.ratio, behind.toFixed(2)));
    }
    const replays = table(
      `Processor time (user and system, all threads) of \`mailweir replay FILE --format eve\` ` +
        `with a configuration, so that all shipped rules judge, and without one, run in turn; ` +
        `medians of ${this.#runs} runs each. Behind the start: the same of what a long capture ` +
        `takes more than a short one, so that reading rules and compiling code hardly count.`,
      lines,
    );
    return `${replays}\n${await this.#rows()}`;
  }

  async #judged(name: string, capture: Capture, config: string) {
    say(`judge: ${name}, ${capture.frames} packets: ${this.#runs} pairs of runs`);
    const plain = [process.execPath, ...this.#command(capture.path)];
    const both = await compare([...plain, '--config', config], plain, this.#runs);
    const [judged, parsed] = [both.ours.map(processor), both.yardstick.map(processor)];
    const ratios = judged.map((value, i) => value / parsed[i]!).sort((a, b) => a - b);
    const range = `${ratios[0]!.toFixed(2)}-${ratios.at(-1)!.toFixed(2)}`;
    const ratio = `${median(ratios).toFixed(2)} (${range})`;
    return { judged: median(judged), parsed: median(parsed), ratio };
  }

  /** All shipped rules over rows: transactions a second, and memory. */
  async #rows(): Promise<string> {
    const file = fileURLToPath(new URL('judged-rows.js', import.meta.url));
    const lines = [
      row('sources', 'transactions/s (min-max)', 'RSS MiB', 'of it state', 'bytes a source'),
      row('--:', '--:', '--:', '--:', '--:'),
    ];
    const tables: string[] = [];
    for (const sources of this.#quick ? [10_000] : [100_000, 1_000_000]) {
      say(`judge: rows of ${sources} sources`);
      const { stdout } = await output(process.execPath, [file, String(sources)]);
      const of = JSON.parse(stdout) as JudgedRows;
      const told = (value: number) => Math.round(value).toLocaleString('en');
      const range = `${told(of.slowest)}-${told(of.fastest)}`;
      const rate = `${told(of.perSecond)} (${range})`;
      const state = of.rssAfter - of.rssBefore;
      const each = Math.round((state * 1024 ** 2) / sources);
      lines.push(row(sources, rate, of.rssAfter.toFixed(0), state.toFixed(0), each));
      tables.length = 0;
      for (const { name, used, bytes } of of.tables) {
        tables.push(`${name}: ${used.toLocaleString('en')} of ${bytes} bytes`);
      }
      const gone = Object.entries(of.givenUp).filter(([, count]) => count > 0);
      tables.push(`given up: ${gone.map((pair) => pair.join(' ')).join(', ') || 'nothing'}`);
    }
    const rows = table(
      'Rows without packets: transactions with three recipients, the session of each beside it, ' +
        'all shipped rules, sources in random order; processor time of one thread. State is what ' +
        'the process grew by from before the first row.',
      lines,
    );
    const held = `\`\`\`text\n${tables.join('\n')}\n\`\`\`\n`;
    return `${rows}\nWith the most sources, records by grouping:\n\n${held}`;
  }

  /** Bytes on the JavaScript heap per packet: the slope between a short and a long capture. */
  async allocation(): Promise<string> {
    const lines = [row('traffic', 'ports', 'bytes/packet'), row('---', '---', '--:')];
    for (const [name, ports] of [
      ['web', '25'],
      ['web', 'any'],
      ['ordinary', '25'],
    ] as const) {
      say(`allocation: ${name}, --ports ${ports}`);
      const short = this.#capture(name, 500, 1000);
      const long = this.#capture(name, 2000, 5000);
      const less = await allocated([...this.#command(short.path), '--ports', ports]);
      const more = await allocated([...this.#command(long.path), '--ports', ports]);
      const slope = (more - less) / (long.frames - short.frames);
      lines.push(row(name, ports, slope.toFixed(2)));
    }
    return table(
      'Heap bytes allocated per packet by the whole program, records and their text included: ' +
        'the difference of a long and a short capture, so that starting up does not count.',
      lines,
    );
  }

  /** Peak resident set while 100,000 sessions hang in a flood of SYNs. */
  async memory(): Promise<string> {
    const lines = [row('sessions', 'lone SYNs', 'peak RSS MiB'), row('--:', '--:', '--:')];
    for (const sessions of this.#quick ? [500, 5000] : [1000, 100_000]) {
      const capture = this.#capture('half-open', sessions, sessions);
      say(`memory: ${sessions} sessions`);
      const peak = await peakMemory(this.#command(capture.path));
      lines.push(row(sessions, sessions * 10, peak.toFixed(0)));
    }
    return table('Peak memory of a replay in which all sessions are open at once.', lines);
  }

  /** Capture from an interface against tcpdump. */
  async live(): Promise<string> {
    for (const name of ['tcpreplay', 'chrt', 'ip', 'sysctl']) {
      if (!(await installed(name))) throw new Error(`the part live needs ${name}`);
    }
    if (process.getuid?.() !== 0) throw new Error('the part live needs root');
    const capture = this.#capture('ordinary', 1000);
    const top = Number.POSITIVE_INFINITY;
    const costRates = this.#quick ? [50_000] : [100_000, 500_000];
    // Noise shows in the lost frames more than in the processor time.
    const costRuns = Math.max(1, this.#runs >> 2);
    const [rates, costs] = await liveTables({
      capture: capture.path,
      frames: capture.frames,
      runs: this.#quick ? 1 : this.#runs,
      rates: this.#quick ? [50_000, top] : [400_000, 800_000, top],
      listeners: ['run ring', 'run pcap', 'count ring', 'count pcap', 'tcpdump'],
      costRates,
      costRuns,
      warm: this.#quick ? 30_000 : 300_000,
      folder: this.#folder,
      say,
    });
    const first = table(
      '`mailweir run` with one thread and a ring of 64 MiB, and `tcpdump -B 65536 -w /dev/null`, ' +
        'in turn, over the capture `ordinary` sent by tcpreplay on a veth pair; both warm, with ' +
        'real-time priorities, the listener first.',
      rates!,
    );
    const second = table(
      'Processor time for each packet of the listening process and its children, at steady ' +
        `rates; ${costRuns === 1 ? 'one run' : `medians of ${costRuns} runs`} each. A replay ` +
        'reads the file as fast as it can, its start included; a daemon always judges, so it is ' +
        'compared with the replay that does.',
      costs!,
    );
    return `${first}\n${second}\n${machine({ quick: this.#quick, runs: this.#runs })}`;
  }

  /** Every micro bench, one process each. */
  async micro(): Promise<string> {
    const folder = fileURLToPath(new URL('micro/', import.meta.url));
    const files = existsSync(folder)
      ? readdirSync(folder).filter((file) => file.endsWith('.bench.js'))
      : [];
    const lines = [row('bench', 'mean', '75 % of runs below'), row('---', '--:', '--:')];
    const others: string[] = [];
    for (const file of files.sort()) {
      say(`micro: ${file}`);
      const { stdout } = await output(process.execPath, ['--expose-gc', join(folder, file)]);
      const results = mitataRows(file.replace('.bench.js', ''), stdout);
      lines.push(...results);
      if (results.length === 0) others.push(stdout.trim());
    }
    const rest = others.length > 0 ? `\n\`\`\`text\n${others.join('\n')}\n\`\`\`\n` : '';
    return table('One process for each file of `micro/`; mean times by mitata.', lines) + rest;
  }

  #command(path: string): string[] {
    return [program, 'replay', path, '--format', 'eve', '--output', '/dev/null'];
  }

  /** A capture of a preset, generated once in a run. */
  #capture(name: string, quickSessions: number, fullSessions?: number): Capture {
    const options = presets[name]!.options;
    const sessions = this.#quick ? quickSessions : (fullSessions ?? options.sessions);
    const path = join(this.#folder, `${name}-${sessions}-${seed}.pcap`);
    const synFlood = Math.round((options.synFlood * sessions) / options.sessions);
    const known = kept.get(path);
    if (known) return known;
    say(`generating ${path}`);
    const result = generate({ path, seed, options: { ...options, sessions, synFlood } });
    const capture = { ...result, path };
    kept.set(path, capture);
    return capture;
  }
}

const kept = new Map<string, Capture>();

function comparisonRow(name: string, capture: Capture, runs: Comparison): string {
  const ours = median(runs.ours.map(processor));
  const yardstick = median(runs.yardstick.map(processor));
  // tcpdump on a small capture may take less than the clock's millisecond can show.
  const ratios = runs.ours.map(
    (run, i) => processor(run) / Math.max(0.001, processor(runs.yardstick[i]!)),
  );
  const spread = `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`;
  return row(
    name,
    capture.frames,
    (capture.bytes / 1e6).toFixed(0),
    ours.toFixed(2),
    yardstick.toFixed(2),
    `${median(ratios).toFixed(2)} (${spread})`,
    Math.round(capture.frames / ours),
  );
}

/** The rows of what mitata prints: a name, then `12.3 µs/iter`, then the 75th percentile. */
function mitataRows(file: string, printed: string): string[] {
  const plain = printed.replaceAll(/\x1b\[[\d;]*m/g, '');
  const lines = plain.matchAll(/^(\S.*?)\s+([\d.,]+ \S+)\/iter\s+([\d.,]+ \S+)/gm);
  return [...lines].map(([, name, mean, p75]) => row(`${file}: ${name}`, mean!, p75!));
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

const parts = ['replay', 'judge', 'allocation', 'memory', 'micro', 'live'] as const;
/** These need root and minutes, and are run only when they are named. */
const byName: readonly string[] = ['live'];
type Part = (typeof parts)[number];

function isPart(name: string): name is Part {
  return (parts as readonly string[]).includes(name);
}

async function main(flags: Flags): Promise<void> {
  if (!existsSync(program)) throw new Error('dist/src/main.js is missing: npm run build');
  if (!(await installed('tcpdump'))) {
    throw new Error('tcpdump is the yardstick and is missing: sudo apt-get install tcpdump');
  }
  const { BENCH_DIR: given } = process.env;
  if (given !== undefined) mkdirSync(given, { recursive: true });
  const folder = given ?? mkdtempSync(join(tmpdir(), 'mailweir-bench-'));
  const readme = join(root, 'bench/README.md');
  try {
    const report = new Report(folder, flags);
    for (const part of parts) {
      if (flags.only === undefined ? byName.includes(part) : flags.only !== part) continue;
      fill(readme, part, await report[part]());
    }
    if (flags.only !== 'live') fill(readme, 'machine', machine(flags));
    say(`written: ${readme}`);
  } finally {
    if (given === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function machine(flags: Flags): string {
  const processors = cpus();
  const kind = flags.quick
    ? 'quick run (small captures: only the order of size counts)'
    : 'full run';
  return (
    `${new Date().toISOString().slice(0, 10)}, ${kind}, Node ${process.version}, ` +
    `${processors.length} x ${processors[0]?.model.trim() ?? 'unknown processor'}, ` +
    `${process.platform}.\n`
  );
}

function runCount(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('not a count');
  return value;
}

new Command('report')
  .description('Runs the benches and writes the results into bench/README.md.')
  .option('--quick', 'small captures and at most three runs', false)
  .option('--runs <n>', 'runs of each program', runCount, 5)
  .option('--only <part>', `one of ${parts.join(', ')}`, (name: string) => {
    if (!isPart(name)) throw new InvalidArgumentError(`one of ${parts.join(', ')}`);
    return name;
  })
  .action((flags: Flags) =>
    main(flags).catch((problem: unknown) => {
      say(problem instanceof Error ? problem.message : String(problem));
      process.exitCode = 1;
    }),
  )
  .parse();
