// Files as the daemon reads them: the sources and the packet line share the main thread, so nothing
// is dropped; a slow reader of the events holds the reading back.

import { nextOf, problemOf, type Source } from '../capture/source.js';
import type { Line } from './steered.js';

/** A source that always has packets gives way to signals and timers this often. */
const yield_ms = 20;

export class Feed {
  readonly #sources: readonly Source[];
  readonly #line: Line;
  readonly #drain: () => Promise<boolean>;
  /** Files need no readiness. */
  readonly ready = Promise.resolve();
  #stopping = false;

  /** Between two batches `drain` is asked; false ends the feed. */
  constructor(sources: readonly Source[], line: Line, drain: () => Promise<boolean>) {
    this.#sources = sources;
    this.#line = line;
    this.#drain = drain;
  }

  get figures(): readonly Float64Array[] {
    return this.#line.figures;
  }

  /** Runs until all sources ended, and gives a line for each that did so before its real end. */
  async run(): Promise<readonly string[]> {
    try {
      await Promise.all(this.#sources.map((source) => this.#pump(source)));
      await this.#line.finish();
    } finally {
      this.stop();
      await this.#line.stop();
    }
    return this.#sources.map(problemOf).filter((problem) => problem !== null);
  }

  /** Rows so far leave. */
  flush(): void {
    this.#line.flush();
  }

  /** Ends the sources; `run` then answers. */
  stop(): void {
    this.#stopping = true;
    for (const source of this.#sources) source.close();
  }

  async #pump(source: Source): Promise<void> {
    let yielded = performance.now();
    while (!this.#stopping) {
      const batch = await nextOf(source);
      if (batch === null) return;
      await this.#line.feed(batch);
      if (!(await this.#drain())) this.stop();
      const now = performance.now();
      if (now - yielded < yield_ms) continue;
      yielded = now;
      await new Promise<void>((resume) => setImmediate(resume));
    }
  }
}
