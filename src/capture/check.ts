// What `mailweir doctor` looks at: this machine, and one of its interfaces, as they are at this
// moment. It reads and asks `ethtool`; it changes nothing and listens to nothing.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { loadAddon } from './ring/addon.js';
import { interfaceNames } from './ring/sockets.js';

/**
 * One thing that was looked at. With `mend` it is a finding, and that is the command against it.
 */
export interface Finding {
  readonly what: string;
  /** Absent: it is as it should be. */
  readonly mend?: string;
}

/** What the configuration asks of the machine. */
export interface Demand {
  /** Bytes for flows, rings and the rest, all workers together. */
  readonly bytes: number;
  readonly workers: number;
  readonly source: 'auto' | 'ring' | 'pcap';
  /** The oldest Node.js that will do, as [major, minor]. */
  readonly node: readonly [number, number];
}

const mebibyte = 1024 * 1024;

/** The machine without any interface. */
export function checkMachine(demand: Demand): Finding[] {
  return [
    node(demand.node),
    ...sources(demand.source),
    capability(),
    memory(demand.bytes),
    cores(demand.workers),
  ];
}

function node([major, minor]: readonly [number, number]): Finding {
  const version = process.versions.node;
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  const fine = ownMajor > major || (ownMajor === major && ownMinor >= minor);
  if (fine) return { what: `Node.js ${version}` };
  const what = `Node.js ${version} is older than ${major}.${minor}`;
  return { what, mend: `install Node.js ${major} or newer` };
}

function sources(wanted: Demand['source']): Finding[] {
  const addon = loadAddon();
  const pcap = hasPcap();
  const ring: Finding =
    typeof addon !== 'string'
      ? { what: 'the capture addon loads: AF_PACKET rings' }
      : { what: `no AF_PACKET ring: ${addon}`, mend: buildTools };
  if (wanted === 'ring') return [ring];
  const package_: Finding = pcap
    ? { what: 'the pcap package is there' }
    : { what: 'the pcap package is not there', mend: buildTools };
  if (wanted === 'pcap') return [package_];
  // Either will do; the ring is the better one, and without it a sensor is slow.
  return typeof addon === 'string' ? [ring, package_] : [ring];
}

const buildTools =
  'apt-get install -y --no-install-recommends make g++ python3 libpcap-dev && npm start';

function hasPcap(): boolean {
  try {
    createRequire(import.meta.url).resolve('pcap/build/Release/pcap_binding.node');
    return true;
  } catch {
    return false;
  }
}

/** CAP_NET_RAW is number 13 (linux/capability.h). */
function capability(): Finding {
  const status = text('/proc/self/status');
  const effective = /^CapEff:\s+([0-9a-f]+)/m.exec(status)?.[1] ?? '0';
  if (((BigInt(`0x${effective}`) >> 13n) & 1n) === 1n) {
    return { what: 'this user may capture (CAP_NET_RAW)' };
  }
  const mend =
    'run as root, or give a service AmbientCapabilities=CAP_NET_RAW, or: ' +
    `setcap cap_net_raw+ep ${process.execPath}`;
  return { what: 'this user may not capture: it lacks CAP_NET_RAW', mend };
}

function memory(bytes: number): Finding {
  const there = Number(/^MemAvailable:\s+(\d+)/m.exec(text('/proc/meminfo'))?.[1] ?? 0) * 1024;
  const wanted = `${Math.round(bytes / mebibyte)} MiB wanted`;
  const what = `${wanted}, ${Math.round(there / mebibyte)} MiB of memory available`;
  if (there === 0 || there > bytes) return { what };
  return { what, mend: 'set flow.memory_bytes or capture.ring.bytes smaller in the configuration' };
}

function cores(workers: number): Finding {
  const count = availableParallelism();
  const what = `${count} cores, ${workers} packet ${workers === 1 ? 'thread' : 'threads'}`;
  if (count > workers) return { what };
  if (count === 1)
    return { what, mend: 'give the machine a second core: the kernel needs one too' };
  return { what, mend: `set capture.workers to ${count - 1}: the kernel needs a core too` };
}

/** One interface. The first finding may be that there is none, and then it is the only one. */
export function checkInterface(name: string, promiscuous: boolean): Finding[] {
  const folder = `/sys/class/net/${name}`;
  if (!/^[^\s/]{1,15}$/.test(name) || !existsSync(folder)) {
    const mend = `give one of these: ${interfaceNames()}`;
    return [{ what: `${name}: there is no such interface`, mend }];
  }
  return [
    link(name, folder),
    ...promiscuity(name, folder, promiscuous),
    ...viaEthtool(name, folder),
  ];
}

function link(name: string, folder: string): Finding {
  const flags = Number(text(`${folder}/flags`).trim());
  if ((flags & 1) === 0) return { what: `${name} is down`, mend: `ip link set ${name} up` };
  if (text(`${folder}/carrier`).trim() === '0') {
    return {
      what: `${name} is up and has no carrier`,
      mend: 'look at the cable and the mirror port',
    };
  }
  return { what: `${name} is up, MTU ${text(`${folder}/mtu`).trim()}` };
}

