// What pcapng can say and a plain pcap cannot: clocks, sections, byte orders, the other packet
// blocks.

import { describe, expect, it } from 'vitest';
import { PcapngParser } from '../../src/capture/pcapng.js';
import { FrameBatch } from '../../src/capture/source.js';
import { Random } from '../../src/lib/random.js';
import { block, interfaceBlock, packetBlock, sectionBlock, wordsOf } from './captures.js';

function parse(parts: Buffer[]): { parser: PcapngParser; batch: FrameBatch } {
  const bytes = Buffer.concat([...parts, Buffer.alloc(8)]);
  const parser = new PcapngParser();
  const batch = new FrameBatch(bytes, 100);
  expect(parser.parse(bytes, 0, bytes.length - 8, batch)).toBe(bytes.length - 8);
  expect(parser.fault).toBe('');
  return { parser, batch };
}

const frame = { time: 0, bytes: Buffer.from('hello'), wireLength: 5, link: 1 };

function timeOf(units: bigint, options: [number, Buffer][], big = false): number {
  const parts = [sectionBlock(big), interfaceBlock({ big, options })];
  return parse([...parts, packetBlock(frame, units, 0, big)]).batch.time[0]!;
}

describe('clocks', () => {
  const micros = 1_700_000_000_123_456n;
  it.each([
    [0, 1_700_000_000n, 1_700_000_000_000_000],
    [3, 1_700_000_000_123n, 1_700_000_000_123_000],
    [6, micros, Number(micros)],
    [9, micros * 1000n + 999n, Number(micros)],
    [12, 1_234_567_890_123_456_789n, 1_234_567_890_123],
    [15, 1_234_567_890_123_456_789n, 1_234_567_890],
    [0x80 | 0, 1_700_000_000n, 1_700_000_000_000_000],
    [0x80 | 10, (1_700_000_000n << 10n) | 512n, 1_700_000_000_500_000],
    [0x80 | 32, (1_700_000_000n << 32n) | 0x40000000n, 1_700_000_000_250_000],
    [0x80 | 40, 123n << 40n, 123_000_000],
    [0x80 | 127, (1n << 64n) - 1n, 0],
    [127, (1n << 64n) - 1n, 0],
  ])('if_tsresol %i', (code, units, expected) => {
    expect(timeOf(units, [[9, Buffer.from([code])]])).toBe(expected);
    expect(timeOf(units, [[9, Buffer.from([code])]], true)).toBe(expected);
  });

  it('nanoseconds are floored exactly', () => {
    const random = new Random(4);
    for (let i = 0; i < 2000; i++) {
      const units = (BigInt(random.below(2 ** 30)) << 32n) | BigInt(random.below(2 ** 32));
      expect(timeOf(units, [[9, Buffer.from([9])]])).toBe(Number(units / 1000n));
    }
  });

  it('if_tsoffset is added, in seconds, and may be negative', () => {
    const offset = Buffer.alloc(8);
    offset.writeBigInt64LE(1000n);
    expect(timeOf(7n, [[14, offset]])).toBe(1_000_000_007);
    offset.writeBigInt64LE(-1n);
    expect(timeOf(1_500_000n, [[14, offset]])).toBe(500_000);
    expect(timeOf(1n, [[14, offset]])).toBe(0);
  });

  it('a time without sense stays a number that a date can be made of', () => {
    const offset = Buffer.alloc(8, 0x7f);
    expect(timeOf((1n << 64n) - 1n, [[14, offset]])).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('other options, and none behind the end, are passed over', () => {
    const options: [number, Buffer][] = [
      [2, Buffer.from('eth0')],
      [3, Buffer.from('a name of 23 characters')],
      [9, Buffer.from([3])],
      [0, Buffer.alloc(0)],
      [9, Buffer.from([6])],
    ];
    expect(timeOf(5n, options)).toBe(5000);
  });
});

describe('blocks', () => {
  it('sections of either byte order, each with its own interfaces', () => {
    const { batch } = parse([
      sectionBlock(),
      interfaceBlock({ link: 101 }),
      interfaceBlock({ link: 113 }),
      packetBlock(frame, 1n, 1),
      sectionBlock(true),
      interfaceBlock({ big: true, link: 276 }),
      packetBlock(frame, 2n, 0, true),
      block(0x0bad0bad, Buffer.alloc(9), true),
      sectionBlock(),
      interfaceBlock(),
      packetBlock(frame, 3n, 0),
    ]);
    expect([...batch.link.subarray(0, batch.count)]).toEqual([113, 276, 1]);
    expect([...batch.time.subarray(0, batch.count)]).toEqual([1, 2, 3]);
  });

  it('a section forgets the interfaces of the one before', () => {
    const bytes = Buffer.concat([sectionBlock(), interfaceBlock(), sectionBlock()]);
    const all = Buffer.concat([bytes, packetBlock(frame, 1n)]);
    const parser = new PcapngParser();
    expect(parser.parse(all, 0, all.length, new FrameBatch(all, 9))).toBe(bytes.length);
    expect(parser.fault).toMatch(/interface that is not there/);
  });

  it('simple packet blocks: first interface, its snapshot length, time of the frame before', () => {
    const { batch } = parse([
      sectionBlock(),
      interfaceBlock({ link: 101, snapLength: 4 }),
      packetBlock(frame, 77n),
      block(3, Buffer.concat([wordsOf([1500]), Buffer.from('abcd')])),
      block(3, Buffer.concat([wordsOf([2]), Buffer.from('xy')])),
    ]);
    expect([...batch.length.subarray(0, 3)]).toEqual([5, 4, 2]);
    expect([...batch.wireLength.subarray(0, 3)]).toEqual([5, 1500, 2]);
    expect([...batch.time.subarray(0, 3)]).toEqual([77, 77, 77]);
    const from = batch.offset[1]!;
    expect(batch.bytes.toString('latin1', from, from + 4)).toBe('abcd');
  });

  it.each([false, true])('obsolete packet blocks (big-endian: %s)', (big) => {
    const index = big ? 0x00010005 : 0x00050001;
    const head = wordsOf([index, 0, 9, 5, 60], big);
    const { batch } = parse([
      sectionBlock(big),
      interfaceBlock({ big }),
      interfaceBlock({ big, link: 113 }),
      block(2, Buffer.concat([head, Buffer.from('hello')]), big),
    ]);
    expect(batch.count).toBe(1);
    expect(batch.link[0]).toBe(113);
    expect(batch.time[0]).toBe(9);
    expect(batch.wireLength[0]).toBe(60);
    expect(batch.bytes.toString('latin1', batch.offset[0], batch.offset[0]! + 5)).toBe('hello');
  });

  it('a length without its padding is taken', () => {
    const odd = Buffer.concat([wordsOf([6, 37, 0, 0, 8, 5, 5]), Buffer.from('hello\0\0\0')]);
    const { batch } = parse([sectionBlock(), interfaceBlock(), odd, wordsOf([37])]);
    expect(batch.count).toBe(1);
    expect(batch.time[0]).toBe(8);
  });
});
