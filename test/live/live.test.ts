// The daemon on a real interface: what it says of a capture that is sent to it is what a replay of
// the file says, but for times. In network namespaces of its own; needs root, tcpreplay, and the
// addon or the pcap package, and says so where they are missing.

import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { generate, presets } from '../../bench/generate/traffic.js';
import { Cable } from '../../bench/netns.js';
import { writeDemo } from '../../bench/world/demo.js';
import { loadAddon } from '../../src/capture/ring/addon.js';
import { has } from '../capture/captures.js';
import { eventsIn, mailweir, program } from '../helper/program.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-live-'));
const file = (name: string): string => join(folder, name);
const cable = new Cable();
const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  ...['ip', 'tcpreplay', 'sysctl'].map((name) => (has(name) ? '' : name)),
].filter((what) => what !== '');
const capable = missing.length === 0;
/** Ways to listen, and whether they are there. */
const ways = [
  ['ring', typeof loadAddon() !== 'string'],
  ['pcap', hasPackage()],
] as const;

function hasPackage(): boolean {
  try {
    createRequire(import.meta.url).resolve('pcap/build/Release/pcap_binding.node');
    return true;
  } catch {
    return false;
  }
}

/** The daemon on the cable, with its log in a file. */
class Listener {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly ended: Promise<number | null>;
  #status: number | null | undefined;

