// The only 32-bit wrap arithmetic of the program (RFC 9293 section 3.4). Numbers are signed 32-bit
// integers, so V8 keeps them small and a difference wraps by construction.

declare const seqBrand: unique symbol;

/** A TCP sequence or acknowledgement number as a signed 32-bit integer. */
export type Seq = number & { readonly [seqBrand]: true };

/** Any number as a sequence number. */
export function seq(value: number): Seq {
  return (value | 0) as Seq;
}

/** How far `a` lies ahead of `b`: positive if later, right for distances below 2^31. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0;
}

export function seqAdd(a: number, length: number): Seq {
  return ((a + length) | 0) as Seq;
}

/** The later of two numbers that lie less than 2^31 apart. */
export function seqMax(a: number, b: number): Seq {
  return (((a - b) | 0) >= 0 ? a : b) as Seq;
}
