// A random conversation of two ends, and what a bad mirror port makes of it: segments lost, out of
// order, twice, sent again in other pieces or with other bytes, cut. Seeded: a run can be repeated.

import { Tcp } from '../../src/decode/packet.js';
import type { Random } from '../../src/lib/random.js';
import type { Arrival } from './twin.js';

/** What may happen to a conversation; chances are per segment. */
export interface Weather {
  readonly lose: number;
  /** Sent again, in other pieces. */
  readonly resend: number;
  /** Sent again with other bytes. */
  readonly forge: number;
  /** The same packet seen twice. */
  readonly copy: number;
  /** Positions that a segment may come late. */
  readonly reorder: number;
  /** Acknowledgements that are not true. */
  readonly lie: number;
  /** The capture cut the payload. */
  readonly cut: number;
  /** A pause of up to a minute. */
  readonly pause: number;
  /** Only this direction passes the mirror; -1 for both. */
  readonly only: number;
  readonly segmentMax: number;
}

export interface Packet extends Arrival {
  readonly flags: number;
  /** Bytes of payload on the wire. */
  readonly length: number;
  readonly ipId: number;
  /** Microseconds since the packet before. */
  pause: number;
  /** Where it comes in the end. */
  order: number;
}

export class Conversation {
  readonly streams: readonly [Buffer, Buffer];
  readonly packets: Packet[] = [];
  readonly #random: Random;
  readonly #weather: Weather;
  readonly #sent = [0, 0];
  #ipId = 10;

  constructor(random: Random, weather: Weather) {
    this.#random = random;
    this.#weather = weather;
    const length = () => (random.chance(0.2) ? random.below(60_000) : random.below(6000));
    this.streams = [this.#noise(length()), this.#noise(length())];
    this.#converse();
    this.packets.sort((a, b) => a.order - b.order);
    // A connection without payload is forgotten after 30 s.
    const first = this.packets.findIndex((packet) => packet.length > 0);
    for (const packet of this.packets.slice(first + 1)) {
      if (random.chance(weather.pause)) packet.pause = random.below(50_000_000);
    }
  }

  #noise(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#random.word();
    return bytes;
  }

  /** Ends take turns; each acknowledges what it has, or a little less. */
  #converse(): void {
    const acked = [0, 0];
    const [toServer, toClient] = this.streams;
    while (this.#sent[0]! < toServer.length || this.#sent[1]! < toClient.length) {
      const dir = this.#random.below(2) as 0 | 1;
      const stream = this.streams[dir];
      const other = this.#sent[1 - dir]!;
      if (!this.#random.chance(0.2)) acked[dir] = other;
      for (let n = 1 + this.#random.below(5); n > 0 && this.#sent[dir]! < stream.length; n--) {
        const from = this.#sent[dir]!;
        const to = Math.min(stream.length, from + 1 + this.#random.below(this.#size()));
        this.#sent[dir] = to;
        this.#segment(dir, from, to, acked[dir]!);
      }
      if (this.#random.chance(0.3)) this.#push(dir, this.#sent[dir]!, 0, acked[dir]!);
    }
    if (this.#random.chance(0.5)) this.#close();
  }

  #size(): number {
    const { segmentMax } = this.#weather;
    if (this.#random.chance(0.5)) return segmentMax;
    return this.#random.chance(0.7) ? 40 : 2;
  }

  #segment(dir: 0 | 1, from: number, to: number, ack: number): void {
    const { lose, resend, forge } = this.#weather;
    if (!this.#random.chance(lose)) this.#push(dir, from, to - from, ack);
    if (this.#random.chance(resend)) {
      const start = Math.max(0, from - this.#random.below(3000));
      const length = 1 + this.#random.below(Math.min(9000, this.#sent[dir]! - start));
      this.#push(dir, start, length, ack);
    }
    if (this.#random.chance(forge)) {
      const start = Math.max(0, from - this.#random.below(100));
      const bytes = this.#noise(1 + this.#random.below(Math.min(200, to - start)));
      this.#push(dir, start, bytes.length, ack, bytes);
    }
  }

  #close(): void {
    for (const dir of [0, 1] as const) {
      if (this.#weather.only === 1 - dir) continue;
      const { length } = this.streams[dir];
      const ack = this.streams[1 - dir]!.length + (dir === 1 ? 1 : 0);
      const last = { ...this.#packet(dir, length, 0, ack), flags: Tcp.FIN | Tcp.ACK };
      if (!this.#random.chance(this.#weather.lose)) this.packets.push(last);
    }
  }

  #push(dir: 0 | 1, from: number, length: number, ack: number, bytes?: Buffer): void {
    if (this.#weather.only >= 0 && dir !== this.#weather.only) return;
    const packet = this.#packet(dir, from, length, ack);
    const body = bytes ?? packet.bytes;
    const cut = this.#random.chance(this.#weather.cut) ? this.#random.below(body.length + 1) : 0;
    const made = { ...packet, bytes: body.subarray(0, body.length - cut) };
    this.packets.push(made);
    if (this.#random.chance(this.#weather.copy)) {
      this.packets.push({ ...made, order: made.order + this.#random.fraction() * 2 });
    }
  }

  #packet(dir: 0 | 1, from: number, length: number, ack: number): Packet {
    const { lie, reorder } = this.#weather;
    const late = this.#random.chance(0.3) ? this.#random.fraction() * reorder : 0;
    return {
      dir,
      from,
      bytes: this.streams[dir].subarray(from, from + length),
      length,
      ack: this.#random.chance(lie) ? this.#random.below(200_000) - 50_000 : ack,
      flags: Tcp.ACK,
      ipId: ++this.#ipId & 0xffff,
      pause: 100,
      order: this.packets.length + late,
    };
  }
}
