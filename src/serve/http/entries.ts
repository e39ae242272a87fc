// Entries one by one: views with evidence, and what people do to them. Every change is written to
// the disk, with who did it, before it is answered.

import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Entry } from '../../block/entry.js';
import { insideOf, pageOf } from '../../block/order.js';
import { ListError, type Refusal } from '../../block/wish.js';
import { entryView, receipt } from './entry-view.js';
import { Problem, type ProblemKind } from './problem.js';
import type { Served } from './server.js';
import { prefixOf } from './sources.js';

/** Entries that one answer looks at and gives; more are behind the cursor. */
const lookMax = 2000;
const pageMax = 500;
const wordsMax = 500;
/** A temporary allowance that is proposed after a wrong entry. */
const proposal = 30 * 86_400 * 1e6;

const kinds: Readonly<Record<Refusal, ProblemKind>> = {
  unknown: 'not-found',
  ended: 'gone',
  allowed: 'conflict',
  protected: 'conflict',
  full: 'unavailable',
  invalid: 'bad-request',
  exists: 'conflict',
  'not-yet': 'conflict',
};

const words = Type.String({ minLength: 1, maxLength: wordsMax });
const id = Type.String({ pattern: '^bl_[0-9a-f]{20}$' });
const withId = Type.Object({ id });
const end = {
  until: Type.Optional(Type.Union([Type.String({ maxLength: 40 }), Type.Null()])),
  for: Type.Optional(Type.Integer({ minimum: 1, description: 'seconds, instead of until' })),
};

const newEntry = Type.Object(
  {
    cidr: Type.String({ maxLength: 50 }),
    action: Type.Union([Type.Literal('block'), Type.Literal('limit'), Type.Literal('allow')]),
    owner: words,
    reason: words,
    ...end,
    ports: Type.Optional(
      Type.Array(Type.Union([25, 465, 587, 2525].map((port) => Type.Literal(port))), {
        minItems: 1,
        maxItems: 4,
      }),
    ),
    direction: Type.Optional(Type.Union([Type.Literal('in'), Type.Literal('out')])),
    rate: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    burst: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000 })),
    overrule: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

const filter = Type.Object({
  after: Type.Optional(Type.String({ maxLength: 60 })),
  order: Type.Optional(
    Type.Union([Type.Literal('id'), Type.Literal('newest'), Type.Literal('ending')]),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageMax })),
  action: Type.Optional(Type.String({ maxLength: 10 })),
  rule: Type.Optional(Type.String({ maxLength: 100 })),
  origin: Type.Optional(Type.String({ maxLength: 10 })),
  covers: Type.Optional(Type.String({ maxLength: 50 })),
  within: Type.Optional(Type.String({ maxLength: 50 })),
  appealed: Type.Optional(Type.Boolean()),
});

type Filter = Static<typeof filter>;

/** What a list refuses becomes a problem. */
export async function asked<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ListError) throw new Problem(kinds[error.refusal], error.message);
    throw error;
  }
}

export function addEntries(app: FastifyInstance, served: Served): void {
  const { list } = served;
  const view = (entry: Entry) => entryView(entry, served);
  app.get<{ Querystring: Filter }>(
    '/v1/entries',
    {
      schema: {
        tags: ['entries'],
        operationId: 'entries',
        summary: 'Entries with their evidence, in the order of their ids unless told otherwise',
        querystring: filter,
      },
    },
    (request) => page(served, request.query),
  );
  app.get<{ Params: { id: string } }>(
    '/v1/entries/:id',
    {
      schema: {
        tags: ['entries'],
        operationId: 'entry',
        summary: 'One entry, also for two months after it ended',
        params: withId,
      },
    },
    (request) => {
      const entry = list.entry(request.params.id);
      if (entry === undefined) throw new Problem('not-found', 'there is no such entry');
      return view(entry);
    },
  );
  addChangesByPeople(app, served);
  addReleases(app, served);
  addAppeals(app, served);
}

