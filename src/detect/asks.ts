// Many expressions asked at once. Rules ask the same few things again and again: is it port 25, did
// the client log in. Each such thing is looked at once for an observation and is a bit then; an
// expression is a few pairs of masks over those bits. One loop over arrays instead of a tree of
// closures for each rule: half of the time that judging took went into those.

import type { Tree } from './expression.js';
import { compile, type PrefixList, type Test } from './fold.js';

/** Expressions that one `Asks` takes. */
export const asksMax = 31;
/** Things that are looked at, each a bit of a word. */
const thingsMax = 31;
/** Alternatives of one expression; a longer one is a thing of its own. */
const termsMax = 16;

/** How a thing is looked at. */
const enum Op {
  flag = 0,
  equal = 1,
  less = 2,
  most = 3,
  among = 4,
  test = 5,
}

/** All bits of `care` are as in `want`. */
interface Term {
  readonly care: number;
  readonly want: number;
}

/** Something that is to be looked at. */
interface Thing {
  readonly op: Op;
  readonly slot: number;
  readonly value: number;
  readonly test: Test | null;
  readonly name: string;
}

const always: readonly Term[] = [{ care: 0, want: 0 }];

export class Asks {
  readonly #ops: Uint8Array;
  readonly #slots: Uint16Array;
  readonly #values: Float64Array;
  readonly #tests: readonly (Test | null)[];
  /** Of each term: the bits that it cares for, as they should be, and whose it is. */
  readonly #care: Int32Array;
  readonly #want: Int32Array;
  readonly #whose: Int32Array;

  /** At most `asksMax` expressions; `lists` holds every list that they name. */
  constructor(trees: readonly Tree[], lists: ReadonlyMap<string, PrefixList>) {
    if (trees.length > asksMax) throw new RangeError(`${trees.length} expressions at once`);
    const maker = new Maker(lists);
    const terms = trees.flatMap((tree, at) =>
      maker.whole(tree, trees.length - at - 1).map((term) => ({ ...term, whose: 1 << at })),
    );
    const { things } = maker;
    this.#ops = Uint8Array.from(things, ({ op }) => op);
    this.#slots = Uint16Array.from(things, ({ slot }) => slot);
    this.#values = Float64Array.from(things, ({ value }) => value);
    this.#tests = things.map(({ test }) => test);
    this.#care = Int32Array.from(terms, ({ care }) => care);
    this.#want = Int32Array.from(terms, ({ want }) => want);
    this.#whose = Int32Array.from(terms, ({ whose }) => whose);
  }

  /** Which of the expressions the values satisfy: one bit each, the first is the lowest. */
  ask(values: Float64Array): number {
    const known = this.#look(values);
    const care = this.#care;
    const want = this.#want;
    const whose = this.#whose;
    let found = 0;
    for (let i = 0; i < care.length; i++) {
      if ((known & care[i]!) === want[i]) found |= whose[i]!;
    }
    return found;
  }

  #look(values: Float64Array): number {
    const ops = this.#ops;
    const slots = this.#slots;
    const others = this.#values;
    let known = 0;
    for (let i = 0; i < ops.length; i++) {
      const value = values[slots[i]!]!;
      const other = others[i]!;
      let is = false;
      switch (ops[i]) {
        case Op.flag:
          is = value !== 0;
          break;
        case Op.equal:
          is = value === other;
          break;
        case Op.less:
          is = value < other;
          break;
        case Op.most:
          is = value <= other;
          break;
        case Op.among:
          is = ((other >>> value) & 1) === 1;
          break;
        default:
          is = this.#tests[i]!(values);
          break;
      }
      if (is) known |= 1 << i;
    }
    return known;
  }
}

/** Finds the things and the terms. */
class Maker {
  readonly things: Thing[] = [];
  readonly #lists: ReadonlyMap<string, PrefixList>;

