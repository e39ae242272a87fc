// The ring against the real kernel, on cables of its own: frames come as they were sent, the kernel
// steers and filters as the plain interpreter does, blocks are not used after they were given back,
// two fibres come in one order, and what goes wrong is counted or said. Needs root, the addon and
// what was built.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { everyConnection, kinds } from '../../bench/generate/every.js';
import { generate, presets } from '../../bench/generate/traffic.js';
import { Cable } from '../../bench/netns.js';
import { writeDemo } from '../../bench/world/demo.js';
import { loadAddon } from '../../src/capture/ring/addon.js';
import { filterProgram } from '../../src/capture/ring/programs.js';
import { addressHash, steer } from '../../src/capture/steer.js';
import { Random } from '../../src/lib/random.js';
import { Machine, received } from '../capture/bpf-machine.js';
import { has, pcap } from '../capture/captures.js';
import { corpus, mutated } from '../capture/corpus.js';
import { eventsIn, mailweir } from '../helper/program.js';
import type { FrameLine, Order } from './listener.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-ring-'));
const file = (name: string): string => join(folder, name);
const program = join(import.meta.dirname, '..', '..', 'dist', 'test', 'live', 'listener.js');
const addon = loadAddon();
const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  ...['ip', 'tcpreplay', 'tcpprep', 'sysctl'].map((name) => (has(name) ? '' : name)),
  typeof addon === 'string' ? addon : '',
  existsSync(program) ? '' : 'dist',
].filter((what) => what !== '');
const capable = missing.length === 0;
if (!capable) console.warn(`live: 13 tests of the ring not run; missing: ${missing.join(', ')}`);

interface Figures {
  readonly figures: {
    readonly packets: number;
    readonly drops: number;
    readonly unsteered: number;
    readonly down: readonly string[];
  };
  readonly lost: number;
  readonly problem: { readonly message: string } | null;
}

const cable = new Cable();
let child: ChildProcess | null = null;

/** The listener in its namespace. */
class Listener {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #text = '';
  #errors = '';
  #lines = 0;

