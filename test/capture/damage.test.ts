// Captures that are cut, flipped, or lie: what stands before the damage is delivered, the problem
// is named with its place, and nothing throws but the one-line error of a file that is no capture.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { openCapture, readCapture } from '../../src/capture/open.js';
import type { ByteSupply } from '../../src/capture/supply.js';
import { Random } from '../../src/lib/random.js';
import {
  block,
  drain,
  has,
  interfaceBlock,
  packetBlock,
  pcap,
  pcapng,
  plain,
  randomFrames,
  realCaptures,
  scratch,
  sectionBlock,
  wordsOf,
} from './captures.js';

const folder = scratch();
afterAll(() => folder.remove());

/** Bytes as a supply that gives them in pieces of at most `most`. */
function supplyOf(bytes: Buffer, most = bytes.length): ByteSupply {
  let used = 0;
  return {
    read: (into, at, length) => {
      const got = bytes.copy(into, at, used, used + Math.min(length, most));
      used += got;
      return got;
    },
    close: () => {},
    get diskRead() {
      return used;
    },
    diskTotal: bytes.length,
  };
}

function open(bytes: Buffer, most?: number) {
  return readCapture('test', supplyOf(bytes, most));
}

const few = randomFrames(8, 7);

/** Ends of the records: a cut exactly there is no damage. */
function recordEnds(header: number, extra: (length: number) => number): number[] {
  const ends = [header];
  for (const { bytes } of few) ends.push(ends.at(-1)! + extra(bytes.length));
  return ends;
}

describe('cut at every byte', () => {
  const cases: [string, Buffer, number[], number][] = [
    ['pcap', pcap(few), recordEnds(24, (length) => 16 + length), 24],
    ['pcapng', pcapng(few), recordEnds(48, (length) => 32 + ((length + 3) & ~3)), 28],
  ];
  it.each(cases)('%s', async (_, bytes, ends, first) => {
    for (let cut = 4; cut <= bytes.length; cut++) {
      const seen = await drain(open(bytes.subarray(0, cut), 1 + (cut % 50)));
      const count = ends.filter((end) => end <= cut).length - 1;
      expect(seen.frames).toEqual(plain(few.slice(0, Math.max(0, count))));
      const whole = ends.includes(cut) || cut === first;
      if (whole) expect(seen.source.problem).toBeNull();
      else {
        expect(seen.source.problem?.message).toContain('truncated');
        expect(seen.source.problem?.packet).toBe(Math.max(0, count));
        const start = ends.filter((end) => end <= cut).at(-1) ?? (cut > first ? first : 0);
        expect(seen.source.problem?.offset).toBe(start);
      }
    }
  });

  it.each([0, 1, 3])('%i bytes are no capture', async (cut) => {
    await expect(open(pcap(few).subarray(0, cut)).next()).rejects.toThrow(/^test: (empty|not a)/);
  });

  it('gzip: all frames that came out are there', async () => {
    const many = randomFrames(500, 3);
    const raw = pcap(many);
    const bytes = gzipSync(raw);
    for (let cut = 20; cut < bytes.length; cut += 997) {
      const seen = await drain(open(bytes.subarray(0, cut)));
      expect(seen.source.problem?.message).toContain('truncated');
      expect(seen.frames).toEqual(plain(many).slice(0, seen.frames.length));
    }
    // Incompressible frames: the stream is about as long as its content.
    const half = await drain(open(bytes.subarray(0, bytes.length >> 1)));
    expect(half.frames.length).toBeGreaterThan(200);
    const lost = await drain(open(bytes.subarray(0, bytes.length - 1)));
    expect(lost.frames).toEqual(plain(many));
    expect(lost.source.problem?.message).toContain('truncated');
  });

  it('gzip: what follows a damaged byte is lost, what stood before is not', async () => {
    const many = randomFrames(3000, 3);
    const bytes = gzipSync(pcap(many), { level: 1 });
    bytes.fill(0xff, bytes.length - 60000, bytes.length - 59000);
    const seen = await drain(open(bytes));
    expect(seen.source.problem?.message).toMatch(/^corrupt/);
    expect(seen.frames.length).toBeGreaterThan(2300);
    // Behind the damage, and before zlib notices, frames may be anything.
    expect(seen.frames.slice(0, 2300)).toEqual(plain(many).slice(0, 2300));
  });
});

