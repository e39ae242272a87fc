// Those who pass mail on: an open relay and the strangers who use it, and the honest ones that look
// like it from outside: forwarders, and second mail servers for somebody else's domain.

import type { Domain } from './ground.js';
import { mailOf, people, Sender } from './sender.js';
import type { Place } from './servers.js';
import {
  type Actor,
  arrivals,
  hour,
  inOrder,
  letterOf,
  minute,
  person,
  type Scene,
  type SourceTruth,
  second,
  truthOf,
} from './source.js';
import { type Mail, manners, type Talk } from './talk.js';

/** Both legs of one message; the second one later, with one more trace line. */
interface Passage {
  readonly first: Talk;
  readonly second: Talk;
}

/** Talks of passages in order of time. */
function* legs(passages: Iterable<Passage>): Generator<Talk> {
  const waiting: Talk[] = [];
  for (const { first, second: then } of passages) {
    while (waiting.length > 0 && waiting[0]!.start <= first.start) yield waiting.shift()!;
    yield first;
    let at = waiting.length;
    while (at > 0 && waiting[at - 1]!.start > then.start) at--;
    waiting.splice(at, 0, then);
  }
  yield* waiting;
}

/** The same mail one hop later. */
function onward(mail: Mail, more: Partial<Mail> = {}): Mail {
  const { letter } = mail;
  const accepted = mail.recipients.filter(({ answer }) => answer === 'ok');
  return {
    ...mail,
    recipients: accepted,
    letter: letter === null ? null : { ...letter, hops: letter.hops + 1 },
    ...more,
  };
}

export interface RelayOptions {
  readonly place: Place;
  /** Who uses it. */
  readonly user: string;
  readonly mails: number;
  /** Share of outgoing sessions in TLS. */
  readonly tls: number;
  /** Longest stay in the queue, microseconds. */
  readonly queue: number;
}

/** A server that takes anything from anybody for anybody, and a stranger who found it. */
export function openRelay(scene: Scene, o: RelayOptions): Actor {
  const { rng, ground, length } = scene;
  const { place } = o;
  if (!place.missing) {
    scene.register({
      cidr: `${place.address}/32`,
      operator: place.domain,
      role: 'registered',
      domains: [place.domain],
      advertiser: false,
    });
  }
  const self = new Sender(scene, {
    address: place.address,
    helo: `mail.${place.domain}`,
    tls: o.tls,
  });
  const user = new Sender(scene, {
    address: o.user,
    helo: 'promo.example',
    manners: manners.patient,
  });
  const register = place.missing ? 'missing' : 'registered';
  const relay: SourceTruth = truthOf(place.address, 'relay', { guilt: 'relay', register });
  const stranger = truthOf(o.user, 'relay-user', { guilt: 'relay-user', own: false });
  const passages = function* (): Generator<Passage> {
    let at = rng.float() * length * 0.3;
    for (let n = 0; n < o.mails; n++) {
      at += rng.exponential((length * 0.5) / o.mails);
      const domain = ground.domains.even(rng);
      const mail = mailOf(rng, {
        from: `${person(rng)}@promo.example`,
        domain: domain.name,
        recipients: people(rng, rng.between(1, 4)),
        answer: () => 'ok',
        letter: letterOf(rng, 2500),
      });
      const later = at + second + rng.float() * o.queue;
      const host = { host: `mail.${place.domain}` };
      const out = self.to(domain, later, [onward(mail)]);
      if (out.kind === 'smtp' && !out.starttls && out.greeting === 'ok') relay.legs++;
      yield { first: user.at(place.address, at, [mail], host), second: out };
    }
  };
  const own = function* (): Generator<Talk> {
    for (const start of arrivals(rng, 12, length)) {
      const domain = ground.domains.any(rng);
      const mail = mailOf(rng, {
        from: `${person(rng)}@${place.domain}`,
        domain: domain.name,
        recipients: [person(rng)],
        answer: () => (rng.chance(0.03) ? 'unknown' : 'ok'),
      });
      yield self.to(domain, start, [mail]);
    }
  };
  return { sources: [relay, stranger], talks: inOrder(legs(passages()), own()) };
}

