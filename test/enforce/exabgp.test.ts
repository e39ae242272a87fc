// ExaBGP runs `mailweir exabgp` and hands its FlowSpec rules to GoBGP, which shows them; they
// change with the list, and go when it expires and when ExaBGP is stopped. All talk in a namespace.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { has } from '../capture/captures.js';
import { mailweir, program } from '../helper/program.js';

const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  ...['ip', 'exabgp', 'gobgpd', 'gobgp'].map((name) => (has(name) ? '' : name)),
].filter((what) => what !== '');
if (missing.length > 0) console.warn(`enforce: BGP not run; missing: ${missing.join(', ')}`);

const space = `mw${process.pid}b`;
const folder = mkdtempSync(join(tmpdir(), 'mailweir-bgp-'));
const file = (name: string): string => join(folder, name);
const children: ChildProcess[] = [];
const families = ['ipv4-flowspec', 'ipv6-flowspec'];

/** The list as the API gives it, from a file that the test changes. */
const server = `
  import { createHash } from 'node:crypto';
  import { readFileSync } from 'node:fs';
  import { createServer } from 'node:http';
  createServer(({ url, headers }, response) => {
    const body = readFileSync(process.argv[1]);
    const etag = '"' + createHash('md5').update(body).digest('hex') + '"';
    if (url !== '/v1/blocklist.json?action=all') response.writeHead(404).end();
    else if (headers.authorization !== 'Bearer hush') response.writeHead(401).end();
    else if (headers['if-none-match'] === etag) response.writeHead(304, { etag }).end();
    else response.writeHead(200, { etag }).end(body);
  }).listen(8225, '127.0.0.1');
`;

function publish(entries: readonly (readonly [string, string])[], seconds = 60): void {
  const expires = new Date(Date.now() + seconds * 1000).toISOString();
  const list = entries.map(([cidr, action]) => ({ id: 'bl_0', cidr, action, until: expires }));
  const document = { revision: 1, generated: expires, expires, count: list.length, entries: list };
  writeFileSync(file('list.new'), JSON.stringify(document));
  renameSync(file('list.new'), file('list.json'));
}

function start(...command: string[]): ChildProcess {
  const child = spawn('ip', ['netns', 'exec', space, ...command], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: process.env['PATH'], MAILWEIR_TOKEN: 'hush', 'exabgp.daemon.user': 'root' },
  });
  children.push(child);
  return child;
}

/** The rules that the router has, sorted. */
function rules(): string[] {
  const words = (family: string) => ['gobgp', 'global', 'rib', '-a', family, '-j'];
  return families.flatMap((family) => {
    const all = ['netns', 'exec', space, ...words(family)];
    const { stdout } = spawnSync('ip', all, { encoding: 'utf8' });
    return stdout.startsWith('{') ? Object.keys(JSON.parse(stdout) as object).sort() : [];
  });
}

async function until(holds: () => boolean): Promise<void> {
  const last = performance.now() + 15_000;
  while (!holds()) {
    if (performance.now() > last) throw new Error(`waited in vain; rules: ${rules().join(' ')}`);
    await new Promise((go) => setTimeout(go, 100));
  }
}

const exabgpFile = `
process mailweir {
  run ${process.execPath} ${program} exabgp --config ${file('mailweir.yaml')}
    --interval 1 --rules 3 --state ${file('state')};
  encoder text;
}
neighbor 192.0.2.1 {
  router-id 192.0.2.2; local-address 192.0.2.2; local-as 65001; peer-as 65001;
  family { ipv4 flow; ipv6 flow; }
  api { processes [ mailweir ]; }
}
`.replace(/\n {4}--/, ' --');
const gobgpFile = `
[global.config]
  as = 65001
  router-id = "192.0.2.1"
  local-address-list = ["192.0.2.1"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "192.0.2.2"
    peer-as = 65001
  [neighbors.transport.config]
    passive-mode = true
${families
  .map(
    (name) => `  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "${name}"`,
  )
  .join('\n')}
`;

describe.runIf(missing.length === 0)('FlowSpec rules by ExaBGP', () => {
  let speaker: ChildProcess;

  beforeAll(() => {
    for (const words of [
      ['netns', 'add', space],
      ['-n', space, 'link', 'set', 'lo', 'up'],
      ['-n', space, 'address', 'add', '192.0.2.1/32', 'dev', 'lo'],
      ['-n', space, 'address', 'add', '192.0.2.2/32', 'dev', 'lo'],
    ]) {
      expect(spawnSync('ip', words).status).toBe(0);
    }
    writeFileSync(
      file('mailweir.yaml'),
      'network: { own: [203.0.113.0/24, "2001:db8::/32"] }\nserve: { http: 127.0.0.1:8225 }\n',
    );
    writeFileSync(file('exabgp.conf'), exabgpFile);
    writeFileSync(file('gobgp.toml'), gobgpFile);
    publish([]);
    start(process.execPath, '--input-type=module', '-e', server, file('list.json'));
    start('gobgpd', '-f', file('gobgp.toml'), '-l', 'error');
    speaker = start('exabgp', file('exabgp.conf'));
  }, 30_000);

  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    spawnSync('ip', ['netns', 'del', space]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('are announced for own prefixes up to the ceiling, changed and withdrawn', async () => {
    publish([
      ['203.0.113.9/32', 'block'],
      ['203.0.113.10/32', 'limit'],
      ['198.51.100.1/32', 'block'],
      ['2001:db8:1:2::/64', 'block'],
      ['203.0.112.0/23', 'block'],
    ]);
    await until(() => rules().length === 3);
    const of = (from: string) => `[source: ${from}][protocol: ==tcp][destination-port: ==25]`;
    const own = ['203.0.113.10/32', '203.0.113.9/32', '2001:db8:1:2::/64/0'];
    expect(rules()).toEqual(own.map(of));
    expect(readFileSync(file('state'), 'utf8').trim().split('\n')).toHaveLength(3);
    publish([['203.0.113.9/32', 'block']]);
    await until(() => rules().length === 1);
    publish(Array.from({ length: 9 }, (_, n) => [`203.0.113.${n}/32`, 'limit'] as const));
    await until(() => rules().length === 3);
    publish([['203.0.113.9/32', 'block']], 2);
    await until(() => rules().length === 1);
    await until(() => rules().length === 0);
    publish([['203.0.113.9/32', 'block']]);
    await until(() => rules().length === 1);
    speaker.kill('SIGTERM');
    await until(() => rules().length === 0);
  }, 60_000);
});

describe('mailweir exabgp', () => {
  it('says what is missing', () => {
    const { status, stderr } = mailweir(['exabgp']);
    expect(status).toBe(1);
    expect(stderr).toContain('Give --url, or serve.http in --config');
  });
});
