// The demonstration capture: a made-up hour at the edge of a small ISP whose own networks are
// 203.0.113.0/24 and 2001:db8:25::/48. Everybody in it is invented: documentation addresses
// (RFC 5737, RFC 3849), reserved domains (RFC 2606). `demoPeople` says who is who.

import { statSync } from 'node:fs';
import { dialects } from './dialect.js';
import { address, domainName, makeMessage } from './message.js';
import { makePools, type Pools, word } from './pool.js';
import { Rng } from './rng.js';
import { Dir, type Plan, Script } from './script.js';
import { SessionBuilder, type SessionOptions } from './session.js';
import { clientHello, recordHead, serverHello } from './tls.js';
import { writeCapture } from './traffic.js';

/** Who is who in the demonstration. */
export const demoPeople = {
  own: ['203.0.113.0/24', '2001:db8:25::/48'],
  /** The ISP's own mail servers. */
  mxIn: '203.0.113.241',
  mxOut: '203.0.113.242',
  submission: '203.0.113.243',
  mxOut6: '2001:db8:25::242',
  /** Business customers with registered servers. */
  registered: ['203.0.113.130', '203.0.113.131', '203.0.113.132'],
  /** A registered bulk sender with labelled newsletters. */
  newsletter: '203.0.113.150',
  /** A business customer whose server relays for strangers, and the stranger. */
  relay: '203.0.113.140',
  relayUser: '192.0.2.66',
  /** Infected homes that talk to port 25 themselves. */
  bots: ['203.0.113.45', '203.0.113.77', '2001:db8:25:4::b0'],
  /** A home whose mail account sends far too much by submission. */
  compromised: '203.0.113.88',
  scanner: '192.0.2.99',
  guesser: '192.0.2.131',
  provider: '198.51.100.10',
} as const;

const minute = 60_000_000;
const hour = 60 * minute;

/** Writes the demonstration capture; always the same bytes. */
export function writeDemo(path: string): { sessions: number; bytes: number } {
  const demo = new Hour(20231114);
  demo.servers();
  demo.newsletters();
  demo.homes();
  demo.compromisedAccount();
  demo.spamBots();
  demo.harvester();
  demo.openRelay();
  demo.scanner();
  demo.passwordGuesser();
  demo.oneSided();
  const plans = demo.plans.sort((a, b) => a.start - b.start);
  const result = writeCapture({ path, seed: 0 }, plans.values(), {
    rng: new Rng(7),
    pools: demo.pools,
    concurrency: 0,
    flows: plans.length,
  });
  return { sessions: result.sessions, bytes: statSync(path).size };
}

/** Who talks to whom, and when. */
interface Path {
  readonly client: string;
  readonly server: string;
  readonly port?: number;
  readonly start: number;
  readonly close?: Plan['close'];
  readonly sides?: number;
}

class Hour {
  readonly plans: Plan[] = [];
  readonly pools: Pools;
  readonly #rng: Rng;
  #port = 0;

  constructor(seed: number) {
    this.#rng = new Rng(seed);
    this.pools = makePools(seed);
  }

