// `mailweir block` against a server in this process, as an operator types it.

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { decisionOf } from '../block/lists.js';
import { type Ended, mailweir, program } from '../helper/program.js';
import { Site } from '../serve/site.js';

let site: Site;

beforeEach(async () => {
  site = await Site.open({ boss: ['operate'] });
});

afterEach(() => site.close());

/** Runs the command while the server in this process answers. */
function block(words: readonly string[], token = site.token('boss')): Promise<Ended> {
  const env = { ...process.env, MAILWEIR_URL: site.url(''), MAILWEIR_TOKEN: token };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, 'block', ...words], { env }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

it('adds, lists, explains, appeals and releases', async () => {
  site.test.list.decision(decisionOf('203.0.113.7/32'));
  await site.test.list.idle();
  const added = await block(['add', '203.0.113.9', '--reason', 'spam run', '--owner', 'desk']);
  expect(added.stderr + added.stdout).toMatch(
    /^203\.0\.113\.9\/32 +block until .* bl_.* manual\n$/,
  );
  const listed = await block(['list', '--origin', 'manual']);
  expect(listed.stdout).toContain('203.0.113.9/32');
  expect(listed.stdout).not.toContain('203.0.113.7/32');
  expect((await block(['explain', '203.0.113.9'])).stdout).toContain('desk listed it: spam run');
  expect((await block(['show', '203.0.113.7'])).stdout).toMatch(/evidence +failed 19, outcomes 23/);
  const appeal = await block(['appeal', '203.0.113.7', '--text', 'a printer']);
  expect(appeal.stdout).toContain('appeal open, answer by');
  expect((await block(['list', '--appealed'])).stdout).toContain('203.0.113.7/32');
  const released = await block(['release', '203.0.113.7', '--reason', 'cleaned', '--wrong']);
  expect(released.stdout).toContain('203.0.113.7/32 released');
  const entries = (await block(['list', '--json'])).stdout.trim().split('\n');
  expect(entries.map((line) => (JSON.parse(line) as { cidr: string }).cidr)).toEqual([
    '203.0.113.9/32',
  ]);
});

it.each([
  ['not there', ['show', '203.0.113.9'], '203.0.113.9 is not on the list'],
  ['no address', ['add', 'mail.example', '--reason', 'x'], '"mail.example" is no address'],
  ['unknown id', ['release', `bl_${'0'.repeat(20)}`, '--reason', 'x'], 'there is no such entry'],
])('one line says what is wrong: %s', async (_, words, message) => {
  const { status, stderr } = await block(words);
  expect(stderr).toContain(message);
  expect([status, stderr.trim().split('\n').length]).toEqual([1, 1]);
});

it('a wrong token and a daemon that is not there are one line too', async () => {
  expect((await block(['list'], 'mw_wrong')).stderr).toContain('MAILWEIR_TOKEN');
  const { port } = site;
  await site.server.close();
  const { status, stderr } = await block(['list']);
  expect([status, stderr]).toEqual([
    1,
    `mailweir: cannot reach the daemon at 127.0.0.1:${port} (ECONNREFUSED); ` +
      'is mailweir run there?\n',
  ]);
});

it('a token is told once, and works at once; only its digest is kept', async () => {
  const file = join(site.folder, 'tokens');
  const config = join(site.folder, 'mailweir.yaml');
  writeFileSync(config, `serve: { tokens: ${file} }\n`);
  const made = mailweir(['block', 'token', 'edge-1', '--scopes', 'read', '--config', config]);
  const token = made.stdout.trim();
  expect(token).toMatch(/^mw_[\w-]{43}$/);
  expect(readFileSync(file, 'utf8')).not.toContain(token);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  expect((await block(['list'], token)).status).toBe(0);
  expect((await block(['add', '203.0.113.9', '--reason', 'x'], token)).stderr).toContain(
    '"operate"',
  );
  const again = mailweir(['block', 'token', 'edge-1', '--config', config]);
  expect([again.status, again.stderr]).toEqual([
    1,
    `mailweir: ${file}: "edge-1" has a token; remove its line first\n`,
  ]);
});

it('a server for others without tokens does not start', () => {
  const config = join(site.folder, 'mailweir.yaml');
  writeFileSync(config, `serve: { http: "0.0.0.0:8225" }\nblock: { directory: list }\n`);
  const { status, stderr } = mailweir(['run', '--replay', '/dev/null', '--config', config]);
  expect(status).toBe(1);
  expect(stderr).toContain('mailweir: serve.http "0.0.0.0:8225": whoever reaches it could change');
});
