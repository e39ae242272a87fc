// The daemon that judges: what it logs, writes and sends as things happen, and how it takes another
// law while it runs.

import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accused, accusedCapture, accusedFiles } from '../helper/accused.js';
import { Daemon, eventsIn, mailweir } from '../helper/program.js';
import { Canaries, LeakSearch } from '../secrecy/leaks.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-office-'));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (name: string): string => join(folder, name);
const secret = 'the secret of these tests';

const locals = new Canaries(7);
const never = new Canaries(8);

beforeAll(() => {
  const local = (n: number) => locals.at(`local ${n}`);
  const names = { local, subject: never.at('subject'), body: never.at('body') };
  writeFileSync(place('hour.pcap'), accusedCapture(names));
  writeFileSync(place('secret'), `${secret}\n`);
});

interface Event {
  readonly event_type: string;
}

/** Receivers of both kinds, and everything that they got. */
async function receivers() {
  const posts: { body: string; signed: boolean }[] = [];
  const http = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const { headers } = request;
      const text = `${headers['x-mailweir-timestamp']}.${body}`;
      const digest = createHmac('sha256', secret).update(text).digest('hex');
      posts.push({ body, signed: headers['x-mailweir-signature'] === `v1=${digest}` });
      response.writeHead(204).end();
    });
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const udp = createSocket('udp4');
  const datagrams: string[] = [];
  udp.on('message', (bytes) => datagrams.push(bytes.toString()));
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const config = `notify:
  severity: info
  syslog: { to: "udp://127.0.0.1:${udp.address().port}" }
  webhook: { url: "http://127.0.0.1:${(http.address() as AddressInfo).port}/", secret_file: secret }
`;
  const close = () => {
    udp.close();
    http.close();
    http.closeAllConnections();
  };
  return { posts, datagrams, config, close };
}

describe('a daemon that judges', () => {
  it('logs, writes and sends every alert and decision, and nothing that is secret', async () => {
    const { posts, datagrams, config, close } = await receivers();
    const words = ['--format', 'eve', '--config', accusedFiles(folder, config)];
    const daemon = new Daemon(['run', '--replay', place('hour.pcap'), ...words]);
    const [code] = (await once(daemon.child, 'close')) as [number];
    await new Promise((go) => setTimeout(go, 100));
    close();
    expect(code, daemon.stderr).toBe(0);
    const all = eventsIn(daemon.stdout) as unknown as Event[];
    const verdicts = all.filter(({ event_type }) => /alert|decision/.test(event_type));
    expect(verdicts.length).toBeGreaterThan(5);
    expect(posts.every(({ signed }) => signed)).toBe(true);
    const posted = posts.flatMap(({ body }) => (JSON.parse(body) as { events: Event[] }).events);
    expect(posted).toEqual(verdicts);
    expect(datagrams.length).toBe(verdicts.length);
    for (const line of datagrams) {
      expect(line).toMatch(/^<\d+>1 \S+Z tap-1 mailweir \d+ (alert|decision) - \{/);
      expect(JSON.parse(line.slice(line.indexOf('{')))).toMatchObject({ sensor: 'tap-1' });
    }
    const logged = eventsIn(daemon.stderr).filter((line) => 'alert' in line || 'decision' in line);
    expect(logged.length).toBe(verdicts.length);
    const stats = all.at(-1) as unknown as { stats: Record<string, unknown> };
    expect(stats.stats).toMatchObject({
      detect: { symmetry: 1, loss: 0 },
      decide: { open: expect.any(Number), guards: { 'allow-list': expect.any(Number) } },
      notify: { syslog: { dropped: 0 }, webhook: { dropped: 0, refused: 0 } },
    });
    const said = [JSON.stringify(verdicts), ...posts.map(({ body }) => body), ...datagrams];
    const output = Buffer.from([...said, daemon.stderr].join('\n'));
    expect(new LeakSearch([...locals.all, ...never.all]).find(output)).toEqual([]);
    expect(new LeakSearch(locals.all).find(Buffer.from(daemon.stdout)).length).toBeGreaterThan(0);
  }, 60_000);

  it('the page and the backtest of a replay have nothing secret either', () => {
    const words = ['--config', accusedFiles(folder), place('hour.pcap')];
    const rules = join(import.meta.dirname, '..', '..', 'rules');
    const page = mailweir(['replay', ...words]);
    const backtest = mailweir(['rules', 'backtest', '--rules', rules, ...words]);
    expect(page.stdout).toContain('=> blocked');
    expect(backtest.stdout).toContain('Same (1 source)');
    const output = [page, backtest].map(({ stdout, stderr }) => stdout + stderr).join('\n');
    const search = new LeakSearch([...locals.all, ...never.all]);
    expect(search.find(Buffer.from(output))).toEqual([]);
  }, 60_000);

  it('takes another allow-list at SIGHUP, and none that is wrong', async () => {
    const config = accusedFiles(folder);
    // An hour in six seconds, and again.
    const words = ['--speed', '600', '--loop', '--format', 'eve', '--config', config];
    const daemon = new Daemon(['run', '--replay', place('hour.pcap'), ...words]);
    const decided = (state: string) =>
      eventsIn(daemon.stdout.slice(0, daemon.stdout.lastIndexOf('\n') + 1)).some((event) => {
        const decision = event['decision'] as { cidr: string; state: string } | undefined;
        return decision?.cidr === `${accused.bot}/32` && decision.state === state;
      });
    try {
      await daemon.until(() => decided('added'), 30_000);
      writeFileSync(place('allow.csv'), 'cidr,owner,reason\nnonsense,A,b\n');
      daemon.child.kill('SIGHUP');
      await daemon.until(() => daemon.stderr.includes('not reloaded'));
      expect(daemon.stderr).toMatch(/allow\.csv:2:1/);
      writeFileSync(place('allow.csv'), `cidr,owner,reason\n${accused.bot}/32,A,b\n`);
      daemon.child.kill('SIGHUP');
      await daemon.until(() => daemon.stderr.includes('"reloaded"'));
      await daemon.until(() => decided('released'));
    } finally {
      expect(await daemon.end(), daemon.stderr).toBe(0);
    }
  }, 90_000);

  it('a secret that is no secret ends it before it begins', async () => {
    writeFileSync(place('short'), 'abc\n');
    const hook = 'notify: { webhook: { url: "http://127.0.0.1:1/", secret_file: short } }\n';
    const config = accusedFiles(folder, hook);
    const daemon = new Daemon(['run', '--replay', place('hour.pcap'), '--config', config]);
    const [code] = (await once(daemon.child, 'close')) as [number];
    expect(code).toBe(1);
    expect(daemon.stderr).toMatch(/short: the secret of notify\.webhook has fewer than 16 /);
  }, 30_000);
});