describe('lies', () => {
  it.each([0x7fffffff, 0xffffffff, 0x80000000, 262153])(
    'a captured length of %i is corrupt',
    async (length) => {
      const bytes = Buffer.concat([pcap(few), wordsOf([1, 2, length, 60]), Buffer.alloc(400_000)]);
      const { frames, source } = await drain(open(bytes));
      expect(frames).toEqual(plain(few));
      expect(source.problem?.message).toMatch(/^corrupt/);
      expect(source.problem?.offset).toBe(pcap(few).length);
      expect(source.problem?.packet).toBe(few.length);
    },
  );

  it('a wire length below the captured one, or beyond 2^31, is mended', async () => {
    const bytes = Buffer.concat([pcap([]), wordsOf([1, 2, 4, 1, 0, 1, 2, 4, 0xfffffff0, 0])]);
    const { frames } = await drain(open(bytes));
    expect(frames.map((frame) => frame.wireLength)).toEqual([4, 0x7fffffff]);
  });

  it.each([
    ['a block of 4 bytes', wordsOf([6, 4, 4, 4])],
    ['a block of 2 GiB', wordsOf([6, 0x80000000, 0, 0])],
    ['a block over 16 MiB', wordsOf([99, 16 * 1024 * 1024 + 4, 0, 0])],
    ['two lengths', wordsOf([99, 16, 0, 20])],
    ['a packet without its interface', packetBlock(few[0]!, 1n, 1)],
    ['a packet of interface -1', packetBlock(few[0]!, 1n, -1)],
    ['a captured length beyond the block', block(6, wordsOf([0, 0, 0, 100, 100, 1, 2, 3]))],
    ['a section without byte order', block(0x0a0d0d0a, wordsOf([1, 2, 3, 4]))],
    ['a section too short', block(0x0a0d0d0a, wordsOf([0x1a2b3c4d, 2]))],
    ['an interface too short', block(1, wordsOf([1]))],
    ['a packet too short', block(6, wordsOf([0, 1, 2]))],
  ])('pcapng with %s is corrupt', async (_, tail) => {
    const bytes = Buffer.concat([pcapng(few), tail, Buffer.alloc(64)]);
    const { frames, source } = await drain(open(bytes));
    expect(frames).toEqual(plain(few));
    expect(source.problem?.message).toMatch(/^corrupt/);
    expect(source.problem?.offset).toBe(pcapng(few).length);
  });

  it('more interfaces than anyone has are corrupt, not a list without end', async () => {
    const many = Buffer.concat(Array<Buffer>(65_537).fill(interfaceBlock()));
    const { source } = await drain(open(Buffer.concat([sectionBlock(), many])));
    expect(source.problem?.message).toMatch(/^corrupt: more than 65536/);
  });

  it('a large block that is not known is skipped, and the frame behind it read', async () => {
    const big = block(0x0bad, Buffer.alloc(15 * 1024 * 1024));
    const head = Buffer.concat([sectionBlock(), interfaceBlock(), big]);
    const bytes = Buffer.concat([head, packetBlock(few[0]!, BigInt(few[0]!.time))]);
    const { frames, source } = await drain(open(bytes));
    expect(source.problem).toBeNull();
    expect(frames).toEqual(plain(few.slice(0, 1)));
  });
});

