// What a mirror port may do to one conversation: other cuts, a packet lost, swapped, doubled, one
// side only. All variants of a conversation are built with client ports that follow each other.

import {
  Conversation,
  type ConversationOptions,
  dialogue,
  type Frame,
  type Side,
} from '../../bench/generate/conversation.js';
import { Flag } from '../../bench/generate/frame.js';
import { Random } from '../../src/lib/random.js';
import { firstPort } from './run.js';

/** One step of a conversation: bytes of a side, or a packet without any. */
interface Step {
  readonly side: Side;
  readonly flags: number;
  bytes: Buffer;
}

const ethernetBytes = 14;
const ipBytes = 20;

/** Payload and flags of a frame that `dialogue` made with its default link and addresses. */
export function segmentOf(frame: Frame): { flags: number; payload: Buffer } {
  const at = ethernetBytes + ipBytes;
  const header = (frame.bytes[at + 12]! >> 4) * 4;
  const end = ethernetBytes + frame.bytes.readUInt16BE(ethernetBytes + 2);
  return { flags: frame.bytes[at + 13]!, payload: frame.bytes.subarray(at + header, end) };
}

export function hasPayload(frame: Frame): boolean {
  return segmentOf(frame).payload.length > 0;
}

/** The same dialogue as connection number `index` of an engine. */
export function connection(text: string, options: ConversationOptions, index: number): Frame[] {
  return dialogue(text, { ...options, clientPort: firstPort + index }).frames;
}

/** Runs of one direction become chunks of `size`. */
export function chunked(
  text: string,
  options: ConversationOptions,
  index: number,
  size: number,
): Frame[] {
  return rebuilt(text, options, index, () => size);
}

/** Runs of one direction are cut at random. */
export function cutAtRandom(
  text: string,
  options: ConversationOptions,
  index: number,
  seed: number,
): Frame[] {
  const random = new Random(seed);
  const mean = 1 + random.below(80);
  return rebuilt(text, options, index, () => 1 + random.below(2 * mean));
}

function rebuilt(
  text: string,
  options: ConversationOptions,
  index: number,
  length: () => number,
): Frame[] {
  const c = new Conversation({ ...options, clientPort: firstPort + index });
  if (options.handshake !== false) c.handshake();
  for (const step of stepsOf(dialogue(text, options).frames)) {
    if ((step.flags & Flag.rst) !== 0) c.rst(step.side);
    else if ((step.flags & Flag.fin) !== 0) c.fin(step.side);
    else {
      const segments: number[] = [];
      for (let left = step.bytes.length; left > 0; left -= segments.at(-1)!) {
        segments.push(Math.min(left, length()));
      }
      c[step.side](step.bytes, { segments });
    }
  }
  return c.frames;
}

/** Neighbouring segments of a side are one step; pure acknowledgements are made anew. */
function stepsOf(frames: readonly Frame[]): Step[] {
  const steps: Step[] = [];
  let closed = false;
  for (const frame of frames) {
    const { flags, payload } = segmentOf(frame);
    const last = steps.at(-1);
    if (payload.length > 0) {
      const same = last !== undefined && last.side === frame.dir && last.bytes.length > 0;
      if (same) last.bytes = Buffer.concat([last.bytes, payload]);
      else steps.push({ side: frame.dir, flags, bytes: payload });
    } else if (!closed && (flags & (Flag.fin | Flag.rst)) !== 0) {
      closed = true;
      steps.push({ side: frame.dir, flags, bytes: payload });
    }
  }
  return steps;
}

/** Without frame `lost`. */
export function without(frames: readonly Frame[], lost: number): Frame[] {
  return frames.filter((_, i) => i !== lost);
}

/** Frame `at` and the next arrive in each other's place. */
export function swapped(frames: readonly Frame[], at: number): Frame[] {
  const result = [...frames];
  const { time: first } = frames[at]!;
  const { time: second } = frames[at + 1]!;
  result[at] = { ...frames[at + 1]!, time: first };
  result[at + 1] = { ...frames[at]!, time: second };
  return result;
}

/** Frame `at` comes twice. */
export function doubled(frames: readonly Frame[], at: number): Frame[] {
  const frame = frames[at]!;
  return [...frames.slice(0, at + 1), { ...frame, time: frame.time + 1 }, ...frames.slice(at + 1)];
}

export function only(frames: readonly Frame[], side: Side): Frame[] {
  return frames.filter((frame) => frame.dir === side);
}
