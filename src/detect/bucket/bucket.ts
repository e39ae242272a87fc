// What the nine types of bucket have in common: how one is told of an observation and what it says.
// A bucket holds no subject of its own: its state is a segment of the subject's record.

import type { Facts } from '../facts.js';
import type { Cells } from '../state/subjects.js';

/** What an observation did. From `suspected` on the rule fires; the order is that of proofs. */
export const Verdict = { none: 0, noted: 1, suspected: 2, probable: 3, confirmed: 4 } as const;

/** Numbers and short words that decided, by name. */
export type Evidence = Record<string, number | string>;

export interface Bucket {
  /** Words of state for each subject; even. All are 0 for a new one. */
  readonly words: number;
  /** Takes the observation in `facts`; `at` is the first word of the state. Gives a `Verdict`. */
  observe(cells: Cells, at: number, facts: Facts): number;
  /** The numbers behind the verdict just given. */
  evidence(cells: Cells, at: number, facts: Facts): Evidence;
  /** The state stands elsewhere now, at word `at`; `before` was its name (`Cells.keyOf`). */
  moved?(cells: Cells, at: number, before: number): void;
  /** Gives back what hangs on the state of a subject that is given up. */
  release(cells: Cells, at: number): void;
}

/** A number for people: 12.613 as 12.61. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
