// A lookup thread for tests: opened on a free port of loopback, asked, and closed again.

import { createSocket } from 'node:dgram';
import { decode, encode, type RecordType } from 'dns-packet';
import { LookupDesk } from '../../src/serve/lookup/desk.js';
import type { LookupDoors, Ports } from '../../src/serve/lookup/order.js';
import type { TestList } from './lists.js';

export const zone = 'bl.example.net';
/** The thread is a program of its own, so it runs from what was built. */
const built = new URL('../../dist/src/serve/lookup/thread.js', import.meta.url);
export const dying = new URL('../../dist/test/serve/dying.js', import.meta.url);

export const dnsblDoor = {
  listener: { host: '127.0.0.1', port: 0 },
  zone: { zone, nameServers: ['localhost'], appeal: { url: 'https://isp.example/appeal' } },
  rate: 200,
  trusted: ['127.0.0.0/8'],
} as const;

export interface OpenDesk {
  readonly desk: LookupDesk;
  readonly ports: Ports;
  readonly troubles: string[];
}

/** Opens doors over a list; close it with `desk.close`. */
export async function openDesk(
  list: TestList,
  doors: LookupDoors,
  thread = built,
): Promise<OpenDesk> {
  const troubles: string[] = [];
  const trouble = (message: string) => void troubles.push(message);
  const desk = new LookupDesk({ doors, snapshot: () => list.snapshot(), trouble, thread });
  return { desk, ports: await desk.open(), troubles };
}

/** Waits until it holds; fails where that takes too long. */
export async function until(holds: () => boolean | Promise<boolean>, patience_ms = 15_000) {
  const last = performance.now() + patience_ms;
  while (!(await holds())) {
    if (performance.now() > last) throw new Error(`waited in vain for ${holds}`);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

/** Sends datagrams from one socket and gives what came back within a while after the last. */
export async function exchange(
  port: number,
  messages: readonly Buffer[],
  { from = '127.0.0.1', wanted = messages.length, patience_ms = 5000 } = {},
): Promise<Buffer[]> {
  const socket = createSocket('udp4');
  const answers: Buffer[] = [];
  socket.on('message', (message) => answers.push(message));
  await new Promise<void>((resume) => socket.bind(0, from, resume));
  for (const message of messages) socket.send(message, port, '127.0.0.1');
  try {
    await until(() => answers.length >= wanted, patience_ms);
  } catch {
    // What is missing is for the caller to see.
  }
  socket.close();
  return answers;
}

export function question(name: string, type: RecordType = 'A', id = 1): Buffer {
  return encode({ type: 'query', id, flags: 0x100, questions: [{ name, type }] });
}

/** The code of an address in the zone, or `NXDOMAIN` and the like. */
export async function codeOf(port: number, address: string): Promise<string> {
  const name = `${address.split('.').reverse().join('.')}.${zone}`;
  const [answer] = await exchange(port, [question(name)]);
  if (answer === undefined) return 'silence';
  const { answers, rcode } = decode(answer) as ReturnType<typeof decode> & { rcode: string };
  const first = answers?.[0];
  return first !== undefined && 'data' in first ? String(first.data) : rcode;
}
