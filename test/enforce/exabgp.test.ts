// ExaBGP runs `mailweir exabgp` and hands its FlowSpec rules to GoBGP, which shows them; they
// change with the list, and go when it expires and when ExaBGP is stopped. All talk in a namespace.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { has } from '../capture/captures.js';
import { mailweir, program } from '../helper/program.js';
import { ask } from './street.js';

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

const own = ['203.0.113.0/24', '2001:db8::/32'];
const settings = `
sensor: bgp
network: { own: ${JSON.stringify(own)} }
rules: { mode: enforce }
state: { directory: state }
block: { directory: list, life_s: 10 }
serve: { http: 127.0.0.1:8225 }
`;

/** A person lists a source; gives the entry's id. */
function list(cidr: string, action: 'block' | 'limit'): string {
  const wish = { cidr, action, for: 3600, owner: 'desk', reason: 'a test' };
  return (ask(space, 'POST', '/v1/entries', wish) as { id: string }).id;
}

function release(id: string): void {
  ask(space, 'POST', `/v1/entries/${id}/release`, { reason: 'mended' });
}

function start(...command: string[]): ChildProcess {
  const child = spawn('ip', ['netns', 'exec', space, ...command], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: process.env['PATH'], 'exabgp.daemon.user': 'root' },
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

async function until(holds: () => boolean, patience_ms = 20_000): Promise<void> {
  const last = performance.now() + patience_ms;
  while (!holds()) {
    if (performance.now() > last) throw new Error(`waited in vain; rules: ${rules().join(' ')}`);
    await new Promise((go) => setTimeout(go, 100));
  }
}

const exabgpFile = `
process mailweir {
  run ${process.execPath} ${program} exabgp --config ${file('mailweir.yaml')}
    --interval 30 --rules 3 --state ${file('rules')};
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
  let daemon: ChildProcess;
  let speaker: ChildProcess;
  const config = ['--config', file('mailweir.yaml')];

  beforeAll(() => {
    for (const words of [
      ['netns', 'add', space],
      ['-n', space, 'link', 'set', 'lo', 'up'],
      ['-n', space, 'address', 'add', '192.0.2.1/32', 'dev', 'lo'],
      ['-n', space, 'address', 'add', '192.0.2.2/32', 'dev', 'lo'],
    ]) {
      expect(spawnSync('ip', words).status).toBe(0);
    }
    writeFileSync(file('mailweir.yaml'), settings);
    writeFileSync(file('exabgp.conf'), exabgpFile);
    writeFileSync(file('gobgp.toml'), gobgpFile);
    daemon = start(process.execPath, program, 'run', '--interface', 'lo', ...config);
    start('gobgpd', '-f', file('gobgp.toml'), '-l', 'error');
    speaker = start('exabgp', file('exabgp.conf'));
  }, 30_000);

  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    spawnSync('ip', ['netns', 'del', space]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('are announced for own prefixes up to the ceiling, and withdrawn', async () => {
    await until(() => answers());
    const block = list('203.0.113.9/32', 'block');
    const limit = list('203.0.113.10/32', 'limit');
    list('198.51.100.1/32', 'block');
    const six = list('2001:db8:1:2::/64', 'block');
    await until(() => rules().length === 3);
    const of = (from: string) => `[source: ${from}][protocol: ==tcp][destination-port: ==25]`;
    const all = ['203.0.113.10/32', '203.0.113.9/32', '2001:db8:1:2::/64/0'];
    expect(rules()).toEqual(all.map(of));
    expect(readFileSync(file('rules'), 'utf8').trim().split('\n')).toHaveLength(3);

    list('203.0.113.11/32', 'limit');
    for (const id of [block, limit, six]) release(id);
    await until(() => rules().join() === of('203.0.113.11/32'));
    for (let n = 20; n < 25; n++) list(`203.0.113.${n}/32`, 'block');
    await until(() => rules().length === 3);

    // The daemon dies, and its list with it.
    daemon.kill('SIGKILL');
    await until(() => rules().length === 0, 25_000);
    daemon = start(process.execPath, program, 'run', '--interface', 'lo', ...config);
    await until(() => rules().length === 3);
    speaker.kill('SIGTERM');
    await until(() => rules().length === 0);

    // The document of the same rules, for those who have GoBGP alone; nobody's ceiling here.
    const words = ['curl', '-s', 'http://127.0.0.1:8225/v1/blocklist.gobgp?action=all'];
    const { stdout } = spawnSync('ip', ['netns', 'exec', space, ...words], { encoding: 'utf8' });
    for (const line of stdout.split('\n').filter((one) => one.startsWith('gobgp '))) {
      expect(spawnSync('ip', ['netns', 'exec', space, 'sh', '-c', line]).status, line).toBe(0);
    }
    const networks = [20, 21, 22, 23, 24].map((n) => of(`203.0.113.${n}/32`));
    expect(rules()).toEqual([of('198.51.100.1/32'), of('203.0.113.11/32'), ...networks]);
  }, 90_000);
});

/** Whether the daemon's API is there. */
function answers(): boolean {
  try {
    ask(space, 'GET', '/v1/blocklist.json');
    return true;
  } catch {
    return false;
  }
}

describe('mailweir exabgp', () => {
  it('says what is missing', () => {
    const { status, stderr } = mailweir(['exabgp']);
    expect(status).toBe(1);
    expect(stderr).toContain('Give --url, or serve.http in --config');
  });
});
