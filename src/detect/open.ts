// Findings on their way out, and those that are open: each stays so until its evidence is older
// than its rule remembers. Strings and objects are made here and nowhere before.

import { isoTime } from '../lib/iso-time.js';
import { roleNames } from '../register/server.js';
import { cidrText, ipText } from './address.js';
import { Verdict } from './bucket/bucket.js';
import type { Facts } from './facts.js';
import { Slot } from './fields.js';
import {
  type Finding,
  type FindingSink,
  type FindingState,
  proofs,
  type Severity,
  type Subject,
  severities,
  severityOf,
} from './finding.js';
import type { GroupTable } from './groups.js';
import { type Rule, RuleAt, ruleWords } from './rule.js';
import { Samples } from './state/samples.js';

/** Open findings; more are told, but nobody hears that they clear. */
const openMax = 65_536;
/** Subjects and rules with samples at one time, for each subject of the largest table. */
const sampledShare = 1 / 32;
const levelMask = 0xff;
const unprovenBit = 1 << 8;

interface Open {
  rule: Rule;
  table: GroupTable;
  at: number;
  finding: Finding;
}

export class OpenFindings {
  readonly samples: Samples;
  readonly #sink: FindingSink;
  readonly #open = new Map<string, Open>();
  /** Open findings by rule id. */
  readonly #byRule = new Map<string, number>();
  /**
   * How many are open of a rule about a subject, and the worst severity told: several keys (a
   * source and each domain) and several ways lead to one finding, which is told once.
   */
  readonly #bySubject = new Map<string, { count: number; rank: number }>();
  /** Findings whose end nobody will hear of. */
  dropped = 0;

  constructor(sink: FindingSink, subjects: number) {
    this.#sink = sink;
    this.samples = new Samples(Math.ceil(subjects * sampledShare));
  }

  get size(): number {
    return this.#open.size;
  }

  /** Whether a rule has an open finding. */
  has(id: string): boolean {
    return (this.#byRule.get(id) ?? 0) > 0;
  }

  /** Keeps the observation at hand as a sample of the rule's state at word `at`. */
  sample(table: GroupTable, at: number, facts: Facts): void {
    const { cells } = table.subjects;
    const slot = cells.words[at + RuleAt.samples]!;
    cells.words[at + RuleAt.samples] = this.samples.add(slot, cells.keyOf(at), facts);
  }

  /** Tells the sink what the rule's state at word `at` says. */
  tell(rule: Rule, table: GroupTable, at: number, reached: FindingState, facts: Facts): void {
    const { cells } = table.subjects;
    const { words } = cells;
    const level = words[at + RuleAt.level]! & levelMask;
    const { meta } = rule.definition;
    const proof = hasProofs(rule) ? proofs[level - Verdict.suspected] : undefined;
    const evidence = rule.bucket.evidence(cells, at + ruleWords, facts);
    const first = words[at + RuleAt.firstEvidence]!;
    evidence['first_evidence'] = first;
    if (rule.isDiscovery) evidence['discovered'] = isoTime(first * 1e6, 'Z') ?? '';
    if (rule.definition.way !== '') evidence['way'] = rule.definition.way;
    const shared = facts.values[Slot.srcCustomers]!;
    if (shared > 1 && table.grouping.side === 'src') evidence['customers'] = shared;
    const samples = this.samples.of(words[at + RuleAt.samples]!, cells.keyOf(at));
    const server = serverOf(table, facts);
    const subject = subjectOf(table, at, facts);
    const severity = severityOf(meta, proof);
    const key = this.#keyOf(rule, cells.keyOf(at));
    const state = this.#stateOf(key, { rule, subject, severity, reached });
    const finding: Finding = {
      rule: meta,
      subject,
      time: facts.time,
      state,
      severity,
      ...(proof === undefined ? {} : { proof }),
      evidence,
      samples: samples.slice(-rule.samples),
      ...(table.grouping.side === 'network' ? {} : { flow: flowOf(facts) }),
      handshake: (words[at + RuleAt.level]! & unprovenBit) === 0,
      degraded: rule.degraded,
      ...(server < 0 ? {} : { server }),
    };
    rule.counts[state]++;
    this.#keep(key, { rule, table, at, finding });
    this.#sink.finding(finding);
  }

  /** What a finding is beside those of the same rule about the same subject. */
  #stateOf(
    key: string,
    now: { rule: Rule; subject: Subject; severity: Severity; reached: FindingState },
  ): FindingState {
    const others = this.#bySubject.get(subjectKey(now.rule, now.subject));
    if (others === undefined) return now.reached;
    const isWorse = severities.indexOf(now.severity) > others.rank;
    if (others.count === 1 && this.#open.has(key)) return now.reached;
    return isWorse ? 'rises' : 'again';
  }

  #keep(key: string, open: Open): void {
    const { rule, finding } = open;
    const subject = subjectKey(rule, finding.subject);
    const known = this.#open.get(key);
    const rank = severities.indexOf(finding.severity);
    const others = this.#bySubject.get(subject) ?? { count: 0, rank };
    others.rank = Math.max(others.rank, rank);
    if (known !== undefined) {
      known.finding = finding;
      return;
    }
    if (this.#open.size >= openMax) {
      this.dropped++;
      return;
    }
    others.count++;
    this.#bySubject.set(subject, others);
    this.#open.set(key, open);
    this.#byRule.set(rule.id, (this.#byRule.get(rule.id) ?? 0) + 1);
  }

