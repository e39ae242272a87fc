// The DNSBL beside rbldnsd, asked by dnsperf in turn: answers a second with as many questions on
// their way as both like, questions lost at a fixed rate, processor time of an answer, memory.
// Everything is on loopback. With `--serve` this program is the one that is measured.
//
//   node dist/bench/dnsbl.js --entries 1000000 --seconds 5 --rounds 5 --write

import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Rows } from '../src/block/table.js';
import { LookupDesk } from '../src/serve/lookup/desk.js';
import { Rng } from './generate/rng.js';
import { median, output } from './measure.js';
import { fill, row, table } from './tables.js';

const zone = 'bl.example.net';
const questionCount = 200_000;
/** Entries are one host in eight of this part of 10.0.0.0/8, so an eighth of all is listed. */
const spread = 8;

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '5' },
    // What the thread must keep up with.
    rate: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '5' },
    write: { type: 'boolean', default: false },
    serve: { type: 'boolean', default: false },
    port: { type: 'string', default: '0' },
  },
});
const entries = Number(values.entries);

if (values.serve) await serve();
else await compare();

/** Address number `index` of the list as its last three parts. */
function partsOf(index: number): readonly [number, number, number] {
  const at = index * spread;
  return [(at >> 16) & 255, (at >> 8) & 255, at & 255];
}

/** Our own server over the list, until its input ends. */
async function serve(): Promise<void> {
  const rows = new Rows(entries);
  const now = Date.now() * 1000;
  const hour = 3_600_000_000;
  const scope = { proto: 'tcp', dport: [25], direction: 'out' } as const;
  const times = { created: now, until: now + 24 * hour };
  for (let index = 0; index < entries; index++) {
    const id = `bl_${index.toString(16).padStart(8, '0')}${'0'.repeat(12)}`;
    const cidr = `10.${partsOf(index).join('.')}/32`;
    const common = { action: 'block', rule: 'manual', scope, level: 1, revision: index } as const;
    rows.put({ id, cidr, ...times, ...common });
  }
  const lent = rows.lend();
  const life = { generated: now, expires: now + 24 * hour };
  const snapshot = () => ({ list: 'bench', revision: 1, ...life, ...lent });
  const desk = new LookupDesk({
    doors: {
      dnsbl: {
        listener: { host: '127.0.0.1', port: Number(values.port) },
        zone: { zone, nameServers: ['localhost'], appeal: {} },
        rate: 200,
        trusted: ['127.0.0.0/8'],
      },
      policy: null,
    },
    snapshot,
    trouble: (message) => console.error(message),
  });
  await desk.open();
  console.log('open');
  for await (const _ of process.stdin);
  const { dns_udp, dns_unsent, index_bytes } = desk.figures();
  console.log(JSON.stringify({ dns_udp, dns_unsent, index_bytes, rows: rows.bytes }));
  await desk.close();
}

/** A port of loopback that is free for UDP at present. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

/** Writes lines in pieces: a million of them are no string. */
function writeLines(path: string, count: number, line: (index: number) => string): void {
  const file = openSync(path, 'w');
  for (let from = 0; from < count; from += 10_000) {
    const piece = Array.from({ length: Math.min(10_000, count - from) }, (_, at) =>
      line(from + at),
    );
    writeSync(file, piece.join(''));
  }
  closeSync(file);
}

interface Server {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;
}

interface Asked {
  readonly perSecond: number;
  readonly lost: number;
  /** Processor time of the server, microseconds for each answer. */
  readonly cost: number;
}

async function compare(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-dnsbl-'));
  // rbldnsd reads its zone as a user of its own.
  chmodSync(folder, 0o755);
  const servers: Server[] = [];
  try {
    const questions = join(folder, 'questions');
    const rng = new Rng(1);
    writeLines(questions, questionCount, () => {
      const at = rng.int(entries * spread);
      return `${at & 255}.${(at >> 8) & 255}.${(at >> 16) & 255}.10.${zone} A\n`;
    });
    for (const start of [startOwn, startRbldnsd]) servers.push(await start(folder));
    for (const server of servers) await answers(server);
    await measure(questions, servers);
  } finally {
    for (const { child } of servers) {
      child.stdin?.end();
      const gone = child.exitCode === null ? once(child, 'exit') : Promise.resolve();
      const late = setTimeout(() => child.kill(), 3000);
      await gone;
      clearTimeout(late);
    }
    rmSync(folder, { recursive: true });
  }
}

