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
  /** Open findings that no row led to. */
  readonly #raised = new Map<string, Finding>();
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
    return this.#open.size + this.#raised.size;
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

  /** A finding that no row led to: told where it is new, graver, or says something else. */
  raise(key: string, raised: Omit<Finding, 'state'>): void {
    const { rule, subject, severity } = raised;
    const before = this.#raised.get(key);
    const isEqual = JSON.stringify(before?.evidence) === JSON.stringify(raised.evidence);
    if (before !== undefined && isEqual && before.severity === severity) return;
    const isWorse =
      before !== undefined && severities.indexOf(severity) > severities.indexOf(before.severity);
    const reached = before === undefined ? 'fires' : isWorse ? 'rises' : 'again';
    const state = this.#stateOf(key, { rule, subject, severity, reached });
    const finding: Finding = { ...raised, state };
    this.#count(rule.id, finding, before !== undefined);
    this.#raised.set(key, finding);
    this.#sink.finding(finding);
  }

  /** Such a finding is over. */
  lower(key: string, now: number): void {
    const finding = this.#raised.get(key);
    if (finding === undefined) return;
    this.#raised.delete(key);
    if (this.#uncount(finding.rule.id, finding) && finding.subject.cidr !== '') return;
    this.#sink.finding({ ...finding, time: now, state: 'clears' });
  }

  /** Forgets all of them without a word: their rule is gone. */
  forgetRaised(): void {
    for (const finding of this.#raised.values()) this.#uncount(finding.rule.id, finding);
    this.#raised.clear();
  }

  /** Counts a finding among those of its rule about its subject. */
  #count(rule: string, { subject, severity }: Finding, isKnown: boolean): void {
    const key = subjectKey(rule, subject);
    const rank = severities.indexOf(severity);
    const others = this.#bySubject.get(key) ?? { count: 0, rank };
    others.rank = Math.max(others.rank, rank);
    if (isKnown) return;
    others.count++;
    this.#bySubject.set(key, others);
    this.#byRule.set(rule, (this.#byRule.get(rule) ?? 0) + 1);
  }

  /** The same backwards; true where others are left. */
  #uncount(rule: string, { subject }: Finding): boolean {
    const key = subjectKey(rule, subject);
    const others = this.#bySubject.get(key)!;
    this.#byRule.set(rule, (this.#byRule.get(rule) ?? 1) - 1);
    if (--others.count > 0) return true;
    this.#bySubject.delete(key);
    return false;
  }

  /** What a finding is beside those of the same rule about the same subject. */
  #stateOf(
    key: string,
    now: { rule: { id: string }; subject: Subject; severity: Severity; reached: FindingState },
  ): FindingState {
    const others = this.#bySubject.get(subjectKey(now.rule.id, now.subject));
    // Of the network as a whole several things may be said at a time.
    if (others === undefined || now.subject.cidr === '') return now.reached;
    const isWorse = severities.indexOf(now.severity) > others.rank;
    const isKnown = this.#open.has(key) || this.#raised.has(key);
    if (others.count === 1 && isKnown) return now.reached;
    return isWorse ? 'rises' : 'again';
  }

  #keep(key: string, open: Open): void {
    const { rule, finding } = open;
    const known = this.#open.get(key);
    if (known === undefined && this.#open.size >= openMax) {
      this.dropped++;
      return;
    }
    this.#count(rule.id, finding, known !== undefined);
    if (known === undefined) this.#open.set(key, open);
    else known.finding = finding;
  }

  /** Clears what is over; true if anything was. `now` is in microseconds. */
  sweep(second: number, now: number): boolean {
    let any = false;
    for (const [key, { rule, table, at, finding }] of this.#open) {
      const { words } = table.subjects.cells;
      if (second - words[at + RuleAt.lastFinding]! < rule.clearsAfter) continue;
      words[at + RuleAt.level] = 0;
      if (!rule.isDiscovery) words[at + RuleAt.firstEvidence] = 0;
      any = true;
      if (this.#forget(key, rule)) continue;
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

  /** True where the rule has other findings about the subject. */
  #forget(key: string, rule: Rule): boolean {
    const { finding } = this.#open.get(key)!;
    this.#open.delete(key);
    return this.#uncount(rule.id, finding);
  }

  #keyOf(rule: Rule, owner: number): string {
    return `${rule.id} ${owner}`;
  }
}

function subjectKey(rule: string, { cidr }: Subject): string {
  return `${rule} ${cidr}`;
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
