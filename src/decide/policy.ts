// Policy: findings in, alerts and decisions out. It keeps what is known of each source, asks what
// the evidence justifies (fusion), what holds that back (guards) and how long it lasts (ladder),
// and lets entries expire at packet time. It reads no clock, no file and no packet.

import type { Finding, FindingSink, Mode, Subject } from '../detect/finding.js';
import { severityOf } from '../detect/finding.js';
import { Heap } from '../lib/heap.js';
import { Breaker } from './breaker.js';
import type { Alert, AlertSink, Decision, DecisionSink, DecisionState, Scope } from './decision.js';
import { explainAlert, explainChange, explainDecision } from './explain.js';
import { confidence, fuse, type Verdict } from './fusion.js';
import {
  type Guard,
  type Guarded,
  guarded,
  lowerMode,
  type Standing,
  untouchable,
} from './guards.js';
import { climb, day, renewed } from './ladder.js';
import type { Remembered } from './remembered.js';
import { type Source, Sources } from './sources.js';

/** Sources that are remembered without an open entry, and open entries at most. */
const sourcesMax = 65_536;
const entriesMax = 65_536;
/** A limit where the rule does not say: messages an hour, at once, and seconds. */
const usualLimit = { rate: 25, burst: 10, for: 3600 };
/** An entry is renewed when that gains at least this share of its length: ten events in all. */
const renewalShare = 0.1;
/** Ports where strangers knock at own servers; those of own customers are 25 alone. */
const inboundPorts = [25, 465, 587];
/** An appeal that comes at once is decided within a day (detection.md 5.3). */
const appealTime = day;
/** After a release: levels that are forgiven, and how long the same rule only observes. */
const levelsForgiven = 2;
const grace = day;
/** Shares of bytes lost and of connections with both sides, beyond which nobody is blocked. */
const lossMax = 0.01;
const symmetryMin = 0.8;

export interface PolicyOptions {
  readonly mode: Mode;
  /** Regulations in force, the most important first. */
  readonly profiles: readonly string[];
  readonly sensor?: string | undefined;
  readonly appeal?: { readonly url?: string | undefined; readonly contact?: string | undefined };
  /** Version of the register in force. */
  readonly register: string;
  /** Who a subject is at a time, by register, address plan and allow-list. */
  readonly standing: (subject: Subject, time: number) => Standing;
  /** Hexadecimal SHA-256 of a text. */
  readonly digest: (text: string) => string;
  /** Whether the rule of this digest is in its observe period at a time; never in a replay. */
  readonly observing?: (sha256: string, time: number) => boolean;
  /** How good the capture is: shares of bytes lost, and of connections with both sides. */
  readonly quality?: () => { readonly loss: number; readonly symmetry: number };
  /** Own customers that were active lately; 0 where nobody counts. */
  readonly customers?: () => number;
}

/** Everything that policy counts, for the `stats` event. */
export interface PolicyCounters {
  findings: number;
  alerts: number;
  added: number;
  extended: number;
  expired: number;
  released: number;
  /** Entries that were not made because the list was full, and sources that were forgotten. */
  refused_full: number;
  evicted: number;
  breaker_trips: number;
}

export class Policy implements FindingSink {
  readonly #alerts: AlertSink;
  readonly #decisions: DecisionSink;
  readonly #sources = new Sources(sourcesMax);
  readonly #ends = new Heap<Source>();
  readonly #breaker = new Breaker();
  /** Digests of rules that were wrong too often: they only observe. */
  readonly #distrusted = new Set<string>();
  #options: PolicyOptions;
  #now = Number.NEGATIVE_INFINITY;
  /** How often each guard held something back. */
  readonly guards: Partial<Record<Guard, number>> = {};
  readonly counters: PolicyCounters = {
    findings: 0,
    alerts: 0,
    added: 0,
    extended: 0,
    expired: 0,
    released: 0,
    refused_full: 0,
    evicted: 0,
    breaker_trips: 0,
  };

  constructor(options: PolicyOptions, alerts: AlertSink, decisions: DecisionSink) {
    this.#options = options;
    this.#alerts = alerts;
    this.#decisions = decisions;
  }

