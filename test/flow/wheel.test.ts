// The timing wheel against a sorted list: nothing due is missed, nothing is due early, and nothing
// is late by more than the second that the wheel gives up.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Wheel } from '../../src/flow/wheel.js';

const second = 1e6;
const slots = 40;
const span = 100;

function wheelOf(): Wheel {
  const words = new Int32Array(slots * 4);
  return new Wheel(span, { words, stride: 4, next: 1, previous: 2, bucket: 3 });
}

/** A wheel with what it should hold, and its owner's rule: early ones are put back. */
class Twin {
  readonly wheel = wheelOf();
  readonly deadlines = new Map<number, number>();
  now: number;

  constructor(now: number) {
    this.now = now;
  }

  add(slot: number, wait: number): void {
    if (this.deadlines.has(slot)) this.wheel.remove(slot);
    // What has run out before it is put in is due with the next second.
    this.deadlines.set(slot, this.now + Math.max(wait, 0));
    this.wheel.add(slot, this.now + wait);
  }

  remove(slot: number): void {
    if (this.deadlines.delete(slot)) this.wheel.remove(slot);
  }

  /** A busy flow: its deadline moves, and the wheel is not told. */
  touch(slot: number, wait: number): void {
    const deadline = this.deadlines.get(slot);
    if (deadline !== undefined) this.deadlines.set(slot, Math.max(deadline, this.now + wait));
  }

  /** Moves the clock; what runs out, in the order it was given. */
  run(wait: number): number[] {
    this.now += wait;
    const gone: number[] = [];
    let calls = 0;
    for (let slot = this.wheel.due(this.now); slot >= 0; slot = this.wheel.due(this.now)) {
      expect(++calls).toBeLessThan(10_000);
      const deadline = this.deadlines.get(slot);
      expect(deadline).toBeDefined();
      if (deadline! < this.now) {
        this.deadlines.delete(slot);
        gone.push(slot);
      } else {
        this.wheel.add(slot, deadline!);
      }
    }
    return gone;
  }

  /** Whether anything is left that should have run out a second ago. */
  late(): number[] {
    return [...this.deadlines].filter(([, at]) => at + second < this.now).map(([slot]) => slot);
  }
}

const operation = fc.oneof(
  fc.record({
    kind: fc.constant('add' as const),
    slot: fc.nat(slots - 1),
    wait: fc.integer({ min: -20 * second, max: span * second }),
  }),
  fc.record({
    kind: fc.constant('touch' as const),
    slot: fc.nat(slots - 1),
    wait: fc.nat(span * second),
  }),
  fc.record({ kind: fc.constant('remove' as const), slot: fc.nat(slots - 1) }),
  fc.record({
    kind: fc.constant('run' as const),
    wait: fc.oneof(fc.nat(3 * second), fc.nat(90 * second), fc.nat(5000 * second)),
  }),
);

describe('timing wheel', () => {
  it('gives what is due, as a sorted list would', () => {
    const begin = fc.constantFrom(0, 1, 5 * second, 1000 * second, 1.7e15, 2 ** 53 / 4);
    fc.assert(
      fc.property(begin, fc.array(operation, { maxLength: 120 }), (start, operations) => {
        const twin = new Twin(start);
        for (const step of operations) {
          if (step.kind === 'add') twin.add(step.slot, step.wait);
          else if (step.kind === 'touch') twin.touch(step.slot, step.wait);
          else if (step.kind === 'remove') twin.remove(step.slot);
          else {
            twin.run(step.wait);
            expect(twin.late()).toEqual([]);
          }
        }
        twin.run(2 * span * second);
        twin.run(0);
        expect([...twin.deadlines]).toEqual([]);
        expect(twin.wheel.first()).toBe(-1);
      }),
      { numRuns: 500 },
    );
  });

  it('gives earlier seconds first', () => {
    const twin = new Twin(1.7e15);
    twin.run(0);
    for (const [slot, wait] of [30, 10, 20, 40].entries()) twin.add(slot, wait * second);
    expect(twin.run(50 * second)).toEqual([1, 2, 0, 3]);
  });

  it('first() is the slot that would be due first, and leaves it in', () => {
    const twin = new Twin(1.7e15);
    twin.run(0);
    twin.add(3, 50 * second);
    twin.add(4, 20 * second);
    expect(twin.wheel.first()).toBe(4);
    expect(twin.wheel.first()).toBe(4);
    twin.remove(4);
    expect(twin.wheel.first()).toBe(3);
  });

  it('ends, though the first slot was put in at time 0', () => {
    const twin = new Twin(0);
    twin.add(1, 30 * second);
    expect(twin.run(5 * second)).toEqual([]);
    expect(twin.run(26 * second)).toEqual([1]);
  });

  it('turned() is true once a second', () => {
    const wheel = wheelOf();
    expect(wheel.turned(7.5 * second)).toBe(true);
    wheel.due(7.5 * second);
    expect(wheel.turned(7.9 * second)).toBe(false);
    expect(wheel.turned(8 * second)).toBe(true);
  });
});
