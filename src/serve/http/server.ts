// The HTTP server: what every request passes, and where routes come from. It knows the block list,
// and documents by the interface in `documents.ts`; nothing in it takes longer than a look-up.

import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import rateLimit from '@fastify/rate-limit';
import { type FastifyInstance, type FastifyServerOptions, fastify } from 'fastify';
import type { BlockList } from '../../block/list.js';
import { Histogram } from '../../lib/histogram.js';
import { addAppealPage } from './appeal-page.js';
import { addChanges } from './changes.js';
import { addConsole } from './console.js';
import { addDescription } from './description.js';
import { addDocuments, type Documents } from './documents.js';
import { addEntries } from './entries.js';
import { addFindings, type Finding } from './findings.js';
import { addLapi } from './lapi.js';
import { kindOf, Problem, sendProblem } from './problem.js';
import { addSources, type Surroundings } from './sources.js';
import { addState, type DaemonState } from './state.js';
import { addStates } from './states.js';
import type { Scope, Tokens } from './tokens.js';
import { Visitors } from './visitors.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Scope that a route asks for, `read` without it; null: anybody may. */
    scope?: Scope | null;
  }
}

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Whoever connects must show a certificate of this authority. */
  readonly client_ca?: string | undefined;
}

/** What the wire shows of entries, as plain data. */
export interface SeenOnWire {
  /** Of one entry; undefined where it is not watched. */
  entry(id: string): object | undefined;
  /** Of the entries of each consumer since it had them, by its name. */
  consumers(): Readonly<Record<string, object>>;
}

export interface HttpOptions {
  readonly list: BlockList;
  readonly documents: Documents;
  /** null: everybody who reaches the server may do everything; loopback only. */
  readonly tokens: Tokens | null;
  readonly tls?: TlsFiles | undefined;
  /** Requests a minute of one consumer or address; those from this machine are not counted. */
  readonly ratePerMinute: number;
  readonly appeal: { readonly url?: string | undefined; readonly contact?: string | undefined };
  readonly version: string;
  /** The metrics for whoever scrapes, by what the request accepts. */
  readonly metrics?: ((accept: string) => Promise<{ type: string; text: string }>) | undefined;
  /** What the wire shows, where anybody looks. */
  readonly seen?: SeenOnWire | undefined;
  /** The latest alerts, the oldest first. */
  readonly findings?: (() => readonly Finding[]) | undefined;
  /** What the daemon says of itself at this moment. */
  readonly state?: (() => DaemonState) | undefined;
  /** What surrounds the list: register, activity. */
  readonly around?: Surroundings | undefined;
  /** Why the daemon is not ready, one line each; empty: it is. */
  readonly unready: () => readonly string[];
  /** An error of ours, for the log. */
  readonly trouble: (error: unknown) => void;
}

/** What handlers work with. */
export interface Served extends HttpOptions {
  readonly visitors: Visitors;
  readonly counters: HttpCounters;
  readonly responses: Responses;
}

/** Responses by class of their status, and seconds until they were sent; streams have no end. */
export interface Responses {
  readonly status: Record<(typeof statusClasses)[number], number>;
  readonly took: Histogram;
}

const statusClasses = ['2xx', '3xx', '4xx', '5xx'] as const;
const tookBounds_s = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** What the server counts. */
export interface HttpCounters {
  requests: number;
  unchanged: number;
  refused: number;
  refused_rate: number;
  refused_size: number;
  failed: number;
  /** Connections that asked nothing whole in time, or what was no HTTP. */
  dropped: number;
  streams: number;
  streams_dropped: number;
}

/** A request has to be there within this time, head and body. */
const headers_ms = 5000;
const request_ms = 10_000;
/** A connection on which nothing moves is closed. */
const idle_ms = 30_000;
const bodyMax = 64 * 1024;
const connectionsMax = 2048;

export class HttpServer {
  readonly #app: FastifyInstance;
  readonly served: Served;

  private constructor(app: FastifyInstance, served: Served) {
    this.#app = app;
    this.served = served;
  }

