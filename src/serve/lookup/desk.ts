// The main thread's side of the lookup thread: starts it, hands it the list whenever that changed,
// starts it again if it dies, and reads what it counts. It never waits for it.

import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { Snapshot } from '../../block/rows.js';
import type { HistogramFigures } from '../../lib/histogram.js';
import { answerTimes, type LookupFigure, lookupFigureCount, lookupFigures } from './figures.js';
import { updateFrom } from './listed.js';
import type { FromThread, LookupDoors, LookupOrder, Ports, ToThread } from './order.js';

export interface DeskOptions {
  readonly doors: LookupDoors;
  /** The list as it is now; taken at least every `renew_ms`, so that it does not die. */
  readonly snapshot: () => Snapshot;
  /** The thread died and is started again, or could not be. */
  readonly trouble: (message: string) => void;
  /** The program of the thread, where it is not beside this file. */
  readonly thread?: URL;
}

/** A change is handed over after at most this time. */
const look_ms = 200;
/** A list that does not change is dated anew this often. */
const renew_ms = 30_000;
const restart_ms = 1000;

export class LookupDesk {
  readonly #options: DeskOptions;
  readonly #figures = new SharedArrayBuffer(lookupFigureCount * 8);
  readonly #values = new Float64Array(this.#figures);
  #worker: Worker | null = null;
  #sent: Snapshot | null = null;
  #sentAt = 0;
  #timer: NodeJS.Timeout | null = null;
  #closing = false;
  /** Threads that died. */
  restarts = 0;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Opens the doors; gives their ports. Rejects with what the system says. */
  async open(): Promise<Ports> {
    const ports = await this.#start();
    this.#timer = setInterval(() => this.#look(), look_ms);
    this.#timer.unref();
    return ports;
  }

  figures(): Readonly<Record<LookupFigure | 'restarts', number>> {
    return { ...lookupFigures(this.#values), restarts: this.restarts };
  }

  /** Seconds that answers of the DNSBL took in the thread. */
  get answerTimes(): HistogramFigures {
    return answerTimes(this.#values).figures;
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    const worker = this.#worker;
    if (worker === null) return;
    const gone = new Promise((resume) => worker.once('exit', resume));
    worker.postMessage('close' satisfies ToThread);
    const late = setTimeout(() => void worker.terminate(), restart_ms);
    await gone;
    clearTimeout(late);
  }

  #start(): Promise<Ports> {
    const snapshot = this.#options.snapshot();
    const order: LookupOrder = {
      ...this.#options.doors,
      seed: randomBytes(4).readInt32LE(0),
      figures: this.#figures,
      update: updateFrom(null, snapshot),
    };
    this.#note(snapshot);
    const file = this.#options.thread ?? new URL('./thread.js', import.meta.url);
    const worker = new Worker(file, { workerData: order });
    this.#worker = worker;
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if ('ports' in message) return resolve(message.ports);
        reject(new Error(message.problem));
        void worker.terminate();
      });
      worker.on('error', (error) => this.#options.trouble(String(error)));
      worker.on('exit', () => {
        reject(new Error('the lookup thread ended'));
        if (this.#worker === worker) this.#died();
      });
    });
  }

  #died(): void {
    this.#worker = null;
    // Without a timer it was never open, and whoever opens it hears why.
    if (this.#closing || this.#timer === null) return;
    this.restarts += 1;
    this.#options.trouble('the lookup thread died and is started again');
    setTimeout(() => {
      if (this.#closing) return;
      this.#start().catch((error: Error) => this.#options.trouble(error.message));
    }, restart_ms).unref();
  }

  #look(): void {
    const worker = this.#worker;
    if (worker === null) return;
    const snapshot = this.#options.snapshot();
    const isNew = snapshot.revision !== this.#sent?.revision;
    if (!isNew && performance.now() - this.#sentAt < renew_ms) return;
    worker.postMessage(updateFrom(this.#sent, snapshot) satisfies ToThread);
    this.#note(snapshot);
  }

  #note(snapshot: Snapshot): void {
    this.#sent = snapshot;
    this.#sentAt = performance.now();
  }
}
