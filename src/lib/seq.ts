// The only 32-bit wrap arithmetic of the program (RFC 9293 section 3.4). Sequence numbers are
// signed 32-bit integers, so V8 keeps them small and a difference wraps by construction.

/** How far `a` lies ahead of `b`: positive if later, right for distances below 2^31. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0;
}

/** The number `length` bytes behind `a`; before it if negative. */
export function seqAdd(a: number, length: number): number {
  return (a + length) | 0;
}
