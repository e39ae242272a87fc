// Frames through the whole line: dialogues and real captures, with frames lost, doubled, moved and
// changed, numbers and flags that lie, and a clock that jumps. An input is a pcap file.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Conversation } from '../../bench/generate/conversation.js';
import { Random } from '../../src/lib/random.js';
import { checkEvents } from './events.js';
import {
  batchesOf,
  type FuzzFrame,
  fileOf,
  fileOfParts,
  fileParts,
  framesIn,
  framesOf,
} from './frames.js';
import { type Events, Line, type LineOptions } from './line.js';
import { mutated, reordered } from './mutate.js';
import { clientTalk, sensible, serverTalk } from './talk.js';
import { pick, promise, type Target } from './target.js';

const captures = join(import.meta.dirname, '../../../../shared/captures/files');

const lines: readonly LineOptions[] = [
  { room: 'wide', anyPort: false, keyVlan: false, seed: 1, strict: false },
  { room: 'tight', anyPort: true, keyVlan: true, seed: 2, strict: false },
];

export const engineTarget: Target = {
  name: 'engine',
  extension: 'pcap',
  make(random) {
    const frames: FuzzFrame[] = random.chance(0.2) ? realFrames(random) : [];
    for (let n = frames.length > 0 ? random.below(2) : 1 + random.below(3); n > 0; n--) {
      frames.push(...(random.chance(0.8) ? known(random.below(400)) : conversation(random)));
    }
    frames.sort((a, b) => a.time - b.time);
    return fileOf(damaged(frames, random));
  },
  run(input) {
    const frames = framesOf(input);
    for (const options of lines) runLine(frames, options, 4096);
    if (frames.length % 4 > 0) return;
    // Another batch size and another hash give the same events.
    const other: LineOptions = { ...lines[0]!, seed: 99 };
    // Events are valid until the next run.
    const same = JSON.stringify(runLine(frames, other, 1));
    const first = JSON.stringify(runLine(frames, lines[0]!, 4096));
    promise(same === first, `two runs differ:\n${first}\n${same}`);
  },
  parts: fileParts,
  whole: fileOfParts,
};

function runLine(frames: readonly FuzzFrame[], options: LineOptions, most: number): Events {
  const line = new Line(options);
  const times = frames.map(({ time }) => time);
  for (const batch of batchesOf(frames, most)) line.feed(batch);
  const events = line.finish();
  if (options.keyVlan) return events;
  const disorder = times.some((time, index) => index > 0 && time < times[index - 1]!);
  checkEvents(events, { first: Math.min(...times), last: Math.max(...times), disorder });
  return events;
}

function realFrames(random: Random): FuzzFrame[] {
  if (!existsSync(captures)) return [];
  const frames = framesIn(join(captures, pick(random, readdirSync(captures).sort())));
  const from = random.below(Math.max(1, frames.length - 50));
  return frames.slice(from, from + 20 + random.below(200));
}

const made = new Map<number, FuzzFrame[]>();

/** Building a conversation costs more than running it: most inputs are made of a few hundred. */
function known(index: number): FuzzFrame[] {
  const frames = made.get(index) ?? conversation(new Random(index));
  made.set(index, frames);
  return frames;
}

const vlans = [[], [], [], [7], [7, 8], [1, 2, 3]];

function conversation(random: Random): FuzzFrame[] {
  const v6 = random.chance(0.2);
  const c = new Conversation({
    ...(v6 ? { client: '2001:db8::1' } : {}),
    clientPort: 40_000 + random.below(3),
    serverPort: pick(random, [25, 25, 25, 587, 465, 8025]),
    start: 1_700_000_000_000_000 + random.below(3_000_000),
    rtt: pick(random, [200, 20_000, 400_000]),
    mss: pick(random, [1460, 1460, 536, 40, 5]),
    vlan: pick(random, vlans),
    clientIsn: random.chance(0.3) ? 0xffffffff - random.below(300) : 0x10000000,
    serverIsn: random.chance(0.3) ? 0x7fffffff - random.below(300) : 0x70000000,
  });
  if (random.chance(0.8)) c.handshake();
  const turns = random.chance(0.6) ? sensible(random) : madeUp(random);
  for (const [side, bytes] of turns) {
    if (random.chance(0.02)) c.wait(random.below(2) * 700e6 + random.below(1e6));
    c[side === 'c' ? 'client' : 'server'](bytes);
  }
  if (random.chance(0.7)) c.fin(pick(random, ['client', 'server'] as const));
  else if (random.chance(0.5)) c.rst(pick(random, ['client', 'server'] as const));
  if (random.chance(0.1)) c.client('late\r\n').server('250 late\r\n');
  return c.frames.map(({ time, bytes }) => ({ time, bytes, wireLength: bytes.length, link: 1 }));
}

function madeUp(random: Random): ['c' | 's', Buffer][] {
  const turns = Array.from({ length: random.below(20) }, (): ['c' | 's', Buffer] => {
    return random.chance(0.5) ? ['c', clientTalk(random)] : ['s', serverTalk(random)];
  });
  return [['s', Buffer.from('220 mx ESMTP\r\n')], ...turns];
}

/** The frames as a bad mirror would show them, and worse. */
function damaged(frames: readonly FuzzFrame[], random: Random): FuzzFrame[] {
  const harm = pick(random, [0, 0.02, 0.02, 0.2]);
  const moved = random.chance(0.7) ? reordered(frames, random) : [...frames];
  // A mirror gives frames in another order, and its clock goes on all the same.
  const clocks = random.chance(0.8) ? moved.map(({ time }) => time).sort((a, b) => a - b) : null;
  let shift = 0;
  return moved.map((frame, index) => {
    if (random.chance(harm / 10)) shift += pick(random, [-1e6, 1e3, 20e6, 700e6, 5000e6, -5000e6]);
    let { bytes } = frame;
    if (random.chance(harm))
      bytes = random.chance(0.6) ? lying(bytes, random) : mutated(bytes, random);
    const cut = random.chance(harm / 4) ? random.below(bytes.length + 1) : bytes.length;
    const more = random.chance(harm / 8) ? pick(random, [1, 1000, 0x7fffffff - bytes.length]) : 0;
    const time = Math.max(0, Math.floor((clocks?.[index] ?? frame.time) + shift));
    return {
      time,
      bytes: bytes.subarray(0, cut),
      wireLength: bytes.length + more,
      link: frame.link,
    };
  });
}

const distances = [1, -1, 100, -100, 1460, 70_000, 1 << 25, 1 << 30, -(1 << 30), 0x7fffffff];

/** Another number or flag in the TCP header, where it stands behind Ethernet and plain IPv4. */
function lying(bytes: Buffer, random: Random): Buffer {
  const at = 34;
  if (bytes.length < at + 20 || bytes.readUInt16BE(12) !== 0x0800) return mutated(bytes, random);
  const copy = Buffer.from(bytes);
  const field = at + pick(random, [4, 8, 4, 8, 13, 12]);
  if (field === at + 13) copy[field] = random.below(64);
  else if (field === at + 12) copy[field] = random.below(256);
  else copy.writeInt32BE((copy.readInt32BE(field) + pick(random, distances)) | 0, field);
  return copy;
}
