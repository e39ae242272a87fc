// Bulk writing of TCP frames into a pcap file: headers from templates, straight into one large
// buffer. `frame.ts` is the readable way for a few frames; this one is for a gigabyte. Ethernet, up
// to two VLAN tags, IPv4 or IPv6, TCP with or without timestamps; checksums are always right.

import { closeSync, openSync, writeSync } from 'node:fs';
import { addressBytes, fold, pcapHeader, sum16, synOptions } from './frame.js';
import { Dir, type Plan } from './script.js';

const templateBytes = 96;
const frameBytesMax = 65_700;

/** What the mirror does to frames on their way into the file. Times are microseconds since 1970. */
export interface Noise {
  loses(time: number, dir: number): boolean;
  /** Microseconds that the clock of the tap of one direction is ahead. */
  skew(dir: number): number;
}

/** Writes frames of many connections, each known by a slot number, to a file. */
export class FrameWriter {
  frames = 0;
  bytes = 0;
  /** Frames that `noise` took away. */
  lost = 0;
  #out = Buffer.alloc(4 << 20);
  #at = 0;
  readonly #file: number;
  readonly #noise: Noise | null;
  // Per slot and direction: the bytes before TCP's options, their length, the pseudo-header's sum.
  #templates = Buffer.alloc(0);
  #headLength = new Int32Array(0);
  #pseudo = new Int32Array(0);
  #stamp = new Int32Array(0);
  #timestamps = new Uint8Array(0);
  #mss = new Uint16Array(0);
  #v6 = new Uint8Array(0);
  #pppoe = new Uint8Array(0);
  #id = 1;
  // The frame being written.
  #half = 0;
  #start = 0;
  #syn = false;

  constructor(path: string, noise: Noise | null = null) {
    this.#noise = noise;
    this.#file = openSync(path, 'w');
    this.#append(pcapHeader());
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  /** Makes the templates of a connection. */
  open(slot: number, plan: Plan): void {
    if (slot >= this.#mss.length) this.#grow(Math.max(1024, slot * 2));
    this.#timestamps[slot] = plan.timestamps ? 1 : 0;
    this.#mss[slot] = plan.mss;
    const client = bytesOf(plan.client);
    const server = bytesOf(plan.server);
    this.#v6[slot] = client.length === 16 ? 1 : 0;
    this.#pppoe[slot] = plan.pppoe ? 1 : 0;
    this.#template(slot * 2 + Dir.client, plan, client, server);
    this.#template(slot * 2 + Dir.server, plan, server, client);
  }

  #template(half: number, plan: Plan, src: Buffer, dst: Buffer): void {
    const fromClient = (half & 1) === Dir.client;
    const base = half * templateBytes;
    const bytes = this.#templates;
    let at = base;
    bytes.write(fromClient ? '02005e00530202005e005301' : '02005e00530102005e005302', at, 'hex');
    at += 12;
    for (const id of plan.vlan) {
      at = bytes.writeUInt16BE(plan.vlan.length === 2 && at === base + 12 ? 0x88a8 : 0x8100, at);
      at = bytes.writeUInt16BE(id, at);
    }
    bytes.fill(0, at, base + templateBytes);
    const session = at;
    if (plan.pppoe) at += 8;
    if (src.length === 4) {
      bytes.writeUInt16BE(0x0800, at);
      bytes.write('4500000000004000', at + 2, 'hex');
      bytes[at + 10] = fromClient ? 57 : 64;
      bytes[at + 11] = 6;
      src.copy(bytes, at + 14);
      dst.copy(bytes, at + 18);
      at += 22;
    } else {
      bytes.writeUInt16BE(0x86dd, at);
      bytes[at + 2] = 0x60;
      bytes[at + 8] = 6;
      bytes[at + 9] = fromClient ? 57 : 64;
      src.copy(bytes, at + 10);
      dst.copy(bytes, at + 26);
      at += 42;
    }
    if (plan.pppoe) this.#pppoeHead(session, src.length === 4);
    bytes.writeUInt16BE(fromClient ? plan.clientPort : plan.serverPort, at);
    bytes.writeUInt16BE(fromClient ? plan.serverPort : plan.clientPort, at + 2);
    bytes.writeUInt16BE(4096, at + 14);
    this.#headLength[half] = at + 20 - base;
    this.#pseudo[half] = sum16(src) + sum16(dst) + 6;
    this.#stamp[half] = 0;
  }

  /**
   * EtherType, version, session and PPP protocol (RFC 2516 section 4) in place of the EtherType.
   */
  #pppoeHead(at: number, v4: boolean): void {
    const bytes = this.#templates;
    bytes.writeUInt16BE(0x8864, at);
    bytes.writeUInt16BE(0x1100, at + 2);
    bytes.writeUInt16BE(0x0101, at + 4);
    bytes.writeUInt16BE(v4 ? 0x0021 : 0x0057, at + 8);
  }

