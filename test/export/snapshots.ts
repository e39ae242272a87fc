// Snapshots of lists that a test writes down.

import type { Snapshot } from '../../src/block/rows.js';
import { Rows } from '../../src/block/table.js';
import type { DecisionAction } from '../../src/decide/decision.js';
import { entryOf, noon } from '../serve/lists.js';

/** An entry in two words. */
export interface Given {
  readonly cidr: string;
  readonly action: DecisionAction;
}

export function snapshotOf(entries: readonly (Given & { rule?: string })[]): Snapshot {
  const rows = new Rows(1_048_576);
  for (const [index, { cidr, action, rule }] of entries.entries()) {
    rows.put(entryOf(cidr, index + 1, { action, ...(rule !== undefined && { rule }) }));
  }
  const life = 7200 * 1e6;
  return { list: 'tap', revision: 7, generated: noon, expires: noon + life, ...rows.lend() };
}
