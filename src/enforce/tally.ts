// What a listed source got done since a moment: since its entry was published, or since one
// consumer had it. It is told rows and says what they show; `sightings.ts` asks.

import { Outcome, type RowCursor, RowKind } from '../batch/row.js';
import type { ListedEntry } from '../block/entry.js';

export type TapSide = 'customer' | 'upstream' | 'unknown';

export const sightStates = ['enforced', 'leaking', 'unseen', 'quiet', 'unknown'] as const;
export type SightState = (typeof sightStates)[number];

/** What was seen of one entry since a moment; times in microseconds since 1970, null: never. */
export interface Seen {
  readonly state: SightState;
  /** The moment: when the list with the entry could first be fetched, or was. */
  readonly since: number;
  /** Connections that began after that: opened, and tried in vain. */
  readonly opened: number;
  readonly refused: number;
  /** Messages accepted from it after that, and those of them beyond what its limit allows. */
  readonly accepted: number;
  readonly excess: number;
  /** The last thing that got through against the entry, and the last attempt in vain. */
  readonly lastThrough: number | null;
  readonly lastRefused: number | null;
  /** From the moment to the last thing that got through; null while it is not seen enforced. */
  readonly timeToEnforce: number | null;
  /**
   * Of a block the share of its connections that opened, null where attempts in vain cannot be
   * seen; of a limit the share of its accepted messages that it does not allow.
   */
  readonly leak: number | null;
}

/** Upstream, who was heard so lately leaks; later he is quiet. */
const quietAfter = 600 * 1e6;
const hour = 3600 * 1e6;

export class Tally {
  readonly #entry: ListedEntry;
  readonly since: number;
  opened = 0;
  refused = 0;
  accepted = 0;
  excess = 0;
  /** Times of the latest attempts in vain, latest first; rows come in the order of their ends. */
  readonly #vain = [0, 0, 0];
  #lastThrough: number | null = null;

  constructor(entry: ListedEntry, since: number) {
    this.#entry = entry;
    this.since = since;
  }

  /** Takes the row on which the cursor stands, if what it tells began after the moment. */
  see(rows: RowCursor): void {
    if (rows.started <= this.since) return;
    if (rows.kind === RowKind.attempt) {
      this.refused += 1;
      this.#vain.push(rows.time);
      this.#vain.sort((one, other) => other - one);
      this.#vain.pop();
    } else if (rows.kind === RowKind.session && rows.handshake) {
      this.opened += 1;
      // A limit lets some connections open; what counts against it is messages.
      if (this.#entry.action === 'block') this.#through(rows.started);
    } else if (rows.kind === RowKind.transaction && rows.outcome === Outcome.accepted) {
      this.accepted += 1;
      if (this.accepted <= this.#allowed(rows.time)) return;
      this.excess += 1;
      this.#through(rows.time);
    }
  }

  /** What it shows at `now`, as far as the tap's side lets it be told. */
  shown(side: TapSide, now: number): Seen {
    const { since, opened, refused, accepted, excess } = this;
    const state = this.state(side, now);
    const took = Math.max(0, (this.#lastThrough ?? since) - since);
    return {
      state,
      since,
      opened,
      refused,
      accepted,
      excess,
      lastThrough: this.#lastThrough,
      lastRefused: this.#vain[0] || null,
      timeToEnforce: state === 'enforced' ? took : null,
      leak: this.#leak(side),
    };
  }

  state(side: TapSide, now: number): SightState {
    const last = this.#lastThrough;
    if (side === 'customer') {
      // One attempt in vain may have met a dead server; three, and nothing that opened, tell.
      if (this.#vain.at(-1)! > (last ?? this.since)) return 'enforced';
      return last === null ? 'unseen' : 'leaking';
    }
    if (last !== null && now - last <= quietAfter) return 'leaking';
    return side === 'upstream' ? 'quiet' : 'unknown';
  }

  #leak(side: TapSide): number | null {
    if (this.#entry.action === 'limit') {
      return this.accepted > 0 ? this.excess / this.accepted : null;
    }
    const all = this.opened + this.refused;
    return side === 'customer' && all > 0 ? this.opened / all : null;
  }

  /** Messages that the entry allows from the moment up to a time. */
  #allowed(time: number): number {
    const { action, scope } = this.#entry;
    const { rate = 0, burst = 0 } = scope;
    return action === 'block' ? 0 : burst + (rate * (time - this.since)) / hour;
  }

  #through(time: number): void {
    this.#lastThrough = Math.max(this.#lastThrough ?? 0, time);
  }
}
