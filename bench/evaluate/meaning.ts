// What each finding claims, as the contracts name the rules, and for which sources of a world that
// claim is true. This is the judge's side: it knows rule ids and nothing of how rules decide.

import type { Guilt } from '../world/source.js';

/** Kinds of guilt that must come on the list: nobody of them is a registered server. */
export const listable: readonly Guilt[] = [
  'bot-fast',
  'bot-wide',
  'bot-slow',
  'bot-clean-list',
  'bot-postfix',
  'bot-hidden',
  'bot-submission',
  'bot-foreign',
  'harvester',
  'guesser',
];

interface Claim {
  /** Kinds of guilt that the rule is there to find. */
  readonly finds: readonly Guilt[];
  /** Innocent populations of which what it says is true, though it is no guilt. */
  readonly holds?: RegExp;
}

const bots: readonly Guilt[] = [
  'bot-fast',
  'bot-wide',
  'bot-slow',
  'bot-clean-list',
  'bot-postfix',
  'bot-hidden',
];

const honestServers = /unregistered|hobby server/;

/** By rule id. */
export const claims: Readonly<Record<string, Claim>> = {
  'core.direct-to-mx': { finds: bots, holds: /device|hobby server|unregistered/ },
  'core.open-relay': { finds: ['relay'] },
  'core.rcpt-failure-sprt': {
    finds: ['bot-fast', 'bot-slow', 'bot-postfix', 'bot-hidden', 'bot-foreign'],
  },
  'core.stranger-refused': { finds: ['bot-foreign'] },
  'core.harvest': { finds: ['harvester', 'harvester-net'], holds: /^infrastructure$/ },
  'core.rcpt-fanout': { finds: ['bot-fast', 'bot-clean-list', 'bot-postfix'] },
  'core.submission-fanout': { finds: ['bot-submission'] },
  'core.auth-guessing': { finds: ['guesser'], holds: /stale password/ },
  'core.compromised-sender': { finds: ['compromised'] },
  'core.rate-limit': { finds: bots },
  'core.hot-source': { finds: [] },
  'core.envelope-forgery': { finds: ['bot-fast', 'bot-slow', 'bot-hidden'] },
  'core.dialect': { finds: ['bot-fast', 'bot-slow', 'bot-hidden'] },
  'core.snowshoe': { finds: ['snowshoe'] },
  'core.not-smtp': { finds: ['scanner'] },
  'core.label': { finds: ['mislabelled'] },
  'core.network-cusum': { finds: [] },
  'core.dnsbl-verdict': { finds: ['bot-fast', 'bot-postfix', 'bot-hidden'], holds: /device|hobby/ },
  'core.register-clock': { finds: ['out-of-dates'] },
  'core.unregistered-server': { finds: ['relay'], holds: honestServers },
  'core.relay-probe': { finds: ['prober'] },
  'core.backscatter': { finds: ['backscatter'] },
  'core.connect-failure': { finds: ['scanner'] },
};
