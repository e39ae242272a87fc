// The policy server's socket. Postfix keeps its connections and asks one thing at a time; strangers
// on the same port are bounded: in number, in bytes, in time.

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Listener } from '../dnsbl/sockets.js';
import { slotOf } from '../lookup/figures.js';
import type { Policy } from './policy.js';
import { RequestReader } from './request.js';

/** One for each smtpd process that asks; Postfix has 100 by default. */
const connectionsMax = 1000;
/** Postfix closes what it does not use after 300 seconds (smtpd_policy_service_max_idle). */
const idle_ms = 330_000;
/** A request that has begun is there within this time; Postfix gives us 100 seconds. */
const request_ms = 30_000;
const unreadMax = 64 * 1024;

const figure = {
  connections: slotOf('policy_connections'),
  refused: slotOf('policy_connections_refused'),
  timeouts: slotOf('policy_timeouts'),
  malformed: slotOf('policy_malformed'),
  oversize: slotOf('policy_oversize'),
} as const;

export interface Patience {
  readonly idle_ms: number;
  readonly request_ms: number;
}

export class PolicyServer {
  readonly #policy: Policy;
  readonly #figures: Float64Array;
  readonly #patience: Patience;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(policy: Policy, figures: Float64Array, patience: Patience = { idle_ms, request_ms }) {
    this.#policy = policy;
    this.#figures = figures;
    this.#patience = patience;
    this.#server = createServer((socket) => this.#connection(socket));
    this.#server.maxConnections = connectionsMax;
    this.#server.on('drop', () => this.#count(figure.refused));
  }

  /** Gives the port. Rejects with the system's error. */
  async open({ host, port }: Listener): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #count(slot: number): void {
    this.#figures[slot]! += 1;
  }

  #connection(socket: Socket): void {
    this.#count(figure.connections);
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    const late = () => {
      this.#count(figure.timeouts);
      socket.destroy();
    };
    let waiting: NodeJS.Timeout | null = null;
    const reader = new RequestReader((request) => {
      const action = this.#policy.action(request, performance.now());
      if (!socket.destroyed) socket.write(`action=${action}\n\n`);
    });
    socket.setTimeout(this.#patience.idle_ms, late);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (waiting !== null) clearTimeout(waiting);
    });
    socket.on('data', (bytes) => {
      const taken = reader.take(bytes);
      if (taken !== 'taken') this.#count(figure[taken]);
      // Postfix asks elsewhere, or does what it is told to do then.
      if (taken !== 'taken' || socket.writableLength > unreadMax) socket.destroy();
      if (!reader.isInside && waiting !== null) {
        clearTimeout(waiting);
        waiting = null;
      } else if (reader.isInside) waiting ??= setTimeout(late, this.#patience.request_ms);
    });
  }
}
