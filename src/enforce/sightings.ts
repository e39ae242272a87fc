// Whether the wire shows that an entry is enforced: what listed sources still get done at this tap
// after their entry was published. `Published` is not `seen enforced`, and what the tap cannot see
// is not claimed (consumers.md 1, pains 11, 14 and 17).
//
//   tap_side   an enforced source looks like this      so these can be told
//   customer   connections are tried and never open    enforced · leaking · unseen
//   upstream   nothing at all: as one that has stopped  leaking · quiet
//   unknown    nobody knows                             leaking · unknown

import { Outcome, RowCursor, RowKind } from '../batch/row.js';
import type { ListChange, ListedEntry } from '../block/entry.js';
import type { BlockList } from '../block/list.js';
import { EntryCursor, type Snapshot } from '../block/rows.js';
import { Prefix } from '../lib/prefix.js';

export type TapSide = 'customer' | 'upstream' | 'unknown';

export const sightStates = ['enforced', 'leaking', 'unseen', 'quiet', 'unknown'] as const;
export type SightState = (typeof sightStates)[number];

/** What was seen of one entry; times in microseconds since 1970, null: never. */
export interface Sight {
  readonly id: string;
  readonly state: SightState;
  /** When the list with the entry could first be fetched. */
  readonly published: number;
  /** Connections that began after that: opened, and tried in vain. */
  readonly opened: number;
  readonly refused: number;
  /** Messages accepted from it after that, beyond what its limit allows. */
  readonly excess: number;
  /** The last thing that got through against the entry, and the last attempt in vain. */
  readonly lastThrough: number | null;
  readonly lastRefused: number | null;
  /** From publishing to the last thing that got through; null while it is not seen enforced. */
  readonly timeToEnforce: number | null;
  /** Share of its connections that opened; null where attempts in vain cannot be seen. */
  readonly leak: number | null;
}

export interface SightingsStats {
  readonly entries: number;
  /** Entries that there was no room to watch. */
  readonly unwatched: number;
  readonly states: Readonly<Record<SightState, number>>;
  /** Of the entries seen enforced, milliseconds; null where there is none. */
  readonly time_to_enforce_ms: { readonly median: number; readonly max: number } | null;
}

/** Entries that are watched. */
const entriesMax = 100_000;
/** Upstream, who was heard so lately leaks; later he is quiet. */
const quietAfter = 600 * 1e6;
const hour = 3600 * 1e6;

class Watch {
  readonly entry: ListedEntry;
  readonly published: number;
  opened = 0;
  refused = 0;
  /** Times of the latest attempts in vain, latest first; rows come in the order of their ends. */
  readonly vain = [0, 0, 0];
  accepted = 0;
  excess = 0;
  lastThrough: number | null = null;

  constructor(entry: ListedEntry, published: number) {
    this.entry = entry;
    this.published = published;
  }
}

export class Sightings {
  readonly #list: Pick<BlockList, 'idsCovering'>;
  readonly #side: TapSide;
  readonly #watches = new Map<string, Watch>();
  readonly #rows = new RowCursor();
  readonly #client = new Prefix();
  #now = 0;
  #unwatched = 0;

  constructor(list: Pick<BlockList, 'idsCovering'>, side: TapSide) {
    this.#list = list;
    this.#side = side;
    this.#client.bits = 128;
  }

  /** Entries that a restart found are as good as published now. */
  begin(snapshot: Snapshot): void {
    const cursor = new EntryCursor(snapshot);
    while (cursor.next()) this.#enter(cursor.keep(), snapshot.generated);
  }

  changes(changes: readonly ListChange[]): void {
    for (const { kind, entry, time } of changes) {
      if (kind === 'removed') this.#watches.delete(entry.id);
      else if (!this.#watches.has(entry.id)) this.#enter(entry, time);
    }
  }

  tick(now: number): void {
    this.#now = Math.max(this.#now, now);
  }

  rows(area: ArrayBuffer, length: number): void {
    if (this.#watches.size === 0) return;
    const rows = this.#rows;
    rows.open(area, length);
    while (rows.next()) {
      rows.clientInto(this.#client);
      for (const id of this.#list.idsCovering(this.#client)) {
        const watch = this.#watches.get(id);
        if (watch?.entry.scope.dport.includes(rows.serverPort) === true) this.#see(watch);
      }
    }
  }

  /** What was seen of an entry; undefined where it is not watched. */
  of(id: string): Sight | undefined {
    const watch = this.#watches.get(id);
    if (watch === undefined) return undefined;
    const { published, opened, refused, excess, lastThrough, vain } = watch;
    const state = this.#state(watch);
    const took = Math.max(0, (lastThrough ?? published) - published);
    const seen = opened + refused;
    return {
      id,
      state,
      published,
      opened,
      refused,
      excess,
      lastThrough,
      lastRefused: vain[0] || null,
      timeToEnforce: state === 'enforced' ? took : null,
      leak: this.#side === 'customer' && seen > 0 ? opened / seen : null,
    };
  }

  stats(): SightingsStats {
    const states = { enforced: 0, leaking: 0, unseen: 0, quiet: 0, unknown: 0 };
    const times: number[] = [];
    for (const watch of this.#watches.values()) {
      const state = this.#state(watch);
      states[state] += 1;
      if (state !== 'enforced') continue;
      times.push(Math.max(0, (watch.lastThrough ?? watch.published) - watch.published) / 1000);
    }
    times.sort((one, other) => one - other);
    const [median, max] = [times[times.length >> 1], times.at(-1)];
    return {
      entries: this.#watches.size,
      unwatched: this.#unwatched,
      states,
      time_to_enforce_ms: median === undefined ? null : { median, max: max! },
    };
  }

  #enter(entry: ListedEntry, published: number): void {
    if (entry.action === 'allow') return;
    if (this.#watches.size >= entriesMax) this.#unwatched += 1;
    else this.#watches.set(entry.id, new Watch(entry, published));
  }

  #see(watch: Watch): void {
    const rows = this.#rows;
    if (rows.started <= watch.published) return;
    if (rows.kind === RowKind.attempt) {
      watch.refused += 1;
      watch.vain.push(rows.time);
      watch.vain.sort((one, other) => other - one);
      watch.vain.pop();
    } else if (rows.kind === RowKind.session && rows.handshake) {
      watch.opened += 1;
      // A limit lets some connections open; what counts against it is messages.
      if (watch.entry.action === 'block') through(watch, rows.started);
    } else if (rows.kind === RowKind.transaction && rows.outcome === Outcome.accepted) {
      watch.accepted += 1;
      if (watch.accepted <= this.#allowed(watch)) return;
      watch.excess += 1;
      through(watch, rows.time);
    }
  }

  /** Messages that the entry allows from its publishing up to the row. */
  #allowed({ entry, published }: Watch): number {
    const { rate = 0, burst = 0 } = entry.scope;
    return entry.action === 'block' ? 0 : burst + (rate * (this.#rows.time - published)) / hour;
  }

  #state({ lastThrough, published, vain }: Watch): SightState {
    if (this.#side === 'customer') {
      // One attempt in vain may have met a dead server; three, and nothing that opened, tell.
      if (vain.at(-1)! > (lastThrough ?? published)) return 'enforced';
      return lastThrough === null ? 'unseen' : 'leaking';
    }
    const isLate = lastThrough === null || this.#now - lastThrough > quietAfter;
    if (!isLate) return 'leaking';
    return this.#side === 'upstream' ? 'quiet' : 'unknown';
  }
}

function through(watch: Watch, time: number): void {
  watch.lastThrough = Math.max(watch.lastThrough ?? 0, time);
}
