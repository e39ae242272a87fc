// Lists for tests of what answers for the list: entries in a few words, and their snapshot.

import type { ListedEntry } from '../../src/block/entry.js';
import type { Snapshot } from '../../src/block/rows.js';
import { Rows } from '../../src/block/table.js';

/** Microseconds since 1970: some moment in 2026. */
export const noon = 1_790_000_000_000_000;
const hour = 3_600_000_000;

/** An entry; what is not given is a block of an hour by a person. */
export function entryOf(
  cidr: string,
  number: number,
  what: Partial<ListedEntry> = {},
): ListedEntry {
  return {
    id: `bl_${number.toString(16).padStart(8, '0')}${'0'.repeat(12)}`,
    cidr,
    action: 'block',
    until: noon + hour,
    created: noon - hour,
    rule: 'manual',
    scope: { proto: 'tcp', dport: [25], direction: 'out' },
    level: 1,
    revision: number,
    ...what,
  };
}

/** A list that tests change, and its snapshots. */
export class TestList {
  readonly rows = new Rows(2_000_000);
  revision = 0;
  now = noon;
  life = 2 * hour;

  constructor(entries: readonly ListedEntry[] = []) {
    for (const entry of entries) this.put(entry);
  }

  put(entry: ListedEntry): void {
    this.revision += 1;
    this.rows.put(entry);
  }

  remove(id: string): void {
    this.revision += 1;
    this.rows.remove(id);
  }

  snapshot(): Snapshot {
    const { revision, now, life } = this;
    const dates = { generated: now, expires: now + life };
    return { list: 'tap-1', revision, ...dates, ...this.rows.lend() };
  }
}
