// Mutations of bytes and of lists, seeded. They know nothing of formats beyond a liking for bytes
// and words that lengths and counters are made of.

import type { Random } from '../../src/lib/random.js';
import { pick } from './target.js';

const bytesLiked = [0, 1, 2, 10, 13, 32, 46, 0x16, 0x45, 0x7f, 0x80, 0xfe, 0xff];
const wordsLiked = [0, 1, 4, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** A copy with `times` changes, most of them small. It may be shorter or longer. */
export function mutated(bytes: Buffer, random: Random, times = 1 + random.below(4)): Buffer {
  let result: Buffer = Buffer.from(bytes);
  for (let n = 0; n < times && result.length > 0; n++) result = changed(result, random);
  return result;
}

// long: one case for each kind of change
function changed(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length);
  const length = 1 + random.below(Math.min(64, bytes.length - at));
  switch (random.below(9)) {
    case 0:
      bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[at] = pick(random, bytesLiked);
      return bytes;
    case 2:
      if (at + 4 <= bytes.length) bytes.writeUInt32LE(pick(random, wordsLiked), at);
      return bytes;
    case 3:
      if (at + 2 <= bytes.length) bytes.writeUInt16BE(pick(random, wordsLiked) & 0xffff, at);
      return bytes;
    case 4:
      return bytes.subarray(0, at);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 6: {
      const to = random.below(bytes.length);
      return Buffer.concat([
        bytes.subarray(0, to),
        bytes.subarray(at, at + length),
        bytes.subarray(to),
      ]);
    }
    case 7:
      for (let i = at; i < at + length; i++) bytes[i] = random.below(256);
      return bytes;
    default:
      bytes[at] = random.below(256);
      return bytes;
  }
}

/** A copy of a list with items lost, doubled, moved, or a stretch in another order. */
export function reordered<T>(list: readonly T[], random: Random): T[] {
  const result = [...list];
  for (let n = random.below(5); n > 0 && result.length > 1; n--) {
    const at = random.below(result.length);
    const to = random.below(result.length);
    switch (random.below(6)) {
      case 0:
        result.splice(at, 1);
        break;
      case 1:
        result.splice(to, 0, result[at]!);
        break;
      case 2:
        result.splice(to, 0, ...result.splice(at, 1));
        break;
      case 3:
        result.splice(at, 1 + random.below(8));
        break;
      case 4:
        if (at + 1 < result.length) result.splice(at, 2, result[at + 1]!, result[at]!);
        break;
      default:
        result.splice(at, 6, ...result.slice(at, at + 6).reverse());
    }
  }
  return result;
}
