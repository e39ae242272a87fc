// Homes and small offices without guilt: those who hand their mail to a submission server, and the
// hard cases that look guilty: devices that mail by themselves, programs that try an old password
// for ever, printers with strange names.

import type { Domain } from './ground.js';
import { mailOf, Sender } from './sender.js';
import {
  type Actor,
  arrivals,
  inOrder,
  letterOf,
  minute,
  Ports,
  person,
  type Scene,
  second,
  truthOf,
} from './source.js';
import { manners, type Talk, talkOf } from './talk.js';

/**
 * A home as it should be: one to three submission servers, a few mails a day, nearly all in TLS.
 */
export function home(scene: Scene, address: string): Actor {
  const { rng, length } = scene;
  return {
    sources: [truthOf(address, 'home')],
    talks: submissions(scene, address, rng.spread(0.5, 20), length),
  };
}

/** Submission sessions of a household with so many mails a day. */
export function* submissions(
  scene: Scene,
  address: string,
  perDay: number,
  length: number,
): Generator<Talk> {
  const { rng, ground } = scene;
  const providers = Array.from({ length: rng.between(1, 3) }, () => {
    const domain = ground.domains.all[rng.int(Math.min(12, ground.domains.all.length))]!;
    return rng.chance(0.4) ? ground.infrastructure.at(3) : domain.servers[0]!;
  });
  const ports = new Ports(rng);
  const clear = rng.chance(0.05);
  for (const start of arrivals(rng, perDay / 24, length)) {
    yield submission(scene, address, rng.pick(providers), { start, port: ports.next(), clear });
  }
}

/** One mail handed to a submission server. */
export function submission(
  scene: Scene,
  client: string,
  server: string,
  o: { start: number; port: number; clear: boolean },
): Talk {
  const { rng } = scene;
  const letter = letterOf(rng);
  const common = {
    client,
    server,
    start: o.start,
    clientPort: o.port,
    rtt: Math.round(rng.logNormal(20_000, 0.5)),
    host: 'smtp.provider.example',
    helo: rng.chance(0.5) ? `[192.168.1.${rng.between(2, 200)}]` : 'desktop',
    manners: manners.reader,
  };
  if (!o.clear && rng.chance(0.4)) {
    return talkOf({ ...common, kind: 'tls', serverPort: 465, sealed: [letter.bytes] });
  }
  if (!o.clear) {
    return talkOf({ ...common, serverPort: 587, starttls: true, sealed: [letter.bytes] });
  }
  const mail = mailOf(rng, {
    from: `${person(rng)}@provider.example`,
    domain: 'example.org',
    recipients: [person(rng)],
    answer: () => 'ok',
    letter,
  });
  const login = { mechanism: 'PLAIN', lengths: [32], succeeds: true } as const;
  return talkOf({ ...common, serverPort: 587, login, mails: [mail] });
}

/** A camera or disk box that mails its owner itself, to the servers of one or two providers. */
export function device(scene: Scene, address: string): Actor {
  const { rng, ground, spread, length } = scene;
  const owners = Array.from({ length: rng.between(1, 2) }, () => ({
    domain: rng.chance(0.7) ? ground.domains.all[rng.int(6)]! : ground.domains.any(rng),
    name: person(rng),
  }));
  const self = new Sender(scene, {
    address,
    helo: rng.pick(['localhost', 'DVR', 'diskstation', `[${address}]`, 'ipcam']),
    manners: manners.device,
  });
  // Some providers refuse whoever comes from a home; the device tries again with each alarm.
  const refused = rng.chance(0.3);
  const list = rng.int(2);
  const burst = rng.chance(0.4) ? 4 : 1;
  const mails = Math.round(rng.spread(...spread.deviceMails));
  const talks = function* () {
    for (const at of arrivals(rng, mails / burst / 24, length)) {
      for (let n = 0; n < burst; n++) {
        const start = at + n * 40 * second;
        for (const owner of owners) yield alarm(owner, start);
      }
    }
  };
  const alarm = (owner: { domain: Domain; name: string }, start: number) => {
    const rejected = refused && owner.domain.checks;
    const mail = mailOf(rng, {
      from: `${owner.name}@${owner.domain.name}`,
      domain: owner.domain.name,
      recipients: [owner.name],
      answer: () => (rejected ? 'listed' : 'ok'),
      letter: letterOf(rng, 30_000),
    });
    return self.to(owner.domain, start, [mail], { list });
  };
  return { sources: [truthOf(address, 'device')], talks: sorted(talks()) };
}

