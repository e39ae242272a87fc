// Loaded into a measured process with `--import`: at its exit it writes the peak resident set, in
// KiB, to the file that MAILWEIR_PEAK names.

import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

const { MAILWEIR_PEAK: path } = process.env;
if (path !== undefined && isMainThread) {
  process.on('exit', () => writeFileSync(path, String(process.resourceUsage().maxRSS)));
}
