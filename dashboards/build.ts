// `node dist/dashboards/build.js FOLDER` writes what Prometheus and Grafana mount.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { files, usualPlaces } from './provisioning.js';

const folder = process.argv[2] ?? 'build/dashboards';
const written = files(usualPlaces);
for (const [path, text] of written) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
console.log(`${written.size} files written to ${folder}`);
