// Opens the sockets of rings. It needs CAP_NET_RAW (and CAP_NET_ADMIN to be promiscuous); reading a
// ring needs nothing. So one thread opens all of them, privileges are given up, and the threads
// attach. A thread that dies leaves its socket in its place of the fan-out group, for the one that
// follows.

import { readdirSync } from 'node:fs';
import { type Addon, loadAddon, type OpenLane } from './addon.js';
import { filterProgram, steeringProgram } from './programs.js';

export interface RingOptions {
  /** TCP ports that carry mail; absent: everything is captured. */
  readonly ports?: readonly number[];
  /** Whether the filter lets tunnels through; default true. */
  readonly tunnels?: boolean;
  /** Ring of each interface and member; default 64 MiB. */
  readonly ringBytes?: number;
  /** One block of it, a power of two from 128 KiB; default 512 KiB. */
  readonly blockBytes?: number;
  /** Milliseconds after which the kernel hands over a block that is not full; default 40. */
  readonly retire_ms?: number;
  /** Default true. */
  readonly promiscuous?: boolean;
  /** For tests: overwrite a block before it goes back, so that nobody can use it longer. */
  readonly poison?: boolean;
}

/** What one thread attaches to. It crosses threads: plain values only. */
export interface RingPlan {
  readonly interfaces: readonly string[];
  /** One for each interface. */
  readonly lanes: readonly OpenLane[];
  readonly blocks: number;
  readonly blockBytes: number;
  readonly retire_ms: number;
  /** It gets the frames whose addresses the steering cannot see, and counts them. */
  readonly unsteered: boolean;
  readonly poison: boolean;
}

const ringBytesDefault = 64 * 1024 * 1024;
const blockBytesDefault = 512 * 1024;
const retireDefault = 40;

/** A ring cannot be opened. The message is one line; it names the interface where one is meant. */
export class RingError extends Error {
  override readonly name = 'CaptureError';
}

/**
 * Opens sockets for `members` threads on each interface. With more than one the kernel shares the
 * frames of an interface among them: member `steer(...)` gets a frame. Throws a `RingError`; then
 * nothing is open.
 */
export function openSockets(
  interfaces: readonly string[],
  members: number,
  options: RingOptions = {},
): RingSockets {
  const addon = loadAddon();
  if (typeof addon === 'string') throw new RingError(`no ring: ${addon}`);
  return new RingSockets(addon, interfaces, members, options);
}

/** The open sockets. They stay open until they are closed here, whatever threads do. */
export class RingSockets {
  /** One for each member. */
  readonly plans: readonly RingPlan[];
  readonly #addon: Addon;
  readonly #fds: number[] = [];

  constructor(addon: Addon, interfaces: readonly string[], members: number, options: RingOptions) {
    this.#addon = addon;
    const { ringBytes = ringBytesDefault, blockBytes = blockBytesDefault } = options;
    const shape = {
      blocks: Math.max(2, Math.floor(ringBytes / blockBytes)),
      blockBytes,
      retire_ms: options.retire_ms ?? retireDefault,
    };
    const { ports, tunnels = true, promiscuous = true, poison = false } = options;
    const filter = (ethernet: boolean): Uint8Array | null =>
      ports === undefined ? null : filterProgram({ ports, tunnels, ethernet });
    const common = {
      ...shape,
      promiscuous,
      steering: members > 1 ? steeringProgram() : null,
      ethernetFilter: filter(true),
      ipFilter: filter(false),
    };
    // Members join the group of each interface in one order, so that both directions of an optical
    // tap reach one thread. The first founds the groups.
    const groups = interfaces.map(() => -1);
    this.plans = Array.from({ length: members }, (_, member) => {
      const lanes = interfaces.map((name, index) => {
        const lane = this.#open({ ...common, interface: name, group: groups[index]! });
        groups[index] = lane.group;
        return lane;
      });
      return { interfaces, lanes, ...shape, unsteered: members > 1 && member === 0, poison };
    });
  }

  /** No thread may be attached any more. Safe to call twice. */
  close(): void {
    for (const fd of this.#fds.splice(0)) this.#addon.closeLane(fd);
  }

  #open(plan: Parameters<Addon['openLane']>[0]): OpenLane {
    try {
      const lane = this.#addon.openLane(plan);
      this.#fds.push(lane.fd);
      return lane;
    } catch (error) {
      this.close();
      throw new RingError(`${plan.interface}: ${reasonOf(error as NodeJS.ErrnoException)}`);
    }
  }
}

/**
 * Gives up every privilege of the process, in all its threads; reading rings that are open needs
 * none. Started as root it becomes `user` where one is given. Throws a `RingError`.
 */
export function confine(user: string | undefined): void {
  const addon = loadAddon();
  if (typeof addon === 'string') throw new RingError(`no ring: ${addon}`);
  const name = process.getuid?.() === 0 ? (user ?? '') : '';
  try {
    addon.confine(name);
  } catch (error) {
    const { message } = error as Error;
    const which = name === '' ? '' : `; capture.user is "${name}"`;
    throw new RingError(`cannot give up privileges (${message}${which})`);
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EPERM':
      return 'no permission to capture; run as root or with CAP_NET_RAW';
    case 'ENODEV':
      return `no such interface; there are: ${interfaceNames()}`;
    case 'ENOMEM':
      return `no memory for the ring (${message}); make capture.ring.bytes smaller`;
    default:
      return `cannot capture: ${message}`;
  }
}

/** The interfaces of this machine, for people. */
export function interfaceNames(): string {
  try {
    return readdirSync('/sys/class/net').sort().join(', ');
  } catch {
    return 'none';
  }
}