  constructor(order: Order) {
    const words = ['netns', 'exec', cable.tap, process.execPath, program, JSON.stringify(order)];
    child = spawn('ip', words, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
      this.#lines += text.split('\n').length - 1;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    this.#ended = new Promise((resolve) => child!.once('close', resolve));
  }

  static async ready(order: Order): Promise<Listener> {
    const listener = new Listener(order);
    await listener.said('"ready"');
    return listener;
  }

  async said(text: string): Promise<void> {
    await this.until(() => this.#text.includes(text));
  }

  get lines(): number {
    return this.#lines;
  }

  async until(holds: () => boolean): Promise<void> {
    const last = performance.now() + 15_000;
    while (!holds()) {
      if (this.#child.exitCode !== null || performance.now() > last) {
        throw new Error(`waited in vain; ${this.#child.exitCode}; ${this.#errors}`);
      }
      await new Promise((go) => setTimeout(go, 20));
    }
  }

  /** Lets it come to its end; what it said, and the figures of each member. */
  async end(): Promise<{ frames: FrameLine[]; ends: Figures[]; other: unknown[] }> {
    this.#child.stdin!.end();
    expect(await this.#ended, this.#errors).toBe(0);
    const lines = this.#text.trim().split('\n');
    const said = lines.map((line) => JSON.parse(line) as FrameLine & Figures);
    return {
      frames: said.filter(({ hex }) => hex !== undefined),
      ends: said.filter(({ figures }) => figures !== undefined),
      other: said.filter(({ hex, figures }) => hex === undefined && figures === undefined),
    };
  }
}

afterEach(() => {
  child?.kill('SIGKILL');
  child = null;
});

/** Writes frames as a capture. */
function captureOf(frames: readonly Buffer[]): string {
  const path = file('sent.pcap');
  const timed = frames.map((bytes, i) => ({ time: i, bytes, wireLength: bytes.length, link: 1 }));
  writeFileSync(path, pcap(timed));
  return path;
}

/** Frames that a cable takes: long enough for the kernel to deliver. */
function sendable(count: number, seed: number): Buffer[] {
  const random = new Random(seed);
  const some = [...corpus];
  while (some.length < count) some.push(mutated(random));
  return some.filter((bytes) => bytes.length >= 20 && bytes.length <= 9000);
}

/** Events but the figures, without what depends on when they were captured, in a fixed order. */
function essence(text: string): string[] {
  return eventsIn(text)
    .filter(({ event_type }) => event_type !== 'stats')
    .map((event) => {
      const { smtp, session, ...rest } = event as Record<string, Record<string, unknown>>;
      const said = { ...smtp, ...session, started: 0, duration_ms: 0 };
      return JSON.stringify({ ...rest, timestamp: 0, flow_id: 0, said });
    })
    .sort();
}

const interfaces = [cable.tapInterface];
const small = { ringBytes: 8 << 20, blockBytes: 1 << 17, retire_ms: 20 };

describe.runIf(capable)('the ring on a cable', () => {
  beforeAll(() => {
    writeDemo(file('demo.pcap'));
    const { options } = presets['mixed']!;
    const few = { ...options, sessions: 400, concurrency: 100 };
    generate({ path: file('mixed.pcap'), seed: 5, options: few });
    cable.open();
    cable.double();
  }, 30_000);

  afterAll(() => {
    cable.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('hands over frames as they were sent, the tags put back that the kernel took', async () => {
    const frames = sendable(1500, 7);
    const listener = await Listener.ready({ interfaces, options: small, give: 'frames' });
    await cable.send(captureOf(frames), 20_000);
    const { frames: got, ends } = await listener.end();
    expect(got.map(({ hex }) => hex)).toEqual(frames.map((bytes) => bytes.toString('hex')));
    const tagged = frames.filter((bytes) => bytes.readUInt16BE(12) === 0x88a8);
    expect(tagged.length).toBeGreaterThan(20);
    const now = Date.now() * 1000;
    for (const [i, frame] of got.entries()) {
      expect(frame.wireLength).toBe(frame.hex.length / 2);
      expect(Math.abs(frame.time - now)).toBeLessThan(20e6);
      if (i > 0) expect(frame.time).toBeGreaterThanOrEqual(got[i - 1]!.time);
    }
    expect(ends[0]!.figures).toMatchObject({ packets: frames.length, drops: 0, down: [] });
    expect(ends[0]!.problem).toBeNull();
  }, 30_000);

  it('filters in the kernel as the interpreter does', async () => {
    const ports = [25, 465, 587, 2525];
    const machine = new Machine(filterProgram({ ports, tunnels: true, ethernet: true })!);
    const frames = sendable(3000, 8);
    const passing = frames.filter((bytes) => {
      const { frame, protocol } = received(bytes)!;
      return machine.run({ bytes: frame, protocol }) > 0;
    });
    expect(passing.length).toBeGreaterThan(1000);
    expect(passing.length).toBeLessThan(frames.length - 200);
    const listener = await Listener.ready({
      interfaces,
      options: { ...small, ports },
      give: 'frames',
    });
    await cable.send(captureOf(frames), 20_000);
    const { frames: got } = await listener.end();
    expect(got.map(({ hex }) => hex)).toEqual(passing.map((bytes) => bytes.toString('hex')));
  }, 30_000);

  it('shares frames between members as steer does, and counts what it cannot see', async () => {
    const members = 3;
    const frames = sendable(3000, 9);
    const listener = await Listener.ready({ interfaces, options: small, members, give: 'frames' });
    await cable.send(captureOf(frames), 20_000);
    const { frames: got, ends } = await listener.end();
    for (let member = 0; member < members; member += 1) {
      const expected = frames.filter(
        (bytes) => steer(bytes, 0, bytes.length, 1, members) === member,
      );
      const seen = got.filter((frame) => frame.member === member).map(({ hex }) => hex);
      expect(seen).toEqual(expected.map((bytes) => bytes.toString('hex')));
      expect(seen.length).toBeGreaterThan(100);
    }
    const unseen = frames.filter((bytes) => addressHash(bytes, 0, bytes.length, 1) < 0).length;
    expect(unseen).toBeGreaterThan(0);
    expect(ends.map(({ figures }) => figures.unsteered)).toEqual([unseen, 0, 0]);
  }, 30_000);

  it('every flow is whole on one of two: tags, labels, fragments, 25 to 25, both IPs', async () => {
    const connections = everyConnection(new Random(13), 400);
    const of = new Map<string, number>();
    connections.forEach(({ frames }, index) => {
      for (const { bytes } of frames) of.set(bytes.toString('hex'), index);
    });
    const frames = connections.flatMap((one) => [...one.frames]).sort((a, b) => a.time - b.time);
    const listener = await Listener.ready({
      interfaces,
      options: small,
      members: 2,
      give: 'frames',
    });
    await cable.send(captureOf(frames.map(({ bytes }) => bytes)), 10_000);
    const { frames: got, ends } = await listener.end();
    expect(got.length).toBe(frames.length);
    expect(ends.map(({ figures }) => figures.unsteered)).toEqual([0, 0]);
    const members = connections.map(() => new Set<number>());
    for (const { hex, member } of got) members[of.get(hex)!]!.add(member);
    expect(members.filter(({ size }) => size !== 1)).toEqual([]);
    // Each worker has flows of each kind, so none of this is true only of one of them.
    for (const kind of kinds.flat()) {
      const some = members.filter((_, index) => connections[index]!.kinds.includes(kind));
      const each = [0, 1].map((member) => some.filter((set) => set.has(member)).length);
      for (const count of each) expect(count, `${kind}: ${each}`).toBeGreaterThan(10);
    }
  }, 30_000);

  it.each(['demo', 'mixed'])(
    'nothing of the %s capture is used after its block was given back',
    async (name) => {
      const capture = file(`${name}.pcap`);
      const output = file('events.ndjson');
      const options = { ...small, ports: [25, 465, 587, 2525], poison: true };
      const listener = await Listener.ready({ interfaces, options, give: 'events', output });
      await cable.send(capture, 20_000);
      await listener.end();
      const { stdout } = mailweir(['replay', capture, '--format', 'eve']);
      const got = essence(readFileSync(output, 'utf8'));
      expect(got.length).toBeGreaterThan(300);
      expect(got).toEqual(essence(stdout));
    },
    30_000,
  );

  it('two fibres of an optical tap come in one order', async () => {
    const capture = file('mixed.pcap');
    const both = [cable.tapInterface, cable.tapSecond];
    const listener = await Listener.ready({ interfaces: both, options: small, give: 'frames' });
    await cable.sendSplit(capture, 20_000);
    const { frames } = await listener.end();
    expect(frames.length).toBeGreaterThan(3000);
    const sent = hexOf(capture);
    expect(frames.map(({ hex }) => hex).sort()).toEqual(sent.sort());
    // The kernel stamps a frame when it takes it off the cable's own queue: only that order counts.
    const back = frames.filter(({ time }, i) => i > 0 && time < frames[i - 1]!.time);
    expect(back).toEqual([]);
  }, 30_000);

  it('the engine says of two fibres what a replay says', async () => {
    const capture = file('mixed.pcap');
    const output = file('events.ndjson');
    const both = [cable.tapInterface, cable.tapSecond];
    const listener = await Listener.ready({ interfaces: both, give: 'events', output });
    await cable.sendSplit(capture, 20_000);
    await listener.end();
    const { stdout } = mailweir(['replay', capture, '--format', 'eve']);
    // Which of two queues is faster decides whether a last acknowledgement still counts to its
    // session. Nothing else may differ.
    const told = (text: string) => essence(text).map((line) => line.replace(/"packets":\d+/, ''));
    expect(told(readFileSync(output, 'utf8')).sort()).toEqual(told(stdout).sort());
  }, 30_000);

  it('a reader that stands still makes the kernel drop, and every drop is counted', async () => {
    const options = { ...small, ringBytes: 1 << 20 };
    const order: Order = { interfaces, options, give: 'figures', stall_ms: 2500 };
    const listener = await Listener.ready(order);
    const sent = hexOf(file('mixed.pcap')).length;
    await cable.send(file('mixed.pcap'), 20_000);
    const { ends, other } = await listener.end();
    const received = other.find((line) => typeof line === 'object') as { received: number };
    expect(ends[0]!.figures.packets).toBe(sent);
    expect(ends[0]!.figures.drops).toBeGreaterThan(100);
    expect(received.received).toBe(sent - ends[0]!.figures.drops);
  }, 30_000);

  it('a thread that dies costs the block it had in hand, and the next one reads on', async () => {
    const order: Order = { interfaces, options: small, give: 'figures', thread: true };
    const listener = new Listener(order);
    await listener.said('"waiting"');
    const first = sendable(50, 12);
    await cable.send(captureOf(first), 20_000);
    await listener.said('"ready"');
    await cable.send(file('mixed.pcap'), 60_000);
    const { ends, other } = await listener.end();
    expect(other).toContainEqual({ ended: 1 });
    const { lost, figures } = ends[0]!;
    expect(lost).toBeGreaterThan(0);
    expect(figures).toMatchObject({ drops: 0 });
    const sent = first.length + hexOf(file('mixed.pcap')).length;
    const { received } = other.find((line) => Object.hasOwn(line as object, 'received')) as {
      received: number;
    };
    expect(figures.packets).toBe(sent);
    expect(received + lost).toBe(sent);
  }, 30_000);

  it('an interface that goes down and comes up is listened to again', async () => {
    const listener = await Listener.ready({ interfaces, options: small, give: 'frames' });
    const frames = sendable(200, 10);
    const capture = captureOf(frames);
    await cable.send(capture, 20_000);
    await listener.until(() => listener.lines > frames.length);
    cable.set('down');
    await new Promise((go) => setTimeout(go, 600));
    cable.set('up');
    await new Promise((go) => setTimeout(go, 300));
    await cable.send(capture, 20_000);
    const { frames: got, ends } = await listener.end();
    const sent = [...frames, ...frames].map((bytes) => bytes.toString('hex'));
    expect(got.map(({ hex }) => hex)).toEqual(sent);
    expect(ends[0]!.problem).toBeNull();
  }, 30_000);

  it('an interface that is removed is a problem with a name, after its last frame', async () => {
    const listener = await Listener.ready({ interfaces, options: small, give: 'frames' });
    const frames = sendable(200, 11);
    await cable.send(captureOf(frames), 20_000);
    cable.cut();
    await new Promise((go) => setTimeout(go, 1500));
    const { frames: got, ends } = await listener.end();
    expect(got.length).toBe(frames.length);
    expect(ends[0]!.problem?.message).toContain(`${cable.tapInterface} was removed`);
  }, 30_000);
});

/** The frames of a capture file, by the program that everyone has. */
function hexOf(path: string): string[] {
  const bytes = readFileSync(path);
  const frames: string[] = [];
  for (let at = 24; at < bytes.length; ) {
    const size = bytes.readUInt32LE(at + 8);
    frames.push(bytes.toString('hex', at + 16, at + 16 + size));
    at += 16 + size;
  }
  return frames;
}

describe.runIf(typeof addon !== 'string')('a ring that cannot be opened says why', () => {
  const opener = join(import.meta.dirname, '..', '..', 'dist/src/capture/ring/open.js');
  const script = (name: string) =>
    `const { openRing } = await import(${JSON.stringify(`file://${opener}`)});
     try { openRing([${JSON.stringify(name)}]); } catch (error) { console.log(error.message); }`;
  const words = (name: string) => [process.execPath, '--input-type=module', '-e', script(name)];

  it('no such interface', () => {
    const [node, ...rest] = words('nothere0');
    const text = execFileSync(node!, rest, { encoding: 'utf8' });
    expect(text).toMatch(/^nothere0: no such interface; there are: .*lo/);
  });

  it.runIf(capable && has('setpriv'))('no permission', () => {
    const plain = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const text = execFileSync('setpriv', [...plain, ...words('lo')], { encoding: 'utf8' });
    expect(text).toMatch(/^lo: no permission to capture; .*CAP_NET_RAW/);
  });
});