  /** Begins a frame of a connection; `append` its payload, then `finish` it. */
  begin(slot: number, dir: number, syn: boolean): void {
    if (this.#at + frameBytesMax > this.#out.length) this.#flush();
    const half = slot * 2 + dir;
    this.#half = half;
    this.#start = this.#at;
    this.#syn = syn;
    const from = half * templateBytes;
    const length = this.#headLength[half]!;
    this.#templates.copy(this.#out, this.#at + 16, from, from + length);
    this.#at += 16 + length;
    const tcp = this.#at - 20;
    if (syn) this.#append(synOptions(this.#mss[slot]!));
    if (this.#timestamps[slot] === 1) {
      this.#out.writeUInt32BE(0x0101080a, this.#at);
      this.#at += 12;
    }
    this.#out[tcp + 12] = ((this.#at - tcp) >> 2) << 4;
  }

  append(source: Buffer, from: number, to: number): void {
    source.copy(this.#out, this.#at, from, to);
    this.#at += to - from;
  }

  /** Fills in numbers, lengths and checksums. `time` in microseconds since 1970. */
  finish(time: number, seq: number, ack: number, flags: number): void {
    const out = this.#out;
    const frame = this.#start + 16;
    const tcp = frame + this.#headLength[this.#half]! - 20;
    const slot = this.#half >> 1;
    out.writeInt32BE(seq, tcp + 4);
    out.writeInt32BE(ack, tcp + 8);
    out[tcp + 13] = flags;
    if (this.#timestamps[slot] === 1) this.#stampFrame(time, tcp + (this.#syn ? 36 : 24));
    const tcpLength = this.#at - tcp;
    out[tcp + 16] = 0;
    out[tcp + 17] = 0;
    const sum = fold(sum16(out, tcp, this.#at, this.#pseudo[this.#half]! + tcpLength));
    out.writeUInt16BE(sum, tcp + 16);
    if (this.#v6[slot] === 1) {
      out.writeUInt16BE(tcpLength, tcp - 36);
    } else {
      const ip = tcp - 20;
      out.writeUInt16BE(20 + tcpLength, ip + 2);
      this.#id = (this.#id + 1) & 0xffff;
      out.writeUInt16BE(this.#id, ip + 4);
      out.writeUInt16BE(fold(sum16(out, ip, tcp)), ip + 10);
    }
    if (this.#pppoe[slot] === 1) {
      const ip = tcp - (this.#v6[slot] === 1 ? 40 : 20);
      out.writeUInt16BE(this.#at - ip + 2, ip - 4);
    }
    if (this.#noise?.loses(time, this.#half & 1)) {
      this.#at = this.#start;
      this.lost++;
      return;
    }
    const stamp = this.#noise === null ? time : time + this.#noise.skew(this.#half & 1);
    // Frames that came over a wire are never shorter than 60 bytes.
    while (this.#at - frame < 60) out[this.#at++] = 0;
    const length = this.#at - frame;
    const seconds = Math.floor(stamp / 1e6);
    out.writeUInt32LE(seconds, this.#start);
    out.writeUInt32LE(stamp - seconds * 1e6, this.#start + 4);
    out.writeUInt32LE(length, this.#start + 8);
    out.writeUInt32LE(length, this.#start + 12);
    this.frames++;
    this.bytes += 16 + length;
  }

  #stampFrame(time: number, at: number): void {
    const stamp = (Math.floor(time / 1000) + (this.#half & 1) * 0x30000) | 0;
    this.#stamp[this.#half] = stamp;
    this.#out.writeInt32BE(stamp, at);
    this.#out.writeInt32BE(this.#stamp[this.#half ^ 1]!, at + 4);
  }

  #append(bytes: Buffer): void {
    bytes.copy(this.#out, this.#at);
    this.#at += bytes.length;
  }

  #flush(): void {
    let from = 0;
    while (from < this.#at) from += writeSync(this.#file, this.#out, from, this.#at - from);
    this.#at = 0;
  }

  #grow(slots: number): void {
    const templates = Buffer.alloc(slots * 2 * templateBytes);
    this.#templates.copy(templates);
    this.#templates = templates;
    this.#headLength = enlarged(this.#headLength, new Int32Array(slots * 2));
    this.#pseudo = enlarged(this.#pseudo, new Int32Array(slots * 2));
    this.#stamp = enlarged(this.#stamp, new Int32Array(slots * 2));
    this.#timestamps = enlarged(this.#timestamps, new Uint8Array(slots));
    this.#mss = enlarged(this.#mss, new Uint16Array(slots));
    this.#v6 = enlarged(this.#v6, new Uint8Array(slots));
    this.#pppoe = enlarged(this.#pppoe, new Uint8Array(slots));
  }
}

function enlarged<T extends Int32Array | Uint8Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Dotted quads by hand: a million of them is where the general parser would show. */
function bytesOf(address: string): Buffer {
  if (address.includes(':')) return addressBytes(address);
  return Buffer.from(address.split('.').map(Number));
}
