// One address that opens connections to mail domains: puts talks together and lets the destination
// have its say (outages, domains that take everything). Behaviours say what they send and to whom.

import type { Rng } from '../generate/rng.js';
import type { Domain, Ground } from './ground.js';
import { letterOf, Ports, person, type Scene } from './source.js';
import {
  type Answer,
  type Letter,
  type Mail,
  type Manners,
  manners,
  type Talk,
  talkOf,
} from './talk.js';

export interface SenderOptions {
  readonly address: string;
  readonly helo: string;
  readonly manners?: Manners;
  /** Share of sessions that use STARTTLS. */
  readonly tls?: number;
}

export class Sender {
  readonly address: string;
  readonly helo: string;
  readonly rng: Rng;
  readonly #ground: Ground;
  readonly #manners: Manners;
  readonly #tls: number;
  readonly #ports: Ports;

  constructor(scene: Scene, o: SenderOptions) {
    this.address = o.address;
    this.helo = o.helo;
    this.rng = scene.rng;
    this.#ground = scene.ground;
    this.#manners = o.manners ?? manners.server;
    this.#tls = o.tls ?? 0;
    this.#ports = new Ports(scene.rng);
  }

  /** A connection to one of the servers of a domain. */
  to(domain: Domain, start: number, mails: readonly Mail[], more: Partial<Talk> = {}): Talk {
    const server = this.rng.pick(domain.servers);
    const outage = this.#ground.domains.outage(domain, start);
    const talk = this.at(server, start, mails, { host: `mx.${domain.name}`, ...more });
    if (outage === 'silent') return { ...talk, kind: 'silent' };
    if (outage === 'down') return { ...talk, greeting: 'down' };
    return { ...talk, mails: mails.map((mail) => heard(mail, domain, outage === 'amnesia')) };
  }

  /** A connection to a server by its address. */
  at(server: string, start: number, mails: readonly Mail[], more: Partial<Talk> = {}): Talk {
    const starttls = this.rng.chance(this.#tls);
    return talkOf({
      client: this.address,
      server,
      clientPort: this.#ports.next(),
      start,
      rtt: Math.round(Math.min(300_000, this.rng.logNormal(24_000, 0.7))),
      helo: this.helo,
      manners: this.#manners,
      mails,
      ...(starttls ? { starttls, sealed: mails.map((mail) => mail.letter?.bytes ?? 900) } : {}),
      ...more,
    });
  }
}

/** A mail as a domain answers it. */
function heard(mail: Mail, domain: Domain, amnesia: boolean): Mail {
  if (!domain.takesAll && !amnesia) return mail;
  const recipients = mail.recipients.map(({ to, answer }) => {
    if (amnesia) return { to, answer: 'unknown' as const };
    return { to, answer: answer === 'unknown' ? ('ok' as const) : answer };
  });
  return { ...mail, recipients };
}

export interface MailOptions {
  readonly from: string;
  readonly domain: string;
  readonly recipients: readonly string[];
  readonly answer: (to: string, at: number) => Answer;
  readonly letter?: Letter | null;
  readonly final?: Answer;
}

/** A mail to people of one domain, given by their local parts. */
export function mailOf(rng: Rng, o: MailOptions): Mail {
  return {
    from: o.from,
    answer: 'ok',
    recipients: o.recipients.map((name, at) => ({
      to: `${name}@${o.domain}`,
      answer: o.answer(name, at),
    })),
    letter: o.letter === undefined ? letterOf(rng) : o.letter,
    final: o.final ?? 'ok',
  };
}

/** Answers to the recipients of one message: of `share` unknown, and that much `together`. */
export function fates(rng: Rng, count: number, share: number, together: number): Answer[] {
  const common = rng.chance(together);
  const first = rng.chance(share);
  return Array.from({ length: count }, (_, at) => {
    const unknown = common || at === 0 ? first : rng.chance(share);
    return unknown ? 'unknown' : 'ok';
  });
}

/** Different people of a domain; `n` of them. */
export function people(rng: Rng, n: number): string[] {
  return Array.from({ length: n }, (_, at) => `${person(rng)}${at > 0 ? at : ''}`);
}
