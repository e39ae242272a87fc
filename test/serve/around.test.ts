// What the API tells beside the list: the register with its clocks, one source and what it did, who
// does most. The files are real, the rows are of real dialogues.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dialogue } from '../../bench/generate/conversation.js';
import { Around } from '../../src/cli/around.js';
import { lawOf } from '../../src/cli/judge.js';
import { loadConfig } from '../../src/config.js';
import { decisionOf, desk, start } from '../block/lists.js';
import { areasOf } from '../helper/facts.js';
import { Site } from './site.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-around-'));
let around: Around;
let site: Site;

beforeAll(async () => {
  const write = (name: string, lines: readonly string[]) =>
    writeFileSync(join(folder, name), `${lines.join('\n')}\n`);
  write('servers.csv', [
    'cidr,operator,role,licence,filed_at,starts_at,domains',
    '203.0.113.25/32,Good Mail,registered,ICP-1,2022-01-05,2022-03-01,example.net',
    '203.0.113.26/32,Late Mail,registered,ICP-2,2023-11-01,2023-11-10,late.example',
  ]);
  write('codes.csv', [
    'code,holder,issued_on,withdrawn_on',
    'SHP1,Shop,2023-01-01,',
    'OLD1,Old,2022-01-01,2023-06-30',
  ]);
  write('allow.csv', ['cidr,owner,reason,until', '203.0.113.50/32,Desk,a test,']);
  write('mailweir.yaml', [
    'network:',
    '  own: [203.0.113.0/24]',
    '  pools: [{ cidr: 203.0.113.0/28, role: customer-dynamic, cgnat: 16 }]',
    'registers: { servers: servers.csv, codes: codes.csv, allow: allow.csv }',
    'sensor: tap-9',
  ]);
  around = new Around(await lawOf(await loadConfig(join(folder, 'mailweir.yaml'))), () => ({
    packets: 7,
  }));
  site = await Site.open({ reader: ['read'] }, { around, state: () => around.state() });
  const mail = `
    S: 220 x ESMTP
    C: EHLO home
    S: 250 x
    C: MAIL FROM:<a@example.org>
    S: 250 ok
    C: RCPT TO:<secret@example.net>
    S: 550 no
    C: QUIT
    S: 221 bye
  `;
  for (let at = 0; at < 3; at++) {
    const options = { client: '203.0.113.9', clientPort: 40_000 + at, start: start + at * 1e6 };
    for (const area of areasOf(dialogue(mail, options).frames)) around.rows(area, area.byteLength);
  }
  const { list } = site.test;
  list.decision(decisionOf('203.0.113.9/32'));
  list.decision(decisionOf('203.0.113.8/32', { created: start + 1 }));
  await list.idle();
  await list.release(
    decisionOf('203.0.113.8/32', { created: start + 1 }).id,
    { reason: 'test', wrong: false },
    desk,
  );
});
afterAll(async () => {
  around?.close();
  await site?.close();
  rmSync(folder, { recursive: true });
});

const ask = async (path: string) => {
  const { status, text } = await site.ask(path, { as: 'reader' });
  expect(text).not.toContain('secret');
  expect(text).not.toMatch(/@example/);
  return { status, body: JSON.parse(text) };
};

describe('GET /v1/source', () => {
  it('puts together who it is, what it did and what is done about it', async () => {
    const { body } = await ask('/v1/source?cidr=203.0.113.9');
    expect(body).toMatchObject({
      cidr: '203.0.113.9/32',
      standing: { own: true, role: 'customer-dynamic', cgnat: 16, server: null, allowed: null },
      entries: [{ cidr: '203.0.113.9/32' }],
      ended: [],
      findings: [],
    });
    expect(body.activity.series.sessions.at(-1)).toBe(3);
    expect(body.activity.series.refused.at(-1)).toBe(3);
  });

  it('knows servers, the allow-list, and what ended', async () => {
    expect((await ask('/v1/source?cidr=203.0.113.25')).body.standing).toMatchObject({
      role: 'registered',
      server: {
        operator: 'Good Mail',
        state: 'active',
        licence: 'ICP-1',
        filed_at: '2022-01-04T16:00:00Z',
      },
    });
    expect((await ask('/v1/source?cidr=203.0.113.50')).body.standing.allowed).toMatchObject({
      owner: 'Desk',
      over: false,
    });
    expect((await ask('/v1/source?cidr=203.0.113.8')).body.ended).toMatchObject([
      { ended: { by: 'desk', reason: 'test' } },
    ]);
  });

  it('takes a prefix, and says what is none', async () => {
    const { body } = await ask('/v1/source?cidr=203.0.113.77/24');
    expect(body).toMatchObject({
      cidr: '203.0.113.0/24',
      talkers: [{ address: '203.0.113.9', counts: { sessions: 3 } }],
    });
    expect(body.entries.length).toBe(1);
    expect(body.ended.length).toBe(1);
    expect((await ask('/v1/source?cidr=x.example')).status).toBe(400);
  });
});

describe('GET /v1/sources', () => {
  it('says who did most', async () => {
    const { body } = await ask('/v1/sources?by=refused&limit=5');
    expect(body.sources).toMatchObject([
      { address: '203.0.113.9', counts: { refused: 3, accepted: 0 } },
    ]);
    expect((await ask('/v1/sources?by=refused&within=198.18.0.0/15')).body.sources).toEqual([]);
    expect((await ask('/v1/sources?by=luck')).status).toBe(400);
  });
});

describe('GET /v1/register', () => {
  it('shows entries with their state, and what the clocks say', async () => {
    const { body } = await ask('/v1/register');
    expect(body.counts).toEqual({ servers: 2, codes: 2, allow: 1 });
    expect(
      body.codes.entries.map(({ code, state }: Record<string, string>) => [code, state]),
    ).toEqual([
      ['SHP1', 'valid'],
      ['OLD1', 'withdrawn'],
    ]);
    const late = body.clocks.items.find(
      ({ name }: Record<string, string>) => name === 'late-filing',
    );
    expect(late).toMatchObject({
      about: '203.0.113.26/32, Late Mail',
      line: 3,
      severity: 'medium',
    });
  });

  it('finds, and goes page by page', async () => {
    const { body } = await ask('/v1/register?find=late%20mail');
    expect(body.servers.entries.map(({ cidr }: Record<string, string>) => cidr)).toEqual([
      '203.0.113.26/32',
    ]);
    expect(body.codes.entries).toEqual([]);
    const first = (await ask('/v1/register?limit=1')).body.servers;
    expect(first.next).toBe(1);
    const second = (await ask('/v1/register?limit=1&from=1')).body.servers;
    expect([second.entries[0].operator, second.next]).toEqual(['Late Mail', null]);
  });
});

describe('GET /v1/state', () => {
  it('has what the daemon says of itself', async () => {
    const { body } = await ask('/v1/state');
    expect(body).toMatchObject({
      sensor: 'tap-9',
      mode: 'observe',
      tapSide: 'unknown',
      figures: { packets: 7 },
    });
    expect(body.activity.series.refused.at(-1)).toBe(3);
  });
});
