// Who is in a world: a source of mail with the truth about it, and the talks it holds, in order of
// time. Behaviours (`servers.ts`, `homes.ts`, `bots.ts`, ...) make actors of them.

import { Rng } from '../generate/rng.js';
import type { Ground } from './ground.js';
import type { Letter, Talk } from './talk.js';

/** What is wrong with a source; null for the innocent. */
export type Guilt =
  | 'bot-fast'
  | 'bot-wide'
  | 'bot-slow'
  | 'bot-clean-list'
  | 'bot-postfix'
  | 'bot-hidden'
  | 'bot-submission'
  | 'bot-foreign'
  | 'harvester'
  | 'harvester-net'
  | 'snowshoe'
  | 'relay'
  | 'relay-user'
  | 'compromised'
  | 'guesser'
  | 'prober'
  | 'scanner'
  | 'mislabelled'
  | 'out-of-dates'
  | 'backscatter';

/** The truth about one source, as the truth file has it. */
export interface SourceTruth {
  readonly address: string;
  /** Whose kind it is; innocents are counted by it. */
  readonly population: string;
  readonly guilt: Guilt | null;
  /** Inside the ISP's networks. */
  readonly own: boolean;
  /** What the register says of it. */
  readonly register: 'registered' | 'registered-bulk' | 'infrastructure' | 'missing' | 'none';
  /** Innocent customers behind the same address. */
  readonly others: number;
  /** Mails that went through a relay in clear on both legs. */
  legs: number;
}

/** Sources that act together (a relay and who uses it), and everything they say. */
export interface Actor {
  readonly sources: readonly SourceTruth[];
  readonly talks: Iterable<Talk>;
  /** Management codes that the register has for them. */
  readonly codes?: readonly Code[];
}

/** A management code as the register has it; issued in 2022 for three years when not said. */
export interface Code {
  readonly code: string;
  readonly holder: string;
  readonly issued?: string;
  readonly expires?: string;
  readonly withdrawn?: string;
  readonly sources: readonly string[];
}

/** A mail server as the register lists it. */
export interface Entry {
  readonly cidr: string;
  readonly operator: string;
  readonly role: 'registered' | 'registered-bulk' | 'infrastructure';
  readonly domains: readonly string[];
  readonly advertiser: boolean;
  /** Other dates than those of a server that has been in force since March 2022. */
  readonly dates?: { readonly filed: string; readonly starts: string; readonly retires?: string };
}

/** How wide the parameters of behaviours are drawn; held-back seeds draw from other ranges. */
export interface Spread {
  /** Mean share of unknown recipients of an ordinary server: from, to. */
  readonly unknown: readonly [number, number];
  /** Share of stale addresses in an old newsletter list. */
  readonly stale: readonly [number, number];
  /** Copies of an issue of a newsletter. */
  readonly copies: readonly [number, number];
  /** How much the fates of the recipients of one message hang together. */
  readonly together: readonly [number, number];
  /** Share of addresses that are refused to a fast bot, and to a slow one. */
  readonly fastFail: readonly [number, number];
  readonly slowFail: readonly [number, number];
  /** Messages an hour. */
  readonly fastRate: readonly [number, number];
  readonly slowRate: readonly [number, number];
  /** Mails a day of a device that mails by itself, and of a home. */
  readonly deviceMails: readonly [number, number];
  /** Mails an hour of a server. */
  readonly serverRate: readonly [number, number];
  /** Names a harvester tries. */
  readonly guesses: readonly [number, number];
  /** Servers a submission bot visits, and seconds it takes. */
  readonly submissions: readonly [number, number];
}

/** Where an actor stands while it is made. */
export interface Scene {
  readonly rng: Rng;
  readonly ground: Ground;
  readonly spread: Spread;
  /** Microseconds: the world lasts from 0 to `length`. */
  readonly length: number;
  /** Inbound servers of the ISP. */
  readonly inbound: readonly string[];
  readonly register: (entry: Entry) => void;
}

export const second = 1_000_000;
export const minute = 60 * second;
export const hour = 60 * minute;

