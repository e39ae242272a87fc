// A process that captures and does nothing else: the capture step alone. Its words are the source
// (ring or pcap) and the interface; it says how many frames came when it is ended.

import process from 'node:process';
import { openLivePcap } from '../src/capture/live-pcap.js';
import { openRing } from '../src/capture/ring/open.js';

const [kind, name = 'lo'] = process.argv.slice(2);
const ports = [25, 465, 587, 2525];
const source = kind === 'pcap' ? openLivePcap(name, { ports }) : openRing([name], { ports });
let frames = 0;
let bytes = 0;
process.once('SIGTERM', () => source.close());
for (;;) {
  const batch = await source.next();
  if (batch === null) break;
  frames += batch.count;
  for (let i = 0; i < batch.count; i += 1) bytes += batch.length[i]!;
}
console.log(JSON.stringify({ frames, bytes, drops: source.drops }));
process.exit(0);
