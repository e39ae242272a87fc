// What the policy server answers: blocked, over the limit, within it, not known; how recipients are
// charged; and what it does with bytes that are no requests.

import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { lookupFigureCount, lookupFigures } from '../../src/serve/lookup/figures.js';
import { ListedSources, updateFrom } from '../../src/serve/lookup/listed.js';
import { Meters } from '../../src/serve/policy/meter.js';
import { Policy } from '../../src/serve/policy/policy.js';
import { type PolicyRequest, RequestReader } from '../../src/serve/policy/request.js';
import { PolicyServer } from '../../src/serve/policy/server.js';
import { until } from './desk.js';
import { entryOf, TestList } from './lists.js';

const hour_ms = 3_600_000;
const limit = { proto: 'tcp', dport: [25], direction: 'out', rate: 60, burst: 3 } as const;

function policy() {
  const figures = new Float64Array(lookupFigureCount);
  const listed = new ListedSources(7);
  const list = new TestList([
    entryOf('192.0.2.1/32', 1),
    entryOf('192.0.2.2/32', 2, { action: 'limit', rule: 'core.rate-limit', scope: limit }),
    entryOf('2001:db8::/64', 3, { action: 'limit', scope: { ...limit, rate: 0, burst: 0 } }),
  ]);
  listed.apply(updateFrom(null, list.snapshot()), 0);
  const options = {
    appeal: { url: 'https://isp.example/appeal' },
    limit: { rate: 1, burst: 1 },
  };
  return { policy: new Policy(options, listed, figures), figures, list };
}

function request(client_address: string, what: Partial<PolicyRequest> = {}): PolicyRequest {
  return {
    request: 'smtpd_access_policy',
    protocol_state: 'RCPT',
    client_address,
    recipient_count: '0',
    instance: '1.1',
    server_port: '25',
    ...what,
  };
}

const defer =
  'DEFER_IF_PERMIT 4.7.1 Mail from 192.0.2.2 is limited to 60 recipients an hour: too much mail; ' +
  `see https://isp.example/appeal?entry=${entryOf('', 2).id}`;

describe('a client', () => {
  it('that is blocked is rejected, with the reason and the way out', () => {
    const { policy: one, figures } = policy();
    expect(one.action(request('192.0.2.1'), 0)).toBe(
      'REJECT 5.7.1 Mail from 192.0.2.1 is blocked: listed by the operator; ' +
        `see https://isp.example/appeal?entry=${entryOf('', 1).id}`,
    );
    expect(lookupFigures(figures)).toMatchObject({ policy_requests: 1, policy_rejected: 1 });
  });

  it('over its limit is deferred until there is room again', () => {
    const { policy: one, figures } = policy();
    const at = (ms: number) => one.action(request('192.0.2.2'), ms);
    expect([at(0), at(0), at(0)]).toEqual(['DUNNO', 'DUNNO', 'DUNNO']);
    expect(at(0)).toBe(defer);
    // One recipient a minute, and what was deferred was not charged.
    expect([at(59_999), at(60_000), at(60_001)]).toEqual([defer, 'DUNNO', defer]);
    expect(lookupFigures(figures)).toMatchObject({ policy_passed: 4, policy_deferred: 3 });
  });

  it.each([
    ['is not listed', request('192.0.2.3')],
    ['has no address', request('unknown')],
    ['has a prefix for an address', request('192.0.2.0/24')],
    ['is blocked at another port than it uses', request('192.0.2.1', { server_port: '587' })],
  ])('that %s goes on', (_, asked) => {
    expect(policy().policy.action(asked, 0)).toBe('DUNNO');
  });

  it('behind a proxy with a port of its own is at port 25', () => {
    const asked = request('192.0.2.1', { server_port: '10025' });
    expect(policy().policy.action(asked, 0)).toMatch(/^REJECT/);
  });

  it('whose limit names no rate has the usual one', () => {
    const { policy: one } = policy();
    const asked = request('2001:db8::77');
    expect(one.action(asked, 0)).toBe('DUNNO');
    expect(one.action(request('2001:db8::78'), hour_ms - 1)).toMatch(/^DEFER_IF_PERMIT 4.7.1/);
    expect(one.action(asked, hour_ms)).toBe('DUNNO');
  });

  it('goes on when nobody renewed the list', () => {
    const { policy: one, figures, list } = policy();
    expect(one.action(request('192.0.2.1'), list.life / 1000)).toBe('DUNNO');
    expect(lookupFigures(figures).policy_stale).toBe(1);
  });
});

