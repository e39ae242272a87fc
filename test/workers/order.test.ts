// Any number of workers gives the events of one engine, byte by byte and in its order, however far
// the workers are apart while they run.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { everyKind } from '../../bench/generate/every.js';
import { Random } from '../../src/lib/random.js';
import { allCases } from '../helper/cases.js';
import { smallConfig } from '../helper/run.js';
import { alone, type TimedFrame, Together } from './twin.js';

const second = 1e6;
const texts = allCases().map(({ text }) => text);

/** What a mirror and its clock may do: loss, copies, other order, silence, jumps both ways. */
function weathered(frames: readonly TimedFrame[], random: Random): TimedFrame[] {
  const loss = random.chance(0.5) ? 0.05 : 0;
  const swaps = random.chance(0.5) ? 0.05 : 0;
  const silences = random.chance(0.5) ? 0.01 : 0;
  const result: TimedFrame[] = [];
  let shift = 0;
  for (const frame of frames) {
    if (random.chance(loss)) continue;
    if (random.chance(silences)) shift += random.below(800) * second;
    let time = frame.time + shift;
    // A lone frame from the future, and one of long ago.
    if (random.chance(0.002)) time += 7200 * second;
    if (random.chance(0.002)) time -= 100 * second;
    result.push({ time, bytes: frame.bytes });
    if (random.chance(swaps / 2)) result.push({ time: time + 3, bytes: frame.bytes });
    const at = result.length - 1;
    if (at > 0 && random.chance(swaps)) {
      [result[at - 1], result[at]] = [result[at]!, result[at - 1]!];
    }
  }
  return result;
}

/** One direction of some connections is missing for good: a frame's addresses decide. */
function oneSided(frames: readonly TimedFrame[], random: Random): TimedFrame[] {
  if (random.chance(0.7)) return [...frames];
  return frames.filter(({ bytes }) => (bytes.at(-1)! & 3) !== 0);
}

/** A capture in batches of random sizes; several files follow each other, the clock starts anew. */
function capture(seed: number): TimedFrame[][] {
  const random = new Random(seed);
  const batches: TimedFrame[][] = [];
  for (let files = 1 + random.below(3); files > 0; files--) {
    const chosen = Array.from({ length: 8 }, () => texts[random.below(texts.length)]!);
    const frames = everyKind(random, 1 + random.below(30), chosen);
    const left = weathered(oneSided(frames, random), random);
    for (let at = 0; at < left.length; ) {
      const size = 1 + random.below(random.chance(0.5) ? 8 : 80);
      batches.push(left.slice(at, at + size));
      at += size;
    }
  }
  return batches;
}

describe('workers', () => {
  it('give the events of one engine in its order', () => {
    const config = smallConfig('any');
    let events = 0;
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 4 }), (seed, workers) => {
        const batches = capture(seed);
        const together = new Together(config, workers);
        const random = new Random(~seed);
        for (const frames of batches) {
          together.publish(frames);
          for (let turns = random.below(2 * workers); turns > 0; turns--) {
            together.turn(random.below(workers));
            if (random.chance(0.3)) together.merge();
          }
        }
        const one = alone(config, batches);
        const many = together.finish();
        expect(many.text).toBe(one.text);
        expect(many.rows).toBe(one.rows);
        const { workers: each = [], ...sums } = many.stats;
        expect(sums).toEqual(one.stats);
        expect(each).toHaveLength(workers > 1 ? workers : 0);
        events += one.text.split('\n').length - 1;
      }),
      { numRuns: 150 },
    );
    // The captures are not empty: the property would hold for nothing, too.
    expect(events).toBeGreaterThan(1500);
  }, 120_000);
});
