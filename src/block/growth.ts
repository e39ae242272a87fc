// Holds back a list that grows faster than it ever should: then new automatic entries stand on the
// list and nobody is told of them until a person has looked. What people add, and whoever leaves
// the list, is told all the same: nobody stays on a list because others came.

/** Growth in this time that is believed without a person. */
const window = 600 * 1e6;
const leastGrowth = 1000;
const growthFactor = 2;

export class GrowthGuard {
  /** Automatic entries at the beginning of the window, or fewer later in it. */
  #base: number | null = null;
  #since = Number.NEGATIVE_INFINITY;
  /** Automatic entries when it last saw them. */
  #last = 0;
  #heldFrom: number | null = null;
  /** How often it began to hold something back. */
  trips = 0;

  /** Since when new automatic entries are held back, microseconds; null: they are not. */
  get heldFrom(): number | null {
    return this.#heldFrom;
  }

  /** The list has so many automatic entries at `now`, microseconds. Whether the last is held. */
  holds(automatic: number, now: number): boolean {
    if (this.#heldFrom !== null) return true;
    if (this.#base === null || now - this.#since >= window) {
      this.#base = this.#last;
      this.#since = now;
    }
    this.#last = automatic;
    const most = Math.max(this.#base * growthFactor, this.#base + leastGrowth);
    this.#base = Math.min(this.#base, automatic);
    if (automatic <= most) return false;
    this.#heldFrom = now;
    this.trips += 1;
    return true;
  }

  /** Begins with a list that has so many; with `isHolding` it goes on holding back. */
  begin(automatic: number, now: number, isHolding: boolean): void {
    this.#heldFrom = isHolding ? now : null;
    this.#base = automatic;
    this.#last = automatic;
    this.#since = now;
  }
}
