// Three namespaces in a row, made for one test: sources, a box that forwards their mail, a sink.
// The box's interface towards the sources is mirrored, both directions, to a cable of its own, as a
// switch's mirror port does. Nothing here reaches further than these namespaces.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { has } from '../capture/captures.js';

const own = `mw${process.pid}`;
/** Interfaces: of the sources, the box towards them and towards the sink, the sink, the mirror. */
const [home, near, far, host, mouth, ear] = ['a', 'b', 'c', 'd', 'm', 'e'].map((x) => `${own}${x}`);

export const programs = [
  'ip',
  'tc',
  'nft',
  'ethtool',
  'sysctl',
  'setpriv',
  'smtp-source',
  'smtp-sink',
];
export const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  ...programs.map((name) => (has(name) ? '' : name)),
].filter((what) => what !== '');

/** The source with number n is .n of this, and has sinks of its own: .n of three networks. */
export const source = (n: number): string => `203.0.113.${n}`;
const networks = ['198.51.100', '192.0.2', '198.18.0'];
const sinks = (n: number): string[] => networks.map((network) => `${network}.${n}`);

type Place = [space: string, name: string, address: string];

/** A message that the sink accepted: when, in milliseconds since 1970, and of whom. */
export interface Accepted {
  readonly time: number;
  readonly from: string;
}

export class Street {
  readonly folder = mkdtempSync(join(tmpdir(), 'mailweir-street-'));
  readonly spaces = { home: `${own}s`, box: `${own}f`, sink: `${own}k` };
  readonly ear = ear!;
  readonly #children: ChildProcess[] = [];
  readonly #seen = new Map<string, Accepted>();

  open(numbers: readonly number[]): void {
    const { home: sources, box, sink } = this.spaces;
    for (const space of Object.values(this.spaces)) {
      run('ip', 'netns', 'add', space);
      this.inside(space, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1');
      this.inside(space, 'sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1');
      run('ip', '-n', space, 'link', 'set', 'lo', 'up');
    }
    this.inside(box, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    cable(sources, home!, box, near!);
    cable(box, far!, sink, host!);
    cable(box, mouth!, box, ear!);
    const addresses: Place[] = [
      [box, near!, `${source(254)}/24`],
      ...sinks(254).map((at): Place => [box, far!, `${at}/24`]),
      ...numbers.map((n): Place => [sources, home!, `${source(n)}/24`]),
      ...numbers.flatMap(sinks).map((at): Place => [sink, host!, `${at}/24`]),
    ];
    for (const [space, name, address] of addresses) {
      run('ip', '-n', space, 'address', 'add', address, 'dev', name);
    }
    run('ip', '-n', sink, 'route', 'add', 'default', 'via', sinks(254)[0]!);
    for (const n of numbers) {
      const way = ['via', source(254), 'src', source(n)];
      for (const at of sinks(n)) run('ip', '-n', sources, 'route', 'add', at, ...way);
    }
    const tc = (...words: string[]) => this.inside(box, 'tc', ...words);
    tc('qdisc', 'add', 'dev', near!, 'clsact');
    for (const direction of ['ingress', 'egress']) {
      const mirror = ['action', 'mirred', 'egress', 'mirror', 'dev', mouth!];
      const every = ['protocol', 'all', 'u32', 'match', 'u32', '0', '0'];
      tc('filter', 'add', 'dev', near!, direction, ...every, ...mirror);
    }
  }

  /** Starts a sink for mail that keeps each message as a file. */
  serve(): void {
    const template = join(this.folder, 'mail', '%s.');
    run('mkdir', '-m', '777', join(this.folder, 'mail'));
    run('chmod', '755', this.folder);
    this.start(this.spaces.sink, 'smtp-sink', '-u', 'nobody', '-d', template, ':25', '128');
  }

  /** Starts something in a namespace; it is ended with the street. */
  start(space: string, ...command: string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', space, ...command], {
      stdio: ['ignore', 'ignore', 'ignore'],
      detached: true,
    });
    this.#children.push(child);
    return child;
  }

  /**
   * Sends one message to a sink in each network, then starts smtp-source towards the first again
   * and again, as a program does that goes on after an error.
   */
  send(n: number, options: string): ChildProcess {
    const [first, ...others] = sinks(n).map((at) => `${at}:25`);
    const once = others.map((at) => `smtp-source ${at}; `).join('');
    const script = `${once}while :; do smtp-source ${options} ${first}; sleep 0.2; done`;
    return this.start(this.spaces.home, 'sh', '-c', script);
  }

  /** What the sink has accepted, in order of time. */
  accepted(): Accepted[] {
    const folder = join(this.folder, 'mail');
    for (const name of readdirSync(folder)) {
      if (this.#seen.has(name)) continue;
      const text = readFileSync(join(folder, name), 'latin1');
      const from = /^X-Client-Addr: (\S+)/m.exec(text)?.[1];
      // The file is whole when the message was taken.
      if (from === undefined || !/^Message-Id:/m.test(text)) continue;
      this.#seen.set(name, { time: statSync(join(folder, name)).mtimeMs, from });
    }
    return [...this.#seen.values()].sort((one, other) => one.time - other.time);
  }

  /** Runs a command in a namespace to its end; gives what it printed. */
  inside(space: string, ...command: string[]): string {
    return run('ip', 'netns', 'exec', space, ...command);
  }

  /** Asks the API of the daemon on the box. */
  api(method: string, path: string, body?: object): unknown {
    return ask(this.spaces.box, method, path, body);
  }

  close(): void {
    for (const { pid } of this.#children) {
      try {
        if (pid !== undefined) process.kill(-pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    for (const space of Object.values(this.spaces)) spawnSync('ip', ['netns', 'del', space]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Two interfaces joined, without the offloads that would show a mirror frames nobody sent. */
function cable(one: string, name: string, other: string, peer: string): void {
  run(
    'ip',
    'link',
    'add',
    name,
    'netns',
    one,
    'type',
    'veth',
    'peer',
    'name',
    peer,
    'netns',
    other,
  );
  for (const [space, end] of [
    [one, name],
    [other, peer],
  ] as const) {
    const off = ['tso', 'gso', 'gro', 'tx', 'rx'].flatMap((what) => [what, 'off']);
    run('ip', 'netns', 'exec', space, 'ethtool', '-K', end, ...off);
    run('ip', '-n', space, 'link', 'set', end, 'up');
  }
}

/** Asks the API of a daemon that listens on 127.0.0.1:8225 in a namespace; gives the answer. */
export function ask(space: string, method: string, path: string, body?: object): unknown {
  const script = `
    const [method, path, body] = process.argv.slice(1);
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const answer = await fetch('http://127.0.0.1:8225' + path, { method, body, headers });
    if (!answer.ok) throw new Error(answer.status + ' ' + (await answer.text()));
    console.log(await answer.text());`;
  const words = [method, path, ...(body === undefined ? [] : [JSON.stringify(body)])];
  const node = [process.execPath, '--input-type=module', '-e', script, ...words];
  return JSON.parse(run('ip', 'netns', 'exec', space, ...node));
}

function run(command: string, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
  return stdout;
}
