// The demonstration: an hour at the edge of a small ISP whose own networks are 203.0.113.0/24 and
// 2001:db8:25::/48, with the files such an ISP would have. Everybody in it is invented, with
// documentation and benchmark addresses (RFC 5737, RFC 3849, RFC 2544) and reserved domains (RFC
// 2606). `demoPeople` says who is who; the truth file says it of everybody.

import { statSync } from 'node:fs';
import { Rng } from '../generate/rng.js';
import { bot, compromised, harvester, hiddenBot, snowshoe, submissionBot } from './bots.js';
import { beside, writeConfig, writeWorld } from './files.js';
import { smallGround } from './ground.js';
import { device, hobbyServer, home, office, stalePassword } from './homes.js';
import { perfectMirror } from './mirror.js';
import type { Wrapping } from './packets.js';
import { backupServer, forwarder, openRelay } from './relays.js';
import { callouts, mailingList, newsletter, ordinaryServer, received } from './servers.js';
import {
  type Actor,
  type Entry,
  hour,
  minute,
  rngOf,
  type Scene,
  type Spread,
  second,
  truthOf,
} from './source.js';
import { foreignServer, framing, guesser, prober, scanner } from './strangers.js';
import type { Talk } from './talk.js';
import { mailDomains, merged } from './world.js';

/** Who is who in the demonstration. */
export const demoPeople = {
  own: ['203.0.113.0/24', '2001:db8:25::/48'],
  /** The ISP's own mail servers: for what comes in, for customers' mail, for submission. */
  mxIn: '203.0.113.241',
  relay: '203.0.113.243',
  submission: '203.0.113.244',
  mxOut6: '2001:db8:25::242',
  /** Business customers with registered servers. */
  registered: ['203.0.113.161', '203.0.113.162', '203.0.113.163', '203.0.113.130'],
  /**
   * A registered bulk sender with labelled newsletters, a mailing list, and others that pass mail
   * on.
   */
  newsletter: '203.0.113.165',
  list: '203.0.113.166',
  forwarder: '203.0.113.167',
  backup: '203.0.113.168',
  /** An honest server that nobody has registered, and a hobbyist's. */
  unregistered: '203.0.113.170',
  hobby: '203.0.113.140',
  /** A business customer whose server relays for strangers, and the stranger. */
  openRelay: '203.0.113.172',
  relayUser: '192.0.2.66',
  /** A registered server of which a mailbox is in a stranger's hands. */
  compromised: '203.0.113.164',
  /** Infected homes that talk to port 25 themselves, and one behind a shared address. */
  bots: ['203.0.113.45', '203.0.113.77', '2001:db8:25:4001::b0'],
  slowBot: '203.0.113.90',
  hiddenBot: '203.0.113.194',
  /** An infected home with stolen passwords, and one that looks for addresses. */
  submissionBot: '203.0.113.88',
  harvester: '203.0.113.58',
  /** Homes that look odd and are not guilty: devices that mail, a program with an old password. */
  devices: ['203.0.113.31', '203.0.113.32'],
  stalePassword: '203.0.113.33',
  office: '203.0.113.135',
  foreignHarvester: '192.0.2.77',
  scanner: '192.0.2.99',
  prober: '192.0.2.110',
  guesser: '192.0.2.131',
  /** Many addresses that each send a little. */
  snowshoe: '198.19.253',
} as const;

const spread: Spread = {
  unknown: [0.02, 0.05],
  stale: [0.1, 0.2],
  copies: [150, 200],
  together: [0.2, 0.4],
  fastFail: [0.65, 0.75],
  slowFail: [0.4, 0.5],
  fastRate: [900, 1500],
  slowRate: [40, 60],
  deviceMails: [60, 90],
  serverRate: [50, 90],
  guesses: [240, 300],
  submissions: [90, 120],
};

const length = hour - 2 * minute;
const seed = 20_231_114;

/** Writes the demonstration capture and its files beside it; always the same bytes. */
export function writeDemo(path: string): { sessions: number; bytes: number } {
  const cast = new Cast();
  cast.servers();
  cast.homes();
  cast.guilty();
  cast.outside();
  writeConfig(path, {
    ground: cast.ground,
    entries: cast.entries,
    mode: 'enforce',
    codes: [
      { code: 'SHP1', holder: 'Shop Ltd', sources: [`${demoPeople.newsletter}/32`] },
      { code: 'OLD1', holder: 'Old Shop Ltd', withdrawn: '2023-06-30', sources: [] },
    ],
  });
  const result = writeWorld({
    path,
    seed,
    talks: smaller(merged(cast.actors)),
    sources: [...cast.actors.flatMap(({ sources }) => sources), ...mailDomains(cast.ground)],
    mirror: perfectMirror,
    wrapping,
    halves,
    truthPath: beside(path, '-truth.ndjson'),
    length,
  });
  return { sessions: result.sessions, bytes: statSync(path).size };
}

/** An eighth of the usual size of messages keeps the capture handy. */
function* smaller(talks: Iterable<Talk>): Generator<Talk> {
  const size = (bytes: number) => Math.round(Math.max(900, bytes / 8));
  for (const talk of talks) {
    const mails = talk.mails.map(({ letter, ...mail }) => ({
      ...mail,
      letter: letter && { ...letter, bytes: size(letter.bytes) },
    }));
    yield { ...talk, mails, sealed: talk.sealed.map(size) };
  }
}

