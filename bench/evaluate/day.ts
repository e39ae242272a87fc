// One day (or an hour) of one world before the judge: as rows in this process, or as a capture
// through the program, as an operator would run it. What was said goes into a ledger.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Judge, lawOf } from '../../src/cli/judge.js';
import { type Config, loadConfig } from '../../src/config.js';
import type { Alert, Decision } from '../../src/decide/decision.js';
import { SipHash } from '../../src/lib/siphash.js';
import { Rng } from '../generate/rng.js';
import { RowEncoder } from '../generate/rows.js';
import { epoch, writeConfig, writeWorld } from '../world/files.js';
import { type MirrorOptions, perfectMirror } from '../world/mirror.js';
import type { Wrapping } from '../world/packets.js';
import { TalkRows } from '../world/rows.js';
import type { Spread } from '../world/source.js';
import type { Talk } from '../world/talk.js';
import { type Mix, makeWorld, type World } from '../world/world.js';
import type { Baseline } from './baselines.js';
import { Ledger, type Verdict } from './ledger.js';

export interface DayOptions {
  readonly seed: number;
  readonly mix: Mix;
  readonly spread: Spread;
  /** Microseconds. */
  readonly length: number;
  readonly baselines: readonly Baseline[];
  /** Share of packets that the mirror loses, for days of rows. */
  readonly rowLoss?: number;
  /** Other rules than the shipped ones. */
  readonly rules?: string;
}

/** What came of a day. */
export interface Day {
  readonly world: World;
  readonly ledger: Ledger;
  /** Talks of the world, and seconds that judging them took. */
  readonly talks: number;
  readonly seconds: number;
  /** The program's own figures at the end of a capture; null for rows. */
  readonly stats: Readonly<Record<string, unknown>> | null;
}

/** The built program, whether this runs built or from its sources (in a test). */
const program = ['../../..', '../..']
  .map((up) => fileURLToPath(new URL(`${up}/dist/src/main.js`, import.meta.url)))
  .find((path) => existsSync(path))!;
const key = Buffer.alloc(16, 0x4d);

function worldOf({ seed, mix, spread, length }: DayOptions): World {
  return makeWorld({ seed, mix, spread, length });
}

