// The frame and conversation builders, judged by tshark: every layer is what it claims to be, with
// right lengths and checksums.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Conversation, dialogue, fill, pcapOf } from '../../bench/generate/conversation.js';
import * as f from '../../bench/generate/frame.js';

vi.setConfig({ testTimeout: 60_000 });

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailweir-frame-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const fields = [
  'frame.protocols',
  'tcp.len',
  'tcp.checksum.status',
  'ip.checksum.status',
  'udp.checksum.status',
  '_ws.malformed',
  'frame.time_epoch',
];

function look(capture: Buffer): string[][] {
  const path = join(folder, 'frames.pcap');
  writeFileSync(path, capture);
  const checks = ['tcp', 'ip', 'udp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
  const columns = fields.flatMap((field) => ['-e', field]);
  let text: string;
  try {
    text = execFileSync('tshark', ['-n', '-r', path, ...checks, '-T', 'fields', ...columns], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (problem) {
    throw new Error('these tests need tshark: sudo apt-get install tshark', { cause: problem });
  }
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => line.split('\t'));
}

const time = 1_700_000_000_000_005;
const v4 = { src: '192.0.2.7', dst: '198.51.100.3', seq: 1, ack: 2, payload: 'EHLO a.test\r\n' };
const v6 = { ...v4, src: '2001:db8::7', dst: '2001:db8:1::3' };
const outer = { src: '203.0.113.1', dst: '203.0.113.2' };
const packet4 = f.ip(f.tcp(v4));
const packet6 = f.ip(f.tcp(v6));
const frame4 = f.ethernet(packet4);

const layers: [string, string, Buffer][] = [
  ['plain IPv4', 'eth:ethertype:ip:tcp', frame4],
  ['plain IPv6', 'eth:ethertype:ipv6:tcp', f.ethernet(packet6)],
  [
    '802.1ad over 802.1Q',
    'eth:ethertype:ieee8021ad:ethertype:vlan:ethertype:ipv6:tcp',
    f.ethernet(f.vlan(f.vlan(packet6, { id: 5 }), { id: 9, tpid: 0x88a8 })),
  ],
  ['MPLS', 'eth:ethertype:mpls:ip:tcp', f.ethernet(f.mpls(packet4, [100, 200]))],
  ['PPPoE', 'eth:ethertype:pppoes:ppp:ipv6:tcp', f.ethernet(f.pppoe(packet6))],
  [
    'GRE with everything',
    'eth:ethertype:ip:gre:ip:tcp',
    f.ethernet(f.ipv4(f.gre(packet4, { key: 1, sequence: 2, checksum: true }), outer)),
  ],
  [
    'ERSPAN I',
    'eth:ethertype:ip:gre:erspan:eth:ethertype:ip:tcp',
    f.ethernet(f.ipv4(f.erspan1(frame4), outer)),
  ],
  [
    'ERSPAN II',
    'eth:ethertype:ip:gre:erspan:eth:ethertype:ip:tcp',
    f.ethernet(f.ipv4(f.erspan2(frame4), outer)),
  ],
  [
    'ERSPAN III',
    'eth:ethertype:ip:gre:erspan:eth:ethertype:ip:tcp',
    f.ethernet(f.ipv4(f.erspan3(frame4, { subheader: true }), outer)),
  ],
  [
    'VXLAN',
    'eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp',
    f.ethernet(f.ip(f.udp(f.vxlan(frame4), outer))),
  ],
  [
    'Geneve',
    'eth:ethertype:ip:udp:geneve:ipv6:tcp',
    f.ethernet(f.ip(f.udp(f.geneve(packet6, { options: Buffer.alloc(8) }), outer))),
  ],
  ['IP in IP', 'eth:ethertype:ip:ip:tcp', f.ethernet(f.ipip(packet4, outer))],
  ['6in4', 'eth:ethertype:ip:ipv6:tcp', f.ethernet(f.sixInFour(packet6, outer))],
  [
    'extension headers',
    'eth:ethertype:ipv6:ipv6.hopopts:ipv6.routing:ipv6.dstopts:ah:tcp',
    f.ethernet(
      f.ipv6(f.tcp(v6), { extensions: [{ type: 0 }, { type: 43 }, { type: 60 }, { type: 51 }] }),
    ),
  ],
];

describe('frame builders', () => {
  it.each(layers)('%s', (_name, protocols, frame) => {
    const [row] = look(Buffer.concat([f.pcapHeader(), f.pcapRecord(time, frame)]));
    expect(row![0]!.replace(':smtp', '')).toBe(protocols);
    expect(row![1]).toBe(String(v4.payload.length));
    expect([row![2], row![3], row![4]].join()).not.toMatch(/[02]/);
    expect(row![5]).toBe('');
  });

  it.each([
    ['raw', f.Link.raw, packet6, {}],
    ['cooked v1, nanoseconds', f.Link.sll, f.sll(f.vlan(packet4, { id: 4 })), { nano: true }],
    ['cooked v2, big-endian', f.Link.sll2, f.sll2(packet6), { bigEndian: true }],
    ['BSD null', f.Link.null, f.bsdNull(packet6), {}],
    ['BSD loop', f.Link.loop, f.bsdNull(packet4, { bigEndian: true }), { bigEndian: true }],
  ])('link type: %s', (_name, link, frame, options) => {
    const record = f.pcapRecord(time, frame, options);
    const [row] = look(Buffer.concat([f.pcapHeader(link, options), record]));
    expect(row![0]).toMatch(/:tcp/);
    expect(row![2]).toBe('1');
    expect(row![6]).toBe('1700000000.000005000');
  });

  it('fragments come together again', () => {
    const payload = 'A'.repeat(3000);
    const four = f.fragment4(f.ip(f.tcp({ ...v4, payload })), 1000);
    const six = f.fragment6(f.ip(f.tcp({ ...v6, payload })), 1000, 77);
    for (const fragments of [four, six]) {
      expect(fragments.length).toBe(4);
      const records = fragments.map((bytes) => f.pcapRecord(time, f.ethernet(bytes)));
      const rows = look(Buffer.concat([f.pcapHeader(), ...records]));
      expect(rows.map((row) => row[1])).toEqual(['', '', '', '3000']);
      expect(rows[3]![2]).toBe('1');
    }
  });
});

describe('conversations', () => {
  it('have right numbers: tshark finds nothing to remark', () => {
    const talk = new Conversation({ mss: 500 }).handshake().server('220 mx.test\r\n');
    talk.client('EHLO a.test\r\n', { segments: [3, 4] }).server('250 mx.test\r\n');
    talk.client(fill(4000)).wait(1000).ack('server').fin('server');
    const rows = look(pcapOf([talk]));
    expect(rows.filter((row) => row[2] !== '1' || row[5] !== '')).toEqual([]);
    const sent = talk.frames.filter((frame) => frame.dir === 'client').length;
    const lengths = rows.map((row) => Number(row[1]));
    expect(sent).toBe(2 + 3 + 8 + 1);
    expect(lengths.reduce((sum, length) => sum + length)).toBe(13 + 13 + 13 + 4000);
    // A pure ACK for every second segment of the bulk, none behind the last.
    expect(lengths.filter((length) => length === 500).length).toBe(8);
    const times = talk.frames.map((frame) => frame.time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('are written as dialogues', () => {
    const talk = dialogue(
      String.raw`
        S: 220 mx.test
        C: DATA

        C: Subject: a\tb\x00\xFF\\
        C:
        C| .\r\n
        C| <fill 100>
        --
      `,
      { client: '2001:db8::1', vlan: [7, 8] },
    );
    const rows = look(pcapOf([talk]));
    expect(rows.every((row) => row[0]!.startsWith('eth:ethertype:vlan:ethertype:vlan'))).toBe(true);
    const said = talk.frames.filter((frame) => frame.dir === 'client');
    const tail = (index: number, length: number) =>
      said[index]!.bytes.subarray(-length).toString('latin1');
    expect(tail(2, 6)).toBe('DATA\r\n');
    const message = `Subject: a\tb\0\xff\\\r\n\r\n.\r\n${fill(100).toString()}`;
    expect(tail(3, message.length)).toBe(message);
    expect(rows[5]![1]).toBe(String(message.length));
    expect(() => dialogue('X: what')).toThrow('X: what');
  });
});
