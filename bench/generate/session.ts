// One SMTP session as a script: greeting, transactions (pipelined or not, DATA or BDAT), STARTTLS,
// QUIT, and the truth about each transaction. It is a well-behaved dialogue; bots are in `demo.ts`.

import { type Dialect, dialects } from './dialect.js';
import { address, domainName, type Message, makeMessage } from './message.js';
import { type Pools, type Slice, word } from './pool.js';
import type { Rng } from './rng.js';
import { Dir, Script, type Truth } from './script.js';
import { clientHello, recordHead, serverHello } from './tls.js';

/** Shares are 0 to 1; sizes are bytes. */
export interface SessionOptions {
  readonly messages: number;
  /** Draws a message size. */
  readonly size: (rng: Rng) => number;
  /** Mean number of recipients behind the first. */
  readonly moreRecipients: number;
  readonly pipelining: number;
  readonly bdat: number;
  readonly starttls: number;
  readonly refusedRcpt: number;
  readonly clientAddress: string;
  readonly clientName?: string;
  readonly dialect?: Dialect;
  readonly sender?: string;
  readonly subject?: string;
  /** Microseconds of pause before the first RCPT and before DATA, for sessions that must hang. */
  readonly pauses?: readonly [number, number];
}

/** Builds a session: `script` is finished, `truth` has one entry per transaction. */
export class SessionBuilder {
  readonly script: Script;
  readonly truth: Truth[] = [];
  readonly #rng: Rng;
  readonly #pools: Pools;
  readonly #o: SessionOptions;
  readonly #dialect: Dialect;
  readonly #pipelined: boolean;
  readonly #bdat: boolean;
  readonly #tls: boolean;
  readonly #host: string;
  readonly #name: string;

  constructor(rng: Rng, pools: Pools, o: SessionOptions) {
    this.#rng = rng;
    this.#pools = pools;
    this.#o = o;
    this.script = new Script(pools);
    this.#bdat = rng.chance(o.bdat);
    this.#tls = rng.chance(o.starttls);
    this.#pipelined = rng.chance(o.pipelining) && o.pauses === undefined;
    const able = this.#bdat ? dialects.filter((dialect) => dialect.chunking) : dialects;
    this.#dialect = o.dialect ?? rng.pick(able);
    this.#host = `mx${rng.between(1, 9)}.${domainName(rng)}`;
    this.#name = o.clientName ?? `${word(rng)}.${domainName(rng)}`;
    this.#build();
  }

  #build(): void {
    const rng = this.#rng;
    this.#server(this.#dialect.banner(this.#host, rng), rng.logNormal(60_000, 1));
    this.#client(`EHLO ${this.#name}`);
    this.#server(this.#ehloReply(), rng.between(200, 3000));
    if (this.#tls) {
      this.#encrypted();
    } else {
      for (let n = 0; n < this.#o.messages; n++) this.#transaction(n);
      this.#client('QUIT');
      this.#server(this.#dialect.bye(this.#host), 500);
    }
    this.script.finish();
  }

