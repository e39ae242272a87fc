// Real captures against their truth: every fact, then each packet lost in turn, then one side only.
// They are not ours and not in the tree; where they are absent nothing here runs, and it says so.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/lib/random.js';
import {
  type Capture,
  type CapturedFrame,
  capturesFolder,
  framesOf,
  isOnlyCopy,
  type Message,
  realCaptures,
  type Stream,
} from '../helper/captures.js';
import { violations } from '../helper/invariants.js';
import { program } from '../helper/program.js';
import { type Result, runFrames, type SmtpEvent, smallConfig } from '../helper/run.js';

const captures = realCaptures();
const config = smallConfig('any');
/** Captures with more packets lose a sample of them, one at a time. */
const packetsMax = 120;
const sample = 60;

const run = (frames: readonly CapturedFrame[]): Result => runFrames(frames, config);

it.runIf(captures.length > 0)(
  'every fact of the truth, and nothing invented',
  { timeout: 120_000 },
  () => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [
        join(capturesFolder, 'compare.mjs'),
        ...['--verbose', '--mailweir', `${process.execPath} ${program}`],
        join(capturesFolder, 'index.json'),
      ],
      { encoding: 'utf8', maxBuffer: 1 << 26 },
    );
    const line =
      /(\d+) captures, (\d+) of (\d+) facts agree, (\d+) invented .*, (\d+) failed reads/;
    const [, files, agree, facts, invented, failed] = line.exec(stdout) ?? [stdout + stderr];
    expect(Number(facts), stdout).toBeGreaterThan(600);
    expect({ files, agree, invented, failed }, stdout).toEqual({
      files: String(captures.length),
      agree: facts,
      invented: '0',
      failed: '0',
    });
  },
);

describe.each(captures.map((capture) => [capture.file, capture] as const))('%s', (_, capture) => {
  it('each packet lost', async () => {
    const frames = await framesOf(capture);
    const clean = run(frames).smtp;
    const found = candidates(capture, frames).flatMap((at) => {
      const left = frames.filter((_, i) => i !== at);
      const claims = frames[at]!.dir === 'server' ? nested[capture.file] : undefined;
      const loss = {
        times: [frames[at]!.time],
        bytes: isProvable(frames, at) && !capture.truth.some(isUnsure),
        ...(claims === undefined ? {} : { claims }),
      };
      return violations(clean, run(left).smtp, loss).map((what) => `without frame ${at}: ${what}`);
    });
    expect(found).toEqual([]);
  });

  it('the client alone', async () => {
    const frames = await framesOf(capture);
    const { smtp } = run(frames.filter(({ dir }) => dir === 'client'));
    for (const stream of capture.truth) {
      const events = ofStream(smtp, stream).filter(
        ({ smtp }) => typeof smtp.mail_from === 'string',
      );
      for (const event of events) {
        expect(event).toMatchObject({ smtp: { outcome: 'unknown' }, sides: 'client' });
      }
      if (isUnsure(stream)) continue;
      const got = events.map((event) => envelope(event.smtp));
      const wanted = clientTruth[capture.file] ?? stream.messages.filter(hasSender).map(envelope);
      expect(got).toEqual(wanted);
    }
  });

  it('the server alone', async () => {
    const frames = await framesOf(capture);
    const { smtp } = run(frames.filter(({ dir }) => dir === 'server'));
    for (const stream of capture.truth) {
      const events = ofStream(smtp, stream);
      for (const event of events) {
        expect(event).toMatchObject({ smtp: { mail_from: null }, sides: 'server' });
      }
      if (isUnsure(stream)) continue;
      const got = events.filter((event) => event.smtp.data_code === 354);
      const wanted = stream.messages.filter((message) => message.codes.DATA === 354);
      expect(got.map((event) => event.smtp.final_code)).toEqual(
        wanted.map(({ codes }) => {
          return typeof codes.end_of_data === 'number' ? codes.end_of_data : undefined;
        }),
      );
    }
  });
});

/** Nested MAIL commands, refused in the truth: without the refusal they cannot be told. */
const nested: Readonly<Record<string, readonly string[]>> = {
  'suricata-verify__fw__ruletype-firewall-132-smtp-nested-mail-from__smtp-nested-mail.pcap': [
    'bob@example.com',
  ],
};

/** Where the client's words alone say something else than the truth, and why. */
const clientTruth: Readonly<Record<string, readonly unknown[]>> = {
  // The nested MAIL was refused, which only the server says.
  'suricata-verify__fw__ruletype-firewall-132-smtp-nested-mail-from__smtp-nested-mail.pcap': [
    ['alice@example.com', []],
    ['bob@example.com', ['bob@example.com']],
  ],
  // So was the EHLO in the middle of the envelope.
  'suricata-verify__smtp-rejected-ehlo-preserves-envelope.pcap': [['alice@example.com', []]],
};

function candidates(capture: Capture, frames: readonly CapturedFrame[]): number[] {
  const own = frames.flatMap(({ stream }, at) => (stream >= 0 ? [at] : []));
  if (frames.length < packetsMax) return own;
  const random = new Random(capture.packets);
  return own.length <= sample
    ? own
    : Array.from({ length: sample }, () => own[random.below(own.length)]!);
}

/**
 * Whether what is left can tell that bytes are missing: no copy of them is there, and something
 * follows. Copies that contradict each other leave it open what the loss of one of them means.
 */
function isProvable(frames: readonly CapturedFrame[], at: number): boolean {
  const follows = frames.slice(at + 1).some(({ stream }) => stream === frames[at]!.stream);
  return follows && isOnlyCopy(frames, at);
}

function ofStream(events: readonly SmtpEvent[], { client, server }: Stream): SmtpEvent[] {
  return events.filter((event) => {
    return event.src_port === client.port && event.dest_port === server.port;
  });
}

function isUnsure(stream: Stream): boolean {
  const inside = stream.features.some((feature) => feature.startsWith('SMTP inside'));
  return inside || /low|ambiguous/.test(stream.confidence ?? '');
}

function hasSender(message: Message): boolean {
  return typeof message.mail_from === 'string';
}

function envelope(of: { mail_from?: string | null; rcpt_to: readonly (string | null)[] }): unknown {
  return [of.mail_from, of.rcpt_to];
}
