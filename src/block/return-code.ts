// What a DNSBL answers for an entry: an address in 127.0.0.0/8 (RFC 5782 section 2.1) whose third
// part is the action and whose last is the kind of reason. Everything that answers for the list,
// our own server and exported zones, takes it from here. Codes that were given out are never
// reused.

import type { DecisionAction } from '../decide/decision.js';

/** Last part of the code, and the reason as a stranger reads it. */
export interface Reason {
  readonly code: number;
  readonly text: string;
}

/** In the order of their codes; 2 is also the test entry that RFC 5782 section 5 asks for. */
const reasons = {
  person: { code: 2, text: 'listed by the operator' },
  refusals: { code: 3, text: 'too many refused recipients' },
  amount: { code: 4, text: 'too much mail' },
  unregistered: { code: 5, text: 'mail from an address that is no registered server' },
  relay: { code: 6, text: 'open relay or bounces of forged mail' },
  logins: { code: 7, text: 'guessed passwords or an account in wrong hands' },
  manners: { code: 8, text: 'behaves as no mail server does' },
  others: { code: 9, text: 'other servers or addresses beside it are listed' },
  site: { code: 10, text: 'a rule of this provider' },
} as const satisfies Readonly<Record<string, Reason>>;

const reasonOfRule: Readonly<Record<string, Reason>> = {
  manual: reasons.person,
  'core.rcpt-failure-sprt': reasons.refusals,
  'core.harvest': reasons.refusals,
  'core.rate-limit': reasons.amount,
  'core.hot-source': reasons.amount,
  'core.rcpt-fanout': reasons.amount,
  'core.submission-fanout': reasons.amount,
  'core.network-cusum': reasons.amount,
  'core.direct-to-mx': reasons.unregistered,
  'core.unregistered-server': reasons.unregistered,
  'core.register-clock': reasons.unregistered,
  'core.open-relay': reasons.relay,
  'core.relay-probe': reasons.relay,
  'core.backscatter': reasons.relay,
  'core.auth-guessing': reasons.logins,
  'core.compromised-sender': reasons.logins,
  'core.dialect': reasons.manners,
  'core.not-smtp': reasons.manners,
  'core.envelope-forgery': reasons.manners,
  'core.connect-failure': reasons.manners,
  'core.label': reasons.manners,
  'core.snowshoe': reasons.others,
  'core.dnsbl-verdict': reasons.others,
};

/** The kind of reason of a rule, or of `manual`. */
export function reasonOf(rule: string): Reason {
  return reasonOfRule[rule] ?? reasons.site;
}

/** The third part of the code: 0 block, 1 limit. */
export function actionPart(action: DecisionAction): number {
  return action === 'block' ? 0 : 1;
}

/** The code of an entry, such as 127.0.1.4. */
export function returnCode(action: DecisionAction, rule: string): string {
  return `127.0.${actionPart(action)}.${reasonOf(rule).code}`;
}
