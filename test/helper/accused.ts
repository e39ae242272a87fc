// A small world for tests of judgement: an ISP with a home that is infected, a registered server
// that behaves just the same, and a customer who only writes to a friend, with the ISP's files.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Conversation, dialogue, pcapOf } from '../../bench/generate/conversation.js';

export const accused = {
  bot: '203.0.113.9',
  /** Registered; its recipients are refused as the bot's are. */
  registered: '203.0.113.130',
  /** On the allow-list, and as bad as the bot. */
  allowed: '203.0.113.10',
  innocent: '203.0.113.20',
} as const;

export const began = 1_700_000_000_000_000;
const minute = 60_000_000;

/** Names in place of those of the usual dialogues, for canaries. */
export interface Names {
  readonly local?: (n: number) => string;
  readonly subject?: string;
  readonly body?: string;
}

/** A mail with one recipient that is refused, in the manners of a bot. */
function refused(client: string, n: number, names: Names): Conversation {
  const local = names.local ?? ((at: number) => `user${at}`);
  return dialogue(
    `
    S: 220 mx${n}.example.net ESMTP
    C: HELO [0.0.0.0]
    S: 250 mx${n}.example.net
    C: MAIL FROM: <${local(2 * n)}@example.org>
    S: 250 ok
    C: RCPT TO: <${local(2 * n + 1)}@d${n}.example.net>
    S: 550 5.1.1 no such user ${local(2 * n + 1)}
    --`,
    {
      client,
      server: `198.51.${100 + (n % 50)}.${1 + (n % 200)}`,
      clientPort: 10_000 + n,
      start: began + n * minute,
    },
  );
}

/** A mail to a friend through the provider's own relay. */
function delivered(client: string, n: number, names: Names): Conversation {
  const local = names.local ?? ((at: number) => `user${at}`);
  return dialogue(
    `
    S: 220 smtp.isp.example ESMTP
    C: EHLO home
    S: 250 smtp.isp.example
    C: MAIL FROM:<${local(900)}@isp.example>
    S: 250 ok
    C: RCPT TO:<${local(901)}@example.net>
    S: 250 ok
    C: DATA
    S: 354 go on
    C: Subject: ${names.subject ?? 'hello'}

    C: ${names.body ?? 'text'}
    C: .
    S: 250 taken
    C: QUIT
    S: 221 bye
    --`,
    {
      client,
      server: '203.0.113.241',
      clientPort: 20_000 + n,
      serverPort: 587,
      start: began + n * minute,
    },
  );
}

/** An hour of it. */
export function accusedCapture(names: Names = {}): Buffer {
  const all: Conversation[] = [];
  for (let n = 0; n < 60; n++) {
    all.push(refused(accused.bot, n, names));
    all.push(refused(accused.registered, n, names));
    all.push(refused(accused.allowed, n, names));
    all.push(delivered(accused.innocent, n, names));
  }
  const frames = all.flatMap((each) => each.frames).sort((one, other) => one.time - other.time);
  return pcapOf([{ frames } as unknown as Conversation]);
}

/** Writes the ISP's files into `folder`; gives the path of the configuration. */
export function accusedFiles(folder: string, more = '', mode = 'enforce'): string {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  file('servers.csv', `cidr,operator,role\n${accused.registered}/32,A,registered\n`);
  file('allow.csv', `cidr,owner,reason,until\n${accused.allowed}/32,B,a test,\n`);
  return file(
    'accused.yaml',
    `sensor: tap-1
network:
  own: [203.0.113.0/24]
  pools:
    - { cidr: 203.0.113.0/25, role: customer-dynamic }
    - { cidr: 203.0.113.240/28, role: infrastructure }
registers: { servers: servers.csv, allow: allow.csv }
rules: { mode: ${mode} }
${more}`,
  );
}
