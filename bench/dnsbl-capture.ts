// Whether capture and DNSBL leave each other in peace: the daemon, with a large list on its disk,
// listens on a cable of its own while dnsperf asks it at a steady rate, and then asks rbldnsd with
// the zone of the same list while the daemon goes on listening. Nothing may be lost. Needs root,
// tcpreplay, dnsperf, rbldnsd and the addon. Run it by hand:
//
//     node dist/bench/dnsbl-capture.js --packets 50000 --questions 50000 --seconds 10 --write

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Stats } from '../src/output/stats.js';
import type { LookupFigure } from '../src/serve/lookup/figures.js';
import { addressOf, prepare } from './durable.js';
import { generate, presets } from './generate/traffic.js';
import { output } from './measure.js';
import { Cable } from './netns.js';
import { fill, row, table } from './tables.js';

const zone = 'bl.example.net';
const port = 8253;
const otherPort = 8254;
/** Of so many questions one is about somebody listed. */
const spread = 8;
const questionCount = 200_000;
const program = fileURLToPath(new URL('../src/main.js', import.meta.url));
const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    packets: { type: 'string', default: '50000' },
    questions: { type: 'string', default: '50000' },
    seconds: { type: 'string', default: '10' },
    write: { type: 'boolean', default: false },
  },
});

type LastStats = Stats & { readonly lookup: Readonly<Record<LookupFigure, number>> };

const folder = mkdtempSync(join(tmpdir(), 'mailweir-dnsbl-capture-'));
const cable = new Cable();
const children: ChildProcess[] = [];
cable.open();
try {
  await output('ip', ['-n', cable.tap, 'link', 'set', 'lo', 'up']);
  await measure();
} finally {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  cable.close();
  rmSync(folder, { recursive: true });
}

async function measure(): Promise<void> {
  const capture = join(folder, 'ordinary.pcap');
  const options = { ...presets['ordinary']!.options, sessions: 3000 };
  const { frames } = generate({ path: capture, seed: 3, options });
  const seconds = 2 * Number(values.seconds) + 4;
  const loops = Math.ceil((Number(values.packets) * seconds) / frames);
  await prepare(join(folder, 'list'), Number(values.entries), join(folder, 'zone'));
  writeQuestions();
  const daemon = await start();
  const other = await startRbldnsd();
  const wire = ['netns', 'exec', cable.wire, 'tcpreplay', '-q', '--preload-pcap'];
  const sending = output('ip', [
    ...wire,
    `--loop=${loops}`,
    `--pps=${values.packets}`,
    '-i',
    cable.wireInterface,
    capture,
  ]);
  const own = { ...(await ask(port)), memory: memoryOf(daemon.pid) };
  const theirs = { ...(await ask(otherPort)), memory: memoryOf(other.pid) };
  await sending;
  const stats = await daemon.end();
  tell(stats, frames * loops, { own, theirs });
}

interface Asked {
  readonly perSecond: number;
  readonly lost: number;
  /** MiB of the process: without pages that a file backs, and with them. */
  readonly memory: { readonly own: number; readonly all: number };
}

function tell(
  stats: LastStats,
  sent: number,
  { own, theirs }: { own: Asked; theirs: Asked },
): void {
  const count = Number(values.entries).toLocaleString('en-US');
  const caption =
    `The daemon with ${count} hosts on its list listens on a veth pair at ` +
    `${Number(values.packets).toLocaleString('en-US')} packets/s while dnsperf asks it, and ` +
    `then rbldnsd with the same list; everything on one machine, ${values.seconds} s each, an ` +
    `eighth of the questions about a host of the list. Of ${sent.toLocaleString('en-US')} ` +
    `packets the daemon lost ${sent - stats.packets}; ${stats.rows_dropped} rows were dropped. ` +
    'Memory is that of the ' +
    'process (RssAnon), and with the pages of its files (VmRSS): the daemon has the list on its ' +
    'disk, and captures.';
  const head = ['server', 'answers/s', 'questions lost', 'MiB', 'MiB with files'];
  const line = (name: string, { perSecond, lost, memory }: Asked): string =>
    row(name, Math.round(perSecond), lost, memory.own, memory.all);
  const text = table(caption, [
    row(...head),
    row('---', ...head.slice(1).map(() => '--:')),
    line('mailweir', own),
    line('rbldnsd', theirs),
  ]);
  console.log(text);
  const path = join(import.meta.dirname, '..', '..', 'bench', 'README.md');
  if (values.write) fill(path, 'dnsbl-capture', text);
}

