// Honest mail servers of the ISP and its customers: ordinary ones, newsletters with clean and stale
// lists, mailing lists, and servers that ask back whether a sender exists. Some are missing from
// the register; they behave as the others do.

import type { Domain } from './ground.js';
import { fates, mailOf, people, Sender } from './sender.js';
import {
  type Actor,
  arrivals,
  type Entry,
  hour,
  inOrder,
  letterOf,
  minute,
  person,
  type Scene,
  second,
  truthOf,
  withSequels,
} from './source.js';
import { manners, type Recipient, type Talk } from './talk.js';

/** Where an honest server stands. */
export interface Place {
  readonly address: string;
  readonly domain: string;
  /** Not in the register. */
  readonly missing: boolean;
}

function entered(scene: Scene, place: Place, more: Partial<Entry> = {}) {
  const role = more.role ?? 'registered';
  if (place.missing) return 'missing' as const;
  scene.register({
    cidr: `${place.address}/${place.address.includes(':') ? 128 : 32}`,
    operator: place.domain,
    role,
    domains: [place.domain],
    advertiser: false,
    ...more,
  });
  return role;
}

/** An ordinary server: people write to people, and get mail. */
export function ordinaryServer(scene: Scene, place: Place): Actor {
  const { rng, spread } = scene;
  const perHour = rng.spread(...spread.serverRate);
  const habits = {
    unknown: rng.share(rng.spread(...spread.unknown)),
    together: rng.spread(...spread.together),
    more: rng.chance(0.2) ? 1.2 : 0.33,
  };
  const self = new Sender(scene, {
    address: place.address,
    helo: `mail.${place.domain}`,
    tls: rng.spread(0.3, 0.95),
    manners: rng.chance(0.7) ? manners.server : manners.patient,
  });
  const register = entered(scene, place);
  const population = place.missing ? 'server, unregistered' : 'server';
  return {
    sources: [truthOf(place.address, population, { register })],
    talks: inOrder(
      withSequels(letters(scene, self, perHour, habits), retry(scene, self)),
      received(scene, place, perHour / 2),
    ),
  };
}

interface Habits {
  readonly unknown: number;
  readonly together: number;
  /** Mean recipients behind the first. */
  readonly more: number;
}

function* letters(scene: Scene, self: Sender, perHour: number, o: Habits): Generator<Talk> {
  const { rng, ground, length } = scene;
  for (const start of arrivals(rng, perHour / 1.3, length)) {
    const domain = ground.domains.any(rng);
    const count = 1 + rng.geometric(0.75, 4);
    const mails = Array.from({ length: count }, () => letter(scene, self, domain, o));
    yield self.to(domain, start, mails);
  }
}

function letter(scene: Scene, self: Sender, domain: Domain, o: Habits) {
  const { rng } = scene;
  const recipients = people(rng, 1 + rng.geometric(1 / (1 + o.more), 60));
  const fate = fates(rng, recipients.length, o.unknown, o.together);
  const from = rng.chance(0.04) ? '' : `${person(rng)}@${self.helo.replace(/^mail\./, '')}`;
  const later = domain.greylists ? 0.5 : 0.02;
  return mailOf(rng, {
    from,
    domain: domain.name,
    recipients,
    answer: (_, at) => (fate[at] === 'ok' && rng.chance(later) ? 'greylisted' : fate[at]!),
    final: rng.chance(0.015) ? 'content' : 'ok',
  });
}

/** What was deferred comes again after 15 to 60 minutes, and is taken then. */
function retry(scene: Scene, self: Sender): (talk: Talk) => Talk | null {
  const { rng, length } = scene;
  return (talk) => {
    const start = talk.start + 15 * minute + rng.int(45 * minute);
    if (talk.starttls || start > length) return null;
    if (talk.kind === 'silent' || talk.greeting !== 'ok') {
      return rng.chance(0.7)
        ? { ...talk, start, kind: 'smtp', greeting: 'ok' }
        : { ...talk, start };
    }
    const deferred = talk.mails.flatMap((mail) => {
      const recipients: Recipient[] = mail.recipients
        .filter(({ answer }) => answer === 'greylisted' || answer === 'busy')
        .map(({ to }) => ({ to, answer: 'ok' }));
      return recipients.length > 0 ? [{ ...mail, recipients }] : [];
    });
    if (deferred.length === 0) return null;
    return self.at(talk.server, start, deferred, { host: talk.host });
  };
}

/** Strangers' mail to a server, some of it to people who have left. */
export function* received(scene: Scene, place: Place, perHour: number): Generator<Talk> {
  const { rng, ground, length } = scene;
  const clients = ground.domains.all.slice(0, 40).map(
    (domain) =>
      new Sender(scene, {
        address: domain.servers[0]!,
        helo: `mx.${domain.name}`,
        tls: 0.7,
      }),
  );
  for (const start of arrivals(rng, perHour, length)) {
    const client = rng.pick(clients);
    yield client.at(
      place.address,
      start,
      [
        mailOf(rng, {
          from: `${person(rng)}@${client.helo.slice(3)}`,
          domain: place.domain,
          recipients: [person(rng)],
          answer: () => (rng.chance(0.03) ? 'unknown' : 'ok'),
        }),
      ],
      { host: `mail.${place.domain}` },
    );
  }
}

