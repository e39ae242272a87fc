// Panels about what comes in and what is lost on the way: capture, decoding, connections.

import { limits } from '../limits.js';
import { least, most, mostBy, rate, rateBy, share, sum, sumBy } from '../select.js';
import { figure, graph } from '../style.js';

const packets = 'mailweir_capture_packets_total';
const drops = 'mailweir_capture_kernel_drops_total';
const kernelLoss = share(rate(drops), `(${rate(packets)} + ${rate(drops)})`);
const unseen = rate('mailweir_flow_unseen_bytes_total');
const streamLoss = share(unseen, `(${rate('mailweir_flow_stream_bytes_total')} + ${unseen})`);

export const packetsNow = figure({
  title: 'Packets',
  description: 'Packets read a second. None at all: the sensor is blind.',
  unit: 'pps',
  queries: [['packets', rate(packets)]],
  console: '/#/sensor',
});

export const lossNow = figure({
  title: 'Lost',
  description:
    'Share of the payload that never reached the sensor, by the sequence numbers of the ' +
    'connections themselves. Above one percent nobody is blocked.',
  unit: 'percentunit',
  queries: [['lost', most('mailweir_detect_loss_ratio')]],
  warn: limits.kernelLoss,
  bad: limits.streamLoss,
});

export const bothSidesNow = figure({
  title: 'Both directions',
  description:
    'Share of connections of which both directions are seen. Under four fifths nobody is ' +
    'blocked, because replies are the evidence.',
  unit: 'percentunit',
  queries: [['both', least('mailweir_detect_symmetry_ratio')]],
  warn: 0.95,
  bad: limits.symmetry,
  falling: true,
});

export const packetsBySensor = graph({
  title: 'Packets by sensor',
  description: 'Packets read a second. A line at zero is a mirror session or a cable that is down.',
  unit: 'pps',
  queries: [['{{sensor}}', rateBy('sensor', packets)]],
});

export const bytesBySensor = graph({
  title: 'Traffic by sensor',
  description: 'Bytes on the wire a second, of the packets that were read.',
  unit: 'binBps',
  queries: [['{{sensor}}', rateBy('sensor', 'mailweir_capture_bytes_total')]],
});

export const losses = graph({
  title: 'Losses',
  description:
    'Kernel: packets dropped because nobody read them in time (more workers, a larger ring). ' +
    'Wire: payload that was acknowledged and never seen (the mirror port itself loses).',
  unit: 'percentunit',
  queries: [
    ['kernel', kernelLoss],
    ['wire', streamLoss],
  ],
  bad: limits.streamLoss,
});

export const ringFill = graph({
  title: 'Ring fill',
  description: 'Share of the fullest ring that waits to be read. Near 1, the next burst is lost.',
  unit: 'percentunit',
  queries: [['{{sensor}}', mostBy('sensor', 'mailweir_capture_ring_fill_ratio')]],
  bad: limits.ringFill,
});

export const packetsByWorker = graph({
  title: 'Packets by worker',
  description:
    'How the work is shared. One worker far above the others is one large flow, or traffic ' +
    'whose addresses the steering cannot see.',
  unit: 'pps',
  queries: [['{{worker}}', rateBy('worker', 'mailweir_worker_packets_total')]],
});

export const workerTrouble = graph({
  title: 'Workers that died',
  description: 'Workers started again, and what was lost with them. All zero is right.',
  unit: 'short',
  queries: [
    ['restarts', rate('mailweir_worker_restarts_total')],
    ['connections', rate('mailweir_worker_lost_flows_total')],
    ['frames', rate('mailweir_worker_lost_frames_total')],
  ],
});

export const interfacesDown = figure({
  title: 'Interfaces down',
  description:
    'Interfaces that the sensor listens on and that are down. What they carry is not seen.',
  unit: 'short',
  queries: [['down', sum('mailweir_capture_interfaces_down')]],
  bad: 1,
});

export const skipped = graph(
  {
    title: 'Packets left out',
    description:
      'Packets that hold no mail, by reason. Other ports are usual; broken frames and fragments ' +
      'that never complete point at the mirror.',
    unit: 'pps',
    queries: [['{{reason}}', rateBy('reason', 'mailweir_decode_skipped_total')]],
  },
  { stacked: true },
);

export const decodeFacts = graph({
  title: 'Oddities of packets',
  description:
    'Facts beside the reason, such as tunnels or wrong checksums, and second copies from a ' +
    'mirror of both ends.',
  unit: 'pps',
  queries: [
    ['{{fact}}', rateBy('fact', 'mailweir_decode_facts_total')],
    ['second copies', rate('mailweir_decode_duplicates_total')],
  ],
});

export const connectionsOpen = graph({
  title: 'Connections open',
  description: 'Connections in the tables. Evictions begin where the memory ceiling is reached.',
  unit: 'short',
  queries: [['{{sensor}}', sumBy('sensor', 'mailweir_flow_open')]],
});

export const connectionsEnded = graph({
  title: 'Connections that ended',
  description:
    'Half open: no payload, scanners or attempts in vain. Other: not mail. One sided: only one ' +
    'direction seen. The rest was mail with both directions.',
  unit: 'ops',
  queries: [
    ['all', rate('mailweir_flow_connections_total')],
    ['half open', rate('mailweir_flow_half_open_total')],
    ['other', rate('mailweir_flow_other_total')],
    ['one sided', rate('mailweir_flow_one_sided_total')],
  ],
});

export const gaps = graph({
  title: 'Holes in the streams',
  description:
    'Bytes that are missing in what was read. Transactions with holes are never evidence ' +
    'against anybody.',
  unit: 'binBps',
  queries: [['missing', rate('mailweir_flow_gap_bytes_total')]],
});

export const givenUp = graph({
  title: 'Given up at a limit',
  description:
    'Connections evicted, segments and names without memory, segments outside any window, rows ' +
    'that could not be handed on. More than now and then: raise the memory ceiling.',
  unit: 'ops',
  queries: [
    ['evicted', rate('mailweir_flow_evicted_total')],
    ['no memory', rate('mailweir_flow_exhausted_total')],
    ['outside a window', rate('mailweir_flow_out_of_window_total')],
    ['rows dropped', rate('mailweir_rows_dropped_total')],
  ],
});