/** Restores the order of talks that are at most a few minutes out of it. */
function* sorted(talks: Iterable<Talk>): Generator<Talk> {
  const held: Talk[] = [];
  for (const talk of talks) {
    let at = held.length;
    while (at > 0 && held[at - 1]!.start > talk.start) at--;
    held.splice(at, 0, talk);
    while (held.length > 0 && held[0]!.start < talk.start - 10 * minute) yield held.shift()!;
  }
  yield* held;
}

/** A program with an old password: it fails every few minutes, all day, and nobody notices. */
export function stalePassword(scene: Scene, address: string): Actor {
  const { rng, ground, length } = scene;
  const ports = new Ports(rng);
  const server = rng.chance(0.5)
    ? ground.infrastructure.at(3)
    : ground.domains.all[rng.int(12)]!.servers[0]!;
  const every = rng.spread(3 * minute, 60 * minute);
  const lengths = Array.from({ length: rng.between(1, 3) }, () => 36);
  const loop = function* () {
    for (let at = rng.int(every); at < length; at += every * (0.98 + rng.float() * 0.04)) {
      yield talkOf({
        client: address,
        server,
        start: at,
        clientPort: ports.next(),
        serverPort: 587,
        host: 'smtp.provider.example',
        helo: 'laptop',
        manners: manners.reader,
        login: { mechanism: 'LOGIN', lengths, succeeds: false },
      });
    }
  };
  return {
    sources: [truthOf(address, 'stale password')],
    talks: inOrder(loop(), submissions(scene, address, 3, length)),
  };
}

/** An office whose printer and programs mail to the ISP's relay on port 25 under strange names. */
export function office(scene: Scene, address: string): Actor {
  const { rng, ground, length } = scene;
  const self = new Sender(scene, {
    address,
    helo: rng.pick(['MFP-3', 'BRN001BA9', 'printer.local', '[10.0.0.7]']),
    manners: manners.device,
  });
  const scans = function* () {
    for (const start of arrivals(rng, rng.spread(0.5, 3), length)) {
      const domain = ground.domains.any(rng);
      const mail = mailOf(rng, {
        from: `scanner@office${rng.int(9)}.example`,
        domain: domain.name,
        recipients: [person(rng)],
        answer: () => (rng.chance(0.02) ? 'unknown' : 'ok'),
        letter: letterOf(rng, 60_000),
      });
      yield self.at(ground.infrastructure.at(2), start, [mail], { host: 'relay.isp.example' });
    }
  };
  return {
    sources: [truthOf(address, 'office')],
    talks: inOrder(scans(), submissions(scene, address, 20, length)),
  };
}

/** Homes behind one address. */
export function sharedHomes(scene: Scene, address: string): Actor {
  const { ground, length } = scene;
  const homes = Array.from({ length: ground.sharing }, () =>
    submissions(scene, address, scene.rng.spread(0.5, 20), length),
  );
  return {
    sources: [truthOf(address, 'shared address', { others: ground.sharing })],
    talks: inOrder(...homes),
  };
}

/** A hobbyist's own server on a home line with a fixed address: honest, and in no register. */
export function hobbyServer(scene: Scene, address: string): Actor {
  const { rng, ground, length } = scene;
  const self = new Sender(scene, {
    address,
    helo: `mail.hobby${rng.int(999)}.example`,
    tls: rng.spread(0.3, 0.9),
  });
  const talks = function* () {
    for (const start of arrivals(rng, rng.spread(3, 40) / 24, length)) {
      const domain = ground.domains.any(rng);
      const later = domain.greylists && rng.chance(0.5);
      const mail = mailOf(rng, {
        from: `me@${self.helo.slice(5)}`,
        domain: domain.name,
        recipients: [person(rng)],
        answer: () => (rng.chance(0.03) ? 'unknown' : later ? 'greylisted' : 'ok'),
      });
      const talk = self.to(domain, start, [mail]);
      yield rng.chance(0.05) && domain.checks ? { ...talk, greeting: 'listed' as const } : talk;
    }
  };
  return { sources: [truthOf(address, 'hobby server')], talks: talks() };
}
