// Frames through the engine in this process, events out as objects. Many connections share one
// engine, told apart by the client's port, because an engine is dearer than a thousand frames.

import type { Frame } from '../../bench/generate/conversation.js';
import { FrameBatch, type Source, slack } from '../../src/capture/source.js';
import { type Config, defaultConfig, withCapture } from '../../src/config.js';
import { Engine } from '../../src/engine.js';
import { EveWriter } from '../../src/output/eve.js';
import type { Stats } from '../../src/output/stats.js';

/** An `smtp` event (contracts 2.1), as far as tests look. */
export interface SmtpEvent {
  timestamp: string;
  event_type: 'smtp';
  flow_id: string;
  src_ip: string;
  src_port: number;
  dest_ip: string;
  dest_port: number;
  tx_id: number;
  smtp: {
    started: string;
    helo?: string;
    greeting?: string;
    mail_from?: string | null;
    mail_code?: number;
    size_declared?: number;
    rcpt_to: (string | null)[];
    rcpt_codes: (number | null)[];
    rcpt_dropped?: number;
    data_code?: number;
    final_code?: number;
    final_codes?: (number | null)[];
    bytes?: number;
    chunking: boolean;
    outcome: string;
  };
  email?: { label: string; label_code?: string };
  gaps: number;
  sides: string;
}

/** An `smtp_session` event (contracts 2.2). */
export interface SessionEvent {
  timestamp: string;
  event_type: 'smtp_session';
  flow_id: string;
  src_ip: string;
  src_port: number;
  dest_ip: string;
  dest_port: number;
  session: Record<string, unknown>;
  sides: string;
}

export interface Result {
  readonly smtp: SmtpEvent[];
  readonly sessions: SessionEvent[];
  readonly stats: Stats;
}

/** A configuration whose engine is made quickly. */
export function smallConfig(ports?: 'any', memoryBytes = 16 * 1024 * 1024): Config {
  const config = defaultConfig();
  const flow = { ...config.flow, memory_bytes: memoryBytes };
  const small: Config = { ...config, flow };
  return ports === undefined ? small : withCapture(small, { ports });
}

const batchFrames = 4096;

/** An engine whose events are collected. */
export class Collector {
  readonly engine: Engine;
  readonly #smtp: SmtpEvent[] = [];
  readonly #sessions: SessionEvent[] = [];

  constructor(config: Config) {
    const out = { write: (bytes: Buffer, length: number) => this.#take(bytes, length) };
    this.engine = new Engine(config, new EveWriter(out, { clear: true, sensor: undefined }));
  }

  /** Ends the input and gives everything. */
  finish(): Result {
    this.engine.finish();
    return { smtp: this.#smtp, sessions: this.#sessions, stats: this.engine.stats() };
  }

  #take(bytes: Buffer, length: number): void {
    for (const line of bytes.toString('utf8', 0, length).split('\n')) {
      if (line === '') continue;
      const event = JSON.parse(line) as SmtpEvent | SessionEvent;
      if (event.event_type === 'smtp') this.#smtp.push(event);
      else this.#sessions.push(event);
    }
  }
}

/** A frame as a batch takes it; Ethernet unless `link` says otherwise. */
interface AnyFrame {
  readonly time: number;
  readonly bytes: Buffer;
  readonly link?: number;
}

/** Frames in the order given, as one capture. */
export function runFrames(frames: readonly AnyFrame[], config = smallConfig()): Result {
  const collector = new Collector(config);
  feedFrames(collector.engine, frames);
  return collector.finish();
}

/** Gives frames to an engine. */
export function feedFrames(engine: Engine, frames: readonly AnyFrame[]): void {
  for (let first = 0; first < frames.length; first += batchFrames) {
    const part = frames.slice(first, first + batchFrames);
    const size = part.reduce((sum, frame) => sum + frame.bytes.length, 0);
    const batch = new FrameBatch(Buffer.alloc(size + slack), part.length);
    let at = 0;
    for (const { time, bytes, link } of part) {
      bytes.copy(batch.bytes, at);
      batch.offset[batch.count] = at;
      batch.length[batch.count] = bytes.length;
      batch.wireLength[batch.count] = bytes.length;
      batch.time[batch.count] = time;
      batch.link[batch.count] = link ?? 1;
      batch.count++;
      at += bytes.length;
    }
    engine.feed(batch);
  }
}

/** A whole source. */
export async function runSource(source: Source, config = smallConfig()): Promise<Result> {
  const collector = new Collector(config);
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    collector.engine.feed(batch);
  }
  source.close();
  return collector.finish();
}

/** Client port of the first of many connections that share an engine. */
export const firstPort = 20_000;
/** As many connections, and as many bytes of frames, share an engine. */
const together = 200;
const bytesTogether = 400_000;

/** What one of many connections gave. */
export interface Own {
  readonly smtp: SmtpEvent[];
  readonly sessions: SessionEvent[];
}

/**
 * Runs connections that were built with the client ports `firstPort`, `firstPort` + 1 and so on,
 * interleaved by time. `duplicates` is the sum over all.
 */
export function runMany(connections: readonly (readonly Frame[])[]): {
  own: Own[];
  duplicates: number;
} {
  const own: Own[] = connections.map(() => ({ smtp: [], sessions: [] }));
  let duplicates = 0;
  for (let first = 0; first < connections.length; ) {
    const frames: Frame[] = [];
    for (let bytes = 0, n = 0; n < together && bytes < bytesTogether; n++, first++) {
      if (first === connections.length) break;
      frames.push(...connections[first]!);
      bytes += connections[first]!.reduce((sum, frame) => sum + frame.bytes.length, 0);
    }
    const result = runFrames(frames.sort((a, b) => a.time - b.time));
    if (result.stats.exhausted > 0) throw new Error('the engine of the test is too small');
    duplicates += result.stats.duplicates;
    for (const event of result.smtp) own[portOf(event)]!.smtp.push(event);
    for (const event of result.sessions) own[portOf(event)]!.sessions.push(event);
  }
  return { own, duplicates };
}

function portOf(event: SmtpEvent | SessionEvent): number {
  return Math.max(event.src_port, event.dest_port) - firstPort;
}