  #client(line: string, think = this.#rng.between(100, 2500)): void {
    this.script.say(`${line}\r\n`).end(Dir.client, think);
  }

  #server(line: string, think = this.#rng.logNormal(1500, 1)): void {
    this.script.say(`${line}\r\n`).end(Dir.server, think);
  }

  #ehloReply(): string {
    const lines = [this.#dialect.ehlo(this.#host, this.#name, this.#o.clientAddress)];
    lines.push(...this.#dialect.keywords);
    if (this.#tls || this.#rng.chance(0.4)) lines.push('STARTTLS');
    if (this.#bdat || (this.#dialect.chunking && this.#rng.chance(0.7))) lines.push('CHUNKING');
    const last = lines.length - 1;
    return lines.map((line, i) => `250${i === last ? ' ' : '-'}${line}`).join('\r\n');
  }

  #transaction(txId: number): void {
    const rng = this.#rng;
    const domain = domainName(rng);
    const from = this.#o.sender ?? (rng.chance(0.02) ? '' : address(rng));
    const count = 1 + rng.geometric(1 / (1 + this.#o.moreRecipients), 99);
    const rcptTo = Array.from({ length: count }, () => address(rng, domain));
    const codes = rcptTo.map(() => this.#rcptCode());
    const size = this.#o.size(rng);
    const subject = this.#o.subject === undefined ? {} : { subject: this.#o.subject };
    const message = makeMessage(rng, this.#pools, {
      from,
      to: rcptTo[0]!,
      bytes: size,
      ...subject,
    });
    const bytes = this.#bdat ? message.wire : message.wire - message.dots;
    const replies = rcptTo.map((to, i) => this.#rcptReply(to, codes[i]!));
    const accepted = replies.filter((reply) => reply.startsWith('250')).length;
    const mail = this.#mailLine(from, bytes);
    const finalCode = this.#envelope(mail, from, rcptTo, replies) ? this.#send(message) : null;
    this.truth.push({
      tx_id: txId,
      mail_from: from,
      rcpt_to: rcptTo,
      rcpt_codes: replies.map((reply) => Number(reply.slice(0, 3))),
      data_code: this.#dataCode(accepted),
      final_code: finalCode,
      bytes: finalCode === null ? null : bytes,
      chunking: this.#bdat && accepted > 0,
      pipelined: this.#pipelined,
    });
  }

  #rcptCode(): number {
    if (!this.#rng.chance(this.#o.refusedRcpt)) return 250;
    return this.#rng.chance(0.75) ? 550 : 450;
  }

  #rcptReply(to: string, code: number): string {
    if (code === 250) return this.#dialect.rcptOk(to);
    return code === 550 ? this.#dialect.rcptRefused(to) : this.#dialect.rcptDeferred(to);
  }

  #dataCode(accepted: number): number | null {
    if (this.#bdat) return null;
    if (accepted > 0) return 354;
    return this.#pipelined ? Number(this.#dialect.noRecipients.slice(0, 3)) : null;
  }

  #mailLine(from: string, bytes: number): string {
    const size = this.#dialect.size && this.#rng.chance(0.8) ? ` SIZE=${bytes}` : '';
    return `MAIL FROM:<${from}>${size}${this.#rng.chance(0.4) ? ' BODY=8BITMIME' : ''}`;
  }

  /** MAIL, RCPT and DATA with their replies; true if the message may be sent. */
  #envelope(mail: string, from: string, to: readonly string[], replies: string[]): boolean {
    const dialect = this.#dialect;
    const [beforeRcpt, beforeData] = this.#o.pauses ?? [0, 0];
    const any = replies.some((reply) => reply.startsWith('250'));
    if (this.#pipelined) {
      const lines = [mail, ...to.map((rcpt) => `RCPT TO:<${rcpt}>`)];
      const answers = [dialect.mailOk(from), ...replies];
      if (!this.#bdat) {
        lines.push('DATA');
        answers.push(any ? dialect.data : dialect.noRecipients);
      }
      this.#client(lines.join('\r\n'));
      this.#server(answers.join('\r\n'), this.#rng.logNormal(3000, 1));
    } else {
      this.#client(mail);
      this.#server(dialect.mailOk(from));
      to.forEach((rcpt, i) => {
        this.#client(`RCPT TO:<${rcpt}>`, i === 0 ? beforeRcpt + 500 : 500);
        this.#server(replies[i]!);
      });
      if (any && !this.#bdat) {
        this.#client('DATA', beforeData + 500);
        this.#server(dialect.data);
      }
    }
    if (!any) {
      this.#client('RSET');
      this.#server(dialect.rset);
    }
    return any;
  }

  /** The message and the reply to it; gives the reply's code. */
  #send(message: Message): number {
    const rng = this.#rng;
    const luck = rng.int(100);
    let reply = this.#dialect.queued(rng, message.wire);
    if (luck < 3) reply = this.#dialect.rejected;
    else if (luck < 5) reply = this.#dialect.deferred;
    if (this.#bdat) {
      this.#sendChunks(message, reply);
    } else {
      for (const part of message.parts) this.script.add(part);
      this.script.say('.\r\n').end(Dir.client, rng.between(300, 3000));
      this.#server(reply, rng.logNormal(250_000, 1));
    }
    return Number(reply.slice(0, 3));
  }

  #sendChunks(message: Message, reply: string): void {
    const rng = this.#rng;
    const count = message.wire < 1500 ? 1 : rng.between(1, 3);
    const chunk = Math.ceil(message.wire / count);
    const cutter = new Cutter(message.parts);
    const answers: string[] = [];
    for (let sent = 0; sent < message.wire; sent += chunk) {
      const length = Math.min(chunk, message.wire - sent);
      const last = sent + length === message.wire;
      this.script.say(`BDAT ${length}${last ? ' LAST' : ''}\r\n`);
      cutter.take(length, this.script);
      answers.push(last ? reply : this.#dialect.chunk(length));
      if (this.#pipelined && !last) continue;
      this.script.end(Dir.client, rng.between(300, 3000));
      this.#server(answers.join('\r\n'), last ? rng.logNormal(250_000, 1) : 2000);
      answers.length = 0;
    }
  }

  /** STARTTLS, the handshake in clear, and records of noise in the rhythm of a session. */
  #encrypted(): void {
    const rng = this.#rng;
    const version = rng.chance(0.85) ? 0x0304 : 0x0303;
    this.#client('STARTTLS');
    this.#server(this.#dialect.tlsReady);
    this.#raw(clientHello(rng, { sni: this.#host, version }));
    this.script.end(Dir.client, 800);
    this.#raw(serverHello(rng, version));
    this.#records(version === 0x0304 ? rng.between(2500, 4500) : 40, version === 0x0304 ? 23 : 22);
    this.script.end(Dir.server, 4000);
    this.#raw(Buffer.from([20, 3, 3, 0, 1, 1]));
    this.#records(version === 0x0304 ? 69 : 40, version === 0x0304 ? 23 : 22);
    this.script.end(Dir.client, 2000);
    const exchanges: [number, number][] = [[45, 200]];
    for (let n = 0; n < this.#o.messages; n++) {
      exchanges.push([140, 110], [Math.round(this.#o.size(rng)), 70]);
    }
    exchanges.push([28, 37]);
    for (const [up, down] of exchanges) {
      this.#records(up, 23);
      this.script.end(Dir.client, 1000);
      this.#records(down, 23);
      this.script.end(Dir.server, rng.logNormal(4000, 1));
    }
  }

  #raw(bytes: Buffer): void {
    this.script.say(bytes.toString('latin1'));
  }

  #records(bytes: number, type: number): void {
    for (let left = bytes; left > 0; left -= 16384) {
      const length = Math.min(left, 16384) + 22;
      this.#raw(recordHead(length, type));
      this.script.addNoise(this.#rng.int(this.#pools.noise.length - length), length);
    }
  }
}

/** Hands out the parts of a message in given lengths, as BDAT cuts them. */
class Cutter {
  readonly #parts: readonly (string | Slice)[];
  #index = 0;
  #offset = 0;

  constructor(parts: readonly (string | Slice)[]) {
    this.#parts = parts;
  }

  take(length: number, script: Script): void {
    let left = length;
    while (left > 0) {
      const part = this.#parts[this.#index]!;
      const size = typeof part === 'string' ? part.length : part.to - part.from;
      const n = Math.min(left, size - this.#offset);
      const from = this.#offset;
      if (typeof part === 'string') script.say(part.slice(from, from + n));
      else script.add({ ...part, from: part.from + from, to: part.from + from + n });
      this.#offset += n;
      left -= n;
      if (this.#offset === size) {
        this.#index++;
        this.#offset = 0;
      }
    }
  }
}
