// The pcapng file format (draft-ietf-opsawg-pcapng): several sections of either byte order, several
// interfaces each with its own link type and clock, enhanced, simple and obsolete packet blocks.
// Every other block is skipped, and so are all options but the two that say what time is.

import { i32be, i32le, u16be, u16le } from '../lib/bytes.js';
import { type RecordParser, timeMax, wireLengthOf } from './records.js';
import { type FrameBatch, frameMax } from './source.js';

/** The largest block taken, in bytes; a larger one counts as corrupt. */
export const blockMax = 16 * 1024 * 1024;

/** The most interfaces of one section; more count as corrupt. */
const interfaceMax = 65536;

/** Block types (section 11.1 of the draft). */
const enum Block {
  section = 0x0a0d0d0a,
  interface = 1,
  obsoletePacket = 2,
  simplePacket = 3,
  enhancedPacket = 6,
}

const byteOrderMagic = 0x1a2b3c4d;
const option = { end: 0, resolution: 9, offset: 14 } as const;

/** Whether a file that begins with these four bytes may be a pcapng file. */
export function isPcapng(bytes: Buffer): boolean {
  return i32be(bytes, 0) === Block.section;
}

/** Whether the first section header, of which 12 bytes are there, says a byte order. */
export function hasByteOrder(bytes: Buffer): boolean {
  return i32be(bytes, 8) === byteOrderMagic || i32le(bytes, 8) === byteOrderMagic;
}

/** The link type and the clock of one interface description block. */
class Interface {
  readonly link: number;
  readonly snapLength: number;
  // Microseconds of a time of `high * 2^32 + low` units, with every step exact in a double:
  // (high * whole + floor((high * rest + low) / divisor)) * factor.
  whole = 2 ** 32;
  rest = 0;
  divisor = 1;
  factor = 1;
  /** Microseconds to add (if_tsoffset). */
  offset = 0.5;
  /** Units in a second where the line above is not exact; 0n where it is. */
  units = 0n;

  constructor(link: number, snapLength: number) {
    this.link = link;
    this.snapLength = snapLength;
    this.offset = 0;
  }

  /** if_tsresol: a negative power of 10, or of 2 where the top bit is set (section 4.2). */
  setResolution(code: number): void {
    const power = code & 0x7f;
    if ((code & 0x80) !== 0) {
      this.units = 2n ** BigInt(power);
    } else if (power > 12) {
      this.units = 10n ** BigInt(power);
    } else if (power < 6) {
      this.factor = 10 ** (6 - power);
    } else {
      this.divisor = 10 ** (power - 6);
      this.whole = Math.floor(2 ** 32 / this.divisor);
      this.rest = 2 ** 32 % this.divisor;
    }
  }

  /** Microseconds since 1970, floored, kept between 0 and `timeMax`. Takes unsigned halves. */
  microseconds(high: number, low: number): number {
    let time = this.offset;
    if (this.units === 0n) {
      const part = Math.floor((high * this.rest + low) / this.divisor);
      time += (high * this.whole + part) * this.factor;
    } else {
      time += Number((((BigInt(high) << 32n) | BigInt(low)) * 1000000n) / this.units);
    }
    if (time < 0) return 0;
    return Math.min(time, timeMax);
  }
}

/** Parses blocks. The first bytes it is given must be those of a section header. */
export class PcapngParser implements RecordParser {
  need = 0;
  fault = '';
  #big = false;
  #interfaces: Interface[] = [];
  /** Time of the last packet: simple packet blocks have none of their own. */
  #last = 0.5;

  constructor() {
    this.#last = 0;
  }

  parse(bytes: Buffer, from: number, to: number, batch: FrameBatch): number {
    this.need = 0;
    const capacity = batch.capacity;
    let at = from;
    // 12 bytes: the smallest block, and as much of a section header as tells its byte order.
    while (batch.count < capacity && to - at >= 12) {
      if (i32be(bytes, at) === Block.section && !this.#turn(bytes, at)) break;
      const total = this.#word(bytes, at + 4);
      if (total < 12 || total > blockMax) {
        this.fault = `a block claims ${total >>> 0} bytes`;
        break;
      }
      // Some writers leave the padding out of the length (Wireshark allows it too).
      const size = (total + 3) & ~3;
      if (at + size > to) {
        this.need = size;
        break;
      }
      if (this.#word(bytes, at + size - 4) !== total) {
        this.fault = 'the two lengths of a block differ';
        break;
      }
      if (!this.#block(bytes, at, size, batch)) break;
      at += size;
    }
    return at;
  }

  /** Takes the byte order of a section header; false where it names none. */
  #turn(bytes: Buffer, at: number): boolean {
    if (i32be(bytes, at + 8) === byteOrderMagic) this.#big = true;
    else if (i32le(bytes, at + 8) === byteOrderMagic) this.#big = false;
    else this.fault = 'a section header names no byte order';
    return this.fault === '';
  }

  /** One whole block; false where it is not sound, with `fault` set. */
  #block(bytes: Buffer, at: number, size: number, batch: FrameBatch): boolean {
    switch (this.#word(bytes, at)) {
      case Block.enhancedPacket:
        return this.#packet(bytes, at, size, batch);
      case Block.obsoletePacket:
        return this.#packet(bytes, at, size, batch);
      case Block.simplePacket:
        return this.#simplePacket(bytes, at, size, batch);
      case Block.interface:
        return this.#interface(bytes, at, size);
      case Block.section:
        if (size < 28) return this.#refuse('a section header is too short');
        this.#interfaces = [];
        return true;
      default:
        return true;
    }
  }

