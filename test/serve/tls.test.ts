// TLS and mutual TLS with certificates that openssl makes, and clients that are slow on purpose.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { afterEach, describe, expect, it } from 'vitest';
import { TestList } from '../block/lists.js';
import { has } from '../capture/captures.js';
import { Site } from './site.js';

let site: Site | undefined;
let certificates: TestList | undefined;

afterEach(async () => {
  await site?.close();
  await certificates?.remove();
  site = undefined;
  certificates = undefined;
});

/** An authority, a server's certificate and a client's whose common name is `edge-1`. */
function makeCertificates(folder: string): void {
  const run = (words: string) => {
    const { status, stderr } = spawnSync('openssl', words.split(' '), { cwd: folder });
    if (status !== 0) throw new Error(`openssl ${words}: ${stderr}`);
  };
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
  run(`req -x509 ${key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority`);
  for (const [name, common] of [
    ['server', 'localhost'],
    ['client', 'edge-1'],
    ['other', 'nobody'],
  ]) {
    run(`req ${key} -keyout ${name}.key -out ${name}.csr -subj /CN=${common}`);
    const sign = '-CA ca.pem -CAkey ca.key -CAcreateserial -days 2';
    run(`x509 -req -in ${name}.csr ${sign} -out ${name}.pem`);
  }
}

describe.skipIf(!has('openssl'))('TLS', () => {
  it('a client shows a certificate; its name is the consumer, and needs no token', async () => {
    certificates = new TestList();
    const { folder } = certificates;
    makeCertificates(folder);
    const at = (name: string) => join(folder, name);
    site = await Site.open(
      { 'edge-1': ['read'] },
      { tls: { cert: at('server.pem'), key: at('server.key'), client_ca: at('ca.pem') } },
    );
    const { port } = site;
    const ask = (client: string | null) =>
      new Promise<number | string>((resolve) => {
        const read = (name: string) => readFileSync(at(name));
        const own = client && { cert: read(`${client}.pem`), key: read(`${client}.key`) };
        const asking = request(
          {
            port,
            path: '/v1/blocklist.txt',
            ca: read('ca.pem'),
            servername: 'localhost',
            agent: false,
            ...own,
          },
          (answer) => {
            answer.resume();
            resolve(answer.statusCode!);
          },
        );
        asking.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
        asking.end();
      });
    expect(await ask('client')).toBe(200);
    expect(await ask('other')).toBe(401);
    expect(await ask(null)).toMatch(/ECONNRESET|ALERT|CERT/);
  });
});

describe('the door', () => {
  it('clients that send nothing whole are let go, and others are served meanwhile', async () => {
    site = await Site.open();
    const { port } = site;
    const began = performance.now();
    const slow = Array.from({ length: 50 }, () => {
      const socket = connect(port, '127.0.0.1');
      socket.write('GET /v1/blocklist.txt HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ');
      const drip = setInterval(() => socket.write('a'), 500);
      return new Promise<void>((resolve) => {
        socket.on('error', () => {});
        socket.on('close', () => {
          clearInterval(drip);
          resolve();
        });
      });
    });
    expect((await site.ask('/v1/blocklist.txt')).status).toBe(200);
    expect(performance.now() - began).toBeLessThan(3000);
    await Promise.all(slow);
    expect(performance.now() - began).toBeLessThan(25_000);
    expect(site.server.served.counters.dropped).toBe(50);
  }, 40_000);

  it('what is no HTTP is dropped and counted', async () => {
    site = await Site.open();
    const socket = connect(site.port, '127.0.0.1');
    socket.write('EHLO mail.example\r\n\r\n');
    await new Promise((resolve) => socket.on('close', resolve).resume());
    expect(site.server.served.counters.dropped).toBe(1);
  });

  it('its description is OpenAPI 3.1, a linter finds nothing, and it has every route', async () => {
    site = await Site.open();
    const { text } = await site.ask('/openapi.json');
    const document = JSON.parse(text);
    expect(document.openapi).toBe('3.1.0');
    // Every rule that Redocly recommends, its warnings too.
    const config = await createConfig({ extends: ['recommended'] });
    const lint = (source: string) =>
      lintFromString({ source, absoluteRef: 'openapi.json', config }).then((problems) =>
        problems.map(({ ruleId, location }) => `${ruleId} ${location[0]?.pointer}`),
      );
    expect(await lint(text)).toEqual([]);
    const broken = text.replace('"operationId":"delta"', '"operationId":"stream"');
    expect(await lint(broken)).toEqual([expect.stringMatching(/^operation-operationId-unique /)]);
    const operations = Object.values(document.paths as Record<string, Record<string, object>>)
      .flatMap((path) => Object.values(path))
      .map((one) => (one as { operationId?: string }).operationId);
    expect(operations).not.toContain(undefined);
    expect(document.paths).toHaveProperty(['/v1/entries/{id}/release', 'post']);
    expect((await site.ask('/docs/')).status).toBe(200);
  });
});
