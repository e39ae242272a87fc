// Machines that send what their owners do not know of: fast and slow spam bots of several tongues,
// bots with a stolen password, harvesters, and those that hide: behind a clean list, behind a
// server's manners, behind a shared address.

import { submissions } from './homes.js';
import { mailOf, people, Sender } from './sender.js';
import {
  type Actor,
  arrivals,
  type Guilt,
  hour,
  inOrder,
  letterOf,
  minute,
  Ports,
  person,
  type Scene,
  second,
  truthOf,
} from './source.js';
import { type Answer, type Mail, type Manners, manners, type Talk, talkOf } from './talk.js';

interface Tongue {
  readonly manners: Manners;
  readonly helo: (address: string) => string;
}

/** How bots speak (detection.md 2.10) and what they call themselves (2.7). */
const tongues: readonly Tongue[] = [
  { manners: manners.rushed, helo: (a) => `${a.replaceAll(/[.:]/g, '-')}.dyn.isp.example` },
  { manners: manners.literal, helo: () => '[0.0.0.0]' },
  { manners: manners.literal, helo: (a) => `[${a.includes(':') ? `IPv6:${a}` : a}]` },
  { manners: manners.lower, helo: () => 'localhost' },
  { manners: manners.rushed, helo: () => 'ylmf-pc' },
  { manners: manners.literal, helo: () => 'user' },
];

export interface BotOptions {
  readonly address: string;
  readonly guilt: Guilt;
  readonly own?: boolean;
  /** Share of addresses that do not exist. */
  readonly fail: number;
  /** Messages an hour. */
  readonly rate: number;
  /** Messages after which it stops. */
  readonly most: number;
  /** Recipients of a message. */
  readonly recipients: number;
  /** Speaks as a mail server does. */
  readonly polite?: boolean;
  /** Rests for eight hours of the day. */
  readonly rests?: boolean;
  /** Share of destinations that already know it from a list. */
  readonly known?: number;
  /** Sends only to the ISP's own servers, as a stranger. */
  readonly inbound?: boolean;
  readonly others?: number;
  /** Instead of what its family calls itself. */
  readonly helo?: string;
}

/** A spam bot. */
export function bot(scene: Scene, o: BotOptions): Actor {
  const { rng, length } = scene;
  const tongue = o.polite
    ? { manners: manners.server, helo: () => `mail.${person(rng)}.example` }
    : rng.pick(tongues);
  const self = new Sender(scene, {
    address: o.address,
    helo: o.helo ?? tongue.helo(o.address),
    manners: tongue.manners,
  });
  const begin = rng.float() * Math.max(0, length - Math.min(length, (o.most / o.rate) * hour));
  const rest = rng.int(24);
  const talks = function* () {
    let sent = 0;
    for (let at = begin; at < length && sent < o.most; at += rng.exponential(hour / o.rate)) {
      if (o.rests && (at / hour + rest) % 24 < 8) continue;
      sent++;
      yield spam(scene, self, o, at);
    }
  };
  return {
    sources: [
      truthOf(o.address, o.guilt, {
        guilt: o.guilt,
        own: o.own ?? true,
        others: o.others ?? 0,
      }),
    ],
    talks: talks(),
  };
}

/** One session of a bot: the same text to some strangers of one domain. */
function spam(scene: Scene, self: Sender, o: BotOptions, start: number): Talk {
  const { rng, ground, inbound } = scene;
  const domain = ground.domains.even(rng);
  const name = o.inbound ? 'isp.example' : domain.name;
  const answer = (): Answer =>
    rng.chance(o.fail) ? 'unknown' : rng.chance(0.05) ? 'policy' : 'ok';
  const mail = mailOf(rng, {
    from: `${person(rng)}@${ground.domains.even(rng).name}`,
    domain: name,
    recipients: people(rng, o.recipients),
    answer,
    letter: letterOf(rng, 2200),
    final: rng.chance(0.15) ? 'content' : 'ok',
  });
  const mails: Mail[] = [mail];
  // The 2019 bot: refused, it comes again at once as somebody else.
  if (self.helo.endsWith('.dyn.isp.example') && mail.recipients.every((r) => r.answer !== 'ok')) {
    mails.push({ ...mail, from: `${person(rng)}@${ground.domains.even(rng).name}` });
  }
  const listed = domain.checks && rng.chance(o.known ?? 0.1);
  const more = {
    list: rng.int(4),
    close: rng.chance(0.5) ? ('rst' as const) : ('fin' as const),
    ...(listed ? { greeting: 'listed' as const } : {}),
  };
  if (o.inbound)
    return self.at(rng.pick(inbound), start, mails, { host: 'mx.isp.example', ...more });
  if (rng.chance(0.08)) return self.to(domain, start, [], { kind: 'silent' });
  return self.to(domain, start, mails, more);
}

