// Time as the packets tell it: never backwards, and not far ahead on one packet's word. It reads no
// clock of the machine.

import type { FlowCounters } from './counters.js';

const second = 1e6;
/** A jump above this needs a second frame to be believed. */
const jumpMax = 3600 * second;

/**
 * All frames of a stream move it, whatever is in them and whoever looks into them: so the workers
 * of one stream have the same time, and flows run out at the same frame however many there are.
 */
export class Clock {
  /** Time of the latest frame, microseconds. */
  now = 0.5;
  /** The last frame came from far ahead: nothing may run out yet. */
  jumped = false;
  readonly #counters: FlowCounters;
  #before = 0.5;

  constructor(counters: FlowCounters) {
    this.#counters = counters;
    this.now = 0;
    this.#before = 0;
  }

  /** `now`, or the time before it while a jump waits to be confirmed. Never runs backwards. */
  get settled(): number {
    return this.jumped ? this.#before : this.now;
  }

  /**
   * A frame of this time came; whether what is due may run out. A lone frame from the future is an
   * error of the capture: the clock goes back behind it.
   */
  tick(time: number): boolean {
    if (this.jumped) {
      this.jumped = false;
      if (time < this.#before + jumpMax) this.now = this.#before;
    }
    if (time <= this.now) {
      if (time < this.now) this.#counters.timeBackwards++;
      return false;
    }
    this.jumped = this.now > 0 && time > this.now + jumpMax;
    this.#before = this.now;
    this.now = time;
    return !this.jumped;
  }
}
