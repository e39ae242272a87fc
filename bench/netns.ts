// A pair of network namespaces joined by a cable of their own: what goes in at one end is seen at
// the other, and nothing else is.

import { spawn, spawnSync } from 'node:child_process';

/** Names are at most 15 bytes long and belong to this process. */
const own = `mw${process.pid}`;

export class Cable {
  /** The namespace that listens and its interface. */
  readonly tap = `${own}t`;
  readonly tapInterface = `${own}ti`;
  /** The namespace that sends and its interface. */
  readonly wire = `${own}w`;
  readonly wireInterface = `${own}wi`;
  /** The other fibre of an optical tap, once `double` has laid it. */
  readonly tapSecond = `${own}tj`;
  readonly wireSecond = `${own}wj`;
  readonly #before: readonly string[];

  /** `before` are words in front of each sender, such as those that give it a priority. */
  constructor(before: readonly string[] = []) {
    this.#before = before;
  }

  open(): void {
    const spaces = [this.tap, this.wire];
    for (const space of spaces) {
      ip('netns', 'add', space);
      // Without IPv6 the kernel says nothing of its own on the cable.
      for (const which of ['all', 'default']) {
        inside(space, 'sysctl', '-qw', `net.ipv6.conf.${which}.disable_ipv6=1`);
      }
    }
    this.#lay(this.tapInterface, this.wireInterface);
  }

  /** A second cable between the same two. */
  double(): void {
    this.#lay(this.tapSecond, this.wireSecond);
  }

  #lay(tapInterface: string, wireInterface: string): void {
    const { tap, wire } = this;
    const peer = ['peer', 'name', wireInterface, 'netns', wire];
    ip('link', 'add', tapInterface, 'netns', tap, 'mtu', '9000', 'type', 'veth', ...peer);
    ip('-n', wire, 'link', 'set', wireInterface, 'mtu', '9000', 'up');
    ip('-n', tap, 'link', 'set', tapInterface, 'up');
  }

  /** Takes the listening interface down, or up again. */
  set(state: 'down' | 'up'): void {
    ip('-n', this.tap, 'link', 'set', this.tapInterface, state);
  }

  /** Takes the listening interface away. */
  cut(): void {
    ip('-n', this.tap, 'link', 'del', this.tapInterface);
  }

  /** Sends the frames of a capture, about so many a second, up to the last one. */
  async send(capture: string, rate: number): Promise<void> {
    await this.#replay(['-q', '-i', this.wireInterface, `--pps=${rate}`, capture]);
  }

  /**
   * The same from memory, or only the first frames, or several rounds of all of them without a
   * pause; as fast as it can where the rate is infinite. Gives the rate that it reached.
   */
  async blast(
    capture: string,
    rate: number,
    how: { readonly limit?: number; readonly rounds?: number } = {},
  ): Promise<number> {
    const speed = Number.isFinite(rate) ? `--pps=${rate}` : '--topspeed';
    const { limit, rounds = 1 } = how;
    const some = limit === undefined ? [] : [`--limit=${limit}`];
    const words = ['--preload-pcap', '-i', this.wireInterface, speed, `--loop=${rounds}`];
    const said = await this.#replay([...words, ...some, capture]);
    return Number(/([\d.]+) pps/.exec(said)?.[1] ?? Number.NaN);
  }

  /** Sends clients' frames over the first cable and servers' over the second, in their order. */
  async sendSplit(capture: string, rate: number): Promise<void> {
    const cache = `${capture}.cache`;
    inside(this.wire, 'tcpprep', '--port', `--pcap=${capture}`, `--cachefile=${cache}`);
    const [one, other] = [this.wireInterface, this.wireSecond];
    const words = ['-q', '-i', one, '-I', other, `--cachefile=${cache}`, `--pps=${rate}`];
    await this.#replay([...words, capture]);
  }

  /** Gives what tcpreplay says. */
  async #replay(words: readonly string[]): Promise<string> {
    const all = ['netns', 'exec', this.wire, ...this.#before, 'tcpreplay', ...words];
    const sender = spawn('ip', all, { stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    sender.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const status = await new Promise((resolve) => sender.once('close', resolve));
    if (status !== 0) throw new Error(`tcpreplay ended with ${status}`);
    return said;
  }

  /** Whether anybody listens: a packet socket that runs, for frames of every protocol. */
  get heard(): boolean {
    const lines = inside(this.tap, 'cat', '/proc/net/packet').trim().split('\n').slice(1);
    return lines.some((line) => {
      const [, , , protocol, , running] = line.trim().split(/\s+/);
      return protocol === '0003' && running === '1';
    });
  }

  close(): void {
    for (const space of [this.tap, this.wire]) spawnSync('ip', ['netns', 'del', space]);
  }
}

/** Runs a command in a namespace to its end. */
function inside(space: string, ...command: string[]): string {
  const done = spawnSync('ip', ['netns', 'exec', space, ...command], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

function ip(...words: string[]): void {
  const { status, stderr } = spawnSync('ip', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr}`);
}