/** A bot inside a household that shares its address with others who send clean mail. */
export function hiddenBot(scene: Scene, address: string, fail: number): Actor {
  const { ground, rng, length } = scene;
  const rate = rng.spread(30, 300);
  const inside = bot(scene, { address, guilt: 'bot-hidden', fail, rate, most: 800, recipients: 1 });
  const homes = Array.from({ length: ground.sharing - 1 }, () =>
    submissions(scene, address, rng.spread(0.5, 20), length),
  );
  return {
    sources: [truthOf(address, 'bot-hidden', { guilt: 'bot-hidden', others: ground.sharing - 1 })],
    talks: inOrder(inside.talks, ...homes),
  };
}

/** Goes from submission server to submission server with stolen passwords, in TLS. */
export function submissionBot(scene: Scene, address: string): Actor {
  const { rng, ground, spread, length } = scene;
  const ports = new Ports(rng);
  const visits = Math.round(rng.spread(...spread.submissions));
  const lasts = rng.spread(3, 12) * minute;
  const talks = function* () {
    let at = rng.float() * Math.max(0, length - lasts);
    for (let n = 0; n < visits; n++) {
      at += rng.exponential(lasts / visits);
      const domain = ground.domains.all[(n * 37) % ground.domains.all.length]!;
      const common = {
        client: address,
        server: domain.servers[0]!,
        start: at,
        clientPort: ports.next(),
        host: `smtp.${domain.name}`,
        helo: '[10.0.0.121]',
        manners: manners.reader,
      };
      if (rng.chance(0.2)) yield talkOf({ ...common, serverPort: 587, kind: 'silent' });
      else if (rng.chance(0.5)) {
        yield talkOf({ ...common, serverPort: 465, kind: 'tls', sealed: [rng.between(2e4, 9e4)] });
      } else {
        yield talkOf({
          ...common,
          serverPort: 587,
          starttls: true,
          sealed: [rng.between(2e4, 9e4)],
        });
      }
    }
  };
  const guilt = 'bot-submission';
  return { sources: [truthOf(address, guilt, { guilt })], talks: talks() };
}

/** Walks through made-up names at one domain and asks which exist; sends nothing. */
export function harvester(scene: Scene, address: string, own: boolean): Actor {
  const { rng, ground, spread, inbound, length } = scene;
  const domain = ground.domains.all.find((one) => !one.takesAll && !one.greylists)!;
  const self = new Sender(scene, {
    address,
    helo: rng.pick(['mail.corp.example', 'localhost', 'harvest']),
    manners: rng.chance(0.5) ? manners.patient : manners.literal,
  });
  const names = Math.round(rng.spread(...spread.guesses));
  const each = rng.between(1, 60);
  const gap = rng.spread(2, 20) * second;
  const target = own ? domain.name : 'isp.example';
  const found = rng.spread(0.01, 0.12);
  const from = rng.chance(0.5) ? '' : `${person(rng)}@corp.example`;
  const talks = function* () {
    let at = rng.float() * Math.max(0, length - (names / each) * gap);
    for (let n = 0; n < names && at < length; n += each) {
      const mail = mailOf(rng, {
        from,
        domain: target,
        recipients: Array.from({ length: Math.min(each, names - n) }, (_, i) => guess(n + i)),
        answer: () => (rng.chance(found) ? 'ok' : 'unknown'),
        letter: null,
      });
      yield own ? self.to(domain, at, [mail]) : self.at(rng.pick(inbound), at, [mail]);
      at += rng.exponential(gap);
    }
  };
  const guilt = 'harvester';
  return { sources: [truthOf(address, guilt, { guilt, own })], talks: talks() };
}

