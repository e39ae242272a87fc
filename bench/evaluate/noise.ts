// The mirrors on which a world is judged as packets: what is lost, what is seen of one side only,
// how the clocks stand and what the access network wraps around.

import { epoch } from '../world/files.js';
import { minute } from '../world/source.js';
import type { CaptureDayOptions } from './day.js';

type Noise = Pick<CaptureDayOptions, 'mirror' | 'wrapping'>;

/** By the name in the table. */
export const noises: Readonly<Record<string, Noise>> = {
  'perfect mirror': {},
  'loss 0.1 %': { mirror: { loss: 0.001 } },
  'loss 1 %': { mirror: { loss: 0.01 } },
  'loss 5 %': { mirror: { loss: 0.05 } },
  'one side of 30 %': { mirror: { oneSided: 0.3 } },
  'one side of all': { mirror: { oneSided: 1 } },
  'clocks 40 ms apart': { mirror: { skew: 40_000 } },
  'begins 20 minutes late': { mirror: { begins: epoch + 20 * minute } },
  'two VLAN tags': { wrapping: () => ({ vlan: [2001, 117] }) },
  PPPoE: { wrapping: () => ({ vlan: [], pppoe: true }) },
};
