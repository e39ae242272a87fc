// What the kernel does to connections of an IPv6 customer, whose prefix is listed: limited, blocked
// and allowed, each on real connections through a box that forwards them.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Member, Scripts } from '../../src/enforce/script.js';
import { has } from '../capture/captures.js';

const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  ...['ip', 'nft', 'sysctl'].map((name) => (has(name) ? '' : name)),
].filter((what) => what !== '');
if (missing.length > 0) console.warn(`enforce: traffic not run; missing: ${missing.join(', ')}`);

const own = `mw${process.pid}`;
const [home, box, far] = [`${own}x`, `${own}y`, `${own}z`];
const folder = mkdtempSync(join(tmpdir(), 'mailweir-traffic-'));
const cidr = '2001:db8:1:2::/64';

function ip(...words: string[]): void {
  const { status, stderr } = spawnSync('ip', words, { encoding: 'utf8' });
  expect(status, `ip ${words.join(' ')}: ${stderr}`).toBe(0);
}

function node(space: string, script: string, ...words: string[]): string[] {
  return ['netns', 'exec', space, process.execPath, '--input-type=module', '-e', script, ...words];
}

/** Gives back what it is sent. */
const echo = `
  import { createServer } from 'node:net';
  createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(25, '::');`;

/** Opens a connection, then takes the scripts in turn; says how each attempt went. */
const client = `
  import { spawnSync } from 'node:child_process';
  import { connect } from 'node:net';
  const [box, limit, block, allow] = process.argv.slice(1);
  const load = (file) => spawnSync('ip', ['netns', 'exec', box, 'nft', '-f', file]).status;
  const once = (socket, event) => new Promise((resolve) => {
    const timer = setTimeout(() => resolve('silence'), 1500);
    socket.once('error', ({ code }) => (clearTimeout(timer), resolve(code)));
    socket.once(event, () => (clearTimeout(timer), resolve('yes')));
  });
  const open = async () => {
    const socket = connect(25, '2001:db8:9::9');
    const how = await once(socket, 'connect');
    socket.on('error', () => {});
    return how === 'yes' ? socket : how;
  };
  const say = async (socket) => {
    if (typeof socket === 'string') return socket;
    socket.write('x');
    return once(socket, 'data');
  };
  const old = await open();
  const said = [await say(old), load(limit), await say(old)];
  for (let n = 0; n < 4; n++) said.push(await say(await open()));
  said.push(load(block), await say(await open()), load(allow), await say(await open()));
  console.log(JSON.stringify(said));
  process.exit();`;

describe.runIf(missing.length === 0)('connections of a listed prefix', () => {
  let server: ChildProcess;

  beforeAll(() => {
    for (const space of [home, box, far]) ip('netns', 'add', space);
    const cables = [
      { space: home, at: '2001:db8:1:2::5', gate: '2001:db8:1:2::1' },
      { space: far, at: '2001:db8:9::9', gate: '2001:db8:9::1' },
    ];
    for (const { space, at, gate } of cables) {
      const peer = ['peer', 'name', `${space}p`, 'netns', box];
      ip('link', 'add', space, 'netns', space, 'type', 'veth', ...peer);
      ip('-n', space, 'address', 'add', `${at}/64`, 'dev', space, 'nodad');
      ip('-n', box, 'address', 'add', `${gate}/64`, 'dev', `${space}p`, 'nodad');
      ip('-n', space, 'link', 'set', space, 'up');
      ip('-n', box, 'link', 'set', `${space}p`, 'up');
      ip('-n', space, 'route', 'add', 'default', 'via', gate);
    }
    ip('netns', 'exec', box, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
    server = spawn('ip', node(far, echo), { stdio: 'ignore' });
  });

  afterAll(() => {
    server?.kill('SIGKILL');
    for (const space of [home, box, far]) spawnSync('ip', ['netns', 'del', space]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('are reset and metered by a limit, dropped by a block, let be by an allow entry', async () => {
    const scripts = new Scripts();
    const base = { cidr, ports: [25], seconds: 600 };
    const file = (name: string, member: Member, begin?: { ports: number[] }): string => {
      const path = join(folder, name);
      writeFileSync(path, scripts.of({ begin, put: [member], drop: [], alive: 60 }));
      return path;
    };
    const files = [
      file('limit', { kind: 'limit', ...base, meter: { rate: 25, burst: 3 } }, { ports: [25] }),
      file('block', { kind: 'block', ...base }),
      file('allow', { kind: 'allow', cidr: '2001:db8:1:2::5/128', ports: [25], seconds: null }),
    ];
    // The server has to be there, and neighbours have to be found.
    await new Promise((go) => setTimeout(go, 1500));
    const { stdout, stderr } = spawnSync('ip', node(home, client, box, ...files), {
      encoding: 'utf8',
      timeout: 15_000,
    });
    expect(JSON.parse(stdout || '[]'), stderr).toEqual([
      ...['yes', 0, 'ECONNRESET'],
      ...['yes', 'yes', 'yes', 'ECONNREFUSED'],
      ...[0, 'silence'],
      ...[0, 'yes'],
    ]);
  }, 20_000);
});
