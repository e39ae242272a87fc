// Alerts and decisions as syslog messages (RFC 5424): over UDP (RFC 5426), TCP with octet counting
// (RFC 6587 section 3.4.1), or a stream socket in the file system. The message is the JSON event
// without its samples, in ASCII, so that every receiver can read it.

import { createSocket } from 'node:dgram';
import { connect, isIPv6, type Socket } from 'node:net';
import { isoTime } from '../lib/iso-time.js';
import type { Deliver, Notice } from './outbox.js';

/** Facility numbers by name (RFC 5424 table 1). */
export const facilities: Readonly<Record<string, number>> = {
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  ...Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`local${at}`, 16 + at])),
};

/** Syslog severities: critical, warning, informational for alerts; notice for decisions. */
const alertSeverity = { 1: 2, 2: 4, 3: 6 } as const;
const decisionSeverity = 5;

const answer_ms = 5000;

export interface SyslogTarget {
  readonly transport: 'udp' | 'tcp' | 'unix';
  /** Host, or the path of the socket. */
  readonly host: string;
  readonly port: number;
}

export interface SyslogOptions {
  readonly target: SyslogTarget;
  /** Name of one of `facilities`. */
  readonly facility: string;
  readonly hostname: string;
  readonly pid: number;
}

/** `udp://host:514`, `tcp://host:601` or `unix:/path`; null if it is none of them. */
export function syslogTarget(text: string): SyslogTarget | null {
  const path = /^unix:(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { transport: 'unix', host: path, port: 0 };
  const parts = /^(udp|tcp):\/\/(\[[0-9a-f:.]+\]|[^\s:/[\]]+)(?::(\d{1,5}))?$/i.exec(text);
  if (parts === null) return null;
  const transport = parts[1]!.toLowerCase() as 'udp' | 'tcp';
  const port = Number(parts[3] ?? (transport === 'udp' ? 514 : 601));
  if (port < 1 || port > 65_535) return null;
  return { transport, host: parts[2]!.replace(/^\[|\]$/g, ''), port };
}

/** One message without framing. */
export function syslogLine(notice: Notice, options: SyslogOptions): string {
  const severity = notice.kind === 'decision' ? decisionSeverity : alertSeverity[notice.severity];
  const priority = (facilities[options.facility] ?? 16) * 8 + severity;
  // Header fields are printable ASCII without spaces (RFC 5424 section 6).
  const host = options.hostname.replace(/[^\x21-\x7e]/g, '_').slice(0, 255) || '-';
  const head = `<${priority}>1 ${isoTime(notice.time, 'Z') ?? '-'} ${host} mailweir ${options.pid}`;
  return `${head} ${notice.kind} - ${ascii(notice.brief)}`;
}

/** JSON with every other letter escaped. */
function ascii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (letter) => {
    return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Sends to a target; `close` lets it go. */
export class Syslog {
  readonly #options: SyslogOptions;
  #stream: Socket | null = null;
  readonly deliver: Deliver;

  constructor(options: SyslogOptions) {
    this.#options = options;
    const datagrams = options.target.transport === 'udp';
    this.deliver = (portion) => (datagrams ? this.#datagrams(portion) : this.#bytes(portion));
  }

  close(): void {
    this.#stream?.destroy();
    this.#stream = null;
  }

  async #datagrams(portion: readonly Notice[]): Promise<void> {
    const { host, port } = this.#options.target;
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    try {
      for (const notice of portion) {
        await new Promise<void>((resolve, reject) => {
          const line = Buffer.from(syslogLine(notice, this.#options));
          socket.once('error', reject);
          socket.send(line, port, host, (error) => (error ? reject(error) : resolve()));
        });
        socket.removeAllListeners('error');
      }
    } finally {
      socket.close();
    }
  }

  async #bytes(portion: readonly Notice[]): Promise<void> {
    const stream = this.#stream ?? (await this.#open());
    const lines = portion.map((notice) => {
      const line = syslogLine(notice, this.#options);
      return `${line.length} ${line}`;
    });
    await new Promise<void>((resolve, reject) => {
      const fail = (error: Error) => {
        this.close();
        reject(error);
      };
      const timer = setTimeout(() => fail(new Error('no answer in time')), answer_ms);
      const gone = () => fail(new Error('the connection was closed'));
      stream.once('close', gone);
      stream.write(lines.join(''), (error) => {
        clearTimeout(timer);
        stream.off('close', gone);
        if (error) fail(error);
        else resolve();
      });
    });
  }

  async #open(): Promise<Socket> {
    const { transport, host, port } = this.#options.target;
    const stream = transport === 'unix' ? connect({ path: host }) : connect({ host, port });
    try {
      await new Promise<void>((resolve, reject) => {
        stream.setTimeout(answer_ms, () => reject(new Error('no answer in time')));
        stream.once('error', (error: NodeJS.ErrnoException) => reject(plain(error)));
        stream.once('connect', resolve);
      });
    } catch (error) {
      stream.destroy();
      throw error;
    }
    stream.setTimeout(0);
    // What the receiver says is not for us; a later failure shows at the next message.
    stream.resume().on('error', () => {});
    stream.once('close', () => {
      if (this.#stream === stream) this.#stream = null;
    });
    stream.unref();
    this.#stream = stream;
    return stream;
  }
}

function plain(error: NodeJS.ErrnoException): Error {
  if (error.code !== 'EPROTOTYPE') return error;
  return new Error('it is a datagram socket, which Node.js cannot use; give a stream socket');
}
