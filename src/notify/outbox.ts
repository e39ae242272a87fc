// The queue in front of one receiver of alerts and decisions: bounded, never waited for, with a
// growing pause while the receiver does not answer. What is dropped is counted.

/** One alert or decision on its way out. */
export interface Notice {
  readonly kind: 'alert' | 'decision';
  /** Severity as EVE counts: 1 is the worst. */
  readonly severity: 1 | 2 | 3;
  /** Microseconds since 1970. */
  readonly time: number;
  /** The event as one line of JSON, whole; and without samples, for receivers of short messages. */
  readonly text: string;
  readonly brief: string;
}

/**
 * Hands a portion over; the same array again where the first attempt failed. Resolves when the
 * receiver has it; rejects where another attempt makes sense, with a `Refused` where none does.
 * `signal` ends an attempt that nobody waits for any more.
 */
export type Deliver = (portion: readonly Notice[], signal: AbortSignal) => Promise<void>;

/** The receiver understood and does not want it: there is no second attempt. */
export class Refused extends Error {
  override name = 'Refused';
}

/** What one outbox did, for the `stats` event and the log. */
export interface OutboxCounters {
  sent: number;
  /** Pushed out by newer ones while the receiver was away, or left at the end. */
  dropped: number;
  refused: number;
  /** Attempts that failed. */
  failures: number;
}

/** Notices that wait for one receiver; the oldest goes first when there are more. */
const waitingMax = 1000;
const firstPause_ms = 1000;
const longestPause_ms = 60_000;

export interface OutboxOptions {
  /** Notices in one portion at most. */
  readonly portion: number;
  readonly deliver: Deliver;
  /** Told once when the receiver goes away and once when it is back: a line for the log. */
  readonly tell: (message: string) => void;
  readonly firstPause_ms?: number;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting: Notice[] = [];
  /** The portion whose last attempt failed. */
  #held: readonly Notice[] | null = null;
  readonly counters: OutboxCounters = { sent: 0, dropped: 0, refused: 0, failures: 0 };
  #pause_ms = 0;
  readonly #end = new AbortController();
  #busy = false;
  #closed = false;
  /** The pause before the next attempt; its timer keeps no process alive. */
  #resume: NodeJS.Timeout | null = null;
  #idle: (() => void) | null = null;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length + (this.#held?.length ?? 0);
  }

  /** Takes a notice; returns at once. */
  put(notice: Notice): void {
    if (this.#closed) {
      this.counters.dropped += 1;
      return;
    }
    if (this.#waiting.length >= waitingMax) {
      this.#waiting.shift();
      this.counters.dropped += 1;
    }
    this.#waiting.push(notice);
    if (!this.#busy && this.#resume === null) void this.#work();
  }

  /** Hands over what waits, within `patience_ms`; the rest is dropped and counted. */
  async close(patience_ms: number): Promise<void> {
    if (this.#resume !== null) clearTimeout(this.#resume);
    this.#resume = null;
    this.#closed = true;
    if (!this.#busy && this.waiting > 0) void this.#work();
    if (this.#busy) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patience_ms);
        this.#idle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.counters.dropped += this.waiting;
    this.#waiting.length = 0;
    this.#held = null;
    this.#end.abort(new Error('it took too long'));
  }

  async #work(): Promise<void> {
    this.#busy = true;
    while (this.waiting > 0) {
      const portion = this.#held ?? this.#waiting.splice(0, this.#options.portion);
      this.#held = portion;
      if (!(await this.#attempt(portion))) break;
      this.#held = null;
    }
    this.#busy = false;
    this.#idle?.();
  }

  /** Delivers a portion; false where the work has to pause. */
  async #attempt(portion: readonly Notice[]): Promise<boolean> {
    const { deliver, tell } = this.#options;
    try {
      await deliver(portion, this.#end.signal);
      this.counters.sent += portion.length;
      if (this.#pause_ms > 0) tell('is back');
      this.#pause_ms = 0;
      return true;
    } catch (error) {
      this.counters.failures += 1;
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof Refused) {
        this.counters.refused += portion.length;
        tell(`refused ${portion.length}: ${reason}`);
        return true;
      }
      this.#later(reason);
      return false;
    }
  }

  /** Waits before the next attempt. */
  #later(reason: string): void {
    if (this.#pause_ms === 0) this.#options.tell(`does not take messages: ${reason}`);
    const first = this.#options.firstPause_ms ?? firstPause_ms;
    this.#pause_ms = Math.min(Math.max(first, this.#pause_ms * 2), longestPause_ms);
    if (this.#closed) return;
    // A little chance keeps many sensors from knocking at the same moment.
    const pause = this.#pause_ms * (0.8 + 0.4 * Math.random());
    this.#resume = setTimeout(() => {
      this.#resume = null;
      void this.#work();
    }, pause);
    this.#resume.unref();
  }
}