  #add(path: Path, script: Script | null, truth: Plan['truth'] = []): void {
    const home = /^203\.0\.113\.(\d+)$/.exec(path.client);
    const last = home ? Number(home[1]) : 0;
    // Homes hang on VLANs of their access network, everybody else comes untagged.
    const vlan = last > 0 && last < 128 && last % 3 === 0 ? [2001, 100 + (last % 16)] : [];
    this.#port++;
    this.plans.push({
      client: path.client,
      server: path.server,
      clientPort: 32768 + ((this.#port * 7919) % 28_000),
      serverPort: path.port ?? 25,
      vlan: last > 0 && last % 5 === 0 && vlan.length === 0 ? [300] : vlan,
      rtt: Math.round(Math.min(300_000, this.#rng.logNormal(22_000, 0.7))),
      mss: path.client.includes(':') ? 1428 : 1448,
      timestamps: this.#rng.chance(0.7),
      script,
      close: path.close ?? (this.#rng.chance(0.6) ? 'client-fin' : 'server-fin'),
      sides: path.sides ?? 3,
      start: Math.round(path.start),
      truth,
    });
  }

  /** A well-behaved session of the usual kind. */
  #mail(path: Path, options: Partial<SessionOptions> = {}): void {
    const session = new SessionBuilder(this.#rng, this.pools, {
      messages: 1 + this.#rng.geometric(0.75, 5),
      size: (rng) => Math.round(Math.min(250_000, Math.max(900, rng.logNormal(6000, 0.9)))),
      moreRecipients: 0.4,
      pipelining: 0.7,
      bdat: 0.15,
      starttls: 0.35,
      refusedRcpt: 0.02,
      clientAddress: path.client,
      ...options,
    });
    this.#add(path, session.script, session.truth);
  }

  #any(): number {
    return this.#rng.int(hour - 2 * minute);
  }

  #peer(): string {
    return `198.51.100.${this.#rng.between(20, 90)}`;
  }

  servers(): void {
    const p = demoPeople;
    for (let n = 0; n < 240; n++) {
      this.#mail({ client: this.#peer(), server: p.mxIn, start: this.#any() });
      const clientName = 'out.isp.example';
      this.#mail({ client: p.mxOut, server: this.#peer(), start: this.#any() }, { clientName });
    }
    for (let n = 0; n < 40; n++) {
      const server = `2001:db8:feed::${this.#rng.between(1, 40).toString(16)}`;
      this.#mail({ client: p.mxOut6, server, start: this.#any() });
      const client = this.#rng.pick(p.registered);
      this.#mail({ client, server: this.#peer(), start: this.#any() });
    }
  }

