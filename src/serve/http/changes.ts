// What changed since: once by a cursor that the client holds, or for ever as server-sent events
// (WHATWG HTML, section 9.2). A cursor that is too old is told so, and starts over with a document.

import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { ListChange } from '../../block/entry.js';
import { shortView } from './entry-view.js';
import { Problem } from './problem.js';
import type { Served } from './server.js';

/** Steps of one answer; who is further behind takes a document. */
const stepsMax = 50_000;
const streamsMax = 64;
/** A reader that lets more than this wait is dropped; it comes back with its cursor. */
const waitingMax = 1024 ** 2;
const heartbeat_ms = 15_000;

const query = Type.Object({
  since: Type.Integer({ minimum: 0 }),
  action: Type.Optional(
    Type.Union([Type.Literal('block'), Type.Literal('limit'), Type.Literal('all')]),
  ),
});

export function addChanges(app: FastifyInstance, served: Served): void {
  const { list, visitors } = served;
  app.get<{ Querystring: Static<typeof query> }>(
    '/v1/blocklist/delta',
    {
      schema: {
        tags: ['list'],
        operationId: 'delta',
        summary: 'What changed since a revision; 410: start over with a document',
        querystring: query,
      },
    },
    (request) => {
      const { since, action = 'block' } = request.query;
      const { revision } = list;
      const steps = since > revision ? null : list.changesAfter(since, stepsMax + 1);
      if (steps === null || steps.length > stepsMax) {
        throw new Problem('gone', `revision ${since} is not kept; start over with a document`);
      }
      visitors.fetched(request, { what: 'delta', taken: action, revision }, list.now);
      return { revision, ...sumOf(steps.filter((step) => isMeant(step, action))) };
    },
  );
  app.get<{ Querystring: Partial<Static<typeof query>> }>(
    '/v1/blocklist/stream',
    {
      config: { rateLimit: { max: 30, timeWindow: 60_000 } },
      schema: {
        tags: ['list'],
        operationId: 'stream',
        summary: 'Changes as server-sent events; the id of an event is the revision',
        querystring: Type.Partial(query),
      },
    },
    (request, reply) => {
      if (served.counters.streams >= streamsMax) {
        throw new Problem('unavailable', `there are ${streamsMax} streams already`);
      }
      const last = request.headers['last-event-id'];
      const since = Number(last ?? request.query.since ?? list.revision);
      const action = request.query.action ?? 'block';
      reply.hijack();
      const stream = new Stream(reply.raw, served, action, (revision) =>
        visitors.fetched(request, { what: 'stream', taken: action, revision }, list.now),
      );
      stream.open(since);
    },
  );
}

/** The outcome of steps: one row an entry, whatever happened in between. */
function sumOf(steps: readonly ListChange[]): { added: object[]; removed: object[] } {
  const latest = new Map<string, ListChange>();
  for (const step of steps) latest.set(step.entry.id, step);
  const all = [...latest.values()];
  return {
    added: all.filter(({ kind }) => kind !== 'removed').map(({ entry }) => shortView(entry)),
    removed: all
      .filter(({ kind }) => kind === 'removed')
      .map(({ entry: { id, cidr } }) => ({ id, cidr })),
  };
}

/**
 * As documents: entries about port 25, because no reader is told of another one, and none that is
 * held back: when a person accepts it, it is a change.
 */
function isMeant({ entry }: ListChange, action: 'block' | 'limit' | 'all'): boolean {
  if (!entry.scope.dport.includes(25) || entry.held === true) return false;
  return entry.action === action || (action === 'all' && entry.action !== 'allow');
}

/** One reader of the stream. */
class Stream {
  readonly #to: ServerResponse;
  readonly #served: Served;
  readonly #action: 'block' | 'limit' | 'all';
  readonly #fetched: (revision: number) => void;
  #beat: NodeJS.Timeout | undefined;
  #stop: () => void = () => {};

  constructor(
    to: ServerResponse,
    served: Served,
    action: 'block' | 'limit' | 'all',
    fetched: (revision: number) => void,
  ) {
    this.#to = to;
    this.#served = served;
    this.#action = action;
    this.#fetched = fetched;
  }

  open(since: number): void {
    const { list, counters } = this.#served;
    counters.streams += 1;
    this.#to.socket?.setTimeout(0);
    this.#to.on('close', () => {
      counters.streams -= 1;
      clearInterval(this.#beat);
      this.#stop();
    });
    this.#to.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const { snapshot, stop } = list.follow((changes) => this.#tell(changes));
    this.#stop = stop;
    const missed =
      since > snapshot.revision || !Number.isInteger(since)
        ? null
        : list.changesAfter(since, stepsMax);
    if (missed === null) this.#event('reset', snapshot.revision, { revision: snapshot.revision });
    else {
      this.#event('hello', since, { revision: list.revision });
      this.#tell(missed);
    }
    this.#beat = setInterval(() => this.#write(': still here\n\n'), heartbeat_ms);
  }

  #tell(changes: readonly ListChange[]): void {
    for (const change of changes) {
      const { kind, revision, entry } = change;
      if (!isMeant(change, this.#action)) continue;
      const data = kind === 'removed' ? { id: entry.id, cidr: entry.cidr } : shortView(entry);
      this.#event(kind === 'removed' ? 'removed' : 'added', revision, data);
    }
    const last = changes.at(-1);
    if (last !== undefined) this.#fetched(last.revision);
  }

  #event(name: string, revision: number, data: object): void {
    this.#write(`event: ${name}\nid: ${revision}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #write(text: string): void {
    if (this.#to.destroyed) return;
    if (this.#to.writableLength > waitingMax) {
      this.#served.counters.streams_dropped += 1;
      this.#to.destroy();
      return;
    }
    this.#to.write(text);
  }
}
