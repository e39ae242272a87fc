// The doctor: what it reads from ethtool, and what it says of cables on which something is wrong.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as frame from '../../bench/generate/frame.js';
import { generate, presets } from '../../bench/generate/traffic.js';
import { Cable } from '../../bench/netns.js';
import { checkMachine, offloads, ringSize, spread } from '../../src/capture/check.js';
import { loadAddon } from '../../src/capture/ring/addon.js';
import { has, pcap } from '../capture/captures.js';
import { mailweir, program } from '../helper/program.js';

describe('what ethtool says', () => {
  const features = (gro: string, lro: string) =>
    `Features for eth1:\ngeneric-receive-offload: ${gro}\nlarge-receive-offload: ${lro}\n` +
    'rx-gro-hw: off [fixed]\nrx-gro-list: off\n';

  it.each([
    ['off', 'off [fixed]', undefined],
    ['on', 'off', 'ethtool -K eth1 gro off'],
    ['on', 'on', 'ethtool -K eth1 gro off lro off'],
    ['off', 'on [fixed]', undefined],
  ])('offloads gro %s, lro %s', (gro, lro, mend) => {
    expect(offloads('eth1', features(gro, lro)).mend).toBe(mend);
  });

  const rings = (most: number, now: number) =>
    `Ring parameters for eth1:\nPre-set maximums:\nRX:\t\t${most}\nRX Mini:\tn/a\nTX:\t\t4096\n` +
    `Current hardware settings:\nRX:\t\t${now}\nTX:\t\t512\n`;

  it('rings', () => {
    expect(ringSize('eth1', rings(4096, 512))[0]!.mend).toBe('ethtool -G eth1 rx 4096');
    expect(ringSize('eth1', rings(4096, 4096))[0]!.mend).toBeUndefined();
    expect(ringSize('eth1', 'netlink error: Operation not supported\n')).toEqual([]);
  });

  const table = (key: string) =>
    'RX flow hash indirection table for eth1 with 4 RX ring(s):\n    0:  0 1 2 3\n' +
    `RSS hash key:\n${key}\n` +
    'RSS hash function:\n    toeplitz: on\n    xor: off\n';

  it('queues', () => {
    const usual = table('be:ac:01:fa:6a:42:b7:3b:80:30:f2:0c:77:cb:2d:a3');
    const even = table(Array.from({ length: 20 }, () => '6d:5a').join(':'));
    expect(spread('eth1', 1, usual).mend).toBeUndefined();
    expect(spread('eth1', 4, even).mend).toBeUndefined();
    const { mend } = spread('eth1', 4, usual);
    expect(mend).toMatch(/^ethtool -X eth1 hkey (6d:5a:)+6d:5a equal 4$/);
  });
});

describe('the machine', () => {
  const demand = { bytes: 1, workers: 1, source: 'auto', node: [20, 19] } as const;
  const complaints = (change: object) =>
    checkMachine({ ...demand, ...change }).filter(({ mend }) => mend !== undefined);

  it('an old Node.js, too little memory and too many threads are found', () => {
    const said = (change: object) => complaints(change).map(({ mend }) => mend);
    expect(said({ node: [99, 0] })).toContain('install Node.js 99 or newer');
    expect(said({ bytes: 1e15 })).toContainEqual(expect.stringContaining('flow.memory_bytes'));
    expect(said({ workers: 4096 })).toContainEqual(expect.stringMatching(/workers|second core/));
    expect(said({ node: [20, 19] })).not.toContainEqual(expect.stringContaining('install Node.js'));
  });

  it('an interface that is not there is found, with those that are', () => {
    const { status, stdout } = mailweir(['doctor', '--interface', 'nothere0']);
    expect(status).toBe(3);
    expect(stdout).toMatch(/found {2}nothere0: there is no such interface\n {7}give one of.* lo/);
  });

  it('wrong words are told', () => {
    expect(mailweir(['doctor', '--seconds', 'long']).status).toBe(2);
  });
});