async function startOwn(): Promise<Server> {
  const port = await freePort();
  const words = ['--serve', '--port', String(port), '--entries', String(entries)];
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...words]);
  child.stderr.pipe(process.stderr);
  child.stdout.on('data', (text) => console.log(`mailweir: ${String(text).trim()}`));
  return { name: 'mailweir', port, child };
}

async function startRbldnsd(folder: string): Promise<Server> {
  const port = await freePort();
  writeLines(join(folder, 'zone'), entries, (index) => `10.${partsOf(index).join('.')}\n`);
  const data = `${zone}:ip4set:zone`;
  const words = ['-n', '-b', `127.0.0.1/${port}`, '-w', folder, '-t', '60', data];
  const child = spawn('rbldnsd', words, { stdio: ['pipe', 'ignore', 'ignore'] });
  return { name: 'rbldnsd', port, child };
}

/** Waits until a server answers for an address that is listed. */
async function answers({ name, port, child }: Server): Promise<void> {
  const words = [
    '@127.0.0.1',
    '-p',
    String(port),
    `0.0.0.10.${zone}`,
    '+short',
    '+tries=1',
    '+time=1',
  ];
  for (let tries = 0; tries < 120; tries++) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    const { stdout } = await output('bash', ['-c', 'dig "$@" || true', 'dig', ...words]);
    if (stdout.trim() === '127.0.0.2') return;
    await new Promise((resume) => setTimeout(resume, 500));
  }
  throw new Error(`${name} does not answer`);
}

async function measure(questions: string, servers: readonly Server[]): Promise<void> {
  const free = new Map<string, Asked[]>(servers.map(({ name }) => [name, []]));
  const fixed = new Map<string, Asked[]>(servers.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const server of servers) {
      free.get(server.name)!.push(await ask(server, questions, []));
      fixed.get(server.name)!.push(await ask(server, questions, ['-Q', values.rate]));
    }
  }
  const lines = servers.map(({ name, child }) => {
    const [most, steady] = [free.get(name)!, fixed.get(name)!];
    const lost = steady.reduce((sum, one) => sum + one.lost, 0);
    const reached = Math.round(median(steady.map(({ perSecond }) => perSecond)));
    const cost = median(most.map((one) => one.cost)).toFixed(1);
    const perSecond = Math.round(median(most.map((one) => one.perSecond)));
    return row(name, perSecond, cost, reached, lost, Math.round(memoryOf(child.pid!) / 1024));
  });
  const caption = [
    `${entries.toLocaleString('en-US')} hosts on the list, an eighth of the questions about one of`,
    'them; dnsperf with one thread and 200 questions on their way, on the same machine; medians of',
    `${values.rounds} runs in turn, ${values.seconds} s each. Memory is that of the process: ours`,
    'has the list itself too, from which it makes its answers.',
  ].join(' ');
  const head = [
    row(
      'server',
      'answers/s',
      'µs of processor each',
      `at ${values.rate}/s: reached`,
      'lost',
      'MiB',
    ),
    row('---', '--:', '--:', '--:', '--:', '--:'),
  ];
  const text = table(caption, [...head, ...lines]);
  console.log(text);
  if (values.write)
    fill(join(import.meta.dirname, '..', '..', 'bench', 'README.md'), 'dnsbl', text);
}

async function ask(server: Server, questions: string, more: readonly string[]): Promise<Asked> {
  const where = ['-s', '127.0.0.1', '-p', String(server.port), '-d', questions];
  const how = ['-l', values.seconds, '-c', '4', '-T', '1', '-q', '200', ...more];
  const before = processorOf(server.child.pid!);
  const { stdout } = await output('dnsperf', [...where, ...how]);
  const spent = processorOf(server.child.pid!) - before;
  const number = (label: string) => {
    const found = new RegExp(`${label}:\\s+([\\d.]+)`).exec(stdout);
    if (found === null) throw new Error(`dnsperf says no "${label}": ${stdout.slice(-500)}`);
    return Number(found[1]);
  };
  const completed = number('Queries completed');
  const cost = (spent * 1e6) / completed;
  return { perSecond: number('Queries per second'), lost: number('Queries lost'), cost };
}

/** Processor seconds of a process so far; the kernel counts in hundredths (USER_HZ). */
function processorOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident kilobytes. */
function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
