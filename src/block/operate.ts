// What is done to the list, one operation at a time: a decision of policy arrives, a person adds,
// extends or releases, time runs out, somebody appeals. Each either changes the ledger or says why
// not. Nothing here waits, and nothing reads a clock.

import { createHash } from 'node:crypto';
import type { Decision, DecisionAction } from '../decide/decision.js';
import { clearStrayBits, Prefix, prefixText, readPrefix } from '../lib/prefix.js';
import { type Appeal, appealAgain, appealDue, appealLast } from './appeal.js';
import { around, holds } from './around.js';
import type { Actor, Ending, EndState, Entry } from './entry.js';
import { GrowthGuard } from './growth.js';
import type { Ledger } from './ledger.js';
import {
  type ListCounters,
  ListError,
  type ManualEntry,
  manualEntry,
  noCounters,
  type Release,
  type Surroundings,
} from './wish.js';

const day = 86_400 * 1e6;
/** In this time after a release the same rule only observes the source (detection.md 5.3). */
const gracePeriod = day;
/** So many wrong entries of a rule within so long, and it falls back to observe. */
const wrongMax = 3;
const wrongWindow = 7 * day;
/** A person's entry ends too, unless it allows. */
const manualMax = 366 * day;
/** Shorter prefixes are not listed: nobody lists a sixteenth of a network by mistake. */
const widest = { four: 96 + 16, six: 32 };

export class Operations {
  readonly #ledger: Ledger;
  readonly #prefix = new Prefix();
  surroundings: Surroundings;
  readonly counters: ListCounters;
  readonly growth = new GrowthGuard();
  #serial = 0;

  constructor(ledger: Ledger, surroundings: Surroundings) {
    this.#ledger = ledger;
    this.surroundings = surroundings;
    this.counters = noCounters();
    this.growth.begin(ledger.rows.automatic, ledger.now, ledger.hasHeld);
  }

  /** A person looked at a list that had grown too fast: it goes on as it is. */
  accept(by: Actor): void {
    const ledger = this.#ledger;
    this.growth.begin(ledger.rows.automatic, ledger.now, false);
    ledger.hasHeld = false;
    ledger.note({ actor: by.name, action: 'accept', id: '', cidr: '', detail: '' });
  }

  /** Whoever of these rows was held back is told from now on, as a change of the list. */
  tell(from: number, to: number): void {
    const { rows } = this.#ledger;
    for (let row = from; row < Math.min(to, rows.used); row++) {
      if (rows.untilAt(row) === undefined || !rows.isHeldAt(row)) continue;
      const { held: _, ...entry } = this.#ledger.entry(rows.idAt(row))!;
      this.#ledger.put(entry);
    }
  }

  /** Policy decided. What only observes is not for the list; nobody who was released comes back. */
  decide(decision: Decision): void {
    if (decision.mode === 'observe') {
      this.counters.observed += 1;
      return;
    }
    if (decision.state === 'added') this.#admit(decision);
    else if (decision.state === 'extended') this.#renew(decision);
    else this.#leave(decision);
  }

