// SipHash-2-4 with a result of 128 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
// 2012; the 128-bit result is that of their reference code): a keyed hash for short texts that
// strangers choose. Words of 64 bits are pairs of 32-bit integers, low half first.

/** One key. The result stands in `h0` to `h3`, one reused object; no call allocates. */
export class SipHash {
  readonly #key = new Int32Array(4);
  /** v0 to v3. */
  readonly #v = new Int32Array(8);
  /** Bytes 0-3, 4-7, 8-11 and 12-15 of the last result, each little-endian. */
  h0 = 0;
  h1 = 0;
  h2 = 0;
  h3 = 0;

  /** `key` has 16 bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError(`a SipHash key has 16 bytes, not ${key.length}`);
    for (let i = 0; i < 4; i++) this.#key[i] = word(key, i * 4, false);
  }

  /** Hashes [from, to); with `fold` as if A to Z were a to z. */
  hash(bytes: Uint8Array, from: number, to: number, fold: boolean): void {
    const v = this.#v;
    const k = this.#key;
    // The constants are the paper's; 0xee in v1 asks for 128 bits.
    v[0] = k[0]! ^ 0x70736575;
    v[1] = k[1]! ^ 0x736f6d65;
    v[2] = k[2]! ^ 0x6e646f6d ^ 0xee;
    v[3] = k[3]! ^ 0x646f7261;
    v[4] = k[0]! ^ 0x6e657261;
    v[5] = k[1]! ^ 0x6c796765;
    v[6] = k[2]! ^ 0x79746573;
    v[7] = k[3]! ^ 0x74656462;
    let at = from;
    for (; to - at >= 8; at += 8) this.#take(word(bytes, at, fold), word(bytes, at + 4, fold));
    const rest = to - at;
    const low = rest >= 4 ? word(bytes, at, fold) : part(bytes, at, to, fold);
    const high = rest > 4 ? part(bytes, at + 4, to, fold) : 0;
    this.#take(low, high | ((to - from) << 24));
    v[4]! ^= 0xee;
    this.#rounds(4);
    this.h0 = v[0]! ^ v[2]! ^ v[4]! ^ v[6]!;
    this.h1 = v[1]! ^ v[3]! ^ v[5]! ^ v[7]!;
    v[2]! ^= 0xdd;
    this.#rounds(4);
    this.h2 = v[0]! ^ v[2]! ^ v[4]! ^ v[6]!;
    this.h3 = v[1]! ^ v[3]! ^ v[5]! ^ v[7]!;
  }

  /** One word of the message. */
  #take(low: number, high: number): void {
    const v = this.#v;
    v[6]! ^= low;
    v[7]! ^= high;
    this.#rounds(2);
    v[0]! ^= low;
    v[1]! ^= high;
  }

  /**
   * Carries come of the sign bits, not of a comparison: half of the jumps that it compiles to would
   * be predicted wrong, which made a hash of texts that differ take twice as long.
   */
  // long: one round of the paper's figure
  #rounds(count: number): void {
    const v = this.#v;
    let a = v[0]!;
    let ah = v[1]!;
    let b = v[2]!;
    let bh = v[3]!;
    let c = v[4]!;
    let ch = v[5]!;
    let d = v[6]!;
    let dh = v[7]!;
    let t = 0;
    for (let round = 0; round < count; round++) {
      t = (a + b) | 0;
      ah = (ah + bh + (((a & b) | ((a | b) & ~t)) >>> 31)) | 0;
      a = t;
      t = (b << 13) | (bh >>> 19);
      bh = ((bh << 13) | (b >>> 19)) ^ ah;
      b = t ^ a;
      t = a;
      a = ah;
      ah = t;
      t = (c + d) | 0;
      ch = (ch + dh + (((c & d) | ((c | d) & ~t)) >>> 31)) | 0;
      c = t;
      t = (d << 16) | (dh >>> 16);
      dh = ((dh << 16) | (d >>> 16)) ^ ch;
      d = t ^ c;
      t = (a + d) | 0;
      ah = (ah + dh + (((a & d) | ((a | d) & ~t)) >>> 31)) | 0;
      a = t;
      t = (d << 21) | (dh >>> 11);
      dh = ((dh << 21) | (d >>> 11)) ^ ah;
      d = t ^ a;
      t = (c + b) | 0;
      ch = (ch + bh + (((c & b) | ((c | b) & ~t)) >>> 31)) | 0;
      c = t;
      t = (b << 17) | (bh >>> 15);
      bh = ((bh << 17) | (b >>> 15)) ^ ch;
      b = t ^ c;
      t = c;
      c = ch;
      ch = t;
    }
    v[0] = a;
    v[1] = ah;
    v[2] = b;
    v[3] = bh;
    v[4] = c;
    v[5] = ch;
    v[6] = d;
    v[7] = dh;
  }
}

/** Four bytes, little-endian. */
function word(bytes: Uint8Array, at: number, fold: boolean): number {
  const value =
    bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  return fold ? lower(value) : value;
}

/** The fewer than four bytes of [from, to), little-endian. */
function part(bytes: Uint8Array, from: number, to: number, fold: boolean): number {
  let value = 0;
  for (let at = to - 1; at >= from; at--) value = (value << 8) | bytes[at]!;
  return fold ? lower(value) : value;
}

/** Bytes from A to Z among the four of a word become a to z; seven bits of each carry the test. */
function lower(value: number): number {
  const low = value & 0x7f7f7f7f;
  const atLeastA = low + (0x80 - 65) * 0x01010101;
  const aboveZ = low + (0x80 - 91) * 0x01010101;
  return value | ((atLeastA & ~aboveZ & ~value & 0x80808080) >>> 2);
}
