// How the daemon does: alive, ready, what the API is, who fetched what, and the audit trail.

import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { moment } from './entry-view.js';
import type { Served } from './server.js';

const auditPage = 1000;

export function addStates(app: FastifyInstance, served: Served): void {
  addHealth(app, served);
  addConsumers(app, served);
  addAudit(app, served);
  addRules(app, served);
  addMetrics(app, served);
}

function addMetrics(app: FastifyInstance, { metrics }: Served): void {
  if (metrics === undefined) return;
  app.get(
    '/metrics',
    {
      schema: {
        tags: ['state'],
        operationId: 'metrics',
        summary: 'Metrics as Prometheus text, or as OpenMetrics where that is accepted',
      },
    },
    async (request, reply) => {
      const { type, text } = await metrics(request.headers.accept ?? '');
      return reply.header('content-type', type).send(text);
    },
  );
}

function addHealth(app: FastifyInstance, served: Served): void {
  const { list } = served;
  const open = { config: { scope: null } } as const;
  app.get(
    '/healthz',
    { ...open, schema: { tags: ['state'], operationId: 'healthz', summary: 'Alive' } },
    () => ({ status: 'ok' }),
  );
  app.get(
    '/readyz',
    { ...open, schema: { tags: ['state'], operationId: 'readyz', summary: 'Ready' } },
    (_, reply) => {
      const problems = [...served.unready()];
      if (!list.isSound) problems.push('the list cannot be written');
      if (list.heldFrom !== null) problems.push('new entries wait for a person');
      void reply.code(problems.length === 0 ? 200 : 503);
      return { status: problems.length === 0 ? 'ready' : 'not ready', problems };
    },
  );
  app.get('/openapi.json', { ...open, schema: { hide: true } }, () => app.swagger());
}

function addConsumers(app: FastifyInstance, served: Served): void {
  const { list } = served;
  app.get(
    '/v1/consumers',
    {
      schema: {
        tags: ['state'],
        operationId: 'consumers',
        summary: 'Who fetched the list, when, how far behind each is, and what the wire shows',
      },
    },
    () => ({ revision: list.revision, consumers: consumersOf(served) }),
  );
}

function consumersOf({ list, visitors, seen }: Served): object[] {
  const shown = seen?.consumers() ?? {};
  const asked = visitors.all.map(({ name, requests, fetched, revision, what }) => ({
    ...{ name, requests, fetched_at: moment(fetched), revision },
    behind: revision === null ? null : Math.max(0, list.revision - revision),
    ...{ what, seen: shown[name] ?? null },
  }));
  // Who has the list without asking: this box's kernel.
  const given = list.holders.all
    .filter(({ name }) => asked.every((one) => one.name !== name))
    .map(({ name, revision, time }) => ({
      ...{ name, requests: 0, fetched_at: moment(time), revision },
      behind: Math.max(0, list.revision - revision),
      ...{ what: 'enforced here', seen: shown[name] ?? null },
    }));
  return [...asked, ...given];
}

function addAudit(app: FastifyInstance, { list, visitors }: Served): void {
  app.get<{ Querystring: { from?: number } }>(
    '/v1/audit',
    {
      config: { scope: 'operate' },
      schema: {
        tags: ['state'],
        operationId: 'audit',
        summary: 'The audit trail, each record sealed with the hash of the one before',
        querystring: Type.Object({ from: Type.Optional(Type.Integer({ minimum: 1 })) }),
      },
    },
    (request) => {
      const records = list.auditFrom(request.query.from ?? 1, auditPage);
      const last = records.at(-1)?.sequence ?? 0;
      return {
        length: list.auditLength,
        next: last < list.auditLength && last > 0 ? last + 1 : null,
        records: records.map(({ time, ...rest }) => ({ ...rest, time: moment(time) })),
      };
    },
  );
  app.post(
    '/v1/blocklist/accept',
    {
      config: { scope: 'operate' },
      schema: {
        tags: ['list'],
        operationId: 'accept',
        summary: 'Publish new entries that were held back because the list grew too fast',
      },
    },
    async (request) => {
      await list.accept({ name: visitors.of(request).name });
      return { revision: list.revision };
    },
  );
}

function addRules(app: FastifyInstance, { list, visitors }: Served): void {
  app.get(
    '/v1/rules',
    {
      schema: {
        tags: ['state'],
        operationId: 'rulesQuality',
        summary: 'How rules did: wrong entries, and which only observe because of them',
      },
    },
    () => ({
      rules: [...list.quality].map(([id, { wrong, wrongSeconds, demoted }]) => ({
        id,
        wrong,
        wrong_seconds: Math.round(wrongSeconds),
        observes_since: moment(demoted),
      })),
    }),
  );
  app.post<{ Params: { rule: string } }>(
    '/v1/rules/:rule/restore',
    {
      config: { scope: 'operate' },
      schema: { tags: ['state'], operationId: 'restoreRule', summary: 'Let a rule act again' },
    },
    async (request) => {
      await list.restoreRule(request.params.rule, { name: visitors.of(request).name });
      return { rule: request.params.rule };
    },
  );
}
