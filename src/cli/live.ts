// What `mailweir run` listens with: the ring where it is there, else libpcap, as `capture.source`
// says; and how many workers share the work. It plans; the workers open (capture/live.ts).

import { availableParallelism } from 'node:os';
import type { Logger } from 'pino';
import type { LivePlan } from '../capture/live.js';
import { loadAddon } from '../capture/ring/addon.js';
import { confine, openSockets, type RingOptions } from '../capture/ring/sockets.js';
import type { CaptureConfig } from '../config.js';
import { CommandError } from './fail.js';

/** Rather few threads that have work than many that wake each other. */
const workersMax = 64;

/** What each worker listens to, and what to do when none does any more. */
export interface Live {
  readonly plans: readonly LivePlan[];
  readonly close: () => void;
}

/**
 * Plans for workers that each listen to all interfaces. Rings are open when this returns, and
 * privileges are given up; libpcap opens later.
 */
export function openLivePlans(capture: CaptureConfig, names: readonly string[], log: Logger): Live {
  const missing = capture.source === 'pcap' ? null : ringMissing(names);
  if (capture.source === 'ring' && missing !== null) {
    throw new CommandError(`capture.source "ring": ${missing}`);
  }
  if (capture.source !== 'pcap' && missing === null) {
    const sockets = openSockets(names, workersOf(capture), ringOptions(capture));
    confine(capture.user);
    const plans = sockets.plans.map((ring) => ({ kind: 'ring' as const, ring }));
    return { plans, close: () => sockets.close() };
  }
  if (missing !== null) log.info(`capturing with libpcap: ${missing}`);
  if (typeof capture.workers === 'number' && capture.workers > 1) {
    log.warn('libpcap cannot share an interface among workers: one does the work');
  }
  const { ports, promiscuous } = capture;
  const filter = ports === 'any' ? {} : { ports };
  const plan = { kind: 'pcap' as const, interfaces: names, promiscuous, ...filter };
  return { plans: [plan], close: () => {} };
}

/** One processor is left for the main thread. */
function workersOf({ workers }: CaptureConfig): number {
  return Math.min(
    workers === 'auto' ? Math.max(1, availableParallelism() - 1) : workers,
    workersMax,
  );
}

/** Why there can be no ring, or null. */
function ringMissing(names: readonly string[]): string | null {
  if (names.includes('any')) return '"any" is no interface that a ring can have';
  const addon = loadAddon();
  return typeof addon === 'string' ? addon : null;
}

/** The settings of `capture` as a ring takes them. */
export function ringOptions(capture: CaptureConfig): RingOptions {
  const { ports, tunnels, promiscuous, ring } = capture;
  return {
    ...(ports === 'any' ? {} : { ports }),
    tunnels,
    promiscuous,
    ringBytes: ring.bytes,
    blockBytes: ring.block_bytes,
    retire_ms: ring.retire_ms,
  };
}
