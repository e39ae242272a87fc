// The lookup thread with an illness: it dies as soon as an entry of revision 13 is on its list. For
// tests of what happens then; they run it from `dist`.

import { parentPort } from 'node:worker_threads';
import type { ToThread } from '../../src/serve/lookup/order.js';

parentPort!.on('message', (message: ToThread) => {
  if (message !== 'close' && message.revision === 13) throw new Error('thirteen');
});
await import('../../src/serve/lookup/thread.js');