function promiscuity(name: string, folder: string, asked: boolean): Finding[] {
  const flags = Number(text(`${folder}/flags`).trim());
  if (asked) return [{ what: `${name}: the sensor itself makes it promiscuous` }];
  if ((flags & 0x100) !== 0) return [{ what: `${name} is promiscuous` }];
  const what = `${name} is not promiscuous: it drops frames that are meant for others`;
  return [{ what, mend: `ip link set ${name} promisc on (or capture.promiscuous: true)` }];
}

function viaEthtool(name: string, folder: string): Finding[] {
  const features = ethtool('-k', name);
  if (features === null) {
    const what = `${name}: offloads and rings cannot be read, ethtool is not there`;
    return [{ what, mend: 'apt-get install -y ethtool' }];
  }
  const queues = readdirSync(`${folder}/queues`).filter((queue) => queue.startsWith('rx-')).length;
  return [
    offloads(name, features),
    ...ringSize(name, ethtool('-g', name) ?? ''),
    spread(name, queues, ethtool('-x', name) ?? ''),
  ];
}

/** Features that merge frames, by their long names and by those that `ethtool -K` takes. */
const merging: Readonly<Record<string, string>> = {
  'generic-receive-offload': 'gro',
  'large-receive-offload': 'lro',
  'rx-gro-hw': 'rx-gro-hw',
  'rx-gro-list': 'rx-gro-list',
};

/**
 * From `ethtool -k`: what merges frames before they are seen, so that there are none of the wire.
 */
export function offloads(name: string, features: string): Finding {
  const on = Object.keys(merging).filter((feature) =>
    new RegExp(`^\\s*${feature}: on(?! \\[fixed\\])`, 'm').test(features),
  );
  if (on.length === 0) return { what: `${name}: no offload merges frames` };
  const words = on.map((feature) => `${merging[feature]} off`).join(' ');
  return { what: `${name} merges frames: ${on.join(', ')}`, mend: `ethtool -K ${name} ${words}` };
}

/** From `ethtool -g`: the card's own ring, and whether it could be larger. */
export function ringSize(name: string, rings: string): Finding[] {
  const [most, now] = [...rings.matchAll(/^RX:\s+(\d+)$/gm)].map(([, size]) => Number(size));
  if (most === undefined || now === undefined) return [];
  if (now >= most) return [{ what: `${name}: the card's ring holds ${now} frames, its most` }];
  const what = `${name}: the card's ring holds ${now} frames and could hold ${most}`;
  return [{ what, mend: `ethtool -G ${name} rx ${most}` }];
}

/**
 * From `ethtool -x`: whether both directions of a connection come through one receive queue. The
 * hash is symmetric where its key repeats two bytes (Woo and Park, "Scalable TCP Session Monitoring
 * with Symmetric Receive-side Scaling", 2012), or where the card says so.
 */
export function spread(name: string, queues: number, table: string): Finding {
  if (queues <= 1) return { what: `${name} has one receive queue` };
  const key = /^RSS hash key:\n([0-9a-f]{2}(?::[0-9a-f]{2})+)$/m.exec(table)?.[1]?.split(':') ?? [];
  const repeats = key.length > 0 && key.every((byte, i) => byte === key[i % 2]);
  if (repeats || /symmetric-(or-)?xor: on/.test(table)) {
    return { what: `${name}: ${queues} receive queues, both directions through one of them` };
  }
  const what = `${name}: ${queues} receive queues, the directions of a connection part ways`;
  const pairs = Array.from({ length: Math.max(20, key.length >> 1 || 20) }, () => '6d:5a');
  return { what, mend: `ethtool -X ${name} hkey ${pairs.join(':')} equal ${queues}` };
}

/** Frames that the card lost or refused since it was started, or NaN where it does not say. */
export function lostInCard(name: string): number {
  const folder = `/sys/class/net/${name}/statistics`;
  const counters = ['rx_missed_errors', 'rx_fifo_errors', 'rx_over_errors', 'rx_length_errors'];
  return counters.reduce((sum, counter) => {
    const count = text(`${folder}/${counter}`).trim();
    return sum + (count === '' ? Number.NaN : Number(count));
  }, 0);
}

/** The largest packet that the interface takes, NaN where it is not known. */
export function mtuOf(name: string): number {
  const mtu = text(`/sys/class/net/${name}/mtu`).trim();
  return mtu === '' ? Number.NaN : Number(mtu);
}

/** What ethtool prints; null where it is not there. */
function ethtool(option: string, name: string): string | null {
  const env = { ...process.env, LC_ALL: 'C' };
  const { stdout, error } = spawnSync('ethtool', [option, name], {
    encoding: 'utf8',
    timeout: 5000,
    env,
  });
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT' ? null : (stdout ?? '');
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
