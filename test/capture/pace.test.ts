// The paced source: which frames come when, and that rounds follow each other in time.

import { expect, it } from 'vitest';
import { PacedSource } from '../../src/capture/pace.js';
import { FrameBatch, type Source } from '../../src/capture/source.js';

const gap = 5e6;

/** A source of frames at the given microseconds, in batches of two. */
function recorded(times: readonly number[]): Source {
  const batch = new FrameBatch(Buffer.alloc(100), 2);
  let next = 0;
  return {
    name: 'recorded',
    problem: null,
    drops: 0,
    progress: () => ({ read: next, total: times.length }),
    close: () => {
      next = times.length;
    },
    next: () => {
      const some = times.slice(next, next + 2);
      next += some.length;
      batch.count = some.length;
      some.forEach((time, at) => {
        batch.time[at] = time;
        batch.length[at] = next;
      });
      return Promise.resolve(some.length > 0 ? batch : null);
    },
  };
}

async function timesOf(source: Source, most: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < most) {
    const batch = await source.next();
    if (batch === null) break;
    found.push(...batch.time.subarray(0, batch.count));
  }
  return found;
}

it('passes a file on as it is', async () => {
  const source = new PacedSource(() => recorded([10, 20, 30]), { loop: false, speed: null, gap });
  expect(await timesOf(source, 9)).toEqual([10, 20, 30]);
  expect(await source.next()).toBe(null);
});

it('begins again behind the latest time, whatever the order inside', async () => {
  const source = new PacedSource(() => recorded([10, 50, 30]), { loop: true, speed: null, gap });
  const first = 50 + gap;
  const second = first + 40 + gap;
  expect(await timesOf(source, 9)).toEqual([
    ...[10, 50, 30],
    ...[first, first + 40, first + 20],
    ...[second, second + 40, second + 20],
  ]);
  source.close();
  expect(await source.next()).toBe(null);
});

it('ends a loop over nothing', async () => {
  const source = new PacedSource(() => recorded([]), { loop: true, speed: null, gap });
  expect(await source.next()).toBe(null);
});

it('hands frames over when they are due and moves the clock in between', async () => {
  const start = 1_700_000_000_000_000;
  const times = [start, start + 100, start + 900_000, start + 900_100];
  const source = new PacedSource(() => recorded(times), { loop: false, speed: 2, gap });
  const began = performance.now();
  const seen: number[] = [];
  let idle = 0;
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    const passed = (performance.now() - began) * 1000 * 2;
    for (const time of batch.time.subarray(0, batch.count)) {
      expect(passed).toBeGreaterThanOrEqual(time - start);
      seen.push(time);
    }
    if (batch.count > 0) continue;
    idle += 1;
    expect(batch.clock).toBeGreaterThan(start);
    expect(batch.clock).toBeLessThan(start + 900_000);
  }
  expect(seen).toEqual(times);
  expect(idle).toBeGreaterThanOrEqual(1);
  expect(performance.now() - began).toBeGreaterThan(449);
});

it('can be closed while it waits', async () => {
  const times = [0, 3_600_000_000];
  const source = new PacedSource(() => recorded(times), { loop: false, speed: 1, gap });
  await source.next();
  const began = performance.now();
  setTimeout(() => source.close(), 50);
  await timesOf(source, 2);
  expect(performance.now() - began).toBeLessThan(1000);
});
