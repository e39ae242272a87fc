// ClientHello reading: real hellos of Node and openssl caught on loopback and built ones, with
// read-tls-client-hello as oracle; FoxIO's published JA4; every cut; tiny records; a fuzz loop.

import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { type ConnectionOptions, connect } from 'node:tls';
import fc from 'fast-check';
import { calculateJa4FromHelloData, readTlsClientHello } from 'read-tls-client-hello';
import { beforeAll, expect, test } from 'vitest';
import { ClientHelloReader, Hello, looksLikeTls } from '../../src/smtp/client-hello.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const reader = new ClientHelloReader(sha256);

function answer(bytes: Uint8Array): number {
  return reader.read(bytes, 0, bytes.length);
}

/** What was read, or the answer where it is not `complete`. */
function told(bytes: Uint8Array): string {
  const result = answer(bytes);
  if (result !== Hello.complete) {
    expect([reader.sni, reader.version, reader.ja4]).toEqual(['', '', '']);
    return String(result);
  }
  return `${reader.sni}|${reader.version}|${reader.ja4}`;
}

const u16 = (value: number) => [value >> 8, value & 255];
const sized16 = (bytes: readonly number[]) => [...u16(bytes.length), ...bytes];
const sized8 = (bytes: readonly number[]) => [bytes.length, ...bytes];
const ascii = (text: string) => [...Buffer.from(text, 'latin1')];

type Extension = readonly [type: number, data: readonly number[]];

const serverName = (name: string): Extension => [0, sized16([0, ...sized16(ascii(name))])];
const alpn = (...names: string[]): Extension => [
  16,
  sized16(names.flatMap((n) => sized8(ascii(n)))),
];
const signatures = (...list: number[]): Extension => [13, sized16(list.flatMap(u16))];
const versions = (...list: number[]): Extension => [43, sized8(list.flatMap(u16))];

interface HelloParts {
  version?: number;
  session?: number[];
  ciphers?: readonly number[];
  /** null: the block itself is absent. */
  extensions?: readonly Extension[] | null;
}

/** The handshake message, without a record around it. */
function message(parts: HelloParts): Buffer {
  const { version = 0x0303, session = [], ciphers = [0x1301], extensions = [] } = parts;
  const body = [...u16(version), ...new Array<number>(32).fill(7), ...sized8(session)];
  body.push(...sized16(ciphers.flatMap(u16)), 1, 0);
  if (extensions) body.push(...sized16(extensions.flatMap(([t, d]) => [...u16(t), ...sized16(d)])));
  return Buffer.from([1, body.length >> 16, ...u16(body.length & 0xffff), ...body]);
}

function records(handshake: Uint8Array, size = 16384): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < handshake.length; at += size) {
    const part = handshake.subarray(at, at + size);
    parts.push(Buffer.from([22, 3, 1, ...u16(part.length)]), Buffer.from(part));
  }
  return Buffer.concat(parts);
}

const hello = (parts: HelloParts) => records(message(parts));

async function oracle(bytes: Uint8Array): Promise<{ sni: string; ja4: string }> {
  const data = await readTlsClientHello(Readable.from([Buffer.from(bytes)], { objectMode: false }));
  return { sni: (data.serverName ?? '').toLowerCase(), ja4: calculateJa4FromHelloData(data) };
}

/** The bytes that `dial` makes a client send first to a listener that never answers. */
async function firstFlight(dial: (port: number) => { stop(): void }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    let client: { stop(): void } | null = null;
    const finish = (error: Error | null) => {
      clearTimeout(timer);
      client?.stop();
      server.close();
      if (error) reject(error);
      else resolve(seen);
    };
    const timer = setTimeout(() => finish(new Error('no ClientHello came')), 5000);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        seen = Buffer.concat([seen, chunk]);
        if (seen.length < 5 || seen.length < 5 + seen.readUInt16BE(3)) return;
        socket.destroy();
        finish(null);
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address !== null && typeof address === 'object') client = dial(address.port);
    });
  });
}

function nodeHello(options: ConnectionOptions): Promise<Buffer> {
  return firstFlight((port) => {
    const socket = connect({ host: '127.0.0.1', port, ...options });
    socket.on('error', () => {});
    return { stop: () => socket.destroy() };
  });
}

function opensslHello(options: readonly string[]): Promise<Buffer> {
  return firstFlight((port) => {
    const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...options]);
    child.on('error', () => {});
    return { stop: () => child.kill() };
  });
}

