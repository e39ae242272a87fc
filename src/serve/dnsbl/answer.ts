// Answers one DNS message for the zone of the list, as an authoritative server that knows nothing
// else: what is outside the zone is refused, and nobody is asked on anybody's behalf. An answer
// about an address is 16 bytes longer than its question, that there is none some 60, and none that
// goes by UDP has more than 1,232. Bytes in, bytes out; sockets are in `sockets.ts`.
//
// A list that nobody renewed in time is dead (detection.md 5.2: fail open): nothing is listed any
// more, not even the test entry, so that whoever watches the test entry sees it.

import { actionPart, reasonOf } from '../../block/return-code.js';
import { Prefix, prefixText } from '../../lib/prefix.js';
import { type LookupFigure, slotOf } from '../lookup/figures.js';
import type { ListedSources, Moment } from '../lookup/listed.js';
import { type Appeal, wording } from '../lookup/wording.js';
import { wireName, ZoneName } from './name.js';
import { classIn, headerBytes, Query, Rcode, readQuery, Type } from './query.js';

/**
 * How long answers may be kept, seconds: both short, because a new entry shall act within a minute
 * (postscreen keeps a pass at least this long, consumers.md 2.2), and a release too.
 */
const listedTtl = 60;
const unlistedTtl = 60;
/** Of what never changes: NS. */
const zoneTtl = 3600;
/** Seconds for secondaries, which there are none of: refresh, retry, expire. */
const soaTimes = [300, 60, 7200] as const;
/** The largest datagram we ask for and send: it fits every path (DNS flag day 2020). */
const payloadMax = 1232;
/** A character string of a TXT record. */
const stringMax = 255;
/** Room for any answer: question, SOA or TXT with its strings, EDNS. */
const answerMax = 4096;
/** The longest text of an entry; a longer one loses its end. */
const textMax = 1000;
/** 127.0.0.2 is always listed and 127.0.0.1 never (RFC 5782 section 5); mapped for IPv6. */
const testListed = 0x7f000002;
const testUnlisted = 0x7f000001;
/** Entries that do not speak of port 25 are not told to those who receive mail there. */
const mailPort = 25;

const Flag = { answer: 0x8000, authoritative: 0x0400, truncated: 0x0200 } as const;

export interface ZoneOptions {
  readonly zone: string;
  /** Names of NS records. */
  readonly nameServers: readonly string[];
  readonly appeal: Appeal;
}

const slot = (name: LookupFigure) => slotOf(name);
const figure = {
  blocked: slot('dns_blocked'),
  limited: slot('dns_limited'),
  unlisted: slot('dns_unlisted'),
  zone: slot('dns_about_zone'),
  noData: slot('dns_no_data'),
  outside: slot('dns_outside'),
  malformed: slot('dns_malformed'),
  notSupported: slot('dns_not_supported'),
  dropped: slot('dns_dropped'),
  stale: slot('dns_stale'),
  truncated: slot('dns_truncated'),
} as const;

export class Answerer {
  /** The last answer, from its beginning; it is overwritten by the next. */
  readonly out = Buffer.alloc(answerMax);
  readonly #options: ZoneOptions;
  readonly #listed: ListedSources;
  readonly #figures: Float64Array;
  readonly #name: ZoneName;
  readonly #nameServers: readonly Buffer[];
  readonly #query = new Query();
  readonly #moment: Moment = { now: 0, port: mailPort };
  readonly #prefix = new Prefix();
  #length = 0;

  constructor(options: ZoneOptions, listed: ListedSources, figures: Float64Array) {
    this.#options = options;
    this.#listed = listed;
    this.#figures = figures;
    this.#name = new ZoneName(options.zone);
    this.#nameServers = options.nameServers.map(wireName);
  }