const folder = mkdtempSync(join(tmpdir(), 'mailweir-doctor-'));
const file = (name: string): string => join(folder, name);
const cable = new Cable();
const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  ...['ip', 'tcpreplay', 'ethtool', 'sysctl'].map((name) => (has(name) ? '' : name)),
  typeof loadAddon() === 'string' ? 'the addon' : '',
  existsSync(program) ? '' : 'dist',
].filter((what) => what !== '');
const capable = missing.length === 0;
if (!capable) console.warn(`live: 5 tests of the doctor not run; missing: ${missing.join(', ')}`);

let child: ChildProcess | null = null;
afterEach(() => {
  child?.kill('SIGKILL');
});

/** What the doctor says of the cable while a capture is sent over it; only what it found. */
async function findings(capture: string | null, ...words: string[]): Promise<string[]> {
  const command = [process.execPath, program, 'doctor', '--interface', cable.tapInterface];
  const all = ['netns', 'exec', cable.tap, ...command, '--seconds', '2', ...words];
  child = spawn('ip', all, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise((resolve) => child!.once('close', resolve));
  if (capture !== null) {
    while (!cable.heard) await new Promise((go) => setTimeout(go, 20));
    await cable.send(capture, 5000);
  }
  const status = await ended;
  const found = said.split('\n').filter((line) => line.startsWith('found'));
  expect(status, said).toBe(found.length > 0 ? 3 : 0);
  // One core is enough for a test.
  return found.filter((line) => !line.includes('packet thread')).map((line) => line.slice(7));
}

describe.runIf(capable)('a cable', () => {
  beforeAll(() => {
    const { options } = presets['mixed']!;
    const few = { ...options, sessions: 60, concurrency: 20, synFlood: 0 };
    generate({ path: file('mail.pcap'), seed: 6, options: few });
    const all = readFileSync(file('mail.pcap'));
    const toServers: Buffer[] = [];
    for (let at = 24; at < all.length; at += 16 + all.readUInt32LE(at + 8)) {
      const bytes = all.subarray(at + 16, at + 16 + all.readUInt32LE(at + 8));
      const plain = bytes.length > 38 && bytes.readUInt16BE(12) === 0x0800 && bytes[14] === 0x45;
      if (plain && bytes.readUInt16BE(36) === 25) toServers.push(bytes);
    }
    expect(toServers.length).toBeGreaterThan(100);
    const ends = { src: '192.0.2.1', dst: '198.51.100.1' };
    const web = frame.tcp({ ...ends, srcPort: 443, dstPort: 4000 });
    write('one-side', toServers);
    write('web', [frame.ethernet(frame.ipv4(web, ends))]);
    cable.open();
  }, 30_000);

  afterAll(() => {
    cable.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function write(name: string, frames: readonly Buffer[]): void {
    const timed = frames.map((bytes, i) => ({ time: i, bytes, wireLength: bytes.length, link: 1 }));
    writeFileSync(file(`${name}.pcap`), pcap(timed));
  }

  it('with mail both ways is well', async () => {
    expect(await findings(file('mail.pcap'))).toEqual([]);
  }, 30_000);

  it('with one direction of the mail', async () => {
    const [first, ...rest] = await findings(file('one-side.pcap'));
    expect(first).toMatch(/mail, \d+ segments to servers, 0 from them: one direction is missing/);
    expect(rest).toEqual([]);
  }, 30_000);

  it('without mail', async () => {
    const [first] = await findings(file('web.pcap'));
    expect(first).toContain('nothing of the TCP ports 25, 465, 587, 2525');
  }, 30_000);

  it('on which nothing comes, with frames that would be merged', async () => {
    const set = (what: string) => {
      const words = ['netns', 'exec', cable.tap, 'ethtool', '-K', cable.tapInterface, 'gro', what];
      execFileSync('ip', words);
    };
    set('on');
    const found = await findings(null);
    set('off');
    expect(found).toEqual([
      expect.stringContaining('merges frames: generic-receive-offload'),
      expect.stringContaining('nothing came'),
    ]);
  }, 30_000);

  it('that is down', () => {
    cable.set('down');
    const words = ['doctor', '--interface', cable.tapInterface, '--seconds', '0'];
    const all = ['netns', 'exec', cable.tap, process.execPath, program, ...words];
    const { stdout, status } = spawnSync('ip', all, { encoding: 'utf8' });
    expect(stdout).toContain(`is down\n       ip link set ${cable.tapInterface} up`);
    expect(status).toBe(3);
  });
});
