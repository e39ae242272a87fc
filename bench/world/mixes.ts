// Which worlds there are: how many of each kind, and from which ranges their habits are drawn.
// Tuning seeds and held-back seeds draw from different ranges, so that what was fitted to the first
// is not praised for it on the second.

import type { Spread } from './source.js';
import type { Mix } from './world.js';

/** What the rules may be tuned on. */
export const tuningSpread: Spread = {
  unknown: [0.01, 0.1],
  stale: [0.05, 0.25],
  copies: [300, 3000],
  together: [0.2, 0.45],
  fastFail: [0.5, 0.85],
  slowFail: [0.25, 0.6],
  fastRate: [1000, 12_000],
  slowRate: [8, 60],
  deviceMails: [1, 15],
  serverRate: [2, 120],
  guesses: [40, 2000],
  submissions: [100, 250],
};

/** Wider on every side: what nobody has tuned on. */
export const heldBackSpread: Spread = {
  unknown: [0.01, 0.2],
  stale: [0.05, 0.35],
  copies: [200, 5000],
  together: [0.2, 0.6],
  fastFail: [0.4, 0.95],
  slowFail: [0.2, 0.7],
  fastRate: [1000, 25_000],
  slowRate: [5, 60],
  deviceMails: [1, 20],
  serverRate: [1, 400],
  guesses: [25, 5000],
  submissions: [90, 320],
};

/** A day of an ISP, the hard cases more often than in life. */
export const dayMix: Mix = {
  servers: 60,
  newsletters: 4,
  staleNewsletters: 2,
  lists: 4,
  forwarders: 5,
  backups: 6,
  callouts: 4,
  missing: 5,
  homes: 3000,
  homes6: 200,
  devices: 250,
  stalePasswords: 60,
  offices: 120,
  shared: 20,
  hobbyServers: 80,
  foreignServers: 400,
  foreignNewsletters: 12,
  fastBots: 10,
  wideBots: 3,
  slowBots: 10,
  cleanListBots: 4,
  postfixBots: 4,
  hiddenBots: 4,
  foreignBots: 8,
  submissionBots: 6,
  harvesters: 6,
  snowshoes: 1,
  relays: 3,
  compromised: 2,
  guessers: 5,
  probers: 4,
  scanners: 1,
  framed: 6,
  outages: 2,
  advertisers: 6,
  outOfDates: 2,
  backscatterers: 1,
  harvestNets: 1,
};

/**
 * A day of innocents alone, many of each hard kind, and every honest server missing from the
 * register: for bounds that the everyday mix is too small for.
 */
export const crowdMix: Mix = {
  ...(Object.fromEntries(Object.keys(dayMix).map((name) => [name, 0])) as unknown as Mix),
  servers: 80,
  newsletters: 6,
  lists: 8,
  forwarders: 10,
  backups: 10,
  callouts: 8,
  missing: 100,
  homes: 12_000,
  homes6: 400,
  devices: 2000,
  stalePasswords: 300,
  offices: 600,
  shared: 150,
  hobbyServers: 600,
  foreignServers: 1500,
  foreignNewsletters: 60,
  framed: 20,
  outages: 2,
};

/** A day of the guilty, many of each kind, among a few of everybody else. */
export const guiltyMix: Mix = {
  ...cut(dayMix, 0.05),
  fastBots: 40,
  wideBots: 10,
  slowBots: 40,
  cleanListBots: 10,
  postfixBots: 10,
  hiddenBots: 10,
  foreignBots: 20,
  submissionBots: 40,
  harvesters: 50,
  relays: 20,
  compromised: 4,
  guessers: 20,
};

/** The same with every count cut to a share, at least one where there was one. */
export function cut(mix: Mix, share: number): Mix {
  const smaller = Object.entries(mix).map(([name, count]: [string, number]) => {
    if (name === 'missing' || count === 0) return [name, count];
    return [name, Math.max(1, Math.round(count * share))];
  });
  return Object.fromEntries(smaller) as Mix;
}
