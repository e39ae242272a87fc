// Reads requests of Postfix's policy delegation protocol (SMTPD_POLICY_README): lines `name=value`,
// an empty line at the end. Of the many attributes a few are kept; a request that is too long or is
// no such request ends the reading, because there is no telling where the next one begins.

/** What is looked at of a request; absent attributes are empty. */
export interface PolicyRequest {
  readonly request: string;
  /** RCPT, END-OF-MESSAGE, and others. */
  readonly protocol_state: string;
  readonly client_address: string;
  readonly recipient_count: string;
  /** The same in all requests about one message. */
  readonly instance: string;
  readonly server_port: string;
}

/** Postfix sends about 30 attributes, 1,000 bytes; certificates' names can be longer. */
const requestMax = 16 * 1024;

const none: PolicyRequest = {
  request: '',
  protocol_state: '',
  client_address: '',
  recipient_count: '',
  instance: '',
  server_port: '',
};

/** What became of the bytes: all were taken, or nothing more can be made of this stream. */
export type Taken = 'taken' | 'oversize' | 'malformed';

export class RequestReader {
  readonly #told: (request: PolicyRequest) => void;
  #held = '';

  constructor(told: (request: PolicyRequest) => void) {
    this.#told = told;
  }

  /** Whether a request has begun and not ended. */
  get isInside(): boolean {
    return this.#held !== '';
  }

  /** Takes bytes of the stream; tells each request that ends in them. */
  take(bytes: Buffer): Taken {
    let text = this.#held + bytes.toString('latin1');
    while (true) {
      const end = text.indexOf('\n\n');
      if (end > requestMax || (end < 0 && text.length > requestMax)) return 'oversize';
      if (end < 0) break;
      const request = readRequest(text.slice(0, end));
      if (request === null) return 'malformed';
      this.#told(request);
      text = text.slice(end + 2);
    }
    this.#held = text;
    return 'taken';
  }
}

/** The attributes of one request; null where a line is none, or it asks for something else. */
export function readRequest(text: string): PolicyRequest | null {
  const found: Record<string, string> = { ...none };
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at <= 0) return null;
    const name = line.slice(0, at);
    if (Object.hasOwn(none, name)) found[name] = line.slice(at + 1);
  }
  return found['request'] === 'smtpd_access_policy' ? (found as unknown as PolicyRequest) : null;
}
