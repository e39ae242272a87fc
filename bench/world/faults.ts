// Those who break a rule of the registers rather than of good manners: advertisers whose labels or
// management codes are not in order, servers that mail outside of the dates they were registered
// for, and a server that takes forged mail first and bounces it to strangers later. Nobody of them
// is to be limited; their owners are to hear of it.

import { mailOf, Sender } from './sender.js';
import { ordinaryServer, type Place } from './servers.js';
import {
  type Actor,
  arrivals,
  type Code,
  hour,
  inOrder,
  letterOf,
  minute,
  person,
  type Scene,
  second,
  truthOf,
} from './source.js';
import type { Talk } from './talk.js';

/** What is wrong with an advertiser's labels; `none`: nothing. */
export const labelFaults = [
  'none',
  'missing',
  'withdrawn',
  'expired',
  'unknown',
  'another source',
] as const;
export type LabelFault = (typeof labelFaults)[number];

/** A declared advertiser with a management code of its own, or with what goes for one. */
export function advertiser(scene: Scene, place: Place, fault: LabelFault, n: number): Actor {
  const { rng, ground, length } = scene;
  const { address, domain: operator } = place;
  const sources = [`${address}/32`];
  scene.register({
    cidr: `${address}/32`,
    operator,
    role: 'registered-bulk',
    domains: [operator],
    advertiser: true,
  });
  const code = `Q${String.fromCharCode(65 + (n % 26))}${Math.floor(n / 26) % 10}1`;
  const codes: Record<LabelFault, readonly Code[]> = {
    none: [{ code, holder: operator, sources }],
    missing: [],
    withdrawn: [{ code, holder: operator, sources, withdrawn: '2023-06-30' }],
    expired: [{ code, holder: operator, sources, issued: '2020-06-01', expires: '2023-06-01' }],
    unknown: [],
    'another source': [{ code, holder: operator, sources: ['192.0.2.200/32'] }],
  };
  const subject = fault === 'missing' ? 'Our offers of the week' : `[QC ${code}] Uu dai`;
  const self = new Sender(scene, { address, helo: `news.${operator}`, tls: rng.spread(0.1, 0.6) });
  const talks = function* (): Generator<Talk> {
    const letter = letterOf(rng, 9000, { subject });
    const copies = Math.round(rng.spread(50, 400));
    let at = rng.float() * length * 0.5;
    for (let copy = 0; copy < copies && at < length; copy++) {
      at += rng.exponential(rng.spread(0.3, 2) * second);
      const domain = ground.domains.even(rng);
      const mail = mailOf(rng, {
        from: `bounce+${copy}@news.${operator}`,
        domain: domain.name,
        recipients: [`${person(rng)}${copy}`],
        answer: () => (rng.chance(0.01) ? 'unknown' : 'ok'),
        letter: { ...letter, id: `${copy}@news.${operator}` },
      });
      yield self.to(domain, at, [mail]);
    }
  };
  const guilt = fault === 'none' ? null : 'mislabelled';
  const population = fault === 'none' ? 'advertiser' : `advertiser, code ${fault}`;
  const truth = truthOf(address, population, { guilt, register: 'registered-bulk' });
  return { sources: [truth], talks: talks(), codes: codes[fault] };
}

/** An ordinary server that began before its start in the register, or goes on behind its end. */
export function outOfDates(scene: Scene, place: Place, how: 'early' | 'retired'): Actor {
  const dates =
    how === 'early'
      ? { filed: '2023-11-10', starts: '2024-01-15' }
      : { filed: '2021-01-10', starts: '2021-03-01', retires: '2023-06-30' };
  scene.register({
    cidr: `${place.address}/32`,
    operator: place.domain,
    role: 'registered',
    domains: [place.domain],
    advertiser: false,
    dates,
  });
  const { talks } = ordinaryServer(scene, { ...place, missing: true });
  const truth = { guilt: 'out-of-dates', register: 'registered' } as const;
  return { sources: [truthOf(place.address, `server, ${how}`, truth)], talks };
}

/**
 * A registered server that takes spam for people it does not have and then writes to the forged
 * senders that it could not be delivered, for some hours.
 */
export function backscatterer(scene: Scene, place: Place): Actor {
  const { rng, ground, length } = scene;
  scene.register({
    cidr: `${place.address}/32`,
    operator: place.domain,
    role: 'registered',
    domains: [place.domain],
    advertiser: false,
  });
  const self = new Sender(scene, { address: place.address, helo: `mail.${place.domain}` });
  const spammers = ground.domains.all
    .slice(40, 70)
    .map(({ servers, name }) => new Sender(scene, { address: servers[0]!, helo: `mx.${name}` }));
  const rate = rng.spread(120, 500);
  const lasts = Math.min(length / 2, rng.spread(1, 5) * hour);
  const begin = rng.float() * (length - lasts);
  const taken: { at: number; to: string; name: string }[] = [];
  for (let at = begin; at < begin + lasts; at += rng.exponential(hour / rate)) {
    taken.push({ at, to: person(rng), name: ground.domains.even(rng).name });
  }
  const into = function* (): Generator<Talk> {
    for (const { at, to, name } of taken) {
      const mail = mailOf(rng, {
        from: `${to}@${name}`,
        domain: place.domain,
        recipients: [person(rng)],
        answer: () => 'ok',
        letter: letterOf(rng, 2500),
      });
      yield rng.pick(spammers).at(place.address, at, [mail]);
    }
  };
  const out = function* (): Generator<Talk> {
    const domains = new Map(ground.domains.all.map((domain) => [domain.name, domain]));
    for (const { at, to, name } of taken) {
      const mail = mailOf(rng, {
        from: '',
        domain: name,
        recipients: [to],
        answer: () => (rng.chance(0.5) ? 'unknown' : 'ok'),
        letter: letterOf(rng, 4000),
      });
      yield self.to(domains.get(name)!, at + 0.2 * minute, [mail]);
    }
  };
  const own = function* (): Generator<Talk> {
    for (const start of arrivals(rng, 6, length)) {
      const domain = ground.domains.any(rng);
      const from = `${person(rng)}@${place.domain}`;
      const recipients = [person(rng)];
      const mail = mailOf(rng, { from, domain: domain.name, recipients, answer: () => 'ok' });
      yield self.to(domain, start, [mail]);
    }
  };
  const truth = truthOf(place.address, 'backscatter', {
    guilt: 'backscatter',
    register: 'registered',
  });
  return { sources: [truth], talks: inOrder(into(), out(), own()) };
}
