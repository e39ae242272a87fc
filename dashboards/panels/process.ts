// Panels about what the sensor itself takes: processor, memory, time.

import { process, processRate, quantile } from '../select.js';
import { graph } from '../style.js';

export const processor = graph({
  title: 'Processor',
  description: 'Processors that the sensor keeps busy, all its threads together.',
  unit: 'short',
  queries: [['{{sensor}}', processRate('process_cpu_seconds_total')]],
});

export const memory = graph({
  title: 'Memory',
  description:
    'Memory of the process; flows have a ceiling (`flow.memory_bytes`), so a line that rises for ' +
    'days is a leak.',
  unit: 'bytes',
  queries: [
    ['{{sensor}} resident', process('process_resident_memory_bytes')],
    ['{{sensor}} heap', process('nodejs_heap_size_used_bytes')],
    ['{{sensor}} outside the heap', process('nodejs_external_memory_bytes')],
  ],
});

export const mainThread = graph({
  title: 'Delay of the main thread',
  description:
    'How late the main thread comes to its work, 99 of 100. Packets do not wait for it, rows and ' +
    'answers do.',
  unit: 's',
  queries: [['{{sensor}}', process('nodejs_eventloop_lag_p99_seconds')]],
});

export const files = graph({
  title: 'Open files',
  description: 'Files and connections that are open, and how many may be.',
  unit: 'short',
  queries: [
    ['{{sensor}} open', process('process_open_fds')],
    ['{{sensor}} may be', process('process_max_fds')],
  ],
});

export const scrapes = graph({
  title: 'Time of a scrape',
  description: 'Time that Prometheus keeps the main thread busy: 99 of 100 scrapes take less.',
  unit: 's',
  queries: [['99 of 100', quantile(0.99, 'mailweir_scrape_seconds')]],
  bad: 0.02,
});
