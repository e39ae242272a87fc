// What detectors and policy said, counted for the metrics: by rule, severity, action and role,
// which are words of the rules and of the address plan, and never by who it is about.

import type { Alert, AlertSink, Decision, DecisionSink } from '../decide/decision.js';
import { Histogram, type HistogramFigures } from '../lib/histogram.js';

const second = 1e6;
/** Rules give evidence by the minute; a slow bot takes hours. */
const decisionBounds_s = [1, 10, 30, 60, 300, 900, 3600, 14_400, 86_400];
/** A word beyond these is counted as the last one, so that what is kept has an end. */
const wordsMax = 256;
const others = 'others';

type Counts = Record<string, number>;

/** Counts for each pair of words. */
class Pairs {
  readonly #rows = new Map<string, Map<string, number>>();

  add(first: string, second: string): void {
    const row = placeIn(this.#rows, first, () => new Map<string, number>());
    const word = row.has(second) || row.size < wordsMax ? second : others;
    row.set(word, (row.get(word) ?? 0) + 1);
  }

  get figures(): Record<string, Counts> {
    return Object.fromEntries(
      [...this.#rows].map(([first, row]) => [first, Object.fromEntries(row)]),
    );
  }
}

function placeIn<V>(map: Map<string, V>, key: string, fresh: () => V): V {
  const word = map.has(key) || map.size < wordsMax ? key : others;
  const found = map.get(word) ?? fresh();
  map.set(word, found);
  return found;
}

export interface VerdictFigures {
  /** Alerts by rule and severity. */
  readonly alerts: Record<string, Counts>;
  /** New entries by rule and action, and every change by action, role and state. */
  readonly rules: Record<string, Counts>;
  readonly decisions: Record<string, Record<string, Counts>>;
  /** From the first finding about a source to its limit or block, seconds of packet time. */
  readonly time_to_decision: HistogramFigures;
}

export class VerdictTally implements AlertSink, DecisionSink {
  readonly #alerts = new Pairs();
  readonly #rules = new Pairs();
  readonly #decisions = new Map<string, Pairs>();
  readonly #timeToDecision = new Histogram(decisionBounds_s);

  alert({ rule, severity }: Alert): void {
    this.#alerts.add(rule.id, severity);
  }

  decision({ action, role, state, rule, created, firstSeen }: Decision): void {
    placeIn(this.#decisions, action, () => new Pairs()).add(role, state);
    if (state !== 'added') return;
    this.#rules.add(rule.id, action);
    this.#timeToDecision.observe((created - firstSeen) / second);
  }

  get figures(): VerdictFigures {
    return {
      alerts: this.#alerts.figures,
      rules: this.#rules.figures,
      decisions: Object.fromEntries(
        [...this.#decisions].map(([action, pairs]) => [action, pairs.figures]),
      ),
      time_to_decision: this.#timeToDecision.figures,
    };
  }
}

/** Entries in force by action and mode: what only observes is not published. */
export function openFigures(open: readonly Decision[]): Record<string, Counts> {
  const counts: Record<string, Counts> = {
    limit: { observe: 0, limit: 0, enforce: 0 },
    block: { observe: 0, enforce: 0 },
  };
  for (const { action, mode } of open) {
    const row = counts[action];
    if (row !== undefined) row[mode] = (row[mode] ?? 0) + 1;
  }
  return counts;
}