  /** Entries that are on the list, or would be. */
  get open(): readonly Decision[] {
    return this.#sources.open.map((source) => source.entry!);
  }

  /** The circuit breaker is open: no new block is published. */
  get isHeld(): boolean {
    return this.#breaker.open(this.#now);
  }

  /**
   * Takes another register, mode or address plan. Entries about sources that nothing may happen to
   * any more are released at once.
   */
  use(options: PolicyOptions, now: number): void {
    this.#options = options;
    const allowed = { observe: 'none', limit: 'limit', enforce: 'block' }[options.mode];
    for (const source of this.#sources.open) {
      const { action, mode } = source.entry!;
      const tooMuch = mode !== 'observe' && action !== allowed && allowed !== 'block';
      const standing = options.standing(source.subject, now);
      if (tooMuch || untouchable(standing) !== null) this.#end(source, 'released', now);
    }
  }

  /**
   * Begins with what a list that outlives policy remembers, the latest source first: open entries
   * go on instead of being made anew, and nobody's ladder begins at the bottom again. Entries that
   * the mode or the register in force do not allow are released at once.
   */
  restore(sources: Iterable<Remembered>, now: number): void {
    for (const known of sources) {
      if (known.entry !== null && this.#sources.openCount >= entriesMax) continue;
      const source = this.#sources.restore(known);
      if (source?.entry) this.#ends.add(source.entry.until, source);
    }
    this.use(this.#options, now);
  }

  /**
   * A person takes an entry back (detection.md 5.3): two levels are forgiven, and for a day the
   * same rule only observes this source. False if there is no such entry.
   */
  release(id: string, now: number): boolean {
    const source = this.#sources.open.find(({ entry }) => entry?.id === id);
    const entry = source?.entry;
    if (source === undefined || !entry) return false;
    source.level = Math.max(0, source.level - levelsForgiven);
    source.graceRule = entry.rule.id;
    source.graceUntil = now + grace;
    this.#end(source, 'released', now);
    return true;
  }

  /**
   * Whether a rule acts, by its digest. The block list counts what was wrong, and says; another
   * text of the rule is another rule.
   */
  trust(sha256: string, isTrusted: boolean): void {
    if (isTrusted) this.#distrusted.delete(sha256);
    else this.#distrusted.add(sha256);
  }

  /** Time runs on, in microseconds: what is due expires, at the time when it was due. */
  tick(now: number): void {
    while (this.#ends.least <= now) {
      const due = this.#ends.least;
      const source = this.#ends.take()!;
      // A renewed entry is in the heap again, with its later end.
      if (source.entry?.until === due) this.#end(source, 'expired', due);
    }
    this.#now = Math.max(this.#now, now);
  }

  finding(finding: Finding): void {
    this.tick(finding.time);
    this.counters.findings += 1;
    if (finding.subject.cidr === '') {
      this.#network(finding);
      return;
    }
    const standing = this.#options.standing(finding.subject, finding.time);
    if (finding.state === 'clears') {
      this.#sources.find(standing.cidr)?.clear(finding.rule.id);
      return;
    }
    const source = this.#sources.at(standing.cidr, finding);
    this.counters.evicted = this.#sources.evicted;
    source.mark(finding);
    const verdict = fuse(source.marks, finding, source.blockEnded);
    const outcome = this.#guarded(verdict, finding, standing, source);
    if (finding.state !== 'again') this.#alert(finding, outcome.guards);
    if (verdict !== null && outcome.action !== 'none') {
      this.#act(source, { verdict, outcome, standing, finding });
    }
  }

  /** The network as a whole: somebody should know, and nobody can be listed. */
  #network(finding: Finding): void {
    if (finding.state === 'fires' || finding.state === 'rises') this.#alert(finding, ['network']);
  }

  #guarded(verdict: Verdict | null, finding: Finding, standing: Standing, source: Source): Guarded {
    const { mode, observing, customers } = this.#options;
    const { loss, symmetry } = this.#quality();
    const by = verdict?.by.finding ?? finding;
    const outcome = guarded(verdict?.action ?? 'none', standing, {
      handshake: by.handshake,
      degraded: by.degraded || loss > lossMax || symmetry < symmetryMin,
      mode: lowerMode(mode, by.rule.mode),
      observing:
        (observing?.(by.rule.sha256, finding.time) ?? false) ||
        (by.rule.id === source.graceRule && finding.time < source.graceUntil) ||
        this.#distrusted.has(by.rule.sha256),
      // An entry that is there already is no new block.
      breaker: () =>
        source.entry?.action === 'block' ||
        this.#breaker.pass(finding.time, standing.own ? (customers?.() ?? 0) : 0),
    });
    this.#noteBreaker(finding);
    // A finding that asks for nothing was not held back.
    if (verdict === null) return { ...outcome, guards: [] };
    for (const guard of outcome.guards) this.guards[guard] = (this.guards[guard] ?? 0) + 1;
    return outcome;
  }