  #admit(decision: Decision): void {
    const { counters } = this;
    const { state: _state, mode: _mode, time, ...rest } = decision;
    const ledger = this.#ledger;
    if (ledger.knows(decision.id) || !readPrefix(decision.cidr, this.#prefix)) {
      counters.stale += 1;
      return;
    }
    if (this.#isDemoted(decision.rule)) {
      counters.demoted += 1;
      return;
    }
    if (ledger.hasGrace(decision.cidr, decision.rule.id, time)) {
      counters.graced += 1;
      return;
    }
    if (this.#allowing().length > 0) {
      counters.refused_allowed += 1;
      return;
    }
    const isProtected = this.surroundings.protection(this.#prefix, time) !== null;
    if (isProtected || this.#allowedInside(this.#prefix) !== null) {
      counters.refused_protected += 1;
      return;
    }
    // A daemon that was restarted decides anew about a source that is still listed.
    const twins = ledger
      .covering(this.#prefix, true)
      .filter((one) => one.origin === 'automatic' && one.action === decision.action);
    const held =
      this.growth.holds(ledger.rows.automatic + 1, ledger.now) && ({ held: true } as const);
    const of = { origin: 'automatic', owner: null, reason: null, ...held } as const;
    const entry = ledger.put({ ...rest, ...of });
    if (entry === null) {
      counters.refused_full += 1;
      return;
    }
    counters.added += 1;
    this.#note('add', entry, 'policy', `${decision.action} by ${decision.rule.id}`);
    for (const twin of twins) this.#end(twin, 'superseded', 'policy', `by ${entry.id}`);
  }

  #renew(decision: Decision): void {
    const entry = this.#standing(decision.id);
    if (entry === null || entry.until === null || entry.until >= decision.until) {
      this.counters.stale += 1;
      return;
    }
    // The explanation stays the one of the beginning: why it was listed at all.
    const { until, lastSeen, evidence, samples } = decision;
    this.#ledger.put({ ...entry, until, lastSeen, evidence, samples });
    this.counters.extended += 1;
    this.#note('extend', entry, 'policy', `until ${until}`);
  }

  #leave(decision: Decision): void {
    const entry = this.#standing(decision.id);
    // A person may have given it more time than policy knows.
    const isOver = entry?.until !== null && (entry?.until ?? 0) <= decision.time;
    if (entry === null || (decision.state === 'expired' && !isOver)) {
      this.counters.stale += 1;
      return;
    }
    const isReplaced = this.#ledger
      .covering(this.#at(entry.cidr), true)
      .some((one) => one.supersedes === entry.id);
    const state = isReplaced ? 'superseded' : (decision.state as EndState);
    this.#end(entry, state, 'policy', decision.explanation);
  }

  /** Ends what is due at the ledger's time, at most `limit`; true if more is due. */
  expire(limit: number): boolean {
    const ledger = this.#ledger;
    for (const id of ledger.due(ledger.now, limit)) {
      const entry = ledger.entry(id)!;
      this.#end(entry, 'expired', 'list', 'its time is over');
    }
    return ledger.isDue(ledger.now);
  }

  /** A person adds an entry. Throws a `ListError`. */
  add(wish: ManualEntry, by: Actor): Entry {
    const ledger = this.#ledger;
    const prefix = this.#wished(wish);
    const cidr = prefixText(prefix);
    if (wish.action !== 'allow') this.#mayList(prefix, cidr, wish.overrule === true);
    const twin = ledger
      .covering(prefix, true)
      .find((one) => one.origin === 'manual' && one.action === wish.action);
    if (twin !== undefined) {
      throw new ListError('exists', `${cidr} has an entry already, ${twin.id}; extend that one`);
    }
    const name = [cidr, wish.action, ledger.now, by.name, ledger.revision, this.#serial++];
    const hex = hexOf(name);
    const { appeal } = this.surroundings;
    const entry = ledger.put(manualEntry(wish, cidr, hex, ledger.now, appeal));
    if (entry === null) {
      this.counters.refused_full += 1;
      throw new ListError('full', 'the list is full; raise block.entries_max');
    }
    this.counters.added += 1;
    this.#note('add', entry, by.name, `${entry.action} for ${wish.owner}`);
    if (entry.action === 'allow') this.#clear(prefix, entry);
    return entry;
  }

  /** A person gives an entry another end. Throws a `ListError`. */
  extend(id: string, until: number | null, by: Actor): Entry {
    const entry = this.#mustStand(id);
    this.#mayEnd(entry.action, until);
    const changed = this.#ledger.put({ ...entry, until, owner: entry.owner ?? by.name })!;
    this.counters.extended += 1;
    this.#note('extend', changed, by.name, `until ${until ?? 'for ever'}`);
    return changed;
  }

  /** A person lets somebody out. Throws a `ListError`. */
  release(id: string, { reason, wrong }: Release, by: Actor): Entry {
    const ended = this.#letOut(this.#mustStand(id), { by: by.name, reason, wrong });
    this.#learn(ended, wrong);
    return ended;
  }

  /** Somebody says that an entry is wrong. Throws a `ListError`. */
  appeal(id: string, text: string, contact: string): Appeal {
    const { now } = this.#ledger;
    const entry = this.#mustStand(id);
    if (entry.action === 'allow') throw new ListError('invalid', `${id} allows; it harms nobody`);
    const before = this.#ledger.appeal(id);
    // Who asks twice is told the same twice.
    if (before?.state === 'open') return before;
    if (before !== undefined && now < (before.decided ?? 0) + appealAgain) {
      throw new ListError('not-yet', `${id} was looked at; appeal again a day after the answer`);
    }
    const appeal: Appeal = {
      id,
      cidr: entry.cidr,
      rule: entry.rule?.id ?? 'manual',
      filed: now,
      due: now + appealDue,
      last: now + appealLast,
      state: 'open',
      text,
      contact,
      decided: null,
      by: null,
      answer: null,
    };
    this.#ledger.putAppeal(appeal);
    this.counters.appeals += 1;
    this.#note('appeal', entry, 'public', 'filed');
    return appeal;
  }

  /** A person looked at an appeal, and the entry stays. Throws a `ListError`. */
  uphold(id: string, answer: string, by: Actor): Appeal {
    const appeal = this.#ledger.open.get(id);
    if (appeal === undefined) throw new ListError('unknown', `${id} has no open appeal`);
    return this.#decideAppeal(appeal, 'upheld', by.name, answer);
  }

  /** Releases entries whose appeal nobody decided in time (detection.md 5.3, 2). */
  overdue(): void {
    for (const appeal of this.#ledger.open.values()) {
      if (appeal.last > this.#ledger.now) continue;
      const entry = this.#standing(appeal.id);
      if (entry === null) this.#decideAppeal(appeal, 'lapsed', 'list', 'the entry had ended');
      else {
        const how = { by: 'list', reason: 'released:clock', wrong: false };
        this.#learn(this.#letOut(entry, how), false);
      }
    }
  }

  /** Lets go whoever of these rows must not be listed any more, as register and allow-list are. */
  reconcile(from: number, to: number): void {
    const { now, rows } = this.#ledger;
    for (let row = from; row < Math.min(to, rows.used); row++) {
      if (rows.untilAt(row) === undefined || rows.allowsAt(row)) continue;
      const guard = this.surroundings.protection(this.#at(rows.cidrAt(row)), now);
      if (guard === null) continue;
      const entry = this.#ledger.entry(rows.idAt(row))!;
      // A person who overruled the register signed for it; nobody overrules the allow-list.
      if (entry.origin === 'manual' && guard !== 'allow-list') continue;
      this.#end(entry, 'released', 'list', guard);
    }
  }

  /** A rule that fell back to observe acts again. Throws a `ListError`. */
  restore(rule: string, by: Actor): void {
    const quality = this.#ledger.quality.get(rule);
    if (quality === undefined || quality.demoted === null) {
      throw new ListError('unknown', `${rule} did not fall back to observe`);
    }
    this.#ledger.putQuality(rule, { ...quality, recent: [], demoted: null });
    this.#ledger.note({ actor: by.name, action: 'restore', id: rule, cidr: '', detail: '' });
    this.surroundings.verdicts.demoted({ id: rule, sha256: quality.sha256 }, null);
  }

  #isDemoted({ id, sha256 }: Decision['rule']): boolean {
    const quality = this.#ledger.quality.get(id);
    return quality !== undefined && quality.demoted !== null && quality.sha256 === sha256;
  }

  /** Entries that allow all of the prefix. */
  #allowing(prefix = this.#prefix): Entry[] {
    return this.#ledger.covering(prefix).filter((one) => one.action === 'allow');
  }

  #standing(id: string): Entry | null {
    return this.#ledger.rows.has(id) ? this.#ledger.entry(id)! : null;
  }

  #mustStand(id: string): Entry {
    const entry = this.#ledger.entry(id);
    if (entry === undefined) throw new ListError('unknown', `${id}: there is no such entry`);
    if (entry.ended !== undefined) {
      throw new ListError('ended', `${id} is not on the list any more (${entry.ended.state})`);
    }
    return entry;
  }

