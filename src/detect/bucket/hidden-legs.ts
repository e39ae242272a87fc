// Second legs that are encrypted. Nothing in them says which mail they carry, and how many mails or
// recipients a TLS session holds is never estimated here. What is used is what any flow says: who
// spoke to whom, when, and the session's bytes as a whole, and of these only whether the mail could
// have been in it at all. Each session stands for one mail at most. So a match is a sign of weight
// (probable at most), and only where the destination is known to take mail for the recipient's
// domain: it was seen to, in clear, from anybody; or the name that TLS asked for is under it.

import { At, AtSession } from '../../batch/row.js';
import type { Facts } from '../facts.js';
import { Slot } from '../fields.js';
import { RecentPairs } from '../state/recent.js';
import { hashOf } from '../state/subjects.js';

/** First legs that are remembered; the oldest goes. A power of two. */
const legsMax = 16_384;
/** Legs of one server that are looked at, from the last one backwards. */
const looksMax = 64;
/** Pairs of a domain and a network that takes its mail. */
const destinationsMax = 16_384;
const day_s = 86_400;
/** A server may take so many bytes of a mail's header away. */
const sizeLess = 64;

/** Words of a leg. `previous` is the number of the same server's leg before, plus 1. */
const H = { key: 0, domain: 1, bytes: 2, second: 3, matched: 4, previous: 5, server: 6 } as const;
const legWords = 10;

export class HiddenLegs {
  readonly #legs = new Int32Array(legsMax * legWords);
  readonly #last = new RecentPairs(legsMax, true);
  readonly #destinations = new RecentPairs(destinationsMax, false);
  readonly #seconds: number;
  #next = 0;
  /** When the last first leg came; before the first, long ago. */
  #latest = Number.NEGATIVE_INFINITY;

  /** `seconds`: how long a second leg is waited for. */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** Remembers a first leg; `server` names who took it, whatever address it uses. */
  keep(facts: Facts, server: number): void {
    const { values, second } = facts;
    const number = this.#next;
    this.#next = (this.#next + 1) % legsMax;
    const at = number * legWords;
    const legs = this.#legs;
    const isKnown = !this.#last.open(server, server ^ 1, second, this.#seconds);
    legs[at + H.previous] = isKnown ? this.#last.value : 0;
    this.#last.value = number + 1;
    legs[at + H.key] = server;
    legs[at + H.domain] = values[Slot.rcptDomain]!;
    legs[at + H.bytes] = Math.min(values[Slot.mailBytes]!, 0x7fffffff);
    legs[at + H.second] = second;
    legs[at + H.matched] = 0;
    for (let i = 0; i < 4; i++) legs[at + H.server + i] = values[Slot.dstIp + i]!;
    this.#latest = second;
  }

  /** Whether any first leg is young enough to be waited for. */
  isWaiting(second: number): boolean {
    return second - this.#latest <= this.#seconds;
  }

  /** The server at hand took the recipient at hand, in clear: it takes mail for that domain. */
  learn({ values, second }: Facts): void {
    const domain = values[Slot.rcptDomain]!;
    if (domain !== 0) this.#destination(domain, values[Slot.dstNetwork]!, second, true);
  }

  /**
   * Whether the encrypted session at hand may have carried a leg on, which counts as matched then;
   * writes the address that took it into `key`. `server` names the client of the session.
   */
  match(facts: Facts, server: number, key: Int32Array): boolean {
    const { second } = facts;
    if (!this.#last.find(server, server ^ 1, second, day_s)) return false;
    const legs = this.#legs;
    let number = this.#last.value;
    for (let looks = 0; looks < looksMax && number > 0; looks++) {
      const at = (number - 1) * legWords;
      // The ring may have given the place to another server's leg.
      if (legs[at + H.key] !== server || second - legs[at + H.second]! > this.#seconds)
        return false;
      if (legs[at + H.matched] === 0 && this.#fits(facts, at)) {
        legs[at + H.matched] = 1;
        for (let i = 0; i < 4; i++) key[i] = legs[at + H.server + i]!;
        key[4] = 0;
        return true;
      }
      number = legs[at + H.previous]!;
    }
    return false;
  }

  #fits(facts: Facts, at: number): boolean {
    const { values, second } = facts;
    const legs = this.#legs;
    if (values[Slot.sessionToServer]! < legs[at + H.bytes]! - sizeLess) return false;
    const domain = legs[at + H.domain]!;
    if (this.#destination(domain, values[Slot.dstNetwork]!, second, false)) return true;
    return isUnder(facts, domain);
  }

  /** Whether a network takes mail for a domain; with `learns` it does from now on. */
  #destination(domain: number, network: number, second: number, learns: boolean): boolean {
    const high = hashOf(domain, network, 3, 0, 0);
    const low = domain ^ network;
    if (learns) return !this.#destinations.open(high, low, second, day_s);
    return this.#destinations.find(high, low, second, day_s);
  }
}

/** Whether the server name of the session at hand (SNI) is the domain or under it. */
function isUnder(facts: Facts, domain: number): boolean {
  const { row } = facts;
  const from =
    row.sessionTexts + Math.max(0, row.word(At.helo)) + Math.max(0, row.word(AtSession.mechanism));
  const to = from + Math.max(0, row.word(AtSession.sni));
  for (let at = from; at < to; at++) {
    const begins = at === from || row.bytes[at - 1] === 0x2e;
    if (begins && facts.hashOf(at, to) === domain) return true;
  }
  return false;
}
