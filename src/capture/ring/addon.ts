// The native addon (native/*.cc): what it offers, and loading it where it was built. It is
// optional; nothing else in the program is native code of ours.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** One interface's socket and ring, as they are to be opened. */
export interface LanePlan {
  readonly interface: string;
  /** Blocks of the ring and their size, a multiple of the page size. */
  readonly blocks: number;
  readonly blockBytes: number;
  /** Milliseconds after which the kernel hands over a block that is not full. */
  readonly retire_ms: number;
  readonly promiscuous: boolean;
  /** The fan-out program; null: no fan-out. */
  readonly steering: Uint8Array | null;
  /** Fan-out group to join; -1 founds one. */
  readonly group: number;
  /** Programs for a socket that sees Ethernet headers and for one that sees IP; null: none. */
  readonly ethernetFilter: Uint8Array | null;
  readonly ipFilter: Uint8Array | null;
}

/** An open socket. Plain values: any thread of the process may attach to it, one at a time. */
export interface OpenLane {
  readonly fd: number;
  readonly ethernet: boolean;
  /** Frames that this machine sends come too; the kernel is too old to leave them out. */
  readonly outgoing: boolean;
  /** Its fan-out group, -1 without. */
  readonly group: number;
}

/** Names the rings that a thread has mapped; only the addon looks inside. */
export type RingHandle = { readonly ring: unique symbol };

export interface AttachedRing {
  readonly handle: RingHandle;
  /** The lanes' blocks one behind the other, and 65,536 spare bytes. */
  readonly area: ArrayBuffer;
  /** Frames of blocks that a reader before had in hand when it died. */
  readonly lost: number;
}

/** What `Addon.state` says. */
export const LaneState = { up: 0, down: 1, gone: 2 } as const;

export interface Addon {
  /** Throws an Error with a code (EPERM, ENODEV, ...) and a message that begins with the step. */
  openLane(plan: LanePlan): OpenLane;
  closeLane(fd: number): void;
  /** Maps the rings of these sockets and reads on where a reader before stopped. */
  attach(
    plan: {
      readonly fds: readonly number[];
      readonly blocks: number;
      readonly blockBytes: number;
    },
    wake: () => void,
  ): AttachedRing;
  /** Where the lane's next full block begins in the area, or -1. */
  ready(handle: RingHandle, lane: number): number;
  /** Gives the block that `ready` named back to the kernel. */
  release(handle: RingHandle, lane: number): void;
  /** Calls `wake` once when a block is ready or the interface has something to say. */
  wait(handle: RingHandle, lane: number): void;
  /** Since last asked: packets with those dropped, packets dropped, times the ring was full. */
  statistics(handle: RingHandle, lane: number, into: Float64Array): void;
  state(handle: RingHandle, lane: number): number;
  /**
   * Becomes that user ('' stays as it is), and gives up all capabilities in every thread of the
   * process, with no way back (no_new_privs). Takes milliseconds; a failure names its step.
   */
  confine(user: string): void;
  /** The sockets stay open, and the kernel goes on filling the rings. */
  detach(handle: RingHandle): void;
}

/** Where set-up puts it: in the folder build of the project, seen from src and from dist/src. */
const places = ['../../../build/ring.node', '../../../../build/ring.node'];

/** The addon, or why it is not there, in words that end a sentence. */
export function loadAddon(): Addon | string {
  const path = places
    .map((place) => fileURLToPath(new URL(place, import.meta.url)))
    .find((candidate) => existsSync(candidate));
  if (path === undefined) {
    if (process.platform !== 'linux') return 'the ring is a part of Linux';
    return 'the addon is not built; "npm start" builds it where make, g++ and python3 are';
  }
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (error) {
    const line = (error as Error).message.split('\n', 1)[0] ?? '';
    return `the addon does not load (${line}); "npm start" builds it again`;
  }
}
