// Listens to an interface for some seconds and says what a sensor would find there: mail or none,
// one direction or both, tags, frames longer than they should be, loss. For `mailweir doctor`.

import { type Finding, lostInCard, mtuOf } from '../capture/check.js';
import type { FrameBatch, Source } from '../capture/source.js';
import { type Config, mailPorts } from '../config.js';
import { Decoder, decodeDefaults } from '../decode/decoder.js';
import { Packet } from '../decode/packet.js';
import { skipReasonNames } from '../decode/reason.js';

/** Tags that are named. */
const tagsMax = 16;
/** Ethernet header, two tags, and what a check sequence may add. */
const aroundPacket = 14 + 8 + 4;

/** Counts what comes; the findings are made of the counts. */
export class Observation {
  frames = 0;
  longest = 0;
  /** Segments to and from mail ports. */
  toServers = 0;
  toClients = 0;
  readonly #tags = new Set<number>();
  readonly #ports: ReadonlySet<number>;
  readonly #decoder: Decoder;
  readonly #packet = new Packet();

  constructor(config: Config) {
    const { ports, tunnels } = config.capture;
    this.#ports = new Set(ports === 'any' ? mailPorts : ports);
    this.#decoder = new Decoder({ ...decodeDefaults, tunnels });
  }

  /** Takes a batch; nothing of it is kept. */
  look(batch: FrameBatch): void {
    const packet = this.#packet;
    for (let i = 0; i < batch.count; i += 1) {
      this.frames += 1;
      if (batch.wireLength[i]! > this.longest) this.longest = batch.wireLength[i]!;
      if (this.#decoder.decode(batch, i, packet) !== 0) continue;
      if (this.#ports.has(packet.dstPort)) this.toServers += 1;
      else if (this.#ports.has(packet.srcPort)) this.toClients += 1;
      if (packet.vlanCount > 0 && this.#tags.size < tagsMax) this.#tags.add(packet.vlan0);
    }
  }

  /** What was seen on `name`; `drops` and `inCard` are frames lost meanwhile. */
  findings(name: string, seconds: number, drops: number, inCard: number): Finding[] {
    const found: Finding[] = [];
    const time = `${seconds} s`;
    if (this.frames === 0) {
      const mend = 'look at the mirror session of the switch, and at the cable';
      return [{ what: `${name}: nothing came in ${time}`, mend }];
    }
    const rate = Math.round(this.frames / seconds);
    found.push({ what: `${name}: ${this.frames} frames in ${time}, ${rate} a second` });
    found.push(this.#mail(name, time), ...this.#length(name));
    const tags = [...this.#tags].sort((a, b) => a - b).join(', ');
    found.push({ what: tags === '' ? `${name}: no tags` : `${name}: tags ${tags}` });
    const skipped = this.#skipped();
    if (skipped !== '') found.push({ what: `${name}: not used: ${skipped}` });
    if (drops > 0) {
      const mend = 'set capture.ring.bytes or capture.workers larger in the configuration';
      found.push({ what: `${name}: ${drops} frames found no room in memory`, mend });
    }
    if (inCard > 0) {
      const mend = `ethtool -G ${name} rx with its most (ethtool -g ${name} shows it)`;
      found.push({ what: `${name}: the card lost ${inCard} frames`, mend });
    }
    if (drops === 0 && !(inCard > 0)) found.push({ what: `${name}: nothing was lost` });
    return found;
  }

  #mail(name: string, time: string): Finding {
    const list = [...this.#ports].join(', ');
    const { toServers, toClients } = this;
    if (toServers + toClients === 0) {
      const mend = 'mirror the port that mail passes, or set capture.ports';
      return { what: `${name}: nothing of the TCP ports ${list} in ${time}`, mend };
    }
    const what = `${name}: mail, ${toServers} segments to servers, ${toClients} from them`;
    if (toServers > 0 && toClients > 0) return { what };
    const mend =
      'mirror both directions; where a tap has a port for each, give capture.interface both: ' +
      `[${name}, OTHER]`;
    return { what: `${what}: one direction is missing`, mend };
  }

  #length(name: string): Finding[] {
    const mtu = mtuOf(name);
    const what = `${name}: the longest frame has ${this.longest} bytes, the MTU is ${mtu}`;
    if (!(this.longest > mtu + aroundPacket)) return [{ what }];
    const offloads = `ethtool -K ${name} gro off lro off`;
    const mend = `${offloads}; if they are off: ip link set ${name} mtu 9000`;
    return [{ what: `${what}: frames are merged, or cut soon`, mend }];
  }

  #skipped(): string {
    const counts = [...this.#decoder.frames].map((count, slot) => ({ count, slot }));
    return counts
      .filter(({ count, slot }) => slot > 0 && count > 0)
      .map(({ count, slot }) => `${skipReasonNames[slot]} ${count}`)
      .join(', ');
  }
}

/** Listens for so long, and closes the source. */
export async function observe(
  source: Source,
  name: string,
  seconds: number,
  config: Config,
): Promise<Finding[]> {
  const observation = new Observation(config);
  const before = lostInCard(name);
  let end = Number.POSITIVE_INFINITY;
  for (;;) {
    const batch = await source.next();
    if (batch === null) break;
    const now = performance.now();
    // The time begins when the source does; opening libpcap may take a moment.
    if (end === Number.POSITIVE_INFINITY) end = now + seconds * 1000;
    if (now >= end) break;
    observation.look(batch);
    await new Promise<void>((resume) => setImmediate(resume));
  }
  const { drops, problem } = source;
  source.close();
  const found = observation.findings(name, seconds, drops, lostInCard(name) - before);
  if (problem === null) return found;
  return [...found, { what: `${name}: ${problem.message}`, mend: `look after ${name}` }];
}
