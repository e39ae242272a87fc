// The tables of detectors against slow twins: a Map of subjects, a Map of pairs, a list of things.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecentPairs } from '../../src/detect/state/recent.js';
import { Cells, hashOf, headWords, SubjectTable } from '../../src/detect/state/subjects.js';
import { setWords, sketchError, Tallies } from '../../src/detect/state/tally.js';

const key = (n: number) => Int32Array.of(0, 0, 0xffff, n, 0);

describe('subjects', () => {
  const keys = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 300 });

  it('keeps the state of each subject apart, as a Map does', () => {
    fc.assert(
      fc.property(keys, (order) => {
        const table = new SubjectTable({ segments: 2, capacity: 64, seed: 5 }, () => {});
        const twin = new Map<number, number>();
        for (const n of order) {
          table.cells.words[table.open(key(n), 1) + headWords]! += n + 1;
          twin.set(n, (twin.get(n) ?? 0) + n + 1);
        }
        for (let n = 0; n <= 60; n++) {
          const at = table.find(key(n));
          expect(at < 0 ? undefined : table.cells.words[at + headWords]).toBe(twin.get(n));
        }
        expect(table.evicted).toBe(0);
      }),
    );
  });

  it('keeps all it knows while its memory grows, and gives nobody up before it is full', () => {
    // More than both steps of growth, and less than the second would come to if it doubled.
    const capacity = 70_000;
    const table = new SubjectTable({ segments: 4, capacity, seed: 5 }, () => {});
    for (let n = 0; n < capacity; n++) {
      const at = table.open(key(n), n + 1) + headWords;
      table.cells.words[at] = n + 1;
      table.cells.doubles[(at + 2) >> 1] = n / 7;
    }
    let wrong = 0;
    for (let n = 0; n < capacity; n++) {
      const at = table.find(key(n)) + headWords;
      if (table.cells.words[at] !== n + 1 || table.cells.doubles[(at + 2) >> 1] !== n / 7) wrong++;
    }
    expect([wrong, table.evicted, table.used]).toEqual([0, 0, capacity]);
    table.open(key(-1), capacity + 1);
    expect([table.evicted, table.used]).toEqual([1, capacity]);
  });

  it('a full table gives up subjects, tells so, and still finds all the others', () => {
    fc.assert(
      fc.property(keys, (order) => {
        const gone: number[] = [];
        const table: SubjectTable = new SubjectTable(
          { segments: 2, capacity: 20, seed: 5 },
          (base) => gone.push(table.cells.words[base + 3]!),
        );
        const there = new Set<number>();
        order.forEach((n, second) => {
          table.open(key(n), second + 1);
          there.add(n);
          for (const one of gone.splice(0)) there.delete(one);
          for (const one of there) expect(table.find(key(one))).toBeGreaterThanOrEqual(0);
          expect(there.size).toBe(table.used);
        });
      }),
    );
  });

  it('whoever comes again and again stays while a crowd passes by', () => {
    const table = new SubjectTable({ segments: 2, capacity: 100, seed: 5 }, () => {});
    for (let n = 0; n < 10_000; n++) {
      const at = table.open(key(-1), n + 1);
      table.cells.words[at + headWords]!++;
      table.open(key(n), n + 1);
    }
    expect(table.cells.words[table.find(key(-1)) + headWords]).toBe(10_000);
    expect(table.evicted).toBe(10_001 - 100);
  });
});

