// The whole chain with real programs: sources send real mail through a box that forwards it; the
// box sees it on a mirror port, decides, publishes, and its kernel limits. One source holds a
// connection open, one opens many, one is a registered server, whom nothing may happen to.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EnforcementStats } from '../../src/cli/enforcement.js';
import { Daemon, eventsIn } from '../helper/program.js';
import { missing, Street, source } from './street.js';

if (missing.length > 0) console.warn(`enforce: the chain not run; missing: ${missing.join(', ')}`);

/** After the deciding packet nobody is hotter than his limit for longer than this. */
const patience_ms = 5000;
const window_ms = 7000;
const holder = 10;
const opener = 20;
const server = 130;
const street = new Street();
const file = (name: string): string => join(street.folder, name);

const config = `
sensor: chain
capture: { interface: ${street.ear}, tap_side: customer, workers: 1 }
network:
  own: [203.0.113.0/24]
  pools: [{ cidr: 203.0.113.0/25, role: customer-dynamic }]
registers: { servers: servers.csv, allow: allow.csv }
rules: { mode: enforce, observe_days: 0 }
stats: { interval_s: 1 }
state: { directory: state }
block: { directory: list }
enforce: { nftables: { life_s: 8 } }
serve: { http: 127.0.0.1:8225 }
`;

interface Entry {
  readonly fetched_by: readonly { readonly name: string; readonly since: string }[];
  readonly seen: {
    readonly state: string;
    readonly published_at: string;
    readonly consumers: readonly { readonly time_to_enforce_ms: number }[];
  };
}

interface Consumers {
  readonly consumers: readonly object[];
}

interface Decided {
  readonly id: string;
  readonly cidr: string;
  readonly action: string;
  readonly state: string;
  readonly rule: { readonly id: string };
}

