#!/usr/bin/env node
// The program's door. A replay goes in through the code that was prepared for it when the program
// was built; everything else, and a replay for which nothing was prepared, through the modules.

import { prepared } from './prepared.js';

const { main } = prepared(process.argv[2]) ?? (await import('./program.js'));
process.exitCode = await main(process.argv);
