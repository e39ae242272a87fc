// `mailweir replay` as a user calls it: words, files good and bad, exit status, what goes where.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Conversation, dialogue, pcapOf } from '../../bench/generate/conversation.js';
import { eventsIn, mailweir, program } from '../helper/program.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-replay-'));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (name: string): string => join(folder, name);

const start = 1_700_000_000_000_000;

/** One delivered message. */
function delivery(clientPort: number, serverPort = 25): Conversation {
  const text = `
    S: 220 mx.example.net ESMTP
    C: EHLO client.example.org
    S: 250 mx.example.net
    C: MAIL FROM:<a${clientPort}@example.org>
    S: 250 ok
    C: RCPT TO:<b@example.net>
    S: 250 ok
    C: DATA
    S: 354 go on
    C: Subject: hello

    C: text
    C: .
    S: 250 taken
    C: QUIT
    S: 221 bye
    --`;
  return dialogue(text, { clientPort, serverPort, start: start + clientPort * 1000 });
}

const capture = pcapOf([delivery(1001), delivery(1002)]);

beforeAll(() => {
  writeFileSync(place('two.pcap'), capture);
  writeFileSync(place('two.pcap.gz'), gzipSync(capture));
  writeFileSync(place('cut.pcap'), capture.subarray(0, capture.length - 30));
  writeFileSync(place('text.pcap'), 'this is no capture');
  writeFileSync(place('other.pcap'), pcapOf([delivery(1003, 2600)]));
});

function kinds(text: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const event of eventsIn(text)) {
    const kind = String(event['event_type']);
    found[kind] = (found[kind] ?? 0) + 1;
  }
  return found;
}

describe('formats', () => {
  it('summary is for people', () => {
    const { status, stdout, stderr } = mailweir(['replay', place('two.pcap')]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Read\n/);
    expect(stdout).toMatch(/accepted +2 +100 %/);
    expect(stdout).not.toContain('\x1b');
  });

  it('eve ends with the figures', () => {
    const { status, stdout } = mailweir(['replay', place('two.pcap'), '--format', 'eve']);
    expect(status).toBe(0);
    expect(kinds(stdout)).toEqual({ smtp: 2, smtp_session: 2, stats: 1 });
    const last = eventsIn(stdout).at(-1)!;
    expect(last['event_type']).toBe('stats');
    expect(last['stats']).toMatchObject({ sessions: 2, transactions: 2, kernel_drops: 0 });
    expect(stdout).toContain('a1001@example.org');
  });

  it('--output takes the place of standard output', () => {
    const path = place('out.ndjson');
    writeFileSync(path, 'old');
    const ended = mailweir(['replay', place('two.pcap'), '--format', 'eve', '--output', path]);
    expect(ended).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(kinds(readFileSync(path, 'utf8'))).toEqual({ smtp: 2, smtp_session: 2, stats: 1 });
  });
});

describe('input', () => {
  const events = (words: readonly string[], input?: Buffer): string[] => {
    const { stdout } = mailweir(['replay', ...words, '--format', 'eve'], input);
    return stdout.split('\n').filter((line) => line.includes('"event_type":"smtp"'));
  };

  it('compressed and piped captures give the same events', () => {
    const plain = events([place('two.pcap')]);
    expect(plain).toHaveLength(2);
    expect(events([place('two.pcap.gz')])).toEqual(plain);
    expect(events(['-'], capture)).toEqual(plain);
  });

  it('any number of workers gives the same bytes', () => {
    const words = ['replay', place('two.pcap'), '--format', 'eve'];
    const lines = (text: string) => text.split('\n').slice(0, -2);
    const one = lines(mailweir(words).stdout);
    expect(lines(mailweir([...words, '--workers', '4']).stdout)).toEqual(one);
  });

  it('several files are one stream: a session goes on in the next', () => {
    const frames = delivery(1005).frames;
    const half = frames.length >> 1;
    const parts = [frames.slice(0, half), frames.slice(half)];
    const paths = parts.map((part, at) => {
      const path = place(`part${at}.pcap`);
      writeFileSync(path, pcapOf([{ frames: part } as unknown as Conversation]));
      return path;
    });
    const { stdout } = mailweir(['replay', ...paths, '--format', 'eve']);
    expect(kinds(stdout)).toEqual({ smtp: 1, smtp_session: 1, stats: 1 });
    expect(eventsIn(stdout)[0]).toMatchObject({ gaps: 0, smtp: { outcome: 'accepted' } });
  });

  it('--ports says where mail is', () => {
    const path = place('other.pcap');
    expect(events([path])).toHaveLength(0);
    expect(events([path, '--ports', '25,2600'])).toHaveLength(1);
    expect(events([path, '--ports', 'any'])).toHaveLength(1);
    expect(mailweir(['replay', path]).stdout).toContain('--ports any');
  });

  it('--config is read', () => {
    writeFileSync(place('ports.yaml'), 'sensor: tap-9\ncapture: { ports: [2600] }\n');
    const found = events([place('other.pcap'), '--config', place('ports.yaml')]);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('"sensor":"tap-9"');
  });
});

