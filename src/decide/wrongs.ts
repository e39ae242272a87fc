// Wrong releases by rule: a rule that was wrong about people three times in a week is not trusted
// any more and only observes (detection.md 5.3).

import { day } from './ladder.js';

const wrongsMax = 3;
const within = 7 * day;

export class Wrongs {
  /** By the digest of a rule's text: times of the latest wrong releases, microseconds. */
  readonly #times = new Map<string, number[]>();
  readonly #suspended = new Set<string>();

  /** An entry of the rule was released at `now`, because it should never have been. */
  add(sha256: string, now: number): void {
    const times = (this.#times.get(sha256) ?? []).filter((time) => now - time < within);
    times.push(now);
    this.#times.set(sha256, times);
    if (times.length >= wrongsMax) this.#suspended.add(sha256);
  }

  /** Somebody else decided whether the rule acts: a list that remembers, or a person. */
  trust(sha256: string, isTrusted: boolean): void {
    this.#times.delete(sha256);
    if (isTrusted) this.#suspended.delete(sha256);
    else this.#suspended.add(sha256);
  }

  /** Whether the rule only observes for it. Another text of the rule is another rule. */
  suspended(sha256: string): boolean {
    return this.#suspended.has(sha256);
  }
}
