// The seeded captures that benches and tests replay: ordinary mail, small mail, a mixed bag for the
// loss test, and a SYN flood over many live sessions. What is in a preset is said in `presets`; how
// a session talks is in `session.ts`, how frames are made in `engine.ts` and `fast.ts`.

import { closeSync, openSync, writeSync } from 'node:fs';
import { Engine } from './engine.js';
import { FrameWriter, type Noise } from './fast.js';
import { makePools, type Pools } from './pool.js';
import { Rng } from './rng.js';
import { Dir, type Plan, Script, sourcesOf } from './script.js';
import { SessionBuilder } from './session.js';
import { clientHello, serverHello } from './tls.js';

export interface TrafficOptions {
  readonly sessions: number;
  /** Sessions open at once. */
  readonly concurrency: number;
  /** Median bytes of a message and sigma of its logarithm; sigma 0: all alike. */
  readonly messageMedian: number;
  readonly messageSigma: number;
  readonly messageMax: number;
  /** Mean messages a session. */
  readonly messages: number;
  /** Mean recipients behind the first. */
  readonly moreRecipients: number;
  // Shares, 0 to 1.
  readonly pipelining: number;
  readonly bdat: number;
  readonly starttls: number;
  readonly ipv6: number;
  readonly vlan: number;
  readonly refusedRcpt: number;
  /** Lone SYNs, sent while every session hangs in its envelope. */
  readonly synFlood: number;
  /** Web connections full of encrypted records instead of mail. */
  readonly web?: boolean;
}

const ordinary: TrafficOptions = {
  sessions: 30_000,
  concurrency: 3000,
  messageMedian: 13_000,
  messageSigma: 1.15,
  messageMax: 4_000_000,
  messages: 1.4,
  moreRecipients: 0.6,
  pipelining: 0.7,
  bdat: 0.15,
  starttls: 0.05,
  ipv6: 0.15,
  vlan: 0.1,
  refusedRcpt: 0.04,
  synFlood: 0,
};

const small: TrafficOptions = {
  ...ordinary,
  messageMedian: 2000,
  messageSigma: 0,
  sessions: 40_000,
};

const mixed: TrafficOptions = {
  ...ordinary,
  sessions: 10_000,
  concurrency: 1000,
  messageMedian: 2200,
  messageSigma: 0.5,
  messageMax: 6000,
  messages: 2.2,
  moreRecipients: 1.2,
  bdat: 0.3,
  starttls: 0.03,
  ipv6: 0.3,
  vlan: 0.3,
  refusedRcpt: 0.1,
};

const halfOpen: TrafficOptions = {
  ...small,
  sessions: 100_000,
  messages: 1,
  starttls: 0,
  synFlood: 1_000_000,
};

/** The part of a configuration that says whose network the clients are in. */
export const ownNetwork = `network:
  own: [198.18.0.0/15]
  pools:
    - { cidr: 198.18.0.0/16, role: customer-dynamic }
    - { cidr: 198.19.0.0/16, role: customer-static }
`;

/** Presets by name, each with one line for the command's help. */
export const presets: Record<string, { readonly about: string; readonly options: TrafficOptions }> =
  {
    ordinary: { about: '30,000 ordinary sessions, about 1.2 GB', options: ordinary },
    small: { about: '40,000 sessions of 2 KB mails', options: small },
    mixed: { about: '10,000 varied sessions for the loss test, below 150 MB', options: mixed },
    web: {
      about: '20,000 web connections and no mail, about 700 MB',
      options: { ...ordinary, sessions: 20_000, web: true },
    },
    'half-open': {
      about: '1,000,000 lone SYNs over 100,000 sessions that hang in their envelope',
      options: halfOpen,
    },
  };

/** When generated captures begin: microseconds since 1970. */
const epoch = 1_700_000_000_000_000;

