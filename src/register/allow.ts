// Entries of the allow-list: prefixes that nothing is ever done to, whose wish that is, why, and
// until when.

import { Prefix, prefixText } from '../lib/prefix.js';
import type { PrefixList } from '../lib/prefix-map.js';
import { dateCell, prefixCell, requiredCell } from './cells.js';
import type { Column, Row } from './rows.js';

export interface AllowEntry {
  /** In its usual form. */
  readonly cidr: string;
  readonly owner: string;
  readonly reason: string;
  /** Microseconds since 1970, exclusive; NaN: for ever. */
  readonly until: number;
  readonly line: number;
}

export const allowColumns: readonly Column[] = [
  { name: 'cidr', required: true },
  { name: 'owner', required: true },
  { name: 'reason', required: true },
  { name: 'until' },
];

const prefix = new Prefix();

/**
 * As `readServer`. Owner and reason must be there: an entry that nobody can explain stays for ever.
 */
export function readAllow(row: Row, list: PrefixList, offsetHours: number): AllowEntry | null {
  const hasPrefix = prefixCell(row, 0, prefix);
  const entry = {
    cidr: hasPrefix ? prefixText(prefix) : '',
    owner: requiredCell(row, 1),
    reason: requiredCell(row, 2),
    until: dateCell(row, 3, offsetHours),
    line: row.line,
  };
  if (!hasPrefix) return null;
  list.add(prefix);
  return entry;
}
