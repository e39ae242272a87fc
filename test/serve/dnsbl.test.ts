// What the DNSBL answers, message by message, with dns-packet as the other side: RFC 5782's test
// entries, codes, texts, the zone's own records, EDNS, letters as they came, what is refused, and
// that no bytes of a stranger do harm.

import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  decode,
  encode,
  type Packet,
  RECURSION_DESIRED,
  type RecordType,
  type SoaAnswer,
  type TxtAnswer,
} from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Answerer } from '../../src/serve/dnsbl/answer.js';
import { lookupFigureCount, lookupFigures } from '../../src/serve/lookup/figures.js';
import { ListedSources, updateFrom } from '../../src/serve/lookup/listed.js';
import { entryOf, noon, TestList } from './lists.js';

const zone = 'bl.example.net';
const limit = { proto: 'tcp', dport: [25], direction: 'out', rate: 25, burst: 10 } as const;
const list = new TestList([
  entryOf('203.0.113.9/32', 1),
  entryOf('203.0.113.10/32', 2, { rule: 'core.harvest' }),
  entryOf('198.51.100.0/24', 3, { action: 'limit', rule: 'core.rate-limit', scope: limit }),
  entryOf('2001:db8:0:1::/64', 4, { rule: 'site.dns-tunnel' }),
  entryOf('127.0.0.0/8', 5),
  entryOf('203.0.113.11/32', 6, { until: noon + 9_500_000 }),
  entryOf('203.0.113.12/32', 7, { scope: { ...limit, dport: [465, 587] } }),
  entryOf('203.0.113.12/31', 8, { action: 'limit', scope: limit, rule: 'core.open-relay' }),
]);

function server(url = 'https://isp.example/appeal', among: TestList = list) {
  const figures = new Float64Array(lookupFigureCount);
  const listed = new ListedSources(7);
  listed.apply(updateFrom(null, among.snapshot()), 0);
  const options = { zone, nameServers: ['ns1.example.net', 'ns2.example.net'], appeal: { url } };
  const answerer = new Answerer(options, listed, figures);
  const raw = (bytes: Buffer, isStream = false, clock = 0): Buffer => {
    const length = answerer.answer(bytes, bytes.length, isStream, clock);
    return Buffer.from(answerer.out.subarray(0, length));
  };
  return { answerer, raw, figures: () => lookupFigures(figures) };
}

function question(name: string, type: string, more: Packet = {}): Buffer {
  const questions = [{ name, type: type as RecordType }];
  return encode({ type: 'query', id: 4711, flags: RECURSION_DESIRED, questions, ...more });
}

function ask(name: string, type = 'A', clock = 0): DecodedPacket & { rcode?: string } {
  return decode(server().raw(question(name, type), false, clock));
}

function nibbles(hex: string): string {
  return [...hex.padStart(32, '0')].reverse().join('.');
}

function way(number: number): string {
  return `see https://isp.example/appeal?entry=${entryOf('', number).id}`;
}

/** What an answer says, in short. */
function inShort(packet: DecodedPacket & { rcode?: string }): string {
  const data = (packet.answers ?? []).map((answer) =>
    'data' in answer ? String(answer.data) : '',
  );
  return [packet.rcode, ...data].join(' ');
}

