// The daemon as an ordinary user that may do nothing but open packet sockets: it captures, and once
// it has started it may not even do that any more, in any of its threads. Also started as root.

import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate, presets } from '../../bench/generate/traffic.js';
import { Cable } from '../../bench/netns.js';
import { loadAddon } from '../../src/capture/ring/addon.js';
import { has } from '../capture/captures.js';
import { eventsIn, program } from '../helper/program.js';

const root = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'mailweir-user-'));
const file = (name: string): string => join(folder, name);
const cable = new Cable();
const addon = loadAddon();
const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  ...['ip', 'tcpreplay', 'setpriv', 'mount'].map((name) => (has(name) ? '' : name)),
  typeof addon === 'string' ? addon : '',
  existsSync(program) ? '' : 'dist',
].filter((what) => what !== '');
const capable = missing.length === 0;
if (!capable) console.warn(`live: 4 tests of privileges not run; missing: ${missing.join(', ')}`);

const nobody = 65534;
/** An ordinary user with one capability, and no way to others. */
const ordinary = [
  'setpriv',
  `--reuid=${nobody}`,
  `--regid=${nobody}`,
  '--clear-groups',
  '--inh-caps=-all,+net_raw',
  '--ambient-caps=-all,+net_raw',
  '--bounding-set=-all,+net_raw',
];

/**
 * Starts the daemon in the namespace. That user may not be able to walk to the project or to
 * Node.js itself, so both are mounted where it can, for this process alone.
 */
function start(as: readonly string[], config: string): ChildProcess {
  const [tree, node] = [file('tree'), file('node')];
  writeFileSync(file('config.yaml'), `${config}\nstate: { directory: state }\n`);
  const script = 'mount --bind "$1" "$2" && mount --bind "$3" "$4" && shift 4 && exec "$@"';
  const words = ['run', '--interface', cable.tapInterface, '--config', file('config.yaml')];
  const main = join(tree, 'dist', 'src', 'main.js');
  const command = [node, main, ...words, '--format', 'eve', '--output', file('out/events')];
  const mounts = [root, tree, process.execPath, node];
  const all = ['netns', 'exec', cable.tap, 'sh', '-c', script, 'sh', ...mounts, ...as, ...command];
  return spawn('ip', all, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** What each thread of a process may do: user, capabilities of all kinds, no_new_privs. */
function rights(pid: number): Set<string> {
  const task = `/proc/${pid}/task`;
  const names = ['Uid', 'CapInh', 'CapPrm', 'CapEff', 'CapAmb', 'NoNewPrivs'];
  return new Set(
    readdirSync(task).map((thread) => {
      const status = readFileSync(join(task, thread, 'status'), 'utf8');
      return names
        .map((name) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1])
        .join(' ');
    }),
  );
}

async function until(holds: () => boolean, child: ChildProcess, said: () => string) {
  const last = performance.now() + 15_000;
  while (!holds()) {
    if (child.exitCode !== null || performance.now() > last) throw new Error(said());
    await new Promise((go) => setTimeout(go, 20));
  }
}

describe.runIf(capable)('privileges', () => {
  beforeAll(() => {
    const { options } = presets['mixed']!;
    const few = { ...options, sessions: 100, concurrency: 20 };
    generate({ path: file('mixed.pcap'), seed: 6, options: few });
    mkdirSync(file('tree'));
    mkdirSync(file('out'));
    writeFileSync(file('node'), '');
    chmodSync(folder, 0o755);
    chmodSync(file('out'), 0o777);
    cable.open();
  }, 30_000);

  afterAll(() => {
    cable.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const none = '0000000000000000';
  const settings = 'capture: { source: ring';
  it.each([
    ['an ordinary user with CAP_NET_RAW', ordinary, `${settings} }`, nobody],
    ['root that becomes nobody', [], `${settings}, user: nobody }`, nobody],
    ['root that stays root', [], `${settings} }`, 0],
  ])(
    '%s captures, and holds nothing once it has started',
    async (_, as, config, user) => {
      rmSync(file('out/events'), { force: true });
      const child = start(as, config);
      const ended = new Promise((resolve) => child.once('close', resolve));
      let said = '';
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      try {
        await until(
          () => said.includes('"started"'),
          child,
          () => said,
        );
        expect([...rights(child.pid!)]).toEqual([`${user} ${none} ${none} ${none} ${none} 1`]);
        await cable.send(file('mixed.pcap'), 20_000);
        await new Promise((go) => setTimeout(go, 600));
        child.kill('SIGTERM');
        expect(await ended, said).toBe(0);
      } finally {
        child.kill('SIGKILL');
      }
      const events = eventsIn(readFileSync(file('out/events'), 'utf8'));
      const mails = events.filter(({ event_type }) => event_type === 'smtp');
      expect(mails.length).toBeGreaterThan(100);
    },
    30_000,
  );

  it('an ordinary user without it is told what to give', async () => {
    const as = ordinary.map((word) => word.replace(',+net_raw', ''));
    const child = start(as, `${settings} }`);
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    expect(await new Promise((resolve) => child.once('close', resolve)), said).toBe(1);
    const reason = 'no permission to capture; run as root or with CAP_NET_RAW';
    expect(said).toContain(`mailweir: ${cable.tapInterface}: ${reason}`);
  });
});