describe('a file that is no capture', () => {
  const say = async (path: string) => {
    try {
      await openCapture(path).next();
      return 'nothing';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('is refused with one line that says what to do', async () => {
    const text = folder.file('text');
    writeFileSync(text, '{"this": "is no capture"}\n');
    const packed = folder.file('packed');
    writeFileSync(packed, gzipSync('neither is this'));
    const nothing = folder.file('nothing');
    writeFileSync(nothing, '');
    expect(await say(text)).toMatch(/: not a pcap or pcapng capture \(begins with 7b 22 74 68\)/);
    expect(await say(packed)).toMatch(/: not a pcap or pcapng capture/);
    expect(await say(nothing)).toBe(`${nothing}: empty; give a pcap or pcapng capture`);
    expect(await say(folder.file('absent'))).toMatch(/absent: no such file; check the path$/);
    expect(await say(folder.file('text/in'))).toMatch(/no such file/);
    expect(await say('/')).toBe('/: a directory; name the capture files in it');
    expect(await say('/dev/null')).toMatch(/empty/);
    expect(await say('/dev/zero')).toMatch(/not a pcap/);
  });

  it('gives null after refusing', async () => {
    const source = openCapture(folder.file('absent'));
    await expect(source.next()).rejects.toThrow();
    expect(await source.next()).toBeNull();
  });

  it('a pcapng without byte order at its start is none', async () => {
    await expect(open(block(0x0a0d0d0a, wordsOf([1, 2, 3, 4]))).next()).rejects.toThrow(
      /not a pcap/,
    );
  });
});

describe('random damage', () => {
  it('never throws anything but that line, and takes no more memory', async () => {
    const random = new Random(20_26);
    const seeds = [pcap(few), pcap(few, { big: true }), pcapng(few), pcapng(few, true)];
    seeds.push(gzipSync(pcap(few)));
    if (has('zstd')) seeds.push(zstd(pcap(few)));
    const before = process.memoryUsage().rss;
    const end = performance.now() + 2000;
    let runs = 0;
    for (; performance.now() < end; runs++) {
      const bytes = Buffer.from(seeds[random.below(seeds.length)]!);
      for (let flips = 1 + random.below(4); flips > 0; flips--) {
        bytes[random.below(bytes.length)] = random.word();
      }
      try {
        await drain(open(bytes, 1 + random.below(2000)));
      } catch (error) {
        expect((error as Error).message).toMatch(/^test: not a pcap or pcapng capture[^\n]*$/);
      }
    }
    expect(runs).toBeGreaterThan(100);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
  });
});

function zstd(bytes: Buffer, args: string[] = []): Buffer {
  return execFileSync('zstd', ['-q', '-c', ...args], { input: bytes, maxBuffer: 2 ** 28 });
}

describe.runIf(has('zstd'))('zstd', () => {
  const many = randomFrames(2000, 5);
  const raw = pcap(many);

  it('several frames, skippable ones, empty ones', async () => {
    const skip = Buffer.concat([wordsOf([0x184d2a53, 300_000]), Buffer.alloc(300_000, 1)]);
    const cut = 77_777;
    const parts = [skip, zstd(raw.subarray(0, cut)), zstd(Buffer.alloc(0)), skip];
    parts.push(zstd(raw.subarray(cut), ['--check', '-19']), skip);
    for (const most of [1, 1000, 10_000_000]) {
      const seen = await drain(open(Buffer.concat(parts), most));
      expect(seen.source.problem).toBeNull();
      expect(seen.frames).toEqual(plain(many));
    }
  });

  it('content that repeats over windows and blocks', async () => {
    const same = randomFrames(40, 9);
    const repeated = Array.from({ length: 200 }, () => same).flat();
    const bytes = zstd(pcap(repeated), ['--long=24', '-5']);
    const seen = await drain(open(bytes));
    expect(seen.source.problem).toBeNull();
    expect(seen.frames.length).toBe(repeated.length);
    expect(seen.frames.slice(-40)).toEqual(plain(same));
  });

  it('truncated: all that came out is there', async () => {
    const bytes = zstd(raw);
    for (let cut = 5; cut < bytes.length; cut += 7919) {
      const seen = await drain(open(bytes.subarray(0, cut)));
      expect(seen.source.problem?.message).toContain('truncated');
      expect(seen.frames).toEqual(plain(many).slice(0, seen.frames.length));
    }
    const lost = await drain(open(bytes.subarray(0, bytes.length - 1)));
    expect(lost.frames.length).toBeGreaterThan(1000);
  });

  it('a window over 128 MiB is refused before memory is taken', async () => {
    // Frame headers alone: window exponents of 128 MiB and of 256 MiB, then a raw block.
    const frame = (window: number) => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, window, 1, 0, 0]);
    const before = process.memoryUsage().arrayBuffers;
    const large = await drain(open(frame((28 - 10) << 3)));
    expect(large.source.problem?.message).toMatch(/window of 256 MiB and 128 are allowed/);
    const single = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0]);
    const sized = await drain(open(single));
    expect(sized.source.problem?.message).toMatch(/window of 4096 MiB/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    await expect(open(frame((27 - 10) << 3)).next()).rejects.toThrow(/empty/);
  });

  it('a file that grows 1,000-fold is read in little memory', async () => {
    const empty = Buffer.concat([pcap([]), Buffer.alloc(160 * 1024 * 1024)]);
    const sources = [open(zstd(empty)), open(gzipSync(empty, { level: 1 }))];
    for (const source of sources) {
      let frames = 0;
      const before = process.memoryUsage().arrayBuffers;
      let most = 0;
      for (let batch = await source.next(); batch !== null; batch = await source.next()) {
        frames += batch.count;
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      }
      expect(frames).toBe((160 * 1024 * 1024) / 16);
      expect(most).toBeLessThan(100 * 1024 * 1024);
    }
  });
});

describe('beyond 4 GiB', () => {
  it('offsets stay right', async () => {
    // One record of 256 KiB again and again; the last one lies about its length.
    const record = Buffer.concat([wordsOf([5, 6, 262128, 262128]), Buffer.alloc(262128)]);
    const records = 16_500;
    const header = pcap([]);
    const end = header.length + records * record.length;
    let used = 0;
    const supply: ByteSupply = {
      read: (into, at, length) => {
        if (used >= end) return wordsOf([0, 0, 0xffffffff, 0]).copy(into, at);
        const within = used < 24 ? used : (used - 24) % record.length;
        const piece = used < 24 ? header : record;
        const got = piece.copy(into, at, within, Math.min(piece.length, within + length));
        used += got;
        return got;
      },
      close: () => {},
      get diskRead() {
        return used;
      },
      diskTotal: end,
    };
    const source = readCapture('long', supply);
    let frames = 0;
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      frames += batch.count;
    }
    expect(end).toBeGreaterThan(2 ** 32);
    expect(frames).toBe(records);
    expect(source.problem).toMatchObject({ offset: end, packet: records });
    expect(source.progress()).toEqual({ read: end, total: end });
  });
});

describe('captures made by others', () => {
  const files = realCaptures();
  it.each(files)('%s: as many packets as its records say', async (path) => {
    const seen = await drain(openCapture(path));
    const count = countRecords(readFileSync(path));
    expect(seen.frames.length).toBe(count.records);
    expect(seen.source.problem === null).toBe(count.whole);
  });
});

/** An obviously correct count of little-endian pcap records. */
function countRecords(bytes: Buffer): { records: number; whole: boolean } {
  let at = 24;
  let records = 0;
  while (at + 16 <= bytes.length && at + 16 + bytes.readUInt32LE(at + 8) <= bytes.length) {
    at += 16 + bytes.readUInt32LE(at + 8);
    records++;
  }
  return { records, whole: at === bytes.length };
}
