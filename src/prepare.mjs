// The last step of a build: puts the modules of a replay into one script, runs it over a small
// capture, and keeps what V8 compiled meanwhile. `prepared.ts` says what for. Nothing
// depends on it: without it the modules are loaded one by one.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { constants, Script } from 'node:vm';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'dist', 'src');
const folder = join(root, 'dist', 'prepared');
const file = join(folder, 'replay.cjs');

await bundle();
await warm();

/** All modules that a replay may load, in one script. Other commands stay outside of it. */
async function bundle() {
  const { rolldown } = await import('rolldown');
  const build = await rolldown({
    input: join(modules, 'program.js'),
    platform: 'node',
    external: (id, importer) => isOtherCommand(id, importer),
    plugins: [{ name: 'as-one-script', transform: asOneScript }],
  });
  const { output } = await build.generate({ format: 'cjs', codeSplitting: false });
  const ascii = output[0].code.replaceAll(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    file,
    `(function (require, urlOf) { const module = { exports: {} }; const { exports } = module;\n` +
      `${ascii}\nreturn module.exports; })`,
  );
}

/** Whether this is what one of the commands loads when it is called, and not a replay. */
function isOtherCommand(id, importer) {
  if (importer === undefined || !/(^|[\\/])(program|\w+-words)\.js$/.test(importer)) return false;
  return id !== './cli/replay.js' && readFileSync(importer, 'utf8').includes(`import('${id}')`);
}

/**
 * Packages loaded by `load` are put in, but for the one that is a megabyte of tables and seldom
 * asked; places of modules stay theirs.
 */
function asOneScript(code, id) {
  const other = /import\.meta\.(?!url)\w+/.exec(code);
  if (other !== null) throw new Error(`${id}: the prepared code has no ${other[0]}`);
  const place = relative(modules, id).split(sep).join('/');
  return code
    .replaceAll(/\bload\('(?!iconv-lite')/g, "require('")
    .replaceAll('import.meta.url', `urlOf(${JSON.stringify(place)})`);
}

/** Replays a generated capture through the script and keeps the code that V8 has then. */
async function warm() {
  const scratch = mkdtempSync(join(tmpdir(), 'mailweir-prepare-'));
  try {
    const capture = join(scratch, 'ordinary.pcap');
    const traffic = pathToFileURL(join(root, 'dist', 'bench', 'generate', 'traffic.js'));
    const { generate, presets } = await import(traffic.href);
    const options = { ...presets.ordinary.options, sessions: 300, concurrency: 30 };
    generate({ path: capture, seed: 1, options });
    const script = new Script(readFileSync(file, 'latin1'), {
      filename: file,
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    const urlOf = (module) => new URL(module, pathToFileURL(join(modules, sep))).href;
    const { main } = script.runInThisContext()(createRequire(join(modules, 'main.js')), urlOf);
    const words = ['replay', capture, '--format', 'eve', '--output', join(scratch, 'events')];
    const status = await main([process.execPath, 'mailweir', ...words]);
    if (status !== 0) throw new Error(`the prepared replay ended with ${status}`);
    const cache = script.createCachedData();
    const digest = createHash('sha256').update(readFileSync(file)).update(cache).digest();
    writeFileSync(`${file}.cache`, Buffer.concat([digest, cache]));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
