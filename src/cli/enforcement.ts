// Enforcement as the daemon sees it: the kernel's rules of this box, where they are asked for, the
// messages of limited sources, and what the wire shows of all entries.

import type { Logger } from 'pino';
import type { RowSink } from '../batch/row.js';
import type { BlockList } from '../block/list.js';
import type { Config } from '../config.js';
import { Allowances } from '../enforce/allowances.js';
import { Enforcer, type EnforcerStats, type Hand } from '../enforce/nftables.js';
import { type SeenTogether, Sightings, type SightingsStats } from '../enforce/sightings.js';
import type { Seen } from '../enforce/tally.js';

/** This box's kernel among the consumers; no token can have the name. */
const thisBox = 'this box';

const moment = (micros: number | null): string | null =>
  micros === null ? null : new Date(micros / 1000).toISOString();

function seenView(seen: Seen): object {
  const { state, opened, refused, accepted, excess, leak } = seen;
  const { lastThrough, lastRefused, timeToEnforce } = seen;
  return {
    ...{ state, opened, refused, accepted, excess },
    leak_ratio: leak,
    last_through: moment(lastThrough),
    last_refused: moment(lastRefused),
    time_to_enforce_ms: timeToEnforce === null ? null : Math.round(timeToEnforce / 1000),
  };
}

/** In the `stats` event. */
export interface EnforcementStats {
  readonly nftables?: EnforcerStats;
  readonly seen: SightingsStats;
}

export class Enforcement implements RowSink {
  readonly #enforcer: Enforcer | null;
  readonly #allowances: Allowances | null;
  readonly #stop: () => void;
  readonly #sightings: Sightings;

  /** `hand` is where the kernel's rules are changed; null: they are not. */
  constructor(
    { enforce, capture }: Config,
    list: BlockList,
    { log, hand }: { readonly log: Logger; readonly hand: Hand | null },
  ) {
    const { nftables } = enforce;
    this.#sightings = new Sightings(list, capture.tap_side);
    this.#enforcer = null;
    this.#allowances = null;
    if (nftables !== undefined && hand === null) {
      log.warn('enforce.nftables: a replay is not enforced');
    }
    if (nftables !== undefined && hand !== null) {
      const { ports, life_s, entries_max } = nftables;
      const trouble = (problem: string): void =>
        log.error({ problem }, 'nftables: not enforced; tried again');
      const enforcer = new Enforcer(hand, {
        ...{ ports, life_s, entriesMax: entries_max, trouble },
        enforced: (revision) => list.holders.note(thisBox, 'all', { revision, time: list.now }),
      });
      this.#enforcer = enforcer;
      this.#allowances = new Allowances(list, (shut) => enforcer.shut(shut));
    }
    const { snapshot, stop } = list.follow((all) => {
      const changes = all.filter(({ entry }) => entry.held !== true);
      this.#enforcer?.changes(changes);
      this.#allowances?.changes(changes);
      this.#sightings.changes(changes);
    });
    this.#stop = stop;
    this.#enforcer?.begin(snapshot);
    this.#allowances?.begin(snapshot);
    this.#sightings.begin(snapshot);
  }

  rows(area: ArrayBuffer, length: number): void {
    this.#allowances?.rows(area, length);
    this.#sightings.rows(area, length);
  }

  /** Time runs on, microseconds. */
  tick(now: number): void {
    this.#enforcer?.tick(now);
    this.#sightings.tick(now);
  }

  /** What the wire shows of an entry, as the API tells it; undefined where nobody looks. */
  entry(id: string): object | undefined {
    const sight = this.#sightings.of(id);
    if (sight === undefined) return undefined;
    return {
      published_at: moment(sight.since),
      ...seenView(sight),
      consumers: sight.consumers.map((one) => ({
        name: one.name,
        has_it_since: moment(one.since),
        ...seenView(one),
      })),
    };
  }

  /** The same of the entries that each consumer has, by its name. */
  consumers(): Readonly<Record<string, SeenTogether>> {
    return this.#sightings.stats().consumers;
  }

  stats(): EnforcementStats {
    const nftables = this.#enforcer?.stats();
    void this.#enforcer?.count();
    return { ...(nftables !== undefined && { nftables }), seen: this.#sightings.stats() };
  }

  /** The kernel's rules of ours go. */
  async close(): Promise<void> {
    this.#stop();
    await this.#enforcer?.close();
  }
}
