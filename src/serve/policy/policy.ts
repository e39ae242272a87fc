// What Postfix is told about one client: REJECT where it is blocked, DEFER_IF_PERMIT where it is
// over its limit, DUNNO (go on) otherwise, and always where anything is not known. Recipients are
// charged when they are named (RCPT); a server that asks only at the end of the message is charged
// for all of them then.

import { scopePorts } from '../../block/rows.js';
import { Prefix, prefixText, readPrefix } from '../../lib/prefix.js';
import { type LookupFigure, slotOf } from '../lookup/figures.js';
import type { ListedSources, Moment } from '../lookup/listed.js';
import { type Appeal, wording } from '../lookup/wording.js';
import { type Limit, Meters } from './meter.js';
import type { PolicyRequest } from './request.js';

/** Messages of which it is known how many recipients were charged. */
const messagesMax = 20_000;
/** A message with more recipients is charged as if it had so many. */
const recipientsMax = 100_000;
const mailPort = 25;

const slot = (name: LookupFigure) => slotOf(name);
const figure = {
  requests: slot('policy_requests'),
  passed: slot('policy_passed'),
  deferred: slot('policy_deferred'),
  rejected: slot('policy_rejected'),
  stale: slot('policy_stale'),
  forgotten: slot('policy_forgotten'),
  sources: slot('policy_sources'),
} as const;

export interface PolicyOptions {
  readonly appeal: Appeal;
  /** Of limits that do not say theirs. */
  readonly limit: Limit;
}

export class Policy {
  readonly #options: PolicyOptions;
  readonly #listed: ListedSources;
  readonly #figures: Float64Array;
  readonly #meters = new Meters();
  /** Recipients charged so far, by the message's instance; the oldest first. */
  readonly #charged = new Map<string, number>();
  readonly #prefix = new Prefix();
  readonly #moment: Moment = { now: 0, port: mailPort };

  constructor(options: PolicyOptions, listed: ListedSources, figures: Float64Array) {
    this.#options = options;
    this.#listed = listed;
    this.#figures = figures;
  }

  /** The action for a request at the moment `clock_ms` of `performance.now`. */
  action(request: PolicyRequest, clock_ms: number): string {
    this.#figures[figure.requests]! += 1;
    const answer = this.#judge(request, clock_ms);
    this.#figures[figure.forgotten] = this.#meters.forgotten;
    this.#figures[figure.sources] = this.#meters.count;
    if (answer !== null) return answer;
    this.#figures[figure.passed]! += 1;
    return 'DUNNO';
  }

  #judge(request: PolicyRequest, clock_ms: number): string | null {
    const { client_address, server_port } = request;
    const prefix = this.#prefix;
    if (!readPrefix(client_address, prefix) || prefix.bits !== 128) return null;
    if (this.#listed.isStale(clock_ms)) {
      this.#figures[figure.stale]! += 1;
      return null;
    }
    this.#moment.now = this.#listed.now(clock_ms);
    this.#moment.port = portOf(server_port);
    const { w0, w1, w2, w3 } = prefix;
    if (!this.#listed.find(w0, w1, w2, w3, this.#moment)) return null;
    const { entry } = this.#listed;
    const isBlock = entry.action === 'block';
    if (!isBlock && this.#conforms(request, clock_ms)) return null;
    this.#figures[isBlock ? figure.rejected : figure.deferred]! += 1;
    const whole = prefixText(prefix);
    const address = whole.slice(0, whole.lastIndexOf('/'));
    const text = wording(entry, address, this.#options.appeal);
    return isBlock ? `REJECT 5.7.1 ${text}` : `DEFER_IF_PERMIT 4.7.1 ${text}`;
  }

  /** Charges the limit of the entry at hand for what this request is about. */
  #conforms({ protocol_state, instance, recipient_count }: PolicyRequest, now: number): boolean {
    const isRcpt = protocol_state === 'RCPT';
    if (!isRcpt && protocol_state !== 'END-OF-MESSAGE' && protocol_state !== 'DATA') return true;
    const before = this.#charged.get(instance) ?? 0;
    const named = Math.min(recipientsMax, Number.parseInt(recipient_count, 10) || 0);
    const cost = isRcpt ? 1 : named - before;
    if (cost <= 0) return true;
    const { entry } = this.#listed;
    const { rate, burst } = entry;
    const limit = rate > 0 ? { rate, burst: Math.max(1, burst) } : this.#options.limit;
    if (!this.#meters.charge(entry.id, limit, cost, now)) return false;
    if (instance !== '') this.#note(instance, before + cost);
    return true;
  }

  #note(instance: string, recipients: number): void {
    this.#charged.set(instance, recipients);
    if (this.#charged.size <= messagesMax) return;
    const [oldest] = this.#charged.keys();
    this.#charged.delete(oldest!);
  }
}

/** The port that entries speak of; a server behind a proxy has another one, and is taken for 25. */
function portOf(text: string): number {
  const port = Number(text);
  return scopePorts.includes(port) ? port : mailPort;
}
