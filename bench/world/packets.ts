// A talk as a plan of packets: the words of both sides in the manners of the client and the make of
// the server. `engine.ts` of bench/generate plays it; what is said here is said on the wire.

import type { Dialect } from '../generate/dialect.js';
import { makeMessage } from '../generate/message.js';
import type { Pools } from '../generate/pool.js';
import { Rng } from '../generate/rng.js';
import { Dir, type Plan, Script, type Truth } from '../generate/script.js';
import { clientHello, recordHead, serverHello } from '../generate/tls.js';
import { codeOf, courseOf, isPiped, refused, type Step } from './course.js';
import type { Letter, Mail, Talk } from './talk.js';
import { announces, makeOf } from './wording.js';

/** How the access network wraps what a talk sends. */
export type Wrapping = Pick<Plan, 'vlan' | 'pppoe'>;

export interface PacketOptions {
  readonly pools: Pools;
  readonly rng: Rng;
  /** Directions the capture sees, 1 client, 2 server, 3 both. */
  readonly sides: (talk: Talk) => number;
  readonly wrapping: (talk: Talk) => Wrapping;
}

/** The plan of a talk, with the truth about each mail transaction that a capture can show. */
export function planOf(talk: Talk, o: PacketOptions): Plan {
  const dialogue = new Dialogue(talk, o);
  const opens = talk.kind !== 'refused' && talk.kind !== 'silent' && talk.kind !== 'spoofed';
  const half = talk.kind === 'half';
  return {
    client: talk.client,
    server: talk.server,
    clientPort: talk.clientPort,
    serverPort: talk.serverPort,
    ...o.wrapping(talk),
    rtt: talk.rtt,
    mss: talk.client.includes(':') ? 1428 : 1448,
    timestamps: o.rng.chance(0.7),
    script: opens && talk.kind !== 'bare' ? dialogue.script() : null,
    close: closing(talk, o.rng),
    sides: half ? 1 : o.sides(talk),
    ...(talk.kind === 'silent' ? { syns: 4 } : {}),
    start: Math.round(talk.start),
    truth: half ? [] : dialogue.truth,
  };
}

function closing(talk: Talk, rng: Rng): Plan['close'] {
  if (talk.kind === 'refused') return 'refused';
  if (talk.kind === 'silent') return 'none';
  if (talk.kind === 'spoofed' || talk.kind === 'bare' || talk.close === 'rst') return 'client-rst';
  return rng.chance(0.6) ? 'client-fin' : 'server-fin';
}

class Dialogue {
  readonly truth: Truth[] = [];
  readonly #talk: Talk;
  readonly #o: PacketOptions;
  readonly #make: Dialect;
  readonly #script: Script;

  constructor(talk: Talk, o: PacketOptions) {
    this.#talk = talk;
    this.#o = o;
    this.#make = makeOf(talk.server);
    this.#script = new Script(o.pools);
  }

  script(): Script {
    const { kind, greeting, starttls, manners, host } = this.#talk;
    if (kind === 'tls') this.#sealed();
    else if (kind === 'binary') this.#binary();
    else if (greeting !== 'ok') this.#server(refused(this.#talk, greeting, ''));
    else {
      this.#greet();
      if (starttls) {
        this.#client('STARTTLS');
        this.#server(this.#make.tlsReady);
        this.#sealed();
      } else {
        this.#login();
        for (const [at, step] of courseOf(this.#talk).entries()) this.#mail(step, at);
        if (manners.quit) this.#client('QUIT').#server(this.#make.bye(host));
      }
    }
    return this.#script.finish();
  }

  #client(line: string): this {
    const text = this.#talk.manners.lower ? line.replace(/^[A-Z]+( FROM| TO)?/, lower) : line;
    const think = this.#o.rng.logNormal(this.#talk.manners.think, 0.8);
    this.#script.say(`${text}\r\n`).end(Dir.client, think);
    return this;
  }

  #server(line: string, think = 1800): this {
    this.#script.say(`${line}\r\n`).end(Dir.server, this.#o.rng.logNormal(think, 1));
    return this;
  }

  #greet(): void {
    const { host, helo, manners, client, starttls, login, server } = this.#talk;
    this.#server(this.#make.banner(host, this.#o.rng), 40_000);
    this.#client(`${manners.verb} ${helo}`);
    if (manners.verb === 'HELO') {
      this.#server(`250 ${host}`);
      return;
    }
    const keywords = this.#make.keywords.filter((word) => word !== 'PIPELINING');
    const lines = [this.#make.ehlo(host, helo, client), ...keywords];
    if (announces(server)) lines.push('PIPELINING');
    if (login !== null) lines.push('AUTH PLAIN LOGIN');
    if (starttls || server.charCodeAt(server.length - 1) % 2 === 0) lines.push('STARTTLS');
    const last = lines.length - 1;
    this.#server(lines.map((line, i) => `250${i === last ? ' ' : '-'}${line}`).join('\r\n'));
  }

