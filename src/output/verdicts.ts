// Collects alerts and decisions for the page that people read: by subject, the worst first. Memory
// is bounded however long the capture is. What the page looks like is in `findings.ts`.

import type { Alert, AlertSink, Decision, DecisionSink } from '../decide/decision.js';
import { type Severity, severities } from '../detect/finding.js';

/** Subjects that are remembered; alerts about more are only counted. */
const subjectsMax = 10_000;
/** Rules and decisions that are remembered of one subject. */
const perSubjectMax = 50;

/** What was found about one address or prefix, and what was decided. */
export interface Suspect {
  readonly subject: string;
  readonly role: string;
  /** The worst of its alerts. */
  severity: Severity;
  /** The latest alert of each rule, in the order of their first. */
  readonly alerts: Map<string, Alert>;
  /** Entries by their identifier, each as it was last written; those of its prefix too. */
  readonly decisions: Map<string, Decision>;
}

export class Verdicts implements AlertSink, DecisionSink {
  readonly #suspects = new Map<string, Suspect>();
  /** Alerts by severity. */
  readonly alerts = new Map<Severity, number>();
  /** Entries that were made, by "block" or "limit". */
  readonly entries = new Map<string, number>();
  /** Alerts and decisions about subjects that were one too many. */
  forgotten = 0;

  get total(): number {
    return [...this.alerts.values()].reduce((sum, value) => sum + value, 0);
  }

  get subjects(): number {
    return this.#suspects.size;
  }

  alert(alert: Alert): void {
    this.alerts.set(alert.severity, (this.alerts.get(alert.severity) ?? 0) + 1);
    const { cidr, role } = alert.subject;
    const suspect = this.#at(cidr, role);
    if (suspect === null) return;
    if (rank(alert.severity) > rank(suspect.severity)) suspect.severity = alert.severity;
    if (suspect.alerts.size < perSubjectMax || suspect.alerts.has(alert.rule.id)) {
      suspect.alerts.set(alert.rule.id, alert);
    }
  }

  decision(decision: Decision): void {
    if (decision.state === 'added') {
      this.entries.set(decision.action, (this.entries.get(decision.action) ?? 0) + 1);
    }
    const suspect = this.#at(decision.subject, decision.role);
    if (suspect === null) return;
    if (suspect.decisions.size < perSubjectMax || suspect.decisions.has(decision.id)) {
      suspect.decisions.set(decision.id, decision);
    }
  }

  /** The worst `most` of them. */
  worst(most: number): Suspect[] {
    return [...this.#suspects.values()]
      .sort(
        (one, other) =>
          rank(other.severity) - rank(one.severity) ||
          other.alerts.size - one.alerts.size ||
          (one.subject < other.subject ? -1 : 1),
      )
      .slice(0, most);
  }

  #at(subject: string, role: string): Suspect | null {
    const known = this.#suspects.get(subject);
    if (known !== undefined) return known;
    if (this.#suspects.size >= subjectsMax) {
      this.forgotten += 1;
      return null;
    }
    const fresh: Suspect = {
      subject,
      role,
      severity: 'info',
      alerts: new Map(),
      decisions: new Map(),
    };
    this.#suspects.set(subject, fresh);
    return fresh;
  }
}

function rank(severity: Severity): number {
  return severities.indexOf(severity);
}