const legacy = 'DEFAULT@SECLEVEL=0';
const nodeClients: readonly (readonly [string, ConnectionOptions, string, RegExp])[] = [
  ['no name', {}, '|TLS 1.3', /^t13i/],
  ['a name', { servername: 'Mx1.Example.COM' }, 'mx1.example.com|TLS 1.3', /^t13d/],
  ['at most 1.2', { servername: 'a.example', maxVersion: 'TLSv1.2' }, 'a.example|TLS 1.2', /^t12d/],
  ['only 1.3', { minVersion: 'TLSv1.3' }, '|TLS 1.3', /^t13i/],
  ['1.1', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: legacy }, '|TLS 1.1', /^t11i/],
  ['1.0', { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: legacy }, '|TLSv1', /^t10i/],
  ['alpn h2', { ALPNProtocols: ['h2', 'http/1.1'] }, '|TLS 1.3', /^t13i\d{4}h2_/],
  ['alpn http/1.1', { ALPNProtocols: ['http/1.1'] }, '|TLS 1.3', /^t13i\d{4}h1_/],
  ['alpn smtp', { ALPNProtocols: ['smtp'] }, '|TLS 1.3', /^t13i\d{4}sp_/],
  [
    'one cipher',
    { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' },
    '|TLS 1.2',
    /^t12i02/, // and the renegotiation SCSV
  ],
  ['all ciphers', { ciphers: 'ALL:@SECLEVEL=0', minVersion: 'TLSv1' }, '|TLS 1.3', /^t13i[5-9]\d/],
  ['signatures', { sigalgs: 'RSA-PSS+SHA256:ECDSA+SHA256' }, '|TLS 1.3', /^t13i/],
];

const opensslClients: readonly (readonly [string, readonly string[], string, RegExp])[] = [
  ['plain', ['-noservername'], '|TLS 1.3', /^t13i/],
  ['a name', ['-servername', 'MX.example.org'], 'mx.example.org|TLS 1.3', /^t13d/],
  ['1.2', ['-noservername', '-tls1_2'], '|TLS 1.2', /^t12i/],
  ['1.1', ['-noservername', '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'], '|TLS 1.1', /^t11i/],
  ['no ticket, alpn', ['-noservername', '-no_ticket', '-alpn', 'x'], '|TLS 1.3', /^t13i\d{4}xx_/],
];

const flights: Buffer[] = [];
let hasOpenssl = false;

beforeAll(async () => {
  hasOpenssl = spawnSync('openssl', ['version']).status === 0;
  for (const [, options] of nodeClients) flights.push(await nodeHello(options));
}, 30_000);

test.each(nodeClients)('Node: %s', async (_name, options, begins, ja4) => {
  const bytes = flights[nodeClients.findIndex((client) => client[1] === options)]!;
  expect(told(bytes)).toMatch(new RegExp(`^${begins.replaceAll(/[|.]/g, '\\$&')}\\|`));
  expect(reader.ja4).toMatch(ja4);
  expect({ sni: reader.sni, ja4: reader.ja4 }).toEqual(await oracle(bytes));
});

test.each(opensslClients)('openssl: %s', async (_name, options, begins, ja4) => {
  if (!hasOpenssl) return;
  const bytes = await opensslHello(options);
  expect(told(bytes)).toMatch(new RegExp(`^${begins.replaceAll(/[|.]/g, '\\$&')}\\|`));
  expect(reader.ja4).toMatch(ja4);
  expect({ sni: reader.sni, ja4: reader.ja4 }).toEqual(await oracle(bytes));
});

// The lists and fingerprints that FoxIO publishes in technical_details/JA4.md.
const numbers = (text: string) => text.split(',').map((hex) => Number.parseInt(hex, 16));
const foxCiphers = numbers(
  '1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035',
);
const foxTypes = numbers(
  '001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015',
);
const foxSignatures = numbers('0403,0804,0401,0503,0805,0501,0806,0601');

function foxHello(signatureList: readonly number[]): Buffer {
  const known: readonly Extension[] = [
    serverName('www.example.com'),
    alpn('h2', 'http/1.1'),
    versions(0x5a5a, 0x0304, 0x0303),
    signatures(...signatureList),
  ];
  const extensions = foxTypes.map(
    (type) => known.find(([t]) => t === type) ?? ([type, []] as const),
  );
  return hello({
    ciphers: [0xdada, ...foxCiphers],
    extensions: [[0x3a3a, []], ...extensions, [0xeaea, [0]]],
  });
}

