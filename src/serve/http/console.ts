// The console's files as browsers get them: read once, with their digests, and packed once. They
// hold no secret, so that the page opens before anybody has shown a token; what it shows comes from
// the API, which asks for one.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/**
 * Nothing from elsewhere, nothing inline, nothing that turns text into markup or code: what the
 * console shows was written by strangers.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

interface Asset {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly packed: Buffer;
}

/** Serves the page at `/` and its files below `/console/`. */
export function addConsole(app: FastifyInstance): void {
  const assets = readAssets();
  const open = { config: { scope: null }, schema: { hide: true } } as const;
  const html = assets.get('index.html')!;
  app.get('/', open, (request, reply) => send(request, reply, html));
  for (const [name, asset] of assets) {
    if (asset === html) continue;
    app.get(`/console/${name}`, open, (request, reply) => send(request, reply, asset));
  }
}

function send(request: FastifyRequest, reply: FastifyReply, asset: Asset): FastifyReply {
  void reply
    .header('content-security-policy', policy)
    .header('cache-control', 'no-cache')
    .header('etag', asset.etag)
    .header('vary', 'accept-encoding');
  if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send();
  void reply.type(asset.type);
  if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(asset.plain);
  return reply.header('content-encoding', 'gzip').send(asset.packed);
}

/** Page and styles lie with the sources, modules where the compiler puts them. */
function readAssets(): Map<string, Asset> {
  const above = ['../../..', '../../../..'].map((up) => join(import.meta.dirname, up));
  const root = above.find((folder) => existsSync(join(folder, 'package.json'))) ?? '.';
  const folders = ['src', 'dist/src'].map((folder) => join(root, folder, 'serve', 'console'));
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const name of readdirSync(folder)) {
      if (/\.(html|css|svg|js)$/.test(name))
        files.set(name, readFileSync(join(folder, name), 'utf8'));
    }
  }
  // Without this a browser would find out about modules one behind the other.
  const modules = [...files.keys()].filter((name) => name.endsWith('.js') && name !== 'types.js');
  const links = modules.map((name) => `<link rel="modulepreload" href="/console/${name}">`);
  files.set('index.html', files.get('index.html')!.replace('<!-- modules -->', links.join('\n')));
  return new Map([...files].map(([name, text]) => [name, assetOf(name, text)]));
}

function assetOf(name: string, text: string): Asset {
  const plain = Buffer.from(text);
  const digest = createHash('sha256').update(plain).digest('base64url').slice(0, 22);
  const ending = name.slice(name.lastIndexOf('.') + 1);
  return {
    type: types[ending]!,
    etag: `"${digest}"`,
    plain,
    packed: gzipSync(plain, { level: 9 }),
  };
}