describe('an address', () => {
  it.each([
    ['RFC 5782: 127.0.0.2 is listed', '2.0.0.127', 'NOERROR 127.0.0.2'],
    ['RFC 5782: 127.0.0.1 is not, whatever the list says', '1.0.0.127', 'NXDOMAIN'],
    ['RFC 5782: ::ffff:7f00:2 is listed', nibbles('ffff7f000002'), 'NOERROR 127.0.0.2'],
    ['RFC 5782: ::ffff:7f00:1 is not', nibbles('ffff7f000001'), 'NXDOMAIN'],
    ['a block by a person', '9.113.0.203', 'NOERROR 127.0.0.2'],
    ['a block for refused recipients', '10.113.0.203', 'NOERROR 127.0.0.3'],
    ['a limit for too much mail, of a network', '77.100.51.198', 'NOERROR 127.0.1.4'],
    [
      'a block of a customer in IPv6',
      nibbles('20010db8000000010000000000000005'),
      'NOERROR 127.0.0.10',
    ],
    ['its neighbour', nibbles('20010db8000000020000000000000005'), 'NXDOMAIN'],
    ['IPv4 asked as IPv6', nibbles('ffffcb007109'), 'NOERROR 127.0.0.2'],
    [
      'a block that is not about port 25, under a limit that is',
      '12.113.0.203',
      'NOERROR 127.0.1.6',
    ],
    ['nobody', '1.2.0.192', 'NXDOMAIN'],
    ['a part of an address has names below it', '113.0.203', 'NOERROR'],
    ['the same in IPv6', '8.b.d.0.1.0.0.2', 'NOERROR'],
    ['an address that is also the beginning of IPv6 addresses', '4.3.2.1', 'NOERROR'],
    ['256 is no part of an address', '256.113.0.203', 'NXDOMAIN'],
    ['nor is a number with a leading zero', '09.113.0.203', 'NXDOMAIN'],
    ['five numbers', '1.9.113.0.203', 'NXDOMAIN'],
    ['33 nibbles', `1.${nibbles('ffff7f000002')}`, 'NXDOMAIN'],
    ['a word', 'test', 'NXDOMAIN'],
    ['an underscore', '_dmarc', 'NXDOMAIN'],
  ])('%s', (_, name, expected) => {
    const packet = ask(`${name}.${zone}`);
    expect(inShort(packet)).toBe(expected);
    expect(packet.flags! & AUTHORITATIVE_ANSWER).not.toBe(0);
  });

  it('TXT tells what, why, where to appeal, and which entry', () => {
    const texts = ['10.113.0.203', '1.100.51.198', '2.0.0.127'].map((name) => {
      const [answer] = ask(`${name}.${zone}`, 'TXT').answers as TxtAnswer[];
      return (answer!.data as Buffer[]).map(String).join('');
    });
    expect(texts).toEqual([
      `Mail from 203.0.113.10 is blocked: too many refused recipients; ${way(2)}`,
      `Mail from 198.51.100.1 is limited to 25 recipients an hour: too much mail; ${way(3)}`,
      'Test entry of bl.example.net',
    ]);
  });

  it('a listed name has no AAAA, and SOA says for how long that holds', () => {
    const packet = ask(`9.113.0.203.${zone}`, 'AAAA');
    expect(inShort(packet)).toBe('NOERROR');
    const [soa] = packet.authorities as SoaAnswer[];
    expect(soa).toMatchObject({ type: 'SOA', name: zone, ttl: 60 });
    expect(soa!.data).toMatchObject({
      minimum: 60,
      serial: list.revision,
      mname: 'ns1.example.net',
    });
  });

  it('answers are kept for a minute, or until the entry ends', () => {
    const ttl = (name: string, clock: number) =>
      (ask(`${name}.${zone}`, 'A', clock).answers as Answer[]).map((answer) =>
        'ttl' in answer ? answer.ttl : null,
      );
    expect(ttl('9.113.0.203', 0)).toEqual([60]);
    expect(ttl('11.113.0.203', 0)).toEqual([10]);
    expect(ttl('11.113.0.203', 9499)).toEqual([1]);
    expect(ttl('11.113.0.203', 9500)).toEqual([]);
  });

  it('a list that nobody renewed is dead, the test entry too, and that is counted', () => {
    const { raw, figures } = server();
    const late = list.life / 1000;
    for (const name of ['9.113.0.203', '2.0.0.127']) {
      expect(inShort(decode(raw(question(`${name}.${zone}`, 'A'), false, late)))).toBe('NXDOMAIN');
    }
    expect(inShort(decode(raw(question(zone, 'SOA'), false, late)))).toMatch(/^NOERROR/);
    expect(figures()).toMatchObject({ dns_stale: 2, dns_blocked: 0 });
  });
});

