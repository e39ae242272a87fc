// The daemon publishes what it decides: packets in, a decision, the list by HTTP, released, gone.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeDemo } from '../../bench/world/demo.js';
import { Daemon } from '../helper/program.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-publish-'));
let daemon: Daemon;
let url = '';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resume) => server.once('listening', resume));
  const { port } = server.address() as { port: number };
  await new Promise((resume) => server.close(resume));
  return port;
}

interface List {
  revision: number;
  entries: { id: string; cidr: string; action: string; rule: string }[];
}

async function list(): Promise<List> {
  const answer = await fetch(`${url}/v1/blocklist?action=all`);
  return (await answer.json()) as List;
}

beforeAll(async () => {
  await writeDemo(join(folder, 'demo.pcap'));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const config = readFileSync(join(folder, 'demo.yaml'), 'utf8');
  const more = `
serve: { http: "127.0.0.1:${port}" }
block: { directory: list }
state: { directory: state }
`;
  writeFileSync(join(folder, 'mailweir.yaml'), config + more);
  const words = ['run', '--replay', join(folder, 'demo.pcap'), '--loop', '--speed', '60'];
  daemon = new Daemon([...words, '--config', join(folder, 'mailweir.yaml')]);
  await daemon.until(() => daemon.stderr.includes('"serving"'));
});

afterAll(async () => {
  await daemon.end();
  rmSync(folder, { recursive: true, force: true });
});

it('decides, publishes, explains and lets go', async () => {
  let found: List = { revision: 0, entries: [] };
  for (let tries = 0; found.entries.length === 0 && tries < 400; tries++) {
    await new Promise((resume) => setTimeout(resume, 50));
    found = await list();
  }
  const entry = found.entries[0]!;
  expect(entry).toMatchObject({ rule: expect.stringMatching(/^core\./) });
  const whole = (await (await fetch(`${url}/v1/entries/${entry.id}`)).json()) as {
    evidence: object;
    explanation: string;
    samples: object[];
  };
  expect(Object.keys(whole.evidence).length).toBeGreaterThan(0);
  expect(whole.explanation).toMatch(/^(Limited|Blocked): /);
  expect(JSON.stringify(whole)).not.toContain('@');
  const findings = (await (await fetch(`${url}/v1/findings`)).json()) as { findings: object[] };
  expect(findings.findings.length).toBeGreaterThan(0);
  const out = await fetch(`${url}/v1/entries/${entry.id}/release`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'test' }),
  });
  expect(out.status).toBe(200);
  const after = await list();
  expect(after.revision).toBeGreaterThan(found.revision);
  expect(after.entries.map(({ id }) => id)).not.toContain(entry.id);
}, 60_000);
