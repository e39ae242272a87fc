// A list whose process is killed at any moment: what was acknowledged is there, the revision never
// goes back, nobody who was released returns, and the audit trail has no gap.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { brokenAt } from '../../src/block/audit.js';
import { BlockList } from '../../src/block/list.js';
import { EntryCursor } from '../../src/block/rows.js';
import { hour, start } from './lists.js';

const changer = join(import.meta.dirname, '../../dist/test/block/changer.js');
const changesMin = 10_000;
const rounds = 40;

/** What was acknowledged over all rounds. */
class Account {
  readonly standing = new Map<string, number>();
  readonly released = new Set<string>();
  readonly extended = new Set<string>();
  revision = 0;
  changes = 0;

  note(line: string): void {
    const [what, id = '', revision = ''] = line.split(' ');
    if (what === 'ready' || !/^\d+$/.test(revision)) return;
    this.changes += 1;
    this.revision = Math.max(this.revision, Number(revision));
    if (what === 'added') this.standing.set(id, Number(revision));
    if (what === 'extended') this.extended.add(id);
    if (what !== 'released') return;
    this.standing.delete(id);
    this.released.add(id);
  }
}

async function changeUntilKilled(folder: string, round: number, account: Account): Promise<void> {
  const child = spawn(process.execPath, [changer, folder, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  let timer: NodeJS.Timeout | undefined;
  lines.on('line', (line) => {
    // From the moment it is ready on, at random: in the middle of anything.
    timer ??= setTimeout(() => child.kill('SIGKILL'), 30 + Math.random() * 700);
    account.note(line);
  });
  await Promise.all([once(child, 'exit'), once(lines, 'close')]);
  clearTimeout(timer);
}

function check(folder: string, account: Account): Promise<void> {
  const list = new BlockList({
    directory: folder,
    name: 'test',
    entriesMax: 1_000_000,
    life: 2 * hour,
    protection: () => null,
    appeal: {},
    verdicts: { released: () => {}, demoted: () => {} },
    trouble: () => {},
  });
  const ids = new Map<string, number>();
  const cursor = new EntryCursor(list.snapshot());
  while (cursor.next()) ids.set(cursor.id, cursor.until);
  // Whoever is missing was let go by a change that was written and not acknowledged any more.
  const missing = [...account.standing.keys()].filter((id) => !ids.has(id));
  const lost = missing.filter((id) => {
    account.standing.delete(id);
    account.released.add(id);
    return !(Number(list.entry(id)?.ended?.revision) > account.revision);
  });
  expect(lost).toEqual([]);
  expect([...account.released].filter((id) => ids.has(id))).toEqual([]);
  const short = [...account.extended].filter(
    (id) => ids.has(id) && ids.get(id)! < start + 2 * hour,
  );
  expect(short).toEqual([]);
  expect(list.revision).toBeGreaterThanOrEqual(account.revision);
  // What was written and not acknowledged counts from now on too.
  account.revision = list.revision;
  const trail = [];
  for (let from = 1; from <= list.auditLength; from += 10_000) {
    trail.push(...list.auditFrom(from, 10_000));
  }
  expect(trail).toHaveLength(list.auditLength);
  expect(brokenAt(trail)).toBeNull();
  return list.close();
}

it('loses nothing that was acknowledged when it is killed at random moments', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-kill-'));
  const account = new Account();
  let round = 0;
  try {
    while (account.changes < changesMin && round < rounds) {
      await changeUntilKilled(folder, round, account);
      await check(folder, account);
      round += 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  expect(account.changes).toBeGreaterThanOrEqual(changesMin);
  expect(account.released.size).toBeGreaterThan(100);
  expect(round).toBeGreaterThan(1);
}, 120_000);
