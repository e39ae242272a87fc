// Rule files: text to checked definitions. One file holds several YAML documents, each a rule or a
// list of prefixes. Everything that can be wrong without looking at traffic is found here, all at
// once, each with file, line and column. What a rule does is made in `rule.ts`.

import { clearStrayBits, Prefix, readPrefix } from '../lib/prefix.js';
import { PrefixList as Prefixes, PrefixMap } from '../lib/prefix-map.js';
import { type YamlPart, yamlParts } from '../lib/yaml-text.js';
import { ExpressionError, knownField, parseExpression, type Tree } from './expression.js';
import type { Field, Stream } from './fields.js';
import type { Action, Mode, RuleMeta } from './finding.js';
import type { PrefixList } from './fold.js';
import { type Grouping, groupingOf } from './grouping.js';
import { lint } from './lint.js';
import { listShape, type RuleText, ruleShape, type WayText } from './rule-shape.js';

/** Rules that cannot be used. The message is one line per mistake. */
export class RuleError extends Error {
  override name = 'RuleError';
}

/** A file of rules: its name for messages, and its text. */
export interface RuleSource {
  readonly path: string;
  readonly text: string;
}

/** One rule, checked. */
export interface RuleDefinition {
  readonly meta: RuleMeta;
  readonly text: RuleText;
  readonly streams: readonly Stream[];
  readonly grouping: Grouping;
  /** The grouping of the level above, where the rule speaks of prefixes too; null: it does not. */
  readonly wider: Grouping | null;
  /** Its name where it is a further way of a rule; "" for the rule itself. */
  readonly way: string;
  /** Further ways to the same finding, each with a bucket of its own. */
  readonly ways: readonly RuleDefinition[];
  /** `where` with `unless` in it. */
  readonly where: Tree;
  /** The other expressions by their path, such as bucket.observe. */
  readonly expressions: ReadonlyMap<string, Tree>;
  /** Fields that are counted, by their path. */
  readonly counted: ReadonlyMap<string, Field>;
  /** file:line:column of a part, for messages. */
  place(path: readonly PropertyKey[]): string;
}

export interface RuleSet {
  readonly rules: readonly RuleDefinition[];
  readonly lists: ReadonlyMap<string, PrefixList>;
}

/** Longest file that is read. */
const fileBytesMax = 4 * 1024 ** 2;
/** Mistakes that are told before reading stops. */
const mistakesMax = 50;

/**
 * Reads and checks a whole set. `digest` gives the SHA-256 of a text in hexadecimal. Throws a
 * `RuleError`; a set is right as a whole or not at all.
 */
export function readRules(
  sources: readonly RuleSource[],
  digest: (text: string) => string,
): RuleSet {
  const reader = new Reader(digest);
  for (const source of sources) reader.split(source);
  return reader.finish();
}

/** The text of a rule, and where its parts stand. */
type Source = Pick<YamlPart, 'text' | 'place' | 'textPlace'>;

class Reader {
  readonly #digest: (text: string) => string;
  readonly #mistakes: string[] = [];
  readonly #rules: { part: YamlPart; text: RuleText }[] = [];
  readonly #lists = new Map<string, PrefixList>();

  constructor(digest: (text: string) => string) {
    this.#digest = digest;
  }

  split({ path, text }: RuleSource): void {
    if (text.length > fileBytesMax) {
      this.#mistakes.push(`${path}: more than ${fileBytesMax} bytes; split the file`);
      return;
    }
    try {
      for (const part of yamlParts(path, text)) this.#part(part);
    } catch (error) {
      this.#mistakes.push((error as Error).message);
    }
  }

