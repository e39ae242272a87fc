// A list on the disk as large as it may be: how quickly it fills, what a kill in the middle of
// changes costs, how quickly it opens again, and what printing it disturbs while it goes on
// changing. Each step is a process of its own, so that its memory is its own too.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { BlockList } from '../src/block/list.js';
import type { Decision } from '../src/decide/decision.js';
import { Press } from '../src/export/press.js';
import { print } from '../src/export/print.js';
import { row, table } from './tables.js';

const hour = 3600e6;
/** Entries end a day after this. */
const began = Date.now() * 1000;
/** Decisions that come at once, as many as one transaction takes. */
const together = 500;

interface Filled {
  readonly perSecond: number;
}

interface Opened {
  readonly open_ms: number;
  readonly count: number;
  readonly documents_ms: number;
  readonly delay_ms: number;
  readonly changes: number;
  readonly list_bytes: number;
  readonly opened_kib: number;
  readonly peak_kib: number;
}

/** Fills a list, kills its process, opens it again and prints it; a table of all that. */
export async function durable(count: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-durable-'));
  try {
    const { perSecond, acknowledged } = await fillAndKill(folder, count);
    const disk = statSync(join(folder, 'block', 'data.mdb')).size;
    const opened = await step<Opened>(['open', folder]);
    const lost = Math.max(0, acknowledged - opened.count);
    const caption =
      `A list of ${count.toLocaleString('en-US')} hosts on the disk, with evidence. Its process ` +
      'is killed (SIGKILL) while it adds more; the next one opens it and prints txt and NDJSON ' +
      `while ${opened.changes.toLocaleString('en-US')} changes are made. Memory is the resident ` +
      "set of the process alone (RssAnon); pages of the file on the disk are the system's cache.";
    const mib = (kib: number): string => Math.round(kib / 1024).toLocaleString('en-US');
    return table(caption, [
      row('figure', ''),
      row('---', '--:'),
      row('added and on the disk, a second', Math.round(perSecond)),
      row('acknowledged and lost by the kill', lost),
      row('opened after the kill, s', (opened.open_ms / 1000).toFixed(2)),
      row('both documents, with gzip and sums, s', (opened.documents_ms / 1000).toFixed(2)),
      row('longest delay of the event loop meanwhile, ms', opened.delay_ms.toFixed(1)),
      row('rows and indexes in memory, MiB', mib(opened.list_bytes / 1024)),
      row('the process when the list is open, MiB', mib(opened.opened_kib)),
      row('the same, most while it prints, MiB', mib(opened.peak_kib)),
      row('on the disk, GiB', (disk / 2 ** 30).toFixed(1)),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function fillAndKill(folder: string, count: number) {
  const child = spawn(process.execPath, [own, 'fill', folder, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'close');
  let acknowledged = 0;
  let filled: Filled | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as Filled | number;
    if (typeof said === 'number') acknowledged = said;
    else {
      filled = said;
      setTimeout(() => child.kill('SIGKILL'), 1000);
    }
  }
  await gone;
  if (filled === null) throw new Error('the list was not filled');
  return { perSecond: filled.perSecond, acknowledged };
}

/** Runs a step of this program; its answer. */
async function step<T>(words: readonly string[]): Promise<T> {
  const child = spawn(process.execPath, [own, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (text) => {
    said += String(text);
  });
  await once(child, 'close');
  return JSON.parse(said) as T;
}

function listIn(directory: string): BlockList {
  const list = new BlockList({
    directory,
    name: 'bench',
    entriesMax: 1_048_576,
    life: 2 * hour,
    protection: () => null,
    appeal: { url: 'https://isp.example/appeal' },
    verdicts: { released: () => {}, demoted: () => {} },
    trouble: (message) => console.error(message),
  });
  return list;
}

/** Makes a list of so many hosts in a folder, and its zone for rbldnsd in the file `zone`. */
export async function prepare(directory: string, count: number, zone: string): Promise<void> {
  const child = spawn(process.execPath, [own, 'prepare', directory, String(count), zone], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`making a list ended with ${status}`);
}

async function prepareHere(directory: string, count: number, zone: string): Promise<void> {
  const list = listIn(directory);
  const clock = new Clock(list);
  while (list.count < count) await addSome(list, clock);
  const order = { format: 'rbldnsd', action: 'all', family: 'ipv4', page: 1 } as const;
  const { body } = print(list.snapshot(), order, {});
  writeFileSync(zone, body);
  await list.close();
}

/** The address of the host of a number: a step that is odd meets every address once. */
export function addressOf(number: number): string {
  const word = Math.imul(number, 0x9e3779b1) >>> 0;
  return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255].join('.');
}

/** The time of a list that grows as fast as a list may, and no faster (`src/block/growth.ts`). */
class Clock {
  readonly #list: BlockList;
  #base = 0;
  now = began - 12 * hour;

  constructor(list: BlockList) {
    this.#list = list;
  }

  /** The next ones come; ten minutes later where these are too many for now. */
  next(): void {
    const { count } = this.#list;
    if (count + together <= Math.max(this.#base * 2, this.#base + 1000)) return;
    this.#base = count;
    this.now += 601e6;
    this.#list.tick(this.now);
  }
}

async function addSome(list: BlockList, clock: Clock): Promise<void> {
  clock.next();
  const from = list.count;
  for (let at = from; at < from + together; at++) list.decision(decisionOf(at, clock.now));
  await list.idle();
}

/** Adds as many as are asked for, then more and more, and says how many are there. */
async function fill(directory: string, count: number): Promise<void> {
  const list = listIn(directory);
  const clock = new Clock(list);
  const from = performance.now();
  for (;;) {
    await addSome(list, clock);
    if (list.count < count) continue;
    const seconds = (performance.now() - from) / 1000;
    if (list.count === count) console.log(JSON.stringify({ perSecond: count / seconds }));
    console.log(list.count);
  }
}

async function open(directory: string): Promise<void> {
  const from = performance.now();
  const list = listIn(directory);
  const open_ms = performance.now() - from;
  if (list.heldFrom !== null) throw new Error('some of the list is held back');
  const { count } = list;
  const opened_kib = ownMemory_kib();
  const press = new Press({ list, publisher: {}, trouble: (message) => console.error(message) });
  const order = { action: 'block', page: 1 } as const;
  // The thread is there before, as in a daemon.
  await press.document({ ...order, format: 'csv', family: 'ipv6' });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let changes = 0;
  let peak_kib = 0;
  // People come and go: an entry is made and another let out, every few milliseconds.
  const desk = { name: 'desk' };
  const wish = { action: 'block', owner: 'desk', reason: 'bench', until: began + hour } as const;
  let isOver = false;
  const changing = (async () => {
    for (let at = 0; !isOver; at++) {
      const made = await list.add({ ...wish, cidr: `2001:db8::${at.toString(16)}` }, desk);
      if (at % 2 === 0) await list.release(made.id, { reason: 'bench', wrong: false }, desk);
      changes += at % 2 === 0 ? 2 : 1;
      peak_kib = Math.max(peak_kib, ownMemory_kib());
      await new Promise((resume) => setTimeout(resume, 5));
    }
  })();
  const start = performance.now();
  for (const format of ['txt', 'ndjson']) {
    await press.document({ ...order, format, family: 'both' });
  }
  const documents_ms = performance.now() - start;
  isOver = true;
  await changing;
  delay.disable();
  await press.close();
  const answer: Opened = {
    ...{ open_ms, count, documents_ms, delay_ms: delay.max / 1e6, changes },
    ...{ list_bytes: list.bytes, opened_kib, peak_kib },
  };
  console.log(JSON.stringify(answer));
  await list.close();
}

/** Of the resident set what no file backs, KiB (proc(5)). */
function ownMemory_kib(): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

/** A decision about the host of a number, as policy makes it, with three samples. */
function decisionOf(number: number, now: number): Decision {
  const cidr = `${addressOf(number)}/32`;
  const created = now + (number % together);
  return {
    id: `bl_${createHash('sha256').update(cidr).digest('hex').slice(0, 20)}`,
    ...{ cidr, subject: cidr, action: 'block', state: 'added', mode: 'enforce', level: 1 },
    scope: { proto: 'tcp', dport: [25], direction: 'out' },
    rule: { id: 'core.rcpt-failure-sprt', version: '1.0.0', sha256: 'a'.repeat(64) },
    title: 'Source keeps offering recipients that destinations refuse',
    ...{ time: created, created, until: began + 24 * hour },
    ...{ firstSeen: created - hour, lastSeen: created, profile: 'cn-2006' },
    legal: ['CN-38/2006 art.12(2)'],
    ...{ severity: 'high', confidence: 0.995, role: 'customer-dynamic', cgnat: 1 },
    ...{ sensor: 'tap-1', symmetry: 0.97, loss: 0.0002, register: '7' },
    evidence: { llr: 12.6, threshold: 11.503, outcomes: 23, failed: 19, sessions: 21 },
    corroborators: ['core.dialect'],
    samples: [1, 2, 3].map((port) => ({
      ...{ time: created, src_ip: cidr.slice(0, -3), src_port: 40_000 + port },
      ...{ dst: '198.51.100.7', dport: 25, helo_class: 'own-ip', outcome: 'unknown-user 550' },
    })),
    appeal: { url: 'https://isp.example/appeal', due: created + 24 * hour },
    ...{ supersedes: null, guards: [] },
    explanation:
      'This source kept offering recipients that destinations refuse, more often than any mail ' +
      'server does, and another kind of evidence agrees.',
  };
}

const own = fileURLToPath(import.meta.url);
if (process.argv[1] === own) {
  const [, , word, directory = '', count = '', zone = ''] = process.argv;
  if (word === 'fill') await fill(directory, Number(count));
  else if (word === 'prepare') await prepareHere(directory, Number(count), zone);
  else await open(directory);
}
