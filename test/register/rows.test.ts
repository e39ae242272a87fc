// Register files in all their forms, and what is wrong with them: all mistakes at once, each with
// its line and column.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Prefix, prefixText } from '../../src/lib/prefix.js';
import { loadRegister } from '../../src/register/load.js';
import type { Register } from '../../src/register/register.js';
import { type Kind, tableOf, written } from '../../src/register/table.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-rows-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function load(text: string | Buffer, name = 'servers.csv', kind = 'servers') {
  const path = join(folder, name);
  writeFileSync(path, text);
  return loadRegister({
    profiles: ['cn-2006'],
    network: { own: [], pools: [] },
    registers: { [kind]: path },
  });
}

/** The lines of the refusal without the folder's name; none where it is accepted. */
async function refusal(text: string | Buffer, name = 'servers.csv', kind = 'servers') {
  const message = await load(text, name, kind).then(
    () => '',
    (error: Error) => error.message,
  );
  return message.replaceAll(`${folder}/`, '').split('\n');
}

function cidrs(register: Register): string[] {
  return register.servers.map((_, index) => prefixText(register.prefixOf(index)));
}

const names = 'cidr,operator,role';

describe('CSV that is accepted', () => {
  const good = '192.0.2.1/32,A,registered';
  it.each([
    ['LF', `${names}\n${good}\n`],
    ['CRLF', `${names}\r\n${good}\r\n`],
    ['a byte order mark', `\ufeff${names}\n${good}\n`],
    ['no last line end', `${names}\n${good}`],
    ['remarks and empty lines everywhere', `\n# names\n\r\n${names}\n\n  \n#x,y\n${good}\n# end`],
    ['names in another order', 'role,licence,cidr,operator\nregistered,,192.0.2.1/32,A\n'],
    ['quotes', `"cidr","operator",role\n"192.0.2.1/32","A",registered\n`],
    ['blanks around cells', `cidr , operator,\trole\n 192.0.2.1/32 , "A" ,registered \n`],
  ])('%s', async (_, text) => {
    const register = await load(text);
    expect(cidrs(register)).toEqual(['192.0.2.1/32']);
    expect(register.servers[0]).toMatchObject({ operator: 'A', role: 4 });
  });

  it('quoted commas, quotes and line ends', async () => {
    const register = await load(
      `${names}\n10.0.0.1,"A, ""B""\r\nC",registered\n10.0.0.2,D,registered`,
    );
    expect(register.servers.map(({ operator }) => operator)).toEqual(['A, "B"\r\nC', 'D']);
    expect(register.servers.map(({ line }) => line)).toEqual([2, 4]);
  });

  it('only names is an empty register', async () => {
    expect((await load(`${names}\n`)).servers).toEqual([]);
  });
});

