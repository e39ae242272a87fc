// Connects what judges: rows go through the detectors, their findings through policy, and alerts
// and decisions to whoever is told. Rules and registers are read here, whole; they are swapped
// between two areas of rows.

import { createHash } from 'node:crypto';
import type { RowSink } from '../batch/row.js';
import type { Config } from '../config.js';
import type { AlertSink, DecisionSink } from '../decide/decision.js';
import { Policy, type PolicyOptions } from '../decide/policy.js';
import { Standings } from '../decide/standing.js';
import { Detectors, detectorDefaults } from '../detect/detectors.js';
import type { RuleSet } from '../detect/rule-file.js';
import type { JudgeStats } from '../output/stats.js';
import { loadRegister } from '../register/load.js';
import type { Register } from '../register/register.js';
import { loadRules, shippedRules } from './rule-folder.js';

/** What a judge goes by: read whole, or not at all. */
export interface Law {
  readonly config: Config;
  readonly register: Register;
  readonly rules: RuleSet;
}

/** Reads registers and rules that a configuration names; rejects with one line per mistake. */
export async function lawOf(config: Config): Promise<Law> {
  const register = await loadRegister(config);
  return { config, register, rules: loadRules(config.rules.directory ?? shippedRules) };
}

export interface JudgeOptions {
  readonly sinks: AlertSink & DecisionSink;
  /** Key of hashes over names; the same seed gives the same figures. */
  readonly seed?: number | undefined;
  /** Subjects that are remembered; absent: as many as a provider has. */
  readonly subjects?: number | undefined;
  /** See `PolicyOptions`; absent in a replay. */
  readonly observing?: PolicyOptions['observing'];
}

export class Judge implements RowSink {
  readonly #detectors: Detectors;
  readonly #policy: Policy;
  readonly #options: JudgeOptions;

  constructor(law: Law, options: JudgeOptions) {
    const { sinks, seed, subjects } = options;
    this.#options = options;
    this.#policy = new Policy(this.#policyOf(law), sinks, sinks);
    const { profiles } = law.config;
    const detecting = {
      ...detectorDefaults,
      profiles,
      ...(seed !== undefined && { seed }),
      ...(subjects !== undefined && { subjects }),
    };
    this.#detectors = new Detectors(
      law.rules,
      law.register,
      { finding: (finding) => this.#policy.finding(finding) },
      detecting,
    );
  }

  get policy(): Policy {
    return this.#policy;
  }

  rows(area: ArrayBuffer, length: number): void {
    this.#detectors.rows(area, length);
    this.#policy.tick(this.#detectors.vantage.latest);
  }

  /** Time runs on though nothing is seen, in microseconds. */
  tick(now: number): void {
    this.#detectors.tick(now);
    this.#policy.tick(now);
  }

  /** Share of packets that the kernel dropped lately. */
  set kernelLoss(share: number) {
    this.#detectors.vantage.kernelLoss = share;
  }

  /** Goes by another law from the next row on. Rules that are the same keep what they know. */
  use(law: Law, now: number): void {
    this.#detectors.replaceRegister(law.register, law.config.profiles);
    this.#detectors.reload(law.rules);
    this.#policy.use(this.#policyOf(law), now);
  }

  stats(): JudgeStats {
    const { counters, guards, open, isHeld } = this.#policy;
    const detectors = this.#detectors;
    const tables = detectors.tables();
    const idsOf = (rules: readonly { id: string }[]) => [...new Set(rules.map(({ id }) => id))];
    const degraded = idsOf(detectors.rules.filter((rule) => rule.degraded));
    return {
      detect: {
        rules: idsOf(detectors.rules).length,
        rows: detectors.counters.rows,
        gapped: detectors.counters.gapped,
        unproven: detectors.counters.unproven,
        open: detectors.open,
        subjects: sum(tables.map(({ used }) => used)),
        evicted: sum(tables.map(({ evicted }) => evicted)),
        given_up: detectors.givenUp,
        degraded,
        symmetry: this.#detectors.vantage.symmetry,
        loss: this.#detectors.vantage.loss,
        customers: this.#detectors.vantage.customers,
      },
      decide: { ...counters, open: open.length, breaker_open: isHeld ? 1 : 0, guards },
    };
  }

  #policyOf({ config, register }: Law): PolicyOptions {
    const standings = new Standings(register);
    return {
      mode: config.rules.mode,
      profiles: config.profiles,
      sensor: config.sensor,
      appeal: config.appeal,
      register: register.version,
      standing: (subject, time) => standings.of(subject, time),
      digest: (text) => createHash('sha256').update(text).digest('hex'),
      quality: () => this.#detectors.vantage,
      customers: () => this.#detectors.vantage.customers,
      ...(this.#options.observing !== undefined && { observing: this.#options.observing }),
    };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