  #part(part: YamlPart): void {
    const values = part.values();
    if (typeof values === 'object' && values !== null && Object.keys(values).length === 0) return;
    if (typeof values === 'object' && values !== null && 'list' in values) {
      this.#list(part, values);
      return;
    }
    // Each shape is used for a few dozen values: code made for it at run time never pays.
    const result = ruleShape.safeParse(values, { jitless: true });
    if (result.success) this.#rules.push({ part, text: result.data });
    else this.#mistakes.push(...part.mistakes(result.error));
  }

  #list(part: YamlPart, values: unknown): void {
    const result = listShape.safeParse(values);
    if (!result.success) {
      this.#mistakes.push(...part.mistakes(result.error));
      return;
    }
    const { list, prefixes } = result.data;
    if (this.#lists.has(list)) {
      this.#mistakes.push(`${part.place(['list'])} list: there is a list ${list} already`);
    }
    const found = new Prefixes();
    const prefix = new Prefix();
    prefixes.forEach((text, at) => {
      if (readPrefix(text, prefix) && !clearStrayBits(prefix)) found.add(prefix);
      else {
        const place = part.place(['prefixes', at]);
        this.#mistakes.push(`${place} prefixes.${at}: "${text}" is not an address prefix`);
      }
    });
    const map = new PrefixMap(found);
    this.#lists.set(list, { has: (w0, w1, w2, w3) => map.find(w0, w1, w2, w3) >= 0 });
  }

  finish(): RuleSet {
    const ids = new Set<string>();
    const rules: RuleDefinition[] = [];
    for (const { part, text } of this.#rules) {
      if (ids.has(text.id)) {
        this.#mistakes.push(`${part.place(['id'])} id: there is a rule ${text.id} already`);
      }
      ids.add(text.id);
      const rule = this.#define(part, text);
      if (rule !== null) rules.push(rule);
    }
    for (const rule of rules) {
      for (const one of [rule, ...rule.ways]) this.#mistakes.push(...lint(one, ids));
    }
    if (this.#mistakes.length === 0) return { rules, lists: this.#lists };
    const told = this.#mistakes.slice(0, mistakesMax);
    const more = this.#mistakes.length - told.length;
    if (more > 0) told.push(`and ${more} more mistakes`);
    throw new RuleError(told.join('\n'));
  }

  /** A rule, or one of its ways: then `way` is its name, and `text` what it says and inherits. */
  #define(part: Source, text: RuleText, way = ''): RuleDefinition | null {
    const before = this.#mistakes.length;
    const streams = typeof text.on === 'string' ? [text.on] : text.on;
    const scope = { streams, lists: new Set(this.#lists.keys()) };
    const expressions = new Map<string, Tree>();
    const parse = (path: readonly PropertyKey[], source: string): Tree => {
      try {
        const tree = parseExpression(source, scope);
        expressions.set(path.join('.'), tree);
        return tree;
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error;
        const place = part.textPlace(path, error.at);
        this.#mistakes.push(`${place} ${path.join('.')}: ${error.message}`);
        return { kind: 'constant', value: false };
      }
    };
    let where = parse(['where'], text.where);
    const counted = new Map<string, Field>();
    for (const { path, value } of leaves(text.bucket, ['bucket'])) {
      const key = String(path.at(-1));
      if (['observe', 'when', 'second', 'hidden'].includes(key)) parse(path, value);
      if (key === 'of' || key === 'cost' || key === 'count') {
        this.#field(part, path, value, streams, counted);
      }
    }
    text.unless?.forEach(({ list, field }, at) => {
      const path = ['unless', at];
      const listed = parse(path, `${field} in ${list}`);
      where = { kind: 'and', parts: [where, { kind: 'not', part: listed }] };
    });
    const names = typeof text.group_by === 'string' ? [text.group_by] : text.group_by;
    const grouping = groupingOf(names);
    if (grouping === null) {
      const place = part.place(['group_by']);
      const right = 'src.ip, server.ip, src.prefix(24,64), network, or one of them with a key';
      this.#mistakes.push(`${place} group_by: ${names.join(', ')} is no grouping; give ${right}`);
    }
    const above = text.bucket.type === 'heavy' ? text.bucket.prefix : undefined;
    const wider = above === undefined ? null : groupingOf([above]);
    if (above !== undefined && (wider === null || wider.bits4 === 0)) {
      const place = part.textPlace(['bucket', 'prefix'], 0);
      this.#mistakes.push(`${place} bucket.prefix: ${above} is no prefix; give src.prefix(24,48)`);
    }
    const ways = (text.ways ?? []).map((one, at) =>
      this.#define(wayPart(part, one, at), wayText(text, one), one.name),
    );
    if (grouping === null || this.#mistakes.length > before) return null;
    return {
      meta: metaOf(text, this.#digest(part.text)),
      text,
      way,
      ways: ways.filter((one) => one !== null),
      streams,
      grouping,
      wider,
      where,
      expressions,
      counted,
      place: (path) => part.place(path),
    };
  }

  // A field that a bucket counts or adds up.
  #field(
    part: Source,
    path: readonly PropertyKey[],
    value: string,
    streams: readonly Stream[],
    counted: Map<string, Field>,
  ): void {
    try {
      const field = knownField(value, streams, 0);
      const isAmount = path.at(-1) !== 'of';
      if (isAmount ? field.type !== 'number' : field.type !== 'key' && field.type !== 'address') {
        const what = isAmount ? 'a number' : 'something that can be counted';
        throw new ExpressionError(`${value} is not ${what}`, 0);
      }
      counted.set(path.join('.'), field);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      this.#mistakes.push(`${part.textPlace(path, 0)} ${path.join('.')}: ${error.message}`);
    }
  }
}

/** What a way says, and for the rest its rule. */
function wayText(rule: RuleText, { name: _, ...way }: WayText): RuleText {
  const said = Object.fromEntries(Object.entries(way).filter(([, value]) => value !== undefined));
  const text: RuleText = { ...rule, ...said, ways: undefined, tests: [] };
  // Corroboration is asked for by an action; one that asks for none has none.
  return 'with_corroboration' in text.action ? text : { ...text, corroborate: undefined };
}

/** The places of what a way says; what it inherits stands in its rule. */
function wayPart(part: Source, way: WayText, at: number): Source {
  const own = (path: readonly PropertyKey[]) =>
    Object.hasOwn(way, path[0] ?? '') ? ['ways', at, ...path] : path;
  return {
    text: part.text,
    place: (path) => part.place(own(path)),
    textPlace: (path, letter) => part.textPlace(own(path), letter),
  };
}

/** All texts in a value with their paths. */
function* leaves(
  value: unknown,
  path: readonly PropertyKey[],
): Generator<{ path: readonly PropertyKey[]; value: string }> {
  if (typeof value === 'string') yield { path, value };
  if (typeof value !== 'object' || value === null) return;
  const keys = Array.isArray(value) ? value.map((_, at) => at) : Object.keys(value);
  for (const key of keys) {
    yield* leaves((value as Record<PropertyKey, unknown>)[key], [...path, key]);
  }
}

function metaOf(text: RuleText, sha256: string): RuleMeta {
  const { action } = text;
  const [plain, strong]: [Action, Action | undefined] =
    'with_corroboration' in action
      ? [action.without_corroboration, action.with_corroboration]
      : [action, undefined];
  return {
    id: text.id,
    title: text.title,
    version: text.version,
    sha256,
    status: text.status,
    profiles: text.profiles,
    legal: text.legal,
    severity: text.severity,
    mode: text.mode as Mode,
    action: plain,
    strongAction: strong,
    corroborate: text.corroborate,
    falsePositives: text.false_positives,
  };
}
