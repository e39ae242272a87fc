// How much mail each limited source may still send, by the generic cell rate algorithm (ITU-T
// I.371, virtual scheduling): one number a source, its theoretical arrival time. With T = 3600/rate
// seconds and tau = T (burst - 1), recipients of number n at time t conform if max(t, TAT) + n T -
// t <= tau + T (detection.md 2.9); what does not conform is not charged. This is the limit as it is
// enforced; the detector that finds who is over it has its own.

export interface Limit {
  /** Recipients an hour, and how many at once. */
  readonly rate: number;
  readonly burst: number;
}

/** Sources with mail in the last while; at 200 bytes each some 13 MB. */
const sourcesMax = 65_536;

export class Meters {
  /** Theoretical arrival times in milliseconds, the one that was charged last at the end. */
  readonly #times = new Map<string, number>();
  /** Sources that had to be forgotten before they were at rest. */
  forgotten = 0;

  get count(): number {
    return this.#times.size;
  }

  /**
   * Charges `source` for `recipients` at `now` (milliseconds, never going back) if that is within
   * its limit. A message with more of them than the burst passes where the source is at rest, and
   * is paid for afterwards: else it could never be sent.
   */
  charge(source: string, { rate, burst }: Limit, recipients: number, now: number): boolean {
    const interval = 3_600_000 / rate;
    const rest = Math.max(now, this.#times.get(source) ?? 0);
    const next = rest + recipients * interval;
    const conforms = next - now <= burst * interval;
    if (!conforms && rest > now) return false;
    if (!conforms && recipients <= burst) return false;
    this.#times.delete(source);
    this.#times.set(source, next);
    if (this.#times.size > sourcesMax) this.#forget(now);
    return true;
  }

  #forget(now: number): void {
    const [oldest] = this.#times;
    if (oldest === undefined) return;
    if (oldest[1] > now) this.forgotten += 1;
    this.#times.delete(oldest[0]);
  }
}
