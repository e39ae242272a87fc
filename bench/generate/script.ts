// What one connection will say, compactly: turns of pieces, each piece a range of the script's own
// text or of a shared pool. 100,000 scripts are in memory at once, so nothing here is an object per
// line.

import type { LinePool, Pools, Slice } from './pool.js';

/** Direction numbers, as index into pairs. */
export const Dir = { client: 0, server: 1 } as const;

/** Sources of pieces: 0 is the script's own text, the others are pools. */
export function sourcesOf(pools: Pools): Buffer[] {
  return [Buffer.alloc(0), pools.plain.bytes, pools.html.bytes, pools.base64.bytes, pools.noise];
}

/** Words of `Script.pieces` and `Script.turns` per entry. */
export const pieceWords = 3;
export const turnWords = 3;

/** The turns of a connection. Build with `say` and `end`, then `finish` once. */
export class Script {
  /** Source, from, to. */
  readonly pieces: number[] = [];
  /** Direction, number of the piece behind the turn, microseconds of thought before it. */
  readonly turns: number[] = [];
  text: Buffer = Buffer.alloc(0);
  readonly #pools: Pools;
  #parts: string[] = [];
  #length = 0;

  constructor(pools: Pools) {
    this.#pools = pools;
  }

  /** Adds text (Latin-1) to the turn. */
  say(text: string): this {
    if (text.length === 0) return this;
    this.#parts.push(text);
    const last = this.pieces.length - pieceWords;
    const open = this.turns.length === 0 ? 0 : this.turns[this.turns.length - 2]!;
    if (last >= open * pieceWords && this.pieces[last] === 0) {
      this.pieces[last + 2] = this.#length + text.length;
    } else {
      this.pieces.push(0, this.#length, this.#length + text.length);
    }
    this.#length += text.length;
    return this;
  }

  /** Adds a part of a message, or `cut` bytes of it. */
  add(part: string | Slice): this {
    if (typeof part === 'string') return this.say(part);
    this.pieces.push(this.#source(part.pool), part.from, part.to);
    return this;
  }

  /** Adds bytes without pattern. */
  addNoise(from: number, length: number): this {
    this.pieces.push(4, from, from + length);
    return this;
  }

  /** Ends the turn: it is sent by `dir`, `think` microseconds after it could have been. */
  end(dir: number, think: number): this {
    this.turns.push(dir, this.pieces.length / pieceWords, Math.round(think));
    return this;
  }

  finish(): this {
    this.text = Buffer.from(this.#parts.join(''), 'latin1');
    this.#parts = [];
    return this;
  }

  #source(pool: LinePool): number {
    if (pool === this.#pools.plain) return 1;
    return pool === this.#pools.html ? 2 : 3;
  }
}

/** The truth about one mail transaction, in the words of the product's own events. */
export interface Truth {
  readonly tx_id: number;
  readonly mail_from: string;
  readonly rcpt_to: readonly string[];
  readonly rcpt_codes: readonly number[];
  /** Null where there was no DATA (BDAT, or every recipient refused). */
  readonly data_code: number | null;
  /** Reply to the end of the message, null where there was none. */
  readonly final_code: number | null;
  /** Message size as RFC 1870 counts it, null without a data phase. */
  readonly bytes: number | null;
  readonly chunking: boolean;
  readonly pipelined: boolean;
}

/** One connection to come. */
export interface Plan {
  readonly client: string;
  readonly server: string;
  readonly clientPort: number;
  readonly serverPort: number;
  /** VLAN identifiers, outer first, at most two. */
  readonly vlan: readonly number[];
  /** A PPPoE session around the IP packet. */
  readonly pppoe?: boolean;
  /** SYNs of a connection that nobody answers, a second, two, four ... apart; 1 when not given. */
  readonly syns?: number;
  /** Microseconds. */
  readonly rtt: number;
  readonly mss: number;
  readonly timestamps: boolean;
  /** What is said; null for a lone SYN. */
  readonly script: Script | null;
  /** Who ends it, and how. */
  readonly close: 'client-fin' | 'server-fin' | 'client-rst' | 'refused' | 'none';
  /** Directions that the capture sees: 1 client, 2 server, 3 both. */
  readonly sides: number;
  /** Microseconds after the start of the capture, or -1: as soon as there is room. */
  readonly start: number;
  readonly truth: readonly Truth[];
}
