// The list as documents: GET and HEAD with conditions, compressed, with sums beside. Everything is
// printed before; here is only what HTTP says about it (RFC 9110 and 9111).

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Problem } from './problem.js';
import type { Served } from './server.js';

/** One document of one version of the list, as whoever prints it hands it over. */
export interface Document {
  readonly body: Buffer;
  readonly gzip: Buffer;
  readonly md5: string;
  readonly sha256: string;
  readonly records: number;
  readonly revision: number;
  readonly version: string;
  /** Seconds since 1970. */
  readonly modified: number;
  readonly isSameSecond: boolean;
}

export interface FormatInfo {
  readonly name: string;
  readonly type: string;
  readonly what: string;
  readonly tellsApart: boolean;
  readonly pageLines?: number;
}

export interface DocumentOrder {
  readonly format: string;
  readonly action: 'block' | 'limit' | 'all';
  readonly family: 'both' | 'ipv4' | 'ipv6';
  readonly page: number;
}

/** Who prints documents. */
export interface Documents {
  readonly formats: readonly FormatInfo[];
  document(order: DocumentOrder): Promise<Document>;
}

/** Consumers come back after this time: rspamd polls at `Expires`, and a removal waits so long. */
const poll_s = 300;
const pagesMax = 1000;

const query = Type.Object({
  format: Type.Optional(Type.String({ maxLength: 20 })),
  action: Type.Optional(
    Type.Union([Type.Literal('block'), Type.Literal('limit'), Type.Literal('all')]),
  ),
  family: Type.Optional(
    Type.Union([Type.Literal('both'), Type.Literal('ipv4'), Type.Literal('ipv6')]),
  ),
  page: Type.Optional(Type.Integer({ minimum: 1, maximum: pagesMax })),
});

interface Query {
  format?: string;
  action?: DocumentOrder['action'];
  family?: DocumentOrder['family'];
  page?: number;
}

export function addDocuments(app: FastifyInstance, served: Served): void {
  const names = served.documents.formats.map(({ name, what }) => `- \`${name}\`: ${what}`);
  const schema = {
    tags: ['list'],
    summary: 'The list as a document',
    description: `Formats:\n${names.join('\n')}`,
    querystring: query,
  };
  const url = '/v1/blocklist';
  app.route<{ Querystring: Query }>({
    method: ['GET', 'HEAD'],
    url,
    exposeHeadRoute: false,
    schema: { ...schema, operationId: 'blocklist' },
    handler: (request, reply) => send(served, request, reply, request.query.format ?? 'json', ''),
  });
  app.route<{ Querystring: Query; Params: { format: string; sum?: string } }>({
    method: ['GET', 'HEAD'],
    url: `${url}.:format([a-z0-9]+)`,
    exposeHeadRoute: false,
    schema: { ...schema, operationId: 'blocklistAs' },
    handler: (request, reply) => send(served, request, reply, request.params.format, ''),
  });
  app.route<{ Querystring: Query; Params: { format: string; sum: string } }>({
    method: ['GET', 'HEAD'],
    url: `${url}.:format([a-z0-9]+).:sum(md5|sha256)`,
    exposeHeadRoute: false,
    schema: { ...schema, operationId: 'blocklistSum', summary: 'The sum of a document' },
    handler: (request, reply) =>
      send(served, request, reply, request.params.format, request.params.sum),
  });
}

async function send(
  served: Served,
  request: FastifyRequest<{ Querystring: Query }>,
  reply: FastifyReply,
  name: string,
  sum: string,
): Promise<FastifyReply> {
  const { action = 'block', family = 'both', page = 1 } = request.query;
  const format = served.documents.formats.find((one) => one.name === name);
  if (format === undefined) {
    const all = served.documents.formats.map((one) => one.name).join(', ');
    throw new Problem('not-found', `there is no format "${name}"; there are ${all}`);
  }
  if (action === 'all' && !format.tellsApart) {
    throw new Problem('bad-request', `${name} cannot tell blocks from limits; ask for one`);
  }
  const document = await served.documents.document({ format: name, action, family, page });
  const { revision } = document;
  const fetch = { what: `blocklist.${name}`, taken: action, revision };
  served.visitors.fetched(request, fetch, served.list.now);
  if (sum !== '') return sendSum(document, request, reply, sum as 'md5' | 'sha256');
  const isZipped = takesGzip(request.headers['accept-encoding']);
  const encoding = isZipped ? 'gzip' : 'identity';
  headers(reply, document, encoding);
  if (isUnchanged(request, document, encoding)) return reply.code(304).send();
  if (isZipped) reply.header('content-encoding', 'gzip');
  return body(request, reply.type(format.type), isZipped ? document.gzip : document.body);
}

/** `SUM  NAME`, as md5sum and sha256sum write and check it. */
function sendSum(
  document: Document,
  request: FastifyRequest,
  reply: FastifyReply,
  kind: 'md5' | 'sha256',
): FastifyReply {
  headers(reply, document, kind);
  if (isUnchanged(request, document, kind)) return reply.code(304).send();
  const file = new URL(request.url, 'http://list').pathname.split('/').at(-1) ?? '';
  const text = `${document[kind]}  ${file.slice(0, -kind.length - 1)}\n`;
  return body(request, reply.type('text/plain; charset=utf-8'), Buffer.from(text));
}

function body(request: FastifyRequest, reply: FastifyReply, bytes: Buffer): FastifyReply {
  reply.header('content-length', bytes.length);
  return request.method === 'HEAD' ? reply.send() : reply.send(bytes);
}

function headers(reply: FastifyReply, document: Document, encoding: string): void {
  reply
    .header('etag', etag(document, encoding))
    .header('last-modified', new Date(document.modified * 1000).toUTCString())
    .header('expires', new Date(Date.now() + poll_s * 1000).toUTCString())
    .header('cache-control', 'private, max-age=60')
    .header('vary', 'accept-encoding')
    .header('x-mailweir-revision', document.revision)
    .header('x-mailweir-records', document.records);
}

/** Strong: another version or another encoding has another one. */
function etag({ version }: Document, encoding: string): string {
  return `"${version}-${encoding}"`;
}

/** RFC 9110 section 13.2.2: where there are tags, times do not count. */
function isUnchanged(
  { headers: asked }: FastifyRequest,
  document: Document,
  encoding: string,
): boolean {
  const tags = asked['if-none-match'];
  if (tags !== undefined) {
    const own = etag(document, encoding);
    return tags
      .split(',')
      .map((tag) => tag.trim().replace(/^W\//, ''))
      .some((tag) => tag === own || tag === '*');
  }
  const since = Date.parse(asked['if-modified-since'] ?? '');
  return !document.isSameSecond && document.modified * 1000 <= since;
}

/** Whether gzip is accepted, `q=0` aside. */
export function takesGzip(accepted: string | string[] | undefined): boolean {
  return String(accepted ?? '')
    .split(',')
    .some((one) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$)|$)/i.test(one));
}