  /** Clears what is over; true if anything was. `now` is in microseconds. */
  sweep(second: number, now: number): boolean {
    let any = false;
    for (const [key, { rule, table, at, finding }] of this.#open) {
      const { words } = table.subjects.cells;
      if (second - words[at + RuleAt.lastFinding]! < rule.clearsAfter) continue;
      words[at + RuleAt.level] = 0;
      if (!rule.isDiscovery) words[at + RuleAt.firstEvidence] = 0;
      this.#forget(key, rule);
      any = true;
      if (this.#bySubject.has(subjectKey(rule, finding.subject))) continue;
      rule.counts.clears++;
      const { flow: _, ...rest } = finding;
      this.#sink.finding({ ...rest, time: now, state: 'clears' });
    }
    return any;
  }

  /** The state was given up with its subject: the finding is forgotten. */
  drop(rule: Rule, owner: number): void {
    const key = this.#keyOf(rule, owner);
    if (!this.#open.has(key)) return;
    this.#forget(key, rule);
    this.dropped++;
  }

  /** The state of a rule stands elsewhere now. */
  move(rule: Rule, to: { before: number; after: number; at: number; table: GroupTable }): void {
    const key = this.#keyOf(rule, to.before);
    const known = this.#open.get(key);
    if (known === undefined || known.table === to.table) return;
    this.#open.delete(key);
    this.#open.set(this.#keyOf(rule, to.after), { ...known, rule, table: to.table, at: to.at });
  }

  /** Forgets findings of rules and tables that are gone. */
  keep(rules: readonly Rule[], tables: readonly GroupTable[]): void {
    for (const [key, { rule, table }] of this.#open) {
      if (rules.includes(rule) && tables.includes(table)) continue;
      this.#forget(key, rule);
    }
  }

  #forget(key: string, rule: Rule): void {
    const { finding } = this.#open.get(key)!;
    this.#open.delete(key);
    const subject = subjectKey(rule, finding.subject);
    const others = this.#bySubject.get(subject)!;
    if (--others.count === 0) this.#bySubject.delete(subject);
    this.#byRule.set(rule.id, (this.#byRule.get(rule.id) ?? 1) - 1);
  }

  #keyOf(rule: Rule, owner: number): string {
    return `${rule.id} ${owner}`;
  }
}

function subjectKey(rule: Rule, { cidr }: Subject): string {
  return `${rule.id} ${cidr}`;
}

function hasProofs(rule: Rule): boolean {
  return typeof rule.definition.meta.severity !== 'string';
}

function subjectOf(table: GroupTable, at: number, facts: Facts): Subject {
  const { grouping, subjects } = table;
  if (grouping.side === 'network') {
    return { cidr: '', words: [0, 0, 0, 0], bits: 0, role: '' };
  }
  const { words } = subjects.cells;
  const base = at - (at % subjects.stride);
  return {
    cidr: cidrText(words, base, table.bits),
    words: [words[base]!, words[base + 1]!, words[base + 2]!, words[base + 3]!],
    bits: table.bits,
    role: roleNames[facts.role]!,
  };
}

function serverOf(table: GroupTable, facts: Facts): number {
  return table.grouping.side === 'dst' ? facts.dst.server : facts.src.server;
}

function flowOf(facts: Facts) {
  const { values } = facts;
  const high = BigInt(facts.flowHigh >>> 0);
  const id = (high << 32n) | BigInt(facts.flowLow >>> 0);
  return {
    id: id.toString(),
    src_ip: ipText(values, Slot.srcIp),
    src_port: values[Slot.srcPort]!,
    dest_ip: ipText(values, Slot.dstIp),
    dest_port: values[Slot.dstPort]!,
  };
}
