// What policy is told of a source when it begins anew: what a list that outlives it still knows.
// Plain data; `policy.ts` takes it up.

import type { Subject } from '../detect/finding.js';
import type { Decision } from './decision.js';

/** Times in microseconds since 1970, minus infinity: never. */
export interface Remembered {
  /** The prefix of its entries. */
  readonly cidr: string;
  readonly subject: Subject;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Step of the ladder after its last entry, with what a release forgave taken off. */
  readonly level: number;
  /** End of its last block. */
  readonly blockEnded: number;
  /** The rule that only observes it after a release, and until when. */
  readonly graceRule: string;
  readonly graceUntil: number;
  /** Its entry, where one is open. */
  readonly entry: Decision | null;
}
