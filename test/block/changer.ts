// A process that changes a list as fast as it can and says on standard output what was
// acknowledged, line by line, until it is killed or done: `added ID REVISION`, `released ...`,
// `extended ...`. A decision is acknowledged when the followers of the list are told of it.

import { writeSync } from 'node:fs';
import type { Entry } from '../../src/block/entry.js';
import { BlockList } from '../../src/block/list.js';
import { decisionOf, desk, hour, start } from './lists.js';

const [directory = '', round = '0', most = '10000'] = process.argv.slice(2);

const list = new BlockList({
  directory,
  name: 'test',
  entriesMax: 1_000_000,
  life: 2 * hour,
  protection: () => null,
  appeal: {},
  verdicts: { released: () => {}, demoted: () => {} },
  trouble: (message) => writeSync(2, `${message}\n`),
});
list.tick(start);
list.follow((changes) => {
  for (const { kind, entry, revision } of changes) {
    if (kind === 'added' && entry.rule !== 'manual') tell('added', entry.id, revision);
  }
});

function tell(what: string, id: string, revision: number): void {
  writeSync(1, `${what} ${id} ${revision}\n`);
}

/** One source after the other: listed, extended, and half of them let out. */
async function worker(lane: number): Promise<void> {
  for (let each = 0; each < Number(most) / 16; each++) {
    const cidr = `10.${Number(round)}.${lane * 16 + (each >> 8)}.${each & 0xff}`;
    if (each % 4 === 0) list.decision(decisionOf(`${cidr}/32`, { created: start + each }));
    const wish = { action: 'block', until: start + hour, owner: 'a', reason: 'b' } as const;
    const made: Entry = await list.add({ ...wish, cidr }, desk);
    tell('added', made.id, made.revision);
    const longer = await list.extend(made.id, start + 2 * hour, desk);
    tell('extended', longer.id, longer.revision);
    if (each % 2 === 0) continue;
    const out = await list.release(made.id, { reason: 'c', wrong: false }, desk);
    tell('released', out.id, out.revision);
  }
}

writeSync(1, 'ready - 0\n');
await Promise.all(Array.from({ length: 16 }, (_, lane) => worker(lane)));
await list.close();
