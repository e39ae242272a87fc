// What remains of an expression when some fields are known, and the closure for that. It serves
// two: the linter tries all seven roles, and the detectors prepare each rule for each pair of roles
// once, so that on the hot path a rule that cannot match is not looked at, and one that can asks
// nothing that is known already.

import type { Comparison, Tree } from './expression.js';
import type { Field } from './fields.js';

/** Whether the values in place satisfy an expression. */
export type Test = (values: Float64Array) => boolean;

/** Looks an address up in a named list: four int32 words. */
export interface PrefixList {
  has(w0: number, w1: number, w2: number, w3: number): boolean;
}

/** Known values by slot. */
export type Known = ReadonlyMap<number, number>;

const yes: Tree = { kind: 'constant', value: true };
const no: Tree = { kind: 'constant', value: false };

/** The expression that is left; a constant where `known` decides it. */
export function fold(tree: Tree, known: Known): Tree {
  switch (tree.kind) {
    case 'constant':
    case 'listed':
      return tree;
    case 'not': {
      const part = fold(tree.part, known);
      if (part.kind === 'constant') return part.value ? no : yes;
      return part.kind === 'not' ? part.part : { kind: 'not', part };
    }
    case 'and':
    case 'or':
      return foldParts(tree.kind, tree.parts, known);
    case 'flag': {
      const value = known.get(tree.field.slot);
      return value === undefined ? tree : constant(value !== 0);
    }
    case 'compare': {
      const value = known.get(tree.field.slot);
      return value === undefined ? tree : constant(compare(value, tree.is, tree.value));
    }
    case 'among': {
      const value = known.get(tree.field.slot);
      return value === undefined ? tree : constant(tree.values.includes(value));
    }
    case 'pair': {
      const value = known.get(tree.field.slot);
      const other = known.get(tree.other.slot);
      if (value !== undefined && other !== undefined) {
        return constant(compare(value, tree.is, other));
      }
      if (other !== undefined) {
        return { kind: 'compare', field: tree.field, is: tree.is, value: other };
      }
      if (value === undefined) return tree;
      return { kind: 'compare', field: tree.other, is: turned[tree.is], value };
    }
  }
}

/** `a < b` is `b > a`. */
const turned: Readonly<Record<Comparison, Comparison>> = {
  '==': '==',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

function constant(value: boolean): Tree {
  return value ? yes : no;
}

function foldParts(kind: 'and' | 'or', parts: readonly Tree[], known: Known): Tree {
  const decides = kind === 'or';
  const left: Tree[] = [];
  for (const part of parts) {
    const folded = fold(part, known);
    if (folded.kind !== 'constant') left.push(folded);
    else if (folded.value === decides) return folded;
  }
  if (left.length === 0) return constant(!decides);
  return left.length === 1 ? left[0]! : { kind, parts: left };
}

function compare(value: number, is: Comparison, other: number): boolean {
  switch (is) {
    case '==':
      return value === other;
    case '!=':
      return value !== other;
    case '<':
      return value < other;
    case '<=':
      return value <= other;
    case '>':
      return value > other;
    case '>=':
      return value >= other;
  }
}

/** Makes the closure of an expression; `lists` holds every list it names. */
export function compile(tree: Tree, lists: ReadonlyMap<string, PrefixList>): Test {
  switch (tree.kind) {
    case 'constant':
      return tree.value ? () => true : () => false;
    case 'not': {
      const part = compile(tree.part, lists);
      return (values) => !part(values);
    }
    case 'and':
      return both(tree.parts.map((part) => compile(part, lists)));
    case 'or':
      return either(tree.parts.map((part) => compile(part, lists)));
    case 'flag': {
      const { slot } = tree.field;
      return (values) => values[slot] !== 0;
    }
    case 'compare':
      return comparison(tree.field.slot, tree.is, tree.value);
    case 'pair': {
      const { slot } = tree.field;
      const { is } = tree;
      const other = tree.other.slot;
      return (values) => compare(values[slot]!, is, values[other]!);
    }
    case 'among':
      return among(tree.field, tree.values);
    case 'listed': {
      const { slot } = tree.field;
      const list = lists.get(tree.list)!;
      return (values) =>
        list.has(values[slot]!, values[slot + 1]!, values[slot + 2]!, values[slot + 3]!);
    }
  }
}

// One closure a shape of test: a `switch` on the operator inside would cost as much as the test.

function comparison(slot: number, is: Comparison, value: number): Test {
  switch (is) {
    case '==':
      return (values) => values[slot] === value;
    case '!=':
      return (values) => values[slot] !== value;
    case '<':
      return (values) => values[slot]! < value;
    case '<=':
      return (values) => values[slot]! <= value;
    case '>':
      return (values) => values[slot]! > value;
    case '>=':
      return (values) => values[slot]! >= value;
  }
}

function among(field: Field, wanted: readonly number[]): Test {
  const { slot } = field;
  if (field.type !== 'number' && field.words.length <= 31) {
    const mask = wanted.reduce((bits, value) => bits | (1 << value), 0);
    return (values) => ((mask >>> values[slot]!) & 1) === 1;
  }
  return (values) => wanted.includes(values[slot]!);
}

function both(parts: readonly Test[]): Test {
  const [a, b, ...rest] = parts;
  if (b === undefined) return a!;
  if (rest.length === 0) return (values) => a!(values) && b(values);
  const c = both(rest);
  return (values) => a!(values) && b(values) && c(values);
}

function either(parts: readonly Test[]): Test {
  const [a, b, ...rest] = parts;
  if (b === undefined) return a!;
  if (rest.length === 0) return (values) => a!(values) || b(values);
  const c = either(rest);
  return (values) => a!(values) || b(values) || c(values);
}
