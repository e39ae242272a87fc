// Who asked, may they, and what did they fetch last. Each request is given its consumer before any
// handler runs. "Fetched" is all that this says: whether a list is enforced is seen on the wire.

import type { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import type { Holders, Taken } from '../../block/holders.js';
import { Problem } from './problem.js';
import type { Consumer, Scope, Tokens } from './tokens.js';

/** What a consumer did, as the API shows it. */
export interface Fetches {
  readonly name: string;
  requests: number;
  /** When it last had the list or its changes, microseconds since 1970; null: never. */
  fetched: number | null;
  /** The revision that it has since then. */
  revision: number | null;
  what: string;
}

/** What a request took of the list, as of which revision. */
export interface Fetch {
  /** By which way; a word. */
  readonly what: string;
  readonly taken: Taken;
  readonly revision: number;
}

/** Consumers that are told apart; later ones share the last place. */
const consumersMax = 1000;
/** Whoever is on this machine where no tokens are asked for. */
const local: Consumer = { name: 'local', scopes: new Set(['read', 'operate', 'records']) };
const others: Consumer = { name: 'public', scopes: new Set() };

export class Visitors {
  readonly #tokens: Tokens | null;
  readonly #holders: Holders;
  readonly #fetches = new Map<string, Fetches>();
  readonly #ofRequest = new WeakMap<FastifyRequest, Consumer>();
  readonly counters = { refused_token: 0, refused_scope: 0, refused_host: 0, refused_origin: 0 };

  /** Without tokens everybody who reaches the server may do everything: loopback only. */
  constructor(tokens: Tokens | null, holders: Holders) {
    this.#tokens = tokens;
    this.#holders = holders;
  }

  /** Lets a request in or throws a `Problem`; null: anybody may. */
  admit(request: FastifyRequest, scope: Scope | null): void {
    if (scope === 'operate') this.#checkOrigin(request);
    if (this.#tokens === null) {
      this.#checkHost(request);
      this.#ofRequest.set(request, local);
      return;
    }
    const consumer = this.#find(request, this.#tokens);
    this.#ofRequest.set(request, consumer ?? others);
    if (scope === null) return;
    if (consumer === null) {
      this.counters.refused_token += 1;
      throw new Problem('unauthorized', 'send a token as "Authorization: Bearer" or "X-Api-Key"');
    }
    const { scopes } = consumer;
    if (scopes.has(scope) || (scope === 'read' && scopes.has('operate'))) return;
    this.counters.refused_scope += 1;
    throw new Problem('forbidden', `the token "${consumer.name}" lacks the scope "${scope}"`);
  }

  /** Who made a request that was admitted. */
  of(request: FastifyRequest): Consumer {
    return this.#ofRequest.get(request) ?? others;
  }

  /** Notes that a consumer has the list, or a part of it, at the list's time `now`. */
  fetched(request: FastifyRequest, { what, taken, revision }: Fetch, now: number): void {
    const fetches = this.#at(this.of(request).name);
    fetches.requests += 1;
    fetches.fetched = now;
    fetches.revision = revision;
    fetches.what = what;
    this.#holders.note(fetches.name, taken, { revision, time: now });
  }

  get all(): readonly Fetches[] {
    return [...this.#fetches.values()];
  }

  #at(name: string): Fetches {
    const known = this.#fetches.get(name);
    if (known !== undefined) return known;
    const key = this.#fetches.size < consumersMax ? name : 'others';
    const fresh = { name: key, requests: 0, fetched: null, revision: null, what: '' };
    this.#fetches.set(key, fresh);
    return fresh;
  }

  #find(request: FastifyRequest, tokens: Tokens): Consumer | null {
    const token = tokenOf(request);
    if (token !== null) return tokens.find(token);
    const socket = request.raw.socket as Partial<TLSSocket>;
    if (socket.authorized !== true || socket.getPeerCertificate === undefined) return null;
    const { subject } = socket.getPeerCertificate();
    return typeof subject?.CN === 'string' ? tokens.named(subject.CN) : null;
  }

  /**
   * A page from elsewhere could send a form through the browser of whoever may change the list.
   * Browsers say where a request comes from; programs say nothing.
   */
  #checkOrigin({ headers }: FastifyRequest): void {
    const { origin, host } = headers;
    const site = headers['sec-fetch-site'];
    const isOurs =
      site === undefined
        ? origin === undefined || origin.replace(/^https?:\/\//, '') === host
        : site === 'same-origin' || site === 'none';
    if (isOurs) return;
    this.counters.refused_origin += 1;
    throw new Problem('forbidden', 'a page from elsewhere may change nothing here');
  }

  /**
   * Without tokens a web page could reach us through the browser of whoever sits at this machine,
   * under a name of its own that points here (DNS rebinding). It cannot choose the Host header.
   */
  #checkHost(request: FastifyRequest): void {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '');
    if (/^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i.test(host)) return;
    this.counters.refused_host += 1;
    throw new Problem('wrong-host', 'ask for localhost or a loopback address');
  }
}

/** A token from any of the places where consumers can put one. */
function tokenOf({ headers }: FastifyRequest): string | null {
  const key = headers['x-api-key'];
  if (typeof key === 'string' && key !== '') return key;
  const [scheme = '', value = ''] = (headers.authorization ?? '').split(' ');
  if (/^bearer$/i.test(scheme)) return value;
  if (!/^basic$/i.test(scheme)) return null;
  // Those who can only put a password into an address: user:token@host.
  const pair = Buffer.from(value, 'base64').toString('latin1');
  return pair.slice(pair.indexOf(':') + 1);
}