  newsletters(): void {
    const encode = (text: string) => `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`;
    const subjects = ['[QC] Uu dai thang 11', encode('广告 双十一特惠'), encode('[QC] Khuyến mại')];
    for (let n = 0; n < 90; n++) {
      this.#mail(
        {
          client: demoPeople.newsletter,
          server: this.#peer(),
          start: 10 * minute + n * 8_000_000 + this.#rng.int(3_000_000),
        },
        {
          clientName: 'news.shop.example',
          sender: `bounce+${n}@news.shop.example`,
          subject: this.#rng.pick(subjects),
          messages: 1,
          starttls: 0,
          size: () => 9000,
          refusedRcpt: 0.01,
        },
      );
    }
  }

  /** Homes send by submission: STARTTLS on 587, TLS from the first byte on 465. */
  homes(): void {
    for (let n = 0; n < 110; n++) {
      const client = `203.0.113.${this.#rng.between(2, 120)}`;
      const server = this.#rng.chance(0.5) ? demoPeople.provider : demoPeople.submission;
      this.#submission({ client, server, start: this.#any() });
    }
  }

  compromisedAccount(): void {
    for (let n = 0; n < 80; n++) {
      const start = 15 * minute + n * 30_000_000 + this.#rng.int(minute / 6);
      const { compromised: client, provider: server } = demoPeople;
      this.#submission({ client, server, start });
    }
  }

  #submission(path: Path): void {
    if (this.#rng.chance(0.6)) {
      const clientName = `[${path.client}]`;
      this.#mail({ ...path, port: 587 }, { starttls: 1, messages: 1, clientName });
      return;
    }
    const rng = this.#rng;
    const script = new Script(this.pools);
    const raw = (bytes: Buffer) => script.say(bytes.toString('latin1'));
    const records = (length: number) => {
      raw(recordHead(length)).addNoise(rng.int(1000), length);
    };
    raw(clientHello(rng, { sni: 'smtp.isp.example' })).end(Dir.client, 500);
    raw(serverHello(rng));
    records(3100);
    script.end(Dir.server, 3000);
    records(69);
    script.end(Dir.client, 2000);
    for (const [up, down] of [
      [45, 190],
      [110, 60],
      [90, 80],
      [rng.between(1500, 15_000), 90],
      [28, 40],
    ] as const) {
      records(up);
      script.end(Dir.client, 2000);
      records(down);
      script.end(Dir.server, 20_000);
    }
    this.#add({ ...path, port: 465 }, script.finish());
  }

  /** Infected homes: no queue, no manners, and lists full of addresses that never existed. */
  spamBots(): void {
    for (const [index, client] of demoPeople.bots.entries()) {
      for (let n = 0; n < 110; n++) {
        const start = (6 + index * 4) * minute + n * 22_000_000 + this.#rng.int(9_000_000);
        const v6 = client.includes(':');
        const host = this.#rng.between(1, 60);
        const server = v6 ? `2001:db8:feed::${host.toString(16)}` : `198.51.100.${host + 100}`;
        this.#bot({ client, server, start, close: this.#rng.pick(['client-rst', 'client-fin']) });
      }
    }
  }

  #bot(path: Path): void {
    const rng = this.#rng;
    const dialect = rng.pick(dialects);
    const host = `mx.${domainName(rng)}`;
    const talk = new Talk(this.pools);
    if (rng.chance(0.15)) {
      talk.server(`554 5.7.1 ${host} Service unavailable; client host blocked`);
      this.#add(path, talk.script.finish());
      return;
    }
    talk.server(dialect.banner(host, rng));
    const helo = rng.pick(['localhost', 'user', `[${path.client}]`, 'WIN-8K2PC', 'ylmf-pc']);
    talk.client(`HELO ${helo}`).server(`250 ${host}`);
    const from = address(rng);
    talk.client(`MAIL FROM: <${from}>`).server(dialect.mailOk(from));
    let accepted = 0;
    for (let n = rng.between(1, 6); n > 0; n--) {
      const to = address(rng);
      const refused = rng.chance(0.65);
      talk.client(`RCPT TO: <${to}>`);
      talk.server(refused ? dialect.rcptRefused(to) : dialect.rcptOk(to));
      if (!refused) accepted++;
    }
    if (accepted > 0) {
      talk.client('DATA').server(dialect.data);
      const to = address(rng);
      const message = makeMessage(rng, this.pools, { from, to, bytes: rng.between(1200, 2600) });
      for (const part of message.parts) talk.script.add(part);
      talk.client('.').server(rng.chance(0.4) ? dialect.rejected : dialect.queued(rng, 2000));
    }
    this.#add(path, talk.script.finish());
  }

  /** Walks through a dictionary of names at one domain. */
  harvester(): void {
    for (let session = 0; session < 6; session++) {
      const talk = new Talk(this.pools);
      talk.server('220 mx.corp.example ESMTP Postfix');
      talk.client('EHLO mail.corp.example').server('250-mx.corp.example\r\n250 PIPELINING');
      talk.client('MAIL FROM:<>').server('250 2.1.0 Ok');
      for (let n = 0; n < 60; n++) {
        const to = `${word(this.#rng)}@corp.example`;
        talk.client(`RCPT TO:<${to}>`);
        talk.server(n % 29 === 7 ? '250 2.1.5 Ok' : dialects[0]!.rcptRefused(to));
      }
      talk.client('RSET').server('250 2.0.0 Ok').client('QUIT').server('221 2.0.0 Bye');
      const start = (28 + session * 3) * minute;
      const [, client] = demoPeople.bots;
      this.#add({ client, server: '198.51.100.77', start }, talk.script.finish());
    }
  }

  /** A stranger's mail goes in at a customer's server and comes out again a moment later. */
  openRelay(): void {
    const { relay, relayUser } = demoPeople;
    for (let n = 0; n < 45; n++) {
      const start = 20 * minute + n * 40_000_000 + this.#rng.int(9_000_000);
      const from = address(this.#rng, 'promo.example');
      const to = Array.from({ length: this.#rng.between(1, 4) }, () => address(this.#rng));
      const size = this.#rng.between(1500, 4000);
      const leg = (client: string, server: string, at: number, name: string) => {
        const message = makeMessage(this.#rng, this.pools, { from, to: to[0]!, bytes: size });
        const talk = new Talk(this.pools);
        talk.server('220 mail.widget.example ESMTP Exim 4.97.1');
        talk.client(`EHLO ${name}`).server('250-mail.widget.example\r\n250 SIZE 52428800');
        talk.client(`MAIL FROM:<${from}>`).server('250 OK');
        for (const rcpt of to) talk.client(`RCPT TO:<${rcpt}>`).server('250 Accepted');
        talk.client('DATA').server('354 Enter message, ending with "." on a line by itself');
        for (const part of message.parts) talk.script.add(part);
        talk.client('.').server('250 OK id=1r2abc-000000005Xz-2DqP');
        talk.client('QUIT').server('221 closing connection');
        this.#add({ client, server, start: at }, talk.script.finish());
      };
      leg(relayUser, relay, start, 'promo.example');
      leg(relay, this.#peer(), start + 3_000_000 + this.#rng.int(4_000_000), 'mail.widget.example');
    }
  }

  /** SYNs to every address; most get nothing or a reset, a few a banner. */
  scanner(): void {
    for (let host = 1; host < 255; host++) {
      const server = `203.0.113.${host}`;
      const start = 33 * minute + host * 400_000 + this.#rng.int(200_000);
      const path = { client: demoPeople.scanner, server, start };
      const open = [130, 140, 241, 243].includes(host);
      if (!open) this.#add({ ...path, close: this.#rng.pick(['none', 'none', 'refused']) }, null);
      else this.#add({ ...path, close: 'client-rst' }, null);
      if (!open) continue;
      const talk = new Talk(this.pools).server('220 mail.isp.example ESMTP');
      talk.client('EHLO scan.example').server('250-mail.isp.example\r\n250 STARTTLS');
      talk.client('QUIT').server('221 bye');
      this.#add({ ...path, start: start + 30_000_000 }, talk.script.finish());
    }
  }

  /** Tries passwords where the server still offers AUTH without TLS. All are refused. */
  passwordGuesser(): void {
    for (let n = 0; n < 40; n++) {
      const talk = new Talk(this.pools).server('220 submit.isp.example ESMTP Postfix');
      talk.client('EHLO user').server('250-submit.isp.example\r\n250 AUTH PLAIN LOGIN');
      for (let attempt = 0; attempt < 3; attempt++) {
        const user = Buffer.from(`${word(this.#rng)}@isp.example`).toString('base64');
        const password = Buffer.from(this.#rng.text(8)).toString('base64');
        talk.client('AUTH LOGIN').server('334 VXNlcm5hbWU6');
        talk.client(user).server('334 UGFzc3dvcmQ6');
        talk.client(password).server('535 5.7.8 Error: authentication failed');
      }
      const { guesser: client, submission: server } = demoPeople;
      const start = 5 * minute + n * 70_000_000;
      this.#add({ client, server, port: 587, start, close: 'client-rst' }, talk.script.finish());
    }
  }

  /** Asymmetric routing: of some connections only one direction passes here. */
  oneSided(): void {
    for (let n = 0; n < 50; n++) {
      const client = `192.0.2.${this.#rng.between(10, 40)}`;
      const path = { client, server: demoPeople.registered[0], start: this.#any() };
      this.#mail({ ...path, sides: n % 2 === 0 ? 1 : 2 }, { starttls: 0.2 });
    }
  }
}

/** A line-by-line dialogue for those who do not talk like a mail server. */
class Talk {
  readonly script: Script;

  constructor(pools: Pools) {
    this.script = new Script(pools);
  }

  client(line: string): this {
    this.script.say(`${line}\r\n`).end(Dir.client, 4000);
    return this;
  }

  server(line: string): this {
    this.script.say(`${line}\r\n`).end(Dir.server, 2500);
    return this;
  }
}
