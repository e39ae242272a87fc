// What the two readers and the dialogue between them tell each other.

/** What the client's bytes are at the moment; see client.ts. */
export const enum Mode {
  command = 0,
  /** DATA was sent; its reply decides what follows. */
  waitData = 1,
  /** DATA was sent and its reply will not come: the first line decides. */
  dataMaybe = 2,
  data = 3,
  /** A dot line with a bare LF was read; the server decides whether it ended the data. */
  maybeEnd = 4,
  bdat = 5,
  waitAuth = 6,
  authLine = 7,
  waitTls = 8,
  /** STARTTLS was accepted. */
  tlsDue = 9,
  hello = 10,
  /** After a gap or a start in mid-stream: commands or data. */
  unknown = 11,
  /** As `maybeEnd`, and the server has answered with more than that line received. */
  probeEnd = 12,
}

/** Whether the client's reader stands still until the server answers. */
export function waits(mode: number): boolean {
  return mode === Mode.waitData || mode === Mode.waitAuth || mode === Mode.waitTls;
}

/** "Authentication successful" (RFC 4954 section 6). */
export const authOk = 235;

/** A complete reply, one reused object. */
export class Reply {
  code = 0;
  /** What the server had received when it began the reply. */
  ack = 0;
  /** Sequence number of its first byte. */
  seq = 0;
  /** Enhanced code's subject and detail (RFC 3463) as subject * 100 + detail, -1 without one. */
  enhanced = -1;
  lines = 0;
  time = 0.5;
  /** Bit 1 client seen, bit 2 server seen. */
  sides = 0;
}
