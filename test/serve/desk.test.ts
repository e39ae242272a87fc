// The lookup thread as the daemon runs it: sockets, updates, a thread that dies, floods, and
// strangers on TCP.

import { connect, type Socket } from 'node:net';
import { decode } from 'dns-packet';
import { afterEach, describe, expect, it } from 'vitest';
import { returnCode } from '../../src/block/return-code.js';
import {
  codeOf,
  dnsblDoor,
  dying,
  exchange,
  type OpenDesk,
  openDesk,
  question,
  until,
  zone,
} from './desk.js';
import { entryOf, TestList } from './lists.js';

const opened: OpenDesk[] = [];
afterEach(async () => {
  for (const { desk } of opened.splice(0)) await desk.close();
});

async function open(list: TestList, door = {}, thread?: URL): Promise<OpenDesk> {
  const one = await openDesk(list, { dnsbl: { ...dnsblDoor, ...door }, policy: null }, thread);
  opened.push(one);
  return one;
}

describe('the list', () => {
  it('is answered for, and follows its changes', async () => {
    const list = new TestList([entryOf('203.0.113.9/32', 1)]);
    const { ports, desk } = await open(list);
    expect(await codeOf(ports.dnsbl, '203.0.113.9')).toBe(returnCode('block', 'manual'));
    expect(await codeOf(ports.dnsbl, '203.0.113.10')).toBe('NXDOMAIN');
    list.put(entryOf('203.0.113.10/32', 2, { action: 'limit', rule: 'core.rate-limit' }));
    list.remove(entryOf('', 1).id);
    await until(() => desk.figures().revision === list.revision);
    expect(await codeOf(ports.dnsbl, '203.0.113.9')).toBe('NXDOMAIN');
    const limited = returnCode('limit', 'core.rate-limit');
    expect(await codeOf(ports.dnsbl, '203.0.113.10')).toBe(limited);
    expect(desk.figures()).toMatchObject({ updates: 2, entries: 1, dns_udp: 4, dns_limited: 1 });
  });

  it('a port that is taken is told', async () => {
    const list = new TestList();
    const { ports } = await open(list);
    const listener = { host: '127.0.0.1', port: ports.dnsbl };
    await expect(open(list, { listener })).rejects.toThrow(/EADDRINUSE/);
  });
});

it('a thread that dies is started again, on the same port and with the whole list', async () => {
  const list = new TestList([entryOf('203.0.113.9/32', 1)]);
  const free = await open(new TestList());
  const listener = { host: '127.0.0.1', port: free.ports.dnsbl };
  await free.desk.close();
  const { desk, troubles } = await open(list, { listener }, dying);
  expect(await codeOf(listener.port, '203.0.113.9')).toBe('127.0.0.2');
  list.revision = 12;
  list.put(entryOf('203.0.113.10/32', 13));
  await until(() => desk.figures().restarts === 1);
  list.put(entryOf('203.0.113.11/32', 14));
  await until(async () => (await codeOf(listener.port, '203.0.113.11')) === '127.0.0.2');
  expect(await codeOf(listener.port, '203.0.113.10')).toBe('127.0.0.2');
  expect(troubles.join('\n')).toMatch(/thirteen\n.*died and is started again/);
});

