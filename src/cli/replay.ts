// `mailweir replay`: the engine over capture files, as fast as it can. All files are one stream;
// one that cannot be read is reported and the others are still processed.

import { isatty } from 'node:tty';
import type { RowSink } from '../batch/row.js';
import { openCapture } from '../capture/open.js';
import { CaptureError, nextOf, problemOf, type Source } from '../capture/source.js';
import type { Config } from '../config.js';
import type { AlertSink, DecisionSink } from '../decide/decision.js';
import { Engine, type EngineOptions } from '../engine.js';
import { Out } from '../output/out.js';
import { Progress } from '../output/progress.js';
import { complain, Exit } from './fail.js';
import type { Judge, Law } from './judge.js';
import type { Line } from './steered.js';
import { type CommonOptions, settings } from './words.js';

export interface ReplayOptions extends CommonOptions {
  readonly format: 'summary' | 'eve';
  readonly ports?: readonly number[] | 'any';
  /** Threads beside the one that reads and writes; without it that one does everything. */
  readonly workers?: number;
}

/** Takes the rows, alerts and decisions as they come, and has the last word. */
interface Report extends RowSink, AlertSink, DecisionSink {
  end(replay: Replay): void;
}

/** Replays `files` in the order given; gives the exit status. */
export async function replay(files: readonly string[], options: ReplayOptions): Promise<number> {
  const config = await settings(options.config, options.ports);
  // Only a configuration says whose network it is, and without that nobody can be judged.
  const law = options.config === undefined ? null : await lawFor(config);
  const out = new Out({ path: options.output ?? '-', append: false });
  const toTerminal = options.output === undefined && isatty(1);
  const report =
    options.format === 'eve'
      ? await events(out, config)
      : await people(out, config, { toTerminal, judged: law !== null });
  const judge = law === null ? null : await judgeOf(law, report);
  const engine = judge === null ? {} : { factsKey: replayKey };
  const line = await lineOf(config, options.workers, judged(judge, report), engine);
  const work = new Replay(line, out, judge);
  try {
    for (const file of files) {
      if (!out.closed) await work.file(file);
    }
    if (!out.closed) await work.line.finish();
  } finally {
    await work.line.stop();
  }
  judge?.tick(work.line.now);
  report.end(work);
  out.close();
  if (out.lost) return Exit.done;
  return work.failures > 0 ? Exit.failed : Exit.done;
}

async function lawFor(config: Config): Promise<Law> {
  const { lawOf } = await import('./judge.js');
  return lawOf(config);
}

async function judgeOf(law: Law, sinks: AlertSink & DecisionSink): Promise<Judge> {
  const { Judge } = await import('./judge.js');
  return new Judge(law, { sinks });
}

/** Rows are judged before they are reported: an alert has its place among the events. */
function judged(judge: Judge | null, report: RowSink): RowSink {
  return {
    rows: (area, length) => {
      judge?.rows(area, length);
      report.rows(area, length);
    },
  };
}

/** Hashes of recipients are compared within one run; one key makes all runs say the same. */
const replayKey = new Uint8Array(16);

/** The engine in this thread, which is the least work in all; or threads, which take less time. */
export async function lineOf(
  config: Config,
  workers: number | undefined,
  sink: RowSink,
  engine: EngineOptions = {},
): Promise<Line> {
  if (workers === undefined) return new Engine(config, sink, engine);
  const { Steered } = await import('./steered.js');
  return new Steered(config, workers, sink, engine);
}

/** One stream of packets out of several files. */
class Replay {
  readonly line: Line;
  readonly judge: Judge | null;
  readonly #out: Out;
  readonly #progress = new Progress();
  readonly #began = performance.now();
  /** Captures read, and files that could not be read or not to their end. */
  files = 0;
  failures = 0;
  /** Time of the first packet in microseconds. */
  first = Number.NaN;

  constructor(line: Line, out: Out, judge: Judge | null) {
    this.line = line;
    this.judge = judge;
    this.#out = out;
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  async file(path: string): Promise<void> {
    let source: Source | null = null;
    let problem: string | null = null;
    try {
      source = openCapture(path);
      await this.#read(source);
      problem = problemOf(source);
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
      problem = error.message;
    }
    this.#progress.clear();
    source?.close();
    if (problem === null) return;
    this.failures += 1;
    complain(problem);
  }

  async #read(source: Source): Promise<void> {
    let batch = await nextOf(source);
    this.files += 1;
    for (; batch !== null && !this.#out.closed; batch = await nextOf(source)) {
      if (batch.count > 0 && Number.isNaN(this.first)) this.first = batch.time[0]!;
      const fed = this.line.feed(batch);
      if (fed !== undefined) await fed;
      await this.#out.drain();
      await this.#progress.tick(source, batch.count);
    }
  }
}

async function events(out: Out, config: Config): Promise<Report> {
  const { EveWriter } = await import('../output/eve.js');
  const writer = new EveWriter(out, { clear: true, sensor: config.sensor });
  return {
    rows: (area, length) => writer.rows(area, length),
    alert: (alert) => writer.alert(alert),
    decision: (decision) => writer.decision(decision),
    end: ({ line, judge }) => writer.stats({ ...line.stats(), ...judge?.stats() }, line.now),
  };
}

interface Page {
  readonly toTerminal: boolean;
  readonly judged: boolean;
}

async function people(out: Out, config: Config, { toTerminal, judged }: Page): Promise<Report> {
  const { Summary } = await import('../output/summary.js');
  const summary = new Summary();
  const { Verdicts } = await import('../output/verdicts.js');
  const verdicts = new Verdicts();
  const { page } = await import('../output/page.js');
  const { paint } = await import('../output/text.js');
  return {
    rows: (area, length) => summary.rows(area, length),
    alert: (alert) => verdicts.alert(alert),
    decision: (decision) => verdicts.decision(decision),
    end: ({ line, files, failures, seconds, first }) => {
      const { ports } = config.capture;
      const found = judged ? verdicts : undefined;
      const run = { files, failures, seconds, first, last: line.now, ports, verdicts: found };
      out.writeText(page(summary, line.stats(), run, paint(toTerminal, process.env)));
    },
  };
}
