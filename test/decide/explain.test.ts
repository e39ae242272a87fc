// The words for people: one sentence for each family of rules, and what policy adds.

import { describe, expect, it } from 'vitest';
import type { Finding } from '../../src/detect/finding.js';
import { finding, minute, rule, rules, start, Trial } from './findings.js';

function alertOf(name: string, evidence: Finding['evidence'], more: Partial<Finding> = {}): string {
  const trial = new Trial().give(finding(rule(name), { evidence, ...more }));
  return trial.alerts[0]!.explanation.replace(
    ' It clears when nothing more of the kind is seen.',
    '',
  );
}

const walk = { failed: 19, outcomes: 23, sessions: 21, llr: 12.6, threshold: 11.5, alarms: 1 };
const distinct = { distinct: 12, over: 8, window_s: 600, exact: 1, observations: 40 };
const signs = {
  observations: 3,
  window_s: 3600,
  score: 3.5,
  over: 3,
  signs: 'own-address rotation',
};
const shift = { sum: 9.1, limit: 8, usual: 40, bins: 20, bin_s: 300 };

describe('why this source', () => {
  it.each<[string, Finding['evidence'], string]>([
    [
      'direct-to-mx',
      { ...distinct, distinct_long: 30, over_long: 20, window_long_s: 86_400 },
      'It spoke to 12 mail servers of others by itself within 10 minutes, 30 within one day; ' +
        'more than 8 is not usual.',
    ],
    [
      'open-relay',
      { taken: 5, passed_on: 4, best_score: 6, confirm_at: 3, clients: 1, domains: 3 },
      'It took 5 mails from 1 stranger for 3 domains that are not its own; 4 mails like them ' +
        'left it again.',
    ],
    [
      'rcpt-failure-sprt',
      walk,
      '19 of 23 recipients that it offered were refused, in 21 sessions; chance does not explain ' +
        'it (log likelihood ratio 12.6, limit 11.5).',
    ],
    [
      'harvest',
      { hits: 40, share: 0.89, window_s: 600, sources: 1 },
      '40 of its recipients did not exist (89 %) within 10 minutes, from 1 source.',
    ],
    [
      'submission-fanout',
      distinct,
      'It spoke to 12 different submission servers within 10 minutes; more than 8 is not usual.',
    ],
    [
      'auth-guessing',
      walk,
      '19 of 23 logins that it tried failed, in 21 sessions; chance does not explain it (log ' +
        'likelihood ratio 12.6, limit 11.5).',
    ],
    [
      'rate-limit',
      {
        rate_per_hour: 25,
        burst: 10,
        over_limit: 7,
        measured_per_hour: 12_345,
        times_limit: 493.8,
      },
      'It sends at a rate of about 12,345 an hour where 25 are allowed, 493.8 times as many.',
    ],
    [
      'hot-source',
      { guaranteed: 500, of: 20_000, share: 0.03, error_max: 5, window_s: 3600 },
      'At least 500 of 20,000 sessions in one hour are its own.',
    ],
    [
      'envelope-forgery',
      signs,
      'Its envelopes and greetings do not fit it: own-address, rotation (score 3.5, limit 3).',
    ],
    [
      'network-cusum',
      shift,
      'The network as a whole has far more than the usual 40 in 5 minutes (sum of deviations ' +
        '9.1, limit 8).',
    ],
    [
      'dnsbl-verdict',
      distinct,
      'Servers in 12 networks refused it and named a block list within 10 minutes; more than 8 ' +
        'is not usual.',
    ],
    ['label', { mails: 2, faults: 'unknown' }, '2 mails had a label that is wrong (unknown).'],
    [
      'something-local',
      { beers: 3, first_evidence: 1, window_s: 90 },
      'The rule something-local: beers 3, window s 90.',
    ],
    ['rcpt-failure-sprt', {}, 'The rule rcpt-failure-sprt: see its rule.'],
  ])('%s', (name, evidence, text) => {
    expect(alertOf(name, evidence)).toBe(text);
  });

  it('how sure it is, what is missing, what holds back, what else it can be', () => {
    const of = rule('open-relay', { falsePositives: ['a backup server.', 'a honeypot'] });
    const trial = new Trial({ role: 'registered' }).give(
      finding({ ...of, action: { do: 'limit' } }, { proof: 'probable', degraded: true }),
    );
    expect(trial.alerts[0]!.explanation).toBe(
      'The rule open-relay: llr 12.6, outcomes 23, failed 19. This is probable: mail that fits ' +
        'left it afterwards. The sensor misses part of the traffic that this rule needs, so look ' +
        'twice. No automatic action: a registered mail server is never limited or blocked ' +
        'automatically. It clears when nothing more of the kind is seen. Innocent reasons can ' +
        'be: a backup server; a honeypot.',
    );
  });
});

describe('why this entry and why now', () => {
  const evidence = walk;
  const both = [finding(rules.dialect), finding(rules.refusals, { evidence })];
  const words =
    '19 of 23 recipients that it offered were refused, in 21 sessions; chance does not explain ' +
    'it (log likelihood ratio 12.6, limit 11.5).';

  it('a limit', () => {
    const { decisions } = new Trial().give(finding(rules.refusals, { evidence }));
    expect(decisions[0]!.explanation).toBe(
      `Limited: one kind of evidence is enough for a limit. ${words} Allowed are 25 messages an ` +
        'hour, 10 at once. It ends at 2023-11-14 23:13:20 UTC unless more of the kind is seen.',
    );
  });

  it('a block, its renewal and its end', () => {
    const trial = new Trial().give(...both);
    trial.give(finding(rules.refusals, { time: start + 30 * minute, state: 'again', evidence }));
    trial.policy.tick(start + 90 * minute);
    expect(trial.decisions.map(({ explanation }) => explanation)).toEqual([
      `Blocked: another kind of evidence agrees (core.dialect). ${words} It ends at 2023-11-14 ` +
        '23:13:20 UTC unless more of the kind is seen.',
      'It goes on, so the entry lives until 2023-11-14 23:43:20 UTC.',
      'Its time is over and nothing more was seen: the block ended by itself.',
    ]);
  });

  it('observing, and a shared address', () => {
    const trial = new Trial({ cgnat: 16 }, { mode: 'observe' }).give(...both);
    expect(trial.decisions[0]!.explanation).toMatch(
      /^Would be limited \(observing\): another kind .* Held to a limit: the address is shared by /,
    );
  });

  it('twice', () => {
    const trial = new Trial().give(finding(rules.refusals));
    trial.give(finding(rules.refusals, { time: start + 31 * minute, state: 'again' }));
    expect(trial.decisions[1]!.explanation).toMatch(
      /^Blocked: the same strong evidence came twice/,
    );
  });
});
