// The decoder against tshark: the same TCP segments with the same addresses, ports, sequence
// numbers and payload lengths, in real captures and in every encapsulation of the table. Where
// tshark or the captures are missing, a warning says how much was not compared.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  ethernet,
  fragment4,
  fragment6,
  ipv4,
  ipv6,
  pcapHeader,
  pcapRecord,
  tcp,
} from '../../bench/generate/frame.js';
import { Packet } from '../../src/decode/packet.js';
import { batchOf, cases, decoderWith, type FrameIn, tcp4, tcp6, words, wordsOf } from './frames.js';

const captures = join(import.meta.dirname, '../../../shared/captures/files');
const hasTshark = spawnSync('tshark', ['--version']).status === 0;

interface Captured extends FrameIn {
  readonly link: number;
  readonly wireLength: number;
  readonly from: string;
}

/** The frames of a classic pcap of either byte order; null for any other file. */
function readPcap(path: string, from: string): Captured[] | null {
  const file = readFileSync(path);
  const magic = file.length < 24 ? 0 : file.readUInt32LE(0);
  const little = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d;
  if (!little && magic !== 0xd4c3b2a1 && magic !== 0x4d3cb2a1) return null;
  const u32 = (at: number): number => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const link = u32(20) & 0xffff;
  const frames: Captured[] = [];
  let at = 24;
  while (at + 16 <= file.length) {
    const end = at + 16 + u32(at + 8);
    if (end > file.length) break;
    const bytes = file.subarray(at + 16, end);
    frames.push({ bytes, link, wireLength: Math.max(u32(at + 12), bytes.length), from });
    at = end;
  }
  return frames;
}

const fields = [
  'frame.number',
  'ip.src',
  'ip.dst',
  'ipv6.src',
  'ipv6.dst',
  'tcp.srcport',
  'tcp.dstport',
  'tcp.seq_raw',
  'tcp.len',
];
// A TCP header inside an ICMP error is quoted, not sent.
const filter = 'tcp.len && !icmp && !icmpv6';
const settings = [
  'tcp.relative_sequence_numbers:false',
  'tcp.analyze_sequence_numbers:false',
  'tcp.desegment_tcp_streams:false',
  'tcp.try_heuristic_first:false',
];

/** For each frame number from 1 the segment as one line, as tshark sees it. */
function tsharkLines(path: string): Map<number, string> {
  const args = ['-n', '-r', path, '-Y', filter, '-T', 'fields', '-E', 'occurrence=l'];
  for (const each of settings) args.push('-o', each);
  for (const each of fields) args.push('-e', each);
  const run = spawnSync('tshark', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  const lines = new Map<number, string>();
  for (const line of run.stdout.split('\n')) {
    const [number, src4, dst4, src6, dst6, ...rest] = line.split('\t');
    if (number === undefined || number === '') continue;
    // With both versions in a frame only the innermost counts; ours says which it is.
    lines.set(Number(number), [src4, dst4, src6, dst6, ...rest].join(' '));
  }
  return lines;
}

/** Compares frames of one link type; gives the number of segments that both saw the same. */
function compare(frames: readonly Captured[], folder: string): number {
  const link = frames[0]!.link;
  const path = join(folder, `${link}.pcap`);
  const records = frames.map((each, index) =>
    pcapRecord(1e6 * (1 + index), each.bytes, { wireLength: each.wireLength }),
  );
  writeFileSync(path, Buffer.concat([pcapHeader(link), ...records]));
  const theirs = tsharkLines(path);
  const batch = batchOf(frames.map((each, index) => ({ ...each, time: 1 + index })));
  const decoder = decoderWith();
  const packet = new Packet();
  const wrong: string[] = [];
  let same = 0;
  for (const [index, each] of frames.entries()) {
    const reason = decoder.decode(batch, index, packet);
    const line = theirs.get(index + 1);
    if (reason !== 0 && line === undefined) continue;
    const ours = reason === 0 ? lineOf(packet) : `reason ${reason}`;
    if (line !== undefined && reason === 0 && sameAs(line, packet)) same += 1;
    else wrong.push(`${each.from}, frame ${index}: ours ${ours}, tshark ${line}`);
  }
  expect(wrong).toEqual([]);
  return same;
}

function lineOf(packet: Packet): string {
  const src = words(packet.src0, packet.src1, packet.src2, packet.src3);
  const dst = words(packet.dst0, packet.dst1, packet.dst2, packet.dst3);
  const seq = packet.seq >>> 0;
  return [src, dst, packet.srcPort, packet.dstPort, seq, packet.payloadLength].join(' ');
}

function sameAs(line: string, packet: Packet): boolean {
  const [src4, dst4, src6, dst6, ...rest] = line.split(' ');
  const [src, dst] = packet.ip === 4 ? [src4, dst4] : [src6, dst6];
  if (!src || !dst) return false;
  return [wordsOf(src), wordsOf(dst), ...rest].join(' ') === lineOf(packet);
}

function byLink(frames: readonly Captured[]): Captured[][] {
  const groups = new Map<number, Captured[]>();
  for (const each of frames) {
    const group = groups.get(each.link);
    if (group === undefined) groups.set(each.link, [each]);
    else group.push(each);
  }
  return [...groups.values()];
}

function compareAll(frames: readonly Captured[]): number {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-decode-'));
  try {
    return byLink(frames).reduce((sum, group) => sum + compare(group, folder), 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the same segments as tshark', () => {
  it('in real captures', () => {
    const names = existsSync(captures) ? readdirSync(captures).sort() : [];
    const files = names.map((name) => readPcap(join(captures, name), name));
    const frames = files.flatMap((each) => each ?? []);
    if (!hasTshark || frames.length === 0) {
      console.warn(`NOT COMPARED with tshark: ${frames.length} frames of ${names.length} captures`);
      return;
    }
    const other = files.filter((each) => each === null).length;
    const same = compareAll(frames);
    console.info(`${same} segments of ${names.length} captures as in tshark; ${other} not pcap`);
    expect(same).toBeGreaterThan(1000);
  }, 60_000);

  it('in every encapsulation, and in fragments', () => {
    const pieces = [
      ...fragment4(ipv4(tcp({ ...tcp4, payload: 'x'.repeat(3000) }), { id: 5 }), 1000),
      ...fragment6(ipv6(tcp({ ...tcp6, payload: 'x'.repeat(3000) })), 1000, 6),
    ].map((bytes) => ({ bytes: ethernet(bytes), link: 1, name: 'fragment' }));
    const frames = [...cases, ...pieces]
      .filter((each) => !guesses.test(each.name))
      .map((each) => ({ ...each, wireLength: each.bytes.length, from: each.name }));
    if (!hasTshark) {
      console.warn(`NOT COMPARED with tshark: ${frames.length} encapsulations`);
      return;
    }
    expect(compareAll(frames)).toBe(frames.length - pieces.length + 2);
  }, 60_000);
});

// Where tshark leaves it open: Ethernet behind MPLS labels, which it must be told label by label;
// the frame type "IP" of ERSPAN III; Linux's address family for IPv6 in a BSD header.
const guesses = /pseudo-wire|erspan III, IP|null 10 |loop 10 /;
