// A process that answers for a list given on its command line, as the daemon's lookup thread does:
// tests start it inside a network namespace. It says its figures, one JSON object a line, whenever
// it reads a line, and ends when its input does.

import { createInterface } from 'node:readline';
import type { ListedEntry } from '../../src/block/entry.js';
import { LookupDesk } from '../../src/serve/lookup/desk.js';
import type { LookupDoors } from '../../src/serve/lookup/order.js';
import { TestList } from './lists.js';

const { doors, entries } = JSON.parse(process.argv[2]!) as {
  doors: LookupDoors;
  entries: ListedEntry[];
};
const list = new TestList(entries);
const desk = new LookupDesk({
  doors,
  snapshot: () => list.snapshot(),
  trouble: (message) => console.error(message),
});
console.log(JSON.stringify(await desk.open()));
for await (const line of createInterface(process.stdin)) {
  if (line !== '') list.remove(line);
  console.log(JSON.stringify(desk.figures()));
}
await desk.close();
