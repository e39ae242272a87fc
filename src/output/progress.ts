// A progress bar on standard error, only for a person at a terminal and only when the work takes
// longer than a moment. It never appears in a pipe, a log or a test.

import { isatty } from 'node:tty';
import type { SingleBar } from 'cli-progress';
import { short, size } from './text.js';

/** Shorter work shows nothing. */
const patience_ms = 1000;
const redraw_ms = 100;

const bars = '{name} [{bar}] {percentage} %  {rate}  ETA {eta_formatted}';
const counts = '{name}  {read}  {rate}';

/** What is being read: its name and how far. */
export interface Measured {
  readonly name: string;
  progress(): { read: number; total: number };
}

/** Call `tick` after each batch and `clear` before writing anything else. */
export class Progress {
  readonly #shown = isatty(2);
  readonly #began = performance.now();
  #drawn = 0;
  #packets = 0;
  #bytes = 0;
  #source: Measured | null = null;
  #bar: SingleBar | null = null;

  /** `packets` more came from `source`. Gives way to the event loop whenever it draws. */
  async tick(source: Measured, packets: number): Promise<void> {
    if (!this.#shown) return;
    this.#packets += packets;
    const now = performance.now();
    if (now - this.#began < patience_ms || now - this.#drawn < redraw_ms) return;
    this.#drawn = now;
    if (source !== this.#source) this.clear();
    this.#source = source;
    this.#bar ??= await this.#start(source);
    const { read } = source.progress();
    this.#bar.update(read, this.#payload(source, now));
    await new Promise<void>((resume) => setImmediate(resume));
  }

  /** Takes the bar off the screen. The next `tick` brings it back. */
  clear(): void {
    if (this.#source !== null) this.#bytes += this.#source.progress().read;
    this.#source = null;
    this.#bar?.stop();
    this.#bar = null;
  }

  async #start(source: Measured): Promise<SingleBar> {
    const { default: progress } = await import('cli-progress');
    const { read, total } = source.progress();
    const bar = new progress.SingleBar({
      format: total > 0 ? bars : counts,
      stream: process.stderr,
      clearOnComplete: true,
      barsize: 24,
      fps: 10,
      etaBuffer: 50,
    });
    bar.start(total > 0 ? total : 1, read, this.#payload(source, performance.now()));
    return bar;
  }

  #payload(source: Measured, now: number): Record<string, string> {
    const seconds = (now - this.#began) / 1000;
    const { read } = source.progress();
    const bytes = size((this.#bytes + read) / seconds);
    return {
      name: source.name.length > 24 ? `...${source.name.slice(-21)}` : source.name,
      read: size(read),
      rate: `${bytes}/s, ${short(this.#packets / seconds)} packets/s`,
    };
  }
}
