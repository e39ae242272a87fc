// The judge of the labelled worlds: its arithmetic against published values, its ledger against
// sums by hand, and the two ways of judging, rows and packets, against each other.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ablated, ablations } from '../../bench/evaluate/ablation.js';
import { CountAnHour, LeakyRefusals, SentToReceived } from '../../bench/evaluate/baselines.js';
import { dayOfPackets, dayOfRows } from '../../bench/evaluate/day.js';
import { precisionAt, quantile, upperBound, wilson } from '../../bench/evaluate/intervals.js';
import { Ledger, type Verdict } from '../../bench/evaluate/ledger.js';
import { claims } from '../../bench/evaluate/meaning.js';
import { Tally } from '../../bench/evaluate/tally.js';
import { epoch } from '../../bench/world/files.js';
import { cut, dayMix, tuningSpread } from '../../bench/world/mixes.js';
import { hour } from '../../bench/world/source.js';
import { talkOf } from '../../bench/world/talk.js';
import { makeWorld } from '../../bench/world/world.js';
import { loadRules, shippedRules } from '../../src/cli/rule-folder.js';

// Whole worlds through the whole program: seconds alone, more on a busy machine.
vi.setConfig({ testTimeout: 90_000 });

describe('intervals', () => {
  it('are those of the books', () => {
    // detection.md 2.1: 126 of 132, 110 of 132.
    const [low, high] = wilson(126, 132);
    expect([low.toFixed(3), high.toFixed(3)]).toEqual(['0.904', '0.979']);
    const [lower, upper] = wilson(110, 132);
    expect([lower.toFixed(3), upper.toFixed(3)]).toEqual(['0.761', '0.887']);
    expect(wilson(0, 0)).toEqual([0, 1]);
    // The rule of three, and Poisson limits from tables.
    expect(upperBound(0)).toBeCloseTo(2.996, 3);
    expect(upperBound(1)).toBeCloseTo(4.744, 3);
    expect(upperBound(10)).toBeCloseTo(16.962, 2);
    expect([quantile([5, 1, 3], 0.5), quantile([1, 2], 0.9)]).toEqual([3, 2]);
    // Recall 0.95 where one in 1,000 is bad and one innocent in 1,000 is accused.
    expect(precisionAt(1e-3, 0.95, 1e-3)).toBeCloseTo(0.487, 3);
  });
});

const small = (seed: number) => ({
  seed,
  mix: cut(dayMix, 0.06),
  spread: tuningSpread,
  length: hour,
  baselines: [],
});

describe('the ledger', () => {
  const world = makeWorld(small(2));
  const bot = world.sources.find(({ guilt }) => guilt === 'bot-fast')!.address;
  const home = world.sources.find(({ population }) => population === 'home')!.address;
  const at = (minutes: number) => epoch + minutes * 60_000_000;

  function spam(client: string, minutes: number, answers: readonly ('ok' | 'unknown')[]) {
    const recipients = answers.map((answer, n) => ({ to: `u${n}@d1.example`, answer }));
    const letter = null;
    const mails = [{ from: '', answer: 'ok' as const, recipients, letter, final: 'ok' as const }];
    return talkOf({ client, server: '198.19.1.1', start: minutes * 60_000_000, mails });
  }

  it('adds up what was offered before the list, and the hours of innocents on it', () => {
    const ledger = new Ledger(world);
    ledger.talk(spam(bot, 1, ['ok', 'unknown']), at(1));
    ledger.talk(spam(bot, 3, ['unknown', 'unknown']), at(3));
    ledger.talk(spam(home, 3, ['ok']), at(3));
    const said = (verdict: Partial<Verdict>) =>
      ledger.verdict({ kind: 'limit', time: 0, cidr: '', rule: 'core.x', ...verdict });
    said({ kind: 'alert', time: at(2), cidr: `${bot}/32` });
    said({ time: at(2), cidr: `${bot}/32`, id: 'a', state: 'added' });
    said({ time: at(10), cidr: `${home}/32`, id: 'b', state: 'added' });
    said({ time: at(25), cidr: `${home}/32`, id: 'b', state: 'extended' });
    said({ time: at(40), cidr: `${home}/32`, id: 'b', state: 'expired' });
    said({ time: at(45), cidr: '9.9.9.9/32', id: 'c', state: 'added' });
    ledger.finish(at(60));
    const tally = new Tally();
    tally.add(2, ledger, world.ground, []);
    expect(tally.found.get('bot-fast')).toMatchObject({
      sourceDays: 1,
      alerted: 1,
      listed: 1,
      blocked: 0,
      delivered: [1],
      refused: [1],
      toAlert: [60],
      toList: [60],
    });
    expect(tally.paid.get('home')).toMatchObject({ sourceDays: 1, listed: 1, held: 0.5 });
    expect(tally.roles.get('customer-dynamic')).toMatchObject({ listed: 1, held: 0.5 });
    expect([tally.strange, tally.cases]).toEqual([1, [`2 ${home} home: core.x`]]);
  });

  it('counts nothing of a forged half against the address it forges', () => {
    const ledger = new Ledger(world);
    ledger.talk({ ...spam(home, 1, ['unknown']), kind: 'half' }, at(1));
    expect(ledger.accounts.get(home)!.sessions).toBe(0);
  });

  it('takes an IPv6 customer by his prefix, and everybody in a prefix that is spoken of', () => {
    const ledger = new Ledger(world);
    const six = world.sources.find(({ address }) => address.includes(':'))!.address;
    const prefix = `${six.split(':').slice(0, 4).join(':')}::/64`;
    const limit = { kind: 'limit', time: at(1), rule: 'core.x', state: 'added' } as const;
    ledger.verdict({ ...limit, cidr: prefix, id: 'a' });
    expect(ledger.accounts.get(six)!.listed).toBe(at(1));
    ledger.verdict({ kind: 'alert', time: at(1), rule: 'core.y', cidr: '198.19.253.0/24' });
    const shoes = [...ledger.accounts.values()].filter((one) => one.alerts.has('core.y'));
    expect(shoes.length).toBe(60);
  });
});