describe.runIf(missing.length === 0)('from the wire to the kernel and back', () => {
  let daemon: Daemon;
  /** The latest events that the daemon wrote. */
  const events = () => eventsIn(daemon.stdout.slice(0, daemon.stdout.lastIndexOf('\n') + 1));
  const decisions = () =>
    events()
      .filter(({ event_type }) => event_type === 'decision')
      .map((event) => ({
        ...(event['decision'] as Decided),
        time: Date.parse(String(event['timestamp']).replace('+0000', 'Z')),
      }));
  /** Messages of a source that were accepted between two times, milliseconds. */
  const between = (n: number, from: number, to: number) =>
    street.accepted().filter((one) => one.from === source(n) && one.time >= from && one.time < to);
  const perMinute = (some: readonly unknown[], ms: number) =>
    Math.round((some.length / ms) * 6e5) / 10;
  const report: Record<number, Record<string, number>> = {};
  /** The latest figures of the enforcer. */
  const enforced = () => {
    const latest = events().findLast(({ event_type: type }) => type === 'stats')!;
    return (latest['stats'] as { enforce: Required<EnforcementStats> }).enforce;
  };
  const wait = (ms: number) => new Promise((go) => setTimeout(go, ms));

  beforeAll(async () => {
    street.open([holder, opener, server]);
    street.serve();
    mkdirSync(file('state'));
    writeFileSync(file('mailweir.yaml'), config);
    writeFileSync(
      file('servers.csv'),
      `cidr,operator,role\n${source(server)}/32,Mail of the ISP,registered\n`,
    );
    writeFileSync(file('allow.csv'), 'cidr,owner,reason,until\n');
    const words = ['run', '--config', file('mailweir.yaml'), '--format', 'eve', '--clear'];
    daemon = new Daemon(words, ['ip', 'netns', 'exec', street.spaces.box]);
    await daemon.until(() => daemon.stderr.includes('"started"'));
  }, 60_000);

  afterAll(() => {
    daemon?.child.kill('SIGKILL');
    street.close();
  });

  it('limits who is hot, lets the server be, and lets go who is released', async () => {
    street.inside(street.spaces.box, 'nft', 'add table inet other; add chain inet other mine');
    const others = () => street.inside(street.spaces.box, 'nft', 'list', 'table', 'inet', 'other');
    const before = others();
    expect(helperRights(daemon.child.pid!)).toEqual(['0000000000001000', '1']);
    street.send(server, '-s 1 -m 10000 -w 1');
    street.send(holder, '-s 1 -d -m 10000 -R 1');
    street.send(opener, '-s 5 -m 10000 -w 1');
    const limitOf = (n: number) =>
      decisions().find(({ cidr, state }) => cidr === `${source(n)}/32` && state === 'added');
    await daemon.until(() => [holder, opener].every((n) => limitOf(n) !== undefined), 30_000);
    await wait(patience_ms + window_ms);

    const limited = Date.now();
    for (const n of [holder, opener]) {
      const { time, action, rule } = limitOf(n)!;
      expect([action, rule.id]).toEqual(['limit', 'core.rate-limit']);
      const first = between(n, 0, time)[0]!.time;
      report[n] = { before: perMinute(between(n, first, time), time - first) };
      const late = between(n, time + patience_ms, limited);
      report[n]['after'] = perMinute(late, limited - time - patience_ms);
      report[n]['last_ms'] = Math.round((between(n, 0, limited).at(-1)?.time ?? 0) - time);
      // 25 an hour are one message in 144 seconds, however many connections carry it.
      expect(late.length, `messages of .${n} 5 s after the decision`).toBeLessThanOrEqual(1);
      expect(report[n]['before']).toBeGreaterThan(20);
    }
    const { seen, nftables } = enforced();
    expect(seen.states).toMatchObject({ enforced: 2, leaking: 0 });
    expect(nftables).toMatchObject({ entries: 2, failed: 0 });
    expect(nftables.kernel['cut']).toBeGreaterThan(0);

    // The entry says all that too: decided, published, seen enforced, each at its time.
    const { id } = limitOf(holder)!;
    const { seen: sight, fetched_by: fetchedBy } = street.api('GET', `/v1/entries/${id}`) as Entry;
    expect(sight).toMatchObject({ state: 'enforced', excess: 0 });
    expect(fetchedBy).toMatchObject([{ name: 'this box' }]);
    // Since this box had the entry, and since then alone.
    expect(sight.consumers).toMatchObject([{ name: 'this box', state: 'enforced', excess: 0 }]);
    expect(sight.consumers[0]!.time_to_enforce_ms).toBeLessThan(patience_ms);
    const { consumers } = street.api('GET', '/v1/consumers') as Consumers;
    expect(consumers).toMatchObject([
      { name: 'this box', behind: 0, seen: { entries: 2, states: { enforced: 2 } } },
    ]);
    street.api('GET', '/v1/blocklist.json?action=all');
    const { fetched_by: reader } = street.api('GET', `/v1/entries/${id}`) as Entry;
    expect(reader).toMatchObject([{ name: 'this box' }, { name: 'local' }]);
    expect(Date.parse(sight.published_at)).toBeGreaterThanOrEqual(limitOf(holder)!.time);

    // A person releases one, the allow-list the other.
    const allowed = [opener].map((n) => `${source(n)}/32,desk,wedding,2099-01-01\n`);
    writeFileSync(file('allow.csv'), `cidr,owner,reason,until\n${allowed.join('')}`);
    const released = Date.now();
    daemon.child.kill('SIGHUP');
    street.api('POST', `/v1/entries/${id}/release`, { reason: 'mended' });
    await daemon.until(() => enforced().seen.entries === 0, 10_000);
    await wait(window_ms);
    const now = Date.now();
    for (const n of [holder, opener]) {
      const back = between(n, released, now);
      report[n]!['released'] = perMinute(back, now - released);
      report[n]!['back_ms'] = Math.round(back[0]!.time - released);
      expect(back.length).toBeGreaterThan(3);
    }

    // The server was never let down: a message a second, all the time.
    const times = street
      .accepted()
      .flatMap(({ from, time }) => (from === source(server) ? time : []));
    const pauses = times.slice(1).map((time, index) => time - times[index]!);
    report[server] = {
      before: perMinute(times, now - times[0]!),
      longest_pause_ms: Math.round(Math.max(...pauses)),
    };
    expect(Math.max(...pauses)).toBeLessThan(4000);
    console.log('messages a minute at the sink, and times after the decision', report);

    // A person blocks the one again; the other is on the allow-list, which always wins.
    const wish = { action: 'block', for: 600, owner: 'desk', reason: 'again' };
    const blockOf = (n: number) => () =>
      street.api('POST', '/v1/entries', { ...wish, cidr: `${source(n)}/32` });
    expect(blockOf(opener)).toThrow('allow-list');
    blockOf(holder)();
    const blocked = Date.now();
    await wait(4000);
    expect(between(holder, blocked + 2000, Date.now())).toEqual([]);
    expect(between(opener, blocked + 2000, Date.now()).length).toBeGreaterThan(1);
    await daemon.until(() => enforced().nftables.kernel['blocked']! > 0, 5000);

    expect(await daemon.end('SIGTERM'), daemon.stderr).toBe(0);
    expect(street.inside(street.spaces.box, 'nft', 'list', 'tables').trim()).toBe(
      'table inet other',
    );
    expect(others()).toBe(before);
  }, 90_000);
});

/** What the one process that changes the kernel may do: CAP_NET_ADMIN (bit 12), and never more. */
function helperRights(daemon: number): (string | undefined)[] {
  const children = readFileSync(`/proc/${daemon}/task/${daemon}/children`, 'utf8').trim();
  const helper = children
    .split(' ')
    .find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('enforce/helper.js'));
  const status = readFileSync(`/proc/${helper}/status`, 'utf8');
  return ['CapEff', 'NoNewPrivs'].map(
    (name) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1],
  );
}