describe('at the end of a message', () => {
  const end = (recipients: number, instance: string) =>
    request('192.0.2.2', {
      protocol_state: 'END-OF-MESSAGE',
      recipient_count: String(recipients),
      instance,
    });

  it('recipients that were named before are not charged again', () => {
    const { policy: one } = policy();
    one.action(request('192.0.2.2'), 0);
    one.action(request('192.0.2.2'), 0);
    expect(one.action(end(2, '1.1'), 0)).toBe('DUNNO');
    expect(one.action(request('192.0.2.2', { instance: '1.2' }), 0)).toBe('DUNNO');
    expect(one.action(request('192.0.2.2', { instance: '1.2' }), 0)).toBe(defer);
  });

  it('a server that asks only then is charged for all of them', () => {
    const { policy: one } = policy();
    expect(one.action(end(2, '1.1'), 0)).toBe('DUNNO');
    expect(one.action(end(2, '1.2'), 0)).toBe(defer);
    expect(one.action(end(1, '1.3'), 0)).toBe('DUNNO');
  });

  it('a message larger than the burst passes a source at rest, which then waits for long', () => {
    const { policy: one } = policy();
    expect(one.action(end(50, '1.1'), 0)).toBe('DUNNO');
    expect(one.action(end(1, '1.2'), 47 * 60_000)).toBe(defer);
    expect(one.action(end(1, '1.3'), 48 * 60_000)).toBe('DUNNO');
  });

  it('numbers that are none cost nothing', () => {
    const { policy: one } = policy();
    for (const count of ['', '-5', 'NaN', '0']) {
      expect(one.action({ ...end(0, '1.1'), recipient_count: count }, 0)).toBe('DUNNO');
    }
    expect(one.action(end(3, '1.2'), 0)).toBe('DUNNO');
  });
});

it('the meter lets through what a bucket of tokens would', () => {
  const arrivals = fc.array(fc.tuple(fc.nat({ max: 200_000 }), fc.integer({ min: 1, max: 3 })), {
    maxLength: 80,
  });
  const property = fc.property(arrivals, fc.integer({ min: 3, max: 8 }), (events, burst) => {
    const meters = new Meters();
    let [now, tokens] = [0, burst];
    for (const [wait, cost] of events) {
      now += wait;
      tokens = Math.min(burst, tokens + wait / 60_000);
      const passes = tokens >= cost - 1e-6;
      expect(meters.charge('x', { rate: 60, burst }, cost, now)).toBe(passes);
      if (passes) tokens -= cost;
    }
  });
  fc.assert(property, { numRuns: 300 });
});

it('the meter forgets the source that was charged first, and counts those in debt', () => {
  const meters = new Meters();
  const slow = { rate: 1, burst: 1 };
  for (let at = 0; at < 65_537; at++) meters.charge(`s${at}`, slow, 1, at * 100);
  expect([meters.count, meters.forgotten]).toEqual([65_536, 0]);
  meters.charge('late', slow, 1, 65_537 * 100);
  expect(meters.forgotten).toBe(0);
  const quick = new Meters();
  for (let at = 0; at < 65_540; at++) quick.charge(`s${at}`, slow, 1, 0);
  expect([quick.count, quick.forgotten]).toEqual([65_536, 4]);
});

