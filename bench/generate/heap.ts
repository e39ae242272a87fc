// A binary min-heap of (time, id) in typed arrays: the event queue of the generators. Equal times
// come out in the order of their ids, so that a run is repeatable.

export class EventHeap {
  #times = new Float64Array(1024);
  #ids = new Int32Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(time: number, id: number): void {
    if (this.#size === this.#times.length) this.#grow();
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(time, id, parent)) break;
      this.#times[at] = this.#times[parent]!;
      this.#ids[at] = this.#ids[parent]!;
      at = parent;
    }
    this.#times[at] = time;
    this.#ids[at] = id;
  }

  /** Time of the earliest event; Infinity when there is none. */
  get time(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!;
  }

  /** Takes the earliest event off and gives its id. Not to be called when empty. */
  pop(): number {
    const first = this.#ids[0]!;
    const last = --this.#size;
    const time = this.#times[last]!;
    const id = this.#ids[last]!;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= last) break;
      const right = child + 1;
      if (right < last && this.#before(this.#times[right]!, this.#ids[right]!, child))
        child = right;
      if (this.#before(time, id, child)) break;
      this.#times[at] = this.#times[child]!;
      this.#ids[at] = this.#ids[child]!;
      at = child;
    }
    this.#times[at] = time;
    this.#ids[at] = id;
    return first;
  }

  #before(time: number, id: number, at: number): boolean {
    return time < this.#times[at]! || (time === this.#times[at]! && id < this.#ids[at]!);
  }

  #grow(): void {
    const times = new Float64Array(this.#size * 2);
    times.set(this.#times);
    this.#times = times;
    const ids = new Int32Array(this.#size * 2);
    ids.set(this.#ids);
    this.#ids = ids;
  }
}
