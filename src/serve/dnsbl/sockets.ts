// The DNSBL's sockets: UDP, and TCP for what does not fit or comes too often (RFC 7766). They bound
// what a stranger can hold: waiting answers, connections, bytes of an unfinished message, time.

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { lookup } from 'node:dns';
import { once } from 'node:events';
import { createServer, isIP, isIPv6, type Server, type Socket } from 'node:net';
import type { Histogram } from '../../lib/histogram.js';
import { answerTimes, slotOf } from '../lookup/figures.js';
import type { Answerer } from './answer.js';
import { headerBytes } from './query.js';
import type { SourceRate } from './rate.js';

export interface Listener {
  readonly host: string;
  readonly port: number;
}

/** Datagrams that wait in the kernel while the thread takes an update. */
const receiveBytes = 4 * 1024 * 1024;
/** Answers that wait because the socket is full; more are dropped and counted. */
const unsentMax = 1000;
/** One answer of so many is timed, less one: a clock costs as much as a look-up. */
const timed = 15;
/** Every second answer over the rate says: come by TCP. BIND calls it slip. */
const slip = 2;
const connectionsMax = 256;
/** A connection of which nothing was heard for so long is closed (RFC 7766 section 6.2.3). */
const idle_ms = 10_000;
/** No question is longer; whoever announces one is sent away. */
const messageMax = 1024;
/** Bytes of answers that a slow reader leaves unread before it is sent away. */
const unreadMax = 64 * 1024;

const figure = {
  udp: slotOf('dns_udp'),
  tcp: slotOf('dns_tcp'),
  unsent: slotOf('dns_unsent'),
  rateTruncated: slotOf('dns_rate_truncated'),
  rateDropped: slotOf('dns_rate_dropped'),
  connections: slotOf('dns_connections'),
  refused: slotOf('dns_connections_refused'),
  closed: slotOf('dns_connections_closed'),
} as const;

export class DnsSockets {
  readonly #answerer: Answerer;
  readonly #rate: SourceRate;
  readonly #figures: Float64Array;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  readonly #took: Histogram;
  #datagrams = 0;
  #over = 0;

  constructor(listener: Listener, answerer: Answerer, rate: SourceRate, figures: Float64Array) {
    this.#answerer = answerer;
    this.#rate = rate;
    this.#figures = figures;
    this.#took = answerTimes(figures);
    this.#udp = createSocket({
      type: isIPv6(listener.host) ? 'udp6' : 'udp4',
      recvBufferSize: receiveBytes,
      // Addresses come from datagrams; the usual look-up would be a turn of the event loop.
      lookup: (host, options, done) => {
        if (isIP(host) === 0) lookup(host, options, done);
        else done(null, host, isIP(host));
      },
    });
    this.#udp.on('message', (message, from) => this.#datagram(message, from));
    this.#tcp = createServer((socket) => this.#connection(socket));
    this.#tcp.maxConnections = connectionsMax;
    this.#tcp.on('drop', () => this.#count(figure.refused));
  }

  /** Binds both to the same port; gives it. Rejects with the system's error. */
  async open({ host, port }: Listener): Promise<number> {
    this.#tcp.listen(port, host);
    await once(this.#tcp, 'listening');
    const address = this.#tcp.address();
    const bound = typeof address === 'object' && address !== null ? address.port : port;
    // The look-up answers at once, so the socket may be bound before `bind` returns.
    const listening = once(this.#udp, 'listening');
    this.#udp.bind(bound, host);
    await listening;
    // What a socket says later is about one datagram, such as an unreachable asker.
    this.#udp.on('error', () => this.#count(figure.unsent));
    return bound;
  }

  close(): void {
    this.#udp.close();
    this.#tcp.close();
    for (const socket of this.#connections) socket.destroy();
  }

  #count(slot: number): void {
    this.#figures[slot]! += 1;
  }

  #datagram(message: Buffer, { address, port }: RemoteInfo): void {
    this.#count(figure.udp);
    const clock = performance.now();
    const length = this.#rate.admits(address, clock)
      ? this.#answerer.answer(message, message.length, false, clock)
      : this.#overRate(message);
    if (length === 0 || port === 0) return;
    if (this.#udp.getSendQueueCount() > unsentMax) {
      this.#count(figure.unsent);
      return;
    }
    // A copy, because the socket may keep it for a while.
    const answer = Buffer.allocUnsafe(length);
    this.#answerer.out.copy(answer, 0, 0, length);
    this.#udp.send(answer, port, address);
    this.#datagrams += 1;
    if ((this.#datagrams & timed) === 0) this.#took.observe((performance.now() - clock) / 1000);
  }

  #overRate(message: Buffer): number {
    this.#over += 1;
    const length = this.#over % slip === 0 ? this.#answerer.truncated(message, message.length) : 0;
    this.#count(length > 0 ? figure.rateTruncated : figure.rateDropped);
    return length;
  }

  #connection(socket: Socket): void {
    this.#count(figure.connections);
    this.#connections.add(socket);
    const stream = new MessageStream((bytes) => this.#message(socket, bytes));
    socket.setNoDelay(true);
    socket.setTimeout(idle_ms, () => this.#dismiss(socket));
    // Whoever goes away, however, is gone.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (bytes) => {
      if (!stream.take(bytes)) this.#dismiss(socket);
    });
  }

  #dismiss(socket: Socket): void {
    this.#count(figure.closed);
    socket.destroy();
  }

  #message(socket: Socket, message: Buffer): void {
    if (socket.destroyed) return;
    this.#count(figure.tcp);
    const length = this.#answerer.answer(message, message.length, true, performance.now());
    if (length === 0) {
      this.#dismiss(socket);
      return;
    }
    const answer = Buffer.allocUnsafe(length + 2);
    answer.writeUInt16BE(length, 0);
    this.#answerer.out.copy(answer, 2, 0, length);
    socket.write(answer);
    if (socket.writableLength > unreadMax) this.#dismiss(socket);
  }
}

/** Cuts a stream into messages, each behind its length in two bytes (RFC 1035 section 4.2.2). */
class MessageStream {
  readonly #message: (bytes: Buffer) => void;
  readonly #held = Buffer.alloc(2 + messageMax);
  #length = 0;

  /** `message` may use the bytes until it returns. */
  constructor(message: (bytes: Buffer) => void) {
    this.#message = message;
  }

  /** False where a message cannot be a question; nothing more is taken then. */
  take(bytes: Buffer): boolean {
    const held = this.#held;
    for (let at = 0; at < bytes.length; ) {
      const wanted = this.#length < 2 ? 2 : 2 + held.readUInt16BE(0);
      if (wanted > held.length) return false;
      const part = Math.min(wanted - this.#length, bytes.length - at);
      bytes.copy(held, this.#length, at, at + part);
      this.#length += part;
      at += part;
      if (this.#length < 2) continue;
      const size = held.readUInt16BE(0);
      if (size < headerBytes || size > messageMax) return false;
      if (this.#length < 2 + size) continue;
      this.#message(held.subarray(2, 2 + size));
      this.#length = 0;
    }
    return true;
  }
}
