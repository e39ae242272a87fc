// Starts the program as a user does, from what was built. Only the processes started here are
// ended here.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';

export const program = join(import.meta.dirname, '..', '..', 'dist', 'src', 'main.js');

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program to its end. */
export function mailweir(words: readonly string[], input: Buffer | string = ''): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    encoding: 'utf8',
    input,
    maxBuffer: 1 << 28,
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** The lines of an output as objects. */
export function eventsIn(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** A program that runs on: what it said so far, waiting for more, ending it. */
export class Daemon {
  readonly child: ChildProcessWithoutNullStreams;
  stdout = '';
  stderr = '';

  /** `before` is a command that starts it, such as `ip netns exec NAME`. */
  constructor(words: readonly string[], before: readonly string[] = []) {
    const [command, ...rest] = [...before, process.execPath, program, ...words] as [string];
    this.child = spawn(command, rest);
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  /** Waits until `holds`; fails with everything that was said when it takes too long. */
  async until(holds: () => boolean, patience_ms = 20_000): Promise<void> {
    const last = performance.now() + patience_ms;
    while (!holds()) {
      if (performance.now() > last || this.child.exitCode !== null) {
        if (holds()) return;
        const { stdout, stderr, child } = this;
        throw new Error(
          `waited in vain; exit ${child.exitCode}\n${stdout.slice(-2000)}\n${stderr}`,
        );
      }
      await new Promise((resume) => setTimeout(resume, 20));
    }
  }

  /** Sends a signal and gives the exit status, null if the signal itself ended it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const closed = new Promise((resume) => child.once('close', resume));
    child.kill(signal);
    await closed;
    return child.exitCode;
  }
}
