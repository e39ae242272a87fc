// Reads a DNS question (RFC 1035 section 4.1) with its EDNS record (RFC 6891), in place. What is in
// the name is for `zone.ts` and `answer.ts`. Every byte is a stranger's: nothing is read behind
// the end, and no pointer is followed, because a name in a question has nothing to point at.

/** Record types and classes that are looked at. */
export const Type = {
  a: 1,
  ns: 2,
  soa: 6,
  hinfo: 13,
  txt: 16,
  aaaa: 28,
  opt: 41,
  axfr: 252,
  any: 255,
} as const;
export const classIn = 1;

/** Response codes (RFC 1035, RFC 6891). */
export const Rcode = {
  done: 0,
  malformed: 1,
  failed: 2,
  noName: 3,
  notSupported: 4,
  refused: 5,
  badVersion: 16,
} as const;

export const headerBytes = 12;
const nameMax = 255;
/** More records behind the question than any client sends make a message malformed. */
const recordsMax = 8;

export class Query {
  id = 0;
  /** RD and CD as they came. */
  flags = 0;
  opcode = 0;
  /** Where the name begins and the question ends; 12 where there is no question. */
  nameAt = 0;
  questionEnd = 0;
  /** Where each label begins, at most 128. */
  readonly labels = new Uint16Array(128);
  labelCount = 0;
  type = 0;
  class = 0;
  hasEdns = false;
  ednsVersion = 0;
  /** DNSSEC OK, copied into the answer (RFC 3225). */
  dnssecOk = false;
  /** What the asker can take in one datagram. */
  payload = 512;
}

/** What `readQuery` made of a message. */
export type Reading =
  | 'question'
  /** Not answered: too short for a header, or itself an answer. */
  | 'drop'
  | 'malformed'
  | 'not-supported';

/** Reads bytes [0, length) into `out`; of what is no question, as far as it goes. */
export function readQuery(bytes: Uint8Array, length: number, out: Query): Reading {
  if (length < headerBytes || (bytes[2]! & 0x80) !== 0) return 'drop';
  out.id = word(bytes, 0);
  out.flags = ((bytes[2]! & 0x01) << 8) | (bytes[3]! & 0x10);
  out.opcode = (bytes[2]! >> 3) & 0x0f;
  out.questionEnd = headerBytes;
  out.hasEdns = false;
  out.ednsVersion = 0;
  out.dnssecOk = false;
  out.payload = 512;
  if (out.opcode !== 0) return 'not-supported';
  if (word(bytes, 4) !== 1) return 'malformed';
  const end = readName(bytes, length, out);
  if (end < 0 || end + 4 > length) return 'malformed';
  out.type = word(bytes, end);
  out.class = word(bytes, end + 2);
  const records = word(bytes, 6) + word(bytes, 8) + word(bytes, 10);
  if (!readRecords(bytes, length, end + 4, records, out)) return 'malformed';
  out.questionEnd = end + 4;
  return 'question';
}

/** The labels of the name in the question; gives where its type stands, or -1. */
function readName(bytes: Uint8Array, length: number, out: Query): number {
  let at = headerBytes;
  out.nameAt = at;
  out.labelCount = 0;
  while (at < length) {
    const size = bytes[at]!;
    if (size > 63) return -1;
    if (size === 0) return at + 1;
    if (at + 1 + size - headerBytes >= nameMax) return -1;
    out.labels[out.labelCount++] = at;
    at += 1 + size;
  }
  return -1;
}

/** Goes over the records behind the question and takes note of EDNS; false if they are broken. */
// long: the walk over one record is one thought
function readRecords(
  bytes: Uint8Array,
  length: number,
  from: number,
  records: number,
  out: Query,
): boolean {
  if (records > recordsMax) return false;
  let at = from;
  for (let record = 0; record < records; record++) {
    const isRoot = bytes[at] === 0;
    at = behindName(bytes, length, at);
    if (at < 0 || at + 10 > length) return false;
    const next = at + 10 + word(bytes, at + 8);
    if (next > length) return false;
    if (word(bytes, at) === Type.opt) {
      // At most one, and for the root (RFC 6891 section 6.1.1).
      if (out.hasEdns || !isRoot) return false;
      out.hasEdns = true;
      out.payload = Math.max(512, word(bytes, at + 2));
      out.ednsVersion = bytes[at + 5]!;
      out.dnssecOk = (bytes[at + 6]! & 0x80) !== 0;
    }
    at = next;
  }
  return true;
}

/** Where a name ends, which may do so with a pointer; -1 if it does not. */
function behindName(bytes: Uint8Array, length: number, from: number): number {
  for (let at = from; at < length; ) {
    const size = bytes[at]!;
    if (size === 0) return at + 1;
    if (size >= 0xc0) return at + 2;
    if (size > 63) return -1;
    at += 1 + size;
  }
  return -1;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
