// The daemon on a cable of its own for as long as one likes, at a steady rate without a pause: what
// it holds in memory and what it counts must not drift. One capture is sent again and again; each
// round must give what a replay of the file gives. Needs root, tcpreplay and the addon. Not a part
// of the report, because it takes half an hour. `--write` puts the result into bench/README.md.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { Stats } from '../src/output/stats.js';
import { generate, ownNetwork, presets } from './generate/traffic.js';
import { median, output } from './measure.js';
import { Cable } from './netns.js';
import { fill, row, table } from './tables.js';

interface Flags {
  readonly minutes: number;
  readonly rate: number;
  readonly workers: number;
  readonly write: boolean;
}

/** Seconds of one round of the capture; longer than connections are remembered for. */
const round_s = 5;
const closed_s = 1;
const frameShare = 62;
const parts = 6;
/** Real-time priorities, higher than those of any bench that may run meanwhile. */
const priority = {
  listener: ['chrt', '--rr', '40'],
  reader: ['--rr', '--pid', '35'],
  sender: ['chrt', '--rr', '30'],
};
/** What half a million ordinary frames a second fill in 0.6 s: a virtual machine may pause. */
const ringBytes = 192 * 1024 * 1024;

const program = fileURLToPath(new URL('../src/main.js', import.meta.url));
const readme = fileURLToPath(new URL('../../bench/README.md', import.meta.url));

/** What was seen at one moment. */
interface Sample {
  readonly time_ms: number;
  /** Resident bytes of the daemon. */
  readonly memory: number;
  readonly stats: Stats;
}

/** One round of the capture, as it is in the file. */
interface Round {
  readonly frames: number;
  readonly transactions: number;
  readonly sessions: number;
}

/** Bytes that a process holds. */
function resident(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? Number.NaN) * 1024;
}

function pause(ms: number): Promise<void> {
  return new Promise((go) => setTimeout(go, ms));
}

class Soak {
  readonly #folder = mkdtempSync(join(tmpdir(), 'mailweir-soak-'));
  readonly #cable = new Cable(priority.sender);
  readonly #flags: Flags;
  readonly #samples: Sample[] = [];
  #stats: Stats | null = null;

  constructor(flags: Flags) {
    this.#flags = flags;
  }