describe('datagrams', () => {
  const test = question(`2.0.0.127.${zone}`);

  it('over the rate of their source: half is told to come by TCP, and comes', async () => {
    const { ports, desk } = await open(new TestList(), { rate: 10, trusted: [] });
    const flood = Array.from({ length: 60 }, () => test);
    const answers = await exchange(ports.dnsbl, flood, { wanted: 35 });
    const truncated = answers.filter((answer) => decode(answer).flag_tc);
    const whole = answers.length - truncated.length;
    const figures = desk.figures();
    expect(whole).toBeGreaterThanOrEqual(10);
    expect(whole).toBeLessThan(30);
    expect(figures.dns_rate_truncated).toBe(truncated.length);
    expect(figures.dns_rate_dropped + answers.length).toBe(60);
    expect(truncated.every((answer) => answer.length === test.length)).toBe(true);
    const [byTcp] = await speak(ports.dnsbl, [framed(test)], 1);
    expect(decode(byTcp!).answers).toMatchObject([{ data: '127.0.0.2' }]);
  });

  it('of nonsense are not answered, or shortly, and the next one is', async () => {
    const { ports, desk } = await open(new TestList());
    const junk = Array.from({ length: 300 }, (_, at) =>
      Buffer.from(
        Array.from({ length: at % 90 }, (_byte, place) => (at * 7919 + place * 31) & 255),
      ),
    );
    await exchange(ports.dnsbl, junk, { wanted: 300, patience_ms: 300 });
    await until(() => desk.figures().dns_udp === 300);
    expect(await codeOf(ports.dnsbl, '127.0.0.2')).toBe('127.0.0.2');
    const { dns_malformed, dns_dropped, dns_not_supported } = desk.figures();
    expect(dns_malformed + dns_dropped + dns_not_supported).toBe(300);
  });
});

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Sends pieces over one connection; gives so many answers, fewer if the other side hangs up. */
async function speak(port: number, pieces: readonly Buffer[], wanted: number): Promise<Buffer[]> {
  const answers: Buffer[] = [];
  const socket = connect(port, '127.0.0.1');
  let held = Buffer.alloc(0);
  let closed = false;
  socket.on('close', () => {
    closed = true;
  });
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      answers.push(held.subarray(2, 2 + held.readUInt16BE(0)));
      held = held.subarray(2 + held.readUInt16BE(0));
    }
  });
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resume) => setTimeout(resume, 5));
  }
  await until(() => closed || answers.length >= wanted);
  socket.destroy();
  return answers;
}

describe('connections', () => {
  const test = framed(question(`2.0.0.127.${zone}`));

  it('take several questions, in any pieces', async () => {
    const { ports, desk } = await open(new TestList());
    const stream = Buffer.concat([test, test, test]);
    const bytes = Array.from(stream, (byte) => Buffer.of(byte));
    expect(await speak(ports.dnsbl, bytes, 3)).toHaveLength(3);
    expect(await speak(ports.dnsbl, [Buffer.concat(Array(50).fill(stream))], 150)).toHaveLength(
      150,
    );
    expect(desk.figures().dns_tcp).toBe(153);
  });

  it.each([
    ['an endless message', Buffer.from([0xff, 0xff, 0, 0])],
    ['a message without a header', Buffer.from([0, 3, 1, 2, 3])],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['an answer', framed(Buffer.concat([Buffer.from([0, 1, 0x80, 0]), Buffer.alloc(20)]))],
  ])('%s is hung up on', async (_, bytes) => {
    const { ports, desk } = await open(new TestList());
    expect(await speak(ports.dnsbl, [bytes], 1)).toEqual([]);
    expect(desk.figures().dns_connections_closed).toBe(1);
  });

  it('are bounded, and a reader that does not read is sent away', async () => {
    const { ports, desk } = await open(new TestList());
    const sockets: Socket[] = [];
    for (let at = 0; at < 270; at++) {
      const socket = connect(ports.dnsbl, '127.0.0.1');
      socket.on('error', () => {});
      sockets.push(socket);
    }
    await until(() => {
      const { dns_connections, dns_connections_refused } = desk.figures();
      return dns_connections + dns_connections_refused === 270;
    });
    expect(desk.figures().dns_connections).toBe(256);
    // Never read: answers pile up in the kernel, then here, and then it is over.
    const greedy = sockets[0]!;
    greedy.pause();
    const many = Buffer.concat(Array(2000).fill(test));
    let gone = false;
    greedy.on('close', () => {
      gone = true;
    });
    await until(() => {
      if (!gone && greedy.writableLength < 1e6) greedy.write(many);
      return desk.figures().dns_connections_closed > 0;
    });
    for (const socket of sockets) socket.destroy();
    expect(await codeOf(ports.dnsbl, '127.0.0.2')).toBe('127.0.0.2');
  });
});
