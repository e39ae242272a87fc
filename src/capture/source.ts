// What every source of frames looks like to the engine: files, standard input, live interfaces and
// the fault injector all hand over batches. A frame is a place in a byte area, never an object.

/** Frames of one batch: one byte area and parallel columns, all of them reused between batches. */
export class FrameBatch {
  /** Byte area. A source keeps at least one spare byte behind the last frame (see `slack`). */
  bytes: Buffer;
  count = 0;
  /** First byte of the frame in `bytes`. */
  offset: Int32Array;
  /** Captured bytes of the frame. */
  length: Int32Array;
  /** Bytes the frame had on the wire; at least `length`. */
  wireLength: Int32Array;
  /** Microseconds since 1970-01-01 UTC. */
  time: Float64Array;
  /** LINKTYPE_ value of the frame's interface (https://www.tcpdump.org/linktypes.html). */
  link: Int32Array;
  /**
   * Wall clock in microseconds up to which a live source has handed over everything it has; 0 for
   * files. It lets sessions on an idle tap run out.
   */
  clock = 0.5;

  constructor(bytes: Buffer, capacity: number) {
    this.bytes = bytes;
    this.offset = new Int32Array(capacity);
    this.length = new Int32Array(capacity);
    this.wireLength = new Int32Array(capacity);
    this.time = new Float64Array(capacity);
    this.link = new Int32Array(capacity);
    this.clock = 0;
  }

  get capacity(): number {
    return this.offset.length;
  }
}

/**
 * Bytes every byte area has to spare behind its last frame, so that a search can end on a sentinel.
 */
export const slack = 8;

/** Most captured bytes of one frame that a source hands over: libpcap's largest snapshot length. */
export const frameMax = 262144 + slack;

/** Why a source ended early. `offset` is a byte of the file as it lies on disk decompressed. */
export interface SourceProblem {
  /** One line for people: what is wrong and what became of it. */
  readonly message: string;
  readonly offset: number;
  /** Frames read before the problem. */
  readonly packet: number;
}

/** A source cannot be used. The message is one line for people that names it. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
}

/** The next batch; rejects with a `CaptureError`. */
export async function nextOf(source: Source): Promise<FrameBatch | null> {
  try {
    return await source.next();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CaptureError(message.includes(source.name) ? message : `${source.name}: ${message}`);
  }
}

/** One line about a source that ended before its real end, or null. */
export function problemOf(source: Source): string | null {
  if (source.problem === null) return null;
  const { message, offset, packet } = source.problem;
  const place = `at byte ${offset}, after packet ${packet}`;
  return `${source.name}: ${message} (${place}; what came before is processed)`;
}

export interface Source {
  /** Name for people: the file's path as given, "standard input", or the interface. */
  readonly name: string;
  /**
   * The next batch, or null at the end. The batch and its bytes are borrowed until the next call.
   * A live source may hand over an empty batch to move the clock. Rejects only when the source
   * cannot be used at all (no such file, not a capture, no permission), with a one-line message.
   */
  next(): Promise<FrameBatch | null>;
  /** Ends the source early; `next` then gives null. Safe to call twice. */
  close(): void;
  /** Bytes read so far of the bytes there are (as they lie on disk); total 0 where unknown. */
  progress(): { read: number; total: number };
  /** Set when the source ended before its real end: truncated, corrupt, gone. */
  readonly problem: SourceProblem | null;
  /** Frames the kernel or the pipe dropped before they came here; 0 for files. */
  readonly drops: number;
}
