// What each source did lately, for its page: connections and messages in steps of five minutes, two
// hours of them. A fixed table: whoever was silent longest makes room for who comes. No address of
// a mailbox is ever here, and nothing of it is on the disk.

import { Outcome, RowCursor, RowKind } from '../batch/row.js';
import { maskWord, Prefix, prefixText } from '../lib/prefix.js';

/** sessions that opened, messages accepted and refused, connections that never opened. */
export const deeds = ['sessions', 'accepted', 'refused', 'vain'] as const;
export type Deed = (typeof deeds)[number];

const step = 300 * 1e6;
const steps = 24;
const cellsOfRow = steps * deeds.length;
/** 65,536 sources are 14 MB. */
const sourcesMax = 65_536;
/** A source lies within so many places from where its hash points. */
const reach = 8;
const cellMax = 65_535;

/** As the API shows it: one number for each step, the latest last. */
export interface ActivityView {
  readonly step_s: number;
  /** Beginning of the first step, microseconds since 1970. */
  readonly from: number;
  readonly series: Readonly<Record<Deed, readonly number[]>>;
  /** Addresses that were seen, where it was asked about a prefix. */
  readonly addresses: number;
}

export interface Talker {
  readonly address: string;
  readonly counts: Readonly<Record<Deed, number>>;
}

export class Activity {
  readonly #keys: Int32Array;
  /** Number of the latest step of each source; 0: the place is free. */
  readonly #latest: Int32Array;
  readonly #cells: Uint16Array;
  readonly #totals = new Float64Array(cellsOfRow);
  readonly #capacity: number;
  readonly #rows = new RowCursor();
  readonly #client = new Prefix();
  #totalLatest = 0;
  /** Sources that made room. */
  evicted = 0;

  /** `capacity` is a power of two. */
  constructor(capacity = sourcesMax) {
    this.#capacity = capacity;
    this.#keys = new Int32Array(capacity * 4);
    this.#latest = new Int32Array(capacity);
    this.#cells = new Uint16Array(capacity * cellsOfRow);
    this.#client.bits = 128;
  }

  rows(area: ArrayBuffer, length: number): void {
    const rows = this.#rows;
    rows.open(area, length);
    while (rows.next()) {
      const deed = this.#deed();
      if (deed >= 0) this.#count(deed, Math.floor(rows.time / step));
    }
  }

  /** Of a prefix, or of everybody. */
  of(prefix: Prefix | null): ActivityView {
    const to = this.#totalLatest;
    const sums = deeds.map(() => new Array<number>(steps).fill(0));
    let addresses = 0;
    if (prefix === null) this.#addTo(sums, this.#totals, 0, to);
    else {
      for (const place of this.#inside(prefix)) {
        addresses += 1;
        this.#addTo(sums, this.#cells, place * cellsOfRow, this.#latest[place]!);
      }
    }
    const from = (to - steps + 1) * step;
    return { step_s: step / 1e6, from, series: byDeed((at) => sums[at]!), addresses };
  }

  /** Who did most of something within the two hours, at most `limit`; of a prefix or of all. */
  top(deed: Deed, limit: number, prefix: Prefix | null): Talker[] {
    const found: { readonly place: number; readonly sum: number }[] = [];
    const places = prefix === null ? this.#used() : this.#inside(prefix);
    for (const place of places) {
      const sum = this.#sum(place, deeds.indexOf(deed));
      if (sum === 0 || (found.length === limit && sum <= found.at(-1)!.sum)) continue;
      const at = found.findIndex((one) => one.sum < sum);
      found.splice(at < 0 ? found.length : at, 0, { place, sum });
      if (found.length > limit) found.pop();
    }
    return found.map(({ place }) => ({
      address: this.#address(place),
      counts: byDeed((at) => this.#sum(place, at)),
    }));
  }

  /** Number of the row's deed in `deeds`; -1: none. */
  #deed(): number {
    const rows = this.#rows;
    if (rows.kind === RowKind.attempt) return 3;
    if (rows.kind === RowKind.session) return rows.handshake ? 0 : -1;
    if (rows.outcome === Outcome.accepted) return 1;
    return rows.outcome === Outcome.rejected || rows.outcome === Outcome.deferred ? 2 : -1;
  }