function page(served: Served, query: Filter): object {
  const { list } = served;
  const { after = '', limit = 100, order = 'id' } = query;
  if (order !== 'id' || query.within !== undefined) return orderedPage(served, query);
  const found: object[] = [];
  let looked = 0;
  let last: string | null = null;
  const source =
    query.covers === undefined ? list.entriesAfter(after) : list.covering(query.covers);
  for (const entry of source) {
    if (found.length >= limit || looked >= lookMax) {
      return { revision: list.revision, count: list.count, entries: found, next: last };
    }
    looked += 1;
    last = entry.id;
    if (fits(entry, query, served)) found.push(entryView(entry, served));
  }
  return { revision: list.revision, count: list.count, entries: found, next: null };
}

/** The same by an order of the list in memory; only the page itself is read from the disk. */
function orderedPage(served: Served, query: Filter): object {
  const { list } = served;
  const { after = '', limit = 100, order = 'newest', action, rule, origin } = query;
  const { appealed, within, covers } = query;
  const open = new Set(list.openAppeals.map(({ id }) => id));
  const inside = within === undefined ? null : insideOf(prefixOf(within));
  const around = covers === undefined ? null : new Set(list.covering(covers).map(({ id }) => id));
  const page = pageOf(list.snapshot(), {
    order: order === 'ending' ? 'ending' : 'newest',
    after,
    limit,
    fits: (entry) =>
      (action === undefined || entry.action === action) &&
      (rule === undefined || entry.rule === rule) &&
      (origin === undefined || entry.isManual === (origin === 'manual')) &&
      (appealed === undefined || open.has(entry.id) === appealed) &&
      (around === null || around.has(entry.id)) &&
      (inside === null || inside(entry)),
  });
  // The snapshot may be a moment older than the disk.
  const found = page.ids.map((id) => list.entry(id)).filter((entry) => entry !== undefined);
  const entries = found.filter(({ ended }) => ended === undefined);
  return {
    revision: list.revision,
    count: list.count,
    entries: entries.map((entry) => entryView(entry, served)),
    next: page.next,
  };
}

function fits(entry: Entry, query: Filter, { list }: Served): boolean {
  const { action, rule, origin, appealed } = query;
  return (
    (action === undefined || entry.action === action) &&
    (rule === undefined || (entry.rule?.id ?? 'manual') === rule) &&
    (origin === undefined || entry.origin === origin) &&
    (appealed === undefined || (list.appealOf(entry.id)?.state === 'open') === appealed)
  );
}

function addChangesByPeople(app: FastifyInstance, served: Served): void {
  const { list, visitors } = served;
  const view = (entry: Entry) => entryView(entry, served);
  const operate = { scope: 'operate' } as const;
  app.post<{ Body: Static<typeof newEntry> }>(
    '/v1/entries',
    {
      config: operate,
      schema: { tags: ['entries'], operationId: 'add', summary: 'Add one', body: newEntry },
    },
    async (request, reply) => {
      const { ports, direction, rate, burst, until, for: seconds, ...rest } = request.body;
      const scope = {
        ...(ports !== undefined && { dport: ports as number[] }),
        ...(direction !== undefined && { direction }),
        ...(rate !== undefined && { rate }),
        ...(burst !== undefined && { burst }),
      };
      const ends = endOf(until, seconds, list.now, rest.action === 'allow');
      const by = { name: visitors.of(request).name };
      const entry = await asked(list.add({ ...rest, scope, until: ends }, by));
      return reply.code(201).header('location', `/v1/entries/${entry.id}`).send(view(entry));
    },
  );
  app.patch<{ Params: { id: string }; Body: { until?: string | null; for?: number } }>(
    '/v1/entries/:id',
    {
      config: operate,
      schema: {
        tags: ['entries'],
        operationId: 'extend',
        summary: 'Give it another end',
        params: withId,
        body: Type.Object(end, { additionalProperties: false }),
      },
    },
    async (request) => {
      const { until, for: seconds } = request.body;
      const ends = endOf(until, seconds, list.now, until === null);
      const by = { name: visitors.of(request).name };
      return view(await asked(list.extend(request.params.id, ends, by)));
    },
  );
}

