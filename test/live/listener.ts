// A process that opens rings inside a network namespace and tells what they gave, one JSON object a
// line: the tests of the ring start it where the interfaces are. Its one argument is an order. It
// says `ready` when everything is open, and ends some beats after its standard input was closed.

import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { attachRing, type RingSource } from '../../src/capture/ring/open.js';
import { openSockets, type RingOptions, type RingPlan } from '../../src/capture/ring/sockets.js';
import { defaultConfig } from '../../src/config.js';
import { Engine } from '../../src/engine.js';
import { EveWriter } from '../../src/output/eve.js';
import { Out } from '../../src/output/out.js';

/** What is to be done. */
export interface Order {
  readonly interfaces: readonly string[];
  readonly options?: RingOptions;
  /** Rings that share the frames; 1 without fan-out. */
  readonly members?: number;
  /** Frames as lines; events into a file; nothing but figures. */
  readonly give: 'frames' | 'events' | 'figures';
  readonly output?: string;
  /** Milliseconds during which nothing is read, from the start on. */
  readonly stall_ms?: number;
  /** First let a thread attach, and end it when it has frames in hand. */
  readonly thread?: boolean;
}

export interface FrameLine {
  readonly member: number;
  readonly time: number;
  readonly hex: string;
  readonly wireLength: number;
  readonly link: number;
}

const idleBeats = 3;
let over = false;

function say(line: unknown): void {
  let text = Buffer.from(`${JSON.stringify(line)}\n`);
  while (text.length > 0) {
    try {
      text = text.subarray(writeSync(1, text));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

async function frames(source: RingSource, member: number): Promise<void> {
  for (let idle = 0; idle < idleBeats; ) {
    const batch = await source.next();
    if (batch === null) return;
    idle = over && batch.count === 0 ? idle + 1 : 0;
    for (let i = 0; i < batch.count; i += 1) {
      const [from, kept] = [batch.offset[i]!, batch.length[i]!];
      say({
        member,
        time: batch.time[i]!,
        hex: batch.bytes.toString('hex', from, from + kept),
        wireLength: batch.wireLength[i]!,
        link: batch.link[i]!,
      } satisfies FrameLine);
    }
  }
}

async function events(source: RingSource, path: string): Promise<void> {
  const out = new Out({ path, append: false });
  const writer = new EveWriter(out, { clear: true, sensor: undefined });
  const engine = new Engine(defaultConfig(), writer);
  for (let idle = 0; idle < idleBeats; ) {
    const batch = await source.next();
    if (batch === null) break;
    idle = over && batch.count === 0 ? idle + 1 : 0;
    engine.feed(batch);
    await out.drain();
  }
  engine.finish();
  writer.stats(engine.stats(), engine.now);
  out.close(1000);
}

async function figures(source: RingSource): Promise<void> {
  let received = 0;
  for (let idle = 0; idle < idleBeats; ) {
    const batch = await source.next();
    if (batch === null) break;
    idle = over && batch.count === 0 ? idle + 1 : 0;
    received += batch.count;
  }
  say({ received });
}

/** A thread attaches, takes one batch of frames in hand, and is ended then. */
async function thread(plan: RingPlan): Promise<void> {
  const opener = new URL('../../src/capture/ring/open.js', import.meta.url).href;
  const text = `
    import { parentPort } from 'node:worker_threads';
    const { attachRing } = await import(${JSON.stringify(opener)});
    const source = attachRing(${JSON.stringify(plan)});
    parentPort.postMessage(0);
    for (let batch; (batch = await source.next()).count === 0; );
    parentPort.postMessage(1);
    setInterval(() => {}, 1000);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`));
  const word = () =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  await word();
  say('waiting');
  await word();
  say({ ended: await worker.terminate() });
}

async function main(order: Order): Promise<void> {
  const sockets = openSockets(order.interfaces, order.members ?? 1, order.options);
  if (order.thread === true) await thread(sockets.plans[0]!);
  const sources = sockets.plans.map((plan) => attachRing(plan));
  say('ready');
  process.stdin.on('end', () => {
    over = true;
  });
  process.stdin.resume();
  if (order.stall_ms !== undefined) await new Promise((go) => setTimeout(go, order.stall_ms));
  const readers = sources.map((source, member) => {
    if (order.give === 'frames') return frames(source, member);
    return order.give === 'events' ? events(source, order.output!) : figures(source);
  });
  await Promise.all(readers);
  for (const source of sources) {
    say({ figures: source.figures(), lost: source.lost, problem: source.problem });
    source.close();
  }
  sockets.close();
  process.stdin.destroy();
}

await main(JSON.parse(process.argv[2] ?? '{}') as Order);