/** Aliases: mail to people here goes on to their mailboxes elsewhere, under SRS or as it was. */
export function forwarder(scene: Scene, place: Place): Actor {
  const { rng, ground, length } = scene;
  const register = enter(scene, place, [place.domain]);
  const self = new Sender(scene, { address: place.address, helo: `fwd.${place.domain}`, tls: 0.3 });
  const srs = rng.chance(0.6);
  const passages = function* (): Generator<Passage> {
    for (const start of arrivals(rng, rng.spread(5, 80), length)) {
      const origin = ground.domains.any(rng);
      const target = ground.domains.any(rng);
      const name = person(rng);
      const mail = mailOf(rng, {
        from: `${person(rng)}@${origin.name}`,
        domain: place.domain,
        recipients: [name],
        answer: () => 'ok',
        letter: letterOf(rng),
      });
      const from = srs ? `SRS0=HHH=TT=${mail.from.replace('@', '=')}@${place.domain}` : mail.from;
      // Spam is forwarded too, and refused there for what it is.
      const final = rng.chance(0.06) ? ('content' as const) : ('ok' as const);
      const gone = rng.chance(0.03) ? ('unknown' as const) : ('ok' as const);
      const recipients = [{ to: `${name}.home@${target.name}`, answer: gone }];
      const out = onward(mail, { from, final, recipients });
      yield passage(scene, { self, place, origin, target, start, mail, out });
    }
  };
  const population = place.missing ? 'forwarder, unregistered' : 'forwarder';
  return {
    sources: [truthOf(place.address, population, { register })],
    talks: legs(passages()),
  };
}

/** A second server for domains whose first one stands outside; the register may not know of it. */
export function backupServer(scene: Scene, place: Place, listed: boolean): Actor {
  const { rng, ground, length } = scene;
  const backed = Array.from({ length: rng.between(1, 3) }, () => ground.domains.even(rng));
  const names = listed ? backed.map(({ name }) => name) : [];
  const register = enter(scene, place, [place.domain, ...names]);
  const self = new Sender(scene, { address: place.address, helo: `mx2.${place.domain}`, tls: 0.2 });
  const passages = function* (): Generator<Passage> {
    for (const start of arrivals(rng, rng.spread(2, 40), length)) {
      const target = rng.pick(backed);
      const origin = ground.domains.any(rng);
      const mail = mailOf(rng, {
        from: `${person(rng)}@${origin.name}`,
        domain: target.name,
        recipients: [person(rng)],
        answer: () => 'ok',
        letter: letterOf(rng),
      });
      yield passage(scene, { self, place, origin, target, start, mail, out: onward(mail) });
    }
  };
  const population = listed ? 'backup server' : 'backup server, domains unlisted';
  return {
    sources: [truthOf(place.address, population, { register })],
    talks: legs(passages()),
  };
}

function enter(scene: Scene, place: Place, domains: readonly string[]) {
  if (place.missing) return 'missing' as const;
  const { address, domain: operator } = place;
  scene.register({
    cidr: `${address}/32`,
    operator,
    role: 'registered',
    domains,
    advertiser: false,
  });
  return 'registered' as const;
}

interface Way {
  readonly self: Sender;
  readonly place: Place;
  readonly origin: Domain;
  readonly target: Domain;
  readonly start: number;
  readonly mail: Mail;
  readonly out: Mail;
}

function passage(scene: Scene, way: Way): Passage {
  const { rng } = scene;
  const from = new Sender(scene, {
    address: way.origin.servers[0]!,
    helo: `mx.${way.origin.name}`,
    tls: 0.3,
  });
  const host = { host: `mail.${way.place.domain}` };
  const later = way.start + second + rng.exponential(8 * second);
  return {
    first: from.at(way.place.address, way.start, [way.mail], host),
    second: way.self.to(way.target, later, [way.out]),
  };
}

/** Longest queue of a relay: most send on at once, some hold mail for two hours. */
export function queueOf(scene: Scene): number {
  return scene.rng.chance(0.8) ? scene.rng.spread(2 * second, 10 * minute) : 2 * hour;
}