describe('CSV that is refused', () => {
  it('tells all mistakes at once, in the order of the file', async () => {
    const text = [
      'cidr,operator,role,starts_at,rate_per_hour,domains,advertiser',
      '192.0.2.1/24,A,registered,2024-01-01,,,',
      '# a remark',
      'mail.example.net,"B, Inc",server,2024-02-30,-5,,perhaps',
      '192.0.2.9/32,,registered,,1e3,a..b good.example bad_,yes',
      '192.0.2.9/32,C,registered',
    ].join('\n');
    expect(await refusal(text)).toEqual([
      'servers.csv:2:1 cidr: "192.0.2.1/24" has bits set behind its length; did you mean ' +
        '192.0.2.0/24?',
      'servers.csv:4:1 cidr: "mail.example.net" is not an address prefix such as 203.0.113.0/24 ' +
        'or 2001:db8::/32',
      'servers.csv:4:27 role: "server" is none of registered, registered-bulk, infrastructure',
      'servers.csv:4:34 starts_at: "2024-02-30" is not a date such as 2024-02-29 or ' +
        '2024-02-29T08:00+08:00',
      'servers.csv:4:45 rate_per_hour: "-5" is not a number of at least 1',
      'servers.csv:4:49 advertiser: "perhaps" is neither yes nor no',
      'servers.csv:5:14 operator: empty',
      'servers.csv:5:27 rate_per_hour: "1e3" is not a number of at least 1',
      'servers.csv:5:31 domains: "a..b" is not a domain name',
      'servers.csv:5:31 domains: "bad_" is not a domain name',
      'servers.csv:6:1 3 cells where the first line names 7 columns',
    ]);
  });

  it.each([
    ['', 'servers.csv:1:1 empty; its first line names the columns, at least cidr,operator,role'],
    ['cidr,operator\n', 'servers.csv:1:1 role: this column is missing'],
    ['cidr,cidr,operator,role\n', 'servers.csv:1:6 cidr: named twice'],
    [
      `${names}\n1.2.3.4,"A,registered\n\n\n`,
      'servers.csv:2:1 a quote that is opened here is never closed',
    ],
    [
      `${names}\n1.2.3.4,A"B",registered\n`,
      'servers.csv:2:9 a quote inside a cell; write "" for it and quote the cell',
    ],
    [`${names}\n1.2.3.4,A\0B,registered\n`, 'servers.csv:2:10 a control character'],
    [`${names}\n1.2.3.4,A\rB,registered\n`, 'servers.csv:2:10 a control character'],
    [`${names}\n1.2.3.4,"\u001b[2J",registered\n`, 'servers.csv:2:1 a control character'],
    [
      `${names}\n1.2.3.4,${'A'.repeat(70_000)},registered\n`,
      'servers.csv:2:1 longer than 65536 characters',
    ],
    [
      `${names}\n1.2.3.4,${'A'.repeat(300)},registered\n`,
      'servers.csv:2:9 operator: longer than 200 characters',
    ],
    [
      Buffer.from(`${names}\n1.2.3.4,\xff,registered\n`, 'latin1'),
      'servers.csv:2:9 not UTF-8; save the file as UTF-8',
    ],
    [
      Buffer.from(`${names}\n1.2.3.4,\xc3`, 'latin1'),
      'servers.csv:2:9 not UTF-8; save the file as UTF-8',
    ],
  ])('%j', async (text, line) => {
    expect(await refusal(text)).toEqual([line]);
  });

  it('an unknown column is named with those that there are', async () => {
    const [line] = await refusal('cidr,operator,role,owner\n');
    expect(line).toContain('servers.csv:1:20 "owner": there is no such column; there are cidr,');
  });

  it('a file that is not there', async () => {
    const settings = { profiles: ['cn-2006' as const], network: { own: [], pools: [] } };
    await expect(loadRegister({ ...settings, registers: { allow: '/nowhere' } })).rejects.toThrow(
      '/nowhere: cannot read the register (ENOENT); check the path',
    );
  });

  it('mistakes of every file come together', async () => {
    const path = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const loading = loadRegister({
      profiles: ['cn-2006'],
      network: { own: [], own_file: path('own.txt', '10.0.0.0/8 # ours\n10.0.0.1/8\n'), pools: [] },
      registers: {
        servers: path('s.csv', 'x\n'),
        allow: path('a.csv', 'cidr,owner,reason\n1,,\n'),
      },
    });
    const message = await loading.then(String, (error: Error) => error.message);
    expect(message.match(/(own\.txt|s\.csv|a\.csv):\d+/g)).toEqual([
      'own.txt:2',
      's.csv:1',
      's.csv:1',
      's.csv:1',
      's.csv:1',
      'a.csv:2',
      'a.csv:2',
      'a.csv:2',
    ]);
  });
});

