// Adds up ledgers of many days: who was found and how soon, who paid without guilt, and what each
// detector and each baseline did.

import type { Ground } from '../world/ground.js';
import type { Guilt, SourceTruth } from '../world/source.js';
import type { Baseline } from './baselines.js';
import type { Account, Ledger } from './ledger.js';

const hours = 3_600_000_000;

/** Sources of one kind of guilt. A source-day is a source that held at least one session. */
export interface Found {
  sourceDays: number;
  alerted: number;
  listed: number;
  blocked: number;
  /** Of each: recipients accepted, and refused, before it was listed (or ever). */
  readonly delivered: number[];
  readonly refused: number[];
  /** Seconds from its first session to the first alert, and to the list. */
  readonly toAlert: number[];
  readonly toList: number[];
}

/** Innocent sources of one population, or of one role. */
export interface Paid {
  sourceDays: number;
  listed: number;
  /** Hours on the list. */
  held: number;
  /** Neighbours behind listed addresses. */
  readonly rules: Map<string, number>;
}

/** What one detector said. */
export interface Said {
  readonly guilty: Map<Guilt, number>;
  readonly innocent: Map<string, number>;
}

/** What one method listed, ours or a baseline. */
export interface Method {
  readonly found: Map<Guilt, number>;
  readonly paid: Map<string, number>;
  /** Innocents among the paid that the register has. */
  registered: number;
  readonly refused: number[];
}

export interface RelayProofs {
  /** Relays with three or more mails in clear on both legs, and how many are confirmed. */
  clear: number;
  confirmed: number;
  /** Relays with fewer, by the highest proof. */
  readonly others: Map<string, number>;
  /** Innocents by population with a finding of any proof, and with a confirmed one. */
  readonly innocent: Map<string, number>;
  readonly wrong: Map<string, number>;
}

export class Tally {
  days = 0;
  strange = 0;
  readonly found = new Map<Guilt, Found>();
  readonly paid = new Map<string, Paid>();
  readonly roles = new Map<string, Paid>();
  readonly said = new Map<string, Said>();
  readonly methods = new Map<string, Method>();
  readonly relays: RelayProofs = {
    clear: 0,
    confirmed: 0,
    others: new Map(),
    innocent: new Map(),
    wrong: new Map(),
  };
  /** Innocents behind addresses that were listed for somebody else's guilt. */
  collateral = 0;
  /** Alerts in each shift of eight hours, by severity; shifts of all days. */
  readonly load = new Map<string, number[]>();
  shifts = 0;
  /** Accusations of innocents to look at: seed, address, population, rule. */
  readonly cases: string[] = [];

  add(seed: number, ledger: Ledger, ground: Ground, baselines: readonly Baseline[]): void {
    this.days++;
    this.strange += ledger.strange;
    for (const [severity, counts] of ledger.load) {
      const all = entry(this.load, severity, () => []);
      for (const [at, count] of counts.entries()) all[this.shifts + at] = count ?? 0;
    }
    this.shifts += ledger.shifts;
    for (const account of ledger.accounts.values()) {
      if (account.sessions === 0 && account.listed === Number.POSITIVE_INFINITY) continue;
      const { truth } = account;
      if (truth.guilt === null) this.#innocent(seed, account, ground);
      else this.#guilty(account, truth.guilt);
      this.#detectors(account);
      this.#relay(seed, account);
      for (const { name, listed } of baselines) {
        this.#method(name, account, listed.get(truth.address) ?? Number.POSITIVE_INFINITY);
      }
      this.#method('mailweir', account, account.listed);
    }
  }

