// Opens what a live packet worker listens to. Which kind of source it is was decided before, in the
// main thread (cli/live.ts); each worker opens its own.

import { openLivePcap } from './live-pcap.js';
import { openCapture } from './open.js';
import { PacedSource } from './pace.js';
import { attachRing, type RingSource } from './ring/open.js';
import type { RingPlan } from './ring/sockets.js';
import type { Source } from './source.js';

/** What one worker listens to. It crosses threads: plain values only. */
export type LivePlan = AttachPlan | PcapPlan | FilePlan;

/** AF_PACKET rings that the main thread opened: the only way to share an interface. */
interface AttachPlan {
  readonly kind: 'ring';
  readonly ring: RingPlan;
}

interface PcapPlan {
  readonly kind: 'pcap';
  readonly interfaces: readonly string[];
  /** Absent: everything is captured. */
  readonly ports?: readonly number[];
  readonly promiscuous: boolean;
}

/** A capture file for ever, as if it were an interface: for rehearsals without one. */
interface FilePlan {
  readonly kind: 'file';
  readonly path: string;
  /** Times real time; null is as fast as it can. */
  readonly speed: number | null;
  /** Microseconds of packet time between two rounds. */
  readonly gap: number;
}

export interface OpenedLive {
  readonly sources: readonly Source[];
  /** The ring among them, whose figures say more than those of others. */
  readonly ring: RingSource | null;
}

/** Opens the sources of a plan: rings at once, the others with their first `next`. */
export function openLive(plan: LivePlan): OpenedLive {
  switch (plan.kind) {
    case 'ring': {
      const ring = attachRing(plan.ring);
      return { sources: [ring], ring };
    }
    case 'pcap': {
      const { interfaces, kind, ...options } = plan;
      return { sources: interfaces.map((name) => openLivePcap(name, options)), ring: null };
    }
    case 'file': {
      const pace = { loop: true, speed: plan.speed, gap: plan.gap };
      return { sources: [new PacedSource(() => openCapture(plan.path), pace)], ring: null };
    }
  }
}
