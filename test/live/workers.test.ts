// The daemon with two workers on one interface: every connection is whole on one of them, whatever
// is around its packets, and what happens to the interface or to nobody's rows is told. In network
// namespaces of its own; needs root, tcpreplay and the addon.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pcapOf } from '../../bench/generate/conversation.js';
import { everyKind } from '../../bench/generate/every.js';
import { generate, presets } from '../../bench/generate/traffic.js';
import { Cable } from '../../bench/netns.js';
import { loadAddon } from '../../src/capture/ring/addon.js';
import { Random } from '../../src/lib/random.js';
import type { Stats } from '../../src/output/stats.js';
import { has } from '../capture/captures.js';
import { Daemon, eventsIn, mailweir } from '../helper/program.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-two-'));
const capture = join(folder, 'every.pcap');
const busyCapture = join(folder, 'busy.pcap');
const config = join(folder, 'two.yaml');
const connections = 300;
const addon = loadAddon();
const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  ...['ip', 'tcpreplay', 'sysctl'].map((name) => (has(name) ? '' : name)),
  typeof addon === 'string' ? addon : '',
].filter((what) => what !== '');
const capable = missing.length === 0;
if (!capable) console.warn(`live: 4 tests of workers not run; missing: ${missing.join(', ')}`);

const cable = new Cable();
let daemon: Daemon | null = null;

const mishap = join(import.meta.dirname, '..', '..', 'dist', 'test', 'live', 'mishap.js');

/** Starts the daemon; with `mishaps` its threads can be made to die or stand still. */
async function listen(mishaps = false): Promise<Daemon> {
  const words = ['run', '--interface', cable.tapInterface, '--config', config];
  const hook = ['env', `MISHAP=${folder}`, `NODE_OPTIONS=--import=${mishap}`];
  const before = ['ip', 'netns', 'exec', cable.tap, ...(mishaps ? hook : [])];
  const started = new Daemon([...words, '--format', 'eve', '--clear'], before);
  daemon = started;
  // A socket is there before its filter lets anything in.
  await started.until(() => started.stderr.includes('"msg":"started"'));
  return started;
}

/** Writes a capture of so many ordinary sessions, for seconds of traffic; gives its frames. */
function busy(sessions: number): number {
  const { options } = presets['ordinary']!;
  const few = { ...options, sessions, concurrency: 200 };
  return generate({ path: busyCapture, seed: 4, options: few }).frames;
}

/** The last figures that were written. */
function statsIn(text: string): Stats | null {
  const last = text.slice(0, text.lastIndexOf('\n')).split('\n');
  const line = last.findLast((one) => one.includes('"event_type":"stats"'));
  return line === undefined ? null : (JSON.parse(line) as { stats: Stats }).stats;
}

/** Events without what depends on when, in some fixed order. */
function essence(text: string): string[] {
  return eventsIn(text)
    .filter(({ event_type }) => event_type === 'smtp' || event_type === 'smtp_session')
    .map((event) => {
      const { smtp, session, ...rest } = event as Record<string, Record<string, unknown>>;
      const said = { ...smtp, ...session, started: 0, duration_ms: 0 };
      return JSON.stringify({ ...rest, timestamp: 0, flow_id: 0, said });
    })
    .sort();
}

