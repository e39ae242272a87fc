// What `mailweir run` listens with: the ring where it is there, else libpcap, as `capture.source`
// says. It opens; what comes of the frames is for others.

import type { Logger } from 'pino';
import { loadAddon } from '../capture/ring/addon.js';
import { openRing } from '../capture/ring/open.js';
import { confine, type RingOptions } from '../capture/ring/sockets.js';
import type { Source } from '../capture/source.js';
import type { CaptureConfig } from '../config.js';
import { CommandError } from './fail.js';

/**
 * Sources for these interfaces. One ring merges the frames of all of them by time; libpcap gives a
 * source each. Rings are open when this returns, libpcap opens later.
 */
export async function liveSources(
  capture: CaptureConfig,
  names: readonly string[],
  log: Logger,
): Promise<Source[]> {
  const missing = capture.source === 'pcap' ? null : ringMissing(names);
  if (capture.source !== 'pcap' && missing === null) {
    const ring = openRing(names, ringOptions(capture));
    confine(capture.user);
    return [ring];
  }
  if (capture.source === 'ring') throw new CommandError(`capture.source "ring": ${missing}`);
  if (missing !== null) log.info(`capturing with libpcap: ${missing}`);
  const { openLivePcap } = await import('../capture/live-pcap.js');
  const { ports, promiscuous } = capture;
  const filter = ports === 'any' ? {} : { ports };
  return names.map((name) => openLivePcap(name, { ...filter, promiscuous }));
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
