// Programs that pull the list, as they are installed, in a network namespace of this test: rspamd
// takes the map and rejects a listed source, CrowdSec's firewall bouncer blocks it and lets it go,
// curl sees that nothing changed, and nft loads 100,000 entries at once.

import { type ChildProcess, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntryCursor } from '../../src/block/rows.js';
import { Rows } from '../../src/block/table.js';
import { print } from '../../src/export/print.js';
import { has } from '../capture/captures.js';
import { until } from './desk.js';
import { House } from './house.js';
import { entryOf, noon } from './lists.js';

const stand = join(import.meta.dirname, '..', '..', 'dist', 'test', 'serve', 'site-stand.js');
const port = 8225;
const listedHost = '203.0.113.9';
const listedNet = '198.51.100.0/24';

const mayMount = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;
const needed = ['curl', 'nft', 'rspamd', 'crowdsec-firewall-bouncer'].filter((name) => {
  return !has(name) && !existsSync(`/usr/sbin/${name}`);
});
if (!mayMount) needed.push('the right to make a network namespace');

describe.skipIf(needed.length > 0)(`those who pull the list ${needed.join(', ')}`, () => {
  const house = new House();
  let site: ChildProcess;
  let token = '';

  /** Tells the server something and waits until it is done. */
  async function tell(line: string): Promise<void> {
    const before = house.log('site').length;
    site.stdin!.write(`${line}\n`);
    await until(() => house.log('site').slice(before).includes('done'));
  }

  beforeAll(async () => {
    expect(existsSync(stand), 'dist is missing: npm run build').toBe(true);
    await house.open();
    site = house.start('site', [process.execPath, stand, String(port)]);
    await until(() => house.log('site').includes('\n'));
    token = house.log('site').trim();
    await tell(`block ${listedHost}/32 ${listedNet}`);
  }, 60_000);
  afterAll(() => house.close());

  it('curl fetches once, and hears 304 until the list changes', async () => {
    const url = `http://127.0.0.1:${port}/v1/blocklist.txt`;
    const [body, tags] = [join(house.folder, 'body'), join(house.folder, 'tags')];
    const fetch = () => {
      const keep = ['--etag-save', tags, ...(existsSync(tags) ? ['--etag-compare', tags] : [])];
      const words = ['curl', '-s', '--compressed', '-H', `X-Api-Key: ${token}`, '-o', body];
      return house.run([...words, ...keep, '-w', '%{http_code}', url]);
    };
    expect([fetch(), fetch()]).toEqual(['200', '304']);
    await tell('block 203.0.113.77/32');
    expect([fetch(), fetch()]).toEqual(['200', '304']);
    const dated = () =>
      house.run([
        'curl',
        '-s',
        '-u',
        `x:${token}`,
        '-z',
        body,
        '-R',
        '-o',
        body,
        '-w',
        '%{http_code}',
        url,
      ]);
    dated();
    await new Promise((resume) => setTimeout(resume, 1100));
    expect(dated()).toMatch(/^(200|304)$/);
    expect(statSync(body).size).toBeGreaterThan(0);
  });

  it('rspamd takes the map and rejects a listed source', async () => {
    const folder = join(house.folder, 'rspamd');
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    writeFileSync(join(folder, 'rspamd.conf'), rspamdConf(folder, token));
    house.start('rspamd', ['rspamd', '-f', '-i', '-c', join(folder, 'rspamd.conf')]);
    const action = (ip: string) => {
      const mail = `From: a@example.org\r\nTo: b@example.net\r\nSubject: x\r\n\r\nhello\r\n`;
      const words = ['curl', '-s', '-H', `IP: ${ip}`, '--data-binary', '@-'];
      const said = house.run([...words, 'http://127.0.0.1:11333/checkv2'], mail);
      return /"action":"([^"]*)"/.exec(said)?.[1] ?? said;
    };
    try {
      await until(() => action(listedHost) === 'reject', 30_000);
    } catch {
      throw new Error(house.log('rspamd').slice(0, 6000));
    }
    expect(action('198.51.100.77')).toBe('reject');
    expect(action('192.0.2.1')).toBe('no action');
  }, 60_000);

  it("CrowdSec's firewall bouncer blocks a listed source and lets it go", async () => {
    const path = join(house.folder, 'bouncer.yaml');
    writeFileSync(path, bouncerYaml(house.folder, token));
    house.start('bouncer', ['crowdsec-firewall-bouncer', '-c', path]);
    const sets = () => house.run(['nft', 'list', 'ruleset']);
    await seen(
      () => sets().includes(listedHost),
      () => `${sets()}\n${house.log('bouncer')}`,
    );
    expect(sets()).toContain('198.51.100.0');
    await tell(`release ${listedHost}/32`);
    await seen(() => !sets().includes(`${listedHost} `), sets);
    expect(sets()).toContain('198.51.100.0');
  }, 60_000);

  it('nft loads 100,000 entries in one transaction, and again', () => {
    const { path, count } = nftFile(house.folder, 100_000);
    for (const _ of [1, 2]) expect(house.run(['nft', '-f', path])).toBe('');
    const elements = (set: string) => {
      const file = join(house.folder, 'set.json');
      const list = `nft -j list set inet mailweir_list ${set} > ${file}`;
      expect(house.run(['sh', '-c', list])).toBe('');
      const text = readFileSync(file, 'utf8');
      const { nftables } = JSON.parse(text) as { nftables: { set?: { elem?: unknown[] } }[] };
      return nftables.flatMap((one) => one.set?.elem ?? []).length;
    };
    const sets = ['block4', 'block4_nets', 'block6', 'block6_nets'];
    expect(sets.reduce((sum, set) => sum + elements(set), 0)).toBe(count);
  }, 60_000);
});

