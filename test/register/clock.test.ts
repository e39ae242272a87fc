// What is told about the dates of a register: each finding on its first and last day, and nothing
// about entries that are in order.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { clockItems } from '../../src/register/clock.js';
import { readDate, timeText } from '../../src/register/dates.js';
import { loadRegister } from '../../src/register/load.js';
import type { ProfileName } from '../../src/register/profile.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-clock-'));
afterAll(() => rmSync(folder, { recursive: true }));

const columns = {
  servers: 'cidr,operator,role,licence,filed_at,starts_at,change_filed_at,changes_at,retires_at',
  codes: 'code,holder,issued_on,expires_on,withdrawn_on',
  allow: 'cidr,owner,reason,until',
} as const;

/** Names of what is told about one line as of a day, with the last moment to act. */
async function told(
  kind: keyof typeof columns,
  line: string,
  day: string,
  profiles: readonly ProfileName[] = ['cn-2006', 'vn-2008', 'vn-2020'],
): Promise<string[]> {
  const path = join(folder, `${kind}.csv`);
  writeFileSync(path, `${columns[kind]}\n${line}\n`);
  const network = { own: [], pools: [] };
  const register = await loadRegister({ profiles, network, registers: { [kind]: path } });
  const time = readDate(day, register.notice.offsetHours);
  return clockItems(register, profiles, time).map(({ name, due, line: at, severity }) => {
    expect(at).toBe(2);
    return Number.isNaN(due) ? `${name} ${severity}` : `${name} until ${timeText(due)}`;
  });
}

const server = (dates: string, licence = 'L1') => `192.0.2.1/32,A,registered,${licence},${dates}`;

describe('servers (Order 38/2006 art. 4 and 6)', () => {
  it.each([
    // Twenty calendar days; February of a leap year has 29.
    ['2024-01-01,2024-01-21,,,', '2024-06-01', []],
    ['2024-01-01,2024-01-20,,,', '2024-06-01', ['late-filing medium']],
    ['2024-02-10,2024-03-01,,,', '2024-06-01', []],
    ['2023-02-10,2023-03-01,,,', '2024-06-01', ['late-filing medium']],
    // The calendar day counts, whatever the hour.
    ['2024-01-01T23:59,2024-01-21T00:01,,,', '2024-06-01', []],
    ['2024-01-01T16:30Z,2024-01-21,,,', '2024-06-01', ['late-filing medium']],
    // Not filed: told five days before the last day, until that day is over, and then for ever.
    [',2024-03-01,,,', '2024-02-04', []],
    [',2024-03-01,,,', '2024-02-05', ['filing-due until 2024-02-10T16:00:00Z']],
    [',2024-03-01,,,', '2024-02-10T23:59', ['filing-due until 2024-02-10T16:00:00Z']],
    [',2024-03-01,,,', '2024-02-11', ['never-filed medium']],
    [',2024-03-01,,,', '2030-01-01', ['never-filed medium']],
    // Changes: thirty days.
    ['2024-01-01,2024-02-01,2024-04-01,2024-05-01,', '2024-06-01', []],
    ['2024-01-01,2024-02-01,2024-04-02,2024-05-01,', '2024-06-01', ['late-change medium']],
    ['2024-01-01,2024-02-01,,2024-05-01,', '2024-03-26', []],
    ['2024-01-01,2024-02-01,,2024-05-01,', '2024-03-27', ['change-due until 2024-04-01T16:00:00Z']],
    ['2024-01-01,2024-02-01,,2024-05-01,', '2024-04-02', ['change-never-filed medium']],
    // Nothing is asked of what is over, or began before the law.
    [',2024-03-01,,,2024-05-01', '2024-05-01', []],
    [',2006-03-29,,,', '2024-05-01', []],
    [',2006-03-30,,,', '2024-05-01', ['never-filed medium']],
    [',,,,', '2024-05-01', ['never-filed low']],
    ['2024-01-01,,,,', '2024-05-01', []],
  ])('%s on %s: %j', async (dates, day, items) => {
    expect(await told('servers', server(dates), day)).toEqual(items);
    expect(await told('servers', server(dates), day, ['vn-2008']), 'no such law').toEqual([]);
  });

  it('a licence is asked of providers, not of infrastructure', async () => {
    const dates = '2024-01-01,2024-02-01,,,';
    expect(await told('servers', server(dates, ''), '2024-06-01')).toEqual(['no-licence low']);
    const own = server(dates, '').replace('registered', 'infrastructure');
    expect(await told('servers', own, '2024-06-01')).toEqual([]);
  });

  it.each([
    ['192.0.2.0/24', []],
    ['192.0.2.0/23', ['wide-entry low']],
    ['2001:db8::/48', []],
    ['2001:db8::/47', ['wide-entry low']],
  ])('an entry for %s: %j', async (cidr, items) => {
    const line = server('2024-01-01,2024-02-01,,,').replace('192.0.2.1/32', cidr);
    expect(await told('servers', line, '2024-06-01')).toEqual(items);
  });
});

describe('codes (Circular 12/2008 II)', () => {
  const vn: readonly ProfileName[] = ['vn-2008'];

  it.each([
    ['2021-03-01,2024-03-01,', '2023-06-01', []],
    ['2021-03-01,,', '2023-06-01', []],
    ['2021-03-01,2024-03-02,', '2023-06-01', ['code-term medium']],
    ['2024-02-29,2027-02-28,', '2025-01-01', []],
    ['2024-02-29,2027-03-01,', '2025-01-01', ['code-term medium']],
    // Valid until 1 March: asked for by 31 January, told from 16 January on.
    ['2021-03-01,2024-03-01,', '2024-01-14', []],
    ['2021-03-01,2024-03-01,', '2024-01-16', ['extension-due until 2024-01-31T17:00:00Z']],
    ['2021-03-01,2024-03-01,', '2024-01-31T23:59', ['extension-due until 2024-01-31T17:00:00Z']],
    ['2021-03-01,2024-03-01,', '2024-02-01', ['extension-due medium']],
    ['2021-03-01,2024-03-01,', '2024-03-01T23:59', ['extension-due medium']],
    ['2021-03-01,2024-03-01,', '2024-03-02', ['code-expired medium']],
    ['2021-03-01,2024-03-01,2023-01-01', '2024-03-02', []],
    [',,', '2024-03-02', ['code-undated low']],
  ])('%s on %s: %j', async (dates, day, items) => {
    expect(await told('codes', `ABC1,A,${dates}`, day, vn)).toEqual(items);
    expect(await told('codes', `ABC1,A,${dates}`, day, ['cn-2006', 'vn-2020'])).toEqual([]);
  });
});

it('an allowance that is over is told', async () => {
  const line = '192.0.2.1/32,noc,test,2024-06-01';
  expect(await told('allow', line, '2024-05-31T23:59')).toEqual([]);
  expect(await told('allow', line, '2024-06-01')).toEqual(['allow-over low']);
  expect(await told('allow', '192.0.2.1/32,noc,test,', '2024-06-01')).toEqual([]);
});
