// The configuration: defaults, the fixed names of the contracts, and that a mistake is told with
// the place where it stands.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { defaultConfig, loadConfig, withCapture } from '../src/config.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-config-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'mailweir.yaml');

async function load(text: string) {
  writeFileSync(path, text);
  return loadConfig(path);
}

/** The message of a file that is refused, without the folder's name. */
async function refusal(text: string): Promise<string> {
  const message = await load(text).then(
    () => 'accepted',
    (error: Error) => error.message,
  );
  return message.replaceAll(`${folder}/`, '');
}

const full = `
sensor: tap-1
capture:
  { interface: eth1, source: auto, ports: [25, 465, 587, 2525], workers: auto, tap_side: customer }
network:
  own: [203.0.113.0/24, "2001:db8::/32"]
  pools:
    - { cidr: 203.0.113.0/25, role: customer-dynamic }
    - { cidr: 203.0.113.128/26, role: customer-static }
    - { cidr: 100.64.0.0/10, role: customer-dynamic, cgnat: 16 }
    - { cidr: 203.0.113.240/28, role: infrastructure }
registers: { servers: servers.csv, codes: codes.csv, allow: allow.csv }
rules: { directory: rules, mode: observe }
record: { mode: "off", directory: /var/lib/mailweir/record, days: 60 }
serve:
  http: "127.0.0.1:8225"
  dnsbl: "127.0.0.1:8253"
  zone: bl.example.net
  policy: "127.0.0.1:8226"
flow: { memory_bytes: 256MiB, key_vlan: true, timeout_closed_s: 2.5 }
decode: { checksums: strict }
smtp: { rcpt_max: 50 }
stats: { interval_s: 5 }
appeal: { url: "https://isp.example/appeal", contact: abuse@isp.example }
notify:
  severity: medium
  syslog: { to: "udp://192.0.2.1:514", facility: local4 }
  webhook: { url: "https://noc.example/hook", secret_file: webhook.secret }
state: { directory: state }
`;

describe('what is accepted', () => {
  it.each(['', '# nothing\n', '---\n', 'capture:\n', '{}'])(
    '%j means the defaults',
    async (text) => {
      expect(await load(text)).toEqual(defaultConfig());
    },
  );

  it('every name of the contracts', async () => {
    const config = await load(full);
    expect(config.sensor).toBe('tap-1');
    expect(config.capture.interface).toEqual(['eth1']);
    expect(config.flow.memory_bytes).toBe(256 * 1024 ** 2);
    expect(config.flow.timeout_closed_s).toBe(2.5);
    expect(config.network.pools).toHaveLength(4);
    expect(config.registers.servers).toBe(join(folder, 'servers.csv'));
    expect(config.rules.directory).toBe(join(folder, 'rules'));
    expect(config.record.directory).toBe('/var/lib/mailweir/record');
    expect(config.serve.policy).toBe('127.0.0.1:8226');
    expect(config.notify.syslog?.facility).toBe('local4');
    expect(config.notify.webhook?.secret_file).toBe(join(folder, 'webhook.secret'));
    expect(config.state.directory).toBe(join(folder, 'state'));
  });

  it('two interfaces of an optical tap', async () => {
    const config = await load('capture: { interface: [eth1, eth2] }');
    expect(config.capture.interface).toEqual(['eth1', 'eth2']);
  });

  it.each([
    ['1GiB', 1024 ** 3],
    ['1.5 GiB', 1.5 * 1024 ** 3],
    ['268435456', 268_435_456],
  ])('memory as %s', async (text, bytes) => {
    expect((await load(`flow: { memory_bytes: ${text} }`)).flow.memory_bytes).toBe(bytes);
  });
});