  constructor(lists: ReadonlyMap<string, PrefixList>) {
    this.#lists = lists;
  }

  /** The terms of an expression, any of which satisfies it; `more`: expressions behind it. */
  whole(tree: Tree, more: number): readonly Term[] {
    const before = this.things.length;
    const terms = this.#terms(tree, false);
    if (terms !== null && this.things.length + more <= thingsMax) return terms;
    // It is too long for masks. Each of those behind it still has one bit.
    this.things.length = before;
    return this.#thing(this.#testOf(tree), false);
  }

  /** Null: more than there is room for. */
  #terms(tree: Tree, not: boolean): readonly Term[] | null {
    switch (tree.kind) {
      case 'constant':
        return tree.value === not ? [] : always;
      case 'not':
        return this.#terms(tree.part, !not);
      case 'and':
      case 'or': {
        const isAnd = (tree.kind === 'and') !== not;
        return this.#join(tree.parts, not, isAnd);
      }
      default:
        return this.#leaf(tree, not);
    }
  }

  #join(parts: readonly Tree[], not: boolean, isAnd: boolean): readonly Term[] | null {
    let terms: readonly Term[] = isAnd ? always : [];
    for (const part of parts) {
      const more = this.#terms(part, not);
      if (more === null) return null;
      terms = isAnd
        ? terms.flatMap((one) => more.flatMap((other) => both(one, other)))
        : [...terms, ...more];
      if (terms.length > termsMax) return null;
    }
    return terms;
  }

  #leaf(tree: Tree, not: boolean): readonly Term[] | null {
    switch (tree.kind) {
      case 'flag':
        return this.#thing({ op: Op.flag, slot: tree.field.slot, value: 0 }, not);
      case 'among': {
        const { field, values } = tree;
        const { slot } = field;
        if (field.type === 'number' || field.words.length > 31) {
          const parts = values.map((value): Tree => ({ kind: 'compare', field, is: '==', value }));
          return this.#terms({ kind: 'or', parts }, not);
        }
        const mask = values.reduce((bits, value) => bits | (1 << value), 0);
        return this.#thing({ op: Op.among, slot, value: mask }, not);
      }
      case 'compare': {
        const { slot } = tree.field;
        const { is, value } = tree;
        if (is === '==' || is === '!=') {
          return this.#thing({ op: Op.equal, slot, value }, (is === '!=') !== not);
        }
        if (is === '<' || is === '>=') {
          return this.#thing({ op: Op.less, slot, value }, (is === '>=') !== not);
        }
        return this.#thing({ op: Op.most, slot, value }, (is === '>') !== not);
      }
      default:
        return this.#thing(this.#testOf(tree), not);
    }
  }

  #testOf(tree: Tree): Pick<Thing, 'op' | 'slot' | 'value'> & { test: Test; name: string } {
    const test = compile(tree, this.#lists);
    return { op: Op.test, slot: 0, value: 0, test, name: JSON.stringify(tree) };
  }

  /** The bit of a thing, known or new. */
  #thing(
    of: Pick<Thing, 'op' | 'slot' | 'value'> & Partial<Pick<Thing, 'test' | 'name'>>,
    not: boolean,
  ): readonly Term[] {
    const { op, slot, value, test = null, name = '' } = of;
    let at = this.things.findIndex(
      (one) => one.op === op && one.slot === slot && one.value === value && one.name === name,
    );
    if (at < 0) at = this.things.push({ op, slot, value, test, name }) - 1;
    // Behind the last bit there is no place; whoever asked gives it up.
    const bit = at < thingsMax ? 1 << at : 0;
    return [{ care: bit, want: not ? 0 : bit }];
  }
}

/** A term that is both; none where they contradict each other. */
function both(one: Term, other: Term): readonly Term[] {
  if (((one.want ^ other.want) & one.care & other.care) !== 0) return [];
  return [{ care: one.care | other.care, want: one.want | other.want }];
}
