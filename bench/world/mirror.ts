// What a mirror port does to what passes it: it loses packets, shows one direction only of some
// networks, has two clocks, and begins in the middle. The noise of the labelled world.

import type { Noise } from '../generate/fast.js';
import type { Rng } from '../generate/rng.js';

export interface MirrorOptions {
  /** Share of frames lost, 0 to 1; half of them come in bursts. */
  readonly loss: number;
  /** Share of address pairs of which one direction passes elsewhere. */
  readonly oneSided: number;
  /** Microseconds that the server's direction is stamped late. */
  readonly skew: number;
  /** Microseconds since 1970 before which nothing is seen; 0 for the whole. */
  readonly begins: number;
}

export const perfectMirror: MirrorOptions = { loss: 0, oneSided: 0, skew: 0, begins: 0 };

const burst = 8;

export class Mirror implements Noise {
  readonly #o: MirrorOptions;
  readonly #rng: Rng;
  #left = 0;

  constructor(o: MirrorOptions, rng: Rng) {
    this.#o = o;
    this.#rng = rng;
  }

  loses(time: number): boolean {
    if (time < this.#o.begins) return true;
    if (this.#o.loss === 0) return false;
    if (this.#left > 0) {
      this.#left--;
      return true;
    }
    const luck = this.#rng.float();
    // Single losses, and bursts of eight as rarely as makes the other half of the loss.
    if (luck < this.#o.loss / 2) return true;
    if (luck > 1 - this.#o.loss / (2 * burst)) {
      this.#left = burst - 1;
      return true;
    }
    return false;
  }

  skew(dir: number): number {
    return dir === 1 ? this.#o.skew : 0;
  }

  /**
   * Directions seen between two addresses, 1 client, 2 server, 3 both; always the same for a pair.
   */
  sides(client: string, server: string): number {
    if (this.#o.oneSided === 0) return 3;
    let hash = 0x9e37;
    const pair = `${client} ${server}`;
    for (let i = 0; i < pair.length; i++) hash = (Math.imul(hash, 31) + pair.charCodeAt(i)) | 0;
    const place = (Math.imul(hash, 0x85eb_ca6b) >>> 8) / 0x100_0000;
    if (place >= this.#o.oneSided) return 3;
    return (hash & 64) === 0 ? 1 : 2;
  }
}