test('the fingerprints of the JA4 description, with GREASE thrown in', () => {
  expect(told(foxHello([0x1a1a, ...foxSignatures]))).toBe(
    'www.example.com|TLS 1.3|t13d1516h2_8daaf6152771_e5627efa2ab1',
  );
  expect(told(foxHello([]))).toBe('www.example.com|TLS 1.3|t13d1516h2_8daaf6152771_6d807ffa2a79');
});

const one = '0f2cb44170f4'; // sha256 of 1301
const ja4s: readonly (readonly [string, HelloParts, string])[] = [
  ['no extension block', { version: 0x0301, extensions: null }, `|TLSv1|t10i010000_${one}_0`],
  ['an empty extension block', {}, `|TLS 1.2|t12i010000_${one}_0`],
  ['SSL 3.0', { version: 0x0300, extensions: null }, `|SSLv3|ts3i010000_${one}_0`],
  ['an unknown version', { version: 0x0405 }, `|0x0405|t00i010000_${one}_0`],
  ['no ciphers', { ciphers: [] }, '|TLS 1.2|t12i000000_000000000000_0'],
  [
    'only GREASE',
    { ciphers: [0x0a0a], extensions: [[0xfafa, []]] },
    '|TLS 1.2|t12i000000_000000000000_0',
  ],
  ['only a name', { extensions: [serverName('a.b')] }, `a.b|TLS 1.2|t12d010100_${one}_0`],
  ['a near GREASE', { ciphers: [0x1301, 0x0a1a] }, '|TLS 1.2|t12i020000_'],
  ['drafts', { extensions: [versions(0x7f1c, 0x0303)] }, `|TLS 1.2|t00i010100_${one}_`],
  ['only drafts', { extensions: [versions(0x7f1c)] }, `|0x7f1c|t00i010100_${one}_`],
  ['GREASE versions', { extensions: [versions(0x0a0a)] }, `|TLS 1.2|t12i010100_${one}_`],
  ['versions below', { extensions: [versions(0x0302)] }, `|TLS 1.1|t11i010100_${one}_`],
  [
    'more than 99',
    { ciphers: Array.from({ length: 120 }, (_, i) => i), extensions: null },
    '|TLS 1.2|t12i990000_',
  ],
];

test.each(ja4s)('JA4: %s', (_name, parts, expected) => {
  expect(told(hello(parts)).startsWith(expected.replace(/_0$/, '_000000000000'))).toBe(true);
});

const protocolNames: readonly (readonly [string[], string])[] = [
  [['h2'], 'h2'],
  [['x'], 'xx'],
  [['HTTP/1.0'], 'H0'],
  [['\xab'], 'ab'],
  [['\xab\xcd'], 'ad'],
  [['0\xab'], '3b'],
  [['01\xab\xcd'], '3d'],
  [['0\xab\xcd1'], '01'],
  [['-'], '2d'],
  [['\x1a\x1a', 'h2'], 'h2'],
  [['\x1a\x1a'], '00'],
  [[], '00'],
  [['', 'h2'], '00'],
  [['', 'a'.repeat(65)], '00'],
];

test.each(protocolNames)('the ALPN characters of %j are %s', (names, expected) => {
  expect(told(hello({ extensions: [alpn(...names)] }))).toContain(`t12i0101${expected}_`);
});

const hosts: readonly (readonly [string, string])[] = [
  ['mail.example', 'mail.example'],
  ['MAIL_1.Example-2.', 'mail_1.example-2.'],
  ['192.0.2.1', '192.0.2.1'],
  ['a'.repeat(255), 'a'.repeat(255)],
  ['a'.repeat(256), ''],
  ['', ''],
  ['a b', ''],
  ['a\0b', ''],
  ['a"b', ''],
  ['a\r\nb', ''],
  ['m\xfcller.example', ''],
  ['[2001:db8::1]', ''],
];

test.each(hosts)('the name %j is told as %j', (name, expected) => {
  expect(answer(hello({ extensions: [serverName(name)] }))).toBe(Hello.complete);
  expect(reader.sni).toBe(expected);
  expect(reader.ja4).toMatch(/^t12d/);
});

test('of several names the first host name counts', () => {
  const other: Extension = [0, sized16([9, ...sized16([1, 2]), 0, ...sized16(ascii('b.example'))])];
  expect(told(hello({ extensions: [other, serverName('c.example')] }))).toMatch(/^b\.example\|/);
});

test('of two ALPN extensions the first counts', () => {
  expect(told(hello({ extensions: [alpn('h2'), alpn('x')] }))).toContain('|t12i0102h2_');
});

test('a name never reaches into the next extension', () => {
  const cut: Extension = [0, [0, 4, 0, 0, 3, 97]];
  expect(told(hello({ extensions: [cut, [0x6161, ascii('aaaa')]] }))).toMatch(/^\|TLS 1\.2\|t12d/);
});