  constructor(source: string, words: readonly string[]) {
    this.#log = file('log');
    const config = `capture: { source: ${source} }\nstats: { interval_s: 1 }\n`;
    writeFileSync(file('live.yaml'), `${config}state: { directory: state }\n`);
    const log = openSync(this.#log, 'w');
    const run = ['run', '--interface', cable.tapInterface, '--config', file('live.yaml')];
    // `ip netns exec` becomes the program: signals reach it.
    this.#child = spawn(
      'ip',
      ['netns', 'exec', cable.tap, process.execPath, program, ...run, ...words],
      { stdio: ['ignore', 'ignore', log] },
    );
    closeSync(log);
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (status) => {
        this.#status = status;
        resolve(status);
      });
    });
  }

  get log(): string {
    return readFileSync(this.#log, 'utf8');
  }

  async until(holds: () => boolean): Promise<void> {
    const last = performance.now() + 15_000;
    while (!holds()) {
      if (this.#status !== undefined || performance.now() > last) {
        throw new Error(`waited in vain; exit ${this.#status}\n${this.log}`);
      }
      await new Promise((resume) => setTimeout(resume, 50));
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it in any case. */
  async end(name: NodeJS.Signals): Promise<number | null> {
    if (this.#status === undefined) this.signal(name);
    return this.ended;
  }
}

let listener: Listener | null = null;
afterEach(async () => {
  await listener?.end('SIGKILL');
  listener = null;
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const output = file('events.ndjson');
const eve = ['--format', 'eve', '--output', output];

async function listen(source: string, ...words: string[]): Promise<Listener> {
  rmSync(output, { force: true });
  // Who listened before may take a moment to go.
  const last = performance.now() + 5000;
  while (cable.heard && performance.now() < last) await new Promise((go) => setTimeout(go, 20));
  listener = new Listener(source, [...eve, ...words]);
  await listener.until(() => cable.heard);
  return listener;
}

/** Packets that the last figures speak of. */
function packetsIn(path: string): number {
  if (!existsSync(path)) return 0;
  const lines = readFileSync(path, 'utf8').split('\n');
  const last = lines.findLast((line) => line.includes('"event_type":"stats"')) ?? '{}';
  return (JSON.parse(last) as { stats?: { packets: number } }).stats?.packets ?? 0;
}

/** Events of mail without what depends on when and where, in some fixed order; no judgement. */
function essence(text: string): string[] {
  return eventsIn(text)
    .filter(({ event_type }) => String(event_type).startsWith('smtp'))
    .map((event) => {
      const { smtp, session, ...rest } = event as Record<string, Record<string, unknown>>;
      const said = { ...smtp, ...session, started: 0, duration_ms: 0 };
      return JSON.stringify({ ...rest, timestamp: 0, flow_id: 0, said });
    })
    .sort();
}

/** What a replay of the file says. */
function replayed(capture: string): { lines: string[]; packets: number } {
  const { status, stdout } = mailweir(['replay', capture, '--format', 'eve']);
  expect(status).toBe(0);
  const { stats } = eventsIn(stdout).at(-1) as { stats: { packets: number } };
  const lines = essence(stdout);
  expect(lines.length).toBeGreaterThan(500);
  return { lines, packets: stats.packets };
}

for (const [source, there] of ways) {
  if (!there) console.warn(`live: 4 tests of ${source} not run; it is missing`);
}
if (!capable) console.warn(`live: 8 tests not run; missing: ${missing.join(', ')}`);

describe.each(ways)('the daemon on an interface, by %s', (source, there) => {
  const itThere = it.runIf(capable && there);
  beforeAll(() => {
    if (!capable) return;
    expect(existsSync(program), 'dist is missing: npm run build').toBe(true);
    writeDemo(file('demo.pcap'));
    const { options } = presets['mixed']!;
    const few = { ...options, sessions: 500, concurrency: 100 };
    generate({ path: file('mixed.pcap'), seed: 5, options: few });
    cable.open();
  }, 30_000);
  afterAll(() => {
    if (capable) cable.close();
  });

  itThere.each(['demo', 'mixed'])(
    'says of the %s capture what a replay says',
    async (name) => {
      const { lines, packets } = replayed(file(`${name}.pcap`));
      const daemon = await listen(source, '--clear');
      await cable.send(file(`${name}.pcap`), 20_000);
      await daemon.until(() => packetsIn(output) >= packets);
      expect(await daemon.end('SIGTERM')).toBe(0);
      const text = readFileSync(output, 'utf8');
      const got = essence(text);
      const only = (some: string[], others: Set<string>) =>
        some.filter((line) => !others.has(line));
      expect(only(got, new Set(lines))).toEqual([]);
      expect(only(lines, new Set(got))).toEqual([]);
      expect(got).toHaveLength(lines.length);
      const last = eventsIn(text).at(-1)!;
      expect(last).toMatchObject({ event_type: 'stats', stats: { packets, kernel_drops: 0 } });
      expect(daemon.log).not.toContain('mailweir:');
    },
    30_000,
  );

  itThere(
    'SIGHUP opens the output again, and nothing is lost',
    async () => {
      const { lines, packets } = replayed(file('mixed.pcap'));
      const daemon = await listen(source, '--clear');
      const sent = cable.send(file('mixed.pcap'), 5_000);
      await daemon.until(() => existsSync(output) && readFileSync(output).includes('"smtp"'));
      renameSync(output, `${output}.1`);
      daemon.signal('SIGHUP');
      await sent;
      await daemon.until(() => packetsIn(output) >= packets);
      expect(await daemon.end('SIGTERM')).toBe(0);
      for (const path of [output, `${output}.1`]) {
        expect(essence(readFileSync(path, 'utf8')).length, path).toBeGreaterThan(0);
      }
      appendFileSync(`${output}.1`, readFileSync(output));
      expect(essence(readFileSync(`${output}.1`, 'utf8'))).toEqual(lines);
    },
    30_000,
  );

  itThere(
    'without --clear shows no local part; ends with a line when the interface goes',
    async () => {
      const { packets } = replayed(file('mixed.pcap'));
      const daemon = await listen(source);
      await cable.send(file('mixed.pcap'), 20_000);
      await daemon.until(() => packetsIn(output) >= packets);
      cable.cut();
      expect(await daemon.ended).toBe(1);
      const complaints = daemon.log.split('\n').filter((line) => line.startsWith('mailweir: '));
      expect(complaints).toEqual([expect.stringContaining(`${cable.tapInterface}: `)]);
      expect(complaints[0]).toContain('gone');
      const events = eventsIn(readFileSync(output, 'utf8')) as { smtp?: { mail_from?: string } }[];
      const senders = events.flatMap(({ smtp }) => (smtp?.mail_from ? [smtp.mail_from] : []));
      expect(senders.length).toBeGreaterThan(400);
      for (const sender of senders) expect(sender).toMatch(/^~[0-9a-f]{16}@/);
      expect(events.at(-1)).toMatchObject({ event_type: 'stats' });
    },
    30_000,
  );
});
