// The thread that answers who is listed: DNSBL and policy server over one index of the list. It has
// sockets and this list, and nothing else of the daemon; `desk.ts` is the main thread's side.

import { parentPort, workerData } from 'node:worker_threads';
import { Prefix, readPrefix } from '../../lib/prefix.js';
import { PrefixList } from '../../lib/prefix-map.js';
import { Answerer } from '../dnsbl/answer.js';
import { SourceRate } from '../dnsbl/rate.js';
import { DnsSockets } from '../dnsbl/sockets.js';
import { Policy } from '../policy/policy.js';
import { PolicyServer } from '../policy/server.js';
import { slotOf } from './figures.js';
import { ListedSources, type ListUpdate } from './listed.js';
import type { DnsblOrder, FromThread, LookupOrder, PolicyOrder, Ports, ToThread } from './order.js';

class LookupThread {
  readonly #figures: Float64Array;
  readonly #listed: ListedSources;
  readonly #seed: number;
  readonly #closers: (() => void)[] = [];

  constructor({ figures, seed, update }: LookupOrder) {
    this.#figures = new Float64Array(figures);
    this.#seed = seed;
    this.#listed = new ListedSources(seed);
    this.#take(update);
  }

  /** Opens what is asked for; gives the ports. */
  async open({ dnsbl, policy }: LookupOrder): Promise<Ports> {
    return {
      dnsbl: dnsbl === null ? 0 : await this.#openDnsbl(dnsbl),
      policy: policy === null ? 0 : await this.#openPolicy(policy),
    };
  }

  #openPolicy({ listener, ...options }: PolicyOrder): Promise<number> {
    const policy = new Policy(options, this.#listed, this.#figures);
    const server = new PolicyServer(policy, this.#figures);
    this.#closers.push(() => server.close());
    return server.open(listener);
  }

  async #openDnsbl({ listener, zone, rate, trusted }: DnsblOrder): Promise<number> {
    const list = new PrefixList();
    const prefix = new Prefix();
    for (const text of trusted) if (readPrefix(text, prefix)) list.add(prefix);
    const sources = new SourceRate({ rate, trusted: list, seed: this.#seed });
    const answerer = new Answerer(zone, this.#listed, this.#figures);
    const sockets = new DnsSockets(listener, answerer, sources, this.#figures);
    this.#closers.push(() => sockets.close());
    return sockets.open(listener);
  }

  hear(message: ToThread): void {
    if (message !== 'close') {
      this.#take(message);
      return;
    }
    for (const close of this.#closers) close();
    parentPort!.close();
  }

  #take(update: ListUpdate): void {
    this.#listed.apply(update, performance.now());
    this.#figures[slotOf('updates')]! += 1;
    this.#figures[slotOf('revision')] = this.#listed.revision;
    this.#figures[slotOf('entries')] = this.#listed.count;
    this.#figures[slotOf('index_bytes')] = this.#listed.bytes;
  }
}

const order = workerData as LookupOrder;
const thread = new LookupThread(order);
parentPort!.on('message', (message: ToThread) => thread.hear(message));
try {
  parentPort!.postMessage({ ports: await thread.open(order) } satisfies FromThread);
} catch (error) {
  parentPort!.postMessage({ problem: (error as Error).message } satisfies FromThread);
}