const brokenExtensions: readonly (readonly [string, Extension])[] = [
  ['an empty name list', [0, []]],
  ['a name list that is too long', [0, [0, 9, 0, 0, 1, 97]]],
  ['a name that is too long', [0, [0, 4, 0, 0, 9, 97]]],
  ['an ALPN list that is too long', [16, [0, 9, 2, 104, 50]]],
  ['an ALPN name that is too long', [16, [0, 3, 9, 104, 50]]],
  ['one byte of ALPN', [16, [0]]],
  ['signatures that are too long', [13, [0, 10, 4, 3]]],
  ['half a signature', [13, [0, 3, 4, 3, 4]]],
  ['one byte of signatures', [13, [0]]],
  ['versions that are too long', [43, [9, 3, 4]]],
  ['half a version', [43, [1, 3]]],
  ['no versions', [43, []]],
];

test.each(brokenExtensions)('%s cost only what they would have told', (_name, extension) => {
  expect(told(hello({ extensions: [extension] }))).toMatch(/^\|TLS 1\.2\|t12[di]01010{2}_/);
  const broken = reader.ja4;
  expect(answer(hello({ extensions: [[extension[0], []]] }))).toBe(Hello.complete);
  expect(broken).toBe(reader.ja4);
});

const whole = message({ session: [1, 2, 3], extensions: [serverName('a.example'), alpn('h2')] });
const changed = (at: number, value: number) => {
  const copy = Buffer.from(whole);
  copy[at] = value;
  return records(copy);
};

const refused: readonly (readonly [string, Uint8Array])[] = [
  ['SMTP', Buffer.from('EHLO mail.example\r\n')],
  ['an alert', Buffer.from([21, 3, 1, 0, 2, 2, 40])],
  ['SSL 2.0', Buffer.from([0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10])],
  ['a record version 3.5', Buffer.from([22, 3, 5, 0, 1, 1])],
  ['a record of no bytes', Buffer.from([22, 3, 1, 0, 0])],
  ['a record of more than 2^14 bytes', Buffer.from([22, 3, 1, 0x40, 1, 1])],
  ['a ServerHello', changed(0, 2)],
  ['a message of more than 16 KiB', changed(1, 1)],
  ['a session id of 33 bytes', hello({ session: new Array<number>(33).fill(1) })],
  ['a session id beyond the message', changed(38, 255)],
  ['an odd number of cipher octets', changed(43, 3)],
  ['ciphers beyond the message', changed(42, 255)],
  ['compression beyond the message', changed(46, 255)],
  ['extensions beyond the message', changed(48, 255)],
  ['bytes behind the extensions', changed(49, whole[49]! - 1)],
  ['an extension beyond its block', changed(53, 255)],
  ['a message that ends in its random', records(Buffer.from([1, 0, 0, 4, 3, 3, 0, 0]))],
  [
    'another record inside the message',
    Buffer.concat([records(whole.subarray(0, 30)), Buffer.from([23, 3])]),
  ],
];

test.each(refused)('no ClientHello: %s', (_name, bytes) => {
  expect(told(bytes)).toBe(String(Hello.notHello));
});

test('every cut of every flight needs more, and the rest of the connection does not matter', () => {
  for (const bytes of [...flights, records(whole)]) {
    const expected = told(bytes);
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(told(bytes.subarray(0, cut))).toBe(String(Hello.needMore));
    }
    expect(told(Buffer.concat([bytes, Buffer.from([20, 3, 3, 0, 1, 1, 99])]))).toBe(expected);
    const shifted = Buffer.concat([Buffer.alloc(7, 22), bytes, Buffer.alloc(3)]);
    expect(reader.read(shifted, 7, 7 + bytes.length)).toBe(Hello.complete);
    expect(`${reader.sni}|${reader.version}|${reader.ja4}`).toBe(expected);
    expect(reader.read(shifted, 7, 6 + bytes.length)).toBe(Hello.needMore);
  }
});

test('a message in records of any size is the same message, and its cuts need more', () => {
  for (const flight of flights) {
    const handshake = flight.subarray(5);
    const expected = told(flight);
    for (const size of [1, 2, 3, 4, 5, 7, 64, 200]) {
      const split = records(handshake, size);
      expect(told(split), `records of ${size}`).toBe(expected);
      for (let cut = 0; cut < split.length; cut += 13) {
        expect(told(split.subarray(0, cut))).toBe(String(Hello.needMore));
      }
    }
  }
});

