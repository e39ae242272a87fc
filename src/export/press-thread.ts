// The thread that prints documents, so that a list of a million entries stops nobody else. It gets
// snapshots and orders, one at a time, and gives bytes back.

import { parentPort } from 'node:worker_threads';
import type { Snapshot } from '../block/rows.js';
import { type Order, type Printed, Printer } from './print.js';
import type { Publisher } from './view.js';

/** What the thread is asked; a snapshot that it has already is not sent again. */
export interface PressWord {
  readonly job: number;
  readonly snapshot: Snapshot;
  readonly order: Order;
  readonly publisher: Publisher;
}

/** What it answers. */
export type PressAnswer =
  | { readonly job: number; readonly printed: Printed; readonly took_ms: number }
  | { readonly job: number; readonly error: string };

const port = parentPort!;

const printer = new Printer();

port.on('message', async ({ job, snapshot, order, publisher }: PressWord) => {
  const began = performance.now();
  try {
    const printed = await printer.print(snapshot, order, publisher);
    const answer: PressAnswer = { job, printed, took_ms: performance.now() - began };
    port.postMessage(answer, [printed.body.buffer, printed.gzip.buffer]);
  } catch (error) {
    const answer: PressAnswer = { job, error: (error as Error).message };
    port.postMessage(answer);
  }
});
