// Samples of the observations behind a finding: the last ten of each subject and rule that is on
// the way to one. A ring of slots; a new owner takes the oldest slot, and who finds another's name
// in its slot has lost its samples. Numbers only: no mailbox, no text of a reply.

import { replyClassNames } from '../../smtp/reply-class.js';
import { ipText } from '../address.js';
import type { Facts } from '../facts.js';
import { heloNames, Slot } from '../fields.js';
import type { Sample } from '../finding.js';

/** Samples of one owner. */
const samplesMax = 10;
/** Words of one: time (float64), client, server, ports, classes and code. */
const sampleWords = 12;
/** Owner (float64) and number so far come first. */
const slotHead = 4;
const slotWords = slotHead + samplesMax * sampleWords;

export class Samples {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #slots: number;
  #next = 0;
  /** Slots taken from owners that still had samples in them. */
  overwritten = 0;

  constructor(slots: number) {
    const buffer = new ArrayBuffer(slots * slotWords * 4);
    this.#words = new Int32Array(buffer);
    this.#doubles = new Float64Array(buffer);
    this.#slots = slots;
  }

  /**
   * Adds the observation at hand to those of `owner` (not 0). `slot` is what this gave before, 0
   * the first time; gives where they are now.
   */
  add(slot: number, owner: number, facts: Facts): number {
    const words = this.#words;
    let at = (slot - 1) * slotWords;
    let now = slot;
    if (slot === 0 || this.#doubles[at >> 1] !== owner) {
      now = this.#next + 1;
      this.#next = (this.#next + 1) % this.#slots;
      at = (now - 1) * slotWords;
      if (this.#doubles[at >> 1] !== 0) this.overwritten++;
      this.#doubles[at >> 1] = owner;
      words[at + 2] = 0;
    }
    const sample = at + slotHead + (words[at + 2]! % samplesMax) * sampleWords;
    words[at + 2]!++;
    const { values } = facts;
    this.#doubles[sample >> 1] = facts.time;
    for (let i = 0; i < 4; i++) {
      words[sample + 2 + i] = values[Slot.srcIp + i]!;
      words[sample + 6 + i] = values[Slot.dstIp + i]!;
    }
    words[sample + 10] = (values[Slot.srcPort]! << 16) | values[Slot.dstPort]!;
    const classes = values[Slot.heloClass]! | (values[Slot.outcomeClass]! << 8);
    words[sample + 11] = classes | (values[Slot.outcomeCode]! << 16);
    return now;
  }

  /** The samples of `owner`, oldest first; none if its slot is another's now. */
  of(slot: number, owner: number): Sample[] {
    const at = (slot - 1) * slotWords;
    if (slot === 0 || this.#doubles[at >> 1] !== owner) return [];
    const count = this.#words[at + 2]!;
    const samples: Sample[] = [];
    for (let i = Math.max(0, count - samplesMax); i < count; i++) {
      samples.push(this.#read(at + slotHead + (i % samplesMax) * sampleWords));
    }
    return samples;
  }

  /** The owner has another name from now on. */
  rename(slot: number, from: number, to: number): void {
    const at = (slot - 1) * slotWords;
    if (slot !== 0 && this.#doubles[at >> 1] === from) this.#doubles[at >> 1] = to;
  }

  #read(at: number): Sample {
    const words = this.#words;
    const classes = words[at + 11]!;
    const code = classes >>> 16;
    const outcome = replyClassNames[(classes >> 8) & 0xff]!;
    return {
      time: this.#doubles[at >> 1]!,
      src_ip: ipText(words, at + 2),
      src_port: words[at + 10]! >>> 16,
      dst: ipText(words, at + 6),
      dport: words[at + 10]! & 0xffff,
      helo_class: heloNames[classes & 0xff]!,
      outcome: code === 0 ? '' : `${outcome} ${code}`,
    };
  }
}