test('16 KiB of message are read and one byte more is not', () => {
  const padded = (length: number) => {
    const rest = length - message({ extensions: [[21, []]] }).length;
    return message({ extensions: [[21, new Array<number>(rest).fill(0)]] });
  };
  expect(told(records(padded(16384)))).toMatch(/^\|TLS 1\.2\|t12i0101/);
  expect(told(records(padded(16384), 1000).subarray(0, 16000))).toBe(String(Hello.needMore));
  expect(told(records(padded(16385)).subarray(0, 9))).toBe(String(Hello.notHello));
});

test('looksLikeTls answers from the bytes that are there', () => {
  const looks = (...list: number[]) => looksLikeTls(Buffer.from(list), 0, list.length);
  expect(looks()).toBe(false);
  expect([looks(22), looks(22, 3), looks(22, 3, 0), looks(22, 3, 4, 0)]).not.toContain(false);
  expect([looks(21), looks(22, 2), looks(22, 3, 5), looks(0x80, 0x2e)]).not.toContain(true);
  expect(looksLikeTls(Buffer.from([0, 22, 3, 1, 9]), 1, 4)).toBe(true);
  expect(looksLikeTls(Buffer.from([22, 3, 9]), 0, 2)).toBe(true);
});

test('built hellos read as read-tls-client-hello reads them', async () => {
  // The oracle takes 0x0a1a and its like for GREASE, and RFC 8701 does not.
  const value = fc
    .oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0x0a0a, 0xbaba, 0xfafa))
    .filter((v) => (v & 0x0f0f) !== 0x0a0a || v >> 8 === (v & 255));
  const known = [0, 13, 16, 43];
  const extras = fc.uniqueArray(
    value.filter((v) => !known.includes(v)),
    { maxLength: 20 },
  );
  const name = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9./-]{0,8}[A-Za-z0-9])?$/);
  const parts = fc.record({
    ciphers: fc.array(value, { maxLength: 90 }),
    extras,
    host: fc.option(fc.stringMatching(/^[a-zA-Z0-9.-]{1,40}$/), { nil: null }),
    names: fc.option(fc.array(name, { minLength: 1, maxLength: 3 }), { nil: null }),
    list: fc.option(fc.array(value, { minLength: 1, maxLength: 20 }), { nil: null }),
    tls13: fc.boolean(),
    size: fc.constantFrom(1, 3, 50, 16384),
  });
  await fc.assert(
    fc.asyncProperty(parts, async (p) => {
      const extensions: Extension[] = p.extras.map((type) => [type, [1, 2, 3]]);
      extensions.push([5, []]); // the oracle hashes '' where there is no extension
      if (p.host !== null) extensions.unshift(serverName(p.host));
      if (p.names !== null) extensions.push(alpn(...p.names));
      if (p.list !== null) extensions.unshift(signatures(...p.list));
      if (p.tls13) extensions.push(versions(0x3a3a, 0x0303, 0x0304));
      const handshake = message({ ciphers: [0x1301, ...p.ciphers], extensions });
      const expected = await oracle(records(handshake));
      expect(answer(records(handshake, p.size))).toBe(Hello.complete);
      expect({ sni: reader.sni, ja4: reader.ja4 }).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test('a second of mutated hellos: always an answer, and fields of the right form', () => {
  let state = 77;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) % below;
  };
  const corpus = [...flights, records(whole), foxHello(foxSignatures), records(whole, 9)];
  const seen = [0, 0, 0];
  const form = /^t(1[0-3]|s[23]|00)[di]\d{4}[0-9A-Za-z]{2}(_[0-9a-f]{12}){2}$/;
  const end = performance.now() + 1000;
  while (performance.now() < end) {
    const bytes = Buffer.from(corpus[random(corpus.length)]!);
    for (let i = random(4); i >= 0; i--) {
      bytes[random(random(3) === 0 ? Math.min(bytes.length, 60) : bytes.length)] = random(256);
    }
    const result = reader.read(
      bytes,
      0,
      bytes.length - (random(3) === 0 ? random(bytes.length) : 0),
    );
    seen[result]!++;
    if (result !== Hello.complete) continue;
    if (!form.test(reader.ja4)) expect.fail(reader.ja4);
    if (!/^[a-z0-9._-]{0,255}$/.test(reader.sni)) expect.fail(reader.sni);
    if (!/^(SSLv3|TLSv1|TLS 1\.[123]|0x[0-9a-f]{4})$/.test(reader.version)) {
      expect.fail(reader.version);
    }
  }
  expect(Math.min(...seen)).toBeGreaterThan(100);
});