export interface GenerateOptions {
  readonly path: string;
  /** One JSON object per mail transaction goes here. */
  readonly truthPath?: string;
  readonly seed: number;
  readonly options: TrafficOptions;
  /** Told the share done, 0 to 1. */
  readonly progress?: (share: number) => void;
}

export interface Generated {
  readonly frames: number;
  /** Frames that the noise took away. */
  readonly lost: number;
  readonly bytes: number;
  readonly sessions: number;
}

/** Writes a capture; the same seed and options give the same bytes. */
export function generate(o: GenerateOptions): Generated {
  const pools = makePools(o.seed);
  const rng = new Rng(o.seed);
  const flows = o.options.sessions + o.options.synFlood;
  let plans = o.options.synFlood > 0 ? halfOpenPlans : sessionPlans;
  if (o.options.web) plans = webPlans;
  return writeCapture(o, plans(new Rng(o.seed ^ 0x5a5a), pools, o.options), {
    rng,
    pools,
    concurrency: o.options.concurrency,
    flows,
  });
}

export interface World {
  readonly rng: Rng;
  readonly pools: Pools;
  readonly concurrency: number;
  /** Connections to expect, for the progress. */
  readonly flows: number;
  /** Told after every few thousand frames, in place of `progress`. */
  readonly told?: () => void;
  /** What the mirror does to the frames; nothing when not given. */
  readonly noise?: Noise;
}

/** Plays plans into a capture file, and their truth beside it. */
export function writeCapture(
  o: Omit<GenerateOptions, 'options'>,
  plans: Iterator<Plan, void>,
  world: World,
): Generated {
  const writer = new FrameWriter(o.path, world.noise ?? null);
  const truth = o.truthPath === undefined ? null : new TruthFile(o.truthPath);
  let flows = 0;
  let sessions = 0;
  const engine = new Engine({
    writer,
    rng: world.rng,
    sources: sourcesOf(world.pools),
    epoch,
    concurrency: world.concurrency,
    opened: (plan) => {
      flows++;
      if (plan.script) sessions++;
      truth?.write(plan);
    },
    progress: world.told ?? (() => o.progress?.(flows / world.flows)),
  });
  try {
    engine.run(plans);
  } finally {
    writer.close();
    truth?.close();
  }
  return { frames: writer.frames, lost: writer.lost, bytes: writer.bytes + 24, sessions };
}

