// SipHash-2-4 with a result of 128 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
// 2012; the 128-bit result is that of their reference code): a keyed hash for short texts that
// strangers choose. Words of 64 bits are pairs of 32-bit integers, low half first.

/** One key. The result stands in `h0` to `h3`, one reused object; no call allocates. */
export class SipHash {
  readonly #key = new Int32Array(4);
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

  /**
   * Hashes [from, to); with `fold` as if A to Z were a to z. The state stays in local variables
   * from the first word to the last: kept in an array between the words it took a third more.
   * Carries come of the sign bits, not of a comparison: half of the jumps that it compiles to would
   * be predicted wrong, which made a hash of texts that differ take twice as long.
   */
  // long: one round of the paper's figure
  hash(bytes: Uint8Array, from: number, to: number, fold: boolean): void {
    const k = this.#key;
    // The constants are the paper's; 0xee in v1 asks for 128 bits.
    let a = k[0]! ^ 0x70736575;
    let ah = k[1]! ^ 0x736f6d65;
    let b = k[2]! ^ 0x6e646f6d ^ 0xee;
    let bh = k[3]! ^ 0x646f7261;
    let c = k[0]! ^ 0x6e657261;
    let ch = k[1]! ^ 0x6c796765;
    let d = k[2]! ^ 0x79746573;
    let dh = k[3]! ^ 0x74656462;
    const last = (to - from) >> 3;
    for (let step = 0; step <= last + 2; step++) {
      let low = 0;
      let high = 0;
      let rounds = 4;
      if (step <= last) {
        const at = from + step * 8;
        if (step < last) {
          low = word(bytes, at, fold);
          high = word(bytes, at + 4, fold);
        } else {
          const rest = to - at;
          low = rest >= 4 ? word(bytes, at, fold) : part(bytes, at, to, fold);
          high = (rest > 4 ? part(bytes, at + 4, to, fold) : 0) | ((to - from) << 24);
        }
        d ^= low;
        dh ^= high;
        rounds = 2;
      } else if (step === last + 1) c ^= 0xee;
      else {
        this.h0 = a ^ b ^ c ^ d;
        this.h1 = ah ^ bh ^ ch ^ dh;
        b ^= 0xdd;
      }
      for (let t = 0; rounds > 0; rounds--) {
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
      a ^= low;
      ah ^= high;
    }
    this.h2 = a ^ b ^ c ^ d;
    this.h3 = ah ^ bh ^ ch ^ dh;
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
