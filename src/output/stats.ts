// The figures of a `stats` event as the outputs need them. The engine gives them.

/** What one packet worker counted. */
export interface WorkerStats {
  readonly packets: number;
  readonly bytes: number;
  readonly decoded: number;
  readonly sessions: number;
  readonly transactions: number;
  readonly flows_open: number;
  readonly kernel_drops: number;
  readonly ring_fill: number;
  readonly ring_full: number;
  readonly interfaces_down: number;
  readonly evicted: number;
  readonly rows_dropped: number;
  readonly lost_flows: number;
  readonly worker_restarts: number;
}

/** Counters since the start. The contracts name the keys that others may rely on. */
export interface Stats {
  readonly packets: number;
  /** Bytes the packets had on the wire. */
  readonly bytes: number;
  /** Packets that held a TCP segment; every other one is in `skipped` under its reason. */
  readonly decoded: number;
  readonly skipped: Readonly<Record<string, number>>;
  /** Second copies of a packet from an ingress-and-egress mirror; they are in `decoded` too. */
  readonly duplicates: number;
  readonly flows: number;
  /** Connections that never carried payload. */
  readonly half_open: number;
  /** Connections with payload that are not mail. */
  readonly other: number;
  readonly sessions: number;
  readonly transactions: number;
  readonly reassembly_gaps: number;
  readonly gap_bytes: number;
  readonly kernel_drops: number;
  /** Flows given up to make room. */
  readonly evicted: number;
  /** Connections with payload of which only one direction was seen. */
  readonly one_sided: number;
  /** Segments whose sequence numbers lie outside any window. */
  readonly out_of_window: number;
  /** Segments, names and commands for which no memory was left. */
  readonly exhausted: number;
  /** Packets whose time lay before that of an earlier one. */
  readonly time_backwards: number;
  /** Transactions and sessions that were read but could not be handed on. */
  readonly rows_dropped: number;
  /** Connections and frames that packet workers had in hand when they died, and how many did. */
  readonly lost_flows: number;
  readonly lost_frames: number;
  readonly worker_restarts: number;
  /**
   * Payload of connections of which both directions were seen, and what the acknowledgements and
   * sequence numbers of the same say is missing of it: the loss between the wire and here.
   */
  readonly stream_bytes: number;
  readonly unseen_bytes: number;
  /** Connections in the tables at present. */
  readonly flows_open: number;
  /** Share of the fullest ring that waits to be read, 0 to 1; times that one was full. */
  readonly ring_fill: number;
  readonly ring_full: number;
  /** Frames of a shared interface whose addresses could not be seen; worker 0 has them. */
  readonly unsteered: number;
  /** Interfaces that are down, each counted for each worker that listens on it. */
  readonly interfaces_down: number;
  /** The main figures of each packet worker, where there is more than one. */
  readonly workers?: readonly WorkerStats[];
  /** Facts of decoding beside the one reason, such as wrong checksums, those that occurred. */
  readonly decode: Readonly<Record<string, number>>;
  readonly uptime_ms: number;
  /** Where rows are judged. */
  readonly detect?: JudgeStats['detect'];
  readonly decide?: JudgeStats['decide'];
  /** Alerts and decisions on their way to each receiver. */
  readonly notify?: Readonly<Record<string, Readonly<Record<keyof OutboxFigures, number>>>>;
}

/** What judged: figures of detectors and of policy, in the `stats` event where there was one. */
export interface JudgeStats {
  readonly detect: {
    readonly rules: number;
    readonly rows: number;
    /** Transactions with bytes missing, and rows without a handshake: never evidence. */
    readonly gapped: number;
    readonly unproven: number;
    /** Findings that have not cleared. */
    readonly open: number;
    readonly subjects: number;
    readonly evicted: number;
    readonly given_up: Readonly<Record<string, number>>;
    /** Rules that miss what they need. */
    readonly degraded: readonly string[];
    readonly symmetry: number;
    readonly loss: number;
    readonly customers: number;
  };
  readonly decide: Readonly<Record<string, number | Readonly<Record<string, number>>>>;
}

/** See notify/outbox.ts. */
interface OutboxFigures {
  sent: number;
  dropped: number;
  refused: number;
  failures: number;
  waiting: number;
}
