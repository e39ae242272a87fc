// The thread that runs inputs. Before each it leaves the bytes where the other thread can see them,
// so that an input that never ends is known, too.

import { parentPort, workerData } from 'node:worker_threads';
import { Random } from '../../src/lib/random.js';
import type { Order, Report } from './driver.js';
import { headBytes } from './shared.js';
import type { Target } from './target.js';
import { targetOf } from './targets.js';

const shrinkTime = 20_000;

const order = workerData as Order | null;
if (order !== null && parentPort !== null) parentPort.postMessage(await work(order));

async function work(order: Order): Promise<Report> {
  const target = targetOf(order.target);
  const words = new Int32Array(order.shared, 0, headBytes / 4);
  const room = new Uint8Array(order.shared, headBytes);
  const seeds = new Random(order.seed);
  const end = performance.now() + order.seconds * 1000;
  let runs = 0;
  const show = (input: Buffer): void => {
    room.set(input.subarray(0, room.length));
    Atomics.store(words, 1, Math.min(input.length, room.length));
    Atomics.store(words, 0, ++runs);
  };
  for (const input of order.first.map((bytes) => Buffer.from(bytes))) {
    show(input);
    const message = await complaint(target, input, order.folder);
    if (message !== null)
      return { runs, message, input: await shrunk(target, input, { show, folder: order.folder }) };
  }
  while (performance.now() < end) {
    const input = target.make(new Random(seeds.word()));
    show(input);
    const message = await complaint(target, input, order.folder);
    if (message !== null)
      return { runs, message, input: await shrunk(target, input, { show, folder: order.folder }) };
  }
  return { runs, message: null, input: null };
}

/** What making an input smaller needs. */
interface Help {
  readonly show: (input: Buffer) => void;
  readonly folder: string;
}

/** What is wrong with an input, or null. */
async function complaint(target: Target, input: Buffer, folder: string): Promise<string | null> {
  try {
    await target.run(input, folder);
    return null;
  } catch (error) {
    const { name, message, stack } = error as Error;
    return name === 'Finding' ? message : `${message}\n${stack}`;
  }
}

/** What is wrong, without the numbers: what stays the same while an input is made smaller. */
function kindOf(message: string | null): string {
  return (message ?? '').replaceAll(/\d+/g, '#').slice(0, 16);
}

/** A smaller input with which the same is wrong: parts are left out, many and then few. */
async function shrunk(target: Target, input: Buffer, help: Help): Promise<Buffer> {
  const end = performance.now() + shrinkTime;
  const kind = kindOf(await complaint(target, input, help.folder));
  const isSame = async (candidate: Buffer): Promise<boolean> =>
    kindOf(await complaint(target, candidate, help.folder)) === kind;
  let parts = target.parts(input);
  if (!(await isSame(target.whole(parts)))) return input;
  for (let size = parts.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < parts.length && performance.now() < end; ) {
      const fewer = [...parts.slice(0, at), ...parts.slice(at + size)];
      const candidate = target.whole(fewer);
      help.show(candidate);
      if (await isSame(candidate)) parts = fewer;
      else at += size;
    }
  }
  return target.whole(parts);
}
