// Names of mailboxes: what looks generated and what looks like people, and that nothing of a name
// is kept.

import { describe, expect, it } from 'vitest';
import { Mailboxes, mailboxWords } from '../../src/detect/mailboxes.js';
import { Random } from '../../src/lib/random.js';

const first = [
  'anna',
  'bernd',
  'chris',
  'dora',
  'emil',
  'fatima',
  'georg',
  'hanna',
  'ivan',
  'julia',
];
const last = ['smith', 'meyer', 'nguyen', 'silva', 'garcia', 'novak', 'tanaka', 'okafor', 'larsen'];

const one = <T>(random: Random, of: readonly T[]): T => of[random.below(of.length)]!;

/** Names of people as mailboxes have them, in no order. */
function people(random: Random, count: number): string[] {
  return Array.from({ length: count }, () => {
    const [a, b] = [one(random, first), one(random, last)];
    return one(random, [`${a}.${b}`, `${a}${b}`, `${b}.${a}`, `${a[0]}.${b}`, `${b}-${a}`]);
  });
}

const letters = (random: Random, length: number) =>
  Array.from({ length }, () => String.fromCharCode(97 + random.below(26))).join('');

/** Share of a list that looks generated. */
function share(mailboxes: Mailboxes, names: readonly string[]): number {
  const words = new Int32Array(mailboxWords + 2);
  const found = names.filter((name) => {
    const bytes = Buffer.from(`x${name}@d.example`);
    return mailboxes.look(bytes, 1, 1 + name.length, words, 1);
  });
  return found.length / names.length;
}

function learnt(count: number): Mailboxes {
  const mailboxes = new Mailboxes(5);
  for (const name of people(new Random(1), count)) {
    const bytes = Buffer.from(name);
    mailboxes.learn(bytes, 0, bytes.length);
  }
  return mailboxes;
}

describe('without having learnt anything', () => {
  const numbered = Array.from({ length: 50 }, (_, n) => `user${n}`);
  const dictionary = ['adam', 'adams', 'adamson', 'adan', 'adana', 'adel', 'adela', 'adele'];
  it.each([
    ['counted up', numbered, 0.9, 1],
    [
      'counted, in no order',
      numbered.toSorted(
        (a, b) => ((Number(a.slice(4)) * 7) % 50) - ((Number(b.slice(4)) * 7) % 50),
      ),
      0.9,
      1,
    ],
    ['a dictionary in its order', dictionary, 0.6, 1],
    ['people, in no order', people(new Random(2), 200), 0, 0.15],
    ['short names', ['al', 'bo', 'ed', 'jo', 'li', 'mo', 'ty'], 0, 0],
    ['numbers alone', ['1001', '2002', '3003', '4004'], 0, 0],
    ['letters at random', Array.from({ length: 50 }, (_, n) => letters(new Random(n), 9)), 0, 0],
  ] as const)('%s', (_, names, least, most) => {
    const found = share(new Mailboxes(5), names);
    expect(found).toBeGreaterThanOrEqual(least);
    expect(found).toBeLessThanOrEqual(most);
  });
});

describe('after thousands of names that were taken', () => {
  const mailboxes = learnt(4000);
  it('letters at random are unlikely', () => {
    const random = new Random(7);
    const names = Array.from({ length: 200 }, () => letters(random, 9));
    expect(share(mailboxes, names)).toBeGreaterThan(0.9);
  });

  it('other people are not: about one in twenty, by definition, and neighbours by chance', () => {
    expect(share(mailboxes, people(new Random(9), 1000))).toBeLessThan(0.2);
  });

  it('too few teach nothing', () => {
    const random = new Random(7);
    const names = Array.from({ length: 200 }, () => letters(random, 9));
    expect(share(learnt(1500), names)).toBe(0);
  });
});

it('what is kept of a name is not the name, and another key gives other numbers', () => {
  const [mine, other] = [5, 6].map((seed) => {
    const words = new Int32Array(mailboxWords);
    const name = Buffer.from('canary.name');
    new Mailboxes(seed).look(name, 0, name.length, words, 0);
    return words;
  });
  const text = Buffer.from('canary.name').toString('latin1');
  const kept = Buffer.from(mine!.buffer).toString('latin1');
  for (let at = 0; at + 3 <= text.length; at++) expect(kept).not.toContain(text.slice(at, at + 3));
  expect(mine).not.toEqual(other);
});
