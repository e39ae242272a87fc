// Set-up on a machine that has nothing but Node.js: what `npm start` and `npm test` do before and
// around the program. Plain JavaScript and node: modules only, because nothing else is there yet.
// Each step leaves a stamp and is skipped while the stamp holds, so the second time is offline.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => join(root, ...parts);
const manifest = JSON.parse(readFileSync(at('package.json'), 'utf8'));
const unattended = process.env.CI === 'true';
const mayInstall = unattended || process.env.MAILWEIR_SETUP === 'system';

/** Debian packages by what they are for, each with a file or a program that shows it is there. */
const systemPackages = {
  // The addon and the optional `pcap` package, with which `mailweir run` listens, are compiled here.
  live: {
    'libpcap-dev': ['/usr/include/pcap/pcap.h', '/usr/include/pcap.h'],
    make: ['make'],
    'g++': ['g++'],
    python3: ['python3'],
  },
  tests: {
    tcpdump: ['tcpdump'],
    tcpreplay: ['tcpreplay'],
    tshark: ['tshark'],
    iproute2: ['ip'],
    ethtool: ['ethtool'],
    'util-linux': ['setpriv'],
    openssl: ['openssl'],
    zstd: ['zstd'],
    rsyslog: ['/usr/sbin/rsyslogd'],
    'bind9-dnsutils': ['dig'],
    unbound: ['/usr/sbin/unbound'],
    postfix: ['/usr/lib/postfix/sbin/postscreen'],
    swaks: ['swaks'],
    dnsperf: ['dnsperf'],
    prometheus: ['promtool'],
    rbldnsd: ['/usr/sbin/rbldnsd'],
    exabgp: ['exabgp', '/usr/sbin/exabgp'],
    gobgpd: ['gobgpd'],
    nftables: ['nft', '/usr/sbin/nft'],
    curl: ['curl'],
    rspamd: ['rspamd'],
    chromium: ['/usr/bin/chromium'],
    'crowdsec-firewall-bouncer': ['crowdsec-firewall-bouncer'],
  },
};

const stamps = {
  install: at('node_modules', '.mailweir-install.json'),
  build: at('dist', '.built'),
  demo: at('build', '.demo'),
  addon: at('build', '.ring.json'),
};
/** Where src/capture/ring/addon.ts looks for it. */
const addonFile = at('build', 'ring.node');

/** A step failed in a way that one readable line explains. */
class Stop extends Error {}

