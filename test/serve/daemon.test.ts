// The whole way: a capture in which a home is infected, the daemon that judges it, and the answers
// about everybody in it from its DNSBL and its policy server.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { accused, accusedCapture, accusedFiles } from '../helper/accused.js';
import { Daemon, eventsIn } from '../helper/program.js';
import { codeOf, until } from './desk.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-serve-'));
const daemons: Daemon[] = [];
afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.end();
});
afterAll(() => rmSync(folder, { recursive: true }));

const dnsbl = 20_000 + (process.pid % 20_000);
const policy = dnsbl + 1;

function start(mode: string): Daemon {
  const capture = join(folder, 'hour.pcap');
  writeFileSync(capture, accusedCapture());
  const more = `
serve: { dnsbl: "127.0.0.1:${dnsbl}", zone: bl.example.net, policy: "127.0.0.1:${policy}" }
block: { directory: list-${mode} }
`;
  const config = accusedFiles(folder, more, mode);
  const words = ['--replay', capture, '--loop', '--speed', '500', '--format', 'eve'];
  const daemon = new Daemon(['run', '--config', config, ...words]);
  daemons.push(daemon);
  return daemon;
}

/** What the policy server says about a client. */
function said(client: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(policy, '127.0.0.1');
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      socket.destroy();
      resolve(bytes.toString());
    });
    socket.write(`request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=${client}\n\n`);
  });
}

describe('run', () => {
  it('lists the infected home for those who ask, and nobody else', async () => {
    const daemon = start('enforce');
    await daemon.until(() => daemon.stderr.includes('"started"'));
    await until(async () => /^127\.0\.0\.\d+$/.test(await codeOf(dnsbl, accused.bot)), 30_000);
    expect(await said(accused.bot)).toMatch(/^action=REJECT 5\.7\.1 Mail from 203\.0\.113\.9 is/);
    for (const other of [accused.registered, accused.allowed, accused.innocent]) {
      expect(await codeOf(dnsbl, other)).toBe('NXDOMAIN');
      expect(await said(other)).toBe('action=DUNNO\n\n');
    }
    expect(await daemon.end()).toBe(0);
    const last = eventsIn(daemon.stdout).at(-1) as { stats: { lookup: Record<string, number> } };
    expect(last.stats.lookup).toMatchObject({ policy_rejected: 1, policy_passed: 3, restarts: 0 });
    expect(last.stats.lookup['dns_blocked']).toBeGreaterThan(0);
  }, 60_000);

  it('lists nobody while it only observes', async () => {
    const daemon = start('observe');
    const decided = () => daemon.stdout.includes('"event_type":"decision"');
    await daemon.until(decided, 30_000);
    expect(await codeOf(dnsbl, accused.bot)).toBe('NXDOMAIN');
    expect(await codeOf(dnsbl, '127.0.0.2')).toBe('127.0.0.2');
    expect(await said(accused.bot)).toBe('action=DUNNO\n\n');
  }, 60_000);

  it('says which door cannot be opened, and ends', async () => {
    const first = start('observe');
    await first.until(() => first.stderr.includes('"started"'));
    const second = start('enforce');
    await new Promise((resume) => second.child.once('close', resume));
    expect(second.child.exitCode).toBe(1);
    expect(second.stderr.trim().split('\n').at(-1)).toMatch(
      /^mailweir: serve\.dnsbl, serve\.policy: cannot listen \(.*EADDRINUSE.*\); check the ports$/,
    );
  }, 60_000);
});