class TruthFile {
  readonly #file: number;
  #text = '';

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  write(plan: Plan): void {
    for (const transaction of plan.truth) {
      const line = {
        src_ip: plan.client,
        src_port: plan.clientPort,
        dest_ip: plan.server,
        dest_port: plan.serverPort,
        ...(plan.start < 0 ? {} : { start: epoch + plan.start }),
        ...transaction,
      };
      this.#text += `${JSON.stringify(line)}\n`;
    }
    if (this.#text.length > 1 << 20) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#text);
    this.#text = '';
  }
}

/** What every connection of a preset has in common: addresses, path, tags. */
function path(rng: Rng, options: TrafficOptions, n: number) {
  const v6 = rng.chance(options.ipv6);
  // Several sessions share a client. Ports differ for sessions of one client, so no two
  // connections have the same five-tuple.
  const clients = Math.min(65_536, Math.max(1, options.sessions >> 3));
  const client = n % clients;
  const host = (client * 40_503) & 0xffff;
  const server = rng.int(200);
  const tag = 100 + (client % 50);
  const tags = rng.chance(0.3) ? [2000 + (client % 3), tag] : [tag];
  return {
    client: v6
      ? `2001:db8:${hex((client >> 4) + 1)}::${hex(host | 1)}:${hex(client + 1)}`
      : `198.18.${host >> 8}.${host & 255}`,
    server: v6 ? `2001:db8:ffff::${hex(server + 1)}` : `203.0.113.${server + 1}`,
    clientPort: 1024 + ((Math.floor(n / clients) * 9973 + client * 31) % 64_000),
    serverPort: 25,
    vlan: rng.chance(options.vlan) ? tags : [],
    rtt: Math.round(Math.min(400_000, rng.logNormal(25_000, 0.9))),
    mss: v6 ? 1428 : 1448,
    timestamps: rng.chance(0.7),
    sides: 3,
    start: -1,
  };
}

function hex(n: number): string {
  return n.toString(16);
}

function sizeOf(options: TrafficOptions): (rng: Rng) => number {
  if (options.messageSigma === 0) return () => options.messageMedian;
  return (rng) => {
    const size = rng.logNormal(options.messageMedian, options.messageSigma);
    return Math.round(Math.min(options.messageMax, Math.max(900, size)));
  };
}

/** Sessions one after the other, each to begin as soon as there is room. */
function* sessionPlans(rng: Rng, pools: Pools, options: TrafficOptions): Iterator<Plan, void> {
  const size = sizeOf(options);
  for (let n = 0; n < options.sessions; n++) {
    const common = path(rng, options, n);
    const messages = 1 + rng.geometric(1 / options.messages, 50);
    const session = new SessionBuilder(rng, pools, {
      ...options,
      messages,
      size,
      clientAddress: common.client,
    });
    yield {
      ...common,
      script: session.script,
      close: rng.chance(0.6) ? 'client-fin' : 'server-fin',
      truth: session.truth,
    };
  }
}

/** Connections to port 443: a TLS handshake, then requests up and answers down. */
function* webPlans(rng: Rng, pools: Pools, options: TrafficOptions): Iterator<Plan, void> {
  for (let n = 0; n < options.sessions; n++) {
    const script = new Script(pools);
    script.say(clientHello(rng, { sni: `www${n % 500}.example` }).toString('latin1'));
    script.end(Dir.client, 300);
    script.say(serverHello(rng).toString('latin1')).addNoise(0, 3000).end(Dir.server, 2000);
    for (let request = rng.between(1, 6); request > 0; request--) {
      script.addNoise(rng.int(100_000), rng.between(200, 1200)).end(Dir.client, 5000);
      const length = Math.round(Math.min(150_000, rng.logNormal(5000, 1)));
      script.addNoise(rng.int(100_000), length).end(Dir.server, 20_000);
    }
    const common = path(rng, options, n);
    yield { ...common, serverPort: 443, script: script.finish(), close: 'client-fin', truth: [] };
  }
}

const second = 1_000_000;

/**
 * All sessions begin within 20 seconds and stop behind MAIL; each goes on to its RCPT somewhere in
 * the flood of the next 80 seconds and to its message after it.
 */
function* halfOpenPlans(rng: Rng, pools: Pools, options: TrafficOptions): Iterator<Plan, void> {
  const size = sizeOf(options);
  for (let n = 0; n < options.sessions; n++) {
    const start = Math.floor((n / options.sessions) * 20 * second);
    const beforeRcpt = 25 * second - start + rng.int(70 * second);
    const beforeData = 102 * second - start - beforeRcpt + rng.int(15 * second);
    const common = { ...path(rng, options, n), start };
    const session = new SessionBuilder(rng, pools, {
      ...options,
      messages: 1,
      size,
      clientAddress: common.client,
      pauses: [beforeRcpt, beforeData],
    });
    yield { ...common, script: session.script, close: 'client-fin', truth: session.truth };
  }
  for (let n = 0; n < options.synFlood; n++) {
    const host = (n * 40_503) & 0xffff;
    yield {
      client: `198.19.${host >> 8}.${host & 255}`,
      server: `203.0.113.${1 + (n % 200)}`,
      clientPort: 1024 + (((n >>> 16) * 9973 + host) % 64_000),
      serverPort: 25,
      vlan: [],
      rtt: 0,
      mss: 1460,
      timestamps: false,
      script: null,
      close: 'none',
      sides: 3,
      start: 20 * second + Math.floor((n / options.synFlood) * 80 * second),
      truth: [],
    };
  }
}