  #quality(): { readonly loss: number; readonly symmetry: number } {
    return this.#options.quality?.() ?? { loss: 0, symmetry: 1 };
  }

  /** Tells people that the breaker opened: the one alert that no detector sends. */
  #noteBreaker(finding: Finding): void {
    if (this.#breaker.trips === this.counters.breaker_trips) return;
    this.counters.breaker_trips = this.#breaker.trips;
    const subject = { cidr: '', words: [0, 0, 0, 0], bits: 0, role: '' } as const;
    this.#send({
      rule: {
        id: 'core.circuit-breaker',
        version: '1.0.0',
        title: 'More blocks at once than can be right; new ones are held back',
      },
      subject,
      time: finding.time,
      severity: 'critical',
      proof: undefined,
      evidence: { entries: this.#sources.openCount, held: this.#breaker.held },
      samples: [],
      flow: undefined,
      degraded: false,
      guards: [],
      explanation:
        'More sources were to be blocked within ten minutes than can be right, so new blocks are ' +
        'held to limits for an hour. Look at the latest alerts: a wide outage, a wrong register ' +
        'or a rule that misfires are the usual reasons.',
    });
  }

  #alert(finding: Finding, guards: readonly Guard[]): void {
    const { rule, subject, time, proof, evidence, samples, flow, degraded } = finding;
    this.#send({
      rule: { id: rule.id, version: rule.version, title: rule.title },
      subject,
      time,
      severity: finding.severity ?? severityOf(rule, proof),
      proof,
      evidence,
      samples,
      flow,
      degraded,
      guards,
      explanation: explainAlert(finding, guards),
    });
  }

  #send(alert: Alert): void {
    this.counters.alerts += 1;
    this.#alerts.alert(alert);
  }

  #act(source: Source, basis: Basis): void {
    const { entry } = source;
    const { outcome, finding } = basis;
    if (entry === null) {
      if (this.#sources.openCount >= entriesMax) this.counters.refused_full += 1;
      else this.#add(source, basis, null);
      return;
    }
    const isSeen = (mode: Mode): boolean => mode !== 'observe';
    if (entry.action === outcome.action && isSeen(entry.mode) === isSeen(outcome.mode)) {
      this.#extend(source, basis);
      return;
    }
    const stronger = entry.action === 'limit' && outcome.action === 'block';
    const published = !isSeen(entry.mode) && isSeen(outcome.mode);
    if (!stronger && !published) return;
    // The new entry comes first, so that the source is never off the list in between.
    this.#add(source, basis, entry);
    this.#change(entry, 'released', finding.time);
  }

  #add(source: Source, basis: Basis, before: Decision | null): void {
    const { verdict, outcome, finding } = basis;
    const now = finding.time;
    let { level } = source;
    let length = (verdict.words.for ?? usualLimit.for) * 1e6;
    if (outcome.action === 'block') ({ level, length } = climb(verdict.words, source.level));
    // What was only observed is no step of the ladder.
    if (!outcome.guards.includes('observe-period')) source.level = level;
    source.length = length;
    const entry = this.#entry(source, basis, {
      until: renewed(now, now, now, length),
      level,
      supersedes: before?.id ?? null,
    });
    source.entry = { ...entry, explanation: explainDecision(entry, verdict) };
    this.#sources.hold(source);
    this.#ends.add(source.entry.until, source);
    this.#tell(source.entry);
  }

  #extend(source: Source, basis: Basis): void {
    const entry = source.entry!;
    const now = basis.finding.time;
    const until = renewed(entry.created, entry.until, now, source.length);
    if (until - entry.until < source.length * renewalShare) return;
    const { evidence, samples } = basis.verdict.by.finding;
    source.entry = { ...entry, until, lastSeen: now, evidence, samples };
    this.#ends.add(until, source);
    this.#change(source.entry, 'extended', now);
  }

  #end(source: Source, state: 'expired' | 'released', now: number): void {
    const entry = source.entry!;
    source.entry = null;
    if (entry.action === 'block') source.blockEnded = now;
    this.#sources.letGo(source);
    this.#change(entry, state, now);
  }

  #change(entry: Decision, state: DecisionState, now: number): void {
    const changed: Decision = { ...entry, state, time: now };
    this.#tell({ ...changed, explanation: explainChange(changed) });
  }

  #tell(decision: Decision): void {
    this.counters[decision.state satisfies DecisionState] += 1;
    this.#decisions.decision(decision);
  }

  #entry(
    source: Source,
    { verdict, outcome, standing, finding }: Basis,
    term: Pick<Decision, 'until' | 'level' | 'supersedes'>,
  ): Decision {
    const { digest, profiles, sensor, appeal, register } = this.#options;
    const by = verdict.by.finding;
    const { id, version, sha256 } = by.rule;
    const profile = profiles.find((name) => by.rule.profiles.includes(name)) ?? profiles[0] ?? '';
    const { loss, symmetry } = this.#quality();
    const created = finding.time;
    const action = outcome.action as 'limit' | 'block';
    const name = digest([standing.cidr, action, id, version, created].join('|')).slice(0, 20);
    return {
      id: `bl_${name}`,
      cidr: standing.cidr,
      subject: by.subject.cidr,
      action,
      state: 'added',
      scope: scopeOf(verdict, action, standing),
      rule: { id, version, sha256 },
      title: by.rule.title,
      mode: outcome.mode,
      ...term,
      time: created,
      created,
      firstSeen: source.firstSeen,
      lastSeen: source.lastSeen,
      profile,
      legal: legalOf(by.rule.legal, profile),
      severity: by.severity,
      confidence: confidence(by),
      role: standing.role,
      cgnat: standing.cgnat,
      sensor,
      symmetry: rounded(symmetry),
      loss: rounded(loss),
      register,
      evidence: by.evidence,
      corroborators: verdict.corroborators,
      samples: by.samples,
      appeal: {
        ...(appeal?.url !== undefined && { url: appeal.url }),
        ...(appeal?.contact !== undefined && { contact: appeal.contact }),
        due: created + appealTime,
      },
      guards: outcome.guards,
      explanation: '',
    };
  }
}