  #login(): void {
    const { login } = this.#talk;
    if (login === null) return;
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
    login.lengths.forEach((length, at) => {
      const text = this.#o.rng.text(length, alphabet);
      const good = login.succeeds && at === login.lengths.length - 1;
      const end = good ? '235 2.7.0 Authentication successful' : '535 5.7.8 Error: failed';
      if (login.mechanism === 'PLAIN') this.#client(`AUTH PLAIN ${text}`).#server(end, 80_000);
      else {
        this.#client('AUTH LOGIN').#server('334 VXNlcm5hbWU6');
        this.#client(text).#server('334 UGFzc3dvcmQ6');
        this.#client(this.#o.rng.text(12, alphabet)).#server(end, 80_000);
      }
    });
  }

  #mail(step: Step, at: number): void {
    if (step.resets) this.#client('RSET').#server(this.#make.rset);
    this.#envelope(step);
    const { mail, letter, offered } = step;
    const message = letter === null ? null : this.#message(mail, letter);
    this.truth.push({
      tx_id: at,
      mail_from: mail.from,
      rcpt_to: offered.map(({ to }) => to),
      rcpt_codes: offered.map(({ reply }) => codeOf(reply)),
      data_code: step.dataReply === null ? null : codeOf(step.dataReply),
      final_code: message?.code ?? null,
      bytes: message?.bytes ?? null,
      chunking: false,
      pipelined: isPiped(this.#talk),
    });
  }

  /** MAIL, RCPT and DATA with their replies. */
  #envelope({ mail, mailReply, offered, dataReply }: Step): void {
    const { manners } = this.#talk;
    const gap = manners.space ? ' ' : '';
    const tail = manners.trailing ? ' ' : '';
    const size = manners.size && this.#make.size && mail.letter ? ` SIZE=${mail.letter.bytes}` : '';
    const lines = [`MAIL FROM:${gap}<${mail.from}>${size}${tail}`];
    const replies = [mailReply];
    for (const { to, reply } of offered) {
      lines.push(`RCPT TO:${gap}<${to}>${tail}`);
      replies.push(reply);
    }
    if (dataReply !== null) {
      lines.push('DATA');
      replies.push(dataReply);
    }
    if (isPiped(this.#talk)) {
      this.#client(lines.join('\r\n')).#server(replies.join('\r\n'), 3000);
      return;
    }
    for (const [i, line] of lines.entries()) this.#client(line).#server(replies[i]!);
  }

  #message(mail: Mail, letter: Letter): { code: number; bytes: number } {
    const to = mail.recipients[0]!.to;
    const message = makeMessage(new Rng(letter.seed), this.#o.pools, {
      from: mail.from,
      to,
      bytes: letter.bytes,
      id: letter.id,
      ...(letter.subject === undefined ? {} : { subject: letter.subject }),
    });
    let bytes = message.wire - message.dots;
    for (let hop = 0; hop < letter.hops; hop++) {
      const trace =
        `Received: from hop${hop}.example (hop${hop}.example [192.0.2.${hop + 1}])\r\n` +
        `\tby relay${hop}.example with ESMTPS id ${letter.seed.toString(36)}${hop}\r\n` +
        '\tfor <x@example>; Tue, 14 Nov 2023 22:13:20 +0000\r\n';
      this.#script.say(trace);
      bytes += trace.length;
    }
    for (const part of message.parts) this.#script.add(part);
    this.#script.say('.\r\n').end(Dir.client, 1000);
    const { final } = mail;
    const reply =
      final === 'ok' ? this.#make.queued(this.#o.rng, bytes) : refused(this.#talk, final, to);
    this.#server(reply, 200_000);
    return { code: Number(reply.slice(0, 3)), bytes };
  }

  /** The handshake in clear and records of noise: a login, then each message and its answer. */
  #sealed(): void {
    const { rng, pools } = this.#o;
    const { sealed, host } = this.#talk;
    const raw = (bytes: Buffer) => this.#script.say(bytes.toString('latin1'));
    const records = (length: number, dir: number, think: number) => {
      for (let left = length; left > 0; left -= 16_384) {
        const size = Math.min(left, 16_384) + 22;
        raw(recordHead(size)).addNoise(rng.int(pools.noise.length - size), size);
      }
      this.#script.end(dir, think);
    };
    raw(clientHello(rng, { sni: host })).end(Dir.client, 500);
    raw(serverHello(rng));
    records(rng.between(2500, 4200), Dir.server, 3000);
    records(69, Dir.client, 2000);
    const turns: [number, number][] = [
      [45, 190],
      [90, 60],
    ];
    for (const bytes of sealed) turns.push([110, 80], [bytes, 90]);
    turns.push([28, 40]);
    for (const [up, down] of turns) {
      records(up, Dir.client, 2000);
      records(down, Dir.server, 15_000);
    }
  }

  /**
   * Bytes that are no SMTP, as somebody who takes port 25 for another; the server does not follow.
   */
  #binary(): void {
    this.#server(this.#make.banner(this.#talk.host, this.#o.rng), 40_000);
    this.#script.addNoise(this.#o.rng.int(100_000), 1024).end(Dir.client, 20_000);
    const reply = '500 5.5.2 Error: bad syntax';
    this.#server(Array.from({ length: 5 }, () => reply).join('\r\n'));
  }
}

function lower(word: string): string {
  return word.toLowerCase();
}