  #count(deed: number, now: number): void {
    if (now > this.#totalLatest) {
      clearBetween(this.#totals, 0, this.#totalLatest, now);
      this.#totalLatest = now;
    }
    if (now <= this.#totalLatest - steps) return;
    this.#totals[(now % steps) * deeds.length + deed]! += 1;
    const place = this.#place(now);
    const latest = this.#latest[place]!;
    const first = place * cellsOfRow;
    if (now > latest) {
      clearBetween(this.#cells, first, latest, now);
      this.#latest[place] = now;
    } else if (now <= latest - steps) return;
    const cell = first + (now % steps) * deeds.length + deed;
    if (this.#cells[cell]! < cellMax) this.#cells[cell]! += 1;
  }

  /** The place of the row's client, made where it has none. */
  #place(now: number): number {
    const client = this.#client;
    this.#rows.clientInto(client);
    const { w0, w1, w2, w3 } = client;
    const home = hash(w0, w1, w2, w3);
    let oldest = -1;
    for (let offset = 0; offset < reach; offset++) {
      const place = (home + offset) & (this.#capacity - 1);
      const at = place * 4;
      const keys = this.#keys;
      const latest = this.#latest[place]!;
      const isOurs =
        keys[at] === w0 && keys[at + 1] === w1 && keys[at + 2] === w2 && keys[at + 3] === w3;
      if (latest > 0 && isOurs) return place;
      if (oldest < 0 || latest < this.#latest[oldest]!) oldest = place;
    }
    if (this.#latest[oldest]! > now - steps) this.evicted += 1;
    this.#keys.set([w0, w1, w2, w3], oldest * 4);
    this.#latest[oldest] = now;
    const first = oldest * cellsOfRow;
    this.#cells.fill(0, first, first + cellsOfRow);
    return oldest;
  }

  *#used(): Generator<number> {
    for (let place = 0; place < this.#capacity; place++) {
      if (this.#latest[place]! > this.#totalLatest - steps) yield place;
    }
  }

  *#inside({ w0, w1, w2, w3, bits }: Prefix): Generator<number> {
    const keys = this.#keys;
    const [m0, m1, m2, m3] = [
      maskWord(bits, 0),
      maskWord(bits, 1),
      maskWord(bits, 2),
      maskWord(bits, 3),
    ];
    for (const place of this.#used()) {
      const at = place * 4;
      const isIn =
        ((keys[at]! ^ w0) & m0) === 0 &&
        ((keys[at + 1]! ^ w1) & m1) === 0 &&
        ((keys[at + 2]! ^ w2) & m2) === 0 &&
        ((keys[at + 3]! ^ w3) & m3) === 0;
      if (isIn) yield place;
    }
  }

  #sum(place: number, deed: number): number {
    const latest = this.#latest[place]!;
    let sum = 0;
    for (let time = this.#totalLatest - steps + 1; time <= latest; time++) {
      if (time > latest - steps) {
        sum += this.#cells[place * cellsOfRow + (time % steps) * deeds.length + deed]!;
      }
    }
    return sum;
  }

  /** Adds a row's cells to sums that end with the latest step of all. */
  #addTo(sums: number[][], cells: ArrayLike<number>, first: number, latest: number): void {
    const begin = this.#totalLatest - steps + 1;
    for (let time = Math.max(begin, latest - steps + 1); time <= latest; time++) {
      const at = first + (time % steps) * deeds.length;
      for (let deed = 0; deed < deeds.length; deed++)
        sums[deed]![time - begin]! += cells[at + deed]!;
    }
  }

  #address(place: number): string {
    const [w0, w1, w2, w3] = this.#keys.subarray(place * 4, place * 4 + 4);
    const text = prefixText(Object.assign(new Prefix(), { w0, w1, w2, w3, bits: 128 }));
    return text.slice(0, text.indexOf('/'));
  }
}

/** One value for each deed. */
function byDeed<Value>(value: (at: number) => Value): Record<Deed, Value> {
  return { sessions: value(0), accepted: value(1), refused: value(2), vain: value(3) };
}

/** Empties the steps behind `before`, up to `now`: they are of another round. */
function clearBetween(
  cells: Float64Array | Uint16Array,
  first: number,
  before: number,
  now: number,
): void {
  for (let time = Math.max(before + 1, now - steps + 1); time <= now; time++) {
    const at = first + (time % steps) * deeds.length;
    cells.fill(0, at, at + deeds.length);
  }
}

/** The words mixed, as MurmurHash3 ends (fmix32). */
function hash(w0: number, w1: number, w2: number, w3: number): number {
  let mixed =
    w3 ^ Math.imul(w2, 0x9e3779b1) ^ Math.imul(w1, 0x85ebca77) ^ Math.imul(w0, 0xc2b2ae3d);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