  static async make(options: HttpOptions): Promise<HttpServer> {
    const app = fastify(serverOptions(options.tls)) as unknown as FastifyInstance;
    const counters: HttpCounters = {
      requests: 0,
      unchanged: 0,
      refused: 0,
      refused_rate: 0,
      refused_size: 0,
      failed: 0,
      dropped: 0,
      streams: 0,
      streams_dropped: 0,
    };
    const responses: Responses = {
      status: { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
      took: new Histogram(tookBounds_s),
    };
    const visitors = new Visitors(options.tokens, options.list.holders);
    const served: Served = { ...options, visitors, counters, responses };
    app.server.maxConnections = connectionsMax;
    app.server.on('clientError', () => {
      counters.dropped += 1;
    });
    await addCommon(app, served);
    await app.register(async (part) => {
      addDocuments(part, served);
      addChanges(part, served);
      addEntries(part, served);
      addLapi(part, served);
      addFindings(part, served);
      addStates(part, served);
      addState(part, served);
      addSources(part, served);
      addAppealPage(part, served);
      addConsole(part);
    });
    return new HttpServer(app, served);
  }

  /** The framework's server, for those who add routes of their own before `listen`. */
  get app(): FastifyInstance {
    return this.#app;
  }

  /** Listens; gives the port. Rejects with Node's own error. */
  async listen(host: string, port: number): Promise<number> {
    await this.#app.listen({ host, port });
    return (this.#app.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    // Streams would go on for ever.
    this.#app.server.closeAllConnections();
    await this.#app.close();
  }
}

function serverOptions(tls: TlsFiles | undefined): FastifyServerOptions {
  // Node looks for late ones every 30 s unless told otherwise.
  const times = { headersTimeout: headers_ms, connectionsCheckingInterval: headers_ms / 2 };
  const base = {
    logger: false,
    bodyLimit: bodyMax,
    connectionTimeout: idle_ms,
    requestTimeout: request_ms,
    keepAliveTimeout: idle_ms,
    http: times,
    routerOptions: { maxParamLength: 100 },
    ajv: { customOptions: { coerceTypes: 'array', removeAdditional: false } },
    forceCloseConnections: true,
  } as const;
  if (tls === undefined) return base as unknown as FastifyServerOptions;
  const https = {
    ...times,
    cert: readFileSync(tls.cert),
    key: readFileSync(tls.key),
    minVersion: 'TLSv1.2',
    ...(tls.client_ca !== undefined && {
      ca: readFileSync(tls.client_ca),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  };
  return { ...base, https } as unknown as FastifyServerOptions;
}

/** What every request passes: the door, the rate, headers, and how errors are told. */
async function addCommon(app: FastifyInstance, served: Served): Promise<void> {
  const { counters, responses, visitors, ratePerMinute } = served;
  await addDescription(app, served);
  app.addHook('onRequest', async (request) => {
    counters.requests += 1;
    const { scope } = request.routeOptions.config;
    const isOpen = scope === null || request.routeOptions.url?.startsWith('/docs') === true;
    visitors.admit(request, isOpen ? null : (scope ?? 'read'));
  });
  await app.register(rateLimit, {
    max: ratePerMinute,
    timeWindow: 60_000,
    cache: 10_000,
    allowList: (request) => isLoopback(request.ip),
    keyGenerator: (request) => `${visitors.of(request).name} ${request.ip}`,
    errorResponseBuilder: () => {
      counters.refused_rate += 1;
      return new Problem('too-many', `at most ${ratePerMinute} requests a minute`);
    },
  });
  app.addHook('onResponse', async (_, reply) => {
    const { statusCode } = reply;
    responses.status[statusClasses[Math.floor(statusCode / 100) - 2] ?? '5xx'] += 1;
    const isStream = String(reply.getHeader('content-type')).startsWith('text/event-stream');
    if (!isStream) responses.took.observe(reply.elapsedTime / 1000);
    if (statusCode === 304) counters.unchanged += 1;
    else if (statusCode >= 500) counters.failed += 1;
    else if (statusCode >= 400) counters.refused += 1;
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, 'not-found', `${request.method} here is not known; see /openapi.json`),
  );
  app.setErrorHandler((error: Error & { statusCode?: number }, _, reply) => {
    if (error instanceof Problem) return sendProblem(reply, error.kind, error.message);
    const kind = kindOf(error.statusCode ?? 500);
    if (kind === 'too-large') counters.refused_size += 1;
    if (kind !== 'internal') return sendProblem(reply, kind, error.message);
    served.trouble(error);
    return sendProblem(reply, 'internal', 'it is in the log');
  });
}

export function isLoopback(address: string): boolean {
  return /^(127\.|::1$|::ffff:127\.)/.test(address);
}
