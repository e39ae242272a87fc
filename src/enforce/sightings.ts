// Whether the wire shows that an entry is enforced: what listed sources still get done at this tap
// after their entry was published. `Published` is not `seen enforced`, and what the tap cannot see
// is not claimed (consumers.md 1, pains 11, 14 and 17).
//
//   tap_side   an enforced source looks like this      so these can be told
//   customer   connections are tried and never open    enforced · leaking · unseen
//   upstream   nothing at all: as one that has stopped  leaking · quiet
//   unknown    nobody knows                             leaking · unknown

import { RowCursor } from '../batch/row.js';
import type { ListChange, ListedEntry } from '../block/entry.js';
import type { BlockList } from '../block/list.js';
import { EntryCursor, type Snapshot } from '../block/rows.js';
import { Prefix } from '../lib/prefix.js';
import { type Seen, type SightState, Tally, type TapSide } from './tally.js';

/** What was seen of one entry since it was published, and since each consumer had it. */
export interface Sight extends Seen {
  readonly id: string;
  readonly consumers: readonly (Seen & { readonly name: string })[];
}

/** The same of many entries together. */
export interface SeenTogether {
  readonly entries: number;
  readonly states: Readonly<Record<SightState, number>>;
  /** As `Seen.leak`, over all connections to blocks and all messages of limits; null: none. */
  readonly leak_ratio: number | null;
  /** Of the entries seen enforced, milliseconds; null where there is none. */
  readonly time_to_enforce_ms: { readonly median: number; readonly max: number } | null;
}

export interface SightingsStats extends SeenTogether {
  /** Entries that there was no room to watch, and consumers of entries. */
  readonly unwatched: number;
  readonly unwatched_consumers: number;
  /** Of each consumer, since it had the entries: those of which anything was seen. */
  readonly consumers: Readonly<Record<string, SeenTogether>>;
}

/** Entries that are watched, consumers of one, and of all together. */
const entriesMax = 100_000;
const consumersMax = 16;
const talliesMax = 200_000;

interface Watch {
  readonly entry: ListedEntry;
  readonly all: Tally;
  /** Of consumers that have the entry and of which something was seen since then. */
  readonly by: Map<string, Tally>;
  /** Version of `holders` that `by` goes by. */
  version: number;
}

/** What it needs of a list. */
type Watched = Pick<BlockList, 'idsCovering' | 'holders'>;

export class Sightings {
  readonly #list: Watched;
  readonly #side: TapSide;
  readonly #watches = new Map<string, Watch>();
  readonly #rows = new RowCursor();
  readonly #client = new Prefix();
  #now = 0;
  #unwatched = 0;
  #tallies = 0;
  #unwatchedConsumers = 0;

  constructor(list: Watched, side: TapSide) {
    this.#list = list;
    this.#side = side;
    this.#client.bits = 128;
  }

  /** Entries that a restart found are as good as published now. */
  begin(snapshot: Snapshot): void {
    const cursor = new EntryCursor(snapshot);
    while (cursor.next()) {
      // Beyond them nothing is read of a million.
      if (this.#watches.size >= entriesMax) this.#unwatched += cursor.action === 'allow' ? 0 : 1;
      else this.#enter(cursor.keep(), snapshot.generated);
    }
  }

  changes(changes: readonly ListChange[]): void {
    for (const { kind, entry, time } of changes) {
      if (kind === 'removed') this.#leave(entry.id);
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
    const consumers = [...watch.by].map(([name, tally]) => ({ name, ...this.#shown(tally) }));
    return { id, ...this.#shown(watch.all), consumers };
  }

  stats(): SightingsStats {
    const all = new Sum();
    const consumers = new Map<string, Sum>();
    for (const { entry, all: tally, by } of this.#watches.values()) {
      all.add(entry, this.#shown(tally), this.#side);
      for (const [name, one] of by) {
        let sum = consumers.get(name);
        if (sum === undefined) {
          sum = new Sum();
          consumers.set(name, sum);
        }
        sum.add(entry, this.#shown(one), this.#side);
      }
    }
    return {
      ...all.told(),
      unwatched: this.#unwatched,
      unwatched_consumers: this.#unwatchedConsumers,
      consumers: Object.fromEntries([...consumers].map(([name, sum]) => [name, sum.told()])),
    };
  }

  #shown(tally: Tally): Seen {
    return tally.shown(this.#side, this.#now);
  }

  #enter(entry: ListedEntry, published: number): void {
    if (entry.action === 'allow') return;
    if (this.#watches.size >= entriesMax) {
      this.#unwatched += 1;
      return;
    }
    const all = new Tally(entry, published);
    this.#watches.set(entry.id, { entry, all, by: new Map(), version: -1 });
  }

  #leave(id: string): void {
    this.#tallies -= this.#watches.get(id)?.by.size ?? 0;
    this.#watches.delete(id);
  }

  #see(watch: Watch): void {
    const rows = this.#rows;
    watch.all.see(rows);
    const { holders } = this.#list;
    if (watch.version !== holders.version) this.#meet(watch);
    for (const tally of watch.by.values()) tally.see(rows);
  }

  /** Whoever has the entry by now is watched from the moment on at which he had it. */
  #meet(watch: Watch): void {
    const { entry, by } = watch;
    const { holders } = this.#list;
    watch.version = holders.version;
    for (const { name, since } of holders.having(entry.revision, entry.action)) {
      if (by.has(name)) continue;
      if (by.size >= consumersMax || this.#tallies >= talliesMax) {
        this.#unwatchedConsumers += 1;
        continue;
      }
      // Nobody had it before it was there, whatever a restart dates anew.
      by.set(name, new Tally(entry, Math.max(since, watch.all.since)));
      this.#tallies += 1;
    }
  }
}

/** Adds up what was seen of entries. */
class Sum {
  #entries = 0;
  readonly #states = { enforced: 0, leaking: 0, unseen: 0, quiet: 0, unknown: 0 };
  #through = 0;
  #tried = 0;
  readonly #times: number[] = [];

  add({ action }: ListedEntry, seen: Seen, side: TapSide): void {
    const { state, opened, refused, accepted, excess, timeToEnforce } = seen;
    this.#entries += 1;
    this.#states[state] += 1;
    if (timeToEnforce !== null) this.#times.push(timeToEnforce / 1000);
    if (action === 'limit') {
      this.#through += excess;
      this.#tried += accepted;
    } else if (side === 'customer') {
      this.#through += opened;
      this.#tried += opened + refused;
    }
  }

  told(): SeenTogether {
    const times = this.#times.sort((one, other) => one - other);
    const [median, max] = [times[times.length >> 1], times.at(-1)];
    return {
      entries: this.#entries,
      states: this.#states,
      leak_ratio: this.#tried > 0 ? this.#through / this.#tried : null,
      time_to_enforce_ms: median === undefined ? null : { median, max: max! },
    };
  }
}
