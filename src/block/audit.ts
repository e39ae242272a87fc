// The audit trail: who changed what and when, each record sealed with the hash of the one before,
// so that none can be changed, dropped or put in later without breaking all that follow.

import { createHash } from 'node:crypto';

export type AuditAction =
  | 'add'
  | 'extend'
  | 'expire'
  | 'release'
  | 'supersede'
  | 'appeal'
  | 'uphold'
  | 'refuse'
  | 'demote'
  | 'restore'
  | 'accept';

/** What is said of one act; `detail` has no address of a mailbox and no text of a stranger. */
export interface Act {
  /** Microseconds since 1970. */
  readonly time: number;
  readonly actor: string;
  readonly action: AuditAction;
  /** The entry or rule that it is about. */
  readonly id: string;
  readonly cidr: string;
  readonly detail: string;
}

export interface AuditRecord extends Act {
  readonly sequence: number;
  /** Hexadecimal SHA-256 over the hash before and this record. */
  readonly hash: string;
}

/** What the first record of a trail is sealed with. */
export const auditStart = '0'.repeat(64);

/** The hash of `act` as record `sequence` behind a record with the hash `before`. */
export function seal(act: Act, sequence: number, before: string): string {
  const { time, actor, action, id, cidr, detail } = act;
  const text = JSON.stringify([before, sequence, time, actor, action, id, cidr, detail]);
  return createHash('sha256').update(text).digest('hex');
}

/** The sequence of the first record that does not fit the chain, or null. */
export function brokenAt(records: Iterable<AuditRecord>): number | null {
  let before: AuditRecord | null = null;
  for (const record of records) {
    if (before !== null || record.sequence === 1) {
      const { sequence, hash } = before ?? { sequence: 0, hash: auditStart };
      const fits = record.sequence === sequence + 1;
      if (!fits || seal(record, record.sequence, hash) !== record.hash) return record.sequence;
    }
    before = record;
  }
  return null;
}
