// What each source of a world did, beside what was said of it: sessions, recipients offered and
// refused with their times, alerts and entries of the list. One ledger is one day of one world.

import { epoch } from '../world/files.js';
import type { Range } from '../world/ground.js';
import type { SourceTruth } from '../world/source.js';
import type { Talk } from '../world/talk.js';
import type { World } from '../world/world.js';

/** An alert or a decision, as far as it is judged here. Times are microseconds since 1970. */
export interface Verdict {
  readonly kind: 'alert' | 'limit' | 'block';
  readonly time: number;
  readonly cidr: string;
  readonly rule: string;
  /** Of a decision. */
  readonly state?: string;
  readonly id?: string;
  readonly until?: number;
  /** suspected, probable, confirmed. */
  readonly proof?: string | undefined;
  /** Of an alert. */
  readonly severity?: string | undefined;
}

/** What people who watch alerts work in. */
const shift = 8 * 3_600_000_000;

/** Everything about one source of one day. */
export interface Account {
  readonly truth: SourceTruth;
  /** Sessions that opened and were no forgery. */
  sessions: number;
  outgoing: number;
  incoming: number;
  firstSeen: number;
  lastSeen: number;
  /** Of the guilty: when each recipient was offered, and whether it was refused. */
  readonly offered: number[];
  readonly refusals: boolean[];
  /** First alert of each rule, and its highest proof. */
  readonly alerts: Map<string, number>;
  readonly proofs: Map<string, string>;
  /** First limit or block, and by which rule. */
  listed: number;
  listedBy: string;
  blocked: number;
  /** Microseconds on the list. */
  held: number;
}

const unlisted = Number.POSITIVE_INFINITY;
const ranks = ['', 'suspected', 'probable', 'confirmed'];

export class Ledger {
  readonly accounts = new Map<string, Account>();
  /** Decisions about prefixes and addresses that nobody in the world has. */
  strange = 0;
  /** Alerts by severity, in each shift of eight hours. */
  readonly load = new Map<string, number[]>();
  shifts = 0;
  readonly #infrastructure: Range;
  readonly #open = new Map<string, { account: Account; since: number }>();

  constructor(world: World) {
    this.#infrastructure = world.ground.infrastructure;
    for (const truth of world.sources) {
      this.accounts.set(truth.address, {
        truth,
        sessions: 0,
        outgoing: 0,
        incoming: 0,
        firstSeen: unlisted,
        lastSeen: 0,
        offered: [],
        refusals: [],
        alerts: new Map(),
        proofs: new Map(),
        listed: unlisted,
        listedBy: '',
        blocked: unlisted,
        held: 0,
      });
    }
  }

  /** A talk that ended at a time. */
  talk(talk: Talk, time: number): void {
    if (talk.kind === 'half' || talk.kind === 'spoofed') return;
    const account = this.accounts.get(talk.client);
    const server = this.accounts.get(talk.server);
    if (server && talk.kind === 'smtp') server.incoming++;
    if (!account) return;
    account.firstSeen = Math.min(account.firstSeen, time);
    account.lastSeen = Math.max(account.lastSeen, time);
    if (talk.kind !== 'refused' && talk.kind !== 'silent' && talk.kind !== 'bare') {
      account.sessions++;
      if (talk.serverPort === 25) account.outgoing++;
    }
    if (account.truth.guilt === null || talk.starttls || talk.greeting !== 'ok') return;
    for (const mail of talk.mails) {
      for (const { answer } of mail.recipients) {
        account.offered.push(time);
        account.refusals.push(answer !== 'ok' && answer !== 'greylisted' && answer !== 'busy');
      }
    }
  }

  verdict(verdict: Verdict): void {
    if (verdict.kind === 'alert') {
      this.#counts(verdict);
      if (this.#isOfCrowd(verdict)) this.#crowd(verdict);
    }
    const account = this.#of(verdict.cidr);
    if (account === undefined && verdict.kind === 'alert') {
      for (const one of this.#inside(verdict.cidr)) one.alerts.set(verdict.rule, verdict.time);
      return;
    }
    if (account === undefined) {
      this.strange++;
      return;
    }
    if (verdict.kind === 'alert') {
      if (!account.alerts.has(verdict.rule)) account.alerts.set(verdict.rule, verdict.time);
      const before = account.proofs.get(verdict.rule) ?? '';
      const proof = verdict.proof ?? '';
      if (ranks.indexOf(proof) > ranks.indexOf(before)) account.proofs.set(verdict.rule, proof);
      return;
    }
    const key = verdict.id ?? verdict.cidr;
    if (verdict.state === 'added') {
      this.#open.set(key, { account, since: verdict.time });
      if (verdict.time < account.listed) {
        account.listed = verdict.time;
        account.listedBy = verdict.rule;
      }
      if (verdict.kind === 'block') account.blocked = Math.min(account.blocked, verdict.time);
    } else if (verdict.state !== 'extended') this.#close(key, verdict.time);
  }

  /** The day is over: open entries are counted to this time. */
  finish(time: number): void {
    for (const key of [...this.#open.keys()]) this.#close(key, time);
    this.shifts = Math.ceil((time - epoch) / shift);
  }

  /** A crowd that shares a dictionary is told of by the server that it asks. */
  #isOfCrowd({ rule, cidr }: Verdict): boolean {
    return rule === 'core.harvest' && this.#infrastructure.has(cidr.split('/')[0]!);
  }

  #crowd({ rule, time }: Verdict): void {
    for (const { truth, alerts } of this.accounts.values()) {
      if (truth.guilt === 'harvester-net' && !alerts.has(rule)) alerts.set(rule, time);
    }
  }

  #counts({ severity, time }: Verdict): void {
    const counts = this.load.get(severity ?? 'none') ?? [];
    const at = Math.max(0, Math.floor((time - epoch) / shift));
    counts[at] = (counts[at] ?? 0) + 1;
    this.load.set(severity ?? 'none', counts);
  }

  #close(key: string, time: number): void {
    const open = this.#open.get(key);
    if (open) open.account.held += Math.max(0, time - open.since);
    this.#open.delete(key);
  }

  /** What was said of each source of whom anything was, for comparing two ways of judging. */
  said() {
    const all = [...this.accounts.values()].map(({ truth, alerts, proofs, ...rest }) => ({
      address: truth.address,
      alerts: [...alerts.keys()].sort(),
      proofs: [...proofs].sort(),
      listed: Number.isFinite(rest.listed),
      by: rest.listedBy,
      blocked: Number.isFinite(rest.blocked),
    }));
    return all.filter(({ alerts, listed }) => listed || alerts.length > 0);
  }

  /** The sources in an IPv4 prefix of 24 bits. */
  #inside(cidr: string): Account[] {
    const block = /^(\d+\.\d+\.\d+\.)0\/24$/.exec(cidr)?.[1];
    if (block === undefined) return [];
    const inside = [...this.accounts].filter(([address]) => address.startsWith(block));
    return inside.map(([, account]) => account);
  }

  /** The source that a single address or an IPv6 customer's prefix means; none for wider ones. */
  #of(cidr: string): Account | undefined {
    const [address, bits] = cidr.split('/');
    if (address!.includes(':')) {
      if (Number(bits) === 128 || bits === undefined) return this.accounts.get(address!);
      if (Number(bits) < 56) return undefined;
      const prefix = address!.replace(/::$/, '').split(':').slice(0, 4).join(':');
      for (const [known, account] of this.accounts) {
        if (known.split(':').slice(0, 4).join(':') === prefix) return account;
      }
      return undefined;
    }
    return bits === undefined || bits === '32' ? this.accounts.get(address!) : undefined;
  }
}