describe('requests', () => {
  const text =
    'request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n' +
    'client_address=192.0.2.2\nsender=a=b@example.org\nrecipient_count=0\ninstance=1.2\n\n';

  it('come in any pieces', () => {
    const property = fc.property(fc.array(fc.integer({ min: 1, max: 60 })), (sizes) => {
      const seen: PolicyRequest[] = [];
      const reader = new RequestReader((one) => seen.push(one));
      const bytes = Buffer.from(text.repeat(3));
      let at = 0;
      for (const size of [...sizes, bytes.length]) {
        expect(reader.take(bytes.subarray(at, at + size))).toBe('taken');
        at = Math.min(bytes.length, at + size);
      }
      expect(seen).toHaveLength(3);
      expect(seen[2]).toMatchObject({ client_address: '192.0.2.2', instance: '1.2' });
      expect(reader.isInside).toBe(false);
    });
    fc.assert(property, { numRuns: 100 });
  });

  it.each([
    ['a line without a name', '=x\n\n', 'malformed'],
    ['HTTP', 'GET / HTTP/1.0\r\nHost: x\n\n', 'malformed'],
    ['another request', 'request=other\n\n', 'malformed'],
    ['nothing but an end', '\n\n', 'malformed'],
    ['an attribute without an end', `request=${'x'.repeat(17_000)}`, 'oversize'],
    ['too many attributes', `${'a=b\n'.repeat(5000)}\n`, 'oversize'],
  ])('%s', (_, bytes, expected) => {
    expect(new RequestReader(() => {}).take(Buffer.from(bytes))).toBe(expected);
  });

  it('names of the language are no attributes', () => {
    const seen: PolicyRequest[] = [];
    const reader = new RequestReader((one) => seen.push(one));
    reader.take(Buffer.from(`__proto__=x\nconstructor=y\n${text}`));
    expect(Object.keys(seen[0]!)).not.toContain('constructor=y');
    expect(seen[0]!.client_address).toBe('192.0.2.2');
  });
});

describe('connections', () => {
  const opened: PolicyServer[] = [];
  afterEach(() => {
    for (const server of opened.splice(0)) server.close();
  });

  async function serve(patience: { idle_ms: number; request_ms: number }) {
    const { policy: one, figures } = policy();
    const server = new PolicyServer(one, figures, patience);
    opened.push(server);
    return { port: await server.open({ host: '127.0.0.1', port: 0 }), figures };
  }

  /** What is said to these bytes until the other side hangs up or enough was said. */
  async function say(port: number, bytes: string, enough = Number.POSITIVE_INFINITY) {
    const socket = connect(port, '127.0.0.1');
    let heard = '';
    let closed = false;
    socket.on('data', (part) => {
      heard += part.toString();
    });
    socket.on('close', () => {
      closed = true;
    });
    socket.on('error', () => {});
    socket.write(bytes);
    await until(() => closed || heard.split('\n\n').length > enough);
    socket.destroy();
    return heard;
  }

  const ask = (address: string) => `request=smtpd_access_policy\nclient_address=${address}\n\n`;
  const patient = { idle_ms: 60_000, request_ms: 60_000 };

  it('ask several times', async () => {
    const { port } = await serve(patient);
    const heard = await say(port, `${ask('192.0.2.9')}${ask('192.0.2.1')}`, 2);
    expect(heard).toMatch(/^action=DUNNO\n\naction=REJECT 5\.7\.1 [^\n]*\n\n$/);
  });

  it('that ask nonsense or say nothing are closed and counted', async () => {
    const { port, figures } = await serve({ idle_ms: 300, request_ms: 100 });
    expect(await say(port, 'nonsense\n\n')).toBe('');
    expect(await say(port, 'x'.repeat(20_000))).toBe('');
    expect(await say(port, 'request=smtpd_access_policy\n')).toBe('');
    expect(await say(port, '')).toBe('');
    expect(lookupFigures(figures)).toMatchObject({
      policy_malformed: 1,
      policy_oversize: 1,
      policy_timeouts: 2,
    });
  });
});
