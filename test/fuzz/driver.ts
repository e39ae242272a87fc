// Runs a target in a thread of its own and watches it: an input that never ends ends the thread,
// and is a finding like any other. Needs what `npm run build` makes: threads load from there.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { headBytes } from './shared.js';

/** What the thread is told. */
export interface Order {
  readonly target: string;
  readonly seconds: number;
  readonly seed: number;
  /** Inputs that are run first. */
  readonly first: readonly Uint8Array[];
  readonly shared: SharedArrayBuffer;
  /** For files that a target needs. */
  readonly folder: string;
}

export interface Report {
  readonly runs: number;
  /** What is wrong, or null. */
  readonly message: string | null;
  /** The input with which it is wrong. */
  readonly input: Uint8Array | null;
}

const root = join(import.meta.dirname, '../..').replace(/[/\\]dist$/, '');
const workerFile = join(root, 'dist/test/fuzz/worker.js');
const inputBytesMax = 1 << 22;
/** An input that takes longer than this is taken for one that never ends. */
const patience_ms = 10_000;
const heapMegabytes = 512;

/** The inputs that were found once and must never be wrong again. */
export function corpusOf(target: string): { name: string; bytes: Buffer }[] {
  const folder = join(root, 'test/fuzz/corpus', target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

/** Runs `order.first`, then inputs of the target for so many seconds; to the first finding. */
export async function fuzz(
  order: Omit<Order, 'shared' | 'folder'>,
  progress: (runs: number) => void = () => {},
): Promise<Report> {
  if (!existsSync(workerFile)) throw new Error('dist is missing; run npm run build first');
  const shared = new SharedArrayBuffer(headBytes + inputBytesMax);
  const words = new Int32Array(shared, 0, headBytes / 4);
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-fuzz-'));
  const worker = new Worker(workerFile, {
    workerData: { ...order, shared, folder } satisfies Order,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  const current = (message: string): Report => {
    const input = Buffer.from(Buffer.from(shared, headBytes, Atomics.load(words, 1)));
    return { runs: Atomics.load(words, 0), message, input };
  };
  let seen = -1;
  let since = performance.now();
  let watch: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Report>((resolve) => {
      worker.once('message', resolve);
      worker.once('error', (error) => resolve(current(`the thread ended: ${String(error)}`)));
      worker.once('exit', (code) => resolve(current(`the thread ended with ${code}`)));
      watch = setInterval(() => {
        const runs = Atomics.load(words, 0);
        progress(runs);
        if (runs !== seen) since = performance.now();
        else if (performance.now() - since > patience_ms) {
          resolve(current(`no end after ${patience_ms / 1000} s`));
        }
        seen = runs;
      }, 500);
    });
  } finally {
    clearInterval(watch);
    await worker.terminate();
    rmSync(folder, { recursive: true });
  }
}
