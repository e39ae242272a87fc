// What remains of an expression when some fields are known gives the same answer as the whole, for
// any expression; and its closure the same as reading the tree.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Asks, asksMax } from '../../src/detect/asks.js';
import type { Comparison, Tree } from '../../src/detect/expression.js';
import { fields, Slot } from '../../src/detect/fields.js';
import { compile, fold } from '../../src/detect/fold.js';

const some = ['src.role', 'dst.role', 'src.own', 'dst.port', 'outcome.class'].map(
  (name) => fields.get(name)!,
);
const field = fc.constantFrom(...some);
const value = fc.integer({ min: 0, max: 4 });
const is = fc.constantFrom<Comparison>('==', '!=', '<', '<=', '>', '>=');

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.record({ kind: fc.constant('constant' as const), value: fc.boolean() }),
    fc.record({ kind: fc.constant('flag' as const), field }),
    fc.record({ kind: fc.constant('compare' as const), field, is, value }),
    fc.record({ kind: fc.constant('pair' as const), field, is, other: field }),
    fc.record({
      kind: fc.constant('among' as const),
      field,
      values: fc.array(value, { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant('not' as const), part: tie('tree') }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      parts: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
    }),
  ),
}));

/** The obvious reading. */
function truth(one: Tree, values: Float64Array): boolean {
  switch (one.kind) {
    case 'constant':
      return one.value;
    case 'not':
      return !truth(one.part, values);
    case 'and':
      return one.parts.every((part) => truth(part, values));
    case 'or':
      return one.parts.some((part) => truth(part, values));
    case 'flag':
      return values[one.field.slot] !== 0;
    case 'among':
      return one.values.includes(values[one.field.slot]!);
    case 'compare':
      return compared(values[one.field.slot]!, one.is, one.value);
    case 'pair':
      return compared(values[one.field.slot]!, one.is, values[one.other.slot]!);
    case 'listed':
      return false;
  }
}

function compared(a: number, how: Comparison, b: number): boolean {
  const results = { '==': a === b, '!=': a !== b, '<': a < b, '<=': a <= b, '>': a > b };
  return how === '>=' ? a >= b : results[how];
}

it('any part of the fields may be known before', () => {
  const all = fc.tuple(...some.map(() => value));
  const known = fc.tuple(...some.map(() => fc.boolean()));
  fc.assert(
    fc.property(tree, all, known, (one, numbers, knows) => {
      const values = new Float64Array(Slot.count);
      some.forEach(({ slot }, at) => {
        values[slot] = numbers[at]!;
      });
      const sure = new Map(
        some.flatMap(({ slot }, at) => (knows[at] ? [[slot, numbers[at]!] as const] : [])),
      );
      const expected = truth(one, values);
      expect(compile(one, new Map())(values)).toBe(expected);
      expect(compile(fold(one, sure), new Map())(values)).toBe(expected);
      if (knows.every(Boolean)) expect(fold(one, sure).kind).toBe('constant');
    }),
    { numRuns: 500 },
  );
});

it('asked together, expressions say what each says alone', () => {
  const trees = fc.array(tree, { minLength: 1, maxLength: asksMax });
  const numbers = fc.tuple(...some.map(() => value));
  fc.assert(
    fc.property(trees, numbers, (all, given) => {
      const values = new Float64Array(Slot.count);
      some.forEach(({ slot }, at) => {
        values[slot] = given[at]!;
      });
      const asked = new Asks(all, new Map()).ask(values);
      all.forEach((one, at) => {
        expect((asked >>> at) & 1).toBe(truth(one, values) ? 1 : 0);
      });
    }),
  );
});

it('more expressions than have a bit are refused', () => {
  const all = Array.from({ length: asksMax + 1 }, (): Tree => ({ kind: 'constant', value: true }));
  expect(() => new Asks(all, new Map())).toThrow(RangeError);
});

it('fields have their own places among the values, recipients last', () => {
  const taken = new Map<number, string>();
  for (const { name, type, slot } of fields.values()) {
    const words = type === 'address' ? 4 : name === 'rcpt.mailbox' ? 2 : 1;
    for (let i = 0; i < words; i++) {
      expect(taken.get(slot + i), `${name} and`).toBeUndefined();
      taken.set(slot + i, name);
    }
  }
  expect(taken.size).toBe(Slot.count);
  expect(Math.max(...taken.keys())).toBe(Slot.count - 1);
});
