// The last half hour of a few figures, for small pictures on a page that somebody opens in the
// middle of the night. Prometheus keeps the long ones; this is here without it.

import type { Figures } from './collect.js';
import { valuesAt } from './collect.js';

/** Name in the API, and path in the figures of a `stats` event. All but the last two only grow. */
const series = {
  packets: 'packets',
  bytes: 'bytes',
  sessions: 'sessions',
  transactions: 'transactions',
  kernel_drops: 'kernel_drops',
  alerts: 'decide.alerts',
  added: 'decide.added',
  entries: 'block.entries',
  findings_open: 'detect.open',
} as const;

export type SeriesName = keyof typeof series;

/** Steps of 5 s, 30 minutes of them. */
const step_ms = 5000;
const stepsMax = 361;

/** As the API shows it: values in the order of time, null where a figure was not there. */
export interface HistoryView {
  readonly step_ms: number;
  /** When the last value was taken, RFC 3339 by the wall clock; null: none was yet. */
  readonly taken: string | null;
  readonly series: Readonly<Record<SeriesName, readonly (number | null)[]>>;
}

export class History {
  readonly #read: () => Figures;
  readonly #timer: NodeJS.Timeout;
  readonly #values = new Map<SeriesName, (number | null)[]>();
  #taken: string | null = null;

  /** `read` is called at every step. */
  constructor(read: () => Figures) {
    this.#read = read;
    for (const name of Object.keys(series)) this.#values.set(name as SeriesName, []);
    this.#timer = setInterval(() => this.sample(), step_ms);
    this.#timer.unref();
  }

  sample(): void {
    const figures = this.#read();
    for (const [name, values] of this.#values) {
      values.push(valuesAt(figures, series[name].split('.'))[0]?.[1] ?? null);
      if (values.length > stepsMax) values.shift();
    }
    this.#taken = new Date().toISOString();
  }

  view(): HistoryView {
    const all = Object.fromEntries(this.#values) as unknown as HistoryView['series'];
    return { step_ms, taken: this.#taken, series: all };
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
