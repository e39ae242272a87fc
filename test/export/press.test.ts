// The press: documents of the newest list, and what goes on when one cannot be made.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GrowthGuard } from '../../src/block/growth.js';
import { Press } from '../../src/export/press.js';
import { decisionOf, desk, hour, start, TestList } from '../block/lists.js';

const threadFile = new URL('../../dist/src/export/press-thread.js', import.meta.url);
const order = { format: 'txt', action: 'block', family: 'both', page: 1 } as const;

let test: TestList;
let press: Press;
let trouble: string[];

function open(file = threadFile): Press {
  const tell = (message: string) => trouble.push(message);
  return new Press({ list: test.list, publisher: {}, trouble: tell, threadFile: file });
}

async function list(...cidrs: string[]): Promise<void> {
  for (const cidr of cidrs) test.list.decision(decisionOf(cidr));
  await test.list.idle();
}

beforeEach(() => {
  test = new TestList();
  trouble = [];
  press = open();
});

afterEach(async () => {
  await press.close();
  await test.remove();
});

describe('documents', () => {
  it('are made once for a version, however many ask at once', async () => {
    await list('203.0.113.9/32');
    const all = await Promise.all(Array.from({ length: 20 }, () => press.document(order)));
    expect(new Set(all).size).toBe(1);
    expect(press.counters.printed).toBe(1);
    expect(await press.document(order)).toBe(all[0]);
    await list('203.0.113.10/32');
    expect((await press.document(order)).records).toBe(2);
  });

  it('Last-Modified never goes back', async () => {
    const before = Math.floor(Date.now() / 1000) + 3600;
    await press.close();
    press = new Press({
      list: test.list,
      publisher: {},
      trouble: () => {},
      threadFile,
      modified: before,
    });
    await list('203.0.113.9/32');
    expect((await press.document(order)).modified).toBeGreaterThanOrEqual(before);
  });

  it('a list that does not change is dated anew before it expires', async () => {
    await list('203.0.113.9/32');
    const first = await press.document(order);
    test.list.tick(start + hour * 0.6);
    await test.list.idle();
    const later = await press.document(order);
    expect(later.version).not.toBe(first.version);
    expect([later.revision, later.generated]).toEqual([first.revision, start + hour * 0.6]);
  });

  it('the last good one goes on when the thread dies, and a new thread is started', async () => {
    const file = join(test.folder, 'thread.mjs');
    // It prints until a certain address is on the list; then it ends without a word.
    writeFileSync(
      file,
      `import { parentPort } from 'node:worker_threads';
       import { print } from ${JSON.stringify(new URL('./print.js', threadFile).href)};
       parentPort.on('message', ({ job, snapshot, order, publisher }) => {
         const printed = print(snapshot, order, publisher);
         if (Buffer.from(printed.body).includes('203.0.113.66/32')) process.exit(1);
         parentPort.postMessage({ job, printed, took_ms: 1 });
       });`,
    );
    await press.close();
    press = open(pathToFileURL(file));
    await list('203.0.113.9/32');
    const good = await press.document(order);
    await list('203.0.113.66/32');
    expect(await press.document(order)).toBe(good);
    expect(press.counters).toMatchObject({ failed: 1, stale: 1 });
    expect(trouble[0]).toContain('the last good one goes on');
    const { id } = decisionOf('203.0.113.66/32');
    await test.list.release(id, { reason: 'x', wrong: false }, desk);
    expect((await press.document(order)).revision).toBe(3);
  });
});

describe('growth', () => {
  it('new automatic entries wait for a person; people and removals do not', async () => {
    const first = Array.from({ length: 10 }, (_, at) => `10.0.0.${at}/32`);
    await list(...first);
    expect((await press.document(order)).records).toBe(10);
    test.list.tick(start + 1e6);
    for (let at = 0; at < 1100; at++) {
      const cidr = `10.1.${at >> 8}.${at & 0xff}/32`;
      test.list.decision(decisionOf(cidr, { created: start + 1e6 }));
    }
    await test.list.idle();
    const wish = { action: 'block', until: start + hour, owner: 'a', reason: 'b' } as const;
    await test.list.add({ ...wish, cidr: '192.0.2.1' }, desk);
    const { id } = decisionOf('10.0.0.3/32');
    await test.list.release(id, { reason: 'x', wrong: false }, desk);
    const held = await press.document(order);
    expect(held.body.toString()).toContain('192.0.2.1/32');
    expect(held.body.toString()).not.toContain('10.0.0.3/32');
    // A thousand are believed; the others wait.
    const { list: whole } = test;
    expect([held.records, whole.trips, test.told.trouble.length]).toEqual([1000, 1, 1]);
    expect(whole.count).toBe(1110);
    // A restart forgets nothing of that.
    await press.close();
    await test.again();
    press = open();
    expect((await press.document(order)).records).toBe(1000);
    expect(test.list.heldFrom).not.toBeNull();
    await test.list.accept(desk);
    expect([(await press.document(order)).records, test.list.heldFrom]).toEqual([1110, null]);
    const trail = test.list.auditFrom(1, 5000).filter(({ action }) => action === 'accept');
    expect(trail).toMatchObject([{ actor: 'desk' }]);
  });

  it('slow growth is no reason', () => {
    const guard = new GrowthGuard();
    let count = 10;
    for (let minute = 0; minute < 600; minute += 5) {
      expect(guard.holds(count, minute * 60e6)).toBe(false);
      count += 400;
    }
    expect(guard.heldFrom).toBeNull();
  });
});