  /** Runs to the end; whether nothing drifted and nothing was lost. */
  async run(): Promise<boolean> {
    this.#cable.open();
    try {
      return await this.#listen();
    } finally {
      this.#cable.close();
      rmSync(this.#folder, { recursive: true });
    }
  }

  async #listen(): Promise<boolean> {
    const { rate, workers, minutes } = this.#flags;
    const capture = join(this.#folder, 'soak.pcap');
    const config = join(this.#folder, 'soak.yaml');
    const sessions = Math.ceil((rate * round_s) / frameShare);
    const { options } = presets['ordinary']!;
    generate({ path: capture, seed: 1, options: { ...options, sessions } });
    writeFileSync(
      config,
      `capture: { source: ring, workers: ${workers}, ring: { bytes: ${ringBytes} } }\n` +
        `flow: { timeout_closed_s: ${closed_s} }\nstats: { interval_s: 1 }\n` +
        `state: { directory: ${this.#folder}/state }\n${ownNetwork}`,
    );
    const round = await replayed(capture, config);
    const rounds = Math.max(1, Math.round((minutes * 60 * rate) / round.frames));
    const run = ['run', '--interface', this.#cable.tapInterface, '--config', config];
    const node = [...priority.listener, process.execPath, program];
    const words = ['netns', 'exec', this.#cable.tap, ...node, ...run, '--format', 'eve'];
    const daemon = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const over = new Promise<number | null>((resolve) => daemon.once('exit', resolve));
    createInterface({ input: daemon.stdout }).on('line', (line) => {
      if (line.includes('"event_type":"stats"')) this.#stats = JSON.parse(line).stats as Stats;
    });
    const timer = setInterval(() => this.#sample(daemon.pid!), 5000);
    let reached = Number.NaN;
    try {
      while (!this.#cable.heard) await pause(100);
      reached = await this.#cable.blast(capture, rate, { rounds });
      clearInterval(timer);
      // Connections end by themselves, and the figures come.
      await pause(closed_s * 1000 + 2500);
    } finally {
      clearInterval(timer);
      daemon.kill('SIGTERM');
    }
    const ended = (await over) === 0;
    return this.#judge(ended, { round, rounds, reached });
  }

  #sample(pid: number): void {
    const stats = this.#stats;
    if (stats === null || stats.packets === 0) return;
    const memory = resident(pid);
    this.#samples.push({ time_ms: performance.now(), memory, stats });
    const { packets, transactions, kernel_drops } = stats;
    process.stdout.write(
      `${packets} frames read, ${kernel_drops} dropped, ${transactions} transactions, ` +
        `${Math.round(memory / 1e6)} MB\n`,
    );
  }

  #judge(ended: boolean, sent: { round: Round; rounds: number; reached: number }): boolean {
    const stats = this.#stats;
    if (stats === null) return false;
    const { round, rounds, reached } = sent;
    const third = Math.ceil(this.#samples.length / 3);
    const held = this.#samples.map(({ memory }) => memory);
    const growth = median(held.slice(-third)) / median(held.slice(third, 2 * third));
    const off = {
      frames: rounds * round.frames - stats.packets,
      transactions: rounds * round.transactions - stats.transactions,
      sessions: rounds * round.sessions - stats.sessions,
    };
    const { minutes, workers, write } = this.#flags;
    const said =
      `${minutes} minutes without a pause at ${Math.round(reached).toLocaleString('en')} frames ` +
      `a second, workers: ${workers}, ring: ${ringBytes >> 20} MiB; the capture \`ordinary\` ` +
      `${rounds.toLocaleString('en')} times, ${stats.packets.toLocaleString('en')} frames. ` +
      'Missing of what so many replays of the file give: ' +
      `${off.frames} frames, ${off.transactions} transactions, ${off.sessions} sessions. ` +
      `Dropped by the kernel ${stats.kernel_drops}, gaps ${stats.reassembly_gaps}, rows dropped ` +
      `${stats.rows_dropped}, workers that died ${stats.worker_restarts}. ` +
      `Memory of the last third: ${growth.toFixed(3)} times that of the second.`;
    const text = table(said, this.#table());
    process.stdout.write(`${text}\n`);
    if (write) fill(readme, 'soak', text);
    const exact = Object.values(off).every((missing) => missing === 0);
    return ended && exact && stats.rows_dropped === 0 && growth < 1.05;
  }

  /** What was seen in each part of the time. */
  #table(): string[] {
    const lines = [
      row('from minute', 'frames/s', 'dropped', 'transactions per 1,000 frames', 'MB', 'most'),
      row('--:', '--:', '--:', '--:', '--:', '--:'),
    ];
    const size = Math.ceil(this.#samples.length / parts);
    for (let from = 0; from + 1 < this.#samples.length; from += size) {
      const some = this.#samples.slice(from, from + size + 1);
      const [first, last] = [some[0]!, some.at(-1)!];
      const frames = last.stats.packets - first.stats.packets;
      const share = (last.stats.transactions - first.stats.transactions) / frames;
      const held = some.map(({ memory }) => memory / 1e6);
      lines.push(
        row(
          ((first.time_ms - this.#samples[0]!.time_ms) / 60_000).toFixed(1),
          Math.round((frames / (last.time_ms - first.time_ms)) * 1000),
          last.stats.kernel_drops - first.stats.kernel_drops,
          (share * 1000).toFixed(3),
          median(held).toFixed(0),
          Math.max(...held).toFixed(0),
        ),
      );
    }
    return lines;
  }
}

/** What a replay of the file says. */
async function replayed(capture: string, config: string): Promise<Round> {
  const words = [program, 'replay', capture, '--config', config, '--format', 'eve'];
  const path = `${capture}.ndjson`;
  await output(process.execPath, [...words, '--output', path]);
  const last = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)!;
  rmSync(path);
  const { stats } = JSON.parse(last) as { stats: Stats };
  return { frames: stats.packets, transactions: stats.transactions, sessions: stats.sessions };
}

const flags = new Command('soak')
  .option('--minutes <n>', 'how long', Number, 30)
  .option('--rate <n>', 'frames a second', Number, 500_000)
  .option('--workers <n>', 'packet workers', Number, 1)
  .option('--write', 'put the result into bench/README.md', false)
  .parse()
  .opts<Flags>();
if (!existsSync(program)) throw new Error('dist is missing: npm run build');
// Whoever reads the events must not be the one that is too slow.
spawnSync('chrt', [...priority.reader, String(process.pid)]);
process.exitCode = (await new Soak(flags).run()) ? 0 : 1;
