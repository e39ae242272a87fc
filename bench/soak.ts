// The daemon on a cable of its own for as long as one likes, at a steady rate: what it holds in
// memory and what it counts must not drift. Needs root, tcpreplay and the addon. Not a part of the
// report, because it takes minutes. Memory grows until the rings of rows were gone around once,
// 32 MiB a worker: at 50,000 frames a second that takes five minutes. Run it by hand:
//
//     node dist/bench/soak.js --minutes 30 --rate 100000 --workers 2

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { Stats } from '../src/output/stats.js';
import { generate, presets } from './generate/traffic.js';
import { median } from './measure.js';
import { Cable } from './netns.js';

interface Flags {
  readonly minutes: number;
  readonly rate: number;
  readonly workers: number;
}

/** Seconds of one round of the capture; longer than connections are remembered for. */
const round_s = 5;
const closed_s = 1;
const frameShare = 62;

const program = fileURLToPath(new URL('../src/main.js', import.meta.url));

/** Bytes that a process holds. */
function resident(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? Number.NaN) * 1024;
}

class Soak {
  readonly #folder = mkdtempSync(join(tmpdir(), 'mailweir-soak-'));
  readonly #cable = new Cable();
  readonly #flags: Flags;
  /** Resident bytes, every five seconds. */
  readonly #memory: number[] = [];
  /** Transactions of each round. */
  readonly #rounds: number[] = [];
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
    const { rate, workers } = this.#flags;
    const capture = join(this.#folder, 'soak.pcap');
    const config = join(this.#folder, 'soak.yaml');
    const sessions = Math.ceil((rate * round_s) / frameShare);
    const { options } = presets['ordinary']!;
    const { frames } = generate({ path: capture, seed: 1, options: { ...options, sessions } });
    writeFileSync(
      config,
      `capture: { source: ring, workers: ${workers} }\n` +
        `flow: { timeout_closed_s: ${closed_s} }\nstats: { interval_s: 1 }\n`,
    );
    const run = ['run', '--interface', this.#cable.tapInterface, '--config', config];
    const words = ['netns', 'exec', this.#cable.tap, process.execPath, program, ...run];
    const daemon = spawn('ip', [...words, '--format', 'eve'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const over = new Promise<number | null>((resolve) => daemon.once('exit', resolve));
    createInterface({ input: daemon.stdout }).on('line', (line) => {
      if (line.includes('"event_type":"stats"')) this.#stats = JSON.parse(line).stats as Stats;
    });
    const timer = setInterval(() => this.#memory.push(resident(daemon.pid!)), 5000);
    try {
      while (!this.#cable.heard) await new Promise((go) => setTimeout(go, 100));
      await this.#send(capture, frames);
    } finally {
      clearInterval(timer);
      daemon.kill('SIGTERM');
    }
    return this.#judge((await over) === 0, frames);
  }

  async #send(capture: string, frames: number): Promise<void> {
    const { minutes, rate } = this.#flags;
    const end = performance.now() + minutes * 60_000;
    for (let sent = 0; performance.now() < end; ) {
      const before = this.#stats?.transactions ?? 0;
      await this.#cable.blast(capture, rate);
      sent += frames;
      // Connections are forgotten before they come again, and the figures have come.
      await new Promise((go) => setTimeout(go, closed_s * 1000 + 2500));
      const { packets = 0, transactions = 0, kernel_drops = 0 } = this.#stats ?? {};
      this.#rounds.push(transactions - before);
      const held = Math.round((this.#memory.at(-1) ?? Number.NaN) / 1e6);
      process.stdout.write(
        `${sent} frames sent, ${packets} read, ${kernel_drops} dropped, ` +
          `${transactions - before} transactions more, ${held} MB\n`,
      );
    }
  }

  #judge(ended: boolean, frames: number): boolean {
    const stats = this.#stats;
    if (stats === null) return false;
    const quarter = Math.ceil(this.#memory.length / 4);
    const early = median(this.#memory.slice(quarter, 2 * quarter));
    const late = median(this.#memory.slice(-quarter));
    const sent = frames * this.#rounds.length;
    const lost = sent - stats.packets;
    const uneven = this.#rounds.filter((count) => count !== this.#rounds[0]).length;
    process.stdout.write(
      `memory: ${(late / early).toFixed(3)} times that of the second quarter; ` +
        `frames not read: ${lost} of ${sent} (${stats.kernel_drops} dropped by the kernel); ` +
        `rounds with another number of transactions: ${uneven}; ` +
        `rows dropped: ${stats.rows_dropped}; workers that died: ${stats.worker_restarts}\n`,
    );
    return ended && late < early * 1.05 && lost === 0 && uneven === 0 && stats.rows_dropped === 0;
  }
}

const flags = new Command('soak')
  .option('--minutes <n>', 'how long', Number, 30)
  .option('--rate <n>', 'frames a second', Number, 50_000)
  .option('--workers <n>', 'packet workers', Number, 1)
  .parse()
  .opts<Flags>();
if (!existsSync(program)) throw new Error('dist is missing: npm run build');
process.exitCode = (await new Soak(flags).run()) ? 0 : 1;