  /**
   * Answers bytes [0, length) at the moment `clock_ms` of `performance.now`; gives the length of
   * the answer in `out`, 0 where there is none. `isStream`: it came by TCP and may be long.
   */
  answer(bytes: Uint8Array, length: number, isStream: boolean, clock_ms: number): number {
    const query = this.#query;
    const reading = readQuery(bytes, length, query);
    if (reading === 'drop') return this.#count(figure.dropped, 0);
    if (reading === 'not-supported') return this.#bare(Rcode.notSupported, figure.notSupported);
    if (reading === 'malformed') return this.#bare(Rcode.malformed, figure.malformed);
    this.#begin(bytes);
    if (query.ednsVersion > 0) {
      this.#finish(Rcode.badVersion);
      return this.#count(figure.notSupported, this.#length);
    }
    const rcode = this.#tell(bytes, clock_ms);
    this.#finish(rcode);
    const most = isStream ? 65_535 : Math.min(query.payload, payloadMax);
    if (this.#length <= most) return this.#length;
    this.#count(figure.truncated, 0);
    return this.#empty();
  }

  /** An answer to the same question that says: come by TCP. 0 where it is no question. */
  truncated(bytes: Uint8Array, length: number): number {
    if (readQuery(bytes, length, this.#query) !== 'question') return 0;
    this.#begin(bytes);
    return this.#empty();
  }

  #count(slot: number, length: number): number {
    this.#figures[slot]! += 1;
    return length;
  }

  /** Copies the question as it came: resolvers compare its letters (0x20). */
  #begin(bytes: Uint8Array): void {
    const { out } = this;
    const end = this.#query.questionEnd;
    // A loop: for so few bytes a view and its copy cost more.
    for (let at = headerBytes; at < end; at++) out[at] = bytes[at]!;
    out.writeUInt16BE(this.#query.id, 0);
    out.writeUInt16BE(1, 4);
    out.fill(0, 6, headerBytes);
    this.#length = end;
  }

  /** A header and nothing else, where the question could not be read. */
  #bare(rcode: number, slot: number): number {
    const { id, opcode, flags } = this.#query;
    this.out.fill(0, 0, headerBytes);
    this.out.writeUInt16BE(id, 0);
    this.out.writeUInt16BE(Flag.answer | (opcode << 11) | flags | rcode, 2);
    return this.#count(slot, headerBytes);
  }

  /** The question and TC, without any record but EDNS. */
  #empty(): number {
    this.#length = this.#query.questionEnd;
    this.out.fill(0, 6, headerBytes);
    this.#finish(Rcode.done);
    this.out[2]! |= Flag.truncated >> 8;
    return this.#length;
  }

