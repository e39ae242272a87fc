// The running demonstration, with everybody who asks it for something: the packets of an hour that
// go round, a consumer of the list, mail servers with DNSBL and policy questions, an appeal, a
// release, a receiver of messages. On loopback only.

import { createSocket, type Socket } from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { encode } from 'dns-packet';
import { demoPeople, writeDemo } from '../../bench/world/demo.js';
import { Daemon } from '../helper/program.js';

/** A port of loopback that nobody has at this moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resume) => server.once('listening', resume));
  const { port } = server.address() as { port: number };
  await new Promise((resume) => server.close(resume));
  return port;
}

export class Demonstration {
  readonly daemon: Daemon;
  readonly url: string;
  readonly #ports: { readonly dnsbl: number; readonly policy: number };
  readonly #socket: Socket;
  readonly #receiver: Socket;
  readonly #timer: NodeJS.Timeout;
  /** What those who ask met with; empty: nothing. */
  readonly troubles: string[] = [];
  #turn = 0;

  private constructor(
    daemon: Daemon,
    ports: Record<'http' | 'dnsbl' | 'policy', number>,
    receiver: Socket,
  ) {
    this.daemon = daemon;
    this.url = `http://127.0.0.1:${ports.http}`;
    this.#ports = ports;
    this.#receiver = receiver;
    this.#socket = createSocket('udp4');
    this.#timer = setInterval(() => {
      this.#visit().catch((error: Error) => this.troubles.push(String(error)));
    }, 400);
  }

  /** Starts it in a folder, with the packets of `speed` seconds in one. */
  static async start(folder: string, speed: number): Promise<Demonstration> {
    writeDemo(join(folder, 'demo.pcap'));
    const receiver = createSocket('udp4');
    await new Promise<void>((resume) => receiver.bind(0, '127.0.0.1', resume));
    const ports = { http: await freePort(), dnsbl: await freePort(), policy: await freePort() };
    const config = `${readFileSync(join(folder, 'demo.yaml'), 'utf8')}
sensor: tap-1
site: north
capture: { workers: 2, tap_side: customer }
notify: { severity: info, syslog: { to: "udp://127.0.0.1:${receiver.address().port}" } }
block: { directory: list }
state: { directory: state }
serve:
  http: "127.0.0.1:${ports.http}"
  dnsbl: "127.0.0.1:${ports.dnsbl}"
  zone: bl.example.net
  policy: "127.0.0.1:${ports.policy}"
`;
    writeFileSync(join(folder, 'mailweir.yaml'), config);
    const words = ['run', '--replay', join(folder, 'demo.pcap'), '--loop', '--speed', `${speed}`];
    const daemon = new Daemon([...words, '--config', join(folder, 'mailweir.yaml')]);
    await daemon.until(() => daemon.stderr.includes('"serving"'));
    return new Demonstration(daemon, ports, receiver);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#socket.close();
    this.#receiver.close();
    await this.daemon.end();
  }

  async #visit(): Promise<void> {
    this.#turn += 1;
    const entries = await this.#entries();
    const [address] = entries
      .map(({ cidr }) => cidr.split('/')[0]!)
      .filter((one) => !one.includes(':'));
    for (const one of [address, demoPeople.relay]) if (one !== undefined) this.#ask(one);
    await fetch(`${this.url}/v1/nothing-here`);
    const ids = entries.map(({ id }) => id);
    if (this.#turn % 20 === 5 && ids[0] !== undefined) {
      await this.#post(`entries/${ids[0]}/appeal`, { text: 'it was our printer' });
    }
    if (this.#turn % 40 === 10 && ids[1] !== undefined) {
      await this.#post(`entries/${ids[1]}/release`, { reason: 'test', wrong: true });
    }
  }

  async #entries(): Promise<{ id: string; cidr: string }[]> {
    const answer = await fetch(`${this.url}/v1/blocklist?action=all`);
    return ((await answer.json()) as { entries: { id: string; cidr: string }[] }).entries;
  }

  async #post(path: string, body: object): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const sent = { method: 'POST', headers, body: JSON.stringify(body) };
    const { status } = await fetch(`${this.url}/v1/${path}`, sent);
    if (status >= 500) this.troubles.push(`${path}: ${status}`);
  }

  /** As a mail server asks about a client: by DNS and by the policy protocol. */
  #ask(address: string): void {
    const name = `${address.split('.').reverse().join('.')}.bl.example.net`;
    const question = { type: 'query' as const, questions: [{ type: 'A' as const, name }] };
    this.#socket.send(
      encode({ ...question, id: this.#turn & 0xffff }),
      this.#ports.dnsbl,
      '127.0.0.1',
    );
    const policy = connect(this.#ports.policy, '127.0.0.1');
    policy.on('error', (error) => this.troubles.push(String(error)));
    policy.on('data', () => policy.destroy());
    policy.write(`request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=${address}\n\n`);
  }
}
