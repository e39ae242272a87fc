// Reads the YAML file of `config.ts`: shapes, ranges and the place of each mistake. It checks the
// form only; whether the files named here exist and make sense is for those who read them.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type Config, profileNames } from './config.js';
import { Prefix, prefixMistake, readPrefix } from './lib/prefix.js';
import { type YamlPart, yamlParts } from './lib/yaml-text.js';

/** A configuration that cannot be used. The message is one line per mistake. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

const longestTimeout_s = 86_400;
const smallestMemory = 16 * 1024 ** 2;
/** All rings of a worker lie in one area with 31-bit places; eight interfaces must fit. */
const ringBytes = { low: 1024 ** 2, high: 224 * 1024 ** 2 };
/** A frame that an offload merged, 64 KiB and its headers, must fit one block. */
const blockBytes = { low: 128 * 1024, high: 8 * 1024 ** 2 };
const units: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/**
 * Reads and checks one file; keys that it lacks come from `defaults`, relative paths start at its
 * folder. Throws a `ConfigError`.
 */
export function readConfig(path: string, defaults: Config): Config {
  const part = parts(path, readText(path))[0];
  const values = part === undefined ? {} : part.values();
  const result = schema(defaults, dirname(resolve(path))).safeParse(values, { jitless: true });
  if (result.success) return result.data;
  throw new ConfigError(part?.mistakes(result.error).join('\n'));
}

function parts(path: string, text: string): YamlPart[] {
  try {
    const all = yamlParts(path, text);
    for (const part of all) part.values();
    if (all.length > 1) throw new Error(`${all[1]?.place([])} a second document; one is all`);
    return all;
  } catch (error) {
    throw new ConfigError((error as Error).message);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ConfigError(`${path}: cannot read the configuration (${code}); check the path`);
  }
}

// What follows is the form of the file, part by part.

function schema(defaults: Config, folder: string): z.ZodType<Config> {
  const path = z
    .string()
    .min(1)
    .transform((name) => resolve(folder, name));
  const name = z.string().regex(/^[^\p{Cc}]{1,255}$/u, 'a name of 1 to 255 printable characters');
  return z.strictObject({
    sensor: name.optional(),
    site: name.optional(),
    profiles: z
      .array(z.enum(profileNames))
      .min(1, `one or more of ${profileNames.join(', ')}`)
      .default([...defaults.profiles]),
    capture: section(captureShape(defaults)),
    decode: section({
      checksums: z.enum(['count', 'strict']).default(defaults.decode.checksums),
    }),
    flow: section(flowShape(defaults)),
    smtp: section({ rcpt_max: whole(1, 100_000).default(defaults.smtp.rcpt_max) }),
    stats: section({ interval_s: whole(1, 86_400).default(defaults.stats.interval_s) }),
    network: section(networkShape(path)),
    registers: section({
      servers: path.optional(),
      codes: path.optional(),
      allow: path.optional(),
      drop_max_percent: whole(0, 100).default(defaults.registers.drop_max_percent),
    }),
    rules: section({
      directory: path.optional(),
      mode: z.enum(['observe', 'limit', 'enforce']).default(defaults.rules.mode),
      observe_days: whole(0, 365).default(defaults.rules.observe_days),
    }),
    appeal: section({
      url: webAddress.optional(),
      contact: z
        .string()
        .regex(/^[^\p{Cc}]{1,255}$/u, 'an address or a name')
        .optional(),
    }),
    notify: section(notifyShape(defaults, path)),
    state: section({ directory: path.default(defaults.state.directory) }),
    block: section(blockShape(defaults, path)),
    enforce: section(enforceShape()),
    record: section({
      mode: z.enum(['off', 'pseudonymous', 'sealed']).default(defaults.record.mode),
      directory: path.default(defaults.record.directory),
      days: whole(1, 36_500).default(defaults.record.days),
    }),
    serve: serveShape(defaults, path),
    dnsbl: section({
      name_servers: z
        .array(domain)
        .min(1)
        .max(8)
        .default([...defaults.dnsbl.name_servers]),
      rate_per_s: whole(0, 1_000_000).default(defaults.dnsbl.rate_per_s),
      trusted: z
        .array(cidr)
        .max(1000)
        .default([...defaults.dnsbl.trusted]),
    }),
    policy: section({
      rate_per_hour: whole(1, 1_000_000).default(defaults.policy.rate_per_hour),
      burst: whole(1, 65_535).default(defaults.policy.burst),
    }),
  });
}

