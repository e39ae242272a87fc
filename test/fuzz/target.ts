// What a fuzzing target is: something that makes inputs of bytes and something that runs them. The
// bytes are all there is, so that a failing input can be kept as a file and replayed.

import type { Random } from '../../src/lib/random.js';

/** An input broke a promise. The message says which. */
export class Finding extends Error {
  override name = 'Finding';
}

export interface Target {
  readonly name: string;
  /** What its files in the corpus are called behind the dot. */
  readonly extension: string;
  /** An input; the same stream of numbers gives the same bytes. */
  make(random: Random): Buffer;
  /** Runs an input. Any throw is a finding. `folder` is empty or holds what earlier runs left. */
  run(input: Buffer, folder: string): void | Promise<void>;
  /** The parts that an input can lose while it is made smaller, and an input made of parts. */
  parts(input: Buffer): Buffer[];
  whole(parts: readonly Buffer[]): Buffer;
}

/** Throws a `Finding` unless the promise holds. */
export function promise(holds: boolean, what: string): void {
  if (!holds) throw new Finding(what);
}

/** One of a list. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)]!;
}