  #guilty(account: Account, guilt: Guilt): void {
    const found = entry(this.found, guilt, () => ({
      sourceDays: 0,
      alerted: 0,
      listed: 0,
      blocked: 0,
      delivered: [],
      refused: [],
      toAlert: [],
      toList: [],
    }));
    found.sourceDays++;
    const alerts = [...account.alerts].filter(([rule]) => rule !== 'core.hot-source');
    const first = Math.min(...alerts.map(([, time]) => time));
    if (alerts.length > 0) found.toAlert.push((first - account.firstSeen) / 1e6);
    if (alerts.length > 0) found.alerted++;
    if (account.listed < Number.POSITIVE_INFINITY) {
      found.listed++;
      found.toList.push((account.listed - account.firstSeen) / 1e6);
      this.collateral += account.truth.others;
    }
    if (account.blocked < Number.POSITIVE_INFINITY) found.blocked++;
    const { refused, delivered } = before(account, account.listed);
    found.delivered.push(delivered);
    found.refused.push(refused);
  }

  #innocent(seed: number, account: Account, ground: Ground): void {
    const { truth } = account;
    const population = entry(this.paid, truth.population, nothingPaid);
    const role = entry(this.roles, roleOf(truth, ground), nothingPaid);
    for (const one of [population, role]) {
      one.sourceDays++;
      one.held += account.held / hours;
      if (account.listed === Number.POSITIVE_INFINITY) continue;
      one.listed++;
      add(one.rules, account.listedBy);
    }
    if (account.listed === Number.POSITIVE_INFINITY) return;
    this.cases.push(`${seed} ${truth.address} ${truth.population}: ${account.listedBy}`);
  }

  #detectors(account: Account): void {
    const { guilt, population } = account.truth;
    for (const rule of account.alerts.keys()) {
      const said = entry(this.said, rule, () => ({ guilty: new Map(), innocent: new Map() }));
      if (guilt === null) add(said.innocent, population);
      else add(said.guilty, guilt);
    }
  }

  #relay(seed: number, account: Account): void {
    const { guilt, legs, population, address } = account.truth;
    const proof = account.proofs.get('core.open-relay') ?? 'none';
    if (guilt === 'relay' && legs >= 3) {
      this.relays.clear++;
      if (proof === 'confirmed') this.relays.confirmed++;
    } else if (guilt === 'relay') add(this.relays.others, proof);
    else if (guilt === null && proof !== 'none') {
      add(this.relays.innocent, population);
      if (proof !== 'confirmed') return;
      add(this.relays.wrong, population);
      this.cases.push(`${seed} ${address} ${population}: confirmed as an open relay`);
    }
  }

  #method(name: string, account: Account, listed: number): void {
    const method = entry(this.methods, name, () => ({
      found: new Map(),
      paid: new Map(),
      registered: 0,
      refused: [],
    }));
    const { guilt, population, register } = account.truth;
    if (guilt === 'bot-fast') method.refused.push(before(account, listed).refused);
    if (listed === Number.POSITIVE_INFINITY) return;
    if (guilt === null && /^(registered|infrastructure)/.test(register)) method.registered++;
    if (guilt === null) add(method.paid, population);
    else add(method.found, guilt);
  }
}

function nothingPaid(): Paid {
  return { sourceDays: 0, listed: 0, held: 0, rules: new Map() };
}

/** The value under a key, made where it is not there. */
function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function add<K>(map: Map<K, number>, key: K): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

/** Recipients offered before a time, by their fate. */
function before(account: Account, time: number): { refused: number; delivered: number } {
  let refused = 0;
  let delivered = 0;
  account.offered.forEach((at, index) => {
    if (at > time) return;
    if (account.refusals[index]) refused++;
    else delivered++;
  });
  return { refused, delivered };
}

/** The role of an address in its ISP's plan and register. */
function roleOf(truth: SourceTruth, ground: Ground): string {
  if (!truth.own) return 'foreign';
  if (truth.register !== 'none' && truth.register !== 'missing') return truth.register;
  const { address } = truth;
  if (address.startsWith(ground.dynamic6)) return 'customer-dynamic';
  if (ground.dynamic.has(address)) return 'customer-dynamic';
  if (ground.shared.has(address)) return 'customer-dynamic, shared';
  if (ground.static.has(address)) return 'customer-static';
  return 'unregistered-server';
}
