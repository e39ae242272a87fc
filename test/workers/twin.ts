// Workers without threads: the same slots, engines, rings and merge as `replay --workers`, moved on
// by turns that a test chooses. So thousands of captures take seconds, and any order of progress
// can be had.

import { RowMerge } from '../../src/batch/merge.js';
import { openPipeMemory, RowPipe } from '../../src/batch/pipe.js';
import { At, RowCursor, type RowSink } from '../../src/batch/row.js';
import { FrameSlots } from '../../src/capture/share.js';
import { FrameBatch, slack } from '../../src/capture/source.js';
import type { Config } from '../../src/config.js';
import { Engine } from '../../src/engine.js';
import { figureCount, statsOf } from '../../src/figures.js';
import { EveWriter } from '../../src/output/eve.js';
import type { Stats } from '../../src/output/stats.js';

export interface TimedFrame {
  readonly time: number;
  readonly bytes: Buffer;
}

/** What a run gave: events as text, and figures without the time that it took. */
export interface Run {
  readonly text: string;
  readonly rows: string;
  readonly stats: Stats;
}

/** The frames as a batch. */
export function batchOf(frames: readonly TimedFrame[]): FrameBatch {
  const size = frames.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const batch = new FrameBatch(Buffer.alloc(size + slack), frames.length);
  let at = 0;
  for (const { time, bytes } of frames) {
    bytes.copy(batch.bytes, at);
    batch.offset[batch.count] = at;
    batch.length[batch.count] = bytes.length;
    batch.wireLength[batch.count] = bytes.length;
    batch.time[batch.count] = time;
    batch.link[batch.count] = 1;
    batch.count++;
    at += bytes.length;
  }
  return batch;
}

/** With it rows carry facts, and failed attempts have rows. */
const factsKey = new Uint8Array(16);

/** Events as they are written, and a line for each row, also those without an event. */
export class Events {
  text = '';
  rows = '';
  readonly #cursor = new RowCursor();
  readonly #writer = new EveWriter(
    {
      write: (bytes, length) => {
        this.text += bytes.toString('utf8', 0, length);
      },
    },
    { clear: true, sensor: undefined },
  );
  readonly sink: RowSink = {
    rows: (area, length) => {
      this.#writer.rows(area, length);
      // Alerts stand behind portions: these must be the same, too.
      this.rows += 'portion\n';
      const row = this.#cursor;
      row.open(area, length);
      while (row.next()) {
        const { kind, time, clientPort, serverPort } = row;
        const flow = [row.word(At.flowHigh), row.word(At.flowLow), row.word(At.facts)];
        this.rows += `${[kind, time, clientPort, serverPort, ...flow].join(' ')}\n`;
      }
    },
  };
}

/** The batches through one engine. */
export function alone(config: Config, batches: readonly (readonly TimedFrame[])[]): Run {
  const events = new Events();
  const engine = new Engine(config, events.sink, { factsKey });
  for (const frames of batches) engine.feed(batchOf(frames));
  engine.finish();
  return { text: events.text, rows: events.rows, stats: { ...engine.stats(), uptime_ms: 0 } };
}

/** Workers that take turns. */
export class Together {
  readonly events = new Events();
  readonly #slots: FrameSlots;
  readonly #pipes: readonly RowPipe[];
  readonly #engines: readonly Engine[];
  readonly #merge: RowMerge;
  readonly #firsts: number[] = [];
  readonly #ended: boolean[];
  /** Rows that a full ring could not take: the rings of this test must be large enough. */
  #lost = 0;

  constructor(config: Config, workers: number) {
    this.#slots = new FrameSlots(workers);
    this.#pipes = Array.from(
      { length: workers },
      () => new RowPipe(openPipeMemory(1 << 22, 1 << 20)),
    );
    this.#engines = this.#pipes.map(
      (pipe) =>
        new Engine(
          config,
          {
            rows: (area, length) => {
              if (!pipe.write(area, length)) this.#lost++;
            },
          },
          { factsKey },
        ),
    );
    this.#ended = this.#engines.map(() => false);
    this.#merge = new RowMerge(this.#pipes, this.events.sink);
  }

  /** Publishes a batch; whoever is in the way is moved on first. */
  publish(frames: readonly TimedFrame[]): void {
    const batch = batchOf(frames);
    for (let from = 0; from < batch.count; ) {
      while (!this.#slots.free) {
        for (let worker = 0; worker < this.#engines.length; worker++) this.turn(worker);
      }
      this.#firsts.push(this.#slots.frames);
      from = this.#slots.publish(batch, from);
    }
  }

  /** Worker `worker` does its next batch, if there is one. */
  turn(worker: number): void {
    const number = this.#slots.doneBy(worker);
    if (number >= this.#slots.published) return;
    this.#engines[worker]!.feedShare(this.#slots.take(number), worker);
    this.#engines[worker]!.flush();
    this.#slots.done(worker);
  }

  /** The main thread takes what it may. */
  merge(): void {
    const bounds = this.#engines.map((_, worker) => {
      if (this.#ended[worker]) return Number.POSITIVE_INFINITY;
      return this.#firsts[this.#slots.doneBy(worker)] ?? this.#slots.frames;
    });
    this.#merge.flush(Float64Array.from(bounds), Number.POSITIVE_INFINITY);
  }

  finish(): Run {
    this.#engines.forEach((engine, worker) => {
      while (this.#slots.doneBy(worker) < this.#slots.published) this.turn(worker);
      engine.finish();
      this.#ended[worker] = true;
      this.merge();
    });
    this.#merge.flushRest();
    if (this.#lost > 0) throw new Error('the rings of the test are too small');
    const figures = this.#engines.map((engine) => {
      const slots = new Float64Array(figureCount);
      engine.count(slots);
      return slots;
    });
    const { text, rows } = this.events;
    return { text, rows, stats: statsOf(figures, 0) };
  }
}
