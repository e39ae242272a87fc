// Secrecy (design section 6): canaries in everything that people write to each other or log in
// with, whole, in pieces, behind losses and with one side missing; and then the search for them in
// every byte that the program writes.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dialogue, type Frame } from '../../bench/generate/conversation.js';
import { pcapHeader, pcapRecord } from '../../bench/generate/frame.js';
import { readRows } from '../../bench/generate/row-reader.js';
import { RowEncoder } from '../../bench/generate/rows.js';
import { openCapture } from '../../src/capture/open.js';
import { Engine } from '../../src/engine.js';
import { EveWriter } from '../../src/output/eve.js';
import { mailweir, program } from '../helper/program.js';
import { firstPort, runFrames, smallConfig } from '../helper/run.js';
import { chunked, connection, without } from '../helper/variations.js';
import { Canaries, LeakSearch, shapesOf } from './leaks.js';
import { plantedDialogues, quotingDialogues } from './plants.js';

const never = new Canaries(1);
const local = new Canaries(2);
const shown = new Canaries(3);
const texts = plantedDialogues({ never, local });
const quoting = quotingDialogues({ never, local });
const secrets = new LeakSearch(never.all);
const addresses = new LeakSearch(local.all);

const folder = mkdtempSync(join(tmpdir(), 'mailweir-secrecy-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

/** Every dialogue as a mirror may show it: whole, in pieces, with a loss, one side alone. */
function variants(): Frame[][] {
  const all: Frame[][] = [];
  const add = (make: (index: number) => Frame[]) => all.push(make(all.length));
  for (const text of [...texts, ...quoting]) {
    const whole = (index: number) => connection(text, {}, index);
    add(whole);
    for (const size of [1, 3, 7, 20]) add((index) => chunked(text, {}, index, size));
    for (const side of ['client', 'server'] as const) {
      add((index) => whole(index).filter(({ dir }) => dir === side));
    }
    const { length } = whole(0);
    for (let lost = 0; lost < length; lost++) add((index) => without(whole(index), lost));
    // It began before the capture did.
    const starts = quoting.includes(text) ? 12 : length;
    for (let from = 5; from < starts; from += 3) add((index) => whole(index).slice(from));
  }
  return all;
}

function captureOf(conversations: readonly Frame[][]): Buffer {
  const frames = conversations.flat().sort((a, b) => a.time - b.time);
  const records = frames.map(({ time, bytes }) => pcapRecord(time, bytes));
  return Buffer.concat([pcapHeader(), ...records]);
}

beforeAll(() => {
  expect(existsSync(program), 'dist is missing: npm run build').toBe(true);
  const all = variants();
  expect(all.length + firstPort).toBeLessThan(65_536);
  const capture = captureOf(all);
  writeFileSync(file('whole.pcap'), capture);
  writeFileSync(file('whole.pcap.gz'), gzipSync(capture, { level: 1 }));
  writeFileSync(file('cut.pcap'), capture.subarray(0, (capture.length >> 1) + 7));
  const corrupt = Buffer.from(capture);
  // Text where a record's length should be.
  corrupt.write(never.all[0]!.text, corrupt.length >> 2, 'latin1');
  corrupt.fill(0xff, corrupt.length >> 1, (corrupt.length >> 1) + 4000);
  writeFileSync(file('corrupt.pcap'), corrupt);
  writeFileSync(file('corrupt.pcap.gz'), gzipSync(corrupt, { level: 1 }).subarray(0, 100_000));
  writeFileSync(file('text.pcap'), never.all.map(({ text }) => text).join('\n'));
  writeFileSync(file('mail.yaml'), 'stats: { interval_s: 1 }\n');
  const control = dialogue(`
    S: 220 mx.example.net
    C: EHLO ${shown.at('HELO')}.example.org
    S: 250 ok
    C: MAIL FROM:<${shown.at('sender')}@example.org>
    S: 250 ok
    C: QUIT
    --`);
  writeFileSync(file('control.pcap'), captureOf([control.frames]));
});

describe('a control', () => {
  it('every shape of a canary is found', () => {
    const [{ place, text }] = never.all as [{ place: string; text: string }];
    for (const each of shapesOf(text)) {
      const output = Buffer.from(`{"event_type":"smtp","x":"${each}"}\n`, 'latin1');
      expect(secrets.find(output), each).toContainEqual(expect.stringContaining(place));
    }
    expect(secrets.find(Buffer.from('{"mail_from":"a@example.org"}'))).toEqual([]);
  });

  it('what events show by contract is found in each output that has events', () => {
    const words = ['--format', 'eve'];
    const path = file('control.ndjson');
    mailweir(['replay', file('control.pcap'), ...words, '--output', path]);
    const outputs = [
      mailweir(['replay', file('control.pcap'), ...words]).stdout,
      mailweir(['run', '--replay', file('control.pcap'), ...words]).stdout,
      readFileSync(path, 'utf8'),
    ];
    for (const output of outputs) {
      const found = new LeakSearch(shown.all).find(Buffer.from(output));
      expect(found).toEqual(['HELO: as it is', 'sender: as it is']);
    }
  });

  it('there are canaries for every kind of secret', () => {
    expect(never.all.length).toBeGreaterThan(300);
    expect(local.all.length).toBeGreaterThan(50);
  });
});

/** Status and everything that a run wrote. */
function everything(words: readonly string[], input: Buffer | string = ''): [number, Buffer] {
  const path = file('output');
  rmSync(path, { force: true });
  const { status, stdout, stderr } = mailweir(
    words.map((word) => (word === 'OUTPUT' ? path : word)),
    input,
  );
  const written = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  return [status ?? -1, Buffer.concat([Buffer.from(stdout), Buffer.from(stderr), written])];
}

const eve = ['--format', 'eve'];
const commands: [string, string[], number][] = [
  ['summary', ['replay', 'whole.pcap'], 0],
  ['summary of compressed', ['replay', 'whole.pcap.gz'], 0],
  ['events', ['replay', 'whole.pcap', ...eve], 0],
  ['events on any port', ['replay', 'whole.pcap', ...eve, '--ports', 'any'], 0],
  ['events of ports that see nothing', ['replay', 'whole.pcap', ...eve, '--ports', '2525'], 0],
  ['events with --debug', ['replay', 'whole.pcap', ...eve, '--debug'], 0],
  ['events into a file', ['replay', 'whole.pcap', ...eve, '--output', 'OUTPUT'], 0],
  ['summary into a file', ['replay', 'whole.pcap', '--output', 'OUTPUT'], 0],
  ['a cut capture', ['replay', 'cut.pcap', ...eve, '--debug'], 1],
  ['a corrupt capture', ['replay', 'corrupt.pcap', ...eve, '--debug'], 1],
  ['a corrupt compressed capture', ['replay', 'corrupt.pcap.gz', '--debug'], 1],
  ['no capture at all', ['replay', 'text.pcap', '--debug'], 1],
  ['the daemon', ['run', '--replay', 'whole.pcap', ...eve, '--config', 'mail.yaml'], 0],
  ['the daemon with --clear', ['run', '--replay', 'whole.pcap', ...eve, '--clear'], 0],
  ['the daemon with --debug', ['run', '--replay', 'whole.pcap', ...eve, '--debug'], 0],
  ['the daemon without a format', ['run', '--replay', 'whole.pcap', '--debug'], 0],
  ['the daemon into a file', ['run', '--replay', 'whole.pcap', ...eve, '--output', 'OUTPUT'], 0],
  ['the daemon, cut', ['run', '--replay', 'cut.pcap', ...eve, '--debug'], 1],
  ['the daemon, no capture', ['run', '--replay', 'text.pcap', '--debug'], 1],
];

describe('no output shows what was never to be shown', () => {
  it.each(commands)('%s', (_, words, status) => {
    const known = words.map((word) => (/\.(pcap|gz|yaml)$/.test(word) ? file(word) : word));
    const [ended, output] = everything(known);
    expect(ended).toBe(status);
    expect(output.length).toBeGreaterThan(50);
    expect(secrets.find(output)).toEqual([]);
  });

  it('standard input that is no capture', () => {
    const [status, output] = everything(
      ['replay', '-', '--debug'],
      readFileSync(file('text.pcap')),
    );
    expect(status).toBe(1);
    expect(secrets.find(output)).toEqual([]);
  });
});

describe('rows with facts', () => {
  const areas: Buffer[] = [];
  /** The same rows without the mailboxes: their hashes are all that is left of them. */
  const hashes: Buffer[] = [];
  const bare = new RowEncoder(null, {
    rows: (area, length) => void hashes.push(Buffer.from(area.slice(0, length))),
  });

  beforeAll(async () => {
    // An area is looked at whole: what earlier rows left behind the last one, too.
    const rows = (area: ArrayBuffer, length: number) => {
      areas.push(Buffer.from(area.slice(0)));
      for (const row of readRows(area, length)) {
        if (row.kind !== 'transaction') continue;
        expect(row.facts).toBe(true);
        const rcpts = row.rcpts.map((rcpt) => ({ ...rcpt, address: null }));
        bare.row({ ...row, mailFrom: null, rcpts });
      }
    };
    const config = smallConfig('any', 256 * 1024 * 1024);
    const engine = new Engine(config, { rows }, { factsKey: Buffer.alloc(16, 7) });
    const source = openCapture(file('whole.pcap'));
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      engine.feed(batch);
    }
    engine.finish();
    bare.flush();
  });

  it('hold no secret, and mailboxes only where rows list them', () => {
    expect(secrets.find(Buffer.concat(areas))).toEqual([]);
    expect(Buffer.concat(hashes).length).toBeGreaterThan(100_000);
    expect(addresses.find(Buffer.concat(hashes))).toEqual([]);
    // The control: the search finds what the rows do list.
    expect(addresses.find(Buffer.concat(areas)).length).toBeGreaterThan(10);
  });
});

it('a capture that begins inside a message which quotes a dialogue', () => {
  const conversations: Frame[][] = [];
  for (const text of quoting) {
    const { length } = connection(text, {}, 0);
    for (let from = 12; from < length; from++) {
      conversations.push(connection(text, {}, conversations.length).slice(from));
    }
  }
  const { smtp, sessions } = runFrames(conversations.flat().sort((a, b) => a.time - b.time));
  expect(sessions.length).toBeGreaterThan(quoting.length * 4);
  expect(secrets.find(Buffer.from(JSON.stringify({ smtp, sessions })))).toEqual([]);
});

describe('local parts', () => {
  it("are shown where the capture is the operator's", () => {
    const [, output] = everything(['replay', file('whole.pcap'), ...eve]);
    // Recipients out of order belong to no transaction.
    const places = new Set(addresses.find(output).map((each) => each.split(':')[0]));
    expect([...places]).toEqual(expect.arrayContaining(['sender', 'recipient', 'no brackets']));
  });

  it('are not in the summary', () => {
    const [, output] = everything(['replay', file('whole.pcap')]);
    expect(addresses.find(output)).toEqual([]);
  });

  it('are hashes in the events of a live tap', async () => {
    const parts: Buffer[] = [];
    const write = (bytes: Buffer, length: number) =>
      void parts.push(Buffer.from(bytes.subarray(0, length)));
    const engine = new Engine(
      smallConfig('any', 256 * 1024 * 1024),
      new EveWriter({ write }, { clear: false, sensor: undefined }),
    );
    const source = openCapture(file('whole.pcap'));
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      engine.feed(batch);
    }
    engine.finish();
    expect(engine.stats().transactions).toBeGreaterThan(1000);
    const output = Buffer.concat(parts);
    expect(output.includes('~')).toBe(true);
    expect([...secrets.find(output), ...addresses.find(output)]).toEqual([]);
  });
});
