// A process of its own that captures with the pcap package and writes what comes to descriptor 3,
// and does nothing else. The package's dispatch loop does not return to the event loop while
// packets come, and it cannot be loaded twice or live in a worker: so everything happens in its
// callback, with synchronous writes. A full pipe blocks here; then the kernel's buffer fills, and
// it counts drops. The process ends when nobody reads the pipe any more.

import { existsSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ethernetFilter, portableFilter } from './live-filter.js';
import { controlRecord, type LiveFailure, type LiveOrder, recordHeaderBytes } from './live-wire.js';

/** The parts of pcap 3.1 that are used here, its inner session among them (see `pump`). */
interface Package {
  warningHandler: (text: string) => void;
  findalldevs(): { name: string }[];
  createSession(name: string, options: Record<string, unknown>): Session;
}

interface Session {
  buf: Buffer;
  header: Buffer;
  readonly link_type: string;
  readonly session: {
    read_callback: () => void;
    dispatch(buf: Buffer, header: Buffer): number;
  };
  stats(): { ps_drop: number };
  on(event: 'packet', listener: () => void): void;
}

const pipe = 3;
const flushBytes = 128 * 1024;
/** Milliseconds after which the kernel hands over a block that is not full. */
const retireTime = 20;
const beatTime = 200;
/** What the clock stays behind: a frame of that age has been handed over for sure. */
const clockLag = 3 * retireTime;

const linkTypes: Readonly<Record<string, number>> = {
  LINKTYPE_NULL: 0,
  LINKTYPE_ETHERNET: 1,
  LINKTYPE_RAW: 101,
  LINKTYPE_LINUX_SLL: 113,
  LINKTYPE_IEEE802_11_RADIO: 127,
};

function main(): void {
  // A signal to the whole group must not cut off what the parent still wants to read.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  const order = JSON.parse(process.argv[2] ?? '{}') as LiveOrder;
  let pcap: Package;
  try {
    pcap = createRequire(import.meta.url)('pcap') as Package;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    fail(code === 'MODULE_NOT_FOUND' ? 'package' : 'library', message, []);
  }
  pcap.warningHandler = () => {};
  let session: Session;
  try {
    session = pcap.createSession(order.interface, {
      filter: filterOf(order),
      buffer_size: order.bufferBytes,
      snap_length: order.snapLength,
      buffer_timeout: retireTime,
      promiscuous: order.promiscuous,
    });
  } catch (error) {
    refuse(pcap, order.interface, (error as Error).message);
  }
  new Pump(pcap, session, order).start();
}

/** Copies frames from the package's buffer into an area, and the area into the pipe. */
class Pump {
  readonly #pcap: Package;
  readonly #session: Session;
  readonly #name: string;
  readonly #area: Buffer;
  /** Where in the area the package puts header and frame: behind all that is collected. */
  readonly #landing: number;
  readonly #snapLength: number;
  #used = 0;
  #packets = 0;
  #beaten = 0;
  #dropsSeen = 0;
  #drops = 0;
  #losing = false;

  constructor(pcap: Package, session: Session, order: LiveOrder) {
    this.#pcap = pcap;
    this.#session = session;
    this.#name = order.interface;
    this.#snapLength = order.snapLength;
    this.#landing = flushBytes + recordHeaderBytes + order.snapLength;
    this.#area = Buffer.alloc(this.#landing + recordHeaderBytes + order.snapLength);
  }

