// A list in memory, for whoever reads it: 64 bytes an entry, in pieces of 1 MiB that threads may
// share. A snapshot is the pieces as they are; who writes afterwards (`table.ts`) writes into
// copies of them. So a snapshot of a million entries costs nothing when it is taken, never changes,
// and can be read by any thread. The evidence is not here: it lies in the store.

import type { DecisionAction, Scope } from '../decide/decision.js';
import { Prefix, prefixText } from '../lib/prefix.js';
import type { ListedEntry } from './entry.js';

/** Places in a row, in 32-bit words; words 6 to 11 are the `Float`s. */
export const enum Cell {
  /** Four words of the address, IPv4 as ::ffff:a.b.c.d. */
  address = 0,
  /** length | action << 8 | direction << 16 | held << 17 | level << 24 */
  kind = 4,
  /** number of the rule | ports << 16 */
  rule = 5,
  /** The 20 hexadecimal digits of the id: two words and a half; then 16 bits of burst. */
  id = 12,
  /** Messages an hour. */
  rate = 15,
}

/** The same in 64-bit floats. */
export const enum Float {
  /** Microseconds since 1970; infinite: for ever. */
  until = 3,
  created = 4,
  revision = 5,
}

export const rowWords = 16;
/** Rows of a piece, a power of two. */
export const pieceRows = 16_384;
export const pieceShift = 14;
/** Stands for the rule where a person made the entry. */
export const manualRule = 'manual';
/** Of `Cell.kind`: nobody is told of it before a person has looked. */
export const heldBit = 1 << 17;
/** A row of this action is free. */
export const free = 0;
export const actions: readonly (DecisionAction | null)[] = [null, 'limit', 'block', 'allow'];
/** Ports that an entry may speak of, by bit. */
export const scopePorts: readonly number[] = [25, 465, 587, 2525];

/** The list as it was at one revision. Plain data: it can be sent to another thread as it is. */
export interface Snapshot {
  /** Name of the list: that of the sensor. */
  readonly list: string;
  readonly revision: number;
  /** When it was taken and when it must not be used any more, microseconds since 1970. */
  readonly generated: number;
  readonly expires: number;
  /** Entries of every action, and those of them that no person made. */
  readonly count: number;
  readonly automatic: number;
  /** Rows up to the last used one; read them through `EntryCursor`. */
  readonly rows: number;
  readonly pieces: readonly SharedArrayBuffer[];
  readonly rules: readonly string[];
}

/**
 * Reads one entry after another from a snapshot, in no particular order; it is reused. What is held
 * back it passes over, but with `all`.
 */
export class EntryCursor {
  readonly #snapshot: Snapshot;
  readonly #words: readonly Int32Array[];
  readonly #floats: readonly Float64Array[];
  #row = -1;
  #piece: Int32Array = new Int32Array(0);
  #pieceFloats: Float64Array = new Float64Array(0);
  #at = 0;
  readonly #prefix = new Prefix();
  readonly #all: boolean;

  constructor(snapshot: Snapshot, all = false) {
    this.#snapshot = snapshot;
    this.#all = all;
    this.#words = snapshot.pieces.map((piece) => new Int32Array(piece));
    this.#floats = snapshot.pieces.map((piece) => new Float64Array(piece));
  }

