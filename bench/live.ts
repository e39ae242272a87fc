// Live capture on a cable of its own, against tcpdump with as large a buffer: the highest rate
// without loss, what is lost at full speed, and processor time per packet. Needs root, tcpreplay
// and the addon. Sender and listeners have a real-time priority, so that others on the machine do
// not count.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { cost, median } from './measure.js';
import { Cable } from './netns.js';
import { row } from './tables.js';

// This file lies in bench or, compiled, in dist/bench.
const above = fileURLToPath(new URL('..', import.meta.url));
const root = existsSync(join(above, 'package.json')) ? above : join(above, '..');
const program = join(root, 'dist/src/main.js');
const counter = join(root, 'dist/bench/count.js');
/**
 * Real-time priorities. The listener's threads come before the sender: among equals a slice of 100
 * ms would go by, in which the sender fills the ring.
 */
const priority = { listener: ['chrt', '--rr', '20'], sender: ['chrt', '--rr', '10'] };
/** Frames a second of the warm-up: slow enough for a program that is not compiled yet. */
const warmRate = 60_000;

/** What listens in one run. */
export type Listener = 'tcpdump' | 'run ring' | 'run pcap' | 'count ring' | 'count pcap';

/** One run: frames that were lost, processor time, the rate that the sender reached. */
interface Result {
  readonly lost: number;
  /** Microseconds of processor time for each frame sent. */
  readonly micros: number;
  readonly rate: number;
}

export interface LiveOptions {
  readonly capture: string;
  readonly frames: number;
  readonly runs: number;
  /** Frames a second of the ladder; infinite is as fast as the sender can. */
  readonly rates: readonly number[];
  /** Whose processor time is compared, and at how many frames a second. */
  readonly listeners: readonly Listener[];
  readonly costRates: readonly number[];
  /** Runs of which the median is that processor time. */
  readonly costRuns: number;
  /** Frames sent before the measured ones: a daemon has been running for a while. */
  readonly warm: number;
  readonly folder: string;
  readonly say: (line: string) => void;
}

/** The tables of the part `live`, as rows. */
export async function liveTables(options: LiveOptions): Promise<string[][]> {
  const bench = new LiveBench(options);
  try {
    return [await bench.rates(), await bench.costs()];
  } finally {
    bench.close();
  }
}

