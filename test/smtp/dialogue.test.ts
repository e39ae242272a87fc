// The golden cases: whole, in every cut, with packets swapped and doubled. What is said must come
// out the same however the bytes were packed. Loss has a file of its own.

import { describe, expect, it } from 'vitest';
import type { Frame } from '../../bench/generate/conversation.js';
import { Flag } from '../../bench/generate/frame.js';
import { allCases, type Case, compared, essence, pickedFrom } from '../helper/cases.js';
import { runMany } from '../helper/run.js';
import {
  chunked,
  connection,
  cutAtRandom,
  doubled,
  segmentOf,
  swapped,
} from '../helper/variations.js';

const cases = allCases();
const sizes = [...Array.from({ length: 64 }, (_, i) => i + 1), 100, 256, 536, 1000];
const randomCuts = 20;
/** Conversations of more bytes are cut at fewer sizes. */
const longBytes = 20_000;

it('there are enough of them, each with a name of its own', () => {
  expect(cases.length).toBeGreaterThanOrEqual(90);
  expect(new Set(cases.map((one) => one.name)).size).toBe(cases.length);
});

describe.each(cases.map((one) => [`${one.file}: ${one.name}`, one] as const))('%s', (_, one) => {
  it('whole', () => {
    const [own] = runMany([connection(one.text, one.options, 0)]).own;
    const [got, wanted] = compared(own!.smtp, one.smtp.map(withDefaults));
    expect(got).toEqual(wanted);
    if (one.session === null) return;
    expect(own!.sessions).toHaveLength(1);
    expect(pickedFrom(own!.sessions[0]!.session, one.session)).toEqual(one.session);
  });

  it('cut anywhere', () => {
    const names: string[] = ['whole'];
    const variants: Frame[][] = [connection(one.text, one.options, 0)];
    const long = variants[0]!.reduce((sum, frame) => sum + frame.bytes.length, 0) > longBytes;
    for (const size of sizes) {
      if (long && size > 1 && size % 13 !== 0) continue;
      variants.push(chunked(one.text, one.options, names.length, size));
      names.push(`chunks of ${size}`);
    }
    for (let seed = 1; seed <= (long ? 3 : randomCuts); seed++) {
      variants.push(cutAtRandom(one.text, one.options, names.length, seed));
      names.push(`cut at random, seed ${seed}`);
    }
    sameAsFirst(names, variants, false);
  });

  it('neighbours swapped', () => {
    const [names, variants] = each(one, (frames, at) => {
      // A reset that comes too early cannot be told from a forged one.
      if (at + 1 === frames.length || isReset(frames[at + 1]!)) return null;
      return swapped(frames, at);
    });
    sameAsFirst(names, variants);
  });

  it('each packet twice', () => {
    const [names, variants] = each(one, doubled);
    expect(sameAsFirst(names, variants)).toBe(variants.length - 1);
  });

  it('mirrored at two ports, one of them tagged', () => {
    const copy = connection(one.text, { ...one.options, vlan: [7] }, 1);
    const second = copy.map((frame) => ({ ...frame, time: frame.time + 3 }));
    const both = connection(one.text, one.options, 1).flatMap((frame, at) => [frame, second[at]!]);
    const variants = [connection(one.text, one.options, 0), both];
    expect(sameAsFirst(['once', 'twice'], variants)).toBe(copy.length);
  });
});

/** The undamaged conversation first, then one variant for each of its frames. */
function each(
  one: Case,
  change: (frames: Frame[], at: number) => Frame[] | null,
): [string[], Frame[][]] {
  const variants = [connection(one.text, one.options, 0)];
  const names = ['whole'];
  const count = Math.min(variants[0]!.length, 300);
  for (let at = 0; at < count; at++) {
    const variant = change(connection(one.text, one.options, names.length), at);
    if (variant === null) continue;
    variants.push(variant);
    names.push(`frame ${at}`);
  }
  return [names, variants];
}

function isReset(frame: Frame): boolean {
  return (segmentOf(frame).flags & Flag.rst) !== 0;
}

function sameAsFirst(names: readonly string[], variants: readonly Frame[][], tls = true): number {
  const { own, duplicates } = runMany(variants);
  const first = essence(own[0]!, tls);
  own.forEach((each, i) => {
    expect({ variant: names[i], ...essence(each, tls) }).toEqual({ variant: names[i], ...first });
  });
  return duplicates;
}

function withDefaults(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { gaps: 0, sides: 'both', ...fields };
}
