// The files of a world: the capture, the truth beside it, and the configuration and registers that
// its ISP would have. Their formats are the product's own (address plan, servers.csv and the
// others).

import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { makePools } from '../generate/pool.js';
import { Rng } from '../generate/rng.js';
import { type Generated, writeCapture } from '../generate/traffic.js';
import type { Ground } from './ground.js';
import { Mirror, type MirrorOptions } from './mirror.js';
import { planOf, type Wrapping } from './packets.js';
import type { Code, Entry, SourceTruth } from './source.js';
import type { Talk } from './talk.js';

/** When every world begins: microseconds since 1970, 2023-11-14 22:13:20 UTC. */
export const epoch = 1_700_000_000_000_000;

/** What a file of a world is called beside its capture `x.pcap`: `x.yaml`, `x-servers.csv`, ... */
export function beside(capture: string, ending: string): string {
  return capture.replace(/(\.pcap)?$/, '') + ending;
}

export interface ConfigOptions {
  readonly ground: Ground;
  readonly entries: readonly Entry[];
  readonly codes?: readonly Code[];
  readonly mode: 'observe' | 'limit' | 'enforce';
  /** Folder of rule files; the shipped ones when not given. */
  readonly rules?: string;
}

/** Writes the configuration and the registers beside a capture; gives the path of the YAML file. */
export function writeConfig(capture: string, o: ConfigOptions): string {
  const { ground } = o;
  const name = basename(beside(capture, ''));
  const pool = (cidr: string, role: string) => `    - { cidr: ${cidr}, role: ${role} }`;
  const yaml = [
    '# What the ISP of this capture has: its networks, what they are for, and its registers.',
    'network:',
    `  own: [${ground.own.map(({ cidr }) => cidr).join(', ')}, "${ground.own6}"]`,
    '  pools:',
    pool(ground.dynamic.cidr, 'customer-dynamic'),
    pool(ground.static.cidr, 'customer-static'),
    `    - { cidr: ${ground.shared.cidr}, role: customer-dynamic, cgnat: ${ground.sharing} }`,
    pool(ground.infrastructure.cidr, 'infrastructure'),
    pool(`"${ground.dynamic6}000::/52"`, 'customer-dynamic'),
    'registers:',
    `  servers: ${name}-servers.csv`,
    `  codes: ${name}-codes.csv`,
    `  allow: ${name}-allow.csv`,
    `rules: { mode: ${o.mode}${o.rules === undefined ? '' : `, directory: ${o.rules}`} }`,
  ];
  const path = beside(capture, '.yaml');
  writeFileSync(path, `${yaml.join('\n')}\n`);
  writeFileSync(beside(capture, '-servers.csv'), serversCsv(o.entries));
  writeFileSync(beside(capture, '-codes.csv'), codesCsv(o.codes ?? []));
  writeFileSync(
    beside(capture, '-allow.csv'),
    'cidr,owner,reason,until\n192.0.2.250/32,NOC,mail monitoring of a partner,2024-12-31\n',
  );
  return path;
}

function serversCsv(entries: readonly Entry[]): string {
  const lines = entries.map(({ cidr, operator, role, domains, advertiser, dates }) => {
    const { filed, starts, retires } = { filed: '2022-01-10', starts: '2022-03-01', ...dates };
    const cells = [cidr, operator, role, filed, starts, retires ?? '', domains.join(' ')];
    return [...cells, advertiser ? 'true' : '', 'permit-1'].join(',');
  });
  const head = 'cidr,operator,role,filed_at,starts_at,retires_at,domains,advertiser,licence';
  return `${[head, ...lines].join('\n')}\n`;
}

function codesCsv(codes: readonly Code[]): string {
  const lines = codes.map(({ code, holder, issued, expires, withdrawn, sources }) => {
    const dates = [issued ?? '2022-06-01', expires ?? '2025-06-01', withdrawn ?? ''];
    return [code, holder, 'email', ...dates, sources.join(' ')].join(',');
  });
  const head = 'code,holder,service,issued_on,expires_on,withdrawn_on,source_cidrs';
  return `${[head, ...lines].join('\n')}\n`;
}

export interface CaptureOptions {
  readonly path: string;
  readonly seed: number;
  readonly talks: Iterable<Talk>;
  readonly sources: readonly SourceTruth[];
  readonly mirror: MirrorOptions;
  readonly wrapping: (talk: Talk) => Wrapping;
  /** Directions seen of a talk, beside what the mirror hides; both when not given. */
  readonly halves?: (talk: Talk) => number;
  /** Where the truth goes: one line per source, then one per mail transaction. */
  readonly truthPath?: string;
  readonly progress?: (share: number) => void;
  readonly length: number;
}

/** Writes the capture of a world as a mirror port would show it. */
export function writeWorld(o: CaptureOptions): Generated {
  const rng = new Rng(o.seed ^ 0x70636170);
  const pools = makePools(o.seed);
  const mirror = new Mirror(o.mirror, new Rng(o.seed ^ 0x6d697272));
  let told = 0;
  const plans = function* () {
    for (const talk of o.talks) {
      told = talk.start / o.length;
      const sides = (one: Talk) => mirror.sides(one.client, one.server) & (o.halves?.(one) ?? 3);
      yield planOf(talk, { pools, rng, sides, wrapping: o.wrapping });
    }
  };
  const file = o.truthPath === undefined ? {} : { truthPath: o.truthPath };
  const result = writeCapture({ path: o.path, seed: o.seed, ...file }, plans(), {
    rng,
    pools,
    concurrency: 0,
    flows: 1,
    noise: mirror,
    ...(o.progress ? { told: () => o.progress!(told) } : {}),
  });
  if (o.truthPath !== undefined) appendSources(o.truthPath, o.sources);
  return result;
}

/** The truth about the sources stands behind that about their mails: only then it is all known. */
function appendSources(path: string, sources: readonly SourceTruth[]): void {
  const file = openSync(path, 'a');
  const lines = sources.map(({ address, ...rest }) => JSON.stringify({ source: address, ...rest }));
  writeSync(file, `${lines.join('\n')}\n`);
  closeSync(file);
}
