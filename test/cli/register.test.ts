// `mailweir register` as an operator uses it: a dry run, an import, a mistake, a cut file, a look
// into the past. Versions stay on the disk, and the register is never half of one.

import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { History, sha256 } from '../../src/register/history.js';
import { Daemon, type Ended, mailweir } from '../helper/program.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailweir-register-'));
  const registers = 'servers: servers.csv, codes: codes.csv, allow: allow.csv';
  file('mailweir.yaml', `network: { own: [192.0.2.0/24] }\nregisters: { ${registers} }\n`);
  file('codes.csv', 'code,holder,issued_on,source_cidrs\n');
  file('allow.csv', 'cidr,owner,reason,until\n192.0.2.200/32,noc,probe,\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const text = (name: string) => readFileSync(join(folder, name), 'utf8');

function register(...words: string[]): Ended {
  const ended = mailweir(['register', ...words, '--config', join(folder, 'mailweir.yaml')]);
  const plain = (some: string) => some.replaceAll(`${folder}/`, '');
  return { ...ended, stdout: plain(ended.stdout), stderr: plain(ended.stderr) };
}

/** A register of `count` servers in order. */
function servers(count: number, extra = ''): string {
  const line = (_: unknown, n: number) =>
    `192.0.2.${n}/32,Operator ${n},registered,2024-01-01,2024-02-01,L${n}\n`;
  const names = 'cidr,operator,role,filed_at,starts_at,licence\n';
  return `# our servers\n${names}${Array.from({ length: count }, line).join('')}${extra}`;
}

it('a dry run shows what an import would do, and does nothing', () => {
  const fresh = file('new.csv', servers(2));
  const { status, stdout } = register('import', fresh, '--dry-run');
  expect(stdout).toBe(
    '+ 192.0.2.0/32\n+ 192.0.2.1/32\n2 added, 0 removed, 0 changed, 0 the same\n' +
      'dry run: nothing was changed\n',
  );
  expect(status).toBe(0);
  expect(readdirSync(folder).sort()).toEqual([
    'allow.csv',
    'codes.csv',
    'mailweir.yaml',
    'new.csv',
  ]);
});

it('imports are kept, numbered, and put in force byte for byte', () => {
  expect(register('import', file('one.csv', servers(20))).stdout).toMatch(
    /20 added.*\nversion 1 is in force: 20 entries in servers\.csv\n$/,
  );
  expect(text('servers.csv'), 'with its remark').toBe(servers(20));
  chmodSync(join(folder, 'servers.csv'), 0o640);
  const next = servers(20).replace('Operator 3,registered', 'Operator 3,registered-bulk');
  const second = register('import', file('two.csv', next.replace(/192\.0\.2\.19.*\n/, '')));
  expect(second.stdout).toBe(
    '- 192.0.2.19/32\n~ 192.0.2.3/32  role: registered -> registered-bulk\n' +
      '0 added, 1 removed, 1 changed, 18 the same\n' +
      'version 2 is in force: 19 entries in servers.csv\n',
  );
  expect(statSync(join(folder, 'servers.csv')).mode & 0o777).toBe(0o640);
  expect(readdirSync(join(folder, 'servers.csv.versions')).sort()).toEqual([
    '000001.about.json',
    '000001.csv',
    '000002.about.json',
    '000002.csv',
  ]);
  expect(text('servers.csv.versions/000001.csv')).toBe(servers(20));
  expect(register('import', join(folder, 'two.csv')).stdout).toContain(
    'version 2 is in force already',
  );
  const { stdout } = register('list', '--versions');
  expect(stdout).toMatch(
    /^ {2}1 {2}\S+Z {2}\w{12} {2}20 entries from one\.csv\n\* 2 {2}.* two\.csv\n$/,
  );
  // Going back is an import of the old version; it becomes the next one.
  const back = register('import', join(folder, 'servers.csv.versions', '000001.csv'));
  expect(back.stdout).toContain('version 3 is in force: 20 entries');
  expect(text('servers.csv')).toBe(servers(20));
});

it('an import that drops more than a tenth is refused, unless somebody says why', () => {
  register('import', file('one.csv', servers(20)));
  const cut = file('cut.csv', servers(17));
  const refused = register('import', cut);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toBe(
    'mailweir: refused: it drops 3 of 20 entries, more than 10 % (registers.drop_max_percent); ' +
      'if that is right, give --force "REASON"\n',
  );
  expect(register('import', cut, '--force', ' ').status).toBe(1);
  expect(register('import', file('empty.csv', servers(0))).status).toBe(1);
  expect(text('servers.csv')).toBe(servers(20));
  expect(register('import', file('less.csv', servers(18))).status, 'exactly a tenth').toBe(0);
  const forced = register('import', file('few.csv', servers(1)), '--force', 'two towns left');
  expect(forced.status).toBe(0);
  expect(register('list', '--versions').stdout).toContain('1 entries from few.csv; two towns left');
});

it('a file with mistakes changes nothing and is told line by line', () => {
  register('import', file('one.csv', servers(20)));
  const broken = file(
    'broken.csv',
    servers(20, '192.0.2.300/32,X,registered,,,\n192.0.2.4,Y,x,,,\n'),
  );
  const { status, stderr } = register('import', broken);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^mailweir: broken\.csv:23:1 cidr: .*\nmailweir: broken\.csv:24:13 role: /,
  );
  expect(text('servers.csv')).toBe(servers(20));
  expect(readdirSync(join(folder, 'servers.csv.versions')).length).toBe(2);
});