describe('two entries with one prefix', () => {
  const twins = (a: string, b: string) =>
    refusal(
      `${names},starts_at,retires_at\n10.0.0.1,A,registered,${a}\n10.0.0.1/32,B,registered,${b}\n`,
    );

  it('are refused when both are in force at a time', async () => {
    const line =
      'servers.csv:3:1 cidr: in force at the same time as on line 2; give one of them retires_at';
    expect(await twins(',', ',')).toEqual([line]);
    expect(await twins(',2024-01-02', '2024-01-01,')).toEqual([line]);
  });

  it('may follow each other', async () => {
    expect(await twins(',2024-01-01', '2024-01-01,')).toEqual(['']);
    expect(await twins('2024-01-01,', ',2024-01-01')).toEqual(['']);
  });

  it('so may two issues of a code, if they differ', async () => {
    const codes = (issued: string) =>
      refusal(`code,holder,issued_on\nABC1,A,2020-01-01\nABC1,B,${issued}\n`, 'codes.csv', 'codes');
    expect(await codes('2023-01-01')).toEqual(['']);
    expect(await codes('2020-01-01')).toEqual([
      'codes.csv:3:1 code: the same code with the same issue is on line 2',
    ]);
  });
});

describe('JSON and YAML', () => {
  const entry = {
    cidr: '192.0.2.1/32',
    operator: 'A',
    role: 'registered',
    domains: ['a.example', 'b.example'],
    rate_per_hour: 100,
    advertiser: true,
    starts_at: '2024-01-01',
    licence: null,
  };

  it('say the same as CSV', async () => {
    const csv = await load(
      'cidr,operator,role,domains,rate_per_hour,advertiser,starts_at\n' +
        '192.0.2.1/32,A,registered,a.example b.example,100,yes,2024-01-01\n',
    );
    const yaml = `
- cidr: 192.0.2.1/32
  operator: A
  role: registered
  domains: [a.example, b.example]
  rate_per_hour: 100
  advertiser: yes
  starts_at: 2024-01-01
`;
    for (const [name, text] of [
      ['s.json', JSON.stringify([entry])],
      ['s.yaml', yaml],
      ['s.yml', yaml],
    ]) {
      const { servers } = await load(text!, name!);
      expect(servers.map(({ line, ...rest }) => rest)).toEqual(
        csv.servers.map(({ line, ...rest }) => rest),
      );
    }
  });

  it('tell the place of each mistake', async () => {
    const yaml = [
      '# servers',
      '- cidr: 192.0.2.1/24',
      '  operator: A',
      '  role: registered',
      '- { cidr: 192.0.2.2/32, operator: B, role: server, owner: C }',
      '- [a, b]',
      '- cidr: 192.0.2.3/32',
      '  role: { a: 1 }',
    ].join('\n');
    expect(await refusal(yaml, 's.yaml')).toEqual([
      's.yaml:2:9 cidr: "192.0.2.1/24" has bits set behind its length; did you mean 192.0.2.0/24?',
      's.yaml:5:59 owner: there is no such column',
      's.yaml:6:3 not an entry; it has no names',
      's.yaml:7:3 operator: this name is missing',
      's.yaml:8:9 role: give printable text, a number, or a list of them',
    ]);
    const json = JSON.stringify([entry, { ...entry, cidr: '::1', role: 'x' }], null, 1);
    expect(await refusal(json, 's.json')).toEqual([
      's.json:18:11 role: "x" is none of registered, registered-bulk, infrastructure',
    ]);
  });

  it.each([
    ['s.json', '[{"cidr": }]', /^s\.json:1:11 not JSON here: value expected$/],
    ['s.json', '[', /^s\.json:1:2 not JSON here: /],
    ['s.json', '{"servers": []}', /^s\.json:1:1 not a list of entries/],
    [
      's.json',
      '[{"cidr":"1.2.3.4","operator":"\\u001b[2J","role":"registered"}]',
      /1:31 operator: give printable text/,
    ],
    ['s.yaml', 'a: [', /^s\.yaml:\d+:\d+ /],
    ['s.yaml', '- &a [*a]', /./],
    [
      's.yaml',
      `a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n${'d: [*c,*c,*c,*c,*c,*c,*c,*c]\n'}`,
      /./,
    ],
  ])('%s %j is refused', async (name, text, line) => {
    expect((await refusal(text, name))[0]).toMatch(line);
  });
});