describe('what goes wrong', () => {
  it('a truncated capture is processed as far as it goes', () => {
    const { status, stdout, stderr } = mailweir(['replay', place('cut.pcap'), '--format', 'eve']);
    expect(status).toBe(1);
    expect(kinds(stdout)['smtp']).toBe(2);
    expect(stderr).toMatch(
      /^mailweir: [^\n]*cut\.pcap: truncated[^\n]*byte \d+[^\n]*packet \d+[^\n]*\n$/,
    );
  });

  it.each([
    ['nowhere.pcap', 'no such file'],
    ['text.pcap', 'not a pcap'],
  ])('%s is reported and the others are processed', (name, reason) => {
    const words = ['replay', place(name), place('two.pcap'), '--format', 'eve'];
    const { status, stdout, stderr } = mailweir(words);
    expect(status).toBe(1);
    expect(kinds(stdout)).toEqual({ smtp: 2, smtp_session: 2, stats: 1 });
    expect(stderr).toMatch(new RegExp(`^mailweir: [^\\n]*${name}: [^\\n]*${reason}[^\\n]*\\n$`));
  });

  it('an output that cannot be written', () => {
    const path = place('none/out');
    const { status, stderr } = mailweir(['replay', place('two.pcap'), '--output', path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^mailweir: [^\n]*none\/out: [^\n]*ENOENT[^\n]*\n$/);
  });

  it('a configuration with a mistake, with its place', () => {
    writeFileSync(place('bad.yaml'), 'flow:\n  memory: 1\n');
    const words = ['replay', place('two.pcap'), '--config', place('bad.yaml')];
    const { status, stdout, stderr } = mailweir(words);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^mailweir: [^\n]*bad\.yaml:2:3 flow\.memory: there is no such key\n$/);
  });

  it('a reader that goes away ends it quietly', async () => {
    const many = Array.from({ length: 3000 }, (_, at) => delivery(2000 + at));
    writeFileSync(place('many.pcap'), pcapOf(many));
    const words = [program, 'replay', place('many.pcap'), '--format', 'eve'];
    const child = spawn(process.execPath, words);
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    await once(child, 'exit');
    expect([child.exitCode, stderr]).toEqual([0, '']);
  });
});

describe('wrong words', () => {
  it.each([
    [['replay'], 'missing required argument'],
    [['replay', 'x', '--prots', '25'], "unknown option '--prots'"],
    [['replay', 'x', '--ports', '0'], '--ports "0"'],
    [['replay', 'x', '--ports', '25,,26'], '--ports "25,,26"'],
    [['replay', 'x', '--format', 'json'], '--format "json"'],
    [['replay', 'x', '--workers', '0'], '--workers "0"'],
    [['replay', 'x', '--workers', '1.5'], '--workers "1.5"'],
    [['rerun'], "unknown command 'rerun'"],
    [['run'], 'nothing to listen on'],
    [['run', '--replay', 'x', '--interface', 'y'], 'give one of them'],
    [['run', '--interface', 'y', '--loop'], 'need --replay'],
    [['run', '--replay', '-', '--loop'], 'cannot be read twice'],
    [['run', '--replay', 'x', '--speed', '0'], '--speed "0"'],
    [['run', '--replay', 'x', '--output', 'y'], '--format eve'],
  ])('%j is exit 2 and one line', (words, says) => {
    const { status, stdout, stderr } = mailweir(words);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^mailweir: [^\n]*\n$/);
    expect(stderr).toContain(says);
  });

  it('none at all shows the help and is exit 2', () => {
    const { status, stdout, stderr } = mailweir([]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Usage: mailweir');
  });

  it('--help names every option and is exit 0', () => {
    const replay = mailweir(['replay', '--help']);
    expect(replay).toMatchObject({ status: 0, stderr: '' });
    for (const option of ['config', 'ports', 'workers', 'format', 'output', 'debug']) {
      expect(replay.stdout).toContain(`--${option}`);
    }
    const run = mailweir(['run', '--help']).stdout;
    for (const option of ['interface', 'replay', 'loop', 'speed', 'format', 'clear', 'output']) {
      expect(run).toContain(`--${option}`);
    }
    expect(mailweir(['--help']).stdout).toMatch(/replay[^\n]*\n +run/);
    expect(mailweir(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
