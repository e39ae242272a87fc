// Who may ask what. A token is 256 random bits, and only its SHA-256 is kept, one line each in a
// file: `name scopes digest`. With so many random bits a plain digest is enough: nothing is left to
// guess. The file is read again when it changes.

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

/** read: lists and entries. operate: change them. records: query the record of mail. */
export const scopes = ['read', 'operate', 'records'] as const;
export type Scope = (typeof scopes)[number];

export interface Consumer {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** A file that cannot be used; `file:line what`. */
export class TokenError extends Error {
  override name = 'TokenError';
}

const prefix = 'mw_';
const linesMax = 10_000;
/** The file is looked at this often at most. */
const look_ms = 1000;

/** A new token, and the line of the file that stands for it. */
export function newToken(name: string, reach: readonly Scope[]): { token: string; line: string } {
  const token = prefix + randomBytes(32).toString('base64url');
  return { token, line: `${name} ${reach.join(',')} ${digestOf(token)}` };
}

export function isTokenName(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(name);
}

export class Tokens {
  readonly #path: string;
  readonly #trouble: (message: string) => void;
  #byDigest = new Map<string, Consumer>();
  #byName = new Map<string, Consumer>();
  #changed = '';
  #looked = 0;

  /** Reads the file; throws a `TokenError`. Later mistakes in it are told to `trouble`. */
  constructor(path: string, trouble: (message: string) => void) {
    this.#path = path;
    this.#trouble = trouble;
    this.#read();
  }

  get size(): number {
    return this.#byDigest.size;
  }

  /** Whose token it is, or null. */
  find(token: string): Consumer | null {
    this.#look();
    // Looked up by digest: what the time of a look-up tells says nothing about the token.
    return this.#byDigest.get(digestOf(token)) ?? null;
  }

  /** The consumer of a name that a certificate proved, or null. */
  named(name: string): Consumer | null {
    this.#look();
    return this.#byName.get(name) ?? null;
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#looked < look_ms) return;
    this.#looked = now;
    try {
      if (this.#stamp() !== this.#changed) this.#read();
    } catch (error) {
      this.#changed = '';
      this.#trouble(`${(error as Error).message}; the tokens before stay in force`);
    }
  }

  #stamp(): string {
    const { mtimeMs, size, ino } = statSync(this.#path);
    return `${mtimeMs} ${size} ${ino}`;
  }

  #read(): void {
    let text: string;
    try {
      this.#changed = this.#stamp();
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new TokenError(`${this.#path}: cannot read the tokens (${code}); check serve.tokens`);
    }
    const byDigest = new Map<string, Consumer>();
    const byName = new Map<string, Consumer>();
    text.split('\n').forEach((line, index) => {
      if (line.trim() === '' || line.startsWith('#')) return;
      const [name = '', reach = '', digest = '', ...rest] = line.trim().split(/\s+/);
      const known = reach.split(',').filter((one): one is Scope => scopes.includes(one as Scope));
      const isWhole =
        isTokenName(name) && /^[0-9a-f]{64}$/.test(digest) && rest.length === 0 && known.length > 0;
      if (!isWhole || known.length !== reach.split(',').length || index >= linesMax) {
        throw new TokenError(
          `${this.#path}:${index + 1} not "name scopes sha256" with scopes among ` +
            `${scopes.join(', ')}; mailweir block token makes such lines`,
        );
      }
      const consumer = { name, scopes: new Set(known) };
      byDigest.set(digest, consumer);
      byName.set(name, consumer);
    });
    this.#byDigest = byDigest;
    this.#byName = byName;
  }
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
