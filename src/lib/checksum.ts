// The one's complement sum that IPv4, TCP and UDP use (RFC 1071). Sums only: what goes into a
// pseudo header is the caller's business.

/**
 * Adds bytes [from, to) to `sum` as big-endian 16-bit words; a last odd byte counts as the high
 * half of a word. The result is below 2^30 + 2^17 and not folded; `sum` must be below 2^30.
 */
export function addWords(sum: number, view: DataView, from: number, to: number): number {
  let total = sum | 0;
  let at = from | 0;
  for (const fours = (to - 3) | 0; at < fours; at += 4) {
    const word = view.getInt32(at);
    total = (total + (word >>> 16) + (word & 0xffff)) | 0;
    if (total >= 0x40000000) total = (total & 0xffff) + (total >>> 16);
  }
  if (at + 1 < to) {
    total = (total + view.getUint16(at)) | 0;
    at += 2;
  }
  return at < to ? (total + (view.getUint8(at) << 8)) | 0 : total;
}

/** Adds both halves of a signed 32-bit word. */
export function addHalves(sum: number, word: number): number {
  return (sum + (word >>> 16) + (word & 0xffff)) | 0;
}

/** Folds the carries in: 0xffff when the summed range holds a correct checksum (RFC 1071). */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return ((once & 0xffff) + (once >>> 16)) & 0xffff;
}
