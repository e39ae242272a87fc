// What the traffic itself tells of addresses: which destinations take every recipient, so that
// their answers say nothing, and which own addresses are servers, because strangers leave mail
// there.

import { ReplyClass } from '../smtp/reply-class.js';
import type { Facts } from './facts.js';
import { Slot } from './fields.js';
import { headWords, SubjectTable } from './state/subjects.js';

/** Destinations and own servers that are remembered, for each subject of the largest table. */
const destinationShare = 1 / 4;
const serverShare = 1 / 16;
/** Recipients without a refusal that make a destination one that takes all. */
const enough = 200;
/**
 * A destination that forgot its users refuses everybody: in the last quarter to half of an hour it
 * knew nobody, and strangers to each other asked it.
 */
const oblivion = { half_s: 900, refusals: 10, networks: 3 } as const;
/** Words of a destination: taken, unknown; then of this half and the one before. */
const D = { taken: 0, unknown: 1, half: 2, takenNow: 3, unknownNow: 4, networks: 5 } as const;
const destinationWords = 8 + oblivion.networks;

export class Destinations {
  readonly #table: SubjectTable;
  readonly #key = new Int32Array(5);

  constructor(subjects: number, seed: number) {
    const capacity = Math.ceil(subjects * destinationShare);
    const options = { segments: destinationWords, capacity, seed };
    this.#table = new SubjectTable(options, () => {});
  }

  get evicted(): number {
    return this.#table.evicted;
  }

  /**
   * Says what is known of the server at hand, and then counts the answers of its transaction: one
   * search for both. `isWhole`: nothing of it is missing, so that it counts.
   */
  look(facts: Facts, isWhole: boolean): void {
    facts.acceptsAll = false;
    facts.refusesAll = false;
    if (facts.row.rcptCount === 0) return;
    const at = this.#table.open(keyed(this.#key, facts, Slot.dstIp), facts.second) + headWords;
    const { words } = this.#table.cells;
    this.#turn(words, at, facts.second);
    facts.acceptsAll = words[at + D.taken]! >= enough && words[at + D.unknown] === 0;
    facts.refusesAll =
      words[at + D.takenNow] === 0 &&
      words[at + D.unknownNow]! >= oblivion.refusals &&
      words[at + D.networks + oblivion.networks - 1] !== 0;
    if (isWhole) this.#count(words, at, facts);
  }

  #count(words: Int32Array, at: number, facts: Facts): void {
    const { row } = facts;
    for (let i = 0; i < row.rcptCount; i++) {
      const answer = row.rcptClass(i);
      if (answer === ReplyClass.ok) {
        words[at + D.taken]!++;
        words[at + D.takenNow]!++;
      }
      if (answer !== ReplyClass.unknownUser) continue;
      words[at + D.unknown]!++;
      words[at + D.unknownNow]!++;
      remember(words, at + D.networks, facts.values[Slot.srcNetwork]!);
    }
  }

  /** Begins a new half; what the last one saw stays as long as it saw no user. */
  #turn(words: Int32Array, at: number, second: number): void {
    const half = Math.floor(second / oblivion.half_s);
    if (half === words[at + D.half]) return;
    const isStale = half - words[at + D.half]! > 1 || words[at + D.takenNow]! > 0;
    words[at + D.half] = half;
    if (!isStale) return;
    words.fill(0, at + D.takenNow, at + D.networks + oblivion.networks);
  }
}

/** Adds a network to a short list of different ones. */
function remember(words: Int32Array, at: number, network: number): void {
  for (let i = 0; i < oblivion.networks; i++) {
    if (words[at + i] === network) return;
    if (words[at + i] !== 0) continue;
    words[at + i] = network;
    return;
  }
}

/** How long an own address stays a server after its last mail. */
const life_s = 7 * 86_400;

export class Servers {
  readonly #table: SubjectTable;
  readonly #key = new Int32Array(5);

  constructor(subjects: number, seed: number) {
    const capacity = Math.ceil(subjects * serverShare);
    this.#table = new SubjectTable({ segments: 2, capacity, seed }, () => {});
  }

  /** The address took mail from outside. */
  add(facts: Facts, side: 'src' | 'dst'): void {
    this.#table.open(
      keyed(this.#key, facts, side === 'src' ? Slot.srcIp : Slot.dstIp),
      facts.second,
    );
  }

  has(facts: Facts, side: 'src' | 'dst'): boolean {
    const at = this.#table.find(keyed(this.#key, facts, side === 'src' ? Slot.srcIp : Slot.dstIp));
    return at >= 0 && facts.second - this.#table.cells.words[at + 5]! < life_s;
  }
}

function keyed(key: Int32Array, facts: Facts, at: number): Int32Array {
  for (let i = 0; i < 4; i++) key[i] = facts.values[at + i]!;
  return key;
}
