// A policy that begins anew with what the block list remembers, held to one that was never stopped:
// whoever is listed goes on, nobody's ladder begins at the bottom again, and nothing is doubled.

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { remembered } from '../../src/cli/remembrance.js';
import type { Decision } from '../../src/decide/decision.js';
import type { PolicyOptions } from '../../src/decide/policy.js';
import type { Mode } from '../../src/detect/finding.js';
import { desk, TestList } from '../block/lists.js';
import { day, finding, hour, minute, rules, start, Trial } from '../decide/findings.js';

/** A policy with a list behind it, as the daemon has them; a restart takes the list alone over. */
class Desk {
  readonly list = new TestList({
    verdicts: {
      released: (entry) => this.trial.policy.release(entry.id, this.list.list.now),
      demoted: () => {},
    },
  });
  trial = new Trial();
  readonly said: Decision[] = [];
  readonly #mode: Mode = 'enforce';

  async step(time: number, what: (trial: Trial) => void): Promise<void> {
    what(this.trial);
    this.trial.policy.tick(time);
    await this.#listen();
    this.list.list.tick(time);
    await this.list.list.idle();
  }

  async #listen(): Promise<void> {
    const news = this.trial.decisions.splice(0);
    for (const decision of news) this.list.list.decision(decision);
    this.said.push(...news);
    await this.list.list.idle();
  }

  async restart(options: Partial<PolicyOptions> = {}): Promise<void> {
    const list = await this.list.again();
    this.trial = new Trial({}, options);
    this.trial.policy.restore(remembered(list, options.mode ?? this.#mode), list.now);
    await this.#listen();
  }

  /** What stands on the list: action, level and end of each. */
  get standing(): string[] {
    return [...this.list.list.entriesAfter('')].map(tellOf).sort();
  }
}

const tellOf = ({
  cidr,
  action,
  level,
  until,
}: Pick<Decision, 'cidr' | 'action' | 'level'> & {
  until: number | null;
}): string => `${cidr} ${action} level ${level} until +${((until ?? 0) - start) / minute}`;

/** Both kinds of evidence: enough for a block. */
const both = (time: number, source = '203.0.113.9') => [
  finding(rules.dialect, { time, source }),
  finding(rules.refusals, { time, source }),
];

describe('after a restart', () => {
  let one: Desk;
  beforeEach(() => {
    one = new Desk();
  });
  afterEach(() => one.list.remove());

  it('goes on as if there had been none, wherever it comes', async () => {
    const event = fc.record({
      minutes: fc.constantFrom(1, 20, 45, 70, 400, 1500, 11_000),
      // Marks of findings are not kept, so each source is found in one way alone.
      source: fc.constantFrom('203.0.113.9', '203.0.113.10', '203.0.113.50'),
      isQuiet: fc.boolean(),
      restarts: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 8 }), async (events) => {
        const other = new Desk();
        const never = new Trial();
        let time = start;
        for (const { minutes, source, isQuiet, restarts } of events) {
          time += minutes * minute;
          const step = (trial: Trial) => {
            const direct = [finding(rules.direct, { time, source })];
            if (!isQuiet) trial.give(...(source.endsWith('.50') ? direct : both(time, source)));
            trial.policy.tick(time);
          };
          step(never);
          await other.step(time, step);
          if (restarts) await other.restart();
        }
        const open = never.policy.open.map(tellOf).sort();
        expect(other.standing).toEqual(open);
        expect(other.trial.policy.open.map(tellOf).sort()).toEqual(open);
        const short = (all: readonly Decision[]) =>
          all.map((each) => `${each.state} ${tellOf(each)} at +${(each.time - start) / minute}`);
        expect(short(other.said)).toEqual(short(never.decisions));
        await other.list.remove();
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  it('extends the entry that is there, and the ladder goes on where it was', async () => {
    await one.step(start, (trial) => trial.give(...both(start)));
    const { id } = one.said[0]!;
    await one.restart();
    await one.step(start + 30 * minute, (trial) => trial.give(...both(start + 30 * minute)));
    expect(one.said.map(({ state }) => state)).toEqual(['added', 'extended']);
    expect(one.list.list.entry(id)).toMatchObject({ level: 1, until: start + 90 * minute });
    const later = start + 2 * hour;
    await one.step(later, (trial) => trial.policy.tick(later));
    await one.restart();
    await one.step(later + minute, (trial) => trial.give(...both(later + minute)));
    expect(one.said.at(-1)).toMatchObject({ state: 'added', level: 2 });
  });

  it('two levels stay forgiven, and the rule only observes for the rest of the day', async () => {
    let time = start;
    for (let round = 0; round < 4; round++) {
      await one.step(time, (trial) => trial.give(...both(time)));
      if (round < 3) time = one.said.at(-1)!.until + 1;
    }
    const { id, level } = one.said.at(-1)!;
    expect(level).toBe(4);
    await one.list.list.release(id, { reason: 'mended', wrong: false }, desk);
    await one.restart();
    await one.step(time + hour, (trial) => trial.give(...both(time + hour)));
    expect(one.said.at(-1)).toMatchObject({ mode: 'observe', guards: ['observe-period'] });
    await one.restart();
    await one.step(time + 26 * hour, (trial) => trial.give(...both(time + 26 * hour)));
    expect(one.said.at(-1)).toMatchObject({ state: 'added', mode: 'enforce', level: 3 });
  });

  it('a lower mode, and whoever is allowed now, are let go at once', async () => {
    await one.step(start, (trial) => trial.give(...both(start)));
    await one.restart({ mode: 'limit' });
    expect(one.said.at(-1)).toMatchObject({ state: 'released', action: 'block' });
    await one.list.list.idle();
    expect(one.standing).toEqual([]);
  });

  it('a block that took the place of a limit goes on, not the limit', async () => {
    await one.step(start, (trial) => trial.give(finding(rules.direct, {})));
    await one.step(start + minute, (trial) => trial.give(...both(start + minute)));
    await one.restart();
    expect(one.trial.policy.open).toMatchObject([{ action: 'block', level: 1 }]);
  });

  it('entries of people are not policy’s', async () => {
    const wish = { action: 'block', until: start + day, owner: 'desk', reason: 'spam' } as const;
    const made = await one.list.list.add({ ...wish, cidr: '203.0.113.9' }, desk);
    await one.restart();
    expect(one.trial.policy.open).toEqual([]);
    expect(one.list.list.entry(made.id)?.ended).toBeUndefined();
  });
});