describe('recent pairs', () => {
  it('says new exactly when a Map with times would, while there is room', () => {
    const moves = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.nat({ max: 30 })), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(moves, (order) => {
        const pairs = new RecentPairs(4096, true);
        const twin = new Map<number, number>();
        let second = 1;
        for (const [n, later] of order) {
          second += later;
          const before = twin.get(n);
          const isNew = before === undefined || second - before >= 50;
          expect(pairs.open(hashOf(n, 1, 2, 3, 4), n, second, 50)).toBe(isNew);
          if (isNew) twin.set(n, second);
        }
        expect(pairs.evicted).toBe(0);
      }),
    );
  });

  it('pairs and their values are still there when the memory has grown', () => {
    const pairs = new RecentPairs(1 << 20, true);
    const before = pairs.bytes;
    for (let n = 1; n <= 60_000; n++) {
      expect(pairs.open(hashOf(n, 1, 2, 3, 4), n, n, 1e6)).toBe(true);
      pairs.value = n;
    }
    expect(pairs.bytes).toBeGreaterThan(before);
    expect(pairs.evicted).toBe(0);
    for (let n = 1; n <= 60_000; n++) {
      if (!pairs.find(hashOf(n, 1, 2, 3, 4), n, n, 1e6)) expect.fail(`pair ${n} is gone`);
      if (pairs.value !== n) expect.fail(`pair ${n} has the value ${pairs.value}`);
    }
  });

  it('a set that is full grows before it gives anybody up', () => {
    const pairs = new RecentPairs(1 << 18, false);
    for (let n = 0; n < 9; n++) pairs.open(n << 10, n + 1, n + 1, 100);
    expect(pairs.evicted).toBe(0);
    expect(pairs.find(0, 1, 9, 100)).toBe(true);
  });

  it('a full set gives up the oldest and counts it', () => {
    const pairs = new RecentPairs(16, true);
    for (let n = 0; n < 9; n++) pairs.open(0, n + 1, n + 1, 100);
    expect(pairs.evicted).toBe(1);
    expect(pairs.find(0, 1, 9, 100)).toBe(false);
    expect(pairs.find(0, 2, 9, 100)).toBe(true);
  });
});

describe('tallies', () => {
  const window = 100;
  const moves = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.nat({ max: 20 })), {
    maxLength: 200,
  });

  it('is exact up to 64 things in a sliding window', () => {
    fc.assert(
      fc.property(moves, (order) => {
        const tallies = new Tallies(8, 8);
        const cells = new Cells(setWords, 0);
        const twin = new Map<number, number>();
        let second = 1;
        for (const [thing, later] of order) {
          second += later;
          tallies.add(cells, 0, thing, second, window);
          twin.set(thing, second);
          const live = [...twin.values()].filter((last) => second - last < window).length;
          expect(tallies.count(cells, 0, second, window)).toBe(live);
        }
        tallies.release(cells, 0);
        expect(tallies.pages).toBe(0);
      }),
    );
  });

  it.each([100, 400, 2000, 20_000])('of %i things it is off by two errors at most', (things) => {
    const tallies = new Tallies(8, 8);
    const cells = new Cells(setWords, 0);
    for (let n = 0; n < things; n++) tallies.add(cells, 0, hashOf(n, 7, 7, 7, 7), 40, window);
    const count = tallies.count(cells, 0, 40, window);
    expect(Math.abs(count - things) / things).toBeLessThan(1.5 * sketchError);
    expect(tallies.atLeast(cells, 0, 40, window)).toBeLessThanOrEqual(things);
  });

  it('a sketch forgets what is older than its window', () => {
    const tallies = new Tallies(8, 8);
    const cells = new Cells(setWords, 0);
    for (let n = 0; n < 500; n++) tallies.add(cells, 0, hashOf(n, 1, 1, 1, 1), 10, window);
    tallies.add(cells, 0, 1, 10 + window, window);
    expect(tallies.count(cells, 0, 10 + window, window)).toBeLessThan(5);
  });

  it('without pages it counts less, never more, and says so', () => {
    const tallies = new Tallies(0, 0);
    const cells = new Cells(setWords, 0);
    for (let n = 1; n <= 10; n++) tallies.add(cells, 0, n, 1, window);
    expect(tallies.count(cells, 0, 1, window)).toBe(3);
    expect(tallies.exhausted).toBe(7);
  });
});
