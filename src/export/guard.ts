// Holds back a list that grows faster than it ever should: then new automatic entries are not
// published until a person has looked. What people add, and whoever leaves the list, is published
// all the same: nobody stays on a list because others came.

/** Growth in this time that is believed without a person. */
const window = 600 * 1e6;
const leastGrowth = 1000;
const growthFactor = 2;

export class GrowthGuard {
  /** Automatic entries at the beginning of the window. */
  #base: number | null = null;
  #since = Number.NEGATIVE_INFINITY;
  /** When it was last let pass. */
  #passed = Number.NEGATIVE_INFINITY;
  #heldFrom: number | null = null;
  /** How often it held something back. */
  trips = 0;

  /** Entries that were made after this time are held back, microseconds; null: none are. */
  get heldFrom(): number | null {
    return this.#heldFrom;
  }

  /** The list has so many automatic entries at `now`, microseconds. True if it trips right now. */
  see(automatic: number, now: number): boolean {
    if (this.#heldFrom !== null) return false;
    if (this.#base === null || now - this.#since >= window) {
      this.#base = automatic;
      this.#since = now;
      this.#passed = now;
      return false;
    }
    const most = Math.max(this.#base * growthFactor, this.#base + leastGrowth);
    this.#base = Math.min(this.#base, automatic);
    if (automatic <= most) {
      this.#passed = now;
      return false;
    }
    this.#heldFrom = this.#passed;
    this.trips += 1;
    return true;
  }

  /** A person looked: all of it is published. */
  accept(automatic: number, now: number): void {
    this.#heldFrom = null;
    this.#base = automatic;
    this.#since = now;
    this.#passed = now;
  }
}
