// The detectors: rows in, findings out. One row is looked up once, becomes observations, and each
// rule that can match the pair of roles at hand is asked. Time comes from rows and ticks alone.
//
// What counts as evidence is decided here, once for all rules: of a transaction with a gap only the
// recipients of whom both the address and the answer were seen (of 23,000 such answers on mirrors
// that lose 1 and 2 % of all packets one was not the true one); nothing of a connection whose
// handshake was not seen (a stranger can write any address on a packet of his), except where the
// tap shows too little of handshakes; then findings say so.

import { AtSession, AtTx, Outcome, RowKind, type RowSink } from '../batch/row.js';
import type { ProfileName } from '../register/profile.js';
import type { Register } from '../register/register.js';
import { Asks, asksMax } from './asks.js';
import { Verdict } from './bucket/bucket.js';
import { Correlate } from './bucket/correlate.js';
import { Clocks } from './clocks.js';
import { Domains } from './domains.js';
import type { Tree } from './expression.js';
import { Facts } from './facts.js';
import { At, Slot, streams } from './fields.js';
import type { FindingSink } from './finding.js';
import type { PrefixList } from './fold.js';
import { GroupTable } from './groups.js';
import { OpenFindings } from './open.js';
import { contextOf, contexts, type Rule, RuleAt, rulesOf, ruleWords } from './rule.js';
import type { RuleSet } from './rule-file.js';
import { Destinations, Servers } from './seen.js';
import { sharedOf } from './shared.js';
import { RecentPairs } from './state/recent.js';
import { type Cells, hashOf } from './state/subjects.js';
import { Vantage } from './vantage.js';

export interface DetectorOptions {
  /** Subjects of each grouping that are remembered; the longest silent goes. */
  readonly subjects: number;
  /** Key of hashes over names; equal seeds give equal findings. */
  readonly seed: number;
  /** Regulations whose dates the register is held to; absent: none. */
  readonly profiles?: readonly ProfileName[] | undefined;
}

export const detectorDefaults: DetectorOptions = { subjects: 1_000_000, seed: 0x6d77 };

/** A rule where it can match: for one stream and one context. */
interface Place {
  readonly rule: Rule;
  readonly table: GroupTable;
  /** Words from a record's first to the rule's. */
  readonly offset: number;
}

/** A rule that looks for second legs; its subjects are own servers. */
interface Relay extends Place {
  readonly bucket: Correlate;
}

/** The rules that can match in one stream and one context, and what is left to ask for each. */
interface Site {
  readonly asks: Asks;
  readonly places: readonly Place[];
  /** Those that one `Asks` had no room for. */
  readonly next: Site | null;
}

/** Everything that is counted here. */
export interface DetectorCounters {
  rows: number;
  /** Left out because bytes of the transaction were missing. */
  gapped: number;
  /** Left out because nobody saw the handshake. */
  unproven: number;
}

/** Pairs of source and recipient that are remembered, for each subject. */
const contactsShare = 4;
/** The first contact holds for a day (detection.md 2.0). */
const contactLife_s = 86_400;
/** Seconds between two looks at what is over. */
const sweep_s = 60;
/** In `RuleAt.level`: some of the evidence rests on no handshake. */
const unprovenBit = 1 << 8;

export class Detectors implements RowSink {
  readonly counters: DetectorCounters = { rows: 0, gapped: 0, unproven: 0 };
  readonly #options: DetectorOptions;
  readonly #facts: Facts;
  readonly #domains: Domains;
  readonly #shared: ReturnType<typeof sharedOf>;
  readonly #contacts: RecentPairs;
  readonly #destinations: Destinations;
  readonly #servers: Servers;
  /** What the tap shows, up to the row at hand. */
  readonly vantage = new Vantage();
  readonly #open: OpenFindings;
  readonly #clocks: Clocks;
  readonly #key = new Int32Array(5);
  #register: Register;
  #rules: readonly Rule[] = [];
  #tables: readonly GroupTable[] = [];
  #sites: readonly (Site | null)[] = [];
  #relays: readonly Relay[] = [];
  #serial = 0;
  #swept = 0;
  /** Whether the recipient at hand is new to its source: 0 not asked yet, 1 yes, 2 no. */
  #isFirst = 0;

  constructor(set: RuleSet, register: Register, sink: FindingSink, options: DetectorOptions) {
    this.#options = options;
    this.#contacts = new RecentPairs(options.subjects * contactsShare, false);
    this.#register = register;
    this.#facts = new Facts(options.seed);
    this.#domains = new Domains(register);
    this.#shared = sharedOf(() => this.#register, options.subjects);
    this.#destinations = new Destinations(options.subjects, options.seed);
    this.#servers = new Servers(options.subjects, options.seed);
    this.#open = new OpenFindings(sink, options.subjects);
    this.#clocks = new Clocks(this.#open, register, options.profiles ?? []);
    this.reload(set);
  }

