// Labels of advertising mail against the register of management codes: expired, withdrawn, unknown,
// for another service, or used from an address that is not the holder's. What is wrong with one
// mail is decided by the register; this counts faults.
//
//   words  0 faults  1 kinds of fault, one bit each

import type { Facts } from '../facts.js';
import type { Cells } from '../state/subjects.js';
import { type Bucket, type Evidence, Verdict } from './bucket.js';

/** What can be wrong, in the order of the bits. */
export const labelFaults = [
  'missing',
  'unknown-code',
  'expired-code',
  'withdrawn-code',
  'wrong-service',
  'foreign-source',
] as const;

/** A withdrawn code is used on purpose; the rest may be an oversight. */
const grave = 1 << labelFaults.indexOf('withdrawn-code');

export class LabelCheck implements Bucket {
  readonly words = 2;
  readonly #faultOf: (facts: Facts) => string;

  /** `faultOf` names what is wrong with the label of the mail at hand; empty: nothing. */
  constructor(faultOf: (facts: Facts) => string) {
    this.#faultOf = faultOf;
  }

  observe(cells: Cells, at: number, facts: Facts): number {
    const fault = labelFaults.indexOf(this.#faultOf(facts) as (typeof labelFaults)[number]);
    if (fault < 0) return Verdict.none;
    cells.words[at]!++;
    cells.words[at + 1]! |= 1 << fault;
    return (cells.words[at + 1]! & grave) !== 0 ? Verdict.confirmed : Verdict.suspected;
  }

  evidence(cells: Cells, at: number): Evidence {
    const kinds = labelFaults.filter((_, bit) => ((cells.words[at + 1]! >> bit) & 1) === 1);
    return { mails: cells.words[at]!, faults: kinds.join(' ') };
  }

  release(): void {}
}
