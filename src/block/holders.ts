// Who has which revision of the list, and since when: consumers that fetched it, and this box's
// kernel. "Has" is all that this says; whether anybody acts on it is seen on the wire.

/** What of the list somebody took: entries that block, that limit, or both. */
export type Taken = 'block' | 'limit' | 'all';

/** Somebody who has a revision or a later one. */
export interface Holder {
  readonly name: string;
  /** When he had it for certain, microseconds since 1970. */
  readonly since: number;
  /** False: he had it earlier, and nobody remembers when. */
  readonly isExact: boolean;
}

interface Step {
  readonly revision: number;
  readonly time: number;
  readonly taken: Taken;
}

/** Steps of one holder that are kept; of an older one it is only known that it is behind him. */
const stepsMax = 64;
/** Holders that are told apart; later ones are not kept. */
const holdersMax = 1000;

export class Holders {
  readonly #steps = new Map<string, Step[]>();
  /** Goes up with everything that is new here. */
  version = 0;

  /** Somebody has the list as of `revision` at `time`. */
  note(name: string, taken: Taken, { revision, time }: Omit<Step, 'taken'>): void {
    let steps = this.#steps.get(name);
    if (steps === undefined) {
      if (this.#steps.size >= holdersMax) return;
      steps = [];
      this.#steps.set(name, steps);
    }
    const last = steps.findLast((step) => step.taken === taken);
    if (last?.revision === revision) return;
    steps.push({ revision, time, taken });
    if (steps.length > stepsMax) steps.shift();
    this.version += 1;
  }

  /** The latest step of everybody. */
  get all(): { readonly name: string; readonly revision: number; readonly time: number }[] {
    return [...this.#steps].map(([name, steps]) => ({ name, ...steps.at(-1)! }));
  }

  /** Who has an entry of an action that came with `revision`; nobody where that is `allow`. */
  having(revision: number, action: string): Holder[] {
    const found: Holder[] = [];
    for (const [name, steps] of this.#steps) {
      const own = steps.filter(({ taken }) => taken === 'all' || taken === action);
      const last = own.at(-1);
      // A document that is served again after a failure may be an older one.
      if (last === undefined || last.revision < revision) continue;
      const first = own.find((step) => step.revision >= revision)!;
      const isExact = steps.length < stepsMax || first !== own[0];
      found.push({ name, since: first.time, isExact });
    }
    return found;
  }
}
