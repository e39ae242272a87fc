// What can befall the threads of a daemon, on request: it is loaded into each of them before the
// program (`node --import`). A file `die` in the folder that MISHAP names: the worker that sees it
// first takes half of a batch of frames and dies. A file `stall`: the main thread stands still for
// five seconds.

import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';
import { Engine } from '../../src/engine.js';

/** Whether the file was there; it is taken away, so that one thread alone sees it. */
function asked(name: string): boolean {
  const { MISHAP: folder } = process.env;
  if (folder === undefined) return false;
  try {
    unlinkSync(join(folder, name));
    return true;
  } catch {
    return false;
  }
}

if (isMainThread) {
  const look = () => {
    if (asked('stall')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5000);
  };
  setInterval(look, 50).unref();
} else {
  const feed = Engine.prototype.feed;
  Engine.prototype.feed = function half(batch) {
    if (batch.count > 1 && asked('die')) {
      batch.count >>= 1;
      feed.call(this, batch);
      throw new Error('half of a batch was enough');
    }
    feed.call(this, batch);
  };
}
