// `mailweir rules` and `mailweir check` as a program: what they print and the status they end with.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { mailweir } from '../helper/program.js';

const root = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'mailweir-rules-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A folder with the shipped rule files after a change to one of them. */
function changed(name: string, file: string, change: (text: string) => string): string {
  const path = join(folder, name);
  cpSync(join(root, 'rules'), path, { recursive: true });
  writeFileSync(join(path, file), change(readFileSync(join(path, file), 'utf8')));
  return path;
}

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const own = 'network: { own: [203.0.113.0/24] }\n';

describe('rules', () => {
  it('list names every rule with its statistic and action', () => {
    const { status, stdout } = mailweir(['rules', 'list']);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^core\.rcpt-failure-sprt +1\.\d+\.\d+ +sprt +low\.\.high +enforce +limit or block/m,
    );
    expect(stdout).toMatch(/^23 rules$/m);
  });

  it('test runs one rule by its id', () => {
    const { status, stdout } = mailweir(['rules', 'test', 'core.not-smtp']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^2 tests, 0 failed$/m);
  });

  it('a test that fails is told with its place, and the status is 3', () => {
    const rules = changed('deaf', '30-dialogue.yaml', (text) =>
      text.replace('count: 3, within: 1h }', 'count: 4, within: 1h }'),
    );
    const { status, stdout } = mailweir(['rules', 'test', 'core.not-smtp', '--rules', rules]);
    expect(status).toBe(3);
    expect(stdout).toMatch(/^FAILED {2}core\.not-smtp: requests for web pages on port 25$/m);
    expect(stdout).toMatch(/30-dialogue\.yaml:\d+:\d+ it should fire, and is silent$/m);
  });

  it('a rule that is not there is named', () => {
    const { status, stderr } = mailweir(['rules', 'test', 'core.nothing']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/there is no rule core\.nothing; mailweir rules list names them/);
  });
});

describe('check', () => {
  it('finds that nobody is a customer where no own prefix is named', () => {
    const { status, stdout } = mailweir(['check']);
    expect(status).toBe(3);
    expect(stdout).toMatch(/network\.own is empty/);
  });

  it('has nothing to say of a good configuration', () => {
    const { status, stdout } = mailweir(['check', '--config', written('good.yaml', own)]);
    expect(stdout).toMatch(/^rules \(shipped\): 23 rules, \d+ tests$/m);
    expect(stdout).toMatch(/^nothing was found$/m);
    expect(status).toBe(0);
  });

  it('tells mistakes of configuration, register and rules with their places', () => {
    const rules = changed('typo', '20-sources.yaml', (text) =>
      text.replace('dst.port == 25', 'dst.prt == 25'),
    );
    written('servers.csv', 'cidr,operator,role\n203.0.113.1/24,A,registered\n');
    const config = written(
      'bad.yaml',
      `${own}registers: { servers: servers.csv }\nrules: { directory: ${rules} }\n`,
    );
    const { status, stdout } = mailweir(['check', '--config', config]);
    expect(status).toBe(3);
    expect(stdout).toMatch(/servers\.csv:2:1 cidr/);
    expect(stdout).toMatch(/20-sources\.yaml:\d+:\d+ where: there is no field dst\.prt/);
    const typo = mailweir(['check', '--config', written('typo.yaml', 'networ: {}\n')]);
    expect(typo.stdout).toMatch(/typo\.yaml:1:1 networ: there is no such key/);
    expect(typo.status).toBe(3);
  });

  it('a configuration that is not there is a failure', () => {
    const { status, stderr } = mailweir(['check', '--config', join(folder, 'none.yaml')]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/none\.yaml: cannot read the configuration/);
  });
});
