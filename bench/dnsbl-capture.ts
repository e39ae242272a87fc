// Whether capture and DNSBL leave each other in peace: the daemon listens on a cable of its own
// while dnsperf asks it at a steady rate. Nothing may be lost on either side. Needs root,
// tcpreplay, dnsperf and the addon. Run it by hand:
//
//     node dist/bench/dnsbl-capture.js --packets 50000 --questions 50000 --seconds 10 --write

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Stats } from '../src/output/stats.js';
import type { LookupFigure } from '../src/serve/lookup/figures.js';
import { generate, presets } from './generate/traffic.js';
import { output } from './measure.js';
import { Cable } from './netns.js';
import { fill, row, table } from './tables.js';

const zone = 'bl.example.net';
const port = 8253;
const program = fileURLToPath(new URL('../src/main.js', import.meta.url));
const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '50000' },
    questions: { type: 'string', default: '50000' },
    seconds: { type: 'string', default: '10' },
    write: { type: 'boolean', default: false },
  },
});

type LastStats = Stats & { readonly lookup: Readonly<Record<LookupFigure, number>> };

const folder = mkdtempSync(join(tmpdir(), 'mailweir-dnsbl-capture-'));
const cable = new Cable();
cable.open();
try {
  await output('ip', ['-n', cable.tap, 'link', 'set', 'lo', 'up']);
  await measure();
} finally {
  cable.close();
  rmSync(folder, { recursive: true });
}

async function measure(): Promise<void> {
  const capture = join(folder, 'ordinary.pcap');
  const options = { ...presets['ordinary']!.options, sessions: 3000 };
  const { frames } = generate({ path: capture, seed: 3, options });
  const loops = Math.ceil((Number(values.packets) * (Number(values.seconds) + 2)) / frames);
  const daemon = await start();
  const wire = ['netns', 'exec', cable.wire, 'tcpreplay', '-q', '--preload-pcap'];
  const sending = output('ip', [
    ...wire,
    `--loop=${loops}`,
    `--pps=${values.packets}`,
    '-i',
    cable.wireInterface,
    capture,
  ]);
  const asked = await ask();
  await sending;
  const stats = await daemon.end();
  const lost = frames * loops - stats.packets;
  const head = ['packets/s', 'packets lost', 'rows dropped', 'answers/s', 'questions lost'];
  const caption = 'The daemon on a veth pair while dnsperf asks it, everything on one machine';
  const text = table(`${caption}; ${values.seconds} s.`, [
    row(...head),
    row(...head.map(() => '--:')),
    row(Number(values.packets), lost, stats.rows_dropped, Math.round(asked.perSecond), asked.lost),
  ]);
  console.log(text);
  const path = join(import.meta.dirname, '..', '..', 'bench', 'README.md');
  if (values.write) fill(path, 'dnsbl-capture', text);
}

/** The daemon inside the namespace, once it listens; `end` gives its last figures. */
async function start(): Promise<{ end: () => Promise<LastStats> }> {
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
  return { end };
}

/** Asks about addresses of which none is listed. */
async function ask(): Promise<{ perSecond: number; lost: number }> {
  const questions = join(folder, 'questions');
  const lines = Array.from(
    { length: 10_000 },
    (_, at) => `${at & 255}.${at >> 8}.51.198.${zone} A\n`,
  );
  writeFileSync(questions, lines.join(''));
  const where = ['dnsperf', '-s', '127.0.0.1', '-p', String(port), '-d', questions];
  const how = ['-l', values.seconds, '-c', '4', '-T', '1', '-q', '200', '-Q', values.questions];
  const { stdout } = await output('ip', ['netns', 'exec', cable.tap, ...where, ...how]);
  const number = (label: string) => Number(new RegExp(`${label}:\\s+([\\d.]+)`).exec(stdout)?.[1]);
  return { perSecond: number('Queries per second'), lost: number('Queries lost') };
}
