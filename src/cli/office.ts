// What the daemon does with rows: they are judged and written, and what the judge says is written,
// logged and sent on. It also takes another law when somebody asks for it. The daemon's loop is
// `run.ts`.

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { RowSink } from '../batch/row.js';
import type { Alert, AlertSink, Decision, DecisionSink } from '../decide/decision.js';
import { Tally } from '../metrics/tally.js';
import type { Stats } from '../output/stats.js';
import { alertFields, decisionFields } from '../output/verdict.js';
import type { LookupDesk } from '../serve/lookup/desk.js';
import type { Enforcement } from './enforcement.js';
import { FirstSeen } from './first-seen.js';
import { Judge, type Law } from './judge.js';
import type { Listing } from './listing.js';
import { Notices } from './notices.js';
import type { Publication } from './publish.js';

/** Where events are written: standard output, a file, or only the log. */
export interface Events extends RowSink, AlertSink, DecisionSink {
  /** Writes what still waits for its place among the rows. */
  flush(): void;
  stats(stats: Stats, micros: number): void;
}

/** What a question to the DNSBL can meet with, and one to the policy server (lookup/figures.ts). */
const dnsblAnswers = [
  'blocked',
  'limited',
  'unlisted',
  'about_zone',
  'no_data',
  'outside',
  'malformed',
  'not_supported',
  'stale',
  'rate_truncated',
  'rate_dropped',
  'dropped',
];
const policyAnswers = ['passed', 'deferred', 'rejected', 'stale', 'malformed', 'oversize'];

export interface OfficeOptions {
  readonly law: Law;
  readonly events: Events;
  readonly log: Logger;
  /** Rules that are new here only observe at first: on interfaces, where the wall clock counts. */
  readonly observe: boolean;
  /** The block list, where it is kept. */
  readonly listing?: Listing | undefined;
  /** What is enforced here, and what the wire shows of it. */
  readonly enforcement?: Enforcement | undefined;
  /** DNSBL and policy server, where they are open. */
  readonly lookup?: LookupDesk | undefined;
  /** The list by HTTP. */
  readonly publication?: Publication | undefined;
  /** Reads the law again; rejects with what is wrong with it. */
  readonly reload: () => Promise<Law>;
}

export class Office implements RowSink, AlertSink, DecisionSink {
  readonly #options: OfficeOptions;
  readonly #notices: Notices;
  readonly #firstSeen: FirstSeen | null;
  readonly #judge: Judge;
  readonly #tally: Tally;
  #now = 0;

