// Measuring whole programs: processor time of a process tree, peak memory, bytes allocated. Nothing
// here knows what is measured. Linux with bash; every command runs once per call and is waited for.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** Seconds of one run: processor time in the program, in the kernel for it, and on the clock. */
export interface Cost {
  readonly user: number;
  readonly system: number;
  readonly elapsed: number;
  readonly stderr: string;
}

interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], env = process.env): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** Runs a program to its end; an exit status other than 0 is an error with its last words. */
export async function output(command: string, args: readonly string[]): Promise<Finished> {
  const finished = await run(command, args);
  if (finished.status !== 0) {
    const words = finished.stderr.trim().split('\n').slice(-3).join(' | ');
    throw new Error(`${command} ${args.join(' ')} ended with ${finished.status}: ${words}`);
  }
  return finished;
}

/** True if the program can be found. */
export async function installed(command: string): Promise<boolean> {
  const { status } = await run('bash', ['-c', 'command -v -- "$0"', command]);
  return status === 0;
}

/**
 * What a command costs, its children and threads included: the shell's own `time` reads the
 * kernel's account of the process it waited for.
 */
export async function cost(command: string, args: readonly string[]): Promise<Cost> {
  const script = 'TIMEFORMAT="%U %S %R"; exec 3>&2; { time "$0" "$@" >/dev/null 2>&3; } 2>&1';
  const finished = await output('bash', ['-c', script, command, ...args]);
  const [user, system, elapsed] = finished.stdout.trim().split(' ').map(Number);
  if (user === undefined || system === undefined || elapsed === undefined) {
    throw new Error(`no times from ${command}: ${finished.stdout}`);
  }
  return { user, system, elapsed, stderr: finished.stderr };
}

/** Peak resident set of a Node program in MiB, as the kernel counted it at its exit. */
export async function peakMemory(args: readonly string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-peak-'));
  try {
    const path = join(folder, 'peak');
    const hook = fileURLToPath(new URL('peak.js', import.meta.url));
    const env = { ...process.env, MAILWEIR_PEAK: path };
    const finished = await run(process.execPath, ['--import', hook, ...args], env);
    if (finished.status !== 0) throw new Error(`node ${args.join(' ')}: ${finished.stderr.trim()}`);
    return Number(readFileSync(path, 'utf8')) / 1024;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Bytes a Node program allocates on its JavaScript heaps, all threads together. With a young
 * generation of 1 MB a collection comes every megabyte, and what a heap grew by between two of them
 * was allocated in between.
 */
export async function allocated(args: readonly string[]): Promise<number> {
  const flags = ['--trace-gc', '--max-semi-space-size=1'];
  const { stdout } = await output(process.execPath, [...flags, ...args]);
  const after = new Map<string, number>();
  let megabytes = 0;
  const lines = /^\[\d+:(0x[0-9a-f]+)\].*?: [A-Z][^\d]*?([\d.]+) \([\d.]+\) -> ([\d.]+) \(/gm;
  for (const [, isolate, before, rest] of stdout.matchAll(lines)) {
    megabytes += Number(before) - (after.get(isolate!) ?? 0);
    after.set(isolate!, Number(rest));
  }
  if (after.size === 0) throw new Error('no collections were seen; is the capture too short?');
  return megabytes * 1024 * 1024;
}

/** The middle of the values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The costs of two commands, run in turn so that both see the same weather. */
export interface Comparison {
  readonly ours: readonly Cost[];
  readonly yardstick: readonly Cost[];
}

/** One run of each to warm the page cache, then `runs` pairs, ours first. */
export async function compare(
  ours: readonly string[],
  yardstick: readonly string[],
  runs: number,
): Promise<Comparison> {
  await cost(yardstick[0]!, yardstick.slice(1));
  await cost(ours[0]!, ours.slice(1));
  const result = { ours: [] as Cost[], yardstick: [] as Cost[] };
  for (let n = 0; n < runs; n++) {
    result.ours.push(await cost(ours[0]!, ours.slice(1)));
    result.yardstick.push(await cost(yardstick[0]!, yardstick.slice(1)));
  }
  return result;
}

/** Processor seconds. */
export function processor(run: Cost): number {
  return run.user + run.system;
}