  /** Goes to the next entry; false where there is none. */
  next(): boolean {
    while (++this.#row < this.#snapshot.rows) {
      this.seek(this.#row);
      if (this.actionNumber !== free && (this.#all || !this.isHeld)) return true;
    }
    return false;
  }

  /** Goes to a row that `row` once gave. */
  seek(row: number): void {
    this.#row = row;
    this.#piece = this.#words[row >>> pieceShift]!;
    this.#pieceFloats = this.#floats[row >>> pieceShift]!;
    this.#at = (row & (pieceRows - 1)) * rowWords;
  }

  get row(): number {
    return this.#row;
  }

  get w0(): number {
    return this.#piece[this.#at]!;
  }

  get w1(): number {
    return this.#piece[this.#at + 1]!;
  }

  get w2(): number {
    return this.#piece[this.#at + 2]!;
  }

  get w3(): number {
    return this.#piece[this.#at + 3]!;
  }

  /** Length of the prefix in IPv6 terms; an IPv4 host has 128. */
  get bits(): number {
    return this.#piece[this.#at + Cell.kind]! & 0xff;
  }

  get isIpv4(): boolean {
    return this.bits >= 96 && this.w2 === 0xffff && this.w0 === 0 && this.w1 === 0;
  }

  /** 1 limit, 2 block, 3 allow; the greater one wins. */
  get actionNumber(): number {
    return (this.#piece[this.#at + Cell.kind]! >>> 8) & 0xff;
  }

  get action(): DecisionAction {
    return actions[this.actionNumber]!;
  }

  /** Whether nobody may be told of it before a person has looked. */
  get isHeld(): boolean {
    return (this.#piece[this.#at + Cell.kind]! & heldBit) !== 0;
  }

  /** Microseconds since 1970; infinite: for ever. */
  get until(): number {
    return this.#float(Float.until);
  }

  get created(): number {
    return this.#float(Float.created);
  }

  /** Revision that last changed it. */
  get revision(): number {
    return this.#float(Float.revision);
  }

  get level(): number {
    return this.#piece[this.#at + Cell.kind]! >>> 24;
  }

  get isManual(): boolean {
    return this.rule === manualRule;
  }

  /** Id of the rule, `manual` for a person's entry. */
  get rule(): string {
    return this.#snapshot.rules[this.ruleNumber]!;
  }

  get ruleNumber(): number {
    return this.#piece[this.#at + Cell.rule]! & 0xffff;
  }

  get ports(): readonly number[] {
    const mask = this.#piece[this.#at + Cell.rule]! >>> 16;
    return scopePorts.filter((_, bit) => (mask & (1 << bit)) !== 0);
  }

  /** Whether it is about port 25, where mail is. */
  get speaksOfMail(): boolean {
    return ((this.#piece[this.#at + Cell.rule]! >>> 16) & 1) !== 0;
  }

  /** Messages an hour of a limit, 0 where there is no limit. */
  get rate(): number {
    return this.#piece[this.#at + Cell.rate]!;
  }

  get burst(): number {
    return this.#piece[this.#at + Cell.id + 2]! & 0xffff;
  }

  get id(): string {
    return idText(this.#piece, this.#at + Cell.id);
  }

  /** Writes the id into `bytes` at `at`, 23 bytes. */
  writeId(bytes: Uint8Array, at: number): void {
    const from = this.#at + Cell.id;
    const words = this.#piece;
    bytes[at] = 0x62;
    bytes[at + 1] = 0x6c;
    bytes[at + 2] = 0x5f;
    for (let digit = 0; digit < 20; digit++) {
      const value = (words[from + (digit >> 3)]! >>> (28 - (digit & 7) * 4)) & 0xf;
      bytes[at + 3 + digit] = value < 10 ? 0x30 + value : 0x57 + value;
    }
  }

  get cidr(): string {
    const { w0, w1, w2, w3, bits } = this;
    return prefixText(Object.assign(this.#prefix, { w0, w1, w2, w3, bits }));
  }

  get scope(): Scope {
    const direction = (this.#piece[this.#at + Cell.kind]! >>> 16) & 1 ? 'in' : 'out';
    const base: Scope = { proto: 'tcp', dport: this.ports, direction };
    return this.rate > 0 ? { ...base, rate: this.rate, burst: this.burst } : base;
  }

  /** A copy that lasts. */
  keep(): ListedEntry {
    const { id, cidr, action, until, created, rule, scope, level, revision } = this;
    const end = until === Number.POSITIVE_INFINITY ? null : until;
    const held = this.isHeld ? ({ held: true } as const) : {};
    return { id, cidr, action, until: end, created, rule, scope, level, revision, ...held };
  }

  #float(cell: number): number {
    return this.#pieceFloats[(this.#at >>> 1) + cell]!;
  }
}

export function idText(words: Int32Array, at: number): string {
  const hex = (word: number, digits: number) => word.toString(16).padStart(digits, '0');
  const [first, second, third] = [words[at]! >>> 0, words[at + 1]! >>> 0, words[at + 2]! >>> 16];
  return `bl_${hex(first, 8)}${hex(second, 8)}${hex(third, 4)}`;
}
