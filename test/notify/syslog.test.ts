// Syslog messages: their form, and real receivers of each kind, among them rsyslogd.

import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Outbox } from '../../src/notify/outbox.js';
import { Syslog, type SyslogTarget, syslogLine, syslogTarget } from '../../src/notify/syslog.js';
import { notice } from './notices.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-syslog-'));
afterAll(() => rmSync(folder, { recursive: true }));

const options = (target: SyslogTarget) => ({
  target,
  facility: 'local4',
  hostname: 'tap-1',
  pid: 4711,
});
const nowhere = { transport: 'udp', host: '127.0.0.1', port: 1 } as const;

async function until(holds: () => boolean, patience_ms = 5000): Promise<void> {
  const last = performance.now() + patience_ms;
  while (!holds() && performance.now() < last) await new Promise((go) => setTimeout(go, 10));
}

/** Sends three notices to a target. */
async function send(target: SyslogTarget) {
  const syslog = new Syslog(options(target));
  const told: string[] = [];
  const tell = (message: string) => void told.push(message);
  const outbox = new Outbox({ portion: 10, tell, deliver: syslog.deliver, firstPause_ms: 10 });
  for (let n = 0; n < 3; n++) outbox.put(notice(n));
  await until(() => outbox.counters.sent === 3 || told.length > 0);
  await outbox.close(500);
  syslog.close();
  return { told, ...outbox.counters };
}

const expected = [
  '<162>1 2023-11-14T22:13:20.123456Z tap-1 mailweir 4711 alert - {"n":0}',
  '<165>1 2023-11-14T22:13:20.123456Z tap-1 mailweir 4711 decision - {"n":1}',
  '<162>1 2023-11-14T22:13:20.123456Z tap-1 mailweir 4711 alert - {"n":2}',
];

describe('a message', () => {
  it('is as RFC 5424 says', () => {
    expect([0, 1, 2].map((n) => syslogLine(notice(n), options(nowhere)))).toEqual(expected);
  });

  it.each([
    [1, 162],
    [2, 164],
    [3, 166],
  ] as const)('severity %i is priority %i', (severity, priority) => {
    const line = syslogLine({ ...notice(0), severity }, options(nowhere));
    expect(line).toMatch(new RegExp(`^<${priority}>1 `));
  });

  it('names and texts of strangers cannot break it', () => {
    const brief = JSON.stringify({ x: 'ü\u2028\n\u0000 🦀' });
    const line = syslogLine({ ...notice(0), brief }, { ...options(nowhere), hostname: 'a b\nü' });
    expect(line).toMatch(/^[\x20-\x7e]+$/);
    expect(line).toContain(' a_b__ mailweir ');
    expect(JSON.parse(line.slice(line.indexOf('{')))).toEqual(JSON.parse(brief));
  });
});

describe('a target', () => {
  it.each([
    ['udp://logs.example:5514', { transport: 'udp', host: 'logs.example', port: 5514 }],
    ['udp://192.0.2.1', { transport: 'udp', host: '192.0.2.1', port: 514 }],
    ['tcp://[2001:db8::1]', { transport: 'tcp', host: '2001:db8::1', port: 601 }],
    ['unix:/run/log.sock', { transport: 'unix', host: '/run/log.sock', port: 0 }],
    ['tcp://logs.example:0', null],
    ['tcp://logs.example:70000', null],
    ['tls://logs.example', null],
    ['unix:relative', null],
    ['/dev/log', null],
  ])('%s', (text, target) => {
    expect(syslogTarget(text)).toEqual(target);
  });
});

