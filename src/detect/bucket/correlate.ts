// Open relays by both legs of the same mail: a stranger hands it to an own server for a domain that
// is not the server's, and the server passes it on. Leg 1 alone proves nothing (a honeypot accepts
// everything); leg 2 is found by the recipient, the Message-ID, the sender's domain and the size,
// the four signals of Bro's smtp-relay script (2008) without its content hash. What is ours: only
// accepted mail counts, never an authenticated client, queue delays of hours are waited for, and a
// domain that strangers of three networks deliver here is one that this server answers for (a
// backup MX, a filter).
//
// What tells a relay from a backup MX whose domains nobody has written down is the fan. A relay is
// used by few strangers, each for domains that keep being new; a backup MX serves few domains, each
// for strangers that keep being new. So of what was passed on, the networks that it came from must
// have had two domains each on average before anything is confirmed.
//
//   state   0 mails of leg 1  1 mails matched  2 best score, hundredths  3 encrypted ones that fit
//           4 .. sets: clients, pairs of client and domain; of what matched: domains, next
//           networks, clients, pairs of client and domain

import { ReplyClass } from '../../smtp/reply-class.js';
import type { Facts } from '../facts.js';
import { Slot } from '../fields.js';
import type { Test } from '../fold.js';
import { RecentPairs } from '../state/recent.js';
import { type Cells, hashOf, headWords, SubjectTable } from '../state/subjects.js';
import { setWords, type Tallies } from '../state/tally.js';
import { type Bucket, type Evidence, rounded, Verdict } from './bucket.js';
import { HiddenLegs } from './hidden-legs.js';

export interface CorrelateOptions {
  /** Which accepted transactions of an own server may be the second leg. */
  readonly second: Test;
  /** Which encrypted sessions may be it. */
  readonly hidden?: Test | undefined;
  /** Seconds for a full match, and for one of half weight. */
  readonly seconds: number;
  readonly slowSeconds: number;
  readonly score: {
    readonly rcpt: number;
    readonly message_id: number;
    readonly mail_from_domain: number;
    readonly size: number;
  };
  readonly confirmAt: number;
  /** Matched mails before it is confirmed. */
  readonly messages: number;
  /** Recipient domains, and networks that it passed them to, before it is confirmed. */
  readonly domains: number;
  readonly tallies: Tallies;
}

/** First legs that are remembered; the oldest goes. */
const legsMax = 65_536;
/** Recipients of one mail that are remembered. */
const rcptsMax = 20;
/** Networks of strangers that make a domain the server's own. */
const networksOfHost = 3;
/** Domains of one server that are learnt. */
const hostedMax = 65_536;
/** What Received lines and the like may add to a mail, and a rewritten header may take. */
const sizeLess = 64;
const sizeMore = 2048;
const day_s = 86_400;

/** Domains that the networks of matched mail must have had on average. */
const domainsOfClient = 2;

/** Words of a remembered leg. */
const L = {
  server: 0,
  key: 4,
  rcpt: 5,
  messageId: 7,
  mailDomain: 9,
  rcptDomain: 10,
  network: 11,
  bytes: 12,
  second: 13,
  matched: 14,
} as const;
const legWords = 16;

const clientsAt = 4;
const pairsAt = clientsAt + setWords;
const domainsAt = pairsAt + setWords;
const nextAt = domainsAt + setWords;
const matchedClientsAt = nextAt + setWords;
const matchedPairsAt = matchedClientsAt + setWords;

export class Correlate implements Bucket {
  readonly words = matchedPairsAt + setWords;
  readonly #is: CorrelateOptions;
  readonly #legs = new Int32Array(legsMax * legWords);
  readonly #byRcpt = new RecentPairs(legsMax, true);
  readonly #byMessage = new RecentPairs(legsMax, true);
  readonly #hidden: HiddenLegs;
  /** For a server and a domain: the networks that delivered, up to three. */
  readonly #hosts = new SubjectTable({ segments: 4, capacity: hostedMax, seed: 0 }, () => {});
  readonly #key = new Int32Array(5);
  #next = 0;
  /** First word of the leg that the second one at hand matched. */
  #match = 0;
  #score = 0;

  constructor(options: CorrelateOptions) {
    this.#is = options;
    this.#hidden = new HiddenLegs(options.seconds);
  }

