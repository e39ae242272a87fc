// The language of `where` and `observe`: text to a checked tree. Without side effects, loops or
// functions, so that a rule can be reasoned about: `fold.ts` decides what remains of it when some
// fields are known, and makes a closure of that.
//
//   or    := and ("or" and)*          and := not ("and" not)*         not := "not" not | test
//   test  := "(" or ")" | true | false | FIELD
//          | FIELD ("==" | "!=" | "<" | "<=" | ">" | ">=") value
//          | FIELD ["not"] "in" "[" value ("," value)* "]"
//          | FIELD ["not"] "in" LIST                     a list of prefixes of a rule file
//   value := number with an optional unit (% s m h d /s /m /h /d KiB MiB) | word | "text" | FIELD

import { type Field, fields, type Stream } from './fields.js';

/** A mistake in an expression; `at` is the offset of the part that is wrong. */
export class ExpressionError extends Error {
  override name = 'ExpressionError';
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';

/** A checked expression. Words are the numbers of their place in the field's list. */
export type Tree =
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Tree[] }
  | { readonly kind: 'not'; readonly part: Tree }
  | { readonly kind: 'flag'; readonly field: Field }
  | {
      readonly kind: 'compare';
      readonly field: Field;
      readonly is: Comparison;
      readonly value: number;
    }
  | { readonly kind: 'pair'; readonly field: Field; readonly is: Comparison; readonly other: Field }
  | { readonly kind: 'among'; readonly field: Field; readonly values: readonly number[] }
  | { readonly kind: 'listed'; readonly field: Field; readonly list: string };

/** What an expression may name beside fields. */
export interface Scope {
  readonly streams: readonly Stream[];
  /** Names of prefix lists. */
  readonly lists: ReadonlySet<string>;
}

/** Longest expression that is read; a rule of this size is a mistake. */
const textMax = 4096;
/** Deepest nesting of brackets and `not`. */
const depthMax = 50;

/** Reads and checks `text`. Throws an `ExpressionError`. */
export function parseExpression(text: string, scope: Scope): Tree {
  if (text.length > textMax) throw new ExpressionError(`longer than ${textMax} characters`, 0);
  return new Parser(text, scope).whole();
}

/** `10m`, `1%`, `25/h` as a number: seconds, a share, or per hour. NaN where it is none. */
export function quantity(text: string): number {
  const match = /^(\d+(?:\.\d+)?(?:e-?\d+)?) ?([a-zA-Z%/]*)$/.exec(text);
  if (match === null) return Number.NaN;
  const unit = units[match[2]!];
  return unit === undefined ? Number.NaN : Number(match[1]) * unit;
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  '%': 0.01,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  '/s': 3600,
  '/m': 60,
  '/h': 1,
  '/d': 1 / 24,
  KiB: 1024,
  MiB: 1024 ** 2,
};

interface Token {
  readonly text: string;
  readonly kind: 'word' | 'number' | 'text' | 'sign' | 'end';
  readonly at: number;
}

