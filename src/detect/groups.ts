// The tables of subjects that a set of rules needs: one for each grouping and, because most rules
// speak of one of the two only, one for own and one for foreign addresses. In each the rules that
// group so have their segments one behind the other.

import { roleNames } from '../register/server.js';
import type { Facts } from './facts.js';
import { type Grouping, keyOf } from './grouping.js';
import type { OpenFindings } from './open.js';
import { contexts, type Rule, RuleAt } from './rule.js';
import { headWords, SubjectTable } from './state/subjects.js';

/** Groupings by anything but addresses have fewer subjects that matter. */
const largest: Readonly<Record<string, number>> = { dst: 1 / 4, network: 0 };

export class GroupTable {
  readonly name: string;
  readonly grouping: Grouping;
  /** Subjects are the provider's own addresses. */
  readonly isOwn: boolean;
  readonly subjects: SubjectTable;
  readonly #offsets: ReadonlyMap<Rule, number>;
  readonly #isPlain: boolean;
  readonly #key = new Int32Array(5);
  #row = -1;
  #serial = -1;
  #at = -1;
  /** Prefix length of the subject that was opened last, in its own family. */
  bits = 32;

  /** `release` hears which rule's state at which word is given up. */
  constructor(
    name: string,
    rules: readonly Rule[],
    capacity: number,
    ids: { readonly id: number; readonly seed: number },
    release: (rule: Rule, owner: number) => void,
  ) {
    this.name = name;
    this.grouping = rules[0]!.definition.grouping;
    this.isOwn = name.endsWith('/own');
    this.#isPlain = this.grouping.second < 0;
    let words = headWords;
    const offsets = new Map<Rule, number>();
    for (const rule of rules) {
      offsets.set(rule, words);
      words += rule.words;
    }
    this.#offsets = offsets;
    const segments = words - headWords;
    this.subjects = new SubjectTable({ segments, capacity, ...ids }, (base) => {
      for (const [rule, offset] of offsets) {
        const { cells } = this.subjects;
        rule.bucket.release(cells, base + offset + rule.words - rule.bucket.words);
        release(rule, cells.keyOf(base + offset));
      }
    });
  }

  /** All tables of a set. */
  static forRules(
    rules: readonly Rule[],
    capacity: number,
    seed: number,
    release: (rule: Rule, owner: number) => void,
  ): GroupTable[] {
    const byName = new Map<string, Rule[]>();
    for (const rule of rules) {
      for (const side of sidesOf(rule)) {
        const name = `${rule.definition.grouping.name}${side}`;
        byName.set(name, [...(byName.get(name) ?? []), rule]);
      }
    }
    return [...byName].map(([name, some], id) => {
      const share = largest[some[0]!.definition.grouping.side] ?? 1;
      const room = Math.max(16, Math.ceil(capacity * share));
      return new GroupTable(name, some, room, { id, seed }, release);
    });
  }

  /** A client has one address, the rest of a server's addresses, in the order of the key. */
  get isServer(): boolean {
    return this.grouping.side === 'dst';
  }

  has(rule: Rule): boolean {
    return this.#offsets.has(rule);
  }

  /** Whether the state of `rule` stands here in this context. */
  holds(rule: Rule, context: number): boolean {
    if (!this.#offsets.has(rule)) return false;
    const { side } = this.grouping;
    if (side === 'network') return true;
    return isOwnIn(side, context) === this.isOwn;
  }

  offsetOf(rule: Rule): number {
    return this.#offsets.get(rule)!;
  }

  /**
   * First word of the record of the subject at hand. `row` changes with the row, `serial` with each
   * recipient: without a second part the key is that of the row, and serves all rules and
   * recipients.
   */
  record(row: number, serial: number, facts: Facts): number {
    if (row === this.#row && (this.#isPlain || serial === this.#serial)) return this.#at;
    this.#row = row;
    this.#serial = serial;
    this.bits = keyOf(this.grouping, facts, this.#key);
    this.#at = this.subjects.open(this.#key, facts.second);
    return this.#at;
  }

  /** The same, but -1 where the subject has no record yet. */
  known(row: number, serial: number, facts: Facts): number {
    if (row === this.#row && (this.#isPlain || serial === this.#serial)) return this.#at;
    this.bits = keyOf(this.grouping, facts, this.#key);
    return this.subjects.find(this.#key);
  }

  /** Takes over what the table of the rules before knows of rules that are still the same. */
  moveFrom(old: GroupTable, open: OpenFindings): void {
    const moves = [...this.#offsets].flatMap(([rule, to]) => {
      const same = [...old.#offsets].find(([other]) => other.bucket === rule.bucket);
      return same === undefined ? [] : [{ rule, to, from: same[1] }];
    });
    const gone = [...old.#offsets].filter(
      ([rule]) => !moves.some((m) => m.rule.bucket === rule.bucket),
    );
    const source = old.subjects;
    const key = new Int32Array(5);
    for (let record = 0; record < source.used; record++) {
      const base = record * source.stride;
      for (const [rule, offset] of gone) {
        const at = base + offset + rule.words - rule.bucket.words;
        rule.bucket.release(source.cells, at);
      }
      const { words } = source.cells;
      for (let i = 0; i < 5; i++) key[i] = words[base + i]!;
      const here = this.subjects.open(key, words[base + 5]!);
      for (const { rule, to, from } of moves) {
        const at = base + from;
        this.subjects.cells.words.set(words.subarray(at, at + rule.words), here + to);
        const [before, after] = [source.cells.keyOf(at), this.subjects.cells.keyOf(here + to)];
        open.move(rule, { before, after, at: here + to, table: this });
        const state = rule.words - rule.bucket.words;
        rule.bucket.moved?.(this.subjects.cells, here + to + state, source.cells.keyOf(at + state));
        open.samples.rename(words[at + RuleAt.samples]!, before, after);
      }
    }
  }
}

/** Which tables a rule needs: that of own, that of foreign addresses, or the only one. */
function sidesOf(rule: Rule): string[] {
  const { side } = rule.definition.grouping;
  if (side === 'network') return [''];
  const found = new Set<string>();
  for (const wheres of rule.wheres) {
    wheres.forEach((where, context) => {
      if (where !== null) found.add(isOwnIn(side, context) ? '/own' : '/foreign');
    });
  }
  return [...found].sort();
}

/** Whether the subject is own in a context. */
function isOwnIn(side: 'src' | 'dst', context: number): boolean {
  const flags = Math.floor(context / roleNames.length);
  return side === 'src' ? flags % 2 === 1 : flags >= 2 && context < contexts;
}
