// The daemon's block list: opened with what surrounds it, told what policy decides and how time
// runs, and policy told what people say.

import type { Logger } from 'pino';
import type { Entry } from '../block/entry.js';
import { BlockList } from '../block/list.js';
import type { Protection } from '../block/wish.js';
import type { Decision, DecisionSink } from '../decide/decision.js';
import { untouchable } from '../decide/guards.js';
import type { Policy } from '../decide/policy.js';
import { Standings } from '../decide/standing.js';
import { maskWord, type Prefix, prefixText } from '../lib/prefix.js';
import type { Register } from '../register/register.js';
import type { Law } from './judge.js';
import { remembered } from './remembrance.js';

export class Listing implements DecisionSink {
  readonly list: BlockList;
  readonly #log: Logger;
  readonly #law: Law;
  #policy: Policy | null = null;

  /** Throws a `BlockError` where the store cannot be opened. */
  constructor(law: Law, log: Logger) {
    const { config, register } = law;
    this.#log = log;
    this.#law = law;
    this.list = new BlockList({
      directory: config.block.directory,
      name: config.sensor ?? 'mailweir',
      entriesMax: config.block.entries_max,
      life: config.block.life_s * 1e6,
      protection: protectionOf(register),
      verdicts: {
        released: (entry) => this.#released(entry),
        demoted: (rule, since) => this.#demoted(rule, since),
      },
      appeal: config.appeal,
      trouble: (problem) => log.error({ problem }, 'the block list cannot be written'),
    });
  }

  /** Whom to tell what people say about its decisions, and what the list remembers of them. */
  teach(policy: Policy): void {
    this.#policy = policy;
    for (const { sha256, demoted } of this.list.quality.values()) {
      if (demoted !== null) policy.trust(sha256, false);
    }
    const sources = remembered(this.list, this.#law.config.rules.mode);
    policy.restore(sources, this.list.now);
    // Register and allow-list may have changed while nobody ran. Whoever waits for it is told.
    this.list.protect(protectionOf(this.#law.register)).catch(() => {});
  }

  decision(decision: Decision): void {
    this.list.decision(decision);
  }

  /** Time runs on, microseconds. */
  tick(now: number): void {
    this.list.tick(now);
  }

  /** Goes by another register and allow-list. */
  async use({ register }: Law): Promise<void> {
    await this.list.protect(protectionOf(register));
  }

  /** For the `stats` event. */
  stats(): object {
    const { revision, count, bytes, dropped, counters } = this.list;
    return { revision, entries: count, memory_bytes: bytes, dropped, ...counters };
  }

  async close(): Promise<void> {
    await this.list.close();
  }

  #demoted({ id, sha256 }: { id: string; sha256: string }, since: number | null): void {
    this.#policy?.trust(sha256, since === null);
    if (since === null) this.#log.warn({ rule: id }, 'a rule acts again');
    else this.#log.warn({ rule: id }, 'a rule was wrong three times in a week: it observes');
  }

  #released(entry: Entry): void {
    const { id, ended } = entry;
    this.#log.info({ id, by: ended?.by, wrong: ended?.wrong }, 'released');
    this.#policy?.release(id, this.list.now);
  }
}

/** Who must not be listed, as a register knows it; a person may list more than one customer. */
function protectionOf(register: Register): Protection {
  const standings = new Standings(register);
  return (prefix, time) => {
    const { w0, w1, w2, w3, isIpv4 } = prefix;
    const bits = isIpv4 ? prefix.bits - 96 : prefix.bits;
    const cidr = prefixText(prefix);
    const standing = standings.of({ cidr, words: [w0, w1, w2, w3], bits, role: '' }, time);
    const guard = untouchable(standing);
    if (guard !== 'prefix') return guard;
    return holds(register, prefix) ? 'protected-inside' : null;
  };
}

/** Whether a registered server or somebody of the allow-list lies inside a prefix. */
function holds(register: Register, { w0, w1, w2, w3, bits }: Prefix): boolean {
  let found = false;
  const words = [w0, w1, w2, w3];
  register.eachProtected((one) => {
    const other = [one.w0, one.w1, one.w2, one.w3];
    const differs = (word: number, at: number) => ((word ^ other[at]!) & maskWord(bits, at)) !== 0;
    if (one.bits >= bits && !words.some(differs)) found = true;
  });
  return found;
}