  #letOut(entry: Entry, how: Pick<Ending, 'by' | 'reason' | 'wrong'>): Entry {
    return this.#ending(entry, { ...how, state: 'released', forgiven: true });
  }

  #end(entry: Entry, state: EndState, by: string, reason: string): Entry {
    return this.#ending(entry, { state, by, reason, wrong: false });
  }

  #ending(entry: Entry, how: Omit<Ending, 'time' | 'revision'>): Entry {
    const { state, by, reason, wrong } = how;
    const ended = this.#ledger.end(entry, { ...how, time: this.#ledger.now });
    this.counters[state] += 1;
    const words = { expired: 'expire', released: 'release', superseded: 'supersede' } as const;
    this.#note(words[state], ended, by, wrong ? `wrong: ${reason}` : reason);
    const appeal = this.#ledger.open.get(entry.id);
    if (appeal !== undefined) {
      this.#decideAppeal(appeal, state === 'released' ? 'released' : 'lapsed', by, reason);
    }
    return ended;
  }

  #decideAppeal(appeal: Appeal, state: Appeal['state'], by: string, answer: string): Appeal {
    const decided: Appeal = { ...appeal, state, by, answer, decided: this.#ledger.now };
    this.#ledger.putAppeal(decided);
    const { id, cidr } = appeal;
    const action = state === 'upheld' ? 'uphold' : 'appeal';
    this.#ledger.note({ actor: by, action, id, cidr, detail: state });
    return decided;
  }

  /** What a release teaches: grace for the source, and the quality of the rule. */
  #learn(entry: Entry, wrong: boolean): void {
    if (entry.rule === null) return;
    const ledger = this.#ledger;
    const rule = entry.rule.id;
    ledger.putGrace(entry.cidr, rule, ledger.now + gracePeriod);
    this.surroundings.verdicts.released(entry);
    if (!wrong) return;
    this.counters.wrong += 1;
    const { sha256 } = entry.rule;
    const before = ledger.quality.get(rule);
    const isSame = before?.sha256 === sha256;
    const recent = [...(isSame ? before.recent : []), ledger.now].filter(
      (time) => time > ledger.now - wrongWindow,
    );
    const falls = recent.length >= wrongMax && !this.#isDemoted(entry.rule);
    ledger.putQuality(rule, {
      wrong: (before?.wrong ?? 0) + 1,
      wrongSeconds: (before?.wrongSeconds ?? 0) + (ledger.now - entry.created) / 1e6,
      recent: recent.slice(-wrongMax),
      demoted: falls ? ledger.now : isSame ? before.demoted : null,
      sha256,
    });
    if (!falls) return;
    const detail = `${wrongMax} wrong entries within 7 days`;
    ledger.note({ actor: 'list', action: 'demote', id: rule, cidr: '', detail });
    this.surroundings.verdicts.demoted({ id: rule, sha256 }, ledger.now);
  }

  #note(action: 'add' | 'extend' | AuditEnd | 'appeal', entry: Entry, by: string, detail: string) {
    const { id, cidr } = entry;
    this.#ledger.note({ actor: by, action, id, cidr, detail });
  }

  #at(cidr: string): Prefix {
    readPrefix(cidr, this.#prefix);
    return this.#prefix;
  }

  #wished({ cidr, action, until, owner, reason }: ManualEntry): Prefix {
    const prefix = this.#prefix;
    if (!readPrefix(cidr, prefix)) {
      throw new ListError('invalid', `"${cidr}" is no address and no prefix`);
    }
    if (clearStrayBits(prefix)) {
      throw new ListError(
        'invalid',
        `"${cidr}" has bits set behind its length; did you mean ${prefixText(prefix)}?`,
      );
    }
    if (owner.trim() === '' || reason.trim() === '') {
      throw new ListError('invalid', 'an entry of a person needs an owner and a reason');
    }
    if (action !== 'allow' && prefix.bits < (prefix.isIpv4 ? widest.four : widest.six)) {
      throw new ListError('invalid', `${cidr} is too wide; list at most a /16, IPv6 a /32`);
    }
    this.#mayEnd(action, until);
    return prefix;
  }

  #mayEnd(action: DecisionAction, until: number | null): void {
    const { now } = this.#ledger;
    if (until === null && action === 'allow') return;
    if (until === null || until <= now || until > now + manualMax) {
      throw new ListError('invalid', 'give an end after now and within 366 days');
    }
  }

  #mayList(prefix: Prefix, cidr: string, overrule: boolean): void {
    if (this.#allowing(prefix).length > 0) {
      this.counters.refused_allowed += 1;
      throw new ListError('allowed', `${cidr} is on the allow-list, which always wins`);
    }
    const allowed = this.#allowedInside(prefix);
    if (allowed !== null) {
      throw new ListError('allowed', `${allowed} inside of ${cidr} is allowed; add what is around`);
    }
    const guard = this.surroundings.protection(prefix, this.#ledger.now);
    if (guard === null) return;
    const isHost = prefix.bits === 128 || (!prefix.isIpv4 && prefix.bits >= 64);
    const mayOverrule = isHost && (guard === 'registered-server' || guard === 'infrastructure');
    if (mayOverrule && overrule) return;
    this.counters.refused_protected += 1;
    const hint = mayOverrule ? '; overrule it if you are sure' : '';
    if (guard === 'allow-list') {
      throw new ListError('allowed', `${cidr} is on the allow-list, which always wins`);
    }
    throw new ListError('protected', `${cidr} must not be listed: ${guard}${hint}`);
  }

  /** Whoever is allowed now leaves the list; of an entry around them the rest stays. */
  #clear(prefix: Prefix, allow: Entry): void {
    const ledger = this.#ledger;
    for (const id of ledger.rows.inside(prefix)) {
      const entry = ledger.entry(id)!;
      if (entry.action !== 'allow') this.#end(entry, 'released', allow.id, 'allowed');
    }
    const hole = Object.assign(new Prefix(), prefix);
    for (const entry of ledger.covering(hole)) {
      if (entry.action === 'allow') continue;
      for (const cidr of around(entry.cidr, hole)) {
        const id = `bl_${hexOf([entry.id, cidr])}`;
        ledger.put({ ...entry, id, cidr, supersedes: entry.id });
      }
      this.#end(entry, 'superseded', allow.id, `${allow.cidr} inside of it is allowed`);
    }
  }

  /** An allowed prefix that lies inside, or null. */
  #allowedInside(prefix: Prefix): string | null {
    if (prefix.bits === 128) return null;
    for (const cidr of this.#ledger.allows.values()) if (holds(prefix, cidr)) return cidr;
    return null;
  }
}

/** The 20 digits of an id that follows from what it is about. */
function hexOf(name: readonly (string | number)[]): string {
  return createHash('sha256').update(name.join('|')).digest('hex').slice(0, 20);
}

type AuditEnd = 'expire' | 'release' | 'supersede';
