// What a limit is worth to a router, which counts bytes and no messages.

/**
 * Bytes a second that routers police well; ExaBGP warns below it. It is more than 300 messages an
 * hour are, so most limits have it.
 */
const leastBytes = 9600;
/** A message of ordinary size with its pictures. */
const messageBytes = 100_000;

/** Bytes a second that FlowSpec (RFC 8955 section 7.1) lets through for messages an hour. */
export function flowBytes(rate: number): number {
  return Math.max(leastBytes, Math.ceil((rate * messageBytes) / 3600));
}
