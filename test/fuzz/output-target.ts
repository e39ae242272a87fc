// Names and addresses of any bytes on their way into events: every line parses and holds what was
// said, and the events for a live tap show no local part. An input is one line of bytes for the
// name behind HELO, one for the sender, and one for each recipient.

import { isUtf8 } from 'node:buffer';
import { Chunk, Connection, Dir } from '../../src/flow/sink.js';
import type { Random } from '../../src/lib/random.js';
import { type Outputs, promiseEmpty, smtpStage } from './line.js';
import { mutated } from './mutate.js';
import { pick, promise, type Target } from './target.js';

export const outputTarget: Target = {
  name: 'output',
  extension: 'bin',
  make: (random) => joined(Array.from({ length: 2 + random.below(6) }, () => name(random))),
  run(input) {
    const [helo = Buffer.alloc(0), sender = Buffer.alloc(0), ...recipients] = linesOf(input);
    const outputs = said(helo, sender, recipients);
    const [event] = outputs.events.smtp;
    const [hidden] = outputs.hidden.smtp;
    promise(outputs.events.smtp.length === 1, `${outputs.events.smtp.length} transactions`);
    const { smtp } = event!;
    promise(smtp.rcpt_to.length === recipients.length, 'a recipient is missing');
    if (isPlain(sender)) promise(smtp.mail_from === textOf(sender), `sender ${smtp.mail_from}`);
    for (const [index, rcpt] of recipients.entries()) {
      if (isPlain(rcpt)) promise(smtp.rcpt_to[index] === textOf(rcpt), `${smtp.rcpt_to[index]}`);
      checkHidden(smtp.rcpt_to[index]!, hidden!.smtp.rcpt_to[index]!);
    }
    checkHidden(smtp.mail_from!, hidden!.smtp.mail_from!);
  },
  parts: (input) => [...input].map((byte) => Buffer.from([byte])),
  whole: (parts) => Buffer.concat(parts),
};

function joined(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
}

function linesOf(input: Buffer): Buffer[] {
  const lines = input.toString('latin1').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => Buffer.from(line, 'latin1'));
}

const alphabet = ['a', '@', '"', '\\', '\0', '\x1f', '\x7f', '\x80', '\xc3\xa9', '\xed\xa0\x80'];
const more = ['\xf0\x9f\x98\x80', '\xef\xbf\xbf', '\xe2\x80\xa8', '\xff', '<', '>', ' ', ':', '\r'];

function name(random: Random): Buffer {
  const length = random.chance(0.1) ? 240 + random.below(40) : random.below(24);
  const symbols = random.chance(0.5) ? alphabet : [...alphabet, ...more];
  const text = Array.from({ length }, () => pick(random, symbols)).join('');
  const bytes = Buffer.from(text, 'latin1');
  const whole = random.chance(0.7) ? Buffer.concat([bytes, Buffer.from('@example.org')]) : bytes;
  return random.chance(0.2) ? mutated(whole, random, 1) : whole;
}

/** Whether a path in brackets around these bytes can only mean these bytes. */
function isPlain(bytes: Buffer): boolean {
  return bytes.length <= 255 && bytes[0] !== 64 && !/[<>"\\:\s]/.test(bytes.toString('latin1'));
}

function textOf(bytes: Buffer): string {
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
}

/** The local part is a hash now, and the domain is what it was. */
function checkHidden(clear: string, hidden: string): void {
  promise((clear === '') === (hidden === ''), `hidden ${hidden} of ${clear}`);
  if (clear === '') return;
  promise(/^~[0-9a-f]{16}(@|$)/.test(hidden), `hidden ${hidden}`);
  const at = clear.lastIndexOf('@');
  const domain = at < 0 ? '' : clear.slice(at);
  // Bytes that are no UTF-8 as a whole may be some as a part, and read otherwise then.
  const latin1 = Buffer.from(domain, 'latin1').toString('utf8');
  const same = hidden.slice(17) === domain || hidden.slice(17) === latin1;
  promise(same, `domain ${JSON.stringify(hidden)} of ${JSON.stringify(clear)}`);
}

/** A dialogue of one transaction with these names. */
function said(helo: Buffer, sender: Buffer, recipients: readonly Buffer[]): Outputs {
  const connection = Object.assign(new Connection(), { sides: 3, first: 1, last: 1e6, ip: 6 });
  const { smtp, rows, outputs } = smtpStage('wide', () => connection);
  const talk = new Talk((chunk) => void smtp.data(chunk), smtp.open(0, true, 3));
  talk.say(Dir.server, '220 x\r\n');
  talk.say(Dir.client, 'EHLO ', helo, '\r\n').say(Dir.server, '250 x\r\n');
  talk.say(Dir.client, 'MAIL FROM:<', sender, '>\r\n').say(Dir.server, '250 x\r\n');
  for (const rcpt of recipients) {
    talk.say(Dir.client, 'RCPT TO:<', rcpt, '>\r\n').say(Dir.server, '250 x\r\n');
  }
  smtp.end(talk.chunk.session, 5, 1e6, 3);
  rows.flush();
  promiseEmpty(smtp.store);
  return outputs;
}

class Talk {
  readonly chunk = new Chunk();
  readonly #data: (chunk: Chunk) => void;
  readonly #seq = [0, 0];

  constructor(data: (chunk: Chunk) => void, session: number) {
    this.#data = data;
    this.chunk.session = session;
    this.chunk.sides = 3;
    this.chunk.time = 1000;
  }

  say(dir: number, ...said: (string | Buffer)[]): this {
    const bytes = Buffer.concat(said.map((each) => Buffer.from(each as string, 'latin1')));
    const { chunk } = this;
    chunk.dir = dir;
    chunk.bytes = Buffer.concat([bytes, Buffer.alloc(8)]);
    chunk.to = bytes.length;
    chunk.seq = this.#seq[dir]!;
    chunk.ack = this.#seq[1 - dir]!;
    this.#data(chunk);
    this.#seq[dir]! += bytes.length;
    return this;
  }
}