/** A group of keys. A heading whose keys are all commented out is a group of defaults. */
function section<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.preprocess((value) => value ?? {}, z.strictObject(shape));
}

function whole(low: number, high: number) {
  const range = `a whole number from ${low} to ${high}`;
  return z.int(range).min(low, range).max(high, range);
}

function seconds() {
  const range = `seconds, more than 0 and at most ${longestTimeout_s}`;
  return z.number(range).positive(range).max(longestTimeout_s, range);
}

function captureShape(defaults: Config) {
  const name = z.string().regex(/^[^\s/]{1,15}$/, 'the name of a network interface');
  const names = z.union([name.transform((one) => [one]), z.array(name).min(1).max(8)], {
    error: 'an interface name or a list of up to 8 of them',
  });
  const ports = z
    .array(whole(1, 65_535), 'a list of TCP ports ("any" exists on the command line only)')
    .min(1, 'at least one TCP port')
    .max(64, 'at most 64 ports');
  const { capture } = defaults;
  return {
    interface: names.default([...capture.interface]),
    source: z.enum(['auto', 'ring', 'pcap']).default(capture.source),
    ring: section({
      bytes: bytesBetween(ringBytes.low, ringBytes.high).default(capture.ring.bytes),
      block_bytes: bytesBetween(blockBytes.low, blockBytes.high)
        .refine((size) => Number.isInteger(Math.log2(size)), 'a power of two')
        .default(capture.ring.block_bytes),
      retire_ms: whole(1, 1000).default(capture.ring.retire_ms),
    }),
    user: z
      .string()
      .regex(/^[^\s:]{1,32}$/, 'the name of a user')
      .optional(),
    promiscuous: z.boolean().default(capture.promiscuous),
    ports: ports.default(capture.ports === 'any' ? [] : [...capture.ports]),
    workers: z
      .union([z.literal('auto'), whole(1, 256)], { error: 'auto or a whole number from 1 to 256' })
      .default(capture.workers),
    tap_side: z.enum(['customer', 'upstream', 'unknown']).default(capture.tap_side),
    tunnels: z.boolean().default(capture.tunnels),
  };
}

function flowShape(defaults: Config) {
  const { flow } = defaults;
  return {
    memory_bytes: bytesBetween(smallestMemory).default(flow.memory_bytes),
    key_vlan: z.boolean().default(flow.key_vlan),
    timeout_half_open_s: seconds().default(flow.timeout_half_open_s),
    timeout_established_s: seconds().default(flow.timeout_established_s),
    timeout_closed_s: seconds().default(flow.timeout_closed_s),
  };
}

function networkShape(path: z.ZodType<string>) {
  const pool = z.strictObject({
    cidr,
    role: z.enum(['customer-dynamic', 'customer-static', 'infrastructure']),
    cgnat: whole(1, 65_536).optional(),
    customer_bits: whole(32, 128).optional(),
  });
  const fitting = pool.superRefine(({ cidr: text, customer_bits }, context) => {
    const prefix = new Prefix();
    if (customer_bits === undefined || !readPrefix(text, prefix)) return;
    if (!prefix.isIpv4 && customer_bits >= prefix.bits) return;
    const message = 'for IPv6 pools, and not shorter than the pool: else it reaches its neighbours';
    context.addIssue({ code: 'custom', path: ['customer_bits'], message });
  });
  return {
    own: z.array(cidr).default([]),
    own_file: path.optional(),
    pools: z.array(fitting).default([]),
  };
}