/** The truth of a source without anything special. */
export function truthOf(
  address: string,
  population: string,
  more: Partial<SourceTruth> = {},
): SourceTruth {
  return {
    address,
    population,
    guilt: null,
    own: true,
    register: 'none',
    others: 0,
    legs: 0,
    ...more,
  };
}

/** A local part as people have them. */
export function person(rng: Rng): string {
  const family = rng.chance(0.5) ? `.${rng.pick(families)}` : '';
  return rng.pick(names) + family + (rng.chance(0.4) ? rng.int(99) : '');
}

const names =
  'anna ben carla deniz emil fatou georg hana ivan julia kofi lena minh nora omar'.split(' ');
const families = 'berg costa demir endo faye gruber hoang ito jansen kaya lopez moreau'.split(' ');

/** A message of ordinary size. */
export function letterOf(rng: Rng, median = 9000, more: Partial<Letter> = {}): Letter {
  const seed = rng.word();
  return {
    seed,
    bytes: Math.round(Math.min(150_000, Math.max(900, rng.logNormal(median, 0.9)))),
    id: `${rng.text(20)}@mailer.example`,
    hops: 0,
    ...more,
  };
}

/** Starts of events that come at random at a mean rate an hour, more by day than by night. */
export function* arrivals(rng: Rng, perHour: number, length: number): Generator<number> {
  const daily = length >= 6 * hour;
  const peak = daily ? 1.6 : 1;
  const step = hour / perHour / peak;
  for (let at = rng.exponential(step); at < length; at += rng.exponential(step)) {
    // Lowest, 0.4, at four in the morning and highest, 1.6, twelve hours later.
    const level = daily ? 1 - 0.6 * triangle(at / hour / 12 - 1 / 3) : 1;
    if (rng.float() * peak < level) yield at;
  }
}

/**
 * From 1 to -1 and back with a period of 2, in place of a cosine, whose last bits V8 does not fix.
 */
function triangle(x: number): number {
  const phase = ((x % 2) + 2) % 2;
  return phase < 1 ? 1 - 2 * phase : 2 * phase - 3;
}

/** Talks with those among them that have a sequel later (a retry), in order of time. */
export function* withSequels(
  talks: Iterable<Talk>,
  sequel: (talk: Talk) => Talk | null,
): Generator<Talk> {
  const waiting: Talk[] = [];
  const dueBefore = function* (time: number): Generator<Talk> {
    while (waiting.length > 0 && waiting[0]!.start <= time) {
      const next = waiting.shift()!;
      insert(sequel(next));
      yield next;
    }
  };
  const insert = (talk: Talk | null) => {
    if (talk === null) return;
    let at = waiting.length;
    while (at > 0 && waiting[at - 1]!.start > talk.start) at--;
    waiting.splice(at, 0, talk);
  };
  for (const talk of talks) {
    yield* dueBefore(talk.start);
    insert(sequel(talk));
    yield talk;
  }
  yield* dueBefore(Number.POSITIVE_INFINITY);
}

/** Talks of several sources that are each in order of time, together in order of time. */
export function* inOrder(...lists: readonly Iterable<Talk>[]): Generator<Talk> {
  const heads = lists.flatMap((list) => {
    const rest = list[Symbol.iterator]();
    const first = rest.next();
    return first.done ? [] : [{ talk: first.value, rest }];
  });
  while (heads.length > 0) {
    let least = 0;
    for (let i = 1; i < heads.length; i++) {
      if (heads[i]!.talk.start < heads[least]!.talk.start) least = i;
    }
    const head = heads[least]!;
    yield head.talk;
    const next = head.rest.next();
    if (next.done) heads.splice(least, 1);
    else head.talk = next.value;
  }
}

/** Client ports that do not come again soon. */
export class Ports {
  #next: number;

  constructor(rng: Rng) {
    this.#next = rng.int(28_000);
  }

  next(): number {
    this.#next = (this.#next + 7919) % 28_000;
    return 32_768 + this.#next;
  }
}

/** Random numbers of actor `n`: adding one actor leaves the others as they were. */
export function rngOf(seed: number, n: number): Rng {
  return new Rng((seed * 100_003 + n * 7_919 + 1) % 0x1fffffffffffff);
}