  start(): void {
    const session = this.#session;
    const frame = this.#landing + recordHeaderBytes;
    // Header and frame lie side by side, so one copy within the area moves both.
    session.header = this.#area.subarray(this.#landing, frame);
    session.buf = this.#area.subarray(frame);
    session.session.read_callback = () => this.#dispatch();
    session.on('packet', () => this.#take());
    write(controlRecord({ kind: 'ready', link: linkOf(session.link_type) }));
    // The timer also reads: after an error on the interface libuv polls no more.
    setInterval(() => {
      if (!isThere(this.#name)) this.#lost();
      this.#dispatch();
      this.#beat();
    }, beatTime);
  }

  #dispatch(): void {
    const answer = this.#session.session.dispatch(this.#session.buf, this.#session.header);
    this.#flush();
    if (answer === -1) this.#lost();
  }

  /** The interface gave an error: says so once it is known whether it still exists. */
  #lost(): void {
    if (this.#losing) return;
    this.#losing = true;
    setTimeout(() => {
      const detail = isThere(this.#name) ? 'it failed' : 'it was removed';
      fail('gone', detail, interfaceNames(this.#pcap));
    }, beatTime);
  }

  #take(): void {
    const area = this.#area;
    const landing = this.#landing;
    const kept = area.readUInt32LE(landing + 8);
    // The package copies no more than its buffer holds, whatever the header says.
    if (kept > this.#snapLength) area.writeUInt32LE(this.#snapLength, landing + 8);
    const size = recordHeaderBytes + Math.min(kept, this.#snapLength);
    area.copyWithin(this.#used, landing, landing + size);
    this.#used += size;
    if (this.#used >= flushBytes) this.#flush();
    // Under load no timer runs.
    this.#packets = (this.#packets + 1) & 1023;
    if (this.#packets === 0 && Date.now() - this.#beaten >= beatTime) this.#beat();
  }

  #beat(): void {
    this.#flush();
    const seen = this.#session.stats().ps_drop;
    this.#drops += (seen - this.#dropsSeen) >>> 0;
    this.#dropsSeen = seen;
    this.#beaten = Date.now();
    const clock = (this.#beaten - clockLag) * 1000;
    write(controlRecord({ kind: 'beat', clock, drops: this.#drops }));
  }

  #flush(): void {
    if (this.#used > 0) write(this.#area, this.#used);
    this.#used = 0;
  }
}

function write(bytes: Buffer, length = bytes.length): void {
  let done = 0;
  while (done < length) {
    try {
      done += writeSync(pipe, bytes, done, length - done);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') process.exit(0);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function fail(why: LiveFailure, detail: string, interfaces: readonly string[]): never {
  const line = detail.split('\n', 1)[0] ?? '';
  write(controlRecord({ kind: 'failed', why, detail: line, interfaces: interfaces.slice(0, 64) }));
  process.exit(1);
}

/** Says why libpcap did not open the interface; its own texts differ between versions. */
function refuse(pcap: Package, name: string, text: string): never {
  const names = interfaceNames(pcap);
  if (/permi|CAP_NET|EPERM|EACCES/i.test(text)) fail('permission', text, names);
  if (!names.includes(name) && name !== 'any') fail('interface', text, names);
  fail('other', text, names);
}

function interfaceNames(pcap: Package): string[] {
  try {
    if (process.platform === 'linux') return readdirSync('/sys/class/net').sort();
    return pcap.findalldevs().map((device) => device.name);
  } catch {
    return [];
  }
}

/** Whether libpcap will give Ethernet frames: ARPHRD_ETHER or ARPHRD_LOOPBACK. */
function filterOf({ interface: name, ports }: LiveOrder): string {
  let type = '';
  try {
    type = readFileSync(`/sys/class/net/${name}/type`, 'utf8').trim();
  } catch {
    // Another system, or no such interface: libpcap will say so.
  }
  return type === '1' || type === '772' ? ethernetFilter(ports) : portableFilter(ports);
}

function isThere(name: string): boolean {
  if (process.platform !== 'linux' || name === 'any') return true;
  return existsSync(`/sys/class/net/${name}`);
}

function linkOf(name: string): number {
  const known = linkTypes[name];
  if (known !== undefined) return known;
  // "Unknown linktype N": the number is libpcap's own, which for most is the file's too.
  return Number(/\d+$/.exec(name)?.[0] ?? 65535);
}

main();