  /** Writes the flags and the EDNS record. */
  #finish(rcode: number): void {
    const { out } = this;
    const query = this.#query;
    const isOurs = rcode === Rcode.done || rcode === Rcode.noName;
    const authoritative = isOurs ? Flag.authoritative : 0;
    out.writeUInt16BE(Flag.answer | authoritative | query.flags | (rcode & 15), 2);
    if (!query.hasEdns) return;
    out.writeUInt16BE(1, 10);
    let at = this.#length;
    out[at++] = 0;
    at = out.writeUInt16BE(Type.opt, at);
    at = out.writeUInt16BE(payloadMax, at);
    at = out.writeUInt16BE((rcode >> 4) << 8, at);
    at = out.writeUInt16BE(query.dnssecOk ? 0x8000 : 0, at);
    this.#length = out.writeUInt16BE(0, at);
  }

  /** Writes the records; gives the response code. */
  #tell(bytes: Uint8Array, clock_ms: number): number {
    const query = this.#query;
    const kind = this.#name.read(bytes, query);
    const isTransfer = query.type > 250 && query.type < Type.any;
    if (kind === 'outside' || query.class !== classIn || isTransfer) {
      return this.#count(figure.outside, Rcode.refused);
    }
    if (kind === 'apex') return this.#apex();
    if (kind === 'part') return this.#nothing(figure.noData, Rcode.done);
    if (this.#listed.isStale(clock_ms)) {
      this.#count(figure.stale, 0);
      return this.#nothing(figure.unlisted, Rcode.noName);
    }
    if (kind === 'address') return this.#address(clock_ms);
    return this.#nothing(figure.unlisted, Rcode.noName);
  }

  #apex(): number {
    const { type } = this.#query;
    this.#count(figure.zone, 0);
    if (type === Type.soa) this.#soa(6);
    else if (type === Type.ns) for (const name of this.#nameServers) this.#ns(name);
    else if (type === Type.any) this.#hinfo();
    else this.#soa(8);
    return Rcode.done;
  }

  /** No such name, or nothing of this type: SOA says how long that holds (RFC 2308). */
  #nothing(slot: number, rcode: number): number {
    this.#soa(8);
    return this.#count(slot, rcode);
  }

  #address(clock_ms: number): number {
    const { w0, w1, w2, w3, isAlsoPart } = this.#name;
    const isTest = w0 === 0 && w1 === 0 && w2 === 0xffff;
    if (isTest && w3 === testListed) {
      this.#listedAs(0, 2, listedTtl, () => `Test entry of ${this.#options.zone}`);
      return this.#count(figure.blocked, Rcode.done);
    }
    const moment = this.#moment;
    moment.now = this.#listed.now(clock_ms);
    const isListed = !(isTest && w3 === testUnlisted) && this.#listed.find(w0, w1, w2, w3, moment);
    // Who goes down a name label by label must not be told that nothing is below (RFC 8020).
    if (!isListed) return this.#nothing(figure.unlisted, isAlsoPart ? Rcode.done : Rcode.noName);
    const { entry } = this.#listed;
    const left = Math.ceil((entry.until - moment.now) / 1e6);
    const part = actionPart(entry.action);
    const { code } = reasonOf(entry.rule);
    this.#listedAs(part, code, Math.min(listedTtl, left), () => this.#text());
    return this.#count(part === 0 ? figure.blocked : figure.limited, Rcode.done);
  }

  /** What is asked about an address that is listed. */
  #listedAs(action: number, code: number, ttl: number, text: () => string): void {
    const { type } = this.#query;
    if (type === Type.a) {
      this.#record(6, headerBytes, Type.a, ttl);
      const { out } = this;
      const at = this.#length;
      out.writeUInt16BE(4, at - 2);
      out[at] = 127;
      out[at + 1] = 0;
      out[at + 2] = action;
      out[at + 3] = code;
      this.#length = at + 4;
    } else if (type === Type.txt) this.#txt(text(), ttl);
    else if (type === Type.any) this.#hinfo();
    else {
      this.#soa(8);
      this.#count(figure.noData, 0);
    }
  }

  #text(): string {
    const { w0, w1, w2, w3 } = this.#name;
    const address = prefixText(Object.assign(this.#prefix, { w0, w1, w2, w3, bits: 128 }));
    const bare = address.slice(0, address.lastIndexOf('/'));
    return wording(this.#listed.entry, bare, this.#options.appeal).slice(0, textMax);
  }

  /**
   * Writes the head of a record, counts it in the section whose count stands at `section`, and
   * leaves the length of its data to be written in the two bytes before `#length`.
   */
  #record(section: number, nameAt: number, type: number, ttl: number): void {
    const { out } = this;
    out[section + 1]! += 1;
    let at = out.writeUInt16BE(0xc000 | nameAt, this.#length);
    at = out.writeUInt16BE(type, at);
    at = out.writeUInt16BE(classIn, at);
    at = out.writeUInt32BE(ttl, at);
    this.#length = at + 2;
  }

  /** Fills in the length of the data that was written since `from`. */
  #close(from: number): void {
    this.out.writeUInt16BE(this.#length - from, from - 2);
  }

  #txt(text: string, ttl: number): void {
    this.#record(6, headerBytes, Type.txt, ttl);
    const from = this.#length;
    for (let at = 0; at < text.length; at += stringMax) {
      const piece = text.slice(at, at + stringMax);
      this.out[this.#length++] = piece.length;
      this.#length += this.out.write(piece, this.#length, 'latin1');
    }
    this.#close(from);
  }

  /** To ANY, the one small record of RFC 8482 section 4.2. */
  #hinfo(): void {
    this.#record(6, headerBytes, Type.hinfo, zoneTtl);
    const from = this.#length;
    this.out[from] = 7;
    this.out.write('RFC8482', from + 1, 'latin1');
    this.out[from + 8] = 0;
    this.#length = from + 9;
    this.#close(from);
  }

  #ns(name: Buffer): void {
    this.#record(6, this.#name.zoneAt, Type.ns, zoneTtl);
    const from = this.#length;
    this.#length += name.copy(this.out, from);
    this.#close(from);
  }

  /** SOA in the section whose count stands at `section`; its serial is the list's revision. */
  #soa(section: number): void {
    const { out } = this;
    const { zoneAt } = this.#name;
    this.#record(section, zoneAt, Type.soa, unlistedTtl);
    const from = this.#length;
    let at = from + this.#nameServers[0]!.copy(out, from);
    at += out.write('\nhostmaster', at, 'latin1');
    at = out.writeUInt16BE(0xc000 | zoneAt, at);
    at = out.writeUInt32BE(this.#listed.revision % 2 ** 32, at);
    for (const seconds of soaTimes) at = out.writeUInt32BE(seconds, at);
    this.#length = out.writeUInt32BE(unlistedTtl, at);
    this.#close(from);
  }
}
