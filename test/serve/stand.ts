// A process that answers for a list given on its command line, with the doors that a configuration
// file names, as the daemon does: tests start it inside a network namespace. It says its figures,
// one JSON object a line, whenever it reads a line, and ends when its input does.

import { createInterface } from 'node:readline';
import type { ListedEntry } from '../../src/block/entry.js';
import { openLookup } from '../../src/cli/lookup.js';
import { loadConfig } from '../../src/config.js';
import { TestList } from './lists.js';

const [path, entries] = process.argv.slice(2);
const list = new TestList(JSON.parse(entries!) as ListedEntry[]);
const config = await loadConfig(path!);
const trouble = (message: string) => console.error(message);
const desk = (await openLookup(config, () => list.snapshot(), trouble))!;
for await (const _ of createInterface(process.stdin)) console.log(JSON.stringify(desk.figures()));
await desk.close();