  constructor(options: OfficeOptions) {
    const { law, log, observe } = options;
    const { config } = law;
    this.#options = options;
    this.#tally = new Tally(law);
    this.#notices = new Notices(config, (receiver, message) =>
      log.warn({ receiver }, `${receiver} ${message}`),
    );
    this.#firstSeen = observe
      ? new FirstSeen(config.state.directory, config.rules.observe_days)
      : null;
    const firstSeen = this.#firstSeen;
    this.#judge = new Judge(law, {
      sinks: this,
      seed: randomBytes(4).readInt32LE(0),
      ...(firstSeen !== null && {
        observing: (sha256: string, time: number) => firstSeen.observing(sha256, time),
      }),
    });
    options.listing?.teach(this.#judge.policy);
    this.#keepTime();
    this.#enact(law);
  }

  rows(area: ArrayBuffer, length: number): void {
    this.#judge.rows(area, length);
    this.#tally.rows(area, length);
    this.#options.enforcement?.rows(area, length);
    this.#options.publication?.rows(area, length);
    this.#options.events.rows(area, length);
  }

  alert(alert: Alert): void {
    const { events, log } = this.#options;
    events.alert(alert);
    log.warn({ ...alertFields({ ...alert, samples: [] }) }, alert.rule.title);
    this.#notices.alert(alert);
    this.#tally.alert(alert);
    this.#options.publication?.alert(alert);
  }

  decision(decision: Decision): void {
    const { events, log } = this.#options;
    events.decision(decision);
    log.info({ ...decisionFields(decision) }, `${decision.action} ${decision.state}`);
    this.#notices.decision(decision);
    this.#tally.decision(decision);
    this.#options.listing?.decision(decision);
  }

  /** Time runs on, microseconds. */
  tick(now: number): void {
    this.#now = Math.max(this.#now, now);
    this.#judge.tick(now);
    this.#keepTime();
    this.#options.events.flush();
  }

  /**
   * The list lives by the wall clock where the tap is live, also while no packet comes: else what
   * a person adds on a quiet tap would end before its time, or never.
   */
  #keepTime(): void {
    const { listing, enforcement } = this.#options;
    const time = this.#time;
    listing?.tick(time);
    enforcement?.tick(time);
  }

  get #time(): number {
    return this.#options.observe ? Math.max(this.#now, Date.now() * 1000) : this.#now;
  }

  stats(stats: Stats, micros: number): void {
    this.#options.events.stats(this.#figures(stats), micros);
  }

  /** The same for the metrics, and what is counted for them alone. */
  figures(stats: Stats): object {
    const { publication, lookup } = this.#options;
    return {
      ...this.#figures(stats),
      ...publication?.figures(),
      ...(lookup !== undefined && { answers: answersOf(lookup) }),
      ...this.#tally.figures(this.#time, this.#judge.policy.open),
    };
  }

  #figures(stats: Stats): Stats {
    this.#judge.kernelLoss = stats.kernel_drops / Math.max(1, stats.packets + stats.kernel_drops);
    const notify = this.#notices.counters();
    const enforce = this.#options.enforcement?.stats();
    const lookup = this.#options.lookup?.figures();
    const block = this.#options.listing?.stats();
    const http = this.#options.publication?.stats();
    return {
      ...stats,
      ...this.#judge.stats(),
      ...(notify !== null && { notify }),
      ...(block !== undefined && { block }),
      ...(enforce !== undefined && { enforce }),
      ...(lookup !== undefined && { lookup }),
      ...(http !== undefined && { http }),
    };
  }

  /** Takes the law as the files say it now; keeps the one in force where they are wrong. */
  async reload(): Promise<void> {
    const { log, reload } = this.#options;
    try {
      const law = await reload();
      this.#judge.use(law, this.#now);
      this.#tally.use(law);
      await this.#options.listing?.use(law);
      this.#options.publication?.use(law);
      this.#options.events.flush();
      this.#enact(law);
      log.info({ rules: law.rules.rules.length, register: law.register.version }, 'reloaded');
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      log.error({ error: message }, 'not reloaded; what was in force stays in force');
    }
  }

  /** Sends what is on its way, at most so long. */
  async close(patience_ms: number): Promise<void> {
    const { enforcement, listing, lookup, publication } = this.#options;
    await lookup?.close();
    await publication?.close();
    await enforcement?.close();
    await listing?.close();
    await this.#notices.close(patience_ms);
  }

  /** Notes since when the rules are in use here. */
  #enact({ config, rules }: Law): void {
    const seen = this.#firstSeen;
    if (seen === null) return;
    const digests = rules.rules.map(({ meta }) => meta.sha256);
    const now = Date.now() * 1000;
    const problem = seen.note(digests, now);
    // Whoever only observes loses nothing.
    if (config.rules.mode === 'observe') return;
    const { log } = this.#options;
    if (problem !== null) log.warn(problem);
    const until = seen.until(digests);
    if (until > now) {
      const date = new Date(until / 1000).toISOString();
      log.info({ until: date }, 'rules that are new here only observe until then');
    }
  }
}

/** What was answered by DNS and by the policy server, by kind of answer. */
function answersOf(lookup: LookupDesk): object {
  const kinds = (prefix: string, names: readonly string[]) => {
    const figures = lookup.figures() as Readonly<Record<string, number>>;
    return Object.fromEntries(names.map((name) => [name, figures[`${prefix}_${name}`] ?? 0]));
  };
  return {
    dnsbl: kinds('dns', dnsblAnswers),
    policy: kinds('policy', policyAnswers),
    dnsbl_took: lookup.answerTimes,
  };
}