/** Homes hang on VLANs of their access network, everybody else comes untagged. */
function wrapping({ client }: Talk): Wrapping {
  const last = Number(/^203\.0\.113\.(\d+)$/.exec(client)?.[1] ?? 0);
  if (last > 0 && last < 128 && last % 3 === 0) return { vlan: [2001, 100 + (last % 16)] };
  if (last > 0 && last < 128 && last % 7 === 0) return { vlan: [], pppoe: true };
  return { vlan: last > 0 && last % 5 === 0 ? [300] : [] };
}

/** Asymmetric routing: of connections from one network only one direction passes here. */
function halves({ client, clientPort }: Talk): number {
  const last = Number(/^192\.0\.2\.(\d+)$/.exec(client)?.[1] ?? 0);
  if (last < 10 || last > 40) return 3;
  return clientPort % 2 === 0 ? 1 : 2;
}

/** Everybody in the demonstration. */
class Cast {
  readonly actors: Actor[] = [];
  readonly entries: Entry[] = [];
  readonly ground = smallGround(new Rng(seed));
  #n = 0;

  #add(make: (scene: Scene) => Actor): void {
    this.actors.push(
      make({
        rng: rngOf(seed, this.#n++),
        ground: this.ground,
        spread,
        length,
        inbound: [demoPeople.mxIn],
        register: (entry) => this.entries.push(entry),
      }),
    );
  }

  servers(): void {
    const p = demoPeople;
    const own = { operator: 'ISP', role: 'infrastructure', domains: ['isp.example'] } as const;
    for (const address of [p.mxIn, p.relay, p.submission]) {
      this.entries.push({ ...own, cidr: `${address}/32`, advertiser: false });
    }
    const place = (address: string, domain: string, missing = false) => ({
      address,
      domain,
      missing,
    });
    this.#add((scene) => ({
      sources: [truthOf(p.mxIn, 'infrastructure', { register: 'infrastructure' })],
      talks: received(scene, place(p.mxIn, 'isp.example'), 150),
    }));
    p.registered.forEach((address, n) => {
      this.#add((scene) => ordinaryServer(scene, place(address, `firm${n}.example`)));
    });
    this.#add((scene) => ordinaryServer(scene, place(p.mxOut6, 'isp6.example')));
    this.#add((scene) => ordinaryServer(scene, place(p.unregistered, 'quiet.example', true)));
    this.#add((scene) => newsletter(scene, place(p.newsletter, 'shop.example'), false));
    this.#add((scene) => mailingList(scene, place(p.list, 'club.example')));
    this.#add((scene) => forwarder(scene, place(p.forwarder, 'alumni.example')));
    this.#add((scene) => backupServer(scene, place(p.backup, 'second.example'), true));
    this.#add((scene) => callouts(scene, place('203.0.113.169', 'careful.example')));
    this.#add((scene) => ({
      sources: [],
      talks: framing(scene, p.registered[2], 60),
    }));
  }

  homes(): void {
    const p = demoPeople;
    for (let n = 1; n < 127; n++) {
      const address = `203.0.113.${n}`;
      const known: readonly string[] = [...p.bots, ...p.devices, p.slowBot, p.submissionBot];
      if (known.includes(address) || [p.harvester, p.stalePassword].includes(address as never)) {
        continue;
      }
      if (n % 2 === 0) this.#add((scene) => home(scene, address));
    }
    for (const address of p.devices) this.#add((scene) => device(scene, address));
    this.#add((scene) => stalePassword(scene, p.stalePassword));
    this.#add((scene) => office(scene, p.office));
    this.#add((scene) => hobbyServer(scene, p.hobby));
  }

  guilty(): void {
    const p = demoPeople;
    const common = { fail: 0.7, rate: 700, most: 130, known: 0.2 };
    p.bots.forEach((address, n) => {
      const o = { ...common, address, guilt: 'bot-fast', recipients: [1, 4, 1][n]! } as const;
      this.#add((scene) => bot(scene, o));
    });
    const slow = { address: p.slowBot, guilt: 'bot-slow', fail: 0.45, rate: 50 } as const;
    this.#add((scene) => bot(scene, { ...slow, most: 60, recipients: 1 }));
    this.#add((scene) => hiddenBot(scene, p.hiddenBot, 0.7));
    this.#add((scene) => submissionBot(scene, p.submissionBot));
    this.#add((scene) => harvester(scene, p.harvester, true));
    this.#add((scene) => harvester(scene, p.foreignHarvester, false));
    this.#add((scene) => compromised(scene, p.compromised, 250));
    const relay = { address: p.openRelay, domain: 'widget.example', missing: false };
    const use = { user: p.relayUser, mails: 45, tls: 0, queue: 5 * second };
    this.#add((scene) => openRelay(scene, { ...use, place: relay }));
  }

  outside(): void {
    const p = demoPeople;
    for (let n = 0; n < 40; n++) {
      this.#add((scene) => foreignServer(scene, `198.51.100.${20 + n}`));
    }
    // Behind asymmetric routing.
    for (let n = 10; n < 40; n++) this.#add((scene) => foreignServer(scene, `192.0.2.${n}`));
    this.#add((scene) => snowshoe(scene, p.snowshoe, 24));
    this.#add((scene) => guesser(scene, p.guesser, 40));
    const servers = [...p.registered, p.list, p.forwarder, p.mxIn];
    this.#add((scene) => prober(scene, p.prober, servers));
    const targets = Array.from({ length: 254 }, (_, n) => `203.0.113.${n + 1}`);
    this.#add((scene) => scanner(scene, p.scanner, targets));
  }
}
