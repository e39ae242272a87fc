// Live capture for real, in a network namespace of its own with a veth pair, and what can be tried
// of it without one: the filter on frames in a file (tcpdump runs the same expression), the wire
// between child and parent, and how failures read.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ethernetFilter, portableFilter } from '../../src/capture/live-filter.js';
import { openLivePcap } from '../../src/capture/live-pcap.js';
import { controlRecord, LiveParser } from '../../src/capture/live-wire.js';
import { FrameBatch } from '../../src/capture/source.js';
import {
  compiled,
  type Frame,
  has,
  pcap,
  plain,
  randomFrames,
  scratch,
  wordsOf,
} from './captures.js';
import { ethernet, ip4, ip6, mail, reply, situations, web } from './situations.js';

const folder = scratch();
afterAll(() => folder.remove());

const childFile = compiled('capture/live-child');

function hasPackage(): boolean {
  try {
    createRequire(import.meta.url).resolve('pcap/build/Release/pcap_binding.node');
    return true;
  } catch {
    return false;
  }
}

const tcpdump = has('tcpdump');
if (!tcpdump) console.warn(`capture: ${situations.length} filter situations not run, no tcpdump`);

/** Which of the frames pass an expression, by their number in the microseconds. */
function passing(frames: Buffer[], link: number, filter: string): number[] {
  const path = folder.file('filter.pcap');
  const timed = frames.map(
    (bytes, i): Frame => ({ time: i, bytes, wireLength: bytes.length, link }),
  );
  writeFileSync(path, pcap(timed, { link }));
  const args = ['-r', path, '-w', '-', '-U', filter];
  const out = execFileSync('tcpdump', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const numbers: number[] = [];
  for (let at = 24; at < out.length; at += 16 + out.readUInt32LE(at + 8)) {
    numbers.push(out.readUInt32LE(at + 4));
  }
  return numbers;
}

describe.runIf(tcpdump)('the filter', () => {
  const filter = ethernetFilter([25, 465, 587, 2525]);
  const passed = passing(
    situations.map(([, bytes]) => bytes),
    1,
    filter,
  );
  it.each(situations.map(([name, , pass], i) => [name, pass, i] as const))(
    '%s: %s',
    (_, pass, i) => {
      expect(passed.includes(i)).toBe(pass);
    },
  );

  it('stays small enough for the kernel, for as many ports as it takes', () => {
    const ports = Array.from({ length: 32 }, (_, i) => 1000 + i);
    const code = execFileSync('tcpdump', ['-y', 'EN10MB', '-ddd', ethernetFilter(ports)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(Number(code.toString().split('\n')[0])).toBeLessThan(1500);
  });

  it('without ports, or with too many, is none', () => {
    const many = Array.from({ length: 33 }, (_, i) => i + 1);
    for (const make of [ethernetFilter, portableFilter]) {
      expect(make(undefined)).toBe('');
      expect(make([])).toBe('');
      expect(make(many)).toBe('');
    }
  });

  it('has a form for interfaces without Ethernet', () => {
    const cooked = (type: number, packet: Buffer) => {
      const head = Buffer.alloc(16);
      head.writeUInt16BE(type, 14);
      return Buffer.concat([head, packet]);
    };
    const frames = [ip4(mail), ip4(web), ip4({ ...web, fragment: 5 }), ip6(reply), ip6(web)];
    const types = [0x800, 0x800, 0x800, 0x86dd, 0x86dd];
    const portable = portableFilter([25, 587]);
    expect(passing(frames, 101, portable)).toEqual([0, 2, 3]);
    const inCooked = frames.map((packet, i) => cooked(types[i]!, packet));
    inCooked.push(cooked(0x8100, Buffer.alloc(60)), cooked(0x8847, Buffer.alloc(60)));
    expect(passing(inCooked, 113, portable)).toEqual([0, 2, 3, 5, 6]);
  });
});

describe('the wire between child and parent', () => {
  const frame = Buffer.concat([wordsOf([5, 6, 3, 9]), Buffer.from('abc')]);

  it('gives frames and control records in order, from any pieces', () => {
    const beat = controlRecord({ kind: 'beat', clock: 7, drops: 1 });
    const bytes = Buffer.concat([frame, beat, frame, Buffer.alloc(8)]);
    const parser = new LiveParser();
    parser.link = 113;
    const batch = new FrameBatch(bytes, 10);
    let at = 0;
    let beats = 0;
    for (let to = 0; to <= bytes.length - 8; to++) {
      at = parser.parse(bytes, at, to, batch);
      if (parser.control !== null) beats++;
    }
    expect(at).toBe(bytes.length - 8);
    expect(beats).toBe(1);
    expect(batch.count).toBe(2);
    expect([batch.time[1], batch.length[1], batch.wireLength[1], batch.link[1]]).toEqual([
      5_000_006, 3, 9, 113,
    ]);
  });

  it.each([
    ['a frame too long', wordsOf([1, 2, 262153, 1])],
    ['a control record too long', wordsOf([20_000, 0, 0xffffffff, 0])],
    ['a control record that is no JSON', Buffer.concat([wordsOf([2, 0, 0xffffffff, 0]), frame])],
  ])('%s is a fault', (_, bytes) => {
    const parser = new LiveParser();
    parser.parse(bytes, 0, bytes.length, new FrameBatch(bytes, 10));
    expect(parser.fault).not.toBe('');
  });
});

const root = process.platform === 'linux' && process.getuid?.() === 0;
const tools = has('ip') && has('tcpreplay') && has('nsenter');
const capable = root && tools && hasPackage() && childFile !== null && existsSync('/sys/class/net');
const space = `mw-${process.pid}-live`;

/**
 * The interface as seen from inside the namespace: the child is started through this wrapper, which
 * enters the namespace first.
 */
function openInside(name: string, ports?: readonly number[]) {
  const wrapper = folder.file('enter.cjs');
  // A spawned node runs this file; it stays in between and hands descriptor 3 through.
  writeFileSync(
    wrapper,
    `const { spawn } = require('node:child_process');
     const child = spawn('ip', ['netns', 'exec', '${space}', process.execPath,
       ${JSON.stringify(childFile)}, process.argv[2]],
       { stdio: ['ignore', 'ignore', 'inherit', 3] });
     require('node:fs').closeSync(3);
     child.on('exit', (code) => process.exit(code ?? 1));`,
  );
  return openLivePcap(name, {
    childFile: wrapper,
    bufferBytes: 8 * 1024 * 1024,
    ...(ports === undefined ? {} : { ports }),
  });
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

function inside(...command: string[]): string {
  const done = spawnSync('ip', ['netns', 'exec', space, ...command], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

function replay(frames: readonly Frame[]): void {
  const path = folder.file('replay.pcap');
  writeFileSync(path, pcap(frames));
  inside('tcpreplay', '-q', '-i', 'tap0', '--pps=20000', path);
}

if (!capable) console.warn('capture: 7 live tests not run; they need root, Linux, tools and dist');

describe.runIf(capable)('a live interface', () => {
  beforeAll(() => {
    ip('netns', 'add', space);
    // Without IPv6 the kernel says nothing of its own on the pair.
    inside('sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1');
    ip('-n', space, 'link', 'add', 'tap0', 'type', 'veth', 'peer', 'name', 'tap1');
    for (const name of ['tap0', 'tap1']) ip('-n', space, 'link', 'set', name, 'up');
  });

  afterAll(() => {
    spawnSync('ip', ['netns', 'del', space]);
  });

  /** Frames that are long enough for the pair, of a type that the kernel leaves alone. */
  function sendable(count: number): Frame[] {
    return randomFrames(count, 21).map(({ bytes }, i) => {
      const body = ethernet([0x88b5], Buffer.concat([bytes, Buffer.alloc(60)]).subarray(0, 1400));
      return { time: 1000 + i, bytes: body, wireLength: body.length, link: 1 };
    });
  }

  it('hands over the frames as they were sent, then moves its clock, then ends', async () => {
    const frames = sendable(2000);
    const source = openInside('tap1');
    const seen: { hex: string; wireLength: number; link: number }[] = [];
    let last = 0;
    let began = await firstIdle(source);
    replay(frames);
    for (let idle = 0; idle < 2; ) {
      const batch = await source.next();
      expect(batch).not.toBeNull();
      for (let i = 0; i < batch!.count; i++) {
        const from = batch!.offset[i]!;
        const to = from + batch!.length[i]!;
        const hex = batch!.bytes.toString('hex', from, to);
        seen.push({ hex, wireLength: batch!.wireLength[i]!, link: batch!.link[i]! });
        last = batch!.time[i]!;
      }
      expect(batch!.clock).toBeGreaterThanOrEqual(began);
      began = batch!.clock;
      if (batch!.count === 0 && seen.length >= frames.length) idle++;
    }
    expect(seen).toEqual(
      plain(frames).map(({ hex, wireLength, link }) => ({ hex, wireLength, link })),
    );
    expect(Math.abs(last / 1000 - Date.now())).toBeLessThan(20_000);
    expect(began).toBeGreaterThan(last);
    expect(source.drops).toBe(0);
    source.close();
    source.close();
    expect(await source.next()).toBeNull();
    expect(source.problem).toBeNull();
  });

  it('says something at least every half second while nothing comes', async () => {
    const source = openInside('tap1');
    await firstIdle(source);
    for (let i = 0; i < 4; i++) {
      const start = performance.now();
      expect((await source.next())?.count).toBe(0);
      expect(performance.now() - start).toBeLessThan(500);
    }
    source.close();
  });

  it('lets mail through its filter and other traffic not', async () => {
    const source = openInside('tap1', [25, 465, 587, 2525]);
    await firstIdle(source);
    // Not the one of three tags: the kernel takes the outermost off before the filter.
    const frames = situations.slice(0, -1).map(([, bytes], i): Frame => {
      const padded = Buffer.concat([bytes, Buffer.alloc(4)]);
      padded.writeUInt32BE(i, bytes.length);
      return { time: i, bytes: padded, wireLength: padded.length, link: 1 };
    });
    replay(frames);
    const numbers: number[] = [];
    for (let idle = 0; idle < 2; ) {
      const batch = await source.next();
      if (batch!.count === 0) idle++;
      for (let i = 0; i < batch!.count; i++) {
        numbers.push(batch!.bytes.readUInt32BE(batch!.offset[i]! + batch!.length[i]! - 4));
      }
    }
    source.close();
    const wanted = situations.slice(0, -1).flatMap(([, , pass], i) => (pass ? [i] : []));
    expect(numbers.filter((number) => situations[number]![2])).toEqual(wanted);
    expect(numbers.filter((number) => !situations[number]![2])).toEqual([]);
  });

  it('a slow reader makes the kernel drop and count, and loses nothing else', async () => {
    const source = openInside('tap1');
    await firstIdle(source);
    const full = sendable(100).map((frame) => {
      const bytes = Buffer.concat([frame.bytes, Buffer.alloc(1400)]).subarray(0, 1400);
      return { ...frame, bytes, wireLength: 1400 };
    });
    writeFileSync(folder.file('flood.pcap'), pcap(full));
    inside('tcpreplay', '-q', '-i', 'tap0', '--topspeed', '--loop=400', folder.file('flood.pcap'));
    let frames = 0;
    for (let idle = 0; idle < 3; ) {
      const batch = await source.next();
      frames += batch!.count;
      if (batch!.count === 0) idle++;
    }
    source.close();
    expect(source.drops).toBeGreaterThan(0);
    expect(frames + source.drops).toBe(40_000);
  });

  it('goes on when the interface was down for a while', async () => {
    const source = openInside('tap1');
    await firstIdle(source);
    ip('-n', space, 'link', 'set', 'tap1', 'down');
    await source.next();
    await source.next();
    ip('-n', space, 'link', 'set', 'tap1', 'up');
    replay(sendable(50));
    let frames = 0;
    for (let turns = 0; frames < 50 && turns < 20; turns++) {
      const batch = await source.next();
      if (batch === null) break;
      frames += batch.count;
    }
    expect(source.problem).toBeNull();
    expect(frames).toBe(50);
    source.close();
  });

  it('names the interfaces there are when asked for another', async () => {
    const source = openInside('tap9');
    await expect(source.next()).rejects.toThrow(
      /^tap9: no such interface; there are: lo, tap0, tap1$/,
    );
    expect(await source.next()).toBeNull();
  });

  it('ends with a problem when the interface is removed', async () => {
    ip('-n', space, 'link', 'add', 'gone0', 'type', 'veth', 'peer', 'name', 'gone1');
    for (const name of ['gone0', 'gone1']) ip('-n', space, 'link', 'set', name, 'up');
    const source = openInside('gone1');
    await firstIdle(source);
    ip('-n', space, 'link', 'del', 'gone0');
    for (let batch = await source.next(); batch !== null; ) batch = await source.next();
    expect(source.problem?.message).toMatch(
      /^the interface is gone: it was removed; there are: lo/,
    );
  });
});

/** Reads up to the first idle batch; its clock. */
async function firstIdle(source: ReturnType<typeof openLivePcap>): Promise<number> {
  for (;;) {
    const batch = await source.next();
    if (batch === null) throw new Error(source.problem?.message ?? 'ended');
    if (batch.count === 0) return batch.clock;
  }
}

describe('a child that fails', () => {
  const failing = (script: string) => {
    const path = folder.file('failing.cjs');
    writeFileSync(path, script);
    return openLivePcap('eth7', { childFile: path });
  };
  const says = (control: unknown) => {
    const text = JSON.stringify(control);
    return `const text = Buffer.from(${JSON.stringify(text)});
      const head = Buffer.alloc(16);
      head.writeUInt32LE(text.length, 0);
      head.writeUInt32LE(0xffffffff, 8);
      require('node:fs').writeSync(3, Buffer.concat([head, text]));`;
  };

  it.each([
    ['permission', /^eth7: no permission to capture; run as root or with CAP_NET_RAW/],
    ['package', /"apt-get install libpcap-dev" and then "npm ci"/],
    ['other', /^eth7: cannot capture: a reason$/],
  ])('%s', async (why, line) => {
    const source = failing(says({ kind: 'failed', why, detail: 'a reason', interfaces: [] }));
    await expect(source.next()).rejects.toThrow(line);
  });

  it('dying at once', async () => {
    await expect(failing('throw new Error("at once")').next()).rejects.toThrow(
      /^eth7: the capturing process ended \(.*Error: at once\); start again$/,
    );
  });

  it('dying later is a problem', async () => {
    const beat = says({ kind: 'beat', clock: 5, drops: 9 });
    const source = failing(
      `{ ${says({ kind: 'ready', link: 1 })} } { ${beat} } setTimeout(() => process.exit(1), 50);`,
    );
    expect((await source.next())?.clock).toBe(5);
    expect(source.drops).toBe(9);
    expect(await source.next()).toBeNull();
    expect(source.problem?.message).toBe('the capturing process ended; start again');
  });

  it('writing nonsense is a problem', async () => {
    const source = failing(
      `{ ${says({ kind: 'ready', link: 1 })} }
       require('node:fs').writeSync(3, Buffer.alloc(64, 255));`,
    );
    expect(await source.next()).toBeNull();
    expect(source.problem?.message).toMatch(/^corrupt/);
  });
});
