// A world: an ISP and everybody who sends mail to, from and through it for a while, from one seed.
// It gives the talks of all in order of time, the truth about each source, and the files the ISP
// would have: its address plan and its register, in which some honest servers are missing.

import { EventHeap } from '../generate/heap.js';
import { Rng } from '../generate/rng.js';
import {
  type BotOptions,
  bot,
  compromised,
  harvester,
  harvestNet,
  hiddenBot,
  snowshoe,
  submissionBot,
} from './bots.js';
import { advertiser, backscatterer, labelFaults, outOfDates } from './faults.js';
import { customer6, type Domain, type Ground, largeGround, strangerAt } from './ground.js';
import { device, hobbyServer, home, office, sharedHomes, stalePassword } from './homes.js';
import { backupServer, forwarder, openRelay, queueOf } from './relays.js';
import {
  callouts,
  mailingList,
  newsletter,
  ordinaryServer,
  type Place,
  received,
} from './servers.js';
import {
  type Actor,
  type Code,
  type Entry,
  hour,
  rngOf,
  type Scene,
  type SourceTruth,
  type Spread,
  truthOf,
} from './source.js';
import {
  foreignNewsletter,
  foreignServer,
  framing,
  guesser,
  prober,
  scanner,
} from './strangers.js';
import type { Talk } from './talk.js';

/** How many of each are in a world. */
export interface Mix {
  readonly servers: number;
  readonly newsletters: number;
  readonly staleNewsletters: number;
  readonly lists: number;
  readonly forwarders: number;
  readonly backups: number;
  readonly callouts: number;
  /** Of each hundred of the servers above, how many the register lacks. */
  readonly missing: number;
  readonly homes: number;
  readonly homes6: number;
  readonly devices: number;
  readonly stalePasswords: number;
  readonly offices: number;
  readonly shared: number;
  readonly hobbyServers: number;
  readonly foreignServers: number;
  readonly foreignNewsletters: number;
  readonly fastBots: number;
  /** Fast ones with a hundred recipients a message. */
  readonly wideBots: number;
  readonly slowBots: number;
  readonly cleanListBots: number;
  readonly postfixBots: number;
  readonly hiddenBots: number;
  readonly foreignBots: number;
  readonly submissionBots: number;
  readonly harvesters: number;
  readonly snowshoes: number;
  readonly relays: number;
  readonly compromised: number;
  readonly guessers: number;
  readonly probers: number;
  readonly scanners: number;
  /** Innocents that somebody tries to make look guilty. */
  readonly framed: number;
  /** Declared advertisers: one in six has its labels and its code in order. */
  readonly advertisers: number;
  readonly outOfDates: number;
  readonly backscatterers: number;
  /** A hundred and twenty strangers each that ask for four mailboxes. */
  readonly harvestNets: number;
  readonly outages: number;
}

export interface WorldOptions {
  readonly seed: number;
  readonly mix: Mix;
  readonly spread: Spread;
  /** Microseconds it lasts. */
  readonly length: number;
}

export interface World {
  readonly ground: Ground;
  readonly entries: readonly Entry[];
  readonly codes: readonly Code[];
  readonly sources: readonly SourceTruth[];
  readonly length: number;
  /** Everybody's talks in order of time. To be walked once. */
  talks(): Generator<Talk>;
}

/** Builds a world; the same options give the same talks on every machine. */
export function makeWorld(o: WorldOptions): World {
  const maker = new Maker(o);
  maker.servers();
  maker.homes();
  maker.bots();
  maker.strangers();
  maker.faults();
  return {
    ground: maker.ground,
    entries: maker.entries,
    codes: maker.actors.flatMap(({ codes }) => codes ?? []),
    sources: [...maker.actors.flatMap(({ sources }) => sources), ...mailDomains(maker.ground)],
    length: o.length,
    talks: () => merged(maker.actors),
  };
}

/** The first servers of the mail domains outside write to the ISP's customers too. */
export function mailDomains(ground: Ground): SourceTruth[] {
  return ground.domains.all.map(({ servers }) =>
    truthOf(servers[0]!, 'mail domain outside', { own: false }),
  );
}

class Maker {
  readonly ground: Ground;
  readonly entries: Entry[] = [];
  readonly actors: Actor[] = [];
  readonly #o: WorldOptions;
  readonly #inbound: string[];
  readonly #taken = { dynamic: 0, static: 0, shared: 0, housing: 0, stranger: 0 };
  #n = 0;

