// `node dist/dashboards/build.js FOLDER` writes what Prometheus mounts.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ruleFile } from './rules.js';

const folder = process.argv[2] ?? 'build/dashboards';
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'rules.yml'), ruleFile());
console.log(`${join(folder, 'rules.yml')} written`);
