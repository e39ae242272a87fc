// The register and its clocks as numbers: how many entries it has, what ends soon, and what the
// regulations find late or due. Which entries these are stands in `mailweir register lint` and the
// console.

import { clockItems } from '../register/clock.js';
import type { CodeEntry } from '../register/code.js';
import type { ProfileName } from '../register/profile.js';
import type { Register } from '../register/register.js';

const day = 86_400 * 1e6;
/** Clocks go by days, and a register may have a million rows: not counted at each scrape. */
const renew = 3600 * 1e6;

/** Ends within these many days. */
const spans = [7, 30, 90] as const;

export interface ClockFigures {
  /** Entries by register. */
  readonly entries: Readonly<Record<string, number>>;
  /** Entries that end within 7, 30 and 90 days, by register. */
  readonly ending: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Findings of the register's clocks, by name: late-filing, code-expired and so on. */
  readonly clocks: Readonly<Record<string, number>>;
}

/** Every name that `clockItems` gives: a series of zero says that somebody looked. */
export const clockNames = [
  'late-filing',
  'filing-due',
  'never-filed',
  'late-change',
  'change-due',
  'change-never-filed',
  'no-licence',
  'wide-entry',
  'code-undated',
  'code-term',
  'code-expired',
  'extension-due',
  'allow-over',
] as const;

export class Clocks {
  #register: Register | null = null;
  #counted = Number.NEGATIVE_INFINITY;
  #figures: ClockFigures = { entries: {}, ending: {}, clocks: {} };

  /** As of `time`, microseconds; an hour old at most. */
  figures(register: Register, profiles: readonly ProfileName[], time: number): ClockFigures {
    const isOld = Math.abs(time - this.#counted) >= renew;
    if (register !== this.#register || isOld) {
      this.#figures = count(register, profiles, time);
      this.#register = register;
      this.#counted = time;
    }
    return this.#figures;
  }
}

function count(register: Register, profiles: readonly ProfileName[], time: number): ClockFigures {
  const clocks: Record<string, number> = Object.fromEntries(clockNames.map((name) => [name, 0]));
  for (const { name } of clockItems(register, profiles, time)) clocks[name] = clocks[name]! + 1;
  const { servers, codes, allow, pools } = register;
  return {
    entries: {
      servers: servers.length,
      codes: codes.entries.length,
      allow: allow.length,
      pools: pools.length,
    },
    ending: {
      servers: ending(
        servers.map(({ dates }) => dates.retires),
        time,
      ),
      codes: ending(codes.entries.map(endOf), time),
      allow: ending(
        allow.map(({ until }) => until),
        time,
      ),
    },
    clocks,
  };
}

/** Whichever comes first; of a code that nobody withdraws there is no such time. */
function endOf({ expires, withdrawn }: CodeEntry): number {
  return withdrawn < expires ? withdrawn : expires;
}

/** How many of the ends lie ahead, and within each span. */
function ending(ends: readonly number[], time: number): Record<string, number> {
  return Object.fromEntries(
    spans.map((days) => {
      const within = ends.filter((end) => end > time && end <= time + days * day);
      return [`${days}d`, within.length];
    }),
  );
}
