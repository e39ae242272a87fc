// `mailweir run` over a file as if it were live: pace, looping, figures, signals. What needs an
// interface is tested with the capture sources.

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dialogue, pcapOf } from '../../bench/generate/conversation.js';
import { Daemon, eventsIn, mailweir } from '../helper/program.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-run-'));
afterAll(() => rmSync(folder, { recursive: true }));
const capture = join(folder, 'one.pcap');
const quick = join(folder, 'quick.yaml');

beforeAll(() => {
  const text = `
    S: 220 mx.example.net ESMTP
    C: HELO client.example.org
    S: 250 ok
    C: MAIL FROM:<canary@example.org>
    S: 250 ok
    C: RCPT TO:<b@example.net>
    S: 550 no
    C: QUIT
    S: 221 bye
    --`;
  writeFileSync(capture, pcapOf([dialogue(text, { start: 1_700_000_000_000_000, rtt: 200_000 })]));
  writeFileSync(quick, 'stats: { interval_s: 1 }\n');
});

const daemons: Daemon[] = [];
afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.end('SIGKILL');
});

function start(words: readonly string[]): Daemon {
  const daemon = new Daemon(['run', ...words]);
  daemons.push(daemon);
  return daemon;
}

const times = (text: string, kind: string): number =>
  text.split(`"event_type":"${kind}"`).length - 1;

describe('a file', () => {
  it('is read once and ends with the figures', () => {
    const { status, stdout } = mailweir(['run', '--replay', capture, '--format', 'eve']);
    expect(status).toBe(0);
    const kinds = eventsIn(stdout).map((event) => event['event_type']);
    expect(kinds).toEqual(['smtp', 'smtp_session', 'stats']);
    // The operator gave the file: addresses are clear.
    expect(stdout).toContain('canary@example.org');
  });

  it('with no format writes nothing to standard output', () => {
    const { status, stdout, stderr } = mailweir(['run', '--replay', capture]);
    expect([status, stdout]).toEqual([0, '']);
    expect(eventsIn(stderr).map(({ msg }) => msg)).toEqual(['started', 'figures', 'stopped']);
  });

  it('at a speed takes its time', () => {
    const began = performance.now();
    // 2 s of traffic at 4 times real time.
    const { stdout } = mailweir(['run', '--replay', capture, '--speed', '4', '--format', 'eve']);
    const took = performance.now() - began;
    expect(times(stdout, 'smtp')).toBe(1);
    const last = eventsIn(stdout).at(-1)!;
    const length = Date.parse(String(last['timestamp'])) - 1_700_000_000_000;
    expect(length).toBeGreaterThan(1000);
    expect(took).toBeGreaterThan(length / 4);
  });

  it('that is not there is exit 1 and one line', () => {
    const { status, stderr } = mailweir(['run', '--replay', join(folder, 'none.pcap')]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^mailweir: [^\n]*none\.pcap: no such file[^\n]*$/m);
  });

  it('that is truncated is said at the end and is exit 1', () => {
    const path = join(folder, 'cut.pcap');
    const bytes = readFileSync(capture);
    writeFileSync(path, bytes.subarray(0, bytes.length - 10));
    const { status, stdout, stderr } = mailweir(['run', '--replay', path, '--format', 'eve']);
    expect([status, times(stdout, 'stats')]).toEqual([1, 1]);
    expect(stderr).toMatch(/^mailweir: [^\n]*cut\.pcap: truncated[^\n]*$/m);
  });
});

describe('a loop', () => {
  it('goes on with a time that never runs backwards, each round for itself', async () => {
    const daemon = start(['--replay', capture, '--loop', '--format', 'eve']);
    await daemon.until(() => times(daemon.stdout, 'smtp_session') > 20);
    expect(await daemon.end()).toBe(0);
    const events = eventsIn(daemon.stdout).filter((event) => event['event_type'] === 'smtp');
    const stamps = events.map((event) => String(event['timestamp']));
    expect(stamps).toEqual([...stamps].sort());
    expect(new Set(events.map((event) => event['flow_id'])).size).toBe(events.length);
    for (const event of events) {
      expect(event).toMatchObject({ gaps: 0, sides: 'both', smtp: { outcome: 'rejected' } });
    }
  });

  it('of an empty capture ends', () => {
    const path = join(folder, 'empty.pcap');
    writeFileSync(path, pcapOf([]));
    const { status } = mailweir(['run', '--replay', path, '--loop']);
    expect(status).toBe(0);
  });
});

describe('signals', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends it cleanly with a last stats event',
    async (signal) => {
      const words = ['--replay', capture, '--speed', '0.01', '--format', 'eve'];
      const daemon = start([...words, '--config', quick]);
      await daemon.until(() => times(daemon.stdout, 'stats') >= 2);
      const before = times(daemon.stdout, 'stats');
      expect(await daemon.end(signal)).toBe(0);
      expect(times(daemon.stdout, 'stats')).toBeGreaterThan(before);
      expect(eventsIn(daemon.stdout).at(-1)!['event_type']).toBe('stats');
    },
  );

  it('SIGHUP opens the output again', async () => {
    const path = join(folder, 'events.ndjson');
    const words = ['--replay', capture, '--loop', '--speed', '20', '--format', 'eve'];
    const daemon = start([...words, '--output', path]);
    const holds = (file: string) =>
      existsSync(file) && times(readFileSync(file, 'utf8'), 'smtp') > 0;
    await daemon.until(() => holds(path));
    renameSync(path, `${path}.1`);
    daemon.child.kill('SIGHUP');
    await daemon.until(() => holds(path));
    expect(await daemon.end()).toBe(0);
    const all = readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8');
    expect(eventsIn(all).at(-1)!['event_type']).toBe('stats');
    expect(daemon.stdout).toBe('');
  });

  it('a reader that stops reading does not make it deaf', async () => {
    const daemon = start(['--replay', capture, '--loop', '--format', 'eve']);
    await daemon.until(() => daemon.stdout !== '');
    daemon.child.stdout.pause();
    await new Promise((resume) => setTimeout(resume, 1000));
    const exit = new Promise((resume) => daemon.child.once('exit', resume));
    const asked = performance.now();
    daemon.child.kill('SIGTERM');
    // It waits two seconds for the reader to come back, which it does not.
    expect(await exit).toBe(0);
    expect(performance.now() - asked).toBeLessThan(5000);
    expect(daemon.stderr).not.toContain('mailweir:');
  });

  it('a reader that goes away ends it quietly', async () => {
    const daemon = start(['--replay', capture, '--loop', '--format', 'eve']);
    await daemon.until(() => daemon.stdout !== '');
    const exit = new Promise((resume) => daemon.child.once('exit', resume));
    daemon.child.stdout.destroy();
    expect(await exit).toBe(0);
    expect(daemon.stderr).not.toContain('mailweir:');
  });
});
