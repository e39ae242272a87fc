// The counters of one packet line as slots of a Float64Array, so that a worker can leave them in
// shared memory and the main thread can add them up whenever it likes. Here the slots get the names
// that `stats` events have; who counts is elsewhere.

import { decodeCounterNames, skipReasonNames } from './decode/reason.js';
import type { Stats, WorkerStats } from './output/stats.js';

/** Slots. The last two are the first of as many slots as there are names. */
export const Figure = {
  /** Time of the line, microseconds. */
  now: 0,
  packets: 1,
  bytes: 2,
  duplicates: 3,
  flows: 4,
  halfOpen: 5,
  other: 6,
  sessions: 7,
  transactions: 8,
  gaps: 9,
  gapBytes: 10,
  kernelDrops: 11,
  evicted: 12,
  oneSided: 13,
  outOfWindow: 14,
  exhausted: 15,
  timeBackwards: 16,
  /** Connections in the table at present. */
  flowsOpen: 17,
  rowsDropped: 18,
  /** Connections that were open in workers that died, and how many workers did. */
  flowsLost: 19,
  restarts: 20,
  /** Payload of connections of which both directions were seen, and what is missing of it. */
  streamBytes: 21,
  unseenBytes: 22,
  /** Frames whose addresses the steering could not see. */
  unsteered: 23,
  /** Share of the ring that waits to be read, 0 to 1; times that it was full. */
  ringFill: 24,
  ringFull: 25,
  interfacesDown: 26,
  /** Frames that a worker had in hand when it died. */
  framesLost: 27,
  frames: 28,
  decode: 28 + skipReasonNames.length,
} as const;

export const figureCount = Figure.decode + decodeCounterNames.length;

/** The figures of one stream from those of all its workers. */
export function statsOf(workers: readonly Float64Array[], uptime_ms: number): Stats {
  const sum = new Float64Array(figureCount);
  for (const figures of workers) {
    for (let slot = 0; slot < figureCount; slot++) sum[slot]! += figures[slot]!;
  }
  return {
    packets: sum[Figure.packets]!,
    bytes: sum[Figure.bytes]!,
    decoded: sum[Figure.frames]!,
    skipped: occurred(sum, Figure.frames + 1, skipReasonNames.slice(1)),
    duplicates: sum[Figure.duplicates]!,
    flows: sum[Figure.flows]!,
    half_open: sum[Figure.halfOpen]!,
    other: sum[Figure.other]!,
    sessions: sum[Figure.sessions]!,
    transactions: sum[Figure.transactions]!,
    reassembly_gaps: sum[Figure.gaps]!,
    gap_bytes: sum[Figure.gapBytes]!,
    kernel_drops: sum[Figure.kernelDrops]!,
    evicted: sum[Figure.evicted]!,
    one_sided: sum[Figure.oneSided]!,
    out_of_window: sum[Figure.outOfWindow]!,
    exhausted: sum[Figure.exhausted]!,
    time_backwards: sum[Figure.timeBackwards]!,
    rows_dropped: sum[Figure.rowsDropped]!,
    lost_flows: sum[Figure.flowsLost]!,
    lost_frames: sum[Figure.framesLost]!,
    worker_restarts: sum[Figure.restarts]!,
    stream_bytes: sum[Figure.streamBytes]!,
    unseen_bytes: sum[Figure.unseenBytes]!,
    flows_open: sum[Figure.flowsOpen]!,
    ring_fill: Math.max(0, ...workers.map((figures) => figures[Figure.ringFill]!)),
    ring_full: sum[Figure.ringFull]!,
    unsteered: sum[Figure.unsteered]!,
    interfaces_down: sum[Figure.interfacesDown]!,
    ...(workers.length > 1 ? { workers: workers.map(workerStats) } : {}),
    decode: occurred(sum, Figure.decode, decodeCounterNames),
    uptime_ms,
  };
}

function workerStats(figures: Float64Array): WorkerStats {
  return {
    packets: figures[Figure.packets]!,
    bytes: figures[Figure.bytes]!,
    decoded: figures[Figure.frames]!,
    sessions: figures[Figure.sessions]!,
    transactions: figures[Figure.transactions]!,
    flows_open: figures[Figure.flowsOpen]!,
    kernel_drops: figures[Figure.kernelDrops]!,
    ring_fill: figures[Figure.ringFill]!,
    ring_full: figures[Figure.ringFull]!,
    interfaces_down: figures[Figure.interfacesDown]!,
    evicted: figures[Figure.evicted]!,
    rows_dropped: figures[Figure.rowsDropped]!,
    lost_flows: figures[Figure.flowsLost]!,
    worker_restarts: figures[Figure.restarts]!,
  };
}

/** Counters by name from slot `first` on, those that are not 0. */
function occurred(
  figures: Float64Array,
  first: number,
  names: readonly string[],
): Record<string, number> {
  const found: Record<string, number> = {};
  for (let index = 0; index < names.length; index++) {
    const count = figures[first + index]!;
    if (count > 0) found[names[index]!] = count;
  }
  return found;
}
