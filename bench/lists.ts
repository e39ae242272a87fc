// Publishing a list: how long a large one is printed and how much that disturbs the thread that
// serves, what it costs on the disk (`durable.ts`), and how many requests a second a smaller one
// answers. Clients are another process on the
// same machine, with keep-alive connections of which each has one request on its way.
//
//   node dist/bench/lists.js --entries 1000000 --seconds 5 --rounds 5 --write

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BlockList } from '../src/block/list.js';
import type { Snapshot } from '../src/block/rows.js';
import { Rows } from '../src/block/table.js';
import { formats } from '../src/export/formats.js';
import { Press } from '../src/export/press.js';
import { HttpServer } from '../src/serve/http/server.js';
import { durable } from './durable.js';
import { median } from './measure.js';
import { fill, row, table } from './tables.js';

const clients = 8;
const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    // As many on the disk as in memory, unless it is said.
    kept: { type: 'string' },
    pulled: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '5' },
    write: { type: 'boolean', default: false },
    ask: { type: 'string' },
    header: { type: 'string', default: '' },
  },
});

if (values.ask !== undefined) await ask(new URL(values.ask), values.header);
else await measure();

/** A list of hosts, as many as are asked for, in memory alone. */
function snapshotOf(count: number): Snapshot {
  const rows = new Rows(1_048_576);
  const ids = randomBytes(count * 10).toString('hex');
  const now = Date.now() * 1000;
  const scope = { proto: 'tcp', dport: [25], direction: 'out' } as const;
  for (let at = 0; at < count; at++) {
    // A step that is odd meets every address once.
    const word = Math.imul(at, 0x9e3779b1) >>> 0;
    const parts = [word >>> 24 || 1, (word >>> 16) & 255, (word >>> 8) & 255, word & 255];
    rows.put({
      id: `bl_${ids.slice(at * 20, at * 20 + 20)}`,
      cidr: `${parts.join('.')}/32`,
      action: 'block',
      until: now + 86_400e6,
      created: now,
      rule: 'core.rcpt-failure-sprt',
      scope,
      level: 1,
      revision: at + 1,
    });
  }
  const times = { generated: now, expires: now + 7200e6 };
  return { list: 'bench', revision: count, ...times, ...rows.lend() };
}

function pressOf(snapshot: Snapshot): Press {
  return new Press({
    list: {
      revision: snapshot.revision,
      now: snapshot.generated,
      snapshot: () => snapshot,
      follow: () => ({ snapshot, stop: () => {} }),
    },
    publisher: {},
    trouble: (message) => console.error(message),
  });
}

async function measure(): Promise<void> {
  const printed = await printing();
  const kept = await durable(Number(values.kept ?? values.entries));
  const pulled = await pulling();
  const text = `${printed}\n${kept}\n${pulled}`;
  console.log(text);
  if (!values.write) return;
  fill(join(import.meta.dirname, '..', '..', 'bench', 'README.md'), 'lists', text);
}

/** Both documents of a large list: body, gzip and sums, in the press's own thread. */
async function printing(): Promise<string> {
  const count = Number(values.entries);
  const snapshot = snapshotOf(count);
  const times: number[] = [];
  const delays: number[] = [];
  let bytes = '';
  for (let round = 0; round < Number(values.rounds); round++) {
    const press = pressOf(snapshot);
    // The thread is there before, as in a daemon.
    const order = { action: 'block', page: 1 } as const;
    await press.document({ ...order, format: 'csv', family: 'ipv6' });
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const began = performance.now();
    const documents = [];
    for (const format of ['txt', 'ndjson']) {
      documents.push(await press.document({ ...order, format, family: 'both' }));
    }
    times.push((performance.now() - began) / 1000);
    delay.disable();
    delays.push(delay.max / 1e6);
    const sizes = documents.map(({ body, gzip }) =>
      [body, gzip].map(({ length }) => (length / 1e6).toFixed(1)).join(' and '),
    );
    bytes = sizes.join('; ');
    await press.close();
  }
  const caption =
    `${count.toLocaleString('en-US')} hosts as txt and as NDJSON, with gzip, MD5 and SHA-256, ` +
    `printed beside the thread that serves (MB plain and gzip: ${bytes}); medians of ` +
    `${values.rounds} runs.`;
  const worst = median(delays).toFixed(1);
  return table(caption, [
    row('both documents, s', "longest delay of the server's event loop, ms", 'MiB of the list'),
    row('--:', '--:', '--:'),
    row(median(times).toFixed(2), worst, Math.round((snapshot.pieces.length * 2 ** 20) / 2 ** 20)),
  ]);
}

