// Who did most, in bounded memory: a table of client addresses that forgets its smallest half when
// it is full. What it forgot at most is known, so figures can honestly say "at least". It also
// holds the bounded picture of messages over time.

/** Counts of one client. */
export interface Client {
  readonly words: readonly number[];
  sessions: number;
  messages: number;
  refusals: number;
}

/** Clients with the largest counts. After a prune every count is a lower bound. */
export class ClientTable {
  readonly #capacity: number;
  readonly #clients = new Map<string | number, Client>();
  /** The most that one forgotten client can have had; 0 while nothing was forgotten. */
  missing = 0;

  constructor(capacity = 65_536) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#clients.size;
  }

  /** The counts of the address in four words, at zero for a new one. */
  client(a: number, b: number, c: number, d: number): Client {
    const key = a === 0 && b === 0 && c === 0xffff ? d : `${a} ${b} ${c} ${d}`;
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    if (this.#clients.size >= this.#capacity) this.#forget();
    const fresh = { words: [a, b, c, d], sessions: 0, messages: 0, refusals: 0 };
    this.#clients.set(key, fresh);
    return fresh;
  }

  /** The `most` clients with the highest `rank` above 0, highest first. */
  top(most: number, rank: (client: Client) => number): Client[] {
    return [...this.#clients.values()]
      .filter((client) => rank(client) > 0)
      .sort((one, other) => rank(other) - rank(one) || before(one.words, other.words))
      .slice(0, most);
  }

  #forget(): void {
    const weights = [...this.#clients.values()].map(weight).sort((one, other) => one - other);
    const limit = weights[weights.length >> 1]!;
    let left = weights.length >> 1;
    for (const [key, client] of this.#clients) {
      if (left === 0) break;
      if (weight(client) > limit) continue;
      this.#clients.delete(key);
      left -= 1;
    }
    // A client may come back and be forgotten again: what it lost adds up.
    this.missing += limit;
  }
}

function weight(client: Client): number {
  return client.sessions + client.messages + client.refusals;
}

function before(one: readonly number[], other: readonly number[]): number {
  for (let word = 0; word < 4; word++) {
    const difference = (one[word]! >>> 0) - (other[word]! >>> 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Events over time in a fixed number of columns; a column's span doubles when time runs on. */
export class Timeline {
  readonly columns: number;
  #values: number[];
  #start = Number.NaN;
  #step = 1_000_000;

  constructor(columns = 60) {
    this.columns = columns;
    this.#values = new Array<number>(columns).fill(0);
  }

  /** Microseconds that one column stands for. */
  get step(): number {
    return this.#step;
  }

  /** Columns in use, oldest first. */
  get values(): readonly number[] {
    return this.#values.slice(0, this.#values.findLastIndex((value) => value > 0) + 1);
  }

  /** One event at `time` in microseconds; one before the first counts in the first column. */
  add(time: number): void {
    if (!Number.isFinite(time)) return;
    if (Number.isNaN(this.#start)) this.#start = time;
    while (time - this.#start >= this.columns * this.#step) this.#fold();
    const column = Math.max(0, Math.floor((time - this.#start) / this.#step));
    this.#values[column]! += 1;
  }

  #fold(): void {
    const half = this.#values.map((_, at) => {
      const left = this.#values[at * 2] ?? 0;
      return left + (this.#values[at * 2 + 1] ?? 0);
    });
    this.#values = half;
    this.#step *= 2;
  }
}