it('what was edited by hand is kept before it is replaced', () => {
  register('import', file('one.csv', servers(20)));
  const edited = servers(20, '# by hand\n');
  file('servers.csv', edited);
  expect(register('list', '--versions').stdout).toContain('in force, and never imported');
  register('import', file('two.csv', servers(21)));
  expect(text('servers.csv.versions/000002.csv')).toBe(edited);
  expect(text('servers.csv.versions/000003.csv')).toBe(servers(21));
});

it('a broken register in place is repaired by an import', () => {
  file('servers.csv', 'garbage\n');
  const { status, stderr } = register('import', file('one.csv', servers(2)));
  expect(status).toBe(0);
  expect(stderr).toContain('servers.csv: broken as it is, so everything counts as added');
  expect(text('servers.csv')).toBe(servers(2));
});

it('JSON becomes the form of the register', () => {
  const entry = {
    cidr: '192.0.2.1/32',
    operator: 'A, B',
    role: 'registered',
    domains: ['a.example'],
  };
  const { status } = register('import', file('new.json', JSON.stringify([entry])));
  expect(status).toBe(0);
  expect(text('servers.csv')).toContain('\n192.0.2.1/32,"A, B",registered,');
  expect(register('show', '192.0.2.1').stdout).toContain('domains     a.example\n');
});

it('imports at once take a number each, and the register is one of them, whole', async () => {
  const config = join(folder, 'mailweir.yaml');
  const daemons = [21, 22, 23].map((count) => {
    const path = file(`${count}.csv`, servers(count));
    return new Daemon(['register', 'import', path, '--config', config]);
  });
  await Promise.all(daemons.map(({ child }) => once(child, 'close')));
  // A slower one may find fewer entries than are there by then; what it keeps is whole all the
  // same.
  const done = daemons.filter(({ child }) => child.exitCode === 0).length;
  expect(done).toBeGreaterThan(0);
  const history = new History(join(folder, 'servers.csv'));
  const versions = history.versions();
  expect(new Set(versions.map(({ version }) => version)).size).toBe(versions.length);
  expect(versions.filter(({ from }) => from !== 'servers.csv').length).toBe(done);
  expect([21, 22, 23].map((count) => servers(count))).toContain(text('servers.csv'));
  for (const { version, sha256: digest } of versions) {
    expect(sha256(readFileSync(history.pathOf(version)))).toBe(digest);
  }
  expect(readdirSync(folder).filter((name) => name.includes('.new'))).toEqual([]);
});

it('a number whose import was cut off is not given again', () => {
  const history = new History(join(folder, 'servers.csv'));
  const about = { time: '2024-01-01T00:00:00Z', entries: 1, from: 'x', reason: '' };
  for (const n of [1, 2, 3]) expect(history.keep(Buffer.from(`${n}`), about).version).toBe(n);
  rmSync(join(history.folder, '000003.about.json'));
  expect(history.keep(Buffer.from('4'), about).version).toBe(4);
  expect(history.versions().map(({ version }) => version)).toEqual([1, 2, 4]);
  expect(readdirSync(history.folder).filter((name) => name.includes('.new'))).toEqual([]);
});