async function seen(holds: () => boolean, said: () => string): Promise<void> {
  try {
    await until(holds, 30_000);
  } catch {
    throw new Error(`waited in vain: ${said()}`);
  }
}

/** Hosts and networks of both families, of which some touch and some are nested. */
function nftFile(folder: string, count: number): { path: string; count: number } {
  const rows = new Rows(count);
  for (let index = 0; index < count; index++) {
    const [a, b] = [(index >> 8) & 0xff, index & 0xff];
    const cidr =
      index % 10 === 0
        ? `100.${64 + (index >> 16)}.${a}.${b & 0xfc}/30`
        : index % 3 === 0
          ? `2001:db8:${a.toString(16)}::${b.toString(16)}/${index % 2 === 0 ? 128 : 127}`
          : `10.${index >> 16}.${a}.${b}/32`;
    const even = cidr.endsWith('/127') ? cidr.replace(/::([0-9a-f]+)\//, '::8/') : cidr;
    rows.put(entryOf(even, index + 1));
  }
  const times = { list: 'test', revision: 1, generated: noon, expires: noon + 7200 * 1e6 };
  const snapshot = { ...times, ...rows.lend() };
  expect(new EntryCursor(snapshot).next()).toBe(true);
  const order = {
    format: 'nft',
    action: 'block',
    family: 'both',
    page: 1,
  } as const;
  const { body, records } = print(snapshot, order, {});
  const path = join(folder, 'list.nft');
  writeFileSync(path, body);
  return { path, count: records };
}

function rspamdConf(folder: string, token: string): string {
  return `
lua = "/usr/share/rspamd/rules/rspamd.lua";
modules { path = "/usr/share/rspamd/plugins/"; }
actions { reject = 15; }
options {
  pidfile = "${folder}/pid"; tempdir = "${folder}"; dynamic_conf = "${folder}/dynamic";
  hs_cache_dir = "${folder}"; rrd = ""; history_rows = 10; control_socket = "${folder}/control";
  map_watch_interval = 2s; local_addrs = "127.0.0.0/8"; filters = "";
  url_tld = "/usr/share/rspamd/effective_tld_names.dat";
  dns { nameserver = ["127.0.0.1:53"]; timeout = 0.1s; retransmits = 1; }
}
logging { type = "console"; level = "info"; color = false; }
worker "normal" { bind_socket = "127.0.0.1:11333"; count = 1; }
multimap {
  MAILWEIR {
    type = "ip"; prefilter = true; action = "reject";
    map = "http://x:${token}@127.0.0.1:${port}/v1/blocklist.rspamd";
  }
}
`;
}

function bouncerYaml(folder: string, token: string): string {
  return `
mode: nftables
pid_dir: ${folder}
update_frequency: 1s
daemonize: false
log_mode: stdout
log_dir: ${folder}
log_level: info
api_url: http://127.0.0.1:${port}/
api_key: ${token}
disable_ipv6: false
deny_action: DROP
deny_log: false
supported_decisions_types: [ban]
blacklists_ipv4: crowdsec-blacklists
blacklists_ipv6: crowdsec6-blacklists
nftables:
  ipv4: { enabled: true, set-only: false, table: crowdsec, chain: crowdsec-chain }
  ipv6: { enabled: true, set-only: false, table: crowdsec6, chain: crowdsec6-chain }
prometheus: { enabled: false }
`;
}
