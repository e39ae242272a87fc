// The circuit breaker: when far more is blocked at once than ever should be, something is wrong
// with us and not with the customers, and no new block is published until it is over.

import { hour } from './ladder.js';

const window = hour / 6;
/** New blocks in ten minutes that are still believed. */
const blocksMax = 200;
/** The same as a share of the customers that were active. */
const shareMax = 0.005;
/** Under this many blocks a share says nothing: three of two hundred may well be bots. */
const blocksMin = 10;
/** It stays open this long after the last block that was too many. */
const hold = hour;

export class Breaker {
  /** Times of the latest blocks, oldest at `#next` once the ring is full. */
  readonly #times = new Float64Array(blocksMax).fill(Number.NEGATIVE_INFINITY);
  #next = 0;
  #openUntil = Number.NEGATIVE_INFINITY;
  /** Blocks held back, and how often it opened. */
  held = 0;
  trips = 0;

  open(now: number): boolean {
    return now < this.#openUntil;
  }

  /**
   * One more block is wanted at `now`; false if it must not be. `customers` is the number of own
   * customers that were active, 0 where nobody counts them.
   */
  pass(now: number, customers: number): boolean {
    const recent = this.#recent(now);
    const most = customers > 0 ? Math.max(blocksMin, shareMax * customers) : blocksMax;
    if (recent < Math.min(most, blocksMax)) {
      if (!this.open(now)) {
        this.#times[this.#next] = now;
        this.#next = (this.#next + 1) % blocksMax;
        return true;
      }
    } else {
      if (!this.open(now)) this.trips += 1;
      this.#openUntil = now + hold;
    }
    this.held += 1;
    return false;
  }

  #recent(now: number): number {
    let count = 0;
    for (const time of this.#times) if (time > now - window) count += 1;
    return count;
  }
}