  get rules(): readonly Rule[] {
    return this.#rules;
  }

  /** Uses another register, and holds it to other regulations, from the next row on. */
  replaceRegister(register: Register, profiles: readonly ProfileName[] = []): void {
    this.#clocks.use(register, profiles);
    this.#register = register;
    this.#domains.replace(register);
  }

  /**
   * Uses other rules from the next row on. A rule with the same id and the same text keeps all it
   * knows; findings of rules that are gone are forgotten without a word.
   */
  reload(set: RuleSet): void {
    this.#shared.lists = set.lists;
    const before = new Map(this.#rules.map((rule) => [rule.name, rule]));
    const rules = set.rules.flatMap((definition) =>
      rulesOf(definition, this.#shared, (name) => {
        const old = before.get(name);
        const isSame = old?.definition.meta.sha256 === definition.meta.sha256;
        return isSame ? old.bucket : undefined;
      }),
    );
    const old = this.#tables;
    const { subjects, seed } = this.#options;
    const tables = GroupTable.forRules(rules, subjects, seed, (rule, owner) =>
      this.#open.drop(rule, owner),
    );
    for (const table of tables) {
      const from = old.find(({ name }) => name === table.name);
      if (from !== undefined) table.moveFrom(from, this.#open);
    }
    this.#rules = rules;
    this.#tables = tables;
    this.#open.keep(rules, tables);
    this.#sites = sitesOf(rules, tables, set.lists);
    this.#relays = relaysOf(rules, tables);
    this.#lookAtClocks(set);
    this.#freeze();
  }

  /** The rule that asks for what the dates of the register ask for, if one does. */
  #lookAtClocks(set: RuleSet): void {
    const asking = set.rules.find(({ text }) => text.clocks)?.meta ?? null;
    if (asking?.sha256 !== this.#clocks.rule?.sha256) this.#open.forgetRaised();
    this.#clocks.rule = asking;
  }

  rows(area: ArrayBuffer, length: number): void {
    const { row } = this.#facts;
    row.open(area, length);
    while (row.next()) this.#row();
  }

  /** Tells the time, microseconds: findings whose evidence is old clear. */
  tick(now: number): void {
    const second = Math.max(1, Math.floor(now / 1e6));
    if (second - this.#swept >= sweep_s) this.#sweep(second, now);
  }

  /** Subjects remembered, given up, and what each takes, by grouping. */
  tables(): readonly { name: string; used: number; evicted: number; bytes: number }[] {
    return this.#tables.map(({ name, subjects }) => ({
      name,
      used: subjects.used,
      evicted: subjects.evicted,
      bytes: subjects.bytesPerSubject,
    }));
  }

  /** Findings that are open. */
  get open(): number {
    return this.#open.size;
  }

  /** What was given up for want of room, by what it was. */
  get givenUp(): Readonly<Record<string, number>> {
    return {
      contacts: this.#contacts.evicted,
      sessions: this.#shared.sessions.evicted,
      sets: this.#shared.tallies.exhausted,
      samples: this.#open.samples.overwritten,
      findings: this.#open.dropped,
      clocks: this.#clocks.dropped,
      destinations: this.#destinations.evicted,
    };
  }

  #row(): void {
    const facts = this.#facts;
    this.counters.rows++;
    this.#serial++;
    facts.open(this.#register);
    this.vantage.see(facts.time);
    this.#isFirst = 0;
    facts.serves = facts.src.own && this.#servers.has(facts, 'src');
    facts.relayClient =
      facts.dst.server >= 0 && this.#register.mayRelay(facts.dst.server, facts.src);
    const context = contextOf(facts.src.role, facts.src.own, facts.dst.own);
    switch (facts.row.kind) {
      case RowKind.transaction:
        this.#transaction(context);
        break;
      case RowKind.session:
        this.#session(context);
        break;
      case RowKind.attempt:
        facts.attempt();
        this.#dispatch(At.attempt, context);
        break;
      default:
        break;
    }
    this.tick(facts.time);
  }

  #transaction(context: number): void {
    const facts = this.#facts;
    const { row } = facts;
    const isFirst = row.word(AtTx.txId) === 0;
    if (!this.#isProven()) return;
    facts.transaction(this.#domains);
    const isWhole = row.gaps === 0;
    this.#destinations.look(facts, isWhole);
    if (isFirst) this.#dispatch(At.start, context);
    if (!isWhole) this.counters.gapped++;
    else this.#dispatch(At.transaction, context);
    const isAccepted = isWhole && row.outcome === Outcome.accepted;
    if (isAccepted && facts.dst.own && !facts.src.own) this.#servers.add(facts, 'dst');
    if (isAccepted) this.#secondLegs();
    const rcpts = this.#sites[At.rcpt * contexts + context]!;
    const accepted = this.#sites[At.accepted * contexts + context]!;
    const learns = isAccepted && facts.src.own && this.#isLearning();
    if (rcpts === null && !learns && (accepted === null || !isAccepted)) return;
    for (let i = 0; i < row.rcptCount; i++) {
      facts.recipient(i, this.#domains);
      if (!isWhole && !facts.isAnswered) continue;
      this.#isFirst = 0;
      this.#serial++;
      this.#ask(rcpts);
      if (learns && facts.isTaken) for (const relay of this.#relays) relay.bucket.learn(facts);
      // An accepted transaction is told once for each recipient that was taken: a relay is judged
      // by where its mail goes. Rules that count mails look at the first alone.
      if (isAccepted && facts.isTaken) this.#ask(accepted);
    }
  }

  #session(context: number): void {
    const facts = this.#facts;
    const { row } = facts;
    this.vantage.session(facts);
    if (!this.#isProven()) return;
    facts.session();
    if (row.word(AtSession.transactions) === 0) this.#dispatch(At.start, context);
    this.#dispatch(At.end, context);
    if (facts.values[Slot.sessionTls] !== 0 && facts.src.own) this.#hiddenLegs();
    if (row.word(AtSession.authAttempts) > 0) this.#dispatch(At.auth, context);
  }

  /** Whether the row may be evidence at all. */
  #isProven(): boolean {
    if (this.#facts.handshake || this.vantage.isBlind) return true;
    this.counters.unproven++;
    return false;
  }

  #dispatch(stream: number, context: number): void {
    this.#ask(this.#sites[stream * contexts + context]!);
  }

  #ask(first: Site | null): void {
    const { values } = this.#facts;
    for (let site = first; site !== null; site = site.next) {
      const { places } = site;
      for (let left = site.asks.ask(values); left !== 0; left &= left - 1) {
        this.#observe(places[31 - Math.clz32(left & -left)]!);
      }
    }
  }

  /** A rule's expression holds: its bucket hears of the observation. */
  #observe(place: Place): void {
    const facts = this.#facts;
    const { rule, table } = place;
    if (rule.frozen) return;
    if (rule.firstContact > 0 && !this.#isFirstContact()) return;
    const at = this.#stateOf(place, facts);
    if (at < 0) return;
    const { cells } = table.subjects;
    facts.role = table.isServer ? facts.dst.role : facts.src.role;
    const verdict = rule.bucket.observe(cells, at + ruleWords, facts);
    if (verdict !== Verdict.none) this.#note(rule, table, at, verdict);
  }

  /** First word of the rule's state for the subject at hand; -1: it has none and needs none. */
  #stateOf({ rule, table, offset }: Place, facts: Facts): number {
    const row = this.counters.rows;
    if (rule.opensOn === null || rule.opensOn(facts.values)) {
      return table.record(row, this.#serial, facts) + offset;
    }
    const base = table.known(row, this.#serial, facts);
    return base < 0 ? -1 : base + offset;
  }

  /** Mail of an own server may be the other half of mail that a stranger gave it. */
  #secondLegs(): void {
    const facts = this.#facts;
    for (const relay of this.#relays) {
      if (!relay.bucket.second(facts, this.#key)) continue;
      this.#noteLeg(relay, (cells, at) => relay.bucket.confirm(cells, at, facts));
    }
  }

  /** Whether any first leg is waited for, so that it matters where mail for a domain goes. */
  #isLearning(): boolean {
    const { second } = this.#facts;
    for (const { bucket } of this.#relays) if (bucket.isLearning(second)) return true;
    return false;
  }

  /** So may an encrypted session of one. */
  #hiddenLegs(): void {
    const facts = this.#facts;
    for (const relay of this.#relays) {
      if (!relay.bucket.hidden(facts, this.#key)) continue;
      this.#noteLeg(relay, (cells, at) => relay.bucket.suspect(cells, at, facts));
    }
  }

  /** The server whose address is in the key has a second leg; `judge` says what that makes. */
  #noteLeg({ rule, table, offset }: Relay, judge: (cells: Cells, at: number) => number): void {
    const facts = this.#facts;
    const at = table.subjects.open(this.#key, facts.second) + offset;
    const verdict = judge(table.subjects.cells, at + ruleWords);
    table.bits = this.#key[2] === 0xffff ? 32 : 128;
    facts.role = facts.src.role;
    this.#note(rule, table, at, verdict);
  }

  #isFirstContact(): boolean {
    if (this.#isFirst !== 0) return this.#isFirst === 1;
    const { values, second } = this.#facts;
    // Where no recipient is at hand, what a source touches is the server.
    const isRcpt = values[Slot.outcomeClass] !== 0;
    const high = (isRcpt ? values[Slot.rcptMailbox]! : values[Slot.dstKey]!) | 0;
    const low = isRcpt ? values[Slot.rcptMailbox + 1]! | 0 : 1;
    if (high === 0 && low === 0) {
      // Only its reply was seen: nobody can tell whether it came before.
      this.#isFirst = 1;
      return true;
    }
    const source = hashOf(values[Slot.srcKey]!, high, low, 0, this.#options.seed);
    const isNew = this.#contacts.open(source, low ^ values[Slot.srcKey]!, second, contactLife_s);
    this.#isFirst = isNew ? 1 : 2;
    return isNew;
  }

  /** Something was seen: keeps a sample, and speaks where the verdict is new. */
  #note(rule: Rule, table: GroupTable, at: number, verdict: number): void {
    const facts = this.#facts;
    const { words } = table.subjects.cells;
    const { second } = facts;
    if (words[at + RuleAt.firstEvidence] === 0) words[at + RuleAt.firstEvidence] = second;
    if (!facts.handshake) words[at + RuleAt.level]! |= unprovenBit;
    if (rule.samples > 0) this.#open.sample(table, at, facts);
    if (verdict < Verdict.suspected) return;
    const level = words[at + RuleAt.level]! & 0xff;
    const isNew = verdict > level;
    if (!isNew && second - words[at + RuleAt.lastFinding]! < rule.quiet) return;
    words[at + RuleAt.lastFinding] = second;
    if (isNew) words[at + RuleAt.level] = (words[at + RuleAt.level]! & ~0xff) | verdict;
    const state = level === 0 ? 'fires' : isNew ? 'rises' : 'again';
    this.#open.tell(rule, table, at, state, facts);
    if (state === 'fires') this.#freeze();
  }

  #sweep(second: number, now: number): void {
    this.#swept = second;
    for (const rule of this.#rules) {
      rule.degraded = this.vantage.isDegraded(rule.definition.text.needs);
    }
    if (this.#open.sweep(second, now)) this.#freeze();
    this.#clocks.look(now);
  }

  /** Rules stand still while the one that guards them has an open finding. */
  #freeze(): void {
    for (const rule of this.#rules) {
      const guard = rule.definition.text.frozen_by;
      if (guard !== undefined) rule.frozen = this.#open.has(guard);
    }
  }
}

/** Where each rule can match, by stream and context. */
function sitesOf(
  rules: readonly Rule[],
  tables: readonly GroupTable[],
  lists: ReadonlyMap<string, PrefixList>,
): (Site | null)[] {
  return streams.flatMap((_, stream) =>
    Array.from({ length: contexts }, (__, context) => {
      const wheres: Tree[] = [];
      const places: Place[] = [];
      for (const rule of rules) {
        const where = rule.wheres[stream]![context];
        if (where === null || where === undefined) continue;
        const table = tables.find((one) => one.holds(rule, context));
        if (table === undefined) continue;
        wheres.push(where);
        places.push({ rule, table, offset: table.offsetOf(rule) });
      }
      return siteOf(wheres, places, lists);
    }),
  );
}

function siteOf(
  wheres: readonly Tree[],
  places: readonly Place[],
  lists: ReadonlyMap<string, PrefixList>,
): Site | null {
  if (places.length === 0) return null;
  return {
    asks: new Asks(wheres.slice(0, asksMax), lists),
    places: places.slice(0, asksMax),
    next: siteOf(wheres.slice(asksMax), places.slice(asksMax), lists),
  };
}

/** Rules that look for second legs; their subjects are own servers. */
function relaysOf(rules: readonly Rule[], tables: readonly GroupTable[]): readonly Relay[] {
  return rules.flatMap((rule) => {
    const { bucket } = rule;
    if (!(bucket instanceof Correlate)) return [];
    return tables
      .filter((table) => table.has(rule) && table.isOwn)
      .map((table) => ({ rule, bucket, table, offset: table.offsetOf(rule) }));
  });
}
