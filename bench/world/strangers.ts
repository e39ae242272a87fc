// The world outside, as it comes in: honest servers and newsletters, and those who knock, guess
// passwords and try whether anybody relays.

import { word } from '../generate/pool.js';
import { mailOf, Sender } from './sender.js';
import {
  type Actor,
  arrivals,
  letterOf,
  minute,
  Ports,
  person,
  type Scene,
  second,
  truthOf,
} from './source.js';
import { manners, type Talk, talkOf } from './talk.js';

/** An honest server outside that writes to the ISP's customers. */
export function foreignServer(scene: Scene, address: string): Actor {
  const { rng, inbound, spread, length } = scene;
  const self = new Sender(scene, {
    address,
    helo: `${rng.pick(['mx', 'mail', 'smtp', 'out'])}.${word(rng)}${word(rng)}.example`,
    tls: rng.spread(0.3, 0.95),
  });
  const unknown = rng.share(rng.spread(...spread.unknown));
  const talks = function* () {
    for (const start of arrivals(rng, rng.spread(0.3, 15), length)) {
      const mails = Array.from({ length: 1 + rng.geometric(0.75, 3) }, () =>
        mailOf(rng, {
          from: `${person(rng)}@${self.helo.split('.').slice(1).join('.')}`,
          domain: 'isp.example',
          recipients: [person(rng)],
          answer: () => (rng.chance(unknown) ? 'unknown' : rng.chance(0.02) ? 'full' : 'ok'),
        }),
      );
      yield self.at(rng.pick(inbound), start, mails, { host: 'mx.isp.example' });
    }
  };
  const truth = truthOf(address, 'foreign server', { own: false });
  return { sources: [truth], talks: talks() };
}

/** A newsletter from outside, with a clean or a stale list. */
export function foreignNewsletter(scene: Scene, address: string, stale: boolean): Actor {
  const { rng, inbound, spread, length } = scene;
  const self = new Sender(scene, {
    address,
    helo: `news.${word(rng)}${word(rng)}.example`,
    tls: 0.4,
  });
  const gone = stale ? rng.spread(...spread.stale) : rng.spread(0.004, 0.02);
  const copies = Math.round(rng.spread(40, 600));
  const talks = function* () {
    let at = rng.float() * length * 0.5;
    const letter = letterOf(rng, 9000, { subject: 'Our news' });
    for (let n = 0; n < copies && at < length; n++) {
      at += rng.exponential(2 * second);
      const mail = mailOf(rng, {
        from: `bounce+${n}@${self.helo}`,
        domain: 'isp.example',
        recipients: [`${person(rng)}${n}`],
        answer: () => (rng.chance(gone) ? 'unknown' : 'ok'),
        letter: { ...letter, id: `${n}.${letter.id}` },
      });
      yield self.at(rng.pick(inbound), at, [mail], { host: 'mx.isp.example' });
    }
  };
  const population = stale ? 'foreign newsletter, stale list' : 'foreign newsletter';
  return { sources: [truthOf(address, population, { own: false })], talks: talks() };
}

/** Tries passwords at the ISP's submission server. */
export function guesser(scene: Scene, address: string, tries: number): Actor {
  const { rng, ground, length } = scene;
  const ports = new Ports(rng);
  const gap = rng.spread(1, 60) * second;
  const talks = function* () {
    let at = rng.float() * Math.max(0, length - tries * gap);
    for (let n = 0; n < tries && at < length; n++) {
      at += rng.exponential(gap);
      yield talkOf({
        client: address,
        server: ground.infrastructure.at(3),
        start: at,
        clientPort: ports.next(),
        serverPort: 587,
        host: 'submit.isp.example',
        helo: 'user',
        manners: { ...manners.reader, quit: false },
        close: 'rst',
        login: {
          mechanism: 'LOGIN',
          lengths: Array.from({ length: rng.between(1, 3) }, () => 4 * rng.between(3, 12)),
          succeeds: false,
        },
      });
    }
  };
  const truth = truthOf(address, 'guesser', { guilt: 'guesser', own: false });
  return { sources: [truth], talks: talks() };
}

/** Asks the ISP's servers, and its customers', to relay; all refuse. */
export function prober(scene: Scene, address: string, servers: readonly string[]): Actor {
  const { rng, ground, length } = scene;
  const self = new Sender(scene, { address, helo: 'probe.example', manners: manners.patient });
  const talks = function* () {
    let at = rng.float() * Math.max(0, length - 30 * minute);
    for (const server of servers) {
      at += rng.exponential(40 * second);
      const mail = mailOf(rng, {
        from: 'test@probe.example',
        domain: ground.domains.all[0]!.name,
        recipients: ['relaytest'],
        answer: () => 'relaying',
      });
      yield self.at(server, at, [mail]);
    }
  };
  const truth = truthOf(address, 'prober', { guilt: 'prober', own: false });
  return { sources: [truth], talks: talks() };
}

/** Knocks at every address; few open, and those get bytes that are no SMTP, or nothing. */
export function scanner(scene: Scene, address: string, targets: readonly string[]): Actor {
  const { rng, inbound, length } = scene;
  const ports = new Ports(rng);
  const talks = function* (): Generator<Talk> {
    let at = rng.float() * length * 0.4;
    for (const server of targets) {
      at += rng.exponential(0.4 * second);
      const open = inbound.includes(server) || rng.chance(0.02);
      const kind = open
        ? rng.pick(['bare', 'binary'] as const)
        : rng.pick(['refused', 'silent'] as const);
      const port = ports.next();
      yield talkOf({ client: address, server, start: at, clientPort: port, kind, close: 'rst' });
    }
  };
  const truth = truthOf(address, 'scanner', { guilt: 'scanner', own: false });
  return { sources: [truth], talks: talks() };
}

/**
 * Makes an innocent look guilty: SYNs and the client's half of a bot's dialogue under its
 * address. The
 * servers' answers go to the innocent, which resets them.
 */
export function* framing(scene: Scene, victim: string, times: number): Generator<Talk> {
  const { rng, ground, length } = scene;
  const self = new Sender(scene, { address: victim, helo: '[0.0.0.0]', manners: manners.rushed });
  let at = rng.float() * length * 0.3;
  for (let n = 0; n < times && at < length; n++) {
    at += rng.exponential((length * 0.6) / times);
    const domain = ground.domains.even(rng);
    const mail = mailOf(rng, {
      from: `${person(rng)}@${ground.domains.even(rng).name}`,
      domain: domain.name,
      recipients: [person(rng)],
      answer: () => 'unknown',
    });
    const kind = n % 2 === 0 ? ('half' as const) : ('spoofed' as const);
    yield self.to(domain, at, [mail], { kind, close: 'rst' });
  }
}