/** Resident MiB of a process (proc(5)). */
function memoryOf(pid: number): Asked['memory'] {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string): number =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
  return { own: mib('RssAnon'), all: mib('VmRSS') };
}

/** rbldnsd over the zone that the list exports, once it answers. */
async function startRbldnsd(): Promise<{ pid: number }> {
  // It reads its zone as a user of its own.
  chmodSync(folder, 0o755);
  const words = ['-n', '-b', `127.0.0.1/${otherPort}`, '-w', folder, '-t', '60'];
  const command = ['netns', 'exec', cable.tap, 'rbldnsd', ...words, `${zone}:ip4trie:zone`];
  const child = spawn('ip', command, { stdio: 'ignore' });
  children.push(child);
  const question = ['@127.0.0.1', '-p', String(otherPort), `2.0.0.127.${zone}`, '+short'];
  const dig = ['netns', 'exec', cable.tap, 'dig', ...question, '+tries=1', '+time=1'];
  for (let tries = 0; tries < 60; tries++) {
    const { stdout } = await output('bash', ['-c', 'ip "$@" || true', 'ip', ...dig]);
    if (stdout.trim() === '127.0.0.2') return { pid: child.pid! };
    await new Promise((resume) => setTimeout(resume, 500));
  }
  throw new Error('rbldnsd does not answer');
}

/** Questions of which an eighth is about somebody listed, the others about anybody. */
function writeQuestions(): void {
  const entries = Number(values.entries);
  const lines = Array.from({ length: questionCount }, (_, at) => {
    const number = at % spread === 0 ? (at * 7919) % entries : entries + at * 31;
    return `${addressOf(number).split('.').reverse().join('.')}.${zone} A\n`;
  });
  writeFileSync(join(folder, 'questions'), lines.join(''));
}

/** The daemon inside the namespace, once it listens; `end` gives its last figures. */
async function start(): Promise<{ pid: number; end: () => Promise<LastStats> }> {
  const config = join(folder, 'mailweir.yaml');
  const events = join(folder, 'events.ndjson');
  writeFileSync(
    config,
    `serve: { dnsbl: "127.0.0.1:${port}", zone: ${zone} }
block: { directory: list }
state: { directory: state }
network: { own: [10.0.0.0/8] }
`,
  );
  const words = ['--config', config, '--interface', cable.tapInterface, '--format', 'eve'];
  const command = [process.execPath, program, 'run', ...words, '--output', events];
  const child = spawn('ip', ['netns', 'exec', cable.tap, ...command]);
  children.push(child);
  let said = '';
  child.stderr.on('data', (text) => {
    said += String(text);
  });
  while (!said.includes('"started"')) {
    if (child.exitCode !== null) throw new Error(said);
    await new Promise((resume) => setTimeout(resume, 50));
  }
  const end = async (): Promise<LastStats> => {
    // What is on its way arrives.
    await new Promise((resume) => setTimeout(resume, 1000));
    const gone = new Promise((resume) => child.once('close', resume));
    child.kill('SIGTERM');
    await gone;
    const last = readFileSync(events, 'utf8').trimEnd().split('\n').at(-1)!;
    return (JSON.parse(last) as { stats: LastStats }).stats;
  };
  return { pid: child.pid!, end };
}

/** Asks a server at the steady rate. */
async function ask(server: number): Promise<Omit<Asked, 'memory'>> {
  const questions = join(folder, 'questions');
  const where = ['dnsperf', '-s', '127.0.0.1', '-p', String(server), '-d', questions];
  const how = ['-l', values.seconds, '-c', '4', '-T', '1', '-q', '200', '-Q', values.questions];
  const { stdout } = await output('ip', ['netns', 'exec', cable.tap, ...where, ...how]);
  const number = (label: string) => Number(new RegExp(`${label}:\\s+([\\d.]+)`).exec(stdout)?.[1]);
  return { perSecond: number('Queries per second'), lost: number('Queries lost') };
}