  /** Leg 1, one recipient at a time; `facts` holds the recipient. */
  observe(cells: Cells, at: number, facts: Facts): number {
    const { values, second } = facts;
    const { words } = cells;
    const domain = values[Slot.rcptDomain]!;
    if (domain === 0 || this.#answersFor(facts, domain)) return Verdict.none;
    this.#keep(facts);
    if (this.#is.hidden !== undefined) this.#hidden.keep(facts, serverKey(facts, false));
    words[at]!++;
    const network = values[Slot.srcNetwork]!;
    const { tallies } = this.#is;
    tallies.add(cells, at + clientsAt, network, second, day_s);
    tallies.add(cells, at + pairsAt, hashOf(network, domain, 0, 0, 0), second, day_s);
    if (words[at]! < this.#is.messages || !this.#isVaried(cells, at, second)) return Verdict.noted;
    return Verdict.suspected;
  }

  /** One client, several domains: what a filter or a backup MX for one domain does not show. */
  #isVaried(cells: Cells, at: number, second: number): boolean {
    const { tallies } = this.#is;
    const pairs = tallies.count(cells, at + pairsAt, second, day_s);
    return pairs > tallies.count(cells, at + clientsAt, second, day_s);
  }

  /** Whether strangers of enough networks deliver mail for the domain here. */
  #answersFor(facts: Facts, domain: number): boolean {
    for (let i = 0; i < 4; i++) this.#key[i] = facts.values[Slot.dstIp + i]!;
    this.#key[4] = domain;
    const base = this.#hosts.open(this.#key, facts.second) + headWords;
    const { words } = this.#hosts.cells;
    const network = facts.values[Slot.srcNetwork]!;
    for (let i = 0; i < networksOfHost; i++) {
      if (words[base + i] === network) break;
      if (words[base + i] !== 0) continue;
      words[base + i] = network;
      break;
    }
    return words[base + networksOfHost - 1] !== 0;
  }

  /** Whether it is known by now that the server of a remembered leg answers for its domain. */
  #isHosted(leg: number): boolean {
    for (let i = 0; i < 4; i++) this.#key[i] = this.#legs[leg + i]!;
    this.#key[4] = this.#legs[leg + L.rcptDomain]!;
    const at = this.#hosts.find(this.#key);
    return at >= 0 && this.#hosts.cells.words[at + headWords + networksOfHost - 1] !== 0;
  }

