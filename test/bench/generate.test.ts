// The generated captures: repeatable, clean on the wire, and true to their own truth. tshark is the
// judge of the wire; where it is not installed these tests fail with the command that installs it.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { generate, presets, type TrafficOptions } from '../../bench/generate/traffic.js';
import { demoPeople, writeDemo } from '../../bench/world/demo.js';

// tshark takes seconds over some captures, more on a busy machine.
const slow = 60_000;
vi.setConfig({ testTimeout: slow });

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailweir-generate-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function make(name: string, preset: string, change: Partial<TrafficOptions>, seed = 1) {
  const path = join(folder, `${name}.pcap`);
  const truthPath = join(folder, `${name}.ndjson`);
  const options = { ...presets[preset]!.options, concurrency: 40, ...change };
  const result = generate({ path, truthPath, seed, options });
  return { ...result, path, truthPath };
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

interface TruthLine {
  readonly src_ip: string;
  readonly src_port: number;
  readonly mail_from: string;
  readonly rcpt_to: string[];
  readonly rcpt_codes: number[];
  readonly final_code: number | null;
  readonly bytes: number | null;
  readonly chunking: boolean;
  readonly pipelined: boolean;
}

function truthOf(path: string): TruthLine[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as TruthLine);
}

/** The rows of fields that tshark sees behind a filter. */
function tshark(path: string, filter: string, fields: string[]): string[][] {
  const checks = ['tcp', 'ip'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
  const columns = fields.flatMap((field) => ['-e', field]);
  const args = ['-n', '-r', path, ...checks, '-Y', filter, '-T', 'fields', ...columns];
  let text: string;
  try {
    text = execFileSync('tshark', args, {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (problem) {
    throw new Error('these tests need tshark: sudo apt-get install tshark', { cause: problem });
  }
  return text === ''
    ? []
    : text
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => line.split('\t'));
}

const complaints =
  'tcp.checksum.status == 0 || ip.checksum.status == 0 || _ws.malformed || tcp.analysis.flags';

describe('generated traffic', () => {
  it('is the same for the same seed and another for another seed', () => {
    const first = make('first', 'mixed', { sessions: 60 });
    const again = make('again', 'mixed', { sessions: 60 });
    const other = make('other', 'mixed', { sessions: 60 }, 2);
    expect(sha256(again.path)).toBe(sha256(first.path));
    expect(sha256(again.truthPath)).toBe(sha256(first.truthPath));
    expect(sha256(other.path)).not.toBe(sha256(first.path));
    expect(statSync(first.path).size).toBe(first.bytes);
  });

  it.each([
    ['mixed', { sessions: 200 }],
    ['ordinary', { sessions: 60 }],
    ['half-open', { sessions: 50, synFlood: 500 }],
    ['web', { sessions: 30 }],
  ])('%s is clean on the wire', (preset, change) => {
    const capture = make(`clean-${preset}`, preset, change);
    expect(tshark(capture.path, complaints, ['frame.number', '_ws.expert'])).toEqual([]);
    expect(tshark(capture.path, 'tcp', ['frame.number']).length).toBe(capture.frames);
  });

  it('tells the truth that tshark sees in sessions without pipelining', () => {
    const plain = { sessions: 150, pipelining: 0, bdat: 0, starttls: 0, refusedRcpt: 0.2 };
    const capture = make('plain', 'mixed', plain);
    const truth = truthOf(capture.truthPath);
    const seen = (filter: string) => tshark(capture.path, filter, ['frame.number']).length;
    const rcpts = truth.flatMap((line) => line.rcpt_to);
    const refused = truth.flatMap((line) => line.rcpt_codes).filter((code) => code !== 250);
    expect(seen('smtp.req.command == "MAIL"')).toBe(truth.length);
    expect(seen('smtp.req.command == "RCPT"')).toBe(rcpts.length);
    expect(seen('smtp.response.code == 354')).toBe(truth.filter((t) => t.bytes !== null).length);
    const bad = truth.filter((line) => line.final_code !== null && line.final_code !== 250);
    expect(refused.length).toBeGreaterThan(10);
    expect(seen('smtp.response.code >= 450')).toBe(refused.length + bad.length);
    const froms = tshark(capture.path, 'smtp.req.command == "MAIL"', ['smtp.req.parameter']);
    const addresses = froms.map(([text]) => /<(.*?)>/.exec(text!)?.[1]);
    expect(addresses.sort()).toEqual(truth.map((line) => line.mail_from).sort());
  });

  it('counts bytes as they can be counted again from the reassembled stream', () => {
    const capture = make('bytes', 'mixed', { sessions: 80, starttls: 0 });
    const truth = truthOf(capture.truthPath);
    const sent = tshark(capture.path, 'tcp.len > 0 && tcp.dstport == 25', [
      'ip.src',
      'ipv6.src',
      'tcp.srcport',
      'tcp.payload',
    ]);
    const streams = new Map<string, Buffer[]>();
    for (const [v4, v6, port, hex] of sent) {
      const key = `${v4 || v6} ${port}`;
      streams.set(key, [...(streams.get(key) ?? []), Buffer.from(hex!, 'hex')]);
    }
    const counted = [...streams].flatMap(([key, parts]) =>
      messageSizes(Buffer.concat(parts).toString('latin1')).map((size) => `${key} ${size}`),
    );
    const told = truth.filter((line) => line.bytes !== null);
    expect(told.length).toBeGreaterThan(100);
    expect(told.some((line) => line.chunking)).toBe(true);
    const expected = told.map((line) => `${line.src_ip} ${line.src_port} ${line.bytes}`);
    expect(counted.sort()).toEqual(expected.sort());
  });

  it('opens every session of half-open before the flood and ends it behind', () => {
    const capture = make('flood', 'half-open', { sessions: 40, synFlood: 400 });
    const times = (filter: string) =>
      tshark(capture.path, filter, ['frame.time_relative']).map(([time]) => Number(time));
    const flood = times('tcp.flags.syn == 1 && ip.src == 198.19.0.0/16');
    const mails = times('smtp.req.command == "MAIL"');
    const data = times('smtp.req.command == "DATA" || smtp.req.command == "BDAT"');
    expect(flood.length).toBe(400);
    expect(mails.length).toBe(40);
    expect(Math.max(...mails)).toBeLessThan(Math.min(...flood) + 5);
    expect(Math.min(...data)).toBeGreaterThan(Math.max(...flood));
  });
});

/** An independent count: walks what a client said, command by command. */
function messageSizes(said: string): number[] {
  const sizes: number[] = [];
  let chunks = 0;
  let at = 0;
  while (at < said.length) {
    const end = said.indexOf('\r\n', at);
    if (end < 0) throw new Error('a command without an end');
    const line = said.slice(at, end);
    at = end + 2;
    const chunk = /^BDAT (\d+)( LAST)?$/.exec(line);
    if (chunk) {
      at += Number(chunk[1]);
      chunks += Number(chunk[1]);
      if (chunk[2]) sizes.push(chunks);
      if (chunk[2]) chunks = 0;
    } else if (line === 'DATA' && !said.startsWith('RSET', at)) {
      const stop = said.indexOf('\r\n.\r\n', at) + 2;
      const lines = said.slice(at, stop).split('\r\n');
      sizes.push(stop - at - lines.filter((text) => text.startsWith('..')).length);
      at = stop + 3;
    }
  }
  return sizes;
}

describe('the demonstration capture', () => {
  let path = '';
  let result = { sessions: 0, bytes: 0 };
  let rows: Row[] = [];

  beforeAll(() => {
    path = join(folder, 'demo.pcap');
    result = writeDemo(path);
    rows = rowsOf(path);
  }, slow);

  it('is repeatable and of a size to ship', () => {
    const again = join(folder, 'demo-again.pcap');
    writeDemo(again);
    expect(sha256(again)).toBe(sha256(path));
    expect(result.bytes).toBe(statSync(path).size);
    expect(result.bytes).toBeGreaterThan(5e6);
    expect(result.bytes).toBeLessThan(20e6);
  });

  it('is clean on the wire, apart from what its people do', () => {
    // Halves of one-sided connections, and SYNs that nobody answers.
    const meant = 'tcp.analysis.ack_lost_segment || tcp.flags == 0x0002';
    const filter = `(${complaints}) && !(${meant})`;
    expect(tshark(path, filter, ['frame.number', '_ws.expert'])).toEqual([]);
  });

  it('has all its people, and only documentation and benchmark addresses', () => {
    const sources = new Set(rows.map((row) => row.src));
    const { own: _, snowshoe, ...people } = demoPeople;
    const shoes = Array.from({ length: 24 }, (_none, at) => `${snowshoe}.${at + 1}`);
    for (const who of [...Object.values(people).flat(), ...shoes]) expect(sources).toContain(who);
    const reserved = /^(192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|198\.1[89]\.|2001:db8:)/;
    expect([...sources].filter((source) => !reserved.test(source))).toEqual([]);
    const ports = new Set(rows.map((row) => row.port));
    for (const port of ['25', '465', '587']) expect(ports).toContain(port);
    expect(rows.some((row) => row.tag !== '' && row.outerTag === '')).toBe(true);
    expect(rows.some((row) => row.tag !== '' && row.outerTag !== '')).toBe(true);
    expect(rows.some((row) => row.ppp !== '')).toBe(true);
  });

  it('shows what it was made to show', () => {
    const count = (what: (row: Row) => boolean) => rows.filter(what).length;
    expect(count((row) => row.sni !== '')).toBeGreaterThan(200);
    expect(count((row) => row.code === '550')).toBeGreaterThan(500);
    expect(count((row) => row.code === '535')).toBeGreaterThan(60);
    const { scanner, openRelay, relayUser } = demoPeople;
    expect(count((row) => row.src === scanner && row.flags === '0x0002')).toBeGreaterThan(250);
    const mailed = (row: Row) => row.command.startsWith('MAIL');
    expect(count((row) => mailed(row) && row.src === relayUser && row.dst === openRelay)).toBe(45);
    expect(count((row) => mailed(row) && row.src === openRelay)).toBeGreaterThan(44);
    const heard = new Set(rows.map((row) => `${row.src} ${row.dst}`));
    expect(count((row) => !heard.has(`${row.dst} ${row.src}`))).toBeGreaterThan(300);
    const text = readFileSync(path);
    expect(text.includes('blocked using ')).toBe(true);
    expect(text.includes('Message-ID: <')).toBe(true);
  });

  it('has the files of its ISP beside it, and the truth about everybody', () => {
    const file = (ending: string) => readFileSync(path.replace('.pcap', ending), 'utf8');
    expect(file('.yaml')).toContain('servers: demo-servers.csv');
    const servers = file('-servers.csv');
    for (const address of [...demoPeople.registered, demoPeople.newsletter, demoPeople.openRelay]) {
      expect(servers).toContain(`${address}/32,`);
    }
    for (const address of [demoPeople.unregistered, demoPeople.hobby, ...demoPeople.bots]) {
      expect(servers).not.toContain(address);
    }
    const truth = file('-truth.ndjson').trim().split('\n');
    const sources = truth.map((line) => JSON.parse(line)).filter((line) => line.source);
    const guilty = sources.filter(({ guilt }) => guilt !== null).map(({ source }) => source);
    const { bots, slowBot, hiddenBot, harvester, openRelay, guesser } = demoPeople;
    expect(guilty).toEqual(
      expect.arrayContaining([...bots, slowBot, hiddenBot, harvester, openRelay, guesser]),
    );
    const { registered, devices, unregistered } = demoPeople;
    for (const who of [...registered, ...devices, unregistered]) expect(guilty).not.toContain(who);
  });
});

interface Row {
  readonly src: string;
  readonly dst: string;
  readonly port: string;
  readonly flags: string;
  readonly tag: string;
  readonly outerTag: string;
  readonly ppp: string;
  readonly sni: string;
  readonly command: string;
  readonly code: string;
}

function rowsOf(path: string): Row[] {
  const names = ['ip.src', 'ipv6.src', 'ip.dst', 'ipv6.dst', 'tcp.dstport', 'tcp.flags', 'vlan.id'];
  const more = [
    'ieee8021ad.id',
    'pppoe.session_id',
    'tls.handshake.extensions_server_name',
    'smtp.req.command',
  ];
  return tshark(path, 'tcp', [...names, ...more, 'smtp.response.code']).map((cells) => ({
    src: cells[0]! || cells[1]!,
    dst: cells[2]! || cells[3]!,
    port: cells[4]!,
    flags: cells[5]!,
    tag: cells[6]!,
    outerTag: cells[7]!,
    ppp: cells[8]!,
    sni: cells[9]!,
    command: cells[10]!,
    code: cells[11]!,
  }));
}