try {
  process.exitCode = await main(process.argv[2] ?? 'start', process.argv.slice(3));
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  console.error(`\nset-up stopped: ${error.message}`);
  if (process.argv[2] === 'test') console.log('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
}

async function main(command, words) {
  checkNode();
  if (command === 'start') return start();
  if (command === 'test') return test(words);
  if (command === 'addon') return buildAddon();
  if (command === 'lock') return completeLock();
  throw new Stop(`there is no "${command}"; npm start and npm test are the commands`);
}

/** Sets up, then replays the demonstration capture. */
async function start() {
  await setUp();
  const capture = await demonstration();
  const config = at('build', 'demo.yaml');
  const program = [at('dist', 'src', 'main.js'), 'replay', capture, '--config', config];
  const events = at('build', 'demo.ndjson');
  say(`mailweir replay ${shown(capture)} --config ${shown(config)}`);
  const summary = node(program);
  if (summary !== 0) return summary;
  const written = node([...program, '--format', 'eve', '--output', events]);
  if (written !== 0) return written;
  console.log(`
Where to look next
  ${shown(events).padEnd(36)} the same as events, one JSON object a line
  ${shown(config).padEnd(36)} whose network it is, and its registers beside it
  npx mailweir replay FILE             a capture of your own (pcap, pcapng, also gzip or zstd)
  npx mailweir replay FILE --config F  the same, and who is to be judged
  npx mailweir replay FILE --ports any when its mail is not on ports 25, 465, 587 and 2525
  README.md, "The console"             the same as a page that moves, in a browser
  npx mailweir --help                  what else there is
  src/README.md                        how it works, folder by folder`);
  return 0;
}

/** Sets up, runs every test, and ends with one line of counts. */
async function test(words) {
  tools('tests', 'Some tests need programs that are not here and will be skipped');
  await setUp();
  await demonstration();
  const report = at('build', 'tests.json');
  rmSync(report, { force: true });
  mkdirSync(at('build'), { recursive: true });
  const vitest = at('node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = node([vitest, 'run', ...reporters, ...words]);
  const counts = countTests(report, status);
  for (const [file, names] of counts.skips) {
    console.log(`\nSKIPPED in ${file}: ${names.length}`);
    for (const name of names) console.log(`  ${name}`);
  }
  if (counts.skipped > 0 && unattended) console.log('\nCI=true: a skipped test is a failure');
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed > 0 || status !== 0 || (unattended && counts.skipped > 0) ? 1 : 0;
}

/** Reads the tests' own report. What failed outside a test counts as one failure. */
function countTests(report, status) {
  const counts = { passed: 0, failed: 0, skipped: 0, skips: new Map() };
  const files = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')).testResults : [];
  for (const file of files) {
    const skips = [];
    let failed = 0;
    for (const { status: result, fullName } of file.assertionResults) {
      if (result === 'passed') counts.passed += 1;
      else if (result === 'failed') failed += 1;
      else skips.push(fullName);
    }
    if (failed === 0 && file.status === 'failed') failed = 1;
    counts.failed += failed;
    counts.skipped += skips.length;
    if (skips.length > 0) counts.skips.set(shown(file.name), skips);
  }
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

async function setUp() {
  const canBuild = tools(
    'live',
    'Live capture needs packages that are not here (files work without)',
  );
  install(canBuild);
  addon(canCompile());
  build();
}

function checkNode() {
  const wanted = /(\d+)\.(\d+)/.exec(manifest.engines.node).slice(1).map(Number);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > wanted[0] || (major === wanted[0] && minor >= wanted[1])) return;
  throw new Stop(
    `Node.js ${process.versions.node} is too old; mailweir needs ${wanted.join('.')} or newer ` +
      '(https://nodejs.org)',
  );
}

/** The packages of package-lock.json, exactly, and the optional one for live capture if it builds. */
function install(canBuild) {
  const lock = hash([at('package-lock.json')]);
  const stamp = readStamp(stamps.install);
  const fresh = stamp?.lock === lock || (stamp === null && installedAsLocked());
  // A compiled package fits one version of Node's binary interface, and deserves another attempt
  // when that version changes or what was missing has come.
  const live = { abi: process.versions.modules, tried: canBuild };
  const again =
    stamp !== null && canBuild && (stamp.abi !== live.abi || !(stamp.live || stamp.tried));
  if (!fresh || (again && !existsSync(at('node_modules', 'pcap')))) {
    say('npm ci');
    npm(['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund']);
  } else if (again) {
    say('npm rebuild pcap');
    npm(['rebuild', 'pcap'], true);
  } else if (stamp !== null) return;
  const found = hasPcap();
  if (!found && canBuild) {
    console.log(
      'The optional package pcap could not be built for this Node.js (its headers may be',
    );
    console.log('missing): live capture is off, files work.');
  }
  writeFileSync(stamps.install, JSON.stringify({ lock, live: found, ...live }));
}

/**
 * The capture addon, compiled where that can be; without it libpcap or files are left. Again when
 * its source or Node's binary interface changes, or when what was missing has come.
 */
function addon(mayCompile) {
  if (process.platform !== 'linux') return;
  const folder = at('src', 'capture', 'ring', 'native');
  const sources = ['.cc', '.h', '.gyp'].flatMap((ending) => filesIn(folder, ending));
  const state = { digest: hash(sources), abi: process.versions.modules };
  const stamp = readStamp(stamps.addon);
  const same = stamp?.digest === state.digest && stamp.abi === state.abi;
  if (same && (stamp.tried || !mayCompile) && existsSync(addonFile) === stamp.built) return;
  mkdirSync(at('build'), { recursive: true });
  rmSync(addonFile, { force: true });
  if (mayCompile) compile(folder);
  const built = existsSync(addonFile);
  if (mayCompile && !built) {
    console.log('The capture addon could not be built (see above): libpcap is used instead of it.');
  }
  writeFileSync(stamps.addon, JSON.stringify({ ...state, tried: mayCompile, built }));
}

/** Whether node-gyp finds what it runs. */
function canCompile() {
  return ['make', 'g++', 'python3'].every(onPath);
}

/** `npm run addon`: only that, for who works on it. */
function buildAddon() {
  if (!canCompile()) tools('live', 'The addon needs packages that are not here');
  addon(canCompile());
  return existsSync(addonFile) ? 0 : 1;
}

/** Runs node-gyp with Node's own headers, so that nothing is fetched. */
function compile(folder) {
  say('node-gyp rebuild (the capture addon)');
  const nodedir = dirname(dirname(process.execPath));
  const gyp = at('node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  const words = ['rebuild', '--silent', '-C', folder, `--nodedir=${nodedir}`];
  const { status } = spawnSync(process.execPath, [gyp, ...words], { stdio: 'inherit', cwd: root });
  const made = join(folder, 'build', 'Release', 'ring.node');
  if (status !== 0 || !existsSync(made)) return;
  // Beside and then in place: a running daemon keeps the file that it has open.
  copyFileSync(made, `${addonFile}.new`);
  renameSync(`${addonFile}.new`, addonFile);
  rmSync(join(folder, 'build'), { recursive: true, force: true });
}

/** Whether somebody ran `npm ci` by hand: every package that must be there is, in its version. */
function installedAsLocked() {
  const hidden = at('node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const there = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === '' || ((optional || devOptional) && there[path] === undefined)) return true;
    return there[path]?.version === version;
  });
}

/** Whether live capture works: npm may keep a package that was built for another Node.js, or half. */
function hasPcap() {
  const words = ['--input-type=commonjs', '-e', "require('pcap')"];
  return spawnSync(process.execPath, words, { stdio: 'ignore', cwd: root }).status === 0;
}

/**
 * Names the Debian packages of one purpose that are missing, or installs them where that was asked
 * for. True when nothing is missing in the end.
 */
function tools(purpose, why) {
  const missing = Object.entries(systemPackages[purpose])
    .filter(
      ([, signs]) =>
        !signs.some((sign) => (sign.startsWith('/') ? existsSync(sign) : onPath(sign))),
    )
    .map(([name]) => name);
  if (missing.length === 0) return true;
  if (process.platform !== 'linux') return false;
  const asRoot = process.getuid() === 0 ? '' : 'sudo ';
  const command = `${asRoot}apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!mayInstall || !onPath('apt-get')) {
    // Once is enough for something that works without, and not needed once it works.
    const stamp = readStamp(stamps.install);
    const told = purpose === 'live' && (stamp?.live || stamp?.tried === false);
    if (!told) console.log(`${why}:\n  ${command}`);
    return false;
  }
  say(command);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Postfix is for the tests alone: as installed it must not begin to take mail on this machine.
  const answer = 'postfix postfix/main_mailer_type select No configuration\n';
  const [program, ...words] = `${asRoot}debconf-set-selections`
    .replace('sudo ', 'sudo -n ')
    .split(' ');
  if (missing.includes('postfix')) spawnSync(program, words, { input: answer });
  for (const line of [`${asRoot}apt-get update`, command]) {
    const [program, ...words] = line.replace('sudo ', 'sudo -n -E ').split(' ');
    const { status } = spawnSync(program, words, { stdio: 'inherit', env });
    if (status !== 0) throw new Stop(`"${line}" failed; run it by hand and try again`);
  }
  return true;
}

function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

/** Compiles src, bench and test into dist, from an empty folder so that nothing old is left. */
function build() {
  const sources = ['src', 'bench', 'test', 'dashboards'].flatMap((folder) =>
    filesUnder(at(folder), '.ts'),
  );
  const inputs = [...sources, at('tsconfig.json'), at('package-lock.json')];
  const digest = hash(inputs);
  if (readStamp(stamps.build) === digest && existsSync(at('dist', 'src', 'main.js'))) return;
  say('npm run build');
  rmSync(at('dist'), { recursive: true, force: true });
  npm(['run', 'build']);
  writeFileSync(stamps.build, JSON.stringify(digest));
}

/** The demonstration capture and its configuration: the same bytes every time. */
async function demonstration() {
  const capture = at('build', 'demo.pcap');
  const generator = at('dist', 'bench', 'world', 'demo.js');
  const parts = ['generate', 'world'].flatMap((name) =>
    filesUnder(at('dist', 'bench', name), '.js'),
  );
  const digest = hash(parts);
  const there = existsSync(capture) && existsSync(at('build', 'demo.yaml'));
  if (readStamp(stamps.demo) === digest && there) return capture;
  say(`writing ${shown(capture)}`);
  mkdirSync(at('build'), { recursive: true });
  const { writeDemo } = await import(pathToFileURL(generator).href);
  await writeDemo(capture);
  writeFileSync(stamps.demo, JSON.stringify(digest));
  return capture;
}

/**
 * Adds to package-lock.json the packages for other systems that the registry at hand did not have
 * when the lock was written. npm leaves them out then, and `npm ci` refuses such a lock everywhere.
 * Run it after `npm install` changed the lock; a test says when it is needed.
 */
function completeLock() {
  const path = at('package-lock.json');
  const lock = JSON.parse(readFileSync(path, 'utf8'));
  const { packages } = lock;
  const added = [];
  for (const { optionalDependencies = {}, dev } of Object.values(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const place = `node_modules/${name}`;
      if (packages[place] !== undefined || !/^\d/.test(version)) continue;
      packages[place] = { version, ...platformOf(name), ...(dev && { dev }), optional: true };
      added.push(`${name} ${version}`);
    }
  }
  const sorted = Object.entries(packages).sort(([one], [other]) => (one < other ? -1 : 1));
  lock.packages = Object.fromEntries(sorted);
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(added.length === 0 ? 'the lock is complete' : added.join('\n'));
  return 0;
}

/** The system a compiled package is for, as such packages are named: ...-linux-x64-musl. */
function platformOf(name) {
  const words = name.split('/').at(-1).split('-');
  const systems = [
    'aix',
    'android',
    'darwin',
    'freebsd',
    'linux',
    'netbsd',
    'openbsd',
    'openharmony',
  ];
  const os = words.find((word) => [...systems, 'sunos', 'win32'].includes(word));
  const cpu = words[words.indexOf(os) + 1];
  const form = words.at(-1);
  const libc =
    os !== 'linux' ? null : /musl/.test(form) ? 'musl' : /gnu/.test(form) ? 'glibc' : null;
  return { cpu: [cpu], ...(libc && { libc: [libc] }), os: [os] };
}

// Small helpers.

function say(text) {
  console.log(`\n> ${text}`);
}

function shown(path) {
  return relative(root, path).split(sep).join('/') || path;
}

/** Runs Node on a program and gives its exit status. */
function node(words) {
  const { status, signal } = spawnSync(process.execPath, words, { stdio: 'inherit', cwd: root });
  if (signal !== null) throw new Stop(`${shown(words[0])} was ended by ${signal}`);
  return status;
}

/** Runs npm, the one that runs us where there is one. */
function npm(words, mayFail = false) {
  const own = process.env.npm_execpath;
  const script = own !== undefined && /npm-cli\.c?js$/.test(own) ? own : null;
  // Whatever npm starts must be compiled for, and run by, the Node.js that runs this.
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const env = { ...process.env, ...headers(), PATH };
  // `npm test --silent` is about the tests' own output, not about what a failed step has to say.
  delete env.npm_config_loglevel;
  const { status } = spawnSync(
    script === null ? 'npm' : process.execPath,
    script === null ? words : [script, ...words],
    { stdio: 'inherit', cwd: root, env, shell: script === null && process.platform === 'win32' },
  );
  if (status === 0 || mayFail) return;
  throw new Stop(`"npm ${words.join(' ')}" failed; what is above says why`);
}

/** Node's own headers where they lie beside it: compiling then fetches nothing. */
function headers() {
  const folder = dirname(dirname(process.execPath));
  const there = existsSync(join(folder, 'include', 'node', 'node_api.h'));
  return there ? { npm_package_config_node_gyp_nodedir: folder } : {};
}

function readStamp(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

function filesUnder(folder, ending) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesUnder(path, ending);
      return entry.name.endsWith(ending) ? [path] : [];
    })
    .sort();
}

function filesIn(folder, ending) {
  const names = readdirSync(folder).filter((name) => name.endsWith(ending));
  return names.sort().map((name) => join(folder, name));
}

function hash(paths) {
  const digest = createHash('sha256');
  for (const path of paths) digest.update(shown(path)).update('\0').update(readFileSync(path));
  return digest.digest('hex');
}
