// What happens on one connection of the labelled world, as plain facts: who, when, which words and
// which answers. A talk is not yet bytes: `packets.ts` writes it as frames and `rows.ts` as rows of
// the batch layout, so that one world can be read both ways. Nothing here knows a detector.

/** What a server answers; the wording of each make is in `wording.ts`. */
export type Answer =
  | 'ok'
  | 'unknown'
  | 'policy'
  | 'listed'
  | 'relaying'
  | 'greylisted'
  | 'busy'
  | 'full'
  | 'content'
  | 'syntax'
  | 'sequence'
  | 'down';

/** How a client speaks. Shared objects, one for each family of clients. */
export interface Manners {
  readonly name: string;
  readonly verb: 'EHLO' | 'HELO';
  /** `MAIL FROM: <a@b>` with a space, and one behind the bracket. */
  readonly space: boolean;
  readonly trailing: boolean;
  readonly lower: boolean;
  readonly pipelined: boolean;
  /** Sends DATA with the envelope although nobody announced PIPELINING. */
  readonly rash: boolean;
  readonly size: boolean;
  readonly quit: boolean;
  /** Median microseconds between an answer and the next command. */
  readonly think: number;
}

export interface Recipient {
  readonly to: string;
  readonly answer: Answer;
}

/** A message; equal seeds give equal texts. */
export interface Letter {
  readonly seed: number;
  readonly bytes: number;
  /** Without the brackets. */
  readonly id: string;
  readonly subject?: string;
  /** Trace lines that servers on the way have put in front. */
  readonly hops: number;
}

export interface Mail {
  readonly from: string;
  readonly answer: Answer;
  readonly recipients: readonly Recipient[];
  /** Null for an envelope that is given up. */
  readonly letter: Letter | null;
  readonly final: Answer;
}

/** Attempts to log in, all with one mechanism. Lengths are those of the answers in base64. */
export interface Login {
  readonly mechanism: 'PLAIN' | 'LOGIN';
  readonly lengths: readonly number[];
  /** The last one succeeds. */
  readonly succeeds: boolean;
}

export interface Talk {
  readonly client: string;
  readonly server: string;
  readonly clientPort: number;
  readonly serverPort: number;
  /** Microseconds since the beginning of the world. */
  readonly start: number;
  /** Microseconds of a round trip. */
  readonly rtt: number;
  /**
   * `smtp` is a dialogue; `tls` is TLS from the first byte; `refused` and `silent` are connections
   * that never open; `bare` opens and says nothing; `binary` sends bytes that are no SMTP;
   * `half` is a dialogue of which the capture sees what the client sent, and the server never
   * heard it: the forged half of a connection; `spoofed` a SYN whose answer is reset.
   */
  readonly kind: 'smtp' | 'tls' | 'refused' | 'silent' | 'bare' | 'binary' | 'half' | 'spoofed';
  /** The first answer of the server; other than ok it is the last one too. */
  readonly greeting: Answer;
  /** Name in the banner. */
  readonly host: string;
  readonly helo: string;
  readonly manners: Manners;
  readonly login: Login | null;
  /** STARTTLS is used: the mails behind it cannot be seen, only their sizes. */
  readonly starttls: boolean;
  readonly mails: readonly Mail[];
  /** Bytes of messages inside TLS. */
  readonly sealed: readonly number[];
  /** List that a `listed` answer names; index into `lists` of `wording.ts`. */
  readonly list: number;
  readonly close: 'fin' | 'rst';
}

const polite = {
  verb: 'EHLO',
  space: false,
  trailing: false,
  lower: false,
  pipelined: false,
  rash: false,
  size: true,
  quit: true,
  think: 1200,
} as const;

/** Families of clients. The bots' are those of captures that detection.md 2.10 describes. */
export const manners = {
  server: { ...polite, name: 'server', pipelined: true },
  patient: { ...polite, name: 'patient' },
  device: { ...polite, name: 'device', size: false, think: 9000 },
  reader: { ...polite, name: 'reader', size: false },
  /** 2019: space on both sides, envelope and DATA in one segment. */
  rushed: {
    ...polite,
    name: 'rushed',
    space: true,
    trailing: true,
    rash: true,
    size: false,
    quit: false,
  },
  /** 2018: HELO with a literal, one line at a time. */
  literal: { ...polite, name: 'literal', verb: 'HELO', space: true, size: false, quit: false },
  lower: { ...polite, name: 'lower', verb: 'HELO', lower: true, size: false, quit: false },
} as const satisfies Record<string, Manners>;

/**
 * The IPv6 address of a host outside, beside its IPv4 one: a /64 for each host, a /48 for each /24.
 * An address of IPv6 stays what it is.
 */
export function address6(address: string): string {
  if (address.includes(':')) return address;
  const [, b, c, d] = address.split('.').map(Number);
  return `2001:db8:${(0xf000 + (b! & 15) * 256 + c!).toString(16)}:${d!.toString(16)}::25`;
}

/** A dialogue with the usual values for what is not given. Both ends have the same IP version. */
export function talkOf(given: Partial<Talk> & Pick<Talk, 'client' | 'server' | 'start'>): Talk {
  const six = given.client.includes(':') || given.server.includes(':');
  return {
    clientPort: 40_000,
    serverPort: 25,
    rtt: 20_000,
    kind: 'smtp',
    greeting: 'ok',
    host: 'mx.example',
    helo: 'mail.example',
    manners: manners.server,
    login: null,
    starttls: false,
    mails: [],
    sealed: [],
    list: 0,
    close: 'fin',
    ...given,
    ...(six ? { client: address6(given.client), server: address6(given.server) } : {}),
  };
}