describe('the baselines', () => {
  it('list at their thresholds and not before', () => {
    const recipients = Array.from({ length: 6 }, (_, n) => ({
      to: `u${n}@d1.example`,
      answer: 'unknown' as const,
    }));
    const mail = { from: '', answer: 'ok', recipients, letter: null, final: 'ok' } as const;
    const talk = talkOf({ client: '198.18.0.1', server: '198.19.1.1', start: 0, mails: [mail] });
    const five = { ...talk, mails: [{ ...mail, recipients: recipients.slice(1) }] };
    const bucket = new LeakyRefusals();
    bucket.talk(five, epoch);
    expect(bucket.listed.size).toBe(0);
    bucket.talk(five, epoch + 51_000_000);
    expect(bucket.listed.size).toBe(0);
    bucket.talk(talk, epoch + 52_000_000);
    expect(bucket.listed.size).toBe(1);
    const count = new CountAnHour(11);
    const start = Math.ceil(epoch / hour) * hour;
    count.talk(talk, start - 1);
    count.talk(talk, start + 1);
    expect(count.listed.size).toBe(0);
    count.talk(talk, start + 2);
    expect(count.listed.get('198.18.0.1')).toBe(start + 2);
    const ratio = new SentToReceived();
    for (let n = 0; n < 20; n++) ratio.talk({ ...talk, client: talk.server, server: 'x' }, epoch);
    for (let n = 0; n < 19; n++) ratio.talk(talk, epoch);
    expect([...ratio.listed.keys()]).toEqual([talk.server]);
  });
});

describe('a world before the judge', () => {
  it('gets the same verdicts as rows and as packets', async () => {
    const rows = await dayOfRows(small(3));
    const packets = await dayOfPackets(small(3));
    const verdicts = rows.ledger.said();
    expect(verdicts.filter(({ listed }) => listed).length).toBeGreaterThan(4);
    expect(packets.ledger.said()).toEqual(verdicts);
    expect(packets.stats).toMatchObject({ gap_bytes: 0 });
  });

  it('has a claim for every rule that ships', () => {
    const ids = loadRules(shippedRules).rules.map(({ meta }) => meta.id);
    expect(ids.filter((id) => claims[id] === undefined)).toEqual([]);
  });

  it('can be judged by rules that lack one idea', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mailweir-ablation-'));
    try {
      const shipped = loadRules(shippedRules).rules.map(({ meta }) => meta);
      for (const name of Object.keys(ablations)) {
        const metas = loadRules(ablated(name, folder)).rules.map(({ meta }) => meta);
        expect(metas.map(({ id }) => id)).toEqual(shipped.map(({ id }) => id));
        expect(metas.map(({ sha256 }) => sha256)).not.toEqual(shipped.map((one) => one.sha256));
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