/** Requests a second, over real sockets, from a process of their own. */
async function pulling(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-bench-'));
  const list = new BlockList({
    directory: folder,
    name: 'bench',
    entriesMax: 1000,
    life: 7200e6,
    protection: () => null,
    appeal: {},
    verdicts: { released: () => {}, demoted: () => {} },
    trouble: (message) => console.error(message),
  });
  const press = pressOf(snapshotOf(Number(values.pulled)));
  const server = await HttpServer.make({
    list,
    documents: { formats, document: (order) => press.document(order) },
    tokens: null,
    ratePerMinute: 600,
    appeal: {},
    version: '0.0.0',
    unready: () => [],
    trouble: (error) => console.error(error),
  });
  const port = await server.listen('127.0.0.1', 0);
  const url = `http://127.0.0.1:${port}/v1/blocklist.txt`;
  const head = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
  await head.arrayBuffer();
  const unchanged: number[] = [];
  const whole: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    unchanged.push(await client(url, `if-none-match: ${head.headers.get('etag')}`, 304));
    whole.push(await client(url, 'accept-encoding: gzip', 200));
  }
  await server.close();
  await press.close();
  await list.close();
  rmSync(folder, { recursive: true });
  const caption =
    `Requests for a list of ${Number(values.pulled).toLocaleString('en-US')} hosts by ${clients} ` +
    `connections of another process; medians of ${values.rounds} runs, ${values.seconds} s each.`;
  return table(caption, [
    row('request', 'a second'),
    row('---', '--:'),
    row('conditional, answered 304', Math.round(median(unchanged))),
    row('whole, gzip', Math.round(median(whole))),
  ]);
}

async function client(url: string, header: string, status: number): Promise<number> {
  const own = fileURLToPath(import.meta.url);
  const words = ['--ask', url, '--header', header, '--seconds', values.seconds];
  const child = spawn(process.execPath, [own, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (text) => {
    said += String(text);
  });
  await once(child, 'close');
  const answer = JSON.parse(said) as { perSecond: number; statuses: number[] };
  if (answer.statuses.length !== 1 || answer.statuses[0] !== status) {
    throw new Error(`answers ${answer.statuses}, where ${status} was to come`);
  }
  return answer.perSecond;
}

/** Asks for some seconds and says how often that was answered. */
async function ask(url: URL, header: string): Promise<void> {
  const end = performance.now() + Number(values.seconds) * 1000;
  const statuses = new Set<number>();
  let count = 0;
  const request = Buffer.from(
    `GET ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\n${header}\r\n\r\n`,
  );
  const one = async (): Promise<void> => {
    const socket = connect(Number(url.port), url.hostname);
    await once(socket, 'connect');
    // Bytes of the answer that are still to come; -1 while its head is not there.
    let left = -1;
    let head = '';
    socket.write(request);
    for await (const part of socket) {
      let bytes = part as Buffer;
      if (left < 0) {
        head += bytes.toString('latin1');
        const at = head.indexOf('\r\n\r\n');
        if (at < 0) continue;
        const status = Number(head.slice(9, 12));
        statuses.add(status);
        const length = status === 304 ? 0 : Number(/content-length: (\d+)/i.exec(head)?.[1]);
        left = length;
        bytes = Buffer.from(head.slice(at + 4), 'latin1');
      }
      left -= bytes.length;
      if (left > 0) continue;
      count += 1;
      if (performance.now() > end) break;
      left = -1;
      head = '';
      socket.write(request);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: clients }, one));
  const perSecond = (count * 1000) / (performance.now() - began);
  console.log(JSON.stringify({ perSecond, statuses: [...statuses] }));
}
