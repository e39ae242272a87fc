// What the flow stage tells the next one. Owned here, implemented by smtp/.

/** Direction of a stream as the sink sees it. */
export const enum Dir {
  client = 0,
  server = 1,
}

/** How a connection ended, in the order of `Closed` in the batch. */
export const enum FlowEnd {
  fin = 1,
  rst = 2,
  timeout = 3,
  evicted = 4,
  eof = 5,
}

/**
 * Ordered bytes of one direction, one reused object. Bytes are borrowed: who needs them after the
 * call copies them.
 */
export class Chunk {
  /** The sink's own number for the connection, as its `open` gave it. */
  session = 0;
  /** `Dir.client` or `Dir.server`: who sent it. */
  dir = 0;
  bytes: Buffer = Buffer.alloc(0);
  from = 0;
  to = 0;
  /** Sequence number of the byte at `from`. */
  seq = 0;
  /** What the sender had received from the other side when it sent this. */
  ack = 0;
  /** Time of the packet, microseconds. */
  time = 0.5;
  /** Bit 1: any packet of the client was seen; bit 2: of the server. */
  sides = 0;
  /** Bytes missing, in `gap` only; 0 where loss is certain but its length is not. */
  missing = 0;
}

/** A connection as records name it. One reused object, filled by `Flows.describe`. */
export class Connection {
  /** Client and server addresses as four words each, see `Packet`. */
  client0 = 0;
  client1 = 0;
  client2 = 0;
  client3 = 0;
  server0 = 0;
  server1 = 0;
  server2 = 0;
  server3 = 0;
  clientPort = 0;
  serverPort = 0;
  ip = 4;
  vlanCount = 0;
  /** First and second identifier, 12 bits each; then the third. */
  vlan01 = 0;
  vlan2 = 0;
  flowHigh = 0;
  flowLow = 0;
  /** Bit 1 client, bit 2 server: sides of which any packet was seen. */
  sides = 0;
  handshake = false;
  /** Times of the first and the last packet, microseconds. */
  first = 0.5;
  last = 0.5;
  packets = 0;
  bytesToServer = 0.5;
  bytesToClient = 0.5;
}

/**
 * Takes the streams of connections. Order of calls for a connection: `open` once, with its first
 * payload; then `data`, `gap` and `force` in any order, causally: bytes come only after the other
 * side's bytes that their sender had acknowledged were delivered or declared lost; `end` once.
 */
export interface StreamSink {
  /** 1 if the bytes look like an SMTP client's first words, 2 a server's, 0 neither. */
  speaker(bytes: Buffer, from: number, to: number): number;
  /**
   * A connection carries payload. Gives the number that later calls name it by, or -1 if the sink
   * has no room. `starts`, bit 1 client, bit 2 server: the stream is seen from its first byte.
   */
  open(flow: number, mailPort: boolean, starts: number): number;
  /**
   * Ordered bytes. Gives how far it read (at most `chunk.to`); the rest comes again, with what
   * follows, when the other direction has moved. -1: no more bytes of this connection are wanted.
   */
  data(chunk: Chunk): number;
  /** Bytes were lost; at `chunk.seq`, `chunk.missing` long. */
  gap(chunk: Chunk): void;
  /** The other direction will not move: the sink must read on as best it can. */
  force(session: number, dir: number): void;
  /**
   * The connection is over, `last` is the time of its last packet; its number is free after this
   * call. True if a record was written.
   */
  end(session: number, end: number, last: number, sides: number): boolean;
  /**
   * A connection to a mail port never opened: `kind` says how, `syns` how often the client tried (3
   * stands for more). Only told when `FlowOptions.attempts` asks for it.
   */
  attempt(flow: number, kind: number, syns: number): void;
  /** Stranger things the flow stage noticed of a connection. See `FlowAnomaly`. */
  anomaly(session: number, which: number): void;
}

/** How a connection failed to open: RST answered the SYN; three SYNs or more went unanswered. */
export const enum FlowAttempt {
  refused = 1,
  silent = 2,
}

export const enum FlowAnomaly {
  overlapConflict = 0,
  dataAfterRst = 1,
  rstOutOfWindow = 2,
}
