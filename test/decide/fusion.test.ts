// What evidence justifies: one kind a limit, two kinds or the same strong one twice a block.

import { describe, expect, it } from 'vitest';
import { confidence } from '../../src/decide/fusion.js';
import type { Action, Finding } from '../../src/detect/finding.js';
import { finding, hour, minute, rules, start, Trial } from './findings.js';

type Given = readonly [Finding['rule'], Partial<Finding>?][];

const foreign = { subject: { ...finding(rules.refusals).subject, role: 'foreign' } };
const forStrangers: Action = {
  do: 'notify',
  also: { ...rules.logins.strongAction!, only: ['foreign'] },
};
const suspicion = { severity: 'low', proof: 'suspected' } as const;
const relay = {
  ...rules.direct,
  id: 'core.open-relay',
  action: {
    do: 'alert',
    also: { do: 'limit', from: 'confirmed', rate: 25, burst: 10, for: 21_600 },
  },
} as const;
const at = (time: number) => ({ time: start + time });

const table: readonly (readonly [string, Given, string[]])[] = [
  ['refusals alone', [[rules.refusals]], ['added limit']],
  [
    'refusals, then a forged envelope',
    [[rules.refusals], [rules.forgery, at(minute)]],
    ['added limit', 'added block', 'released limit'],
  ],
  [
    'a forged envelope, then refusals',
    [[rules.forgery], [rules.refusals, at(minute)]],
    ['added block'],
  ],
  [
    'the second kind came too late',
    [[rules.refusals], [rules.forgery, at(7 * hour)]],
    ['added limit', 'expired limit'],
  ],
  [
    'harvesting is the same kind as refusals',
    [[rules.refusals], [rules.harvest, at(minute)]],
    ['added limit'],
  ],
  [
    'a rate under ten times the limit says nothing',
    [
      [rules.rate, { evidence: { times_limit: 9 } }],
      [rules.refusals, at(minute)],
    ],
    ['added limit'],
  ],
  [
    'a rate of ten times the limit does',
    [
      [rules.rate, { evidence: { times_limit: 10 } }],
      [rules.refusals, at(minute)],
    ],
    ['added limit', 'added block', 'released limit'],
  ],
  [
    'a list that others named, where refusals are mostly of that kind, is the same evidence',
    [
      [rules.listed],
      [rules.refusals, { ...at(minute), evidence: { policy_refused: 15, unknown_user: 4 } }],
    ],
    ['added limit'],
  ],
  [
    'the same where recipients are unknown is another kind',
    [
      [rules.listed],
      [rules.refusals, { ...at(minute), evidence: { policy_refused: 4, unknown_user: 15 } }],
    ],
    ['added block'],
  ],
  [
    'refusals twice within half an hour are once',
    [[rules.refusals], [rules.refusals, { ...at(29 * minute), state: 'again' }]],
    ['added limit', 'extended limit'],
  ],
  [
    'refusals twice, half an hour apart',
    [[rules.refusals], [rules.refusals, { ...at(30 * minute), state: 'again' }]],
    ['added limit', 'added block', 'released limit'],
  ],
  [
    'refusals twice of who may be a server with a stale list',
    [
      [rules.refusals, foreign],
      [rules.refusals, { ...foreign, ...at(hour / 2), state: 'again' }],
    ],
    ['added limit', 'extended limit'],
  ],
  [
    'refusals, all clear, and refusals again',
    [
      [rules.refusals],
      [rules.refusals, { ...at(20 * minute), state: 'clears' }],
      [rules.refusals, at(40 * minute)],
    ],
    ['added limit', 'added block', 'released limit'],
  ],
  [
    'a second kind that may be forged',
    [
      [rules.forgery, { handshake: false }],
      [rules.refusals, at(minute)],
    ],
    ['added limit'],
  ],
  [
    'a second kind of which half was seen',
    [
      [rules.forgery, { degraded: true }],
      [rules.refusals, at(minute)],
    ],
    ['added limit'],
  ],
  [
    'a suspicion of refusals blocks nobody, though another kind agrees',
    [
      [rules.refusals, suspicion],
      [rules.forgery, at(minute)],
      [rules.refusals, { ...suspicion, ...at(2 * minute), state: 'again' }],
    ],
    ['added limit'],
  ],
  ['a suspicion of refusals alone', [[rules.refusals, suspicion]], []],
  [
    'a suspicion by policy beside a list that others named, which are the same replies',
    [
      [rules.listed],
      [rules.refusals, { ...suspicion, evidence: { policy_refused: 15, unknown_user: 1 } }],
    ],
    [],
  ],
  [
    'a suspicion is not the first of two times',
    [
      [rules.refusals, suspicion],
      [rules.refusals, { ...at(40 * minute), state: 'rises' }],
      [rules.refusals, { ...at(60 * minute), state: 'again' }],
    ],
    ['added limit', 'extended limit'],
  ],
  [
    'a limit that takes a proof, below it and at it',
    [
      [relay, { proof: 'probable', severity: 'medium' }],
      [relay, { ...at(minute), proof: 'confirmed', severity: 'critical', state: 'rises' }],
    ],
    ['added limit'],
  ],
  ['the same where only the lesser proof is there', [[relay, { proof: 'probable' }]], []],
  ['dialect alone', [[rules.dialect]], []],
  ['a forged envelope alone', [[rules.forgery]], []],
  ['a rate alone', [[rules.rate, { evidence: { times_limit: 2 } }]], ['added limit']],
  ['mail that goes around the relay', [[rules.direct]], ['added limit']],
  ['many submission servers', [[rules.submission]], ['added limit']],
  ['logins alone are told, no more', [[rules.logins]], []],
  ['logins and a list that others named', [[rules.listed], [rules.logins]], ['added block']],
  [
    'logins of a customer and a list that others named, where the block is for strangers alone',
    [[rules.listed], [{ ...rules.logins, strongAction: forStrangers }]],
    [],
  ],
  [
    'the same of a stranger',
    [
      [rules.listed, foreign],
      [{ ...rules.logins, strongAction: forStrangers }, foreign],
    ],
    ['added block'],
  ],
  ['an open relay is told', [[rules.relay]], []],
  ['a low finding that asks for a limit', [[{ ...rules.direct, severity: 'low' }]], []],
  [
    'a rule that would block at once is held to a limit',
    [[{ ...rules.refusals, id: 'local.now', action: { do: 'block', ban_time: 60 } }]],
    ['added limit'],
  ],
  [
    'evidence that cleared corroborates nothing',
    [
      [rules.forgery],
      [rules.forgery, { ...at(minute), state: 'clears' }],
      [rules.refusals, at(2 * minute)],
    ],
    ['added limit'],
  ],
];

describe('fusion', () => {
  it.each(table)('%s', (_, given, said) => {
    const trial = new Trial();
    for (const [of, change] of given) trial.give(finding(of, change));
    expect(trial.said).toEqual(said);
  });

  it('a block names the second kind of evidence', () => {
    const { decisions } = new Trial().give(finding(rules.dialect), finding(rules.refusals));
    expect(decisions[0]).toMatchObject({ action: 'block', corroborators: ['core.dialect'] });
  });
});

describe('confidence', () => {
  it.each([
    [12.6, 0.9966],
    [0, 0.001],
    [-50, 0],
    [1e9, 1],
  ])('of a log likelihood ratio of %f is %f', (llr, expected) => {
    expect(confidence(finding(rules.refusals, { evidence: { llr } }))).toBe(expected);
  });

  it('is not invented', () => {
    expect(confidence(finding(rules.direct, { evidence: { servers: 3 } }))).toBeNull();
  });
});