/** Many strangers that share a dictionary: each asks for a few names within the hour. */
export function harvestNet(scene: Scene, addresses: readonly string[]): Actor {
  const { rng, inbound, length } = scene;
  const lasts = Math.min(length, 50 * minute);
  const begin = rng.float() * (length - lasts);
  const talks: Talk[] = [];
  addresses.forEach((address, at) => {
    const self = new Sender(scene, {
      address,
      helo: 'mail.corp.example',
      manners: manners.patient,
    });
    for (let n = 0; n < 4; n++) {
      const mail = mailOf(rng, {
        from: `${person(rng)}@corp.example`,
        domain: 'isp.example',
        recipients: [guess(at * 4 + n)],
        answer: () => (rng.chance(0.05) ? 'ok' : 'unknown'),
        letter: null,
      });
      talks.push(self.at(rng.pick(inbound), begin + rng.float() * lasts, [mail]));
    }
  });
  talks.sort((one, other) => one.start - other.start);
  const guilt = 'harvester-net';
  return {
    sources: addresses.map((address) => truthOf(address, guilt, { guilt, own: false })),
    talks,
  };
}

const letters = 'abcdefghijklmnopqrstuvwxyz';

/** Names in the order of a dictionary. */
function guess(n: number): string {
  const letter = (place: number) => letters[Math.floor(n / place) % 26]!;
  return letter(676) + letter(26) + letter(1) + (n % 3 === 0 ? 'son' : 'er');
}

/** Many addresses of one /24, each sending little, all by the same pattern. */
export function snowshoe(scene: Scene, block: string, count: number): Actor {
  const { rng } = scene;
  const name = rng.pick(['mta#.best-deals.example', 'out#.news-club.example', 'm#.offer.example']);
  const actors = Array.from({ length: count }, (_, at) => {
    const address = `${block}.${at + 1}`;
    const perDay = rng.between(20, 150);
    const o: BotOptions = {
      address,
      guilt: 'snowshoe',
      own: false,
      fail: 0.55,
      rate: perDay / 20,
      most: perDay,
      recipients: 1,
      polite: true,
      inbound: true,
      helo: name.replace('#', String(at + 1)),
    };
    return bot({ ...scene }, o);
  });
  return {
    sources: actors.flatMap(({ sources }) => sources),
    talks: inOrder(...actors.map(({ talks }) => talks)),
  };
}

/** A mailbox of an honest, registered server in the hands of a stranger, for some hours. */
export function compromised(scene: Scene, address: string, most: number): Actor {
  const { rng, length } = scene;
  const self = new Sender(scene, { address, helo: 'mail.victim.example', tls: 0.3 });
  const rate = rng.spread(500, 3000);
  const lasts = Math.min(length / 2, rng.spread(1, 6) * hour);
  const fail = rng.spread(0.05, 0.3);
  const begin = rng.float() * (length - lasts);
  const o: BotOptions = { address, guilt: 'compromised', fail, rate, most, recipients: 3 };
  const flood = function* () {
    let sent = 0;
    for (let at = begin; at < begin + lasts && sent < most; sent++) {
      yield spam(scene, self, o, at);
      at += rng.exponential(hour / rate);
    }
  };
  const before = function* () {
    for (const start of arrivals(rng, rng.spread(10, 60), length)) {
      const domain = scene.ground.domains.any(rng);
      const mail = mailOf(rng, {
        from: `${person(rng)}@victim.example`,
        domain: domain.name,
        recipients: [person(rng)],
        answer: () => (rng.chance(0.03) ? 'unknown' : 'ok'),
      });
      yield self.to(domain, start, [mail]);
    }
  };
  scene.register({
    cidr: `${address}/32`,
    operator: 'Victim Ltd',
    role: 'registered',
    domains: ['victim.example'],
    advertiser: false,
  });
  const truth = { guilt: 'compromised', register: 'registered' } as const;
  return {
    sources: [truthOf(address, 'compromised', truth)],
    talks: inOrder(before(), flood()),
  };
}