const shapes = new RegExp(
  [
    /(\s+)/,
    /("[^"\n]*")/,
    /(\d[\d.]*(?:e-?\d+)?(?:%|\/[smhd]|[A-Za-z]+)?)/,
    /([A-Za-z_][\w.-]*)/,
    /([=!<>]=|[<>()[\],])/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'y',
);

function tokens(text: string): Token[] {
  const found: Token[] = [];
  shapes.lastIndex = 0;
  while (shapes.lastIndex < text.length) {
    const at = shapes.lastIndex;
    const match = shapes.exec(text);
    if (match === null) throw new ExpressionError(`"${text[at]}" has no meaning here`, at);
    if (match[1] !== undefined) continue;
    const kind = match[2] ? 'text' : match[3] ? 'number' : match[4] ? 'word' : 'sign';
    found.push({ text: kind === 'text' ? match[0].slice(1, -1) : match[0], kind, at });
  }
  found.push({ text: 'the end', kind: 'end', at: text.length });
  return found;
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #scope: Scope;
  #next = 0;
  #depth = 0;

  constructor(text: string, scope: Scope) {
    this.#tokens = tokens(text);
    this.#scope = scope;
  }

  whole(): Tree {
    const tree = this.#either();
    const rest = this.#peek();
    if (rest.kind !== 'end') throw new ExpressionError(`"${rest.text}" is one too many`, rest.at);
    return tree;
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  /** Steps over a token of this text; false if another stands there. */
  #take(text: string): boolean {
    const token = this.#peek();
    if (token.kind === 'text' || token.text !== text) return false;
    this.#next++;
    return true;
  }

  #need(text: string): void {
    const token = this.#peek();
    if (!this.#take(text)) {
      throw new ExpressionError(`"${text}" expected, not ${token.text}`, token.at);
    }
  }

  #either(): Tree {
    const parts = [this.#both()];
    while (this.#take('or')) parts.push(this.#both());
    return parts.length === 1 ? parts[0]! : { kind: 'or', parts };
  }

  #both(): Tree {
    const parts = [this.#unless()];
    while (this.#take('and')) parts.push(this.#unless());
    return parts.length === 1 ? parts[0]! : { kind: 'and', parts };
  }

  #unless(): Tree {
    if (++this.#depth > depthMax) {
      throw new ExpressionError(`nested more than ${depthMax} deep`, this.#peek().at);
    }
    const tree: Tree = this.#take('not') ? { kind: 'not', part: this.#unless() } : this.#test();
    this.#depth--;
    return tree;
  }

  #test(): Tree {
    if (this.#take('(')) {
      const tree = this.#either();
      this.#need(')');
      return tree;
    }
    if (this.#take('true')) return { kind: 'constant', value: true };
    if (this.#take('false')) return { kind: 'constant', value: false };
    const at = this.#peek().at;
    const field = this.#field();
    const sign = this.#peek();
    if (sign.kind === 'sign' && /^[=!<>]/.test(sign.text)) return this.#comparison(field);
    const without = this.#take('not');
    if (this.#take('in')) {
      const tree = this.#membership(field);
      return without ? { kind: 'not', part: tree } : tree;
    }
    if (without) throw new ExpressionError('"in" expected behind "not"', this.#peek().at);
    if (field.type === 'flag') return { kind: 'flag', field };
    throw new ExpressionError(`${field.name} is ${article(field)}: compare it with something`, at);
  }

  #field(): Field {
    const token = this.#peek();
    if (token.kind !== 'word') {
      throw new ExpressionError(`a field expected, not ${token.text}`, token.at);
    }
    this.#next++;
    return knownField(token.text, this.#scope.streams, token.at);
  }

  #comparison(field: Field): Tree {
    const sign = this.#peek();
    this.#next++;
    const is = sign.text as Comparison;
    if (field.type === 'address' || field.type === 'key') {
      throw new ExpressionError(
        `${field.name} cannot be compared, only listed or counted`,
        sign.at,
      );
    }
    if (field.type !== 'number' && is !== '==' && is !== '!=') {
      throw new ExpressionError(`${field.name} is ${article(field)}: it has no order`, sign.at);
    }
    const token = this.#peek();
    const other = token.kind === 'word' ? fields.get(token.text) : undefined;
    if (other === undefined) return { kind: 'compare', field, is, value: this.#value(field) };
    this.#field();
    if (other.type !== field.type || other.words !== field.words) {
      throw new ExpressionError(`${field.name} and ${other.name} are of two kinds`, token.at);
    }
    return { kind: 'pair', field, is, other };
  }

  #membership(field: Field): Tree {
    const token = this.#peek();
    if (this.#take('[')) {
      const values = [this.#value(field)];
      while (this.#take(',')) values.push(this.#value(field));
      this.#need(']');
      return { kind: 'among', field, values };
    }
    if (token.kind !== 'word' || !this.#scope.lists.has(token.text)) {
      throw new ExpressionError(`there is no list "${token.text}"`, token.at);
    }
    if (field.type !== 'address') {
      throw new ExpressionError(`${field.name} is no address: a list has prefixes`, token.at);
    }
    this.#next++;
    return { kind: 'listed', field, list: token.text };
  }

  /** A value that `field` can have, as a number. */
  #value(field: Field): number {
    const token = this.#peek();
    this.#next++;
    const value = numberFor(field, token);
    if (value === null) {
      const what = field.type === 'word' ? `one of ${field.words.join(', ')}` : article(field);
      throw new ExpressionError(`${field.name} is ${what}; ${token.text} is not`, token.at);
    }
    return value;
  }
}

function numberFor(field: Field, token: Token): number | null {
  switch (field.type) {
    case 'number': {
      const value = token.kind === 'number' ? quantity(token.text) : Number.NaN;
      return Number.isNaN(value) ? null : value;
    }
    case 'flag':
      return token.text === 'true' ? 1 : token.text === 'false' ? 0 : null;
    case 'word': {
      const place = token.kind === 'word' || token.kind === 'text' ? token.text : '';
      const index = field.words.indexOf(place);
      return index < 0 ? null : index;
    }
    default:
      return null;
  }
}

/**
 * A field by name that exists on one of the streams; on the others its value is 0, "none" or "no".
 * Throws an `ExpressionError` at `at`.
 */
export function knownField(name: string, among: readonly Stream[], at: number): Field {
  const field = fields.get(name);
  if (field === undefined) {
    throw new ExpressionError(`there is no field ${name}${suggestion(name)}`, at);
  }
  if (!field.streams.some((stream) => among.includes(stream))) {
    const where = `${field.streams.join(', ')}`;
    throw new ExpressionError(`${name} does not exist on ${among.join(', ')}, but on ${where}`, at);
  }
  return field;
}

/** The field whose name is nearest by its letters, where one is near. */
function suggestion(name: string): string {
  const letters = (text: string) => [...text.replace(/[^a-z]/g, '')].sort().join('');
  const wanted = letters(name);
  const near = [...fields.keys()].find((known) => {
    const tail = known.split('.').at(-1) ?? known;
    return letters(known) === wanted || tail === name.split('.').at(-1);
  });
  return near === undefined ? '' : `; is it ${near}`;
}

function article(field: Field): string {
  switch (field.type) {
    case 'number':
      return 'a number';
    case 'flag':
      return 'true or false';
    case 'word':
      return 'a word';
    case 'address':
      return 'an address';
    case 'key':
      return 'something that can only be counted';
  }
}