/** A newsletter: bursts of one message to one recipient each. Stale lists have many who left. */
export function newsletter(scene: Scene, place: Place, stale: boolean): Actor {
  const { rng, ground, length, spread } = scene;
  const gone = stale ? rng.spread(...spread.stale) : rng.spread(0.004, 0.02);
  const labelled = rng.chance(0.7);
  const register = entered(scene, place, { role: 'registered-bulk', advertiser: labelled });
  const self = new Sender(scene, {
    address: place.address,
    helo: `news.${place.domain}`,
    tls: rng.spread(0.2, 0.8),
  });
  const subjects = ['[QC] Uu dai cuoi tuan', '=?UTF-8?B?5bm/5ZGKIOWPjOWNgeS4gA==?=', 'AD: Offers'];
  const kind = stale ? 'newsletter, stale list' : 'newsletter';
  const talks = function* () {
    const issues = length >= 6 * hour ? rng.between(1, 2) : 1;
    for (let issue = 0; issue < issues; issue++) {
      const subject = labelled ? rng.pick(subjects) : 'Our offers of the week';
      let at = (length * (issue + rng.float() * 0.5)) / issues;
      const copies = Math.round(rng.spread(...spread.copies));
      const letter = letterOf(rng, 9000, { subject });
      for (let n = 0; n < copies && at < length; n++) {
        at += rng.exponential(rng.spread(0.15, 1.5) * second);
        const domain = ground.domains.even(rng);
        const name = `${person(rng)}${n}`;
        const mail = mailOf(rng, {
          from: `bounce+${issue}.${n}@news.${place.domain}`,
          domain: domain.name,
          recipients: [name],
          answer: () => (rng.chance(gone) ? 'unknown' : rng.chance(0.03) ? 'greylisted' : 'ok'),
          letter: { ...letter, id: `${issue}.${n}@news.${place.domain}` },
          final: rng.chance(0.01) ? 'content' : 'ok',
        });
        yield self.to(domain, at, [mail]);
      }
    }
  };
  return {
    sources: [truthOf(place.address, place.missing ? `${kind}, unregistered` : kind, { register })],
    talks: withSequels(talks(), retry(scene, self)),
  };
}

/**
 * A mailing list: what one member writes goes to all, the addresses of a domain in one session, or
 * in several where its mail server sends to so many at once.
 */
export function mailingList(scene: Scene, place: Place): Actor {
  const { rng, ground, length, spread } = scene;
  const register = entered(scene, place);
  const self = new Sender(scene, {
    address: place.address,
    helo: `lists.${place.domain}`,
    tls: rng.spread(0.2, 0.8),
  });
  const members = Array.from({ length: rng.between(20, 500) }, (_, at) => ({
    name: `${person(rng)}${at}`,
    domain: ground.domains.any(rng),
  }));
  const byDomain = new Map<Domain, string[]>();
  for (const { name, domain } of members) {
    byDomain.set(domain, [...(byDomain.get(domain) ?? []), name]);
  }
  const gone = rng.share(0.05);
  const together = rng.spread(...spread.together);
  const most = rng.pick([20, 50, 500]);
  const talks = function* () {
    let at = 0;
    for (const start of arrivals(rng, rng.spread(0.3, 3), length)) {
      const common = letterOf(rng, 6000);
      at = Math.max(at, start);
      for (const [domain, names] of byDomain) {
        const fate = fates(rng, names.length, gone, together);
        for (let first = 0; first < names.length; first += most) {
          at += rng.exponential(0.4 * second);
          const mail = mailOf(rng, {
            from: `list-bounces+${rng.int(9999)}@lists.${place.domain}`,
            domain: domain.name,
            recipients: names.slice(first, first + most),
            answer: (_, n) => fate[first + n]!,
            letter: common,
          });
          yield self.to(domain, at, [mail]);
        }
      }
    }
  };
  const population = place.missing ? 'mailing list, unregistered' : 'mailing list';
  return { sources: [truthOf(place.address, population, { register })], talks: talks() };
}

/** A server that asks the sender's domain whether the sender exists: null sender, RCPT, no DATA. */
export function callouts(scene: Scene, place: Place): Actor {
  const { rng, ground, length } = scene;
  const register = entered(scene, place);
  const self = new Sender(scene, { address: place.address, helo: `mail.${place.domain}` });
  const asked = function* () {
    for (const start of arrivals(rng, rng.spread(5, 120), length)) {
      const domain = ground.domains.any(rng);
      const mail = mailOf(rng, {
        from: '',
        domain: domain.name,
        recipients: [person(rng)],
        // Forged senders often do not exist.
        answer: () => (rng.chance(0.35) ? 'unknown' : 'ok'),
        letter: null,
      });
      yield self.to(domain, start, [mail]);
    }
  };
  const habits = { unknown: 0.03, together: 0.3, more: 0.33 };
  const population = place.missing ? 'callouts, unregistered' : 'callouts';
  return {
    sources: [truthOf(place.address, population, { register })],
    talks: inOrder(asked(), letters(scene, self, rng.spread(5, 60), habits)),
  };
}
