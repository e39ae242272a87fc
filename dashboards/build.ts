// `node dist/dashboards/build.js FOLDER` writes what Prometheus and Grafana mount.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { board } from './boards.js';
import { ruleFile } from './rules.js';

const folder = process.argv[2] ?? 'build/dashboards';
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'rules.yml'), ruleFile());
writeFileSync(join(folder, 'mailweir.json'), `${JSON.stringify(board(), null, 2)}\n`);
console.log(`rules.yml and mailweir.json written to ${folder}`);