/** What a decision rests on. */
interface Basis {
  readonly verdict: Verdict;
  readonly outcome: Guarded;
  readonly standing: Standing;
  readonly finding: Finding;
}

/** Own customers are held back on port 25 alone: RFC 5068 forbids to block submission. */
function scopeOf(verdict: Verdict, action: 'limit' | 'block', standing: Standing): Scope {
  const { ports, rate, burst } = verdict.words;
  const inward = (ports ?? [25]).filter((port) => inboundPorts.includes(port));
  const base: Scope = {
    proto: 'tcp',
    dport: standing.own || inward.length === 0 ? [25] : inward,
    direction: standing.own ? 'out' : 'in',
  };
  if (action === 'block') return base;
  // Each customer behind a shared address has the whole allowance.
  const factor = Math.max(1, standing.cgnat);
  return {
    ...base,
    rate: (rate ?? usualLimit.rate) * factor,
    burst: (burst ?? usualLimit.burst) * factor,
  };
}

/** A share for people. */
function rounded(share: number): number {
  return Math.round(share * 1e4) / 1e4;
}

/** The articles of one profile: `CN-38/2006 art.12` belongs to `cn-2006`. */
function legalOf(legal: readonly string[], profile: string): readonly string[] {
  const country = profile.slice(0, 2).toUpperCase();
  const named = legal.filter((article) => article.startsWith(country));
  return named.length > 0 ? named : legal;
}