  /** Enhanced and obsolete packet blocks (sections 4.3 and A): only the interface field differs. */
  #packet(bytes: Buffer, at: number, size: number, batch: FrameBatch): boolean {
    if (size < 32) return this.#refuse('a packet block is too short');
    const index =
      this.#word(bytes, at) === Block.enhancedPacket
        ? this.#word(bytes, at + 8)
        : this.#half(bytes, at + 8);
    const port = index < 0 ? undefined : this.#interfaces[index];
    if (port === undefined) return this.#refuse('a packet names an interface that is not there');
    const kept = this.#word(bytes, at + 20);
    if (kept < 0 || kept > frameMax || kept > size - 32) {
      return this.#refuse(`a packet block claims ${kept >>> 0} captured bytes`);
    }
    const high = this.#word(bytes, at + 12) >>> 0;
    const low = this.#word(bytes, at + 16) >>> 0;
    this.#last = port.microseconds(high, low);
    const count = batch.count;
    batch.offset[count] = at + 28;
    batch.length[count] = kept;
    batch.wireLength[count] = wireLengthOf(this.#word(bytes, at + 24), kept);
    batch.time[count] = this.#last;
    batch.link[count] = port.link;
    batch.count = count + 1;
    return true;
  }

  /** Simple packet blocks (section 4.4): the first interface, no time, length only on the wire. */
  #simplePacket(bytes: Buffer, at: number, size: number, batch: FrameBatch): boolean {
    const port = this.#interfaces[0];
    if (port === undefined) return this.#refuse('a packet names an interface that is not there');
    if (size < 16) return this.#refuse('a packet block is too short');
    const wire = this.#word(bytes, at + 8) >>> 0;
    const limit = port.snapLength === 0 ? frameMax : port.snapLength;
    const kept = Math.min(wire, limit, size - 16);
    if (kept > frameMax) return this.#refuse(`a packet block claims ${kept} captured bytes`);
    const count = batch.count;
    batch.offset[count] = at + 12;
    batch.length[count] = kept;
    batch.wireLength[count] = wireLengthOf(wire | 0, kept);
    batch.time[count] = this.#last;
    batch.link[count] = port.link;
    batch.count = count + 1;
    return true;
  }

  /** Interface description block (section 4.2). */
  #interface(bytes: Buffer, at: number, size: number): boolean {
    if (size < 20) return this.#refuse('an interface block is too short');
    if (this.#interfaces.length >= interfaceMax) {
      return this.#refuse(`more than ${interfaceMax} interfaces in a section`);
    }
    const made = new Interface(this.#half(bytes, at + 8), this.#word(bytes, at + 12) >>> 0);
    const end = at + size - 4;
    let place = at + 16;
    while (end - place >= 4) {
      const code = this.#half(bytes, place);
      const length = this.#half(bytes, place + 2);
      const value = place + 4;
      if (code === option.end || value + length > end) break;
      if (code === option.resolution && length >= 1) made.setResolution(bytes[value]!);
      if (code === option.offset && length >= 8) {
        const seconds = this.#big ? bytes.readBigInt64BE(value) : bytes.readBigInt64LE(value);
        made.offset = Number(seconds) * 1e6;
      }
      place = value + ((length + 3) & ~3);
    }
    this.#interfaces.push(made);
    return true;
  }

  #refuse(fault: string): boolean {
    this.fault = fault;
    return false;
  }

  #word(bytes: Buffer, at: number): number {
    return this.#big ? i32be(bytes, at) : i32le(bytes, at);
  }

  #half(bytes: Buffer, at: number): number {
    return this.#big ? u16be(bytes, at) : u16le(bytes, at);
  }
}