describe('what is refused', () => {
  it.each([
    ['capture:\n  port: [25]\n', 'mailweir.yaml:2:3 capture.port: there is no such key'],
    ['captures: {}\n', 'mailweir.yaml:1:1 captures: there is no such key'],
    ['capture:\n  ports: [25, 99999]\n', /^mailweir\.yaml:2:15 capture\.ports\.1: .* 65535$/],
    ['capture: { ports: any }\n', /^mailweir\.yaml:1:12 capture\.ports: .*command line/],
    ['capture: { ports: [] }\n', /at least one TCP port$/],
    ['flow: { memory_bytes: 1GB }\n', /^mailweir\.yaml:1:9 flow\.memory_bytes: bytes, such as/],
    ['flow: { memory_bytes: 5 }\n', /at least 16MiB$/],
    ['flow: { key_vlan: yes }\n', /^mailweir\.yaml:1:9 flow\.key_vlan: /],
    ['network: { own: [203.0.113.9/24] }\n', /did you mean 203\.0\.113\.0\/24\?$/],
    ['network: { own: ["2001:db8::1/32"] }\n', /did you mean 2001:db8::\/32\?$/],
    ['network: { own: [203.0.113.0] }\n', /^mailweir\.yaml:1:18 network\.own\.0: .*not an address/],
    [
      'network: { pools: [{ cidr: 10.0.0.0/8 }] }\n',
      /^mailweir\.yaml:1:20 network\.pools\.0\.role: /,
    ],
    [
      'network: { pools: [{ cidr: 10.0.0.0/8, role: customer-dynamic, customer_bits: 32 }] }\n',
      /^mailweir\.yaml:1:\d+ network\.pools\.0\.customer_bits: for IPv6 pools/,
    ],
    [
      'network: { pools: [{ cidr: "2001:db8::/48", role: infrastructure, customer_bits: 40 }] }\n',
      /customer_bits: for IPv6 pools, and not shorter than the pool/,
    ],
    ['profiles: [cn-2006, us-2003]\n', /^mailweir\.yaml:1:21 profiles\.1: /],
    ['profiles: []\n', 'mailweir.yaml:1:1 profiles: one or more of cn-2006, vn-2008, vn-2020'],
    ['registers: { drop_max_percent: 101 }\n', /a whole number from 0 to 100$/],
    ['serve: { http: "127.0.0.1:99999" }\n', /a port up to 65535$/],
    ['serve: { dnsbl: "127.0.0.1:8253" }\n', /^mailweir.yaml:1:10 serve.dnsbl: needs serve.zone,/],
    [`serve: { zone: ${'a.'.repeat(95)}b }\n`, /at most 189 characters$/],
    ['dnsbl: { trusted: [192.0.2.1/24] }\n', /has bits set behind its length/],
    ['policy: { rate_per_hour: 0 }\n', /a whole number from 1 to 1000000$/],
    ['notify: { syslog: { to: /dev/log } }\n', /^mailweir\.yaml:1:\d+ notify\.syslog\.to: udp:/],
    ['notify: { syslog: { to: "udp://a:1", facility: x } }\n', /facility: user, mail, /],
    ['notify: { webhook: { url: "ftp://a", secret_file: s } }\n', /begins with https:/],
    ['notify: { webhook: { url: "https://a:b@c", secret_file: s } }\n', /begins with https:/],
    ['sensor: a\nsensor: b\n', /^mailweir\.yaml:2:1 .*unique/],
    ['a: [\n', /^mailweir\.yaml:2:1 /],
    ['- 1\n', /^mailweir\.yaml:1:1 the file: /],
    ['a: &a [1]\nb: *b\n', /^mailweir\.yaml:\d+:\d+ /],
  ])('%j', async (text, message) => {
    const said = await refusal(text);
    expect(said).not.toContain('\n');
    if (typeof message === 'string') expect(said).toBe(message);
    else expect(said).toMatch(message);
  });

  it('every mistake at once, one a line', async () => {
    const said = await refusal('smtp: { rcpt_max: 0 }\nstats: { interval_s: x }\nx: 1\n');
    expect(said.split('\n')).toHaveLength(3);
  });

  it('a file that is not there', async () => {
    await expect(loadConfig(join(folder, 'none.yaml'))).rejects.toThrow(/none\.yaml: .*ENOENT/);
  });
});

it('is frozen to its leaves', async () => {
  const config = withCapture(await load(full), { ports: 'any' });
  expect(config.capture.ports).toBe('any');
  expect(config.capture.tap_side).toBe('customer');
  for (const part of [config, config.capture, config.network.pools, config.network.pools[0]]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
});
