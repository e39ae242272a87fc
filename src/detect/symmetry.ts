// What the tap shows: how many of the connections were seen from both sides, from one, and with
// their handshake, over the last five minutes. A rule that needs what is missing is degraded, and
// says so.

import { Sides } from '../batch/row.js';

/** Half of the time that is looked back on. */
const half_s = 150;
/** Connections that it takes to judge. */
const enough = 20;

/** What a rule needs; shares of 1. */
export interface Needs {
  readonly sides: 'client' | 'server' | 'both' | 'any';
  readonly max_loss: number;
  readonly min_symmetry: number;
}

export class Symmetry {
  /** This half and the one before: all, client seen, server seen, both, handshake. */
  readonly #counts = new Float64Array(10);
  #half = 0;

  count(second: number, sides: number, handshake: boolean): void {
    const half = Math.floor(second / half_s);
    if (half > this.#half) {
      if (half === this.#half + 1) this.#counts.copyWithin(5, 0, 5);
      else this.#counts.fill(0, 5);
      this.#counts.fill(0, 0, 5);
      this.#half = half;
    }
    const counts = this.#counts;
    counts[0]!++;
    if ((sides & Sides.client) !== 0) counts[1]!++;
    if ((sides & Sides.server) !== 0) counts[2]!++;
    if (sides === Sides.both) counts[3]!++;
    if (handshake) counts[4]!++;
  }

  /** Share of connections of which both sides were seen; 1 while too few were. */
  get both(): number {
    return this.#share(3);
  }

  /** So few handshakes are seen that evidence has to do without them. */
  get isBlind(): boolean {
    return this.#share(4) < 0.5;
  }

  isDegraded(needs: Needs, loss: number): boolean {
    const share = { client: this.#share(1), server: this.#share(2), both: this.both, any: 1 };
    return loss > needs.max_loss || share[needs.sides] < needs.min_symmetry;
  }

  #share(which: number): number {
    const all = this.#counts[0]! + this.#counts[5]!;
    return all < enough ? 1 : (this.#counts[which]! + this.#counts[which + 5]!) / all;
  }
}
