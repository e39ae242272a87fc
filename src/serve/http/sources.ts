// One source and what is known about it, who does most, and the register: what surrounds the list.
// The daemon gives it as plain data; here it is put beside the entries and findings.

import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Entry } from '../../block/entry.js';
import { insideOf, pageOf } from '../../block/order.js';
import { clearStrayBits, maskWord, Prefix, prefixText, readPrefix } from '../../lib/prefix.js';
import { entryView } from './entry-view.js';
import { Problem } from './problem.js';
import type { Served } from './server.js';

/** What the daemon knows beside the list; plain data, for the address or prefix that is given. */
export interface Surroundings {
  /** What the register and the address plan say of it. */
  readonly standing: (prefix: Prefix, time: number) => object;
  /** What it did lately; null: everybody together. */
  readonly activity: (prefix: Prefix | null) => object;
  /** Who did most of something, of a prefix or of all. */
  readonly talkers: (deed: Talk, limit: number, prefix: Prefix | null) => readonly object[];
  readonly register: (time: number, wish: { find: string; from: number; limit: number }) => object;
}

const talks = ['sessions', 'accepted', 'refused', 'vain'] as const;
export type Talk = (typeof talks)[number];

/** Ended entries that are looked through, the latest first, and shown. */
const endedLook = 5000;
const endedShown = 10;
const entriesShown = 50;
const findingsShown = 15;

const aboutQuery = Type.Object({ cidr: Type.String({ minLength: 2, maxLength: 50 }) });
const topQuery = Type.Object({
  by: Type.Optional(Type.Union(talks.map((talk) => Type.Literal(talk)))),
  within: Type.Optional(Type.String({ maxLength: 50 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
});
const registerQuery = Type.Object({
  find: Type.Optional(Type.String({ maxLength: 100 })),
  from: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
});

export function addSources(app: FastifyInstance, served: Served): void {
  const { list, around } = served;
  if (around === undefined) return;
  app.get<{ Querystring: Static<typeof aboutQuery> }>(
    '/v1/source',
    {
      schema: {
        tags: ['state'],
        operationId: 'source',
        summary: 'All about an address or prefix: standing, activity, entries, findings',
        querystring: aboutQuery,
      },
    },
    (request) => about(served, prefixOf(request.query.cidr)),
  );
  app.get<{ Querystring: Static<typeof topQuery> }>(
    '/v1/sources',
    {
      schema: {
        tags: ['state'],
        operationId: 'sources',
        summary: 'Who did most within two hours: sessions, accepted, refused, vain',
        querystring: topQuery,
      },
    },
    (request) => {
      const { by = 'sessions', within, limit = 20 } = request.query;
      const prefix = within === undefined ? null : prefixOf(within);
      return {
        by,
        activity: around.activity(prefix),
        sources: around.talkers(by as Talk, limit, prefix),
      };
    },
  );
  app.get<{ Querystring: Static<typeof registerQuery> }>(
    '/v1/register',
    {
      schema: {
        tags: ['state'],
        operationId: 'register',
        summary: 'The register as it is now, with what its clocks say',
        querystring: registerQuery,
      },
    },
    (request) => {
      const { find = '', from = 0, limit = 100 } = request.query;
      return around.register(list.now, { find, from, limit });
    },
  );
}

/** Reads what somebody asks about; bits behind its length do not count. */
export function prefixOf(text: string): Prefix {
  const prefix = new Prefix();
  if (!readPrefix(text, prefix)) {
    throw new Problem('bad-request', `"${text}" is no address and no prefix`);
  }
  clearStrayBits(prefix);
  return prefix;
}

function about(served: Served, prefix: Prefix): object {
  const { list, around } = served;
  const cidr = prefixText(prefix);
  const touches = touching(prefix);
  const view = (entry: Entry) => entryView(entry, served);
  const fits = insideOf(prefix);
  const page = pageOf(list.snapshot(), { order: 'newest', after: '', limit: entriesShown, fits });
  const inside = page.ids.map((id) => list.entry(id)).filter((entry) => entry !== undefined);
  const covering = list.covering(cidr);
  const ids = new Set(covering.map(({ id }) => id));
  const others = inside.filter(({ id, ended }) => ended === undefined && !ids.has(id));
  const entries = [...covering, ...others];
  const all = served.findings?.() ?? [];
  const findings = all.filter((finding) => touches(finding.cidr)).slice(-findingsShown);
  return {
    cidr,
    standing: around!.standing(prefix, list.now),
    activity: around!.activity(prefix),
    talkers: prefix.bits === 128 ? [] : around!.talkers('sessions', 20, prefix),
    entries: entries.slice(0, entriesShown).map(view),
    ended: endedOf(served, touches).map(view),
    findings: findings.reverse().map(({ event }) => event),
  };
}

/** Entries about it that left the list, the latest first. */
function endedOf({ list }: Served, touches: (cidr: string) => boolean): Entry[] {
  const found: Entry[] = [];
  let looked = 0;
  for (const entry of list.endedSince(0)) {
    if (touches(entry.cidr)) found.push(entry);
    if (++looked >= endedLook || found.length >= endedShown) break;
  }
  return found;
}

/** Whether a prefix covers the one that is asked about, or lies inside of it. */
function touching(prefix: Prefix): (cidr: string) => boolean {
  const other = new Prefix();
  return (cidr) => {
    if (!readPrefix(cidr, other) || other.isIpv4 !== prefix.isIpv4) return false;
    const bits = Math.min(prefix.bits, other.bits);
    return (
      ((prefix.w0 ^ other.w0) & maskWord(bits, 0)) === 0 &&
      ((prefix.w1 ^ other.w1) & maskWord(bits, 1)) === 0 &&
      ((prefix.w2 ^ other.w2) & maskWord(bits, 2)) === 0 &&
      ((prefix.w3 ^ other.w3) & maskWord(bits, 3)) === 0
    );
  };
}
