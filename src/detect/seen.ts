// What the traffic itself tells of addresses: which destinations take every recipient, so that
// their answers say nothing, and which own addresses are servers, because strangers leave mail
// there.

import { ReplyClass } from '../smtp/reply-class.js';
import type { Facts } from './facts.js';
import { slotOf } from './fields.js';
import { headWords, SubjectTable } from './state/subjects.js';

const srcIp = slotOf('src.ip');
const dstIp = slotOf('dst.ip');

/** Destinations that are remembered. */
const destinationsMax = 1 << 18;
/** Recipients without a refusal that make a destination one that takes all. */
const enough = 200;

export class Destinations {
  readonly #table: SubjectTable;
  readonly #key = new Int32Array(5);

  constructor(seed: number) {
    const options = { segments: 2, capacity: destinationsMax, seed };
    this.#table = new SubjectTable(options, () => {});
  }

  get evicted(): number {
    return this.#table.evicted;
  }

  /** Whether the server at hand took so many recipients and never said that one is unknown. */
  acceptsAll(facts: Facts): boolean {
    const at = this.#table.find(keyed(this.#key, facts, dstIp));
    if (at < 0) return false;
    const { words } = this.#table.cells;
    return words[at + headWords]! >= enough && words[at + headWords + 1] === 0;
  }

  /** Counts the answers of the transaction at hand. */
  count(facts: Facts): void {
    const { row } = facts;
    if (row.rcptCount === 0) return;
    const at = this.#table.open(keyed(this.#key, facts, dstIp), facts.second) + headWords;
    const { words } = this.#table.cells;
    for (let i = 0; i < row.rcptCount; i++) {
      const answer = row.rcptClass(i);
      if (answer === ReplyClass.ok) words[at]!++;
      if (answer === ReplyClass.unknownUser) words[at + 1]!++;
    }
  }
}

/** Own servers that are remembered, and for how long. */
const serversMax = 1 << 16;
const life_s = 7 * 86_400;

export class Servers {
  readonly #table: SubjectTable;
  readonly #key = new Int32Array(5);

  constructor(seed: number) {
    this.#table = new SubjectTable({ segments: 2, capacity: serversMax, seed }, () => {});
  }

  /** The address took mail from outside. */
  add(facts: Facts, side: 'src' | 'dst'): void {
    this.#table.open(keyed(this.#key, facts, side === 'src' ? srcIp : dstIp), facts.second);
  }

  has(facts: Facts, side: 'src' | 'dst'): boolean {
    const at = this.#table.find(keyed(this.#key, facts, side === 'src' ? srcIp : dstIp));
    return at >= 0 && facts.second - this.#table.cells.words[at + 5]! < life_s;
  }
}

function keyed(key: Int32Array, facts: Facts, at: number): Int32Array {
  for (let i = 0; i < 4; i++) key[i] = facts.values[at + i]!;
  return key;
}
