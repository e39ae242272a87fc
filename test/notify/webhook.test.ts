// The webhook against a real HTTP server: what arrives, whether it can be trusted, what is tried
// again.

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Outbox } from '../../src/notify/outbox.js';
import { webhook } from '../../src/notify/webhook.js';
import { notice } from './notices.js';

const secret = 'a secret of the tests';

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let server: Server;
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

/** A receiver that answers with these statuses, then 204. */
async function receiver(statuses: number[]) {
  const got: Got[] = [];
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      const status = statuses.shift() ?? 204;
      response.writeHead(status, { location: '/elsewhere' }).end('an answer that nobody reads');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const told: string[] = [];
  const outbox = new Outbox({
    portion: 50,
    firstPause_ms: 5,
    tell: (message) => told.push(message),
    deliver: webhook({ url: `http://127.0.0.1:${port}/hook`, secret }),
  });
  const until = async (holds: () => boolean) => {
    for (let n = 0; n < 1000 && !holds(); n++) await new Promise((go) => setTimeout(go, 5));
  };
  return { outbox, got, told, until };
}

describe('webhook', () => {
  it('posts whole events that the receiver can check', async () => {
    const { outbox, got } = await receiver([]);
    for (let n = 0; n < 3; n++) outbox.put(notice(n));
    await outbox.close(5000);
    const events = got.flatMap(({ body }) => (JSON.parse(body) as { events: unknown[] }).events);
    expect(events).toEqual([0, 1, 2].map((n) => ({ n, samples: [1] })));
    for (const { headers, body } of got) {
      const timestamp = String(headers['x-mailweir-timestamp']);
      expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60);
      const digest = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
      expect(headers['x-mailweir-signature']).toBe(`v1=${digest}`);
      expect(headers['content-type']).toBe('application/json');
    }
  });

  it.each([500, 503, 429, 408])('status %i is tried again under the same name', async (status) => {
    const { outbox, got, until } = await receiver([status, status]);
    outbox.put(notice(1));
    await until(() => outbox.counters.sent === 1);
    expect(got).toHaveLength(3);
    expect(new Set(got.map(({ headers }) => headers['x-mailweir-delivery'])).size).toBe(1);
    expect(new Set(got.map(({ body }) => body)).size).toBe(1);
  });

  it.each([400, 401, 404, 410])('status %i is a refusal', async (status) => {
    const { outbox, got, told } = await receiver([status]);
    outbox.put(notice(1));
    await outbox.close(5000);
    expect(got).toHaveLength(1);
    expect(outbox.counters).toMatchObject({ refused: 1, sent: 0 });
    expect(told).toEqual([`refused 1: HTTP status ${status}`]);
  });

  it('follows nobody elsewhere', async () => {
    const { outbox, got, until } = await receiver([302]);
    outbox.put(notice(1));
    await until(() => outbox.counters.sent === 1);
    expect(got).toHaveLength(2);
    expect(outbox.counters.failures).toBe(1);
  });

  it('nobody there: said in words', async () => {
    const { outbox, told, until } = await receiver([]);
    server.close();
    server.closeAllConnections();
    outbox.put(notice(1));
    await until(() => told.length > 0);
    await outbox.close(100);
    expect(told[0]).toMatch(/^does not take messages: .*ECONNREFUSED/);
    expect(outbox.counters).toMatchObject({ sent: 0, dropped: 1 });
  });
});
