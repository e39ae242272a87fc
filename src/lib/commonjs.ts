// Loads packages in Node's older module format. An `import` of one makes Node search all its text
// for the names it exports first, and V8 optimize that search: about 55 ms of its compiler's time
// at every start with the packages of a replay. `require` does not search.

import { createRequire } from 'node:module';

/** `require` as seen from here; give its result the package's own type. */
export const load: NodeJS.Require = createRequire(import.meta.url);