/** Runs something with a folder that is gone afterwards. */
async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-evaluate-'));
  try {
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A day as rows: no packet is made, everything behind the batch boundary is the product's. */
export async function dayOfRows(o: DayOptions): Promise<Day> {
  const world = worldOf(o);
  const { ground, entries, codes } = world;
  const law = await inFolder(async (folder) => {
    const path = writeConfig(join(folder, 'world.pcap'), {
      ground,
      entries,
      codes,
      mode: 'enforce',
    });
    return lawOf(withRules(await loadConfig(path), o.rules));
  });
  const ledger = new Ledger(world);
  const sinks = {
    alert: (alert: Alert) => ledger.verdict(ofAlert(alert)),
    decision: (decision: Decision) => ledger.verdict(ofDecision(decision)),
  };
  const judge = new Judge(law, { sinks, seed: 1 });
  const lost = { share: o.rowLoss ?? 0, rng: new Rng(o.seed ^ 0x6c6f7373) };
  const rows = new TalkRows(new RowEncoder(new SipHash(key), judge), lost);
  const began = performance.now();
  const talks = walk(world, rows, ledger, o.baselines);
  rows.finish();
  judge.tick(epoch + o.length);
  ledger.finish(epoch + o.length);
  return { world, ledger, talks, seconds: (performance.now() - began) / 1000, stats: null };
}

function withRules(config: Config, directory: string | undefined): Config {
  return directory === undefined ? config : { ...config, rules: { ...config.rules, directory } };
}

function walk(
  world: World,
  rows: TalkRows,
  ledger: Ledger,
  baselines: readonly Baseline[],
): number {
  let talks = 0;
  for (const talk of world.talks()) {
    talks++;
    const time = rows.talk(talk);
    ledger.talk(talk, time);
    for (const baseline of baselines) baseline.talk(talk, time);
  }
  return talks;
}

function ofAlert(alert: Alert): Verdict {
  const { rule, subject, time, proof, severity } = alert;
  return { kind: 'alert', time, cidr: subject.cidr, rule: rule.id, proof, severity };
}

function ofDecision(decision: Decision): Verdict {
  const { id, cidr, action, state, rule, time, until } = decision;
  const kind = action === 'block' ? 'block' : 'limit';
  return { kind, time, cidr, rule: rule.id, id, state, until };
}

export interface CaptureDayOptions extends DayOptions {
  readonly mirror?: Partial<MirrorOptions>;
  readonly wrapping?: (talk: Talk) => Wrapping;
}

/** The same as a capture, through the program: `mailweir replay FILE --config F --format eve`. */
export function dayOfPackets(o: CaptureDayOptions): Promise<Day> {
  return inFolder(async (folder) => {
    const world = worldOf(o);
    const { ground, entries, codes } = world;
    const path = join(folder, 'world.pcap');
    const config = writeConfig(path, {
      ground,
      entries,
      codes,
      mode: 'enforce',
      ...(o.rules === undefined ? {} : { rules: o.rules }),
    });
    writeWorld({
      path,
      seed: o.seed,
      talks: world.talks(),
      sources: world.sources,
      mirror: { ...perfectMirror, ...o.mirror },
      wrapping: o.wrapping ?? (() => ({ vlan: [] })),
      length: o.length,
    });
    // A world is walked once: what happened is asked of another one from the same seed.
    const again = worldOf(o);
    const ledger = new Ledger(again);
    const silent = new TalkRows(new RowEncoder(null, { rows: () => undefined }));
    const talks = walk(again, silent, ledger, o.baselines);
    const began = performance.now();
    let stats: Record<string, unknown> | null = null;
    for await (const event of replayed(path, config)) {
      if (event.event_type === 'stats') stats = event.stats ?? null;
      const verdict = ofEvent(event);
      if (verdict !== null) ledger.verdict(verdict);
    }
    ledger.finish(epoch + o.length);
    return { world: again, ledger, talks, seconds: (performance.now() - began) / 1000, stats };
  });
}

/** An alert or decision event (contracts 2.4, 2.5), as far as it is read here. */
interface Event {
  readonly event_type: string;
  readonly timestamp: string;
  readonly stats?: Record<string, unknown>;
  readonly alert?: {
    readonly rule: { readonly id: string };
    readonly subject: string;
    readonly evidence: { readonly status?: string };
  };
  readonly decision?: {
    readonly id: string;
    readonly cidr: string;
    readonly action: string;
    readonly state: string;
    readonly rule: { readonly id: string };
    readonly until: string;
  };
}

async function* replayed(path: string, config: string): AsyncGenerator<Event> {
  const words = [program, 'replay', path, '--config', config, '--format', 'eve'];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  for await (const line of createInterface({ input: child.stdout })) {
    // Most lines tell of mail; the type stands near their beginning.
    const head = line.slice(0, 120);
    if (!/"event_type":"(alert|decision|stats)"/.test(head)) continue;
    yield JSON.parse(line) as Event;
  }
  const status = await ended;
  if (status !== 0) throw new Error(`mailweir replay ended with ${status}`);
}

function ofEvent({ timestamp, alert, decision }: Event): Verdict | null {
  const time = Date.parse(timestamp) * 1000;
  if (alert) {
    const { rule, subject, evidence } = alert;
    return { kind: 'alert', time, cidr: subject, rule: rule.id, proof: evidence.status };
  }
  if (!decision) return null;
  const { id, cidr, action, state, rule, until } = decision;
  const kind = action === 'block' ? 'block' : 'limit';
  return { kind, time, cidr, rule: rule.id, id, state, until: Date.parse(until) * 1000 };
}
