// The HTTP server over real sockets: documents with conditions, entries and what people do to them,
// who may what, and what strangers try.

import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { decisionOf, start } from '../block/lists.js';
import { Site } from './site.js';

let site: Site;

afterEach(() => site.close());

async function listed(...cidrs: string[]): Promise<void> {
  for (const cidr of cidrs) site.test.list.decision(decisionOf(cidr));
  await site.test.list.idle();
}

/** The bytes of an answer as they came, without anybody unpacking them. */
async function raw(path: string, headers: Record<string, string> = {}): Promise<Buffer> {
  const lines = Object.entries({ host: '127.0.0.1', connection: 'close', ...headers });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const socket = connect(site.port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\n${head}\r\n`);
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  const all = Buffer.concat(parts);
  return all.subarray(all.indexOf('\r\n\r\n') + 4);
}

describe('documents', () => {
  it('a decision is in the next document, and an unchanged one is a 304', async () => {
    site = await Site.open();
    await listed('203.0.113.9/32', '2001:db8::9/128');
    const first = await site.ask('/v1/blocklist.txt');
    expect(first.text.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      '203.0.113.9/32',
      '2001:db8::9/128',
      '',
    ]);
    const etag = first.headers.get('etag')!;
    const modified = first.headers.get('last-modified')!;
    const asks = [
      { 'if-none-match': etag },
      { 'if-none-match': `"x", W/${etag}` },
      { 'if-modified-since': modified },
    ];
    for (const headers of asks) {
      const again = await site.ask('/v1/blocklist.txt', { headers });
      expect([again.status, again.text]).toEqual([304, '']);
    }
    await listed('203.0.113.10/32');
    const changed = await site.ask('/v1/blocklist.txt', {
      headers: { 'if-none-match': etag, 'if-modified-since': modified },
    });
    expect(changed.status).toBe(200);
    expect(Date.parse(changed.headers.get('last-modified')!)).toBeGreaterThanOrEqual(
      Date.parse(modified),
    );
    // The same second: time alone must not say that nothing changed.
    const byTime = await site.ask('/v1/blocklist.txt', {
      headers: { 'if-modified-since': changed.headers.get('last-modified')! },
    });
    if (changed.headers.get('last-modified') === modified) expect(byTime.status).toBe(200);
    expect(Date.parse(changed.headers.get('expires')!) - Date.now()).toBeLessThan(301_000);
  });

  it('each encoding has its own tag and the same text; HEAD has the headers alone', async () => {
    site = await Site.open();
    await listed('203.0.113.9/32');
    const plain = await raw('/v1/blocklist.txt');
    const zipped = await raw('/v1/blocklist.txt', { 'accept-encoding': 'gzip' });
    expect(gunzipSync(zipped).equals(plain)).toBe(true);
    const head = (encoding: string) =>
      site.ask('/v1/blocklist.txt', { method: 'HEAD', headers: { 'accept-encoding': encoding } });
    const [one, other] = [await head('gzip'), await head('identity')];
    expect(one.headers.get('etag')).not.toBe(other.headers.get('etag'));
    expect(one.headers.get('content-length')).toBe(String(zipped.length));
    expect(other.headers.get('content-length')).toBe(String(plain.length));
    expect([one.text, other.text]).toEqual(['', '']);
    const sum = await site.ask('/v1/blocklist.txt.sha256');
    const digest = createHash('sha256').update(plain).digest('hex');
    expect(sum.text).toBe(`${digest}  blocklist.txt\n`);
    expect((await site.ask('/v1/blocklist.txt.md5')).text).toMatch(/^[0-9a-f]{32} {2}blocklist/);
  });

  it('limits are asked for, and never in a format that cannot tell them apart', async () => {
    site = await Site.open();
    site.test.list.decision(decisionOf('203.0.113.9/32'));
    site.test.list.decision(decisionOf('203.0.113.10/32', { action: 'limit' }));
    await site.test.list.idle();
    const cidrs = async (query: string) => {
      const { text } = await site.ask(`/v1/blocklist${query}`);
      const { entries } = JSON.parse(text) as { entries: { cidr: string; action: string }[] };
      return entries.map(({ cidr, action }) => `${action} ${cidr}`);
    };
    expect(await cidrs('')).toEqual(['block 203.0.113.9/32']);
    expect(await cidrs('?action=limit')).toEqual(['limit 203.0.113.10/32']);
    expect(await cidrs('?action=all')).toHaveLength(2);
    expect((await site.ask('/v1/blocklist.txt?action=all')).status).toBe(400);
    expect((await site.ask('/v1/blocklist.docx')).status).toBe(404);
    expect((await site.ask('/v1/blocklist?format=csv')).text).toMatch(/^cidr,id,action/);
  });
});

describe('changes', () => {
  it('a cursor gives what was added and removed; one of another list is gone', async () => {
    site = await Site.open();
    await listed('203.0.113.9/32', '203.0.113.10/32');
    const gone = decisionOf('203.0.113.9/32');
    await site.test.list.release(gone.id, { reason: 'x', wrong: false }, { name: 'desk' });
    const delta = JSON.parse((await site.ask('/v1/blocklist/delta?since=1')).text);
    expect(delta).toMatchObject({
      revision: 3,
      added: [{ cidr: '203.0.113.10/32', action: 'block', rule: 'core.rcpt-failure-sprt' }],
      removed: [{ id: gone.id, cidr: '203.0.113.9/32' }],
    });
    expect((await site.ask('/v1/blocklist/delta?since=99')).status).toBe(410);
  });

  it('the stream sends every change with its revision, from where the reader was', async () => {
    site = await Site.open();
    await listed('203.0.113.9/32');
    const stop = new AbortController();
    const answer = await fetch(site.url('/v1/blocklist/stream'), {
      headers: { 'last-event-id': '0' },
      signal: stop.signal,
    });
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let seen = '';
    const until = async (text: string) => {
      while (!seen.includes(text)) seen += (await reader.read()).value ?? '';
    };
    await until('203.0.113.9/32');
    await listed('203.0.113.10/32');
    await until('203.0.113.10/32');
    stop.abort();
    expect(seen.match(/^id: \d+$/gm)).toEqual(['id: 0', 'id: 1', 'id: 2']);
  });
});

describe('findings', () => {
  it('the newest first, by rule, address and severity', async () => {
    const one = (cidr: string, rule: string, severity = 'high') => {
      return { time: start, rule, cidr, severity, event: { cidr, rule } };
    };
    const all = [one('203.0.113.9/32', 'core.a'), one('203.0.113.0/24', 'core.b', 'low')];
    site = await Site.open({}, { findings: () => all });
    const ask = async (query: string) => {
      const { text } = await site.ask(`/v1/findings${query}`);
      const { findings } = JSON.parse(text) as { findings: { rule: string }[] };
      return findings.map(({ rule }) => rule);
    };
    expect(await ask('')).toEqual(['core.b', 'core.a']);
    expect(await ask('?limit=1')).toEqual(['core.b']);
    expect(await ask('?rule=core.a')).toEqual(['core.a']);
    expect(await ask('?cidr=203.0.113.9')).toEqual(['core.a']);
    expect(await ask('?severity=low')).toEqual(['core.b']);
    expect((await site.ask('/v1/findings?limit=0')).status).toBe(400);
  });
});

describe('people', () => {
  const wish = { cidr: '203.0.113.9', action: 'block', owner: 'desk', reason: 'spam', for: 600 };

  it('an operator adds, extends and releases, and the trail says who', async () => {
    site = await Site.open({ reader: ['read'], boss: ['operate'] });
    expect((await site.post('/v1/entries', wish)).status).toBe(401);
    expect((await site.post('/v1/entries', wish, 'reader')).status).toBe(403);
    const made = await site.post('/v1/entries', wish, 'boss');
    expect(made.status).toBe(201);
    const { id } = JSON.parse(made.text) as { id: string };
    const longer = await site.post(`/v1/entries/${id}`, { for: 3600 }, 'boss', 'PATCH');
    expect(JSON.parse(longer.text).until).toBe(new Date(start / 1000 + 3_600_000).toISOString());
    const out = await site.post(
      `/v1/entries/${id}/release`,
      { reason: 'a printer', wrong: true },
      'boss',
    );
    expect(JSON.parse(out.text)).toMatchObject({
      ended: { state: 'released', by: 'boss', wrong: true },
      proposal: { cidr: '203.0.113.9/32', action: 'allow' },
    });
    const trail = JSON.parse((await site.ask('/v1/audit', { as: 'boss' })).text);
    expect(trail.records.map((one: { action: string }) => one.action)).toEqual([
      'add',
      'extend',
      'release',
    ]);
    expect((await site.ask('/v1/audit', { as: 'reader' })).status).toBe(403);
  });

  it('whoever is listed appeals without a token, by the page too', async () => {
    site = await Site.open({ boss: ['operate'] });
    const made = await site.post('/v1/entries', wish, 'boss');
    const { id } = JSON.parse(made.text) as { id: string };
    const page = await site.ask('/appeal?entry=203.0.113.9');
    expect(page.text).toContain(id);
    // What the operator noted is not for strangers.
    expect(page.text).not.toContain('spam');
    const filed = await site.ask('/appeal', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ entry: id, text: '<script>alert(1)</script>', contact: 'me' }),
    });
    expect(filed.text).toContain('Your appeal is filed');
    expect((await site.post(`/v1/entries/${id}/appeal`, {})).status).toBe(202);
    const open = JSON.parse((await site.ask('/v1/appeals', { as: 'boss' })).text);
    expect(open.appeals).toMatchObject([{ id, text: '<script>alert(1)</script>', state: 'open' }]);
    expect((await site.ask('/v1/appeals')).status).toBe(401);
    const odd = await site.ask('/appeal?entry=%3Cb%3E%22');
    expect(odd.text).toContain('&lt;b&gt;&quot; is not on the list');
  });
});

describe('strangers', () => {
  it('a wrong token, a wrong host and odd paths are refused and counted', async () => {
    site = await Site.open({ reader: ['read'] });
    const bad = { headers: { authorization: 'Bearer mw_guess' } };
    expect((await site.ask('/v1/blocklist.txt', bad)).status).toBe(401);
    const basic = Buffer.from(`x:${site.token('reader')}`).toString('base64');
    const ways = [
      { authorization: `Bearer ${site.token('reader')}` },
      { authorization: `Basic ${basic}` },
      { 'x-api-key': site.token('reader') },
    ];
    for (const headers of ways) {
      expect((await site.ask('/v1/blocklist.txt', { headers })).status).toBe(200);
    }
    const paths = [
      '/v1/..%2f..%2fetc/passwd',
      '/v1/entries/..%2f..',
      '/docs/..%2f..%2fpackage.json',
    ];
    for (const path of paths) {
      const answer = await site.ask(path, { as: 'reader' });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.text).not.toContain('root:');
    }
    expect(site.server.served.visitors.counters.refused_token).toBe(1);
    const consumers = JSON.parse((await site.ask('/v1/consumers', { as: 'reader' })).text);
    expect(consumers.consumers).toMatchObject([
      { name: 'reader', requests: 3, behind: 0, seen: null },
    ]);
  });

  it('consumers have what they asked for, and what the wire shows of it', async () => {
    const seen = {
      entry: (id: string) => ({ state: 'leaking', id }),
      consumers: () => ({ edge: { entries: 3, leak_ratio: 0.5 } }),
    };
    site = await Site.open({ edge: ['read'], limits: ['read'] }, { seen });
    const { list } = site.test;
    const wish = { until: list.now + 3600e6, owner: 'desk', reason: 'spam' };
    const made = await list.add({ ...wish, cidr: '203.0.113.9', action: 'block' }, { name: 'd' });
    list.holders.note('this box', 'all', { revision: 0, time: list.now });
    await site.ask('/v1/blocklist.txt', { as: 'edge' });
    await site.ask('/v1/blocklist.txt?action=limit', { as: 'limits' });
    const { text } = await site.ask(`/v1/entries/${made.id}`, { as: 'edge' });
    expect(JSON.parse(text)).toMatchObject({
      fetched_by: [{ name: 'edge' }],
      seen: { state: 'leaking', id: made.id },
    });
    const { consumers } = JSON.parse((await site.ask('/v1/consumers', { as: 'edge' })).text);
    expect(consumers).toMatchObject([
      { name: 'edge', behind: 0, seen: { entries: 3, leak_ratio: 0.5 } },
      { name: 'limits', behind: 0, seen: null },
      { name: 'this box', behind: 1, requests: 0, what: 'enforced here', seen: null },
    ]);
  });

  it('what is held back is told by no way, and by every way once a person accepts it', async () => {
    site = await Site.open({ edge: ['read', 'operate'] });
    const { list } = site.test;
    const ask = async (path: string) => JSON.parse((await site.ask(path, { as: 'edge' })).text);
    await ask('/v1/decisions/stream?startup=true');
    const all = Array.from({ length: 1003 }, (_, at) => `10.1.${at >> 8}.${at & 0xff}/32`);
    for (const cidr of all) list.decision(decisionOf(cidr));
    await list.idle();
    const { id } = decisionOf(all.at(-1)!);
    const told = async () => [
      (await ask('/v1/blocklist.json')).count,
      (await ask('/v1/blocklist/delta?since=0')).added.length,
      (await ask('/v1/decisions/stream')).new.length,
      (await ask(`/v1/decisions?ip=${all.at(-1)!.slice(0, -3)}`))?.length ?? 0,
      (await ask(`/v1/entries/${id}`)).fetched_by.length,
    ];
    expect(await told()).toEqual([1000, 1000, 1000, 0, 0]);
    expect(await ask(`/v1/entries/${id}`)).toMatchObject({ held: true, ended: null });
    expect((await site.ask('/readyz')).status).toBe(503);
    // Whoever leaves is told of, held back or not.
    await list.release(decisionOf(all[0]!).id, { reason: 'x', wrong: false }, { name: 'd' });
    const cursor = (await ask('/v1/blocklist/delta?since=0')).revision;
    await site.ask('/v1/blocklist/accept', { as: 'edge', method: 'POST' });
    expect((await ask(`/v1/blocklist/delta?since=${cursor}`)).added).toHaveLength(3);
    expect((await ask('/v1/blocklist.json')).count).toBe(1002);
    expect((await ask(`/v1/entries/${id}`)).fetched_by).toMatchObject([{ name: 'edge' }]);
    expect((await ask('/v1/decisions/stream')).deleted).toHaveLength(1);
    expect((await site.ask('/readyz')).status).toBe(200);
  });

  it('without tokens a page under another name cannot reach us through a browser', async () => {
    site = await Site.open();
    const text = (await raw('/v1/blocklist.txt', { host: 'evil.example' })).toString();
    expect(text).toContain('localhost');
    expect(site.server.served.visitors.counters.refused_host).toBe(1);
  });

  it('a body that is too large or no JSON is refused, and so is an unknown key', async () => {
    site = await Site.open();
    const large = await site.post('/v1/entries', { reason: 'x'.repeat(70_000) });
    expect([large.status, large.headers.get('content-type')]).toEqual([
      413,
      'application/problem+json; charset=utf-8',
    ]);
    const broken = await site.ask('/v1/entries', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"cidr":',
    });
    expect(JSON.parse(broken.text)).toMatchObject({ status: 400, type: 'about:blank' });
    expect((await site.post('/v1/entries', { cidr: '1.2.3.4', colour: 1 })).status).toBe(400);
    expect(site.server.served.counters.refused_size).toBe(1);
  });
});

describe('crowdsec', () => {
  it('a bouncer gets everything once, then what is new and what is gone', async () => {
    site = await Site.open({ bouncer: ['read'] });
    await listed('203.0.113.9/32', '2001:db8::/64');
    const headers = { 'x-api-key': site.token('bouncer') };
    const pull = async (query = '') =>
      JSON.parse((await site.ask(`/v1/decisions/stream${query}`, { headers })).text);
    const first = await pull('?startup=true');
    expect(first.deleted).toEqual([]);
    expect(first.new).toMatchObject([
      { type: 'ban', scope: 'Ip', value: '203.0.113.9', duration: '1h0m0s' },
      { type: 'ban', scope: 'Range', value: '2001:db8::/64' },
    ]);
    const { id } = decisionOf('203.0.113.9/32');
    await site.test.list.release(id, { reason: 'x', wrong: false }, { name: 'desk' });
    // Each change is told twice, because an answer may be lost.
    for (const round of [1, 2]) {
      const { deleted } = await pull();
      expect([round, deleted.map((one: { value: string }) => one.value)]).toEqual([
        round,
        ['203.0.113.9'],
      ]);
    }
    expect(await pull()).toEqual({ new: [], deleted: [] });
    const ask = async (ip: string) =>
      JSON.parse((await site.ask(`/v1/decisions?ip=${ip}`, { headers })).text);
    expect(await ask('203.0.113.9')).toBeNull();
    expect(await ask('2001:db8::77')).toMatchObject([{ scope: 'Range' }]);
  });
});
