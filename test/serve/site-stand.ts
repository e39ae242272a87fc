// A process with a list and its HTTP server, for tests inside a network namespace. It says the
// token of its one reader, then does what each line asks for, `block CIDR...` or `release CIDR`,
// and says `done`. It ends when its input does.

import { createInterface } from 'node:readline';
import { decisionOf, desk } from '../block/lists.js';
import { Site } from './site.js';

const site = await Site.open({ reader: ['read'] }, {}, Number(process.argv[2]));
console.log(site.token('reader'));
for await (const line of createInterface(process.stdin)) {
  const [what, ...cidrs] = line.split(' ');
  for (const cidr of cidrs) {
    if (what === 'block') site.test.list.decision(decisionOf(cidr));
    else {
      const { id } = decisionOf(cidr);
      await site.test.list.release(id, { reason: 'test', wrong: false }, desk);
    }
  }
  await site.test.list.idle();
  console.log('done');
}
await site.close();
