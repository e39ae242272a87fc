// Finds the code that `prepare.mjs` makes of a replay when the program is built: all its modules in
// one script, and what V8 made of them in a run. A replay of a gigabyte takes a second and a half,
// of which reading, parsing and compiling the same hundred modules again was a tenth of a second.
// Nothing depends on it: without it, or with one that does not fit, the modules are loaded.

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { constants, Script } from 'node:vm';

/** What `program.ts` gives. */
export interface Program {
  main(argv: readonly string[]): Promise<number>;
}

/** The cache begins with the SHA-256 of the script and of what follows. */
const digestBytes = 32;

/** The script gives a function of `require` and of what stands for `import.meta.url`. */
type Enter = (require: NodeJS.Require, urlOf: (module: string) => string) => Program;

/** The program as prepared for this command, or null where the modules are to be loaded. */
export function prepared(command: string | undefined): Program | null {
  if (command !== 'replay') return null;
  const filename = fileURLToPath(new URL('../prepared/replay.cjs', import.meta.url));
  const code = freshCode(filename);
  if (code === null) return null;
  const script = new Script(code.text, {
    filename,
    cachedData: code.cache,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const enter = script.runInThisContext() as Enter;
  return enter(createRequire(import.meta.url), (module) => new URL(module, import.meta.url).href);
}

/** Script and cache; null if they are not there, not whole, or older than the modules. */
function freshCode(filename: string): { text: string; cache: Buffer } | null {
  try {
    const built = statSync(new URL('./main.js', import.meta.url)).mtimeMs;
    if (statSync(filename).mtimeMs < built) return null;
    const text = readFileSync(filename);
    const sealed = readFileSync(`${filename}.cache`);
    const cache = sealed.subarray(digestBytes);
    // V8 trusts a cache of its own version, whatever is in it.
    const digest = createHash('sha256').update(text).update(cache).digest();
    return digest.equals(sealed.subarray(0, digestBytes))
      ? { text: text.toString('latin1'), cache }
      : null;
  } catch {
    return null;
  }
}
