// The console's page and files, and what the API gives it: no browser is needed here; what people
// see is in `console-page.test.ts`.

import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decisionOf, second, start } from '../block/lists.js';
import { Site } from './site.js';

let site: Site;
beforeAll(async () => {
  site = await Site.open({ reader: ['read'], desk: ['operate'] });
});
afterAll(() => site.close());

interface Page {
  readonly entries: readonly { readonly id: string; readonly cidr: string }[];
  readonly next: string | null;
}

describe('the page', () => {
  it('opens before a token is shown, and lets nothing in from elsewhere', async () => {
    const { status, headers, text } = await site.ask('/');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("style-src 'self';");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toMatch(/unsafe|http|\*/);
    expect(text).not.toMatch(/(src|href)="(?!\/|#)/);
    expect(text).not.toMatch(/<style|style=|<script>|onclick/);
  });

  it('names every file it needs, and all of them are there', async () => {
    const { text } = await site.ask('/');
    const paths = [...text.matchAll(/(?:src|href)="(\/console\/[^"]+)"/g)].map(([, path]) => path!);
    expect(paths.length).toBeGreaterThan(8);
    for (const path of paths) {
      const file = await site.ask(path);
      expect([path, file.status]).toEqual([path, 200]);
      expect(file.headers.get('content-security-policy')).toContain("default-src 'none'");
      for (const [, name] of file.text.matchAll(/^import .* from '\.\/([^']+)'/gm)) {
        expect(paths).toContain(`/console/${name}`);
      }
    }
  });

  it('is sent packed, and not again while it is the same', async () => {
    const plain = await site.ask('/console/main.js', {
      headers: { 'accept-encoding': 'identity' },
    });
    const packed = await site.server.app.inject({
      url: '/console/main.js',
      headers: { 'accept-encoding': 'br, gzip' },
    });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.rawPayload).toString()).toBe(plain.text);
    const etag = plain.headers.get('etag')!;
    const again = await site.ask('/console/main.js', { headers: { 'if-none-match': etag } });
    expect([again.status, again.text]).toEqual([304, '']);
  });
});

describe('a page from elsewhere', () => {
  it('changes nothing through the browser of whoever may', async () => {
    const home = await Site.open();
    const body = new URLSearchParams({
      cidr: '198.18.0.1',
      action: 'allow',
      owner: 'x',
      reason: 'x',
    });
    const send = (headers: Record<string, string>) =>
      home.ask('/v1/entries', { method: 'POST', body, headers });
    const from = async (headers: Record<string, string>) => {
      const { statusCode } = await home.server.app.inject({
        method: 'POST',
        url: '/v1/entries',
        headers: {
          host: '127.0.0.1:8225',
          'content-type': 'application/x-www-form-urlencoded',
          ...headers,
        },
        payload: body.toString(),
      });
      return statusCode;
    };
    expect(await from({ origin: 'https://evil.example' })).toBe(403);
    expect(await from({ origin: 'null' })).toBe(403);
    expect(await from({ origin: 'http://127.0.0.1:8225', 'sec-fetch-site': 'cross-site' })).toBe(
      403,
    );
    expect(home.test.list.count).toBe(0);
    expect(await from({ origin: 'http://127.0.0.1:8225', 'sec-fetch-site': 'same-origin' })).toBe(
      201,
    );
    expect(await from({ origin: 'http://127.0.0.1:8225' })).toBe(409);
    expect((await send({})).status).toBe(409);
    await home.close();
  });
});

describe('GET /v1/state', () => {
  it('asks for a token, and says who one is', async () => {
    expect((await site.ask('/v1/state')).status).toBe(401);
    const reader = JSON.parse((await site.ask('/v1/state', { as: 'reader' })).text);
    expect(reader.me).toEqual({ name: 'reader', scopes: ['read'] });
    const desk = JSON.parse((await site.ask('/v1/state', { as: 'desk' })).text);
    expect(desk.me).toEqual({ name: 'desk', scopes: ['operate'] });
    expect(desk.list).toMatchObject({ count: 0, sound: true, appeals: 0 });
  });
});

describe('GET /v1/entries in an order', () => {
  const page = async (query: string): Promise<Page> => {
    return JSON.parse((await site.ask(`/v1/entries?${query}`, { as: 'reader' })).text) as Page;
  };
  /** All pages of an order, as addresses. */
  const walk = async (query: string): Promise<string[]> => {
    const found: string[] = [];
    let after: string | null = '';
    while (after !== null) {
      const { entries, next }: Page = await page(`${query}&after=${encodeURIComponent(after)}`);
      found.push(...entries.map(({ cidr }) => cidr));
      after = next;
    }
    return found;
  };

  it('gives what came last first, and what ends first first, page by page', async () => {
    const { list } = site.test;
    // Ends in another order than that of the beginnings, and some beginnings are the same.
    const all = Array.from({ length: 57 }, (_, at) => ({
      cidr: `198.18.${at % 3}.${at}/32`,
      created: start + Math.floor(at / 2) * second,
      until: start + 7200 * second + ((at * 31) % 57) * second,
    }));
    for (const { cidr, ...times } of all) list.decision(decisionOf(cidr, times));
    await list.idle();
    const newest = await walk('order=newest&limit=7');
    expect(newest.length).toBe(57);
    const times = new Map(all.map(({ cidr, created }) => [cidr, created]));
    const inOrder = newest.map((cidr) => times.get(cidr)!);
    expect(inOrder).toEqual(inOrder.toSorted((one, other) => other - one));
    expect(new Set(newest).size).toBe(57);
    const ending = all.toSorted((one, other) => one.until - other.until).map(({ cidr }) => cidr);
    expect(await walk('order=ending&limit=10')).toEqual(ending);
  });

  it('keeps to a prefix, an action and a rule', async () => {
    expect((await walk('within=198.18.1.0/24&limit=500')).length).toBe(19);
    expect(await walk('within=198.18.1.1&limit=5')).toEqual(['198.18.1.1/32']);
    expect(await walk('within=2001:db8::/32')).toEqual([]);
    expect(await walk('order=newest&action=allow')).toEqual([]);
    expect((await walk('order=newest&rule=core.rcpt-failure-sprt')).length).toBe(57);
    expect((await walk('order=newest&origin=manual')).length).toBe(0);
    expect((await site.ask('/v1/entries?within=x', { as: 'reader' })).status).toBe(400);
  });
});
