// Since when rules are known here: the observe week, over restarts and bad files.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirstSeen } from '../../src/cli/first-seen.js';

const day = 86_400_000_000;
const now = 1_700_000_000_000_000;
const [one, other] = ['1'.repeat(64), '2'.repeat(64)] as const;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailweir-seen-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const file = () => join(folder, 'state', 'rules-first-seen.json');
const seen = (days = 7) => new FirstSeen(join(folder, 'state'), days);

describe('the observe period', () => {
  it('begins when a rule is first noted and ends after its days', () => {
    const known = seen();
    expect(known.observing(one, now)).toBe(true);
    expect(known.note([one], now)).toBeNull();
    expect(known.observing(one, now + 7 * day - 1)).toBe(true);
    expect(known.observing(one, now + 7 * day)).toBe(false);
    expect(known.until([one])).toBe(now + 7 * day);
  });

  it('goes on over a restart, and only a rule that is new begins anew', () => {
    seen().note([one], now);
    const later = seen();
    later.note([one, other], now + 8 * day);
    expect(later.observing(one, now + 8 * day)).toBe(false);
    expect(later.observing(other, now + 8 * day)).toBe(true);
    expect(Object.keys(JSON.parse(readFileSync(file(), 'utf8')))).toEqual([one, other]);
  });

  it('none of no days', () => {
    expect(seen(0).observing(one, now)).toBe(false);
  });

  it('a folder that cannot be made is told, and the days count in memory', () => {
    const known = new FirstSeen(join(folder, 'state', 'below'), 7);
    writeFileSync(join(folder, 'state'), 'a file');
    expect(known.note([one], now)).toMatch(/cannot be written \(E[A-Z]+\); set state\.directory$/);
    expect(known.observing(one, now + 7 * day)).toBe(false);
  });

  it.each(['', '[]', '{"x":"2023-11-14T00:00:00Z"}', `{"${one}":"yesterday"}`, '{'])(
    'a file that is something else is not taken: %j',
    (text) => {
      seen().note([one], now);
      writeFileSync(file(), text);
      expect(() => seen()).toThrow(/rules-first-seen\.json: not what this program wrote/);
    },
  );
});
