// Decisions as CrowdSec's local API speaks them, so that its bouncers work unchanged. They hold no
// cursor: what each had last is kept here, per key and address, and every answer repeats the one
// before it, because nobody says whether that one arrived. Blocks only.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { ListChange, ListedEntry } from '../../block/entry.js';
import { EntryCursor } from '../../block/rows.js';
import type { Served } from './server.js';

const stepsMax = 50_000;
/** Bouncers whose last pull is remembered; one that was forgotten gets everything again. */
const pullsMax = 10_000;

const pull = Type.Object({
  startup: Type.Optional(Type.String({ maxLength: 5 })),
  scopes: Type.Optional(Type.String({ maxLength: 200 })),
  origins: Type.Optional(Type.String({ maxLength: 200 })),
  scenarios_containing: Type.Optional(Type.String({ maxLength: 200 })),
  scenarios_not_containing: Type.Optional(Type.String({ maxLength: 200 })),
});

const question = Type.Object({
  ip: Type.Optional(Type.String({ maxLength: 50 })),
  range: Type.Optional(Type.String({ maxLength: 50 })),
  type: Type.Optional(Type.String({ maxLength: 20 })),
  scope: Type.Optional(Type.String({ maxLength: 20 })),
  value: Type.Optional(Type.String({ maxLength: 50 })),
});

/** Revisions that a bouncer had with its last pull and with the one before. */
interface Pull {
  last: number;
  before: number;
}

export function addLapi(app: FastifyInstance, served: Served): void {
  const { list, visitors } = served;
  const pulls = new Map<string, Pull>();
  const tags = ['crowdsec'];
  app.route<{ Querystring: Static<typeof pull> }>({
    method: ['GET', 'HEAD'],
    url: '/v1/decisions/stream',
    exposeHeadRoute: false,
    schema: {
      tags,
      operationId: 'decisionsStream',
      summary: 'What is new and what is gone since the last pull of this key and address',
      querystring: pull,
    },
    handler: (request) => {
      const { startup, scopes } = request.query;
      const key = `${visitors.of(request).name} ${request.ip}`;
      const known = pulls.get(key);
      const { revision } = list;
      visitors.fetched(request, { what: 'crowdsec', taken: 'block', revision }, list.now);
      const steps =
        startup === 'true' || known === undefined || known.before > revision
          ? null
          : list.changesAfter(known.before, stepsMax);
      remember(pulls, key, { last: revision, before: steps === null ? revision : known!.last });
      const isMeant = scopeFilter(scopes);
      if (steps === null || steps.length >= stepsMax) {
        return { new: everything(served).filter(isMeant), deleted: [] };
      }
      const { fresh, gone } = outcome(steps, list.now);
      return { new: fresh.filter(isMeant), deleted: gone.filter(isMeant) };
    },
  });
  app.route<{ Querystring: Static<typeof question> }>({
    method: ['GET', 'HEAD'],
    url: '/v1/decisions',
    exposeHeadRoute: false,
    schema: {
      tags,
      operationId: 'decisions',
      summary: 'Decisions about an address or a range',
      querystring: question,
    },
    handler: (request, reply) => {
      const about = subjectOf(request);
      const { type } = request.query;
      if (type !== undefined && type !== 'ban') return reply.type('application/json').send('null');
      const found =
        about === null
          ? everything(served)
          : list
              .covering(about)
              .filter(({ action, held }) => action === 'block' && held !== true)
              .filter(({ scope }) => scope.dport.includes(25))
              .map((entry) => decision({ ...entry, rule: entry.rule?.id ?? 'manual' }, list.now));
      // CrowdSec says null where there is none.
      return found.length === 0 ? reply.type('application/json').send('null') : found;
    },
  });
}

function subjectOf(request: FastifyRequest<{ Querystring: Static<typeof question> }>) {
  const { ip, range, value } = request.query;
  return ip ?? range ?? value ?? null;
}

function remember(pulls: Map<string, Pull>, key: string, pull: Pull): void {
  pulls.delete(key);
  pulls.set(key, pull);
  const oldest = pulls.keys().next();
  if (pulls.size > pullsMax && oldest.done !== true) pulls.delete(oldest.value);
}

interface CrowdsecDecision {
  readonly id: number;
  readonly origin: string;
  readonly type: 'ban';
  readonly scope: 'Ip' | 'Range';
  readonly value: string;
  readonly duration: string;
  readonly scenario: string;
}

function scopeFilter(scopes: string | undefined): (decision: CrowdsecDecision) => boolean {
  if (scopes === undefined || scopes === '') return () => true;
  const wanted = scopes.toLowerCase().split(',');
  return ({ scope }) => wanted.includes(scope.toLowerCase());
}

function everything({ list }: Served): CrowdsecDecision[] {
  const cursor = new EntryCursor(list.snapshot());
  const found: CrowdsecDecision[] = [];
  while (cursor.next()) {
    if (cursor.action === 'block' && cursor.speaksOfMail)
      found.push(decision(cursor.keep(), list.now));
  }
  return found;
}

function outcome(steps: readonly ListChange[], now: number) {
  const latest = new Map<string, ListChange>();
  for (const step of steps) {
    const { action, scope, held } = step.entry;
    if (action === 'block' && scope.dport.includes(25) && held !== true)
      latest.set(step.entry.id, step);
  }
  const fresh: CrowdsecDecision[] = [];
  const gone: CrowdsecDecision[] = [];
  for (const { kind, entry } of latest.values()) {
    (kind === 'removed' ? gone : fresh).push(decision(entry, now));
  }
  return { fresh, gone };
}

type Short = Pick<ListedEntry, 'id' | 'cidr' | 'until' | 'rule'>;

function decision({ id, cidr, until, rule }: Short, now: number): CrowdsecDecision {
  const isHost = cidr.endsWith(cidr.includes(':') ? '/128' : '/32');
  return {
    // A number as large as a double holds exactly: 52 bits of the id's 80.
    id: Number.parseInt(id.slice(3, 16), 16),
    origin: 'mailweir',
    type: 'ban',
    scope: isHost ? 'Ip' : 'Range',
    value: isHost ? cidr.slice(0, cidr.indexOf('/')) : cidr,
    duration: goDuration((until ?? now) - now),
    scenario: rule,
  };
}

/** Microseconds as Go prints them: 3h58m15s. */
export function goDuration(micros: number): string {
  const seconds = Math.floor(Math.abs(micros) / 1e6);
  const sign = micros < 0 ? '-' : '';
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds % 60}s`;
  return minutes > 0 ? `${sign}${minutes}m${seconds % 60}s` : `${sign}${seconds % 60}s`;
}