describe('receivers', () => {
  it('UDP: one datagram a message', async () => {
    const socket = createSocket('udp4');
    const got: string[] = [];
    socket.on('message', (bytes) => got.push(bytes.toString()));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    expect(await send({ transport: 'udp', host: '127.0.0.1', port })).toMatchObject({ sent: 3 });
    await until(() => got.length === 3);
    socket.close();
    expect(got).toEqual(expected);
  });

  const framed = expected.map((line) => `${line.length} ${line}`).join('');

  it.each(['tcp', 'unix'] as const)('%s: octet counting', async (transport) => {
    let got = '';
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.setEncoding('latin1').on('data', (text: string) => {
        got += text;
      });
    });
    const path = join(folder, 'stream.sock');
    if (transport === 'unix') server.listen(path);
    else server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address!.port : 0;
    const host = transport === 'unix' ? path : '127.0.0.1';
    expect(await send({ transport, host, port })).toMatchObject({ sent: 3, failures: 0 });
    await until(() => got.length >= framed.length);
    for (const socket of sockets) socket.destroy();
    server.close();
    expect(got).toBe(framed);
  });

  it('TCP: a receiver that went away is found again', async () => {
    let got = '';
    const server = createServer((socket) => {
      socket.setEncoding('latin1').on('data', (text: string) => {
        got += text;
        socket.destroy();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const syslog = new Syslog(options({ transport: 'tcp', host: '127.0.0.1', port }));
    const outbox = new Outbox({
      portion: 1,
      tell: () => {},
      deliver: syslog.deliver,
      firstPause_ms: 5,
    });
    outbox.put(notice(0));
    await until(() => got.includes('"n":0'));
    await new Promise((go) => setTimeout(go, 50));
    outbox.put(notice(1));
    await until(() => got.includes('"n":1'));
    await outbox.close(500);
    syslog.close();
    server.close();
    expect(got).toContain('"n":1');
  });

  it('nobody there: tried again, said once, dropped at the end', async () => {
    const ended = await send({ transport: 'unix', host: join(folder, 'none.sock'), port: 0 });
    expect(ended).toMatchObject({ sent: 0, dropped: 3 });
    expect(ended.told).toHaveLength(1);
    expect(ended.told[0]).toMatch(/^does not take messages: .*ENOENT/);
  });
});

const rsyslogd = ['/usr/sbin/rsyslogd', '/usr/bin/rsyslogd'].find(existsSync);

describe.skipIf(rsyslogd === undefined)('rsyslogd', () => {
  it('takes messages of every transport and reads their parts', async () => {
    const file = (name: string) => join(folder, name);
    const port = await freePort();
    const header = ['hostname', 'app-name', 'procid', 'msgid', 'msg'];
    const parts = ['syslogfacility-text', 'syslogseverity-text', ...header];
    writeFileSync(
      file('rsyslog.conf'),
      `global(workDirectory="${folder}")
       module(load="imudp") module(load="imptcp")
       template(name="parts" type="string"
         string="${parts.map((part) => `%${part}%`).join('|')}\\n")
       ruleset(name="all") { action(type="omfile" file="${file('log')}" template="parts") }
       input(type="imudp" address="127.0.0.1" port="${port}" ruleset="all")
       input(type="imptcp" address="127.0.0.1" port="${port}" ruleset="all")
       input(type="imptcp" path="${file('rsyslog.sock')}" ruleset="all")\n`,
    );
    const config = file('rsyslog.conf');
    const checked = spawnSync(rsyslogd!, ['-N1', '-f', config], { encoding: 'utf8' });
    expect(checked.status, checked.stderr).toBe(0);
    const child = spawn(rsyslogd!, ['-n', '-f', config, '-i', file('pid')], { stdio: 'ignore' });
    try {
      await until(() => existsSync(file('rsyslog.sock')), 10_000);
      for (const target of [
        { transport: 'udp', host: '127.0.0.1', port },
        { transport: 'tcp', host: '127.0.0.1', port },
        { transport: 'unix', host: file('rsyslog.sock'), port: 0 },
      ] as const) {
        expect(await send(target), target.transport).toMatchObject({ sent: 3 });
      }
      const lines = () =>
        existsSync(file('log')) ? readFileSync(file('log'), 'utf8').trim().split('\n') : [];
      await until(() => lines().length >= 9, 10_000);
      const wanted = [
        'local4|crit|tap-1|mailweir|4711|alert|{"n":0}',
        'local4|notice|tap-1|mailweir|4711|decision|{"n":1}',
        'local4|crit|tap-1|mailweir|4711|alert|{"n":2}',
      ];
      const said = lines().map((line) => line.replace('| {', '|{'));
      expect(said.sort()).toEqual([...wanted, ...wanted, ...wanted].sort());
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  }, 40_000);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((go) => server.close(go));
  return port;
}
