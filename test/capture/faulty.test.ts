// The fault injector: what it may do to a stream of frames, what it may not, and that a seed
// decides.

import { describe, expect, it } from 'vitest';
import { type Faults, faulty } from '../../src/capture/faulty.js';
import { FrameBatch, type Source } from '../../src/capture/source.js';
import { drain, type Frame, plain, randomFrames, type Seen } from './captures.js';

/** Frames as a source of batches of the given size; a size of 0 between is an idle batch. */
function sourceOf(frames: readonly Frame[], sizes: number[] = [100]): Source {
  let used = 0;
  let turn = 0;
  return {
    name: 'frames',
    problem: null,
    drops: 3,
    close: () => {},
    progress: () => ({ read: used, total: frames.length }),
    next: async () => {
      const part = frames.slice(used, used + sizes[turn++ % sizes.length]!);
      if (used >= frames.length) return null;
      used += part.length;
      const area = Buffer.concat([...part.map((frame) => frame.bytes), Buffer.alloc(8)]);
      const batch = new FrameBatch(area, Math.max(1, part.length));
      let at = 0;
      for (const { bytes, time, wireLength, link } of part) {
        batch.offset[batch.count] = at;
        batch.length[batch.count] = bytes.length;
        batch.time[batch.count] = time;
        batch.wireLength[batch.count] = wireLength;
        batch.link[batch.count++] = link;
        at += bytes.length;
      }
      batch.clock = used;
      return batch;
    },
  };
}

const frames = randomFrames(2000, 11).map((frame, i) => {
  // Each frame tells its number.
  const bytes = Buffer.concat([Buffer.alloc(4), frame.bytes]);
  bytes.writeUInt32BE(i);
  return { ...frame, bytes, wireLength: bytes.length };
});

function run(faults: Faults, sizes?: number[]): Promise<Seen> {
  return drain(faulty(sourceOf(frames, sizes), faults));
}

function numbers(seen: Seen): number[] {
  return seen.frames.map((frame) => Number.parseInt(frame.hex.slice(0, 8), 16));
}

describe('faulty', () => {
  it('equal seeds give equal faults, however the frames are batched', async () => {
    const faults = { seed: 5, drop: 0.1, duplicate: 0.1, reorder: 0.1, truncate: 0.1 };
    const one = await run(faults);
    expect((await run(faults, [1, 7, 500])).frames).toEqual(one.frames);
    expect((await run({ ...faults, seed: 6 })).frames).not.toEqual(one.frames);
  });

  it('drop: a share is missing, the order stays', async () => {
    const left = numbers(await run({ seed: 1, drop: 0.25 }));
    expect(left.length).toBeGreaterThan(1400);
    expect(left.length).toBeLessThan(1600);
    expect(left).toEqual([...left].sort((a, b) => a - b));
    expect(new Set(left).size).toBe(left.length);
  });

  it('duplicate: a share comes twice', async () => {
    const twice = numbers(await run({ seed: 1, duplicate: 0.25 }));
    expect(new Set(twice).size).toBe(2000);
    expect(twice.length).toBeGreaterThan(2400);
    expect(twice.length).toBeLessThan(2600);
  });

  it.each([1, 3, 50])('reorder: each once, none more than %i late', async (distance) => {
    const seen = await run({ seed: 2, reorder: 0.3, reorderDistance: distance });
    const moved = numbers(seen);
    expect([...moved].sort((a, b) => a - b)).toEqual(frames.map((_, i) => i));
    expect(moved).not.toEqual(frames.map((_, i) => i));
    const late = moved.map((number) => {
      // How many younger ones of the input came first.
      return moved.slice(0, moved.indexOf(number)).filter((other) => other > number).length;
    });
    expect(Math.max(...late)).toBeLessThanOrEqual(distance);
    expect(Math.max(...late)).toBeGreaterThan(distance / 2);
    const times = seen.frames.map((frame) => frame.time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('truncate: a share is cut, its wire length stays', async () => {
    const seen = await run({ seed: 3, truncate: 0.5, truncateTo: 10 });
    const cut = seen.frames.filter((frame, i) => frame.hex !== frames[i]!.bytes.toString('hex'));
    expect(cut.length).toBeGreaterThan(850);
    expect(cut.every((frame) => frame.hex.length === 20)).toBe(true);
    expect(seen.frames.map((frame) => frame.wireLength)).toEqual(frames.map((f) => f.wireLength));
  });

  it('an idle batch lets held frames go and moves the clock', async () => {
    const source = faulty(sourceOf(frames, [3, 0]), { seed: 4, reorder: 1, reorderDistance: 1000 });
    let handed = 0;
    let idle = 0;
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      handed += batch.count;
      if (batch.clock > 0) expect(handed).toBeGreaterThanOrEqual(batch.clock);
      if (batch.clock > 0) idle++;
    }
    expect(handed).toBe(2000);
    expect(idle).toBeGreaterThan(600);
    expect(source.drops).toBe(3);
  });

  it('large frames that are all late and doubled still fit', async () => {
    const large = Array.from({ length: 90 }, (_, i) => {
      return { time: i, bytes: Buffer.alloc(262144, i), wireLength: 262144, link: 1 };
    });
    const faults = { seed: 1, duplicate: 1, reorder: 1, reorderDistance: 1024 };
    const seen = await drain(faulty(sourceOf(large, [20]), faults));
    expect(seen.frames.length).toBe(180);
    expect(new Set(seen.frames.map((frame) => frame.hex.slice(0, 2))).size).toBe(90);
  });
});

/** A TCP segment in Ethernet; enough of a packet to find its ports. */
function segment(source: number, destination: number, tags: number[], version: 4 | 6): Frame {
  const ethernet = Buffer.alloc(12 + tags.length * 4 + 2);
  for (const [i, tag] of tags.entries()) ethernet.writeUInt32BE(tag, 12 + i * 4);
  ethernet.writeUInt16BE(version === 4 ? 0x0800 : 0x86dd, ethernet.length - 2);
  const ip = Buffer.alloc(version === 4 ? 24 : 40);
  ip[0] = version === 4 ? 0x46 : 0x60;
  ip[version === 4 ? 9 : 6] = 6;
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(source, 0);
  tcp.writeUInt16BE(destination, 2);
  const bytes = Buffer.concat([ethernet, ip, tcp]);
  return { time: 1, bytes, wireLength: bytes.length, link: 1 };
}

describe('one side', () => {
  const shapes: [string, number[], 4 | 6][] = [
    ['IPv4 with options', [], 4],
    ['IPv6', [], 6],
    ['802.1Q', [0x81000007], 4],
    ['QinQ', [0x88a80007, 0x81000008], 6],
  ];
  it.each(shapes)('%s', async (_, tags, version) => {
    const up = segment(40_000, 25, tags, version);
    const down = segment(25, 40_000, tags, version);
    const other = segment(40_000, 80, tags, version);
    const fragment = segment(40_000, 25, tags, 4);
    fragment.bytes[14 + tags.length * 4 + 7] = 1;
    const noise = { ...up, bytes: Buffer.alloc(17) };
    const all = [up, other, down, fragment, noise, { ...up, link: 101 }];
    const client = await drain(faulty(sourceOf(all), { seed: 1, sides: 'client' }));
    expect(client.frames).toEqual(plain([up]));
    const server = await drain(faulty(sourceOf(all), { seed: 1, sides: 'server' }));
    expect(server.frames).toEqual(plain([down]));
    const web = await drain(faulty(sourceOf(all), { seed: 1, sides: 'client', ports: [80] }));
    expect(web.frames).toEqual(plain([other]));
  });
});
