// The argument of MAIL and RCPT (RFC 5321 sections 4.1.1.2 and 4.1.2), as clients really send it:
// with and without the space after the colon, with and without brackets, with source routes.

/** The result of `parsePath`, one reused object; ranges point into the line. */
export class Path {
  /** The mailbox, without brackets and source route; from === to for the null path. */
  from = 0;
  to = 0;
  /** First byte behind the path: parameters. */
  rest = 0;
  brackets = false;
}

/** Reads the path behind the verb's four letters; false if the line has none (`MAIL` alone). */
export function parsePath(bytes: Uint8Array, from: number, to: number, path: Path): boolean {
  let at = from;
  while (at < to && bytes[at] !== 58) at++;
  // Without a colon (MAIL <a@b>) the path begins behind the verb.
  at = at < to ? at + 1 : from;
  while (at < to && isSpace(bytes[at]!)) at++;
  if (at >= to) return false;
  if (bytes[at] === 60) return bracketed(bytes, at + 1, to, path);
  path.brackets = false;
  path.from = at;
  while (at < to && !isSpace(bytes[at]!)) at++;
  path.to = at;
  path.rest = at;
  return true;
}

function bracketed(bytes: Uint8Array, from: number, to: number, path: Path): boolean {
  let end = from;
  let quoted = false;
  for (; end < to; end++) {
    const c = bytes[end]!;
    if (c === 92 && quoted) end++;
    else if (c === 34) quoted = !quoted;
    else if (c === 62 && !quoted) break;
  }
  if (end >= to) {
    // Never closed, or a quote never closed: up to the last bracket, else to the end of the line.
    end = to;
    for (let i = to - 1; i >= from; i--) if (bytes[i] === 62) end = i;
  }
  path.brackets = true;
  path.rest = Math.min(end + 1, to);
  path.from = from;
  path.to = end;
  trim(bytes, path);
  if (path.from < path.to && bytes[path.from] === 64) skipRoute(bytes, path);
  return true;
}

function trim(bytes: Uint8Array, path: Path): void {
  while (path.from < path.to && isSpace(bytes[path.from]!)) path.from++;
  while (path.to > path.from && isSpace(bytes[path.to - 1]!)) path.to--;
}

/** `@one,@two:mailbox` (RFC 5321 appendix C): what stands before the colon is dropped. */
function skipRoute(bytes: Uint8Array, path: Path): void {
  for (let i = path.from; i < path.to; i++) {
    if (bytes[i] === 58) {
      path.from = i + 1;
      return;
    }
    if (bytes[i] === 34) return;
  }
}

/** The value of SIZE= (RFC 1870) in the parameters [from, to), or -1. */
export function sizeParameter(bytes: Uint8Array, from: number, to: number): number {
  for (let i = from; i + 5 < to; i++) {
    if (!isSpace(bytes[i]!) || (bytes[i + 1]! & 0xdf) !== 83) continue;
    if ((bytes[i + 2]! & 0xdf) !== 73 || (bytes[i + 3]! & 0xdf) !== 90) continue;
    if ((bytes[i + 4]! & 0xdf) !== 69 || bytes[i + 5] !== 61) continue;
    return decimal(bytes, i + 6, to);
  }
  return -1;
}

/** Digits from `from` on, up to white space or the end; -1 if there are none, or other bytes. */
export function decimal(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  let at = from;
  for (; at < to; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
    if (value > Number.MAX_SAFE_INTEGER) return -1;
  }
  return at === from || (at < to && !isSpace(bytes[at]!)) ? -1 : value;
}

export function isSpace(byte: number): boolean {
  return byte === 32 || byte === 9;
}
