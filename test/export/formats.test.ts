// Every format on one small list: what a reader finds, and that nobody ever sees an empty body.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { DecisionAction } from '../../src/decide/decision.js';
import { formats } from '../../src/export/formats.js';
import { print } from '../../src/export/print.js';
import type { ListAction } from '../../src/export/view.js';
import { has } from '../capture/captures.js';
import { snapshotOf } from './snapshots.js';

const entries: { cidr: string; action: DecisionAction; rule?: string }[] = [
  { cidr: '203.0.113.9/32', action: 'block', rule: 'core.harvest' },
  { cidr: '198.51.100.0/28', action: 'block' },
  { cidr: '198.51.100.4/32', action: 'allow' },
  { cidr: '2001:db8:0:1::/64', action: 'block' },
  { cidr: '203.0.113.10/32', action: 'limit', rule: 'core.rate-limit' },
];
const publisher = { url: 'https://isp.example/appeal', contact: 'abuse@isp.example', zone: 'bl.x' };

function document(format: string, action: ListAction = 'block', list = entries, page = 1): string {
  const order = { format, action, family: 'both', page } as const;
  return Buffer.from(print(snapshotOf(list), order, publisher).body).toString();
}

/** Lines that are about an entry, in formats with comments. */
function lines(format: string, action: ListAction = 'block'): string[] {
  const all = document(format, action).split('\n');
  return all.filter((line) => line !== '' && !line.startsWith('#'));
}

const rest = ['198.51.100.0/30', '198.51.100.5/32', '198.51.100.6/31', '198.51.100.8/29'];

describe('formats', () => {
  it.each(formats.map(({ name }) => name))('%s of an empty list is not empty', (name) => {
    expect(document(name, 'block', []).length).toBeGreaterThan(0);
  });

  it.each(['txt', 'juniper'])('%s: one prefix a line, nothing that is allowed inside', (name) => {
    expect(lines(name)).toEqual([...rest, '203.0.113.9/32', '2001:db8:0:1::/64']);
  });

  it.each(['pf', 'cisco'])('%s: hosts without their length', (name) => {
    expect(lines(name)).toContain('203.0.113.9');
    expect(lines(name)).toContain('198.51.100.8/29');
  });

  it('json has what the contract names', () => {
    const list = JSON.parse(document('json', 'all'));
    expect(list).toMatchObject({ revision: 7, count: 7 });
    expect(Object.keys(list)).toEqual(['revision', 'generated', 'expires', 'count', 'entries']);
    expect(list.entries).toHaveLength(list.count);
    expect(list.entries.at(-1)).toEqual({
      id: expect.stringMatching(/^bl_[0-9a-f]{20}$/),
      cidr: '203.0.113.10/32',
      action: 'limit',
      until: expect.stringMatching(/^\d{4}-.*Z$/),
      rule: 'core.rate-limit',
    });
  });

  it('ndjson ends with its metadata, as DROP does', () => {
    const all = lines('ndjson').map((line) => JSON.parse(line));
    const metadata = all.pop();
    expect(all.every((one) => 'cidr' in one && 'sblid' in one && 'rir' in one)).toBe(true);
    const body = document('ndjson');
    const size = Buffer.byteLength(body.slice(0, body.indexOf('{"type":"metadata"')));
    expect(metadata).toMatchObject({ type: 'metadata', records: all.length, size, revision: 7 });
  });

  it('csv has its names first and ends lines as RFC 4180 wants', () => {
    const [names, ...cells] = document('csv').trimEnd().split('\r\n');
    expect(names).toBe('cidr,id,action,until,rule,created');
    expect(cells.map((line) => line.split(',').length)).toEqual([6, 6, 6, 6, 6, 6]);
  });

  it('postfix rejects blocks, puts limits off, and says where to appeal', () => {
    const [first] = lines('postfix');
    expect(first).toMatch(/^198\.51\.100\.0\/30\tREJECT 5\.7\.1 .*appeal\?entry=bl_/);
    expect(lines('postfix', 'limit')).toEqual([expect.stringContaining('DEFER_IF_PERMIT 4.7.1')]);
  });

  it.skipIf(!has('postmap'))('postfix reads it as it would', () => {
    const map = document('postfix', 'all');
    const folder = mkdtempSync(join(tmpdir(), 'mailweir-map-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'list.cidr');
    writeFileSync(path, map);
    const ask = (address: string) => {
      const { stdout, stderr } = spawnSync('postmap', ['-q', address, `cidr:${path}`]);
      return String(stdout) + String(stderr);
    };
    expect(ask('203.0.113.9')).toContain('REJECT');
    expect(ask('203.0.113.10')).toContain('DEFER_IF_PERMIT');
    expect(ask('2001:db8:0:1::5')).toContain('REJECT');
    expect(ask('198.51.100.4')).toBe('');
  });

  it('f5 and flowspec say what is to be done', () => {
    expect(lines('f5', 'all').at(-1)).toBe('203.0.113.10,32,bl,mailweir_limit');
    expect(lines('exabgp', 'all').at(-1)).toBe(
      'announce flow route { match { source 203.0.113.10/32; protocol =tcp; ' +
        'destination-port =25; } then { rate-limit 9600; } }',
    );
    expect(lines('gobgp')[0]).toMatch(/ipv4-flowspec match source 198\.51\.100\.0\/30 .* discard$/);
    expect(lines('gobgp').at(-1)).toContain('ipv6-flowspec');
  });

  it('mikrotik comes in pages, and only the last clears the list before', () => {
    const many = Array.from({ length: 10_001 }, (_, at) => ({
      cidr: `10.0.${at >> 8}.${at & 0xff}/32`,
      action: 'block' as const,
    }));
    const pages = [1, 2].map((page) => document('mikrotik', 'block', many, page));
    const count = (text: string, what: RegExp) => text.match(what)?.length ?? 0;
    expect(pages.map((text) => count(text, /\/add list=/g))).toEqual([10_000, 1]);
    expect(pages.map((text) => count(text, /:pick/g))).toEqual([0, 1]);
  });

  it('xarf has every field that XARF v4 requires, and no mailbox', () => {
    const reports = lines('xarf', 'all').map((line) => JSON.parse(line));
    const party = { org: 'tap', contact: 'abuse@isp.example', domain: 'isp.example' };
    for (const report of reports) {
      expect(report).toMatchObject({
        xarf_version: '4.0.0',
        report_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-/),
        reporter: party,
        sender: party,
        category: 'reputation',
        type: 'blocklist',
        threat_type: 'spam',
      });
      expect(report.report_id).toHaveLength(36);
      for (const tag of report.tags) expect(tag).toMatch(/^[a-z0-9][\w+-]*:[a-z0-9][\w+.-]*$/);
    }
    expect(new Set(reports.map((one) => one.report_id)).size).toBeLessThanOrEqual(reports.length);
  });

  it('nft never asks for auto-merge, and no time-out outlives the list', () => {
    const text = document('nft', 'all');
    expect(text).not.toContain('auto-merge');
    const timeouts = [...text.matchAll(/timeout (\d+)s/g)].map((match) => Number(match[1]));
    expect(Math.max(...timeouts)).toBeLessThanOrEqual(7200);
  });
});
