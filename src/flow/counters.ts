// What the flow stage counts. Plain numbers with one writer; read when somebody asks.

export class FlowCounters {
  /** Mirrored second copies of packets. */
  duplicates = 0;
  /** Connections seen. */
  flows = 0;
  /** Connections that ended before a handshake and without payload. */
  halfOpen = 0;
  /** Connections that ended without a session: no payload, or not mail. */
  other = 0;
  /** Stretches of bytes that were never seen, and their length. */
  gaps = 0;
  gapBytes = 0;
  /** Payload of connections seen in both directions, without what is missing; then that. */
  streamBytes = 0;
  unseenBytes = 0;
  /** Connections given up for lack of room. */
  evicted = 0;
  /** Segments whose numbers lie outside any window. */
  outOfWindow = 0;
  /** Segments that could not wait because no page was free. */
  pagesExhausted = 0;
  /** Packets whose time lay before that of an earlier one. */
  timeBackwards = 0;
  /** Connections of which one direction was never seen. */
  oneSided = 0;
}
