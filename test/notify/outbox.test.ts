// The queue in front of a receiver: bounded, never waited for, tried again, counted.

import { describe, expect, it } from 'vitest';
import { type Notice, Outbox, Refused } from '../../src/notify/outbox.js';
import { notice } from './notices.js';

const numbersOf = (portion: readonly Notice[]): number[] =>
  portion.map(({ text }) => (JSON.parse(text) as { n: number }).n);

/** A receiver that fails as often as it is told. */
function receiver(failures: number, fail: () => Error = () => new Error('away')) {
  const got: number[][] = [];
  const tried: (readonly Notice[])[] = [];
  let left = failures;
  const told: string[] = [];
  const outbox = new Outbox({
    portion: 10,
    firstPause_ms: 5,
    tell: (message) => told.push(message),
    deliver: async (portion) => {
      tried.push(portion);
      if (left-- > 0) throw fail();
      got.push(numbersOf(portion));
    },
  });
  const until = async (holds: () => boolean) => {
    for (let n = 0; n < 1000 && !holds(); n++) await new Promise((go) => setTimeout(go, 2));
  };
  return { outbox, got, tried, told, until };
}

describe('outbox', () => {
  it('hands everything over in order, in portions', async () => {
    const { outbox, got, told } = receiver(0);
    for (let n = 0; n < 25; n++) outbox.put(notice(n));
    await outbox.close(1000);
    expect(got.flat()).toEqual(Array.from({ length: 25 }, (_, n) => n));
    expect(Math.max(...got.map(({ length }) => length))).toBeLessThanOrEqual(10);
    expect(outbox.counters).toEqual({ sent: 25, dropped: 0, refused: 0, failures: 0 });
    expect(told).toEqual([]);
  });

  it('tries the same portion again with a growing pause, and says so once', async () => {
    const { outbox, got, tried, told, until } = receiver(3);
    const began = performance.now();
    outbox.put(notice(0));
    outbox.put(notice(1));
    await until(() => got.length === 2);
    expect(got).toEqual([[0], [1]]);
    expect(new Set(tried.slice(0, 4)).size).toBe(1);
    // 5, 10 and 20 ms, each at least eight tenths of it.
    expect(performance.now() - began).toBeGreaterThan(28);
    expect(told).toEqual(['does not take messages: away', 'is back']);
    expect(outbox.counters).toMatchObject({ sent: 2, failures: 3, dropped: 0 });
  });

  it('a refusal is final and does not hold up the next', async () => {
    const { outbox, got, told } = receiver(1, () => new Refused('HTTP status 400'));
    outbox.put(notice(0));
    outbox.put(notice(1));
    await outbox.close(1000);
    expect(got).toEqual([[1]]);
    expect(outbox.counters).toMatchObject({ sent: 1, refused: 1 });
    expect(told).toEqual(['refused 1: HTTP status 400']);
  });

  it('keeps the newest thousand while the receiver is away, and counts the rest', async () => {
    const { outbox, got } = receiver(1);
    for (let n = 0; n < 1500; n++) outbox.put(notice(n));
    expect(outbox.waiting).toBe(1001);
    await new Promise((go) => setTimeout(go, 1));
    await outbox.close(1000);
    const all = got.flat();
    expect(all).toEqual([0, ...Array.from({ length: 1000 }, (_, n) => 500 + n)]);
    expect(outbox.counters).toMatchObject({ sent: 1001, dropped: 499 });
  });

  it('does not wait for ever at the end, and takes nothing after it', async () => {
    let aborted = false;
    const outbox = new Outbox({
      portion: 1,
      tell: () => {},
      deliver: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('ended'));
          });
        }),
    });
    outbox.put(notice(0));
    outbox.put(notice(1));
    await outbox.close(20);
    outbox.put(notice(2));
    expect([aborted, outbox.counters.dropped]).toEqual([true, 3]);
  });
});