class LiveBench {
  readonly #options: LiveOptions;
  readonly #cable = new Cable(priority.sender);

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#cable.open();
  }

  close(): void {
    this.#cable.close();
  }

  /** Frames lost at rising rates; the two listeners take turns. */
  async rates(): Promise<string[]> {
    const { runs, rates } = this.#options;
    const lines = [
      row(
        'rate asked',
        'rate reached',
        'ring: runs with loss',
        'most lost',
        'tcpdump',
        'most lost',
      ),
      row('--:', '--:', '--:', '--:', '--:', '--:'),
    ];
    for (const rate of rates) {
      const ours: Result[] = [];
      const yardstick: Result[] = [];
      for (let run = 0; run < runs; run += 1) {
        ours.push(await this.#run('run ring', rate));
        yardstick.push(await this.#run('tcpdump', rate));
      }
      const reached = Math.round(median([...ours, ...yardstick].map((result) => result.rate)));
      const shown = Number.isFinite(rate) ? rate : 'top speed';
      lines.push(row(shown, reached, ...losses(ours), ...losses(yardstick)));
    }
    return lines;
  }

  /** Processor time per packet of each way to listen, beside that of reading the file. */
  async costs(): Promise<string[]> {
    const { costRates, costRuns, listeners } = this.#options;
    const each = costRates.flatMap((rate) => [`µs at ${rate.toLocaleString('en')}/s`, 'lost']);
    const lines = [
      row('what', ...each),
      row('---', ...each.map(() => '--:')),
      row('mailweir replay, only parsed', ...(await this.#replays([]))),
      row('mailweir replay, judged', ...(await this.#replays(['--config', this.#config('auto')]))),
    ];
    for (const listener of listeners) {
      const cells: (string | number)[] = [];
      for (const rate of costRates) {
        const results: Result[] = [];
        for (let run = 0; run < costRuns; run += 1) results.push(await this.#run(listener, rate));
        cells.push(median(results.map(({ micros }) => micros)).toFixed(2));
        cells.push(Math.max(...results.map(({ lost }) => lost)));
      }
      lines.push(row(names[listener], ...cells));
    }
    return lines;
  }

  /** The cells of a replay, which has no rate: the same for each. */
  async #replays(more: readonly string[]): Promise<string[]> {
    const { capture, frames, costRates, costRuns, say } = this.#options;
    const words = [...priority.listener.slice(1), process.execPath, program, 'replay', capture];
    const micros: number[] = [];
    for (let run = 0; run < costRuns; run += 1) {
      const done = await cost('chrt', [
        ...words,
        '--format',
        'eve',
        '--output',
        '/dev/null',
        ...more,
      ]);
      micros.push(((done.user + done.system) / frames) * 1e6);
    }
    const middle = median(micros).toFixed(2);
    say(`replay ${more.join(' ')}: ${middle} µs per packet`);
    return costRates.flatMap(() => [middle, '']);
  }

  async #run(listener: Listener, rate: number): Promise<Result> {
    const { capture, frames, say, folder, warm } = this.#options;
    const output = join(folder, 'live.ndjson');
    rmSync(output, { force: true });
    const child = this.#start(listener, output);
    let said = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    await until(() => this.#cable.heard || child.exitCode !== null);
    await this.#cable.blast(capture, warmRate, { limit: warm });
    await pause(1500);
    if (child.exitCode !== null) throw new Error(`${listener} ended: ${said.trim()}`);
    const before = processorTime(child.pid!);
    const reached = await this.#cable.blast(capture, rate);
    await pause(1500);
    const after = processorTime(child.pid!);
    child.kill('SIGTERM');
    await ended;
    const received = receivedBy(listener, said, output);
    const lost = warm + frames - received;
    const micros = ((after - before) / frames) * 1e6;
    say(`${listener} at ${rate}: ${lost} lost of ${frames}, ${micros.toFixed(2)} µs per packet`);
    return { lost, micros, rate: reached };
  }

  /** Writes what replays and listeners go by, and gives its path. */
  #config(source: string): string {
    const path = join(this.#options.folder, 'live.yaml');
    writeFileSync(path, `capture: { source: ${source} }\nstats: { interval_s: 1 }\n`);
    return path;
  }

  #start(listener: Listener, output: string): ChildProcess {
    const name = this.#cable.tapInterface;
    const [what, source] = listener.split(' ');
    const config = this.#config(source ?? 'auto');
    const run = ['run', '--config', config, '--interface', name, '--format', 'eve'];
    const words: Readonly<Record<string, readonly string[]>> = {
      tcpdump: ['tcpdump', '-i', name, '-B', '65536', '-w', '/dev/null'],
      run: [process.execPath, program, ...run, '--output', output],
      count: [process.execPath, counter, source ?? '', name],
    };
    const all = ['netns', 'exec', this.#cable.tap, ...priority.listener, ...words[what!]!];
    return spawn('ip', all, { stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

const names: Readonly<Record<Listener, string>> = {
  'run ring': 'mailweir run, ring',
  'run pcap': 'mailweir run, pcap package',
  'count ring': 'capture alone, ring',
  'count pcap': 'capture alone, pcap package',
  tcpdump: 'tcpdump',
};

function losses(results: readonly Result[]): [string, number] {
  return [lossy(results), Math.max(...results.map(({ lost }) => lost))];
}

function lossy(results: readonly Result[]): string {
  return `${results.filter(({ lost }) => lost > 0).length} of ${results.length}`;
}

/** Frames that came to a listener, from its last words. */
function receivedBy(listener: Listener, said: string, output: string): number {
  if (listener === 'tcpdump') return Number(/(\d+) packets captured/.exec(said)?.[1] ?? 0);
  if (listener.startsWith('count')) {
    return (JSON.parse(said.trim().split('\n').at(-1)!) as { frames: number }).frames;
  }
  const last = readFileSync(output, 'utf8').trimEnd().split('\n').at(-1)!;
  return (JSON.parse(last) as { stats: { packets: number } }).stats.packets;
}

/** Seconds of processor time of a process and of its children, all threads; in ticks of 10 ms. */
function processorTime(pid: number): number {
  let ticks = 0;
  const folder = `/proc/${pid}/task`;
  const children = readdirSync(folder).flatMap((thread) => {
    const path = join(folder, thread, 'children');
    return existsSync(path) ? readFileSync(path, 'utf8').split(' ').filter(Boolean) : [];
  });
  for (const one of [pid, ...children]) {
    // Behind the name in parentheses, which may hold anything: state is field 3.
    const fields = readFileSync(`/proc/${one}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / 100;
}

async function until(holds: () => boolean): Promise<void> {
  const last = performance.now() + 15_000;
  while (!holds()) {
    if (performance.now() > last) throw new Error('nobody listens on the cable');
    await pause(20);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms));
}