describe.runIf(capable)('two workers on an interface', () => {
  beforeAll(() => {
    writeFileSync(capture, pcapOf([{ frames: everyKind(new Random(11), connections) }]));
    // A block goes out every 40 ms, full or not: room for 20 s in which a machine lets nobody run.
    const ring = 'ring: { bytes: 67108864, block_bytes: 131072 }';
    const stats = 'stats: { interval_s: 1 }';
    writeFileSync(
      config,
      `capture: { source: ring, workers: 2, ${ring} }\n${stats}\nstate: { directory: state }\n`,
    );
    cable.open();
  }, 30_000);
  afterEach(async () => {
    await daemon?.end('SIGKILL');
    daemon = null;
  });
  afterAll(() => {
    cable.close();
    rmSync(folder, { recursive: true });
  });

  it('see every connection whole: tags, labels, PPPoE, fragments, port 25 to 25', async () => {
    const { stdout } = mailweir(['replay', capture, '--format', 'eve']);
    const { packets, decode } = statsIn(stdout)!;
    expect(decode['reassembled']).toBeGreaterThan(50);
    for (const part of ['"src_port":25,', '"vlan":[20,30]', '"vlan":[7]', '"2001:db8:']) {
      expect(stdout).toContain(part);
    }
    const running = await listen();
    await cable.send(capture, 10_000);
    await running.until(() => (statsIn(running.stdout)?.packets ?? 0) >= packets);
    expect(await running.end()).toBe(0);
    expect(essence(running.stdout)).toEqual(essence(stdout));
    const stats = statsIn(running.stdout)!;
    expect(stats).toMatchObject({ packets, transactions: connections, reassembly_gaps: 0 });
    expect(stats).toMatchObject({ one_sided: 0, kernel_drops: 0, unsteered: 0, rows_dropped: 0 });
    const each = stats.workers!.map((one) => one.transactions);
    expect(each).toHaveLength(2);
    for (const one of each) expect(one).toBeGreaterThan(connections / 4);
    expect(each[0]! + each[1]!).toBe(connections);
  }, 40_000);

  it('go on when the interface was down and is up again', async () => {
    const running = await listen();
    await cable.send(capture, 10_000);
    const packets = () => statsIn(running.stdout)?.packets ?? 0;
    const down = () => statsIn(running.stdout)?.workers?.map((one) => one.interfaces_down);
    await running.until(() => packets() > 1000);
    cable.set('down');
    await running.until(() => down()?.join() === '1,1');
    cable.set('up');
    await running.until(() => down()?.join() === '0,0');
    const before = packets();
    await cable.send(capture, 10_000);
    await running.until(() => packets() >= 2 * before);
    expect(await running.end()).toBe(0);
    expect(statsIn(running.stdout)!.worker_restarts).toBe(0);
  }, 60_000);

  it('read on when one of them dies in the midst of a batch; what is lost is counted', async () => {
    const frames = busy(1000);
    const running = await listen(true);
    const stats = () => statsIn(running.stdout);
    const sending = cable.send(busyCapture, 15_000);
    await running.until(() => (stats()?.packets ?? 0) > frames / 5);
    writeFileSync(join(folder, 'die'), '');
    await running.until(() => stats()?.worker_restarts === 1);
    await sending;
    const seen = () => {
      const { packets = 0, lost_frames = 0, kernel_drops = 0 } = stats() ?? {};
      return packets + lost_frames + kernel_drops;
    };
    await running.until(() => seen() >= frames, 40_000);
    // Every connection that comes now is whole again.
    const before = stats()!.transactions;
    await cable.send(capture, 10_000);
    const { packets } = statsIn(mailweir(['replay', capture, '--format', 'eve']).stdout)!;
    await running.until(() => seen() >= frames + packets, 40_000);
    expect(await running.end()).toBe(0);
    const last = stats()!;
    expect(seen()).toBe(frames + packets);
    expect(last).toMatchObject({ kernel_drops: 0, rows_dropped: 0, worker_restarts: 1 });
    expect(last.lost_frames).toBeGreaterThan(0);
    expect(last.lost_flows).toBeGreaterThan(0);
    expect(last.workers!.map((one) => one.worker_restarts).sort()).toEqual([0, 1]);
    expect(running.stderr).toMatch(/"flows":\d+,"msg":"a worker died and is started again"/);
    expect(running.stderr).toContain('half of a batch was enough');
    const told = eventsIn(running.stdout).filter(({ event_type }) => event_type === 'smtp');
    expect(told).toHaveLength(last.transactions);
    expect(last.transactions - before).toBeGreaterThanOrEqual(connections);
  }, 90_000);

  it('go on while the main thread stands still for five seconds, and nothing is lost', async () => {
    const frames = busy(1000);
    const { transactions } = statsIn(mailweir(['replay', busyCapture, '--format', 'eve']).stdout)!;
    const running = await listen(true);
    const stats = () => statsIn(running.stdout);
    const sending = cable.send(busyCapture, 10_000);
    await running.until(() => (stats()?.packets ?? 0) > frames / 10);
    writeFileSync(join(folder, 'stall'), '');
    await sending;
    await running.until(() => (stats()?.packets ?? 0) >= frames, 40_000);
    expect(await running.end()).toBe(0);
    const times = eventsIn(running.stdout)
      .filter(({ event_type }) => event_type === 'stats')
      .map(({ stats: one }) => (one as Stats).uptime_ms);
    const waits = times.map((time, i) => time - (times[i - 1] ?? 0));
    expect(Math.max(...waits)).toBeGreaterThan(4500);
    expect(stats()).toMatchObject({ packets: frames, transactions, kernel_drops: 0 });
    expect(stats()).toMatchObject({ rows_dropped: 0, worker_restarts: 0, reassembly_gaps: 0 });
    const told = eventsIn(running.stdout).filter(({ event_type }) => event_type === 'smtp');
    expect(told).toHaveLength(transactions);
  }, 90_000);
});