it('show looks as of a time and into a version', () => {
  const later = '192.0.2.99/32,Late,registered,2024-03-01,2024-04-01,L\n';
  register('import', file('one.csv', servers(2)));
  register('import', file('two.csv', servers(2, later)));
  const entry = (...words: string[]) =>
    /entry +(.*)/.exec(register('show', '192.0.2.99', ...words).stdout)?.[1];
  expect(entry('--as-of', '2024-03-10')).toBe('192.0.2.99/32, filed, line 5: Late');
  expect(entry('--as-of', '2024-03-31T23:59')).toBe('192.0.2.99/32, waiting, line 5: Late');
  expect(entry('--as-of', '2024-04-01')).toBe('192.0.2.99/32, active, line 5: Late');
  expect(entry('--as-of', '2024-04-01', '--revision', '1')).toBe('none');
  const { stdout } = register('show', '192.0.2.200');
  expect(stdout).toContain('role        unregistered-server\n');
  expect(stdout).toContain('allowed     192.0.2.200/32, noc: probe\n');
});

it('codes: show, list, and a word about technical data', () => {
  const names = 'code,holder,issued_on,source_cidrs\n';
  const kind = ['--kind', 'codes'];
  register('import', file('c.csv', `${names}ABC1,House,2021-03-01,192.0.2.0/28\n`), ...kind);
  const { stdout } = register('import', file('c.csv', `${names}ABC1,House,2021-03-01,\n`), ...kind);
  expect(stdout).toContain('~ ABC1  source_cidrs: 192.0.2.0/28 -> -\n');
  expect(stdout).toContain('notify it 5 days before');
  const shown = register('show', 'abc1', '--as-of', '2024-03-01').stdout;
  expect(shown).toMatch(/state +valid\n.*\n.*\n +issued +2021-03-01\n +last day +2024-03-01\n/);
  expect(register('list', ...kind, '--as-of', '2024-03-02').stdout).toMatch(/^ABC1 expired/);
});

it('lint exits 3 when something was found', () => {
  register('import', file('one.csv', servers(2)));
  const clean = register('lint', '--as-of', '2024-06-01');
  expect(clean.stdout).toBe(
    '0 findings as of 2024-05-31T16:00:00Z, by cn-2006, vn-2008, vn-2020\n',
  );
  expect(clean.status).toBe(0);
  file('servers.csv', servers(1).replace('2024-02-01', '2024-01-10'));
  const found = register('lint', '--as-of', '2024-06-01');
  expect(found.status).toBe(3);
  expect(found.stdout).toContain(
    'servers.csv:3 medium late-filing 192.0.2.0/32: filed on 2024-01-01 and starts on ' +
      '2024-01-10: 9 days, 20 are asked for (CN-38/2006 art. 6 ¶1)\n',
  );
});

it.each([
  [['show', 'x'], 'register show "x": give an address or a code'],
  [['show', '192.0.2.0/24'], 'register show "192.0.2.0/24": give an address or a code'],
  [['list', '--as-of', 'yesterday'], '--as-of "yesterday": give a date'],
  [['list', '--revision', '0'], '--revision "0": give a whole number from 1'],
  [['list', '--kind', 'dogs'], '--kind "dogs": give servers or codes or allow'],
  [['drop'], "unknown command 'drop'"],
  [['import'], "missing required argument 'file'"],
])('%j: wrong words are status 2', (words, message) => {
  file('servers.csv', servers(1));
  const { status, stderr } = register(...words);
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n').length).toBe(1);
  expect(status).toBe(2);
});

it('what cannot be read is one line and status 1', () => {
  const missing = register('import', join(folder, 'none.csv'));
  expect([missing.status, missing.stderr]).toEqual([
    1,
    'mailweir: none.csv: cannot be read (ENOENT); check the path\n',
  ]);
  file('servers.csv', servers(1));
  const version = register('show', '192.0.2.1', '--revision', '7');
  expect(version.status).toBe(1);
  expect(version.stderr).toContain('servers.csv.versions/000007.csv: cannot read the register');
  expect(existsSync(join(folder, 'servers.csv.versions'))).toBe(false);
});
