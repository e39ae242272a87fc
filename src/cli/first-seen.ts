// Since when this sensor knows each rule: a rule that is new here only observes in its first days,
// and so does everything after an installation. It needs the wall clock and a file, so it is for
// the daemon alone; policy asks it through a function.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CommandError } from './fail.js';

const day = 86_400_000_000;
/** Rules that are remembered; the oldest go. */
const rulesMax = 10_000;
const fileName = 'rules-first-seen.json';

const shape = z.record(z.string().regex(/^[0-9a-f]{64}$/), z.iso.datetime());

export class FirstSeen {
  readonly #path: string;
  readonly #folder: string;
  readonly #days: number;
  /** By the digest of a rule's text: microseconds since 1970. */
  readonly #since: Map<string, number>;

  /** Reads what is known; throws where the file is there and cannot be used. */
  constructor(folder: string, days: number) {
    this.#folder = folder;
    this.#path = join(folder, fileName);
    this.#days = days;
    this.#since = read(this.#path);
  }

  /** Whether the rule is in its first days at `time`, microseconds; one never seen is. */
  observing(sha256: string, time: number): boolean {
    const since = this.#since.get(sha256);
    return this.#days > 0 && (since === undefined || time < since + this.#days * day);
  }

  /** The last moment at which one of the rules only observes; 0 when none does any more. */
  until(rules: readonly string[]): number {
    const ends = rules.map((sha256) => (this.#since.get(sha256) ?? 0) + this.#days * day);
    return Math.max(0, ...ends);
  }

  /**
   * Notes rules that are in use from `now` on and writes the file: aside, then in its place. Gives
   * what went wrong, or null; without the file the days begin again at the next start.
   */
  note(rules: readonly string[], now: number): string | null {
    const fresh = rules.filter((sha256) => !this.#since.has(sha256));
    if (fresh.length === 0) return null;
    for (const sha256 of fresh) this.#since.set(sha256, now);
    for (const old of this.#since.keys()) {
      if (this.#since.size <= rulesMax) break;
      this.#since.delete(old);
    }
    const dates = [...this.#since].map(([sha256, since]) => [sha256, dateOf(since)]);
    const aside = `${this.#path}.new`;
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o750 });
      writeFileSync(aside, `${JSON.stringify(Object.fromEntries(dates), null, 1)}\n`);
      renameSync(aside, this.#path);
      return null;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      return `${this.#path}: cannot be written (${code}); set state.directory`;
    }
  }
}

function dateOf(micros: number): string {
  return new Date(micros / 1000).toISOString();
}

function read(path: string): Map<string, number> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Whoever may not read it may not write it either: `note` says so, and all rules observe.
    if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR') return new Map();
    throw new CommandError(`${path}: cannot be read (${code}); check the file`);
  }
  try {
    const dates = shape.parse(JSON.parse(text));
    return new Map(
      Object.entries(dates).map(([sha256, date]) => [sha256, Date.parse(date) * 1000]),
    );
  } catch {
    throw new CommandError(
      `${path}: not what this program wrote; move it away, and every rule observes anew`,
    );
  }
}
