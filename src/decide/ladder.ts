// The escalation ladder: how long the next block of a source lives. Like fail2ban's increment, with
// a memory that fades (detection.md 5.1). Pure arithmetic; `policy.ts` keeps the state.

import type { Action } from '../detect/finding.js';

export const hour = 3_600_000_000;
export const day = 24 * hour;

/** Seconds of a block by its level, where a rule does not name its own. */
const usualSteps: readonly number[] = [1, 6, 24, 72, 168].map((hours) => hours * 3600);

/** No automatic entry lives longer, renewals included (detection.md 5.1; VN-12/2008 V.1.2 c). */
export const automaticMax = 7 * day;

/** A source loses one level for each of these without evidence. */
const quietPeriod = 7 * day;

/** Microseconds of each level of a rule's blocks, from level 1; never over `automaticMax`. */
export function steps(action: Action): readonly number[] {
  const seconds =
    action.ban_time === undefined
      ? usualSteps
      : [action.ban_time, ...(action.ban_increment ?? usualSteps.filter(longer(action.ban_time)))];
  const most = Math.min(automaticMax, (action.ban_max ?? Number.POSITIVE_INFINITY) * 1e6);
  return seconds.map((each) => Math.min(each * 1e6, most));
}

function longer(than: number): (seconds: number) => boolean {
  return (seconds) => seconds > than;
}

/** The level that is left of `level` after `quiet` microseconds without evidence. */
export function faded(level: number, quiet: number): number {
  return Math.max(0, level - Math.max(0, Math.floor(quiet / quietPeriod)));
}

/** Level and length of the next block of a source whose faded level is `level`. */
export function climb(action: Action, level: number): { level: number; length: number } {
  const lengths = steps(action);
  const next = Math.min(level + 1, lengths.length);
  return { level: next, length: lengths[next - 1]! };
}

/**
 * When an entry ends that was made at `created` and is renewed at `now` for `length`: never
 * earlier than `until`, and never later than an automatic entry may live.
 */
export function renewed(created: number, until: number, now: number, length: number): number {
  return Math.max(until, Math.min(now + length, created + automaticMax));
}