it('what is written in another form is the same register', async () => {
  const cell = fc.oneof(
    fc.stringMatching(/^[ -~]{0,20}$/),
    fc.constantFrom('"', ',', '#', '# a', 'a\nb', '广告', 'a "b"', ' ', 'yes', '1', 'null', '- x'),
  );
  const rows = fc.uniqueArray(fc.tuple(fc.nat(65_535), cell, cell), {
    selector: ([host]) => host,
    minLength: 1,
    maxLength: 8,
  });
  const kind: Kind = 'allow';
  await fc.assert(
    fc.asyncProperty(rows, async (entries) => {
      const first = entries.map(([host, owner, reason]) => ({
        cidr: `10.0.${host >> 8}.${host & 255}/32`,
        owner: `o${owner}`.trim(),
        reason: `r${reason}`.trim(),
      }));
      const table = await tableOf(kind, 'a.json', Buffer.from(JSON.stringify(first)));
      for (const name of ['a.csv', 'a.json', 'a.yaml']) {
        const again = await tableOf(kind, name, Buffer.from(written(table, name)));
        expect([...again.rows]).toEqual([...table.rows]);
      }
    }),
    { numRuns: 60 },
  );
});

it('any bytes are read or refused, never more', async () => {
  const piece = fc.constantFrom(
    ',',
    '"',
    '\n',
    '\r',
    '#',
    'cidr',
    'operator',
    'role',
    ' ',
    '\0',
    '1',
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(piece, { maxLength: 60 }).map((some) => Buffer.from(some.join(''))),
    fc.array(piece, { maxLength: 60 }).map((some) => Buffer.from(`${names}\n${some.join('')}`)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, fc.constantFrom('s.csv', 's.json', 's.yaml'), async (some, name) => {
      for (const line of await refusal(Buffer.from(some), name)) {
        if (line !== '') expect(line).toMatch(/^s\.(csv|json|yaml):\d+:\d+ |more mistakes$/);
      }
    }),
    { numRuns: 300 },
  );
});

describe('a million', () => {
  const million = 1_000_000;
  const address = (n: number) => {
    const word = Math.imul(n, 0x9e3779b1) >>> 0;
    return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
  };

  it('entries load in bounded time and memory', async () => {
    const lines = [`${names},filed_at,starts_at`];
    for (let n = 0; n < million; n++) {
      lines.push(`${address(n)}/32,Operator ${n % 1000},registered,2024-01-01,2024-02-01`);
    }
    const text = lines.join('\n');
    const before = process.memoryUsage().rss;
    const began = process.cpuUsage();
    const register = await load(text, 'million.csv');
    const { user, system } = process.cpuUsage(began);
    expect(register.servers.length).toBe(million);
    const prefix = new Prefix();
    expect(prefixText(Object.assign(prefix, register.prefixOf(7)))).toBe(`${address(7)}/32`);
    // 3 to 4 seconds on an idle machine; of the processor, because a busy one shares it.
    expect((user + system) / 1e6).toBeLessThan(12);
    expect(process.memoryUsage().rss - before).toBeLessThan(1024 ** 3);
  }, 120_000);

  it('mistakes are counted, and fifty are told', async () => {
    const text = `${names}\n${'10.0.0.1/32,A,registered\n'.repeat(300_000)}`;
    const lines = await refusal(text, 'twins.csv');
    expect(lines.length).toBe(51);
    expect(lines.at(-1)).toBe('twins.csv: 299949 more mistakes');
  }, 120_000);

  it('lines of nothing but quotes end', async () => {
    const lines = await refusal(`${names}\n${'"\n'.repeat(200_001)}`, 'quotes.csv');
    expect(lines[0]).toMatch(/^quotes\.csv:2:/);
  }, 120_000);
});