  constructor(o: WorldOptions) {
    this.#o = o;
    this.ground = largeGround(new Rng(o.seed));
    this.#inbound = [this.ground.infrastructure.at(0), this.ground.infrastructure.at(1)];
    const rng = rngOf(o.seed, -1);
    for (let n = 0; n < o.mix.outages; n++) {
      const from = rng.float() * o.length * 0.7;
      const domain = this.ground.domains.all[rng.int(8)] as Domain;
      const how = rng.pick(['silent', 'down', 'amnesia'] as const);
      this.ground.domains.outages.push({ domain, from, to: from + rng.spread(0.2, 2) * hour, how });
    }
  }

  /** The scene of the next actor, with random numbers of its own. */
  #scene(): Scene {
    return {
      rng: rngOf(this.#o.seed, this.#n++),
      ground: this.ground,
      spread: this.#o.spread,
      length: this.#o.length,
      inbound: this.#inbound,
      register: (entry) => this.entries.push(entry),
    };
  }

  #each(count: number, make: (scene: Scene, n: number) => Actor): void {
    for (let n = 0; n < count; n++) this.actors.push(make(this.#scene(), n));
  }

  #take(where: 'dynamic' | 'static' | 'shared' | 'housing'): string {
    // Neighbours are not all of one kind: steps through the range.
    return this.ground[where].at(this.#taken[where]++ * 37);
  }

  #stranger(): string {
    return strangerAt(this.#taken.stranger++);
  }

  /** A place in housing, or a customer's fixed address for every third. */
  #place(n: number): Place {
    const missing = rngOf(this.#o.seed, 1_000_000 + this.#n).chance(this.#o.mix.missing / 100);
    const address = this.#take(n % 3 === 2 ? 'static' : 'housing');
    return { address, domain: `c${this.#n}.example`, missing };
  }

  servers(): void {
    const { mix } = this.#o;
    const { infrastructure } = this.ground;
    const isp = ['isp.example'];
    const operator = 'ISP';
    for (const n of [0, 1, 2, 3]) {
      this.entries.push({
        cidr: `${infrastructure.at(n)}/32`,
        operator,
        role: 'infrastructure',
        domains: isp,
        advertiser: false,
      });
    }
    this.#each(1, (scene) => {
      const address = infrastructure.at(0);
      const place = { address, domain: 'isp.example', missing: false };
      const truth = truthOf(address, 'infrastructure', { register: 'infrastructure' });
      return { sources: [truth], talks: received(scene, place, 60) };
    });
    this.#each(mix.servers, (scene, n) => ordinaryServer(scene, this.#place(n)));
    this.#each(mix.newsletters, (scene, n) => newsletter(scene, this.#place(n), false));
    this.#each(mix.staleNewsletters, (scene, n) => newsletter(scene, this.#place(n), true));
    this.#each(mix.lists, (scene, n) => mailingList(scene, this.#place(n)));
    this.#each(mix.forwarders, (scene, n) => forwarder(scene, this.#place(n)));
    this.#each(mix.backups, (scene, n) => backupServer(scene, this.#place(n), n % 3 !== 2));
    this.#each(mix.callouts, (scene, n) => callouts(scene, this.#place(n)));
    this.#each(mix.framed, (scene, n) => {
      const inner = ordinaryServer(scene, this.#place(n));
      const victim = inner.sources[0]!;
      const population = `framed ${victim.population}`;
      const talks = merged([inner, { sources: [], talks: framing(scene, victim.address, 120) }]);
      return { sources: [{ ...victim, population }], talks };
    });
  }

  homes(): void {
    const { mix } = this.#o;
    this.#each(mix.homes, (scene) => home(scene, this.#take('dynamic')));
    this.#each(mix.homes6, (scene, n) => home(scene, customer6(this.ground, n)));
    this.#each(mix.devices, (scene) => device(scene, this.#take('dynamic')));
    this.#each(mix.stalePasswords, (scene) => stalePassword(scene, this.#take('dynamic')));
    this.#each(mix.offices, (scene) => office(scene, this.#take('static')));
    this.#each(mix.shared, (scene) => sharedHomes(scene, this.#take('shared')));
    this.#each(mix.hobbyServers, (scene) => hobbyServer(scene, this.#take('static')));
    this.#each(mix.framed, (scene) => {
      const address = this.#take('dynamic');
      const inner = home(scene, address);
      const talks = merged([inner, { sources: [], talks: framing(scene, address, 120) }]);
      return { sources: [truthOf(address, 'framed home')], talks };
    });
  }

  bots(): void {
    const { mix, spread } = this.#o;
    const make =
      (guilt: BotOptions['guilt'], more: (scene: Scene, n: number) => Partial<BotOptions>) =>
      (scene: Scene, n: number) => {
        const { rng } = scene;
        const own =
          n % 4 === 3 ? customer6(this.ground, 2000 + (this.#n % 2000)) : this.#take('dynamic');
        const common = {
          address: own,
          guilt,
          fail: rng.spread(...spread.fastFail),
          rate: rng.spread(...spread.fastRate),
          most: 400,
          recipients: n % 4 === 3 ? 6 : 1,
          known: rng.spread(0.02, 0.4),
        };
        return bot(scene, { ...common, ...more(scene, n) });
      };
    const slow = (scene: Scene) => ({
      fail: scene.rng.spread(...spread.slowFail),
      rate: scene.rng.spread(...spread.slowRate),
      recipients: 1,
      rests: true,
    });
    const clean = (scene: Scene) => ({ fail: scene.rng.spread(0.02, 0.15), recipients: 1 });
    this.#each(
      mix.fastBots,
      make('bot-fast', () => ({})),
    );
    this.#each(
      mix.wideBots,
      make('bot-wide', () => ({ recipients: 100 })),
    );
    this.#each(mix.slowBots, make('bot-slow', slow));
    this.#each(mix.cleanListBots, make('bot-clean-list', clean));
    this.#each(
      mix.postfixBots,
      make('bot-postfix', () => ({ polite: true })),
    );
    this.#each(mix.hiddenBots, (scene) =>
      hiddenBot(scene, this.#take('shared'), scene.rng.spread(...spread.fastFail)),
    );
    this.#each(mix.submissionBots, (scene) => submissionBot(scene, this.#take('dynamic')));
    this.#each(mix.harvesters, (scene, n) =>
      harvester(scene, n % 2 === 0 ? this.#stranger() : this.#take('dynamic'), n % 2 !== 0),
    );
    this.#each(mix.compromised, (scene) => compromised(scene, this.#take('housing'), 1500));
    this.#each(mix.relays, (scene, n) => {
      const place = { ...this.#place(n), missing: n % 2 === 1 };
      const mails = Math.round(scene.rng.spread(4, 120));
      const tls = n % 3 === 2 ? 1 : 0.1;
      return openRelay(scene, { place, user: this.#stranger(), mails, tls, queue: queueOf(scene) });
    });
  }

  strangers(): void {
    const { mix, spread } = this.#o;
    this.#each(mix.foreignServers, (scene) => foreignServer(scene, this.#stranger()));
    this.#each(mix.foreignNewsletters, (scene, n) =>
      foreignNewsletter(scene, this.#stranger(), n % 3 === 2),
    );
    this.#each(mix.foreignBots, (scene) => {
      const fail = scene.rng.spread(...spread.fastFail);
      const rate = scene.rng.spread(...spread.slowRate) * 4;
      const who = { address: this.#stranger(), guilt: 'bot-foreign', own: false } as const;
      return bot(scene, { ...who, fail, rate, most: 120, recipients: 2, inbound: true });
    });
    this.#each(mix.snowshoes, (scene, n) => snowshoe(scene, `198.19.${253 + n}`, 60));
    this.#each(mix.guessers, (scene) =>
      guesser(scene, this.#stranger(), Math.round(scene.rng.spread(20, 300))),
    );
    const known = this.entries.map(({ cidr }) => cidr.split('/')[0]!);
    this.#each(mix.probers, (scene) => prober(scene, this.#stranger(), known.slice(0, 30)));
    const targets = Array.from({ length: 600 }, (_, n) => this.ground.dynamic.at(n * 11));
    this.#each(mix.scanners, (scene) =>
      scanner(scene, this.#stranger(), [...targets, ...this.#inbound]),
    );
  }

  faults(): void {
    const { mix } = this.#o;
    const listed = (n: number): Place => ({ ...this.#place(n), missing: false });
    this.#each(mix.advertisers, (scene, n) =>
      advertiser(scene, listed(n), labelFaults[n % labelFaults.length]!, n),
    );
    this.#each(mix.outOfDates, (scene, n) =>
      outOfDates(scene, listed(n), n % 2 === 0 ? 'early' : 'retired'),
    );
    this.#each(mix.backscatterers, (scene, n) => backscatterer(scene, listed(n)));
    this.#each(mix.harvestNets, (scene) =>
      harvestNet(
        scene,
        Array.from({ length: 120 }, () => this.#stranger()),
      ),
    );
  }
}

/** Talks of many actors in order of time. */
export function* merged(actors: readonly Actor[]): Generator<Talk> {
  const heap = new EventHeap();
  const heads: (Talk | null)[] = [];
  const rests = actors.map(({ talks }) => talks[Symbol.iterator]());
  const advance = (id: number) => {
    const next = rests[id]!.next();
    heads[id] = next.done ? null : next.value;
    if (!next.done) heap.push(next.value.start, id);
  };
  for (let id = 0; id < rests.length; id++) advance(id);
  while (heap.size > 0) {
    const id = heap.pop();
    const talk = heads[id]!;
    advance(id);
    yield talk;
  }
}