function addReleases(app: FastifyInstance, served: Served): void {
  const { list, visitors } = served;
  const view = (entry: Entry) => entryView(entry, served);
  app.post<{ Params: { id: string }; Body: { reason: string; wrong?: boolean } }>(
    '/v1/entries/:id/release',
    {
      config: { scope: 'operate' },
      schema: {
        tags: ['entries'],
        operationId: 'release',
        summary: 'Let somebody out; with wrong: it should never have been',
        params: withId,
        body: Type.Object(
          { reason: words, wrong: Type.Optional(Type.Boolean()) },
          { additionalProperties: false },
        ),
      },
    },
    async (request) => {
      const { reason, wrong = false } = request.body;
      const by = { name: visitors.of(request).name };
      const entry = await asked(list.release(request.params.id, { reason, wrong }, by));
      if (!wrong) return view(entry);
      const { cidr } = entry;
      const until = new Date((list.now + proposal) / 1000).toISOString();
      const allow = {
        cidr,
        action: 'allow',
        until,
        owner: by.name,
        reason: `${entry.id} was wrong`,
      };
      return { ...view(entry), proposal: allow };
    },
  );
}

function addAppeals(app: FastifyInstance, { list, visitors }: Served): void {
  app.post<{ Params: { id: string }; Body: { text?: string; contact?: string } }>(
    '/v1/entries/:id/appeal',
    {
      // Whoever is listed has no token.
      config: { scope: null, rateLimit: { max: 10, timeWindow: 60_000 } },
      schema: {
        tags: ['entries'],
        operationId: 'appeal',
        summary: 'Say that an entry is wrong; a person answers within a day',
        params: withId,
        body: Type.Object(
          {
            text: Type.Optional(Type.String({ maxLength: 2000 })),
            contact: Type.Optional(Type.String({ maxLength: 200 })),
          },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const { text = '', contact = '' } = request.body;
      const appeal = await asked(list.appeal(request.params.id, text, contact));
      return reply.code(202).send(receipt(appeal));
    },
  );
  app.post<{ Params: { id: string }; Body: { answer: string } }>(
    '/v1/entries/:id/uphold',
    {
      config: { scope: 'operate' },
      schema: {
        tags: ['entries'],
        operationId: 'uphold',
        summary: 'Answer an appeal: the entry stays',
        params: withId,
        body: Type.Object({ answer: words }, { additionalProperties: false }),
      },
    },
    async (request) => {
      const by = { name: visitors.of(request).name };
      return receipt(await asked(list.uphold(request.params.id, request.body.answer, by)));
    },
  );
  app.get(
    '/v1/appeals',
    {
      config: { scope: 'operate' },
      schema: { tags: ['entries'], operationId: 'appeals', summary: 'Appeals that wait' },
    },
    () => ({
      appeals: list.openAppeals.map((appeal) => ({
        ...receipt(appeal),
        rule: appeal.rule,
        text: appeal.text,
        contact: appeal.contact,
      })),
    }),
  );
}

/** The end of an entry in microseconds, from either way to say it; a day without. */
function endOf(
  until: string | null | undefined,
  seconds: number | undefined,
  now: number,
  isEndless: boolean,
): number | null {
  if (seconds !== undefined) return now + seconds * 1e6;
  if (typeof until === 'string') {
    const time = Date.parse(until);
    if (Number.isNaN(time))
      throw new Problem('bad-request', `until "${until}" is no RFC 3339 time`);
    return time * 1000;
  }
  return isEndless ? null : now + 86_400 * 1e6;
}