  /** Remembers the first leg at hand under its recipient and its Message-ID. */
  #keep(facts: Facts): void {
    const { values, row, second } = facts;
    const leg = this.#next;
    this.#next = (this.#next + legWords) % this.#legs.length;
    const legs = this.#legs;
    for (let i = 0; i < 4; i++) legs[leg + i] = values[Slot.dstIp + i]!;
    legs[leg + L.key] = serverKey(facts, false);
    legs[leg + L.rcpt] = row.rcptHash(facts.index, 0);
    legs[leg + L.rcpt + 1] = row.rcptHash(facts.index, 1);
    legs[leg + L.messageId] = row.messageId(0);
    legs[leg + L.messageId + 1] = row.messageId(1);
    legs[leg + L.mailDomain] = values[Slot.mailDomain]!;
    legs[leg + L.rcptDomain] = values[Slot.rcptDomain]!;
    legs[leg + L.network] = values[Slot.srcNetwork]!;
    legs[leg + L.bytes] = Math.min(values[Slot.mailBytes]!, 0x7fffffff);
    legs[leg + L.second] = second;
    legs[leg + L.matched] = 0;
    const life = this.#is.slowSeconds;
    const key = legs[leg + L.key]!;
    const low = legs[leg + L.rcpt + 1]! ^ key;
    this.#byRcpt.open(legs[leg + L.rcpt]! ^ key, low, second, life);
    this.#byRcpt.value = leg;
    if (legs[leg + L.messageId] === 0 && legs[leg + L.messageId + 1] === 0) return;
    const lowId = legs[leg + L.messageId + 1]! ^ key;
    this.#byMessage.open(legs[leg + L.messageId]! ^ key, lowId, second, life);
    this.#byMessage.value = leg;
  }

  /** Whether the transaction at hand is the second leg of a mail; writes its server into `key`. */
  second(facts: Facts, key: Int32Array): boolean {
    if (!this.#is.second(facts.values)) return false;
    const { row } = facts;
    const own = serverKey(facts, true);
    let found = false;
    const rcpts = Math.min(row.rcptCount, rcptsMax);
    for (let i = 0; i < rcpts && !found; i++) {
      if (row.rcptClass(i) !== ReplyClass.ok) continue;
      const low = row.rcptHash(i, 1) ^ own;
      const { slowSeconds } = this.#is;
      if (!this.#byRcpt.find(row.rcptHash(i, 0) ^ own, low, facts.second, slowSeconds)) continue;
      found = this.#scores(facts, this.#byRcpt.value, own, i);
    }
    const isNamed = row.messageId(0) !== 0 || row.messageId(1) !== 0;
    const low = row.messageId(1) ^ own;
    const { slowSeconds } = this.#is;
    if (
      !found &&
      isNamed &&
      this.#byMessage.find(row.messageId(0) ^ own, low, facts.second, slowSeconds)
    ) {
      found = this.#scores(facts, this.#byMessage.value, own, -1);
    }
    if (!found) return false;
    for (let i = 0; i < 4; i++) key[i] = this.#legs[this.#match + i]!;
    key[4] = 0;
    return true;
  }

  /** Whether leg 2 at hand is like a remembered leg 1; `rcpt` is the equal recipient, or -1. */
  #scores(facts: Facts, leg: number, own: number, rcpt: number): boolean {
    const legs = this.#legs;
    const is = this.#is;
    const { row, values } = facts;
    if (legs[leg + L.key] !== own || legs[leg + L.matched] !== 0) return false;
    let score = 0;
    const isRcpt =
      rcpt >= 0 &&
      legs[leg + L.rcpt] === row.rcptHash(rcpt, 0) &&
      legs[leg + L.rcpt + 1] === row.rcptHash(rcpt, 1);
    if (isRcpt) score += is.score.rcpt;
    const isNamed = row.messageId(0) !== 0 || row.messageId(1) !== 0;
    if (
      isNamed &&
      legs[leg + L.messageId] === row.messageId(0) &&
      legs[leg + L.messageId + 1] === row.messageId(1)
    ) {
      score += is.score.message_id;
    }
    const from = values[Slot.mailDomain]!;
    if (from !== 0 && from === legs[leg + L.mailDomain]) score += is.score.mail_from_domain;
    const more = values[Slot.mailBytes]! - legs[leg + L.bytes]!;
    if (values[Slot.mailBytes]! > 0 && more >= -sizeLess && more <= sizeMore)
      score += is.score.size;
    const age = facts.second - legs[leg + L.second]!;
    if (age > is.slowSeconds) return false;
    if (age > is.seconds) score /= 2;
    if (score < is.confirmAt) return false;
    this.#match = leg;
    this.#score = score;
    return true;
  }

  /** Counts the match that `second` found; `at` is the state of its server. */
  confirm(cells: Cells, at: number, facts: Facts): number {
    const { words } = cells;
    const legs = this.#legs;
    const leg = this.#match;
    legs[leg + L.matched] = 1;
    if (this.#isHosted(leg)) return Verdict.none;
    words[at + 1]!++;
    words[at + 2] = Math.max(words[at + 2]!, Math.round(this.#score * 100));
    const { tallies, messages } = this.#is;
    const add = (set: number, thing: number) =>
      tallies.add(cells, at + set, thing, facts.second, day_s);
    const domain = legs[leg + L.rcptDomain]!;
    const network = legs[leg + L.network]!;
    add(domainsAt, domain);
    add(nextAt, facts.values[Slot.dstNetwork]!);
    add(matchedClientsAt, network);
    add(matchedPairsAt, hashOf(network, domain, 0, 0, 0));
    if (words[at + 1]! >= messages && this.#isFan(cells, at, facts.second)) {
      return Verdict.confirmed;
    }
    return words[at]! >= messages ? Verdict.probable : Verdict.noted;
  }

  /** Whether `learn` is to be told of recipients that others took in clear. */
  isLearning(second: number): boolean {
    return this.#hidden.isWaiting(second);
  }

  /** The server at hand took the recipient at hand from an own address. */
  learn(facts: Facts): void {
    this.#hidden.learn(facts);
  }

  /** Whether the session at hand may be an encrypted second leg; writes its server into `key`. */
  hidden(facts: Facts, key: Int32Array): boolean {
    if (this.#is.hidden?.(facts.values) !== true) return false;
    const own = serverKey(facts, true);
    return this.#hidden.match(facts, own, key);
  }

  /** Counts the session that `hidden` found: never proof, for nobody saw which mail was in it. */
  suspect(cells: Cells, at: number, facts: Facts): number {
    const { words } = cells;
    const { messages } = this.#is;
    words[at + 3]!++;
    const enough = Math.min(words[at]!, words[at + 3]!) >= messages;
    if (enough && this.#isVaried(cells, at, facts.second)) return Verdict.probable;
    return Verdict.noted;
  }

  /** Few strangers, domains and networks that keep being new: a relay and no backup MX. */
  #isFan(cells: Cells, at: number, second: number): boolean {
    const { tallies, domains: enoughOf } = this.#is;
    const count = (set: number) => tallies.count(cells, at + set, second, day_s);
    if (Math.min(count(domainsAt), count(nextAt)) < enoughOf) return false;
    return count(matchedPairsAt) >= domainsOfClient * count(matchedClientsAt);
  }

  evidence(cells: Cells, at: number, facts: Facts): Evidence {
    const { words } = cells;
    const { tallies, confirmAt } = this.#is;
    const count = (set: number) => tallies.count(cells, at + set, facts.second, day_s);
    return {
      taken: words[at]!,
      passed_on: words[at + 1]!,
      encrypted: words[at + 3]!,
      best_score: rounded(words[at + 2]! / 100),
      confirm_at: confirmAt,
      clients: count(clientsAt),
      domains: count(domainsAt),
      next_networks: count(nextAt),
      passed_clients: count(matchedClientsAt),
      passed_pairs: count(matchedPairsAt),
    };
  }

  release(cells: Cells, at: number): void {
    for (let set = clientsAt; set < this.words; set += setWords) {
      this.#is.tallies.release(cells, at + set);
    }
  }
}

/** One server, whatever address of its entry in the register it uses. */
function serverKey(facts: Facts, isClient: boolean): number {
  const place = isClient ? facts.src : facts.dst;
  if (place.server >= 0) return hashOf(place.server, 1, 2, 3, 0);
  const at = isClient ? Slot.srcIp : Slot.dstIp;
  const { values } = facts;
  return hashOf(values[at]!, values[at + 1]!, values[at + 2]!, values[at + 3]!, 0);
}