function serveShape({ serve }: Config, path: z.ZodType<string>) {
  const shape = section({
    http: listener.optional(),
    tokens: path.optional(),
    tls: z.strictObject({ cert: path, key: path, client_ca: path.optional() }).optional(),
    rate_per_minute: whole(1, 1_000_000).default(serve.rate_per_minute),
    dnsbl: listener.optional(),
    // An IPv6 address before it takes 64 of the 255 bytes that a name has.
    zone: domain.refine((name) => name.length <= 189, 'at most 189 characters').optional(),
    policy: listener.optional(),
  });
  return shape.superRefine(({ dnsbl, zone }, context) => {
    if (dnsbl === undefined || zone !== undefined) return;
    const message = 'needs serve.zone, the name that it answers for, such as bl.example.net';
    context.addIssue({ code: 'custom', path: ['dnsbl'], message });
  });
}

function blockShape({ block }: Config, path: z.ZodType<string>) {
  return {
    directory: path.default(block.directory),
    entries_max: whole(1, 1_000_000).default(block.entries_max),
    life_s: whole(10, 86_400).default(block.life_s),
  };
}

function enforceShape() {
  const port = whole(1, 65_535);
  const nftables = z.strictObject({
    ports: z.array(port).min(1, 'at least one port').max(16, 'at most 16 ports').default([25]),
    life_s: whole(4, 3600).default(60),
    entries_max: whole(1, 1_000_000).default(100_000),
  });
  return { nftables: nftables.optional() };
}

function notifyShape(defaults: Config, path: z.ZodType<string>) {
  const facility = z
    .string()
    .regex(/^(user|mail|daemon|auth|local[0-7])$/, 'user, mail, daemon, auth, or local0 to local7');
  const to = z
    .string()
    .regex(
      /^((udp|tcp):\/\/(\[[0-9a-f:.]+\]|[^\s:/[\]]+)(:\d{1,5})?|unix:\/.+)$/i,
      'udp://HOST:PORT, tcp://HOST:PORT, or unix:PATH of a stream socket',
    );
  return {
    severity: z
      .enum(['info', 'low', 'medium', 'high', 'critical'])
      .default(defaults.notify.severity),
    syslog: z.strictObject({ to, facility: facility.default('local0') }).optional(),
    webhook: z.strictObject({ url: webAddress, secret_file: path }).optional(),
  };
}

/** Bytes as a number, or as text with KiB, MiB or GiB. */
/** A number of bytes, alone or with a unit. */
function bytesBetween(low: number, high = Number.MAX_SAFE_INTEGER) {
  const most = high === Number.MAX_SAFE_INTEGER ? '' : `, at most ${shortBytes(high)}`;
  const message = `bytes, such as 1GiB or 268435456; at least ${shortBytes(low)}${most}`;
  return z.union([z.number(), z.string()]).transform((value, context) => {
    const match = /^(\d+(?:\.\d+)?) ?([KMG]iB|)$/.exec(String(value));
    const count = match === null ? Number.NaN : Math.floor(Number(match[1]) * units[match[2]!]!);
    if (Number.isSafeInteger(count) && count >= low && count <= high) return count;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

function shortBytes(count: number): string {
  return count >= 1024 ** 2 ? `${count / 1024 ** 2}MiB` : `${count / 1024}KiB`;
}

/** An address prefix; bits behind its length are a mistake, because one of the two is wrong. */
const cidr = z.string().superRefine((text, context) => {
  const prefix = new Prefix();
  const mistake = prefixMistake(text.includes('/') ? text : `${text}/`, prefix);
  if (mistake !== null) context.addIssue({ code: 'custom', message: mistake });
});

const webAddress = z.string().refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '';
}, 'an address that begins with https:// or http://');

/** Labels of up to 63 characters, with or without the ending dot. */
const domain = z
  .string()
  .max(253)
  .regex(/^([a-z0-9_-]{1,63}\.)*[a-z0-9-]{1,63}\.?$/i, 'a domain name');

const listener = z
  .string()
  .regex(
    /^(\[[0-9a-f:.]+\]|[^\s:[\]/]+):\d{1,5}$/i,
    'an address and a port, such as 127.0.0.1:8225',
  )
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'a port up to 65535');