describe('the zone', () => {
  it('has SOA and NS', () => {
    expect(ask(zone, 'SOA').answers).toMatchObject([
      { type: 'SOA', data: { rname: `hostmaster.${zone}` } },
    ]);
    expect(ask(zone, 'NS').answers).toMatchObject([
      { data: 'ns1.example.net' },
      { data: 'ns2.example.net' },
    ]);
    expect(ask(zone, 'A')).toMatchObject({
      rcode: 'NOERROR',
      answers: [],
      authorities: [{ type: 'SOA' }],
    });
  });

  it.each([
    ['another zone', 'example.org', 'A'],
    ['the zone above', 'example.net', 'NS'],
    ['a name that only ends like the zone', 'xbl.example.net', 'A'],
    ['the root', '.', 'NS'],
    ['a transfer', zone, 'AXFR'],
  ])('refuses %s', (_, name, type) => {
    const packet = ask(name, type);
    expect(packet).toMatchObject({ rcode: 'REFUSED', answers: [], authorities: [] });
    expect(packet.flags! & AUTHORITATIVE_ANSWER).toBe(0);
  });

  it('refuses other classes', () => {
    const bytes = question(`2.0.0.127.${zone}`, 'TXT');
    bytes.writeUInt16BE(3, bytes.length - 2);
    expect(server().raw(bytes)[3]! & 15).toBe(5);
  });

  it('answers ANY with one small record', () => {
    const packet = ask(`2.0.0.127.${zone}`, 'ANY');
    expect(packet.answers).toMatchObject([{ type: 'HINFO', data: { cpu: 'RFC8482' } }]);
  });

  it('says that it does not recurse', () => {
    expect(ask(`2.0.0.127.${zone}`).flags! & 0x80).toBe(0);
  });
});

describe('messages', () => {
  it('the letters of a name come back as they came', () => {
    const name = '2.0.0.127.Bl.eXAMple.NET';
    const packet = ask(name);
    expect(packet.questions![0]!.name).toBe(name);
    expect(packet.answers).toMatchObject([{ name, data: '127.0.0.2' }]);
  });

  const edns = (fields: object) => ({
    additionals: [
      { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [], ...fields },
    ],
  });

  it('EDNS is answered with EDNS, with DO as it came', () => {
    const { raw } = server();
    const ours = (fields: object) =>
      decode(raw(question(`2.0.0.127.${zone}`, 'A', edns(fields) as unknown as Packet)))
        .additionals;
    expect(ours({})).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232, flag_do: false }]);
    expect(ours({ flags: 0x8000 })).toMatchObject([{ flag_do: true }]);
  });

  it('another version of EDNS is told so (RFC 6891 section 6.1.3)', () => {
    const { raw } = server();
    const bytes = raw(
      question(`2.0.0.127.${zone}`, 'A', edns({ ednsVersion: 1 }) as unknown as Packet),
    );
    expect(decode(bytes)).toMatchObject({ answers: [], additionals: [{ extendedRcode: 1 }] });
    expect(bytes[3]! & 15).toBe(0);
  });

  it('what does not fit comes by TCP', () => {
    const long = server(`https://isp.example/${'a'.repeat(600)}`);
    const bytes = question(`9.113.0.203.${zone}`, 'TXT');
    const short = long.raw(bytes);
    expect(decode(short)).toMatchObject({ flag_tc: true, answers: [] });
    expect(short.length).toBe(bytes.length);
    const whole = decode(long.raw(bytes, true));
    expect(whole.flag_tc).toBe(false);
    expect(String((whole.answers as TxtAnswer[])[0]!.data)).toContain(entryOf('', 1).id);
    const large = question(`9.113.0.203.${zone}`, 'TXT', edns({}) as unknown as Packet);
    expect(decode(long.raw(large)).answers).toHaveLength(1);
    expect(long.figures().dns_truncated).toBe(1);
  });

  const usual = question(`2.0.0.127.${zone}`, 'A');
  const changed = (at: number, value: number) => {
    const bytes = Buffer.from(usual);
    bytes[at] = value;
    return bytes;
  };
  it.each([
    ['nothing', Buffer.alloc(0), null],
    ['half a header', usual.subarray(0, 11), null],
    ['an answer', changed(2, 0x80), null],
    ['a header alone', usual.subarray(0, 12), 1],
    ['a name without an end', usual.subarray(0, 20), 1],
    ['a question without a class', usual.subarray(0, usual.length - 1), 1],
    ['two questions', changed(5, 2), 1],
    ['no question', changed(5, 0), 1],
    ['a pointer in the name', changed(12, 0xc0), 1],
    ['a label of 64 bytes', changed(12, 64), 1],
    ['a record that is not there', changed(11, 1), 1],
    ['65,280 records', changed(10, 0xff), 1],
    ['a notification', changed(2, 4 << 3), 4],
    ['an update', changed(2, 5 << 3), 4],
  ])('%s', (_, bytes, rcode) => {
    const answer = server().raw(bytes);
    if (rcode === null) {
      expect(answer).toHaveLength(0);
      return;
    }
    expect(answer.subarray(0, 2)).toEqual(bytes.subarray(0, 2));
    expect([answer.length, answer[3]! & 15, answer[2]! & 0x80]).toEqual([12, rcode, 0x80]);
  });

  it('a name of 255 bytes is the longest', () => {
    const label = `${'a'.repeat(49)}.`;
    const name = (last: number) => `${'a'.repeat(last)}.${label.repeat(4)}example.net`;
    expect(inShort(ask(name(41)))).toBe('REFUSED');
    expect(server().raw(question(name(42), 'A'))[3]! & 15).toBe(1);
  });

  it('no bytes do harm, and no answer is much larger than its question', () => {
    const { raw, figures } = server();
    const seeds = [
      usual,
      question(`9.113.0.203.${zone}`, 'TXT', edns({}) as unknown as Packet),
      question(`${nibbles('ffff7f000002')}.${zone}`, 'A'),
      question(zone, 'NS'),
    ];
    const cut = fc.record({
      seed: fc.constantFrom(...seeds),
      edits: fc.array(fc.tuple(fc.nat({ max: 120 }), fc.nat({ max: 255 })), { maxLength: 6 }),
      length: fc.nat({ max: 130 }),
      junk: fc.uint8Array({ maxLength: 40 }),
    });
    let answered = 0;
    const property = fc.property(cut, fc.boolean(), ({ seed, edits, length, junk }, whole) => {
      const bytes = Buffer.concat([whole ? seed : seed.subarray(0, length), junk]);
      for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
      const answer = raw(bytes);
      if (answer.length === 0) return;
      answered += 1;
      expect(answer.readUInt16BE(0)).toBe(bytes.readUInt16BE(0));
      expect(answer[2]! & 0x80).toBe(0x80);
      expect(answer.length).toBeLessThanOrEqual(bytes.length + 200);
      decode(answer);
    });
    fc.assert(property, { numRuns: 5000 });
    const { dns_malformed, dns_dropped } = figures();
    expect(Math.min(answered, dns_malformed, dns_dropped)).toBeGreaterThan(10);
  });

  it('every address in IPv4 and IPv6 is asked as dns-packet writes it', () => {
    const among = new TestList();
    const { raw } = server(undefined, among);
    const property = fc.property(fc.ipV4(), (address) => {
      const fresh = new TestList([entryOf(`${address}/32`, 1)]);
      const name = address.split('.').reverse().join('.');
      const own = /^127\.0\.0\.[12]$/.test(address);
      const listed = inShort(
        decode(server(undefined, fresh).raw(question(`${name}.${zone}`, 'A'))),
      );
      const isTest = address === '127.0.0.2';
      if (!own) expect(listed).toBe('NOERROR 127.0.0.2');
      const empty = decode(raw(question(`${name}.${zone}`, 'A')));
      if (!isTest) expect(empty.answers).toEqual([]);
    });
    fc.assert(property, { numRuns: 300 });
  });
});
