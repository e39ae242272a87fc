// Asks the running daemon: its API is at `serve.http` of the configuration, or at MAILWEIR_URL; the
// token is in MAILWEIR_TOKEN. Whatever goes wrong is one line.

import { readFileSync } from 'node:fs';
import { request as plain } from 'node:http';
import { type RequestOptions, request as secure } from 'node:https';
import type { Config } from '../config.js';
import { CommandError, Exit } from './fail.js';

const patience_ms = 30_000;
/** An answer that is longer is none of ours. */
const answerMax = 64 * 1024 ** 2;

export class Api {
  readonly #base: URL;
  readonly #ca: Buffer | undefined;

  constructor({ serve }: Config) {
    const { http, tls } = serve;
    const named = http && `${tls === undefined ? 'http' : 'https'}://${reachable(http)}`;
    const url = process.env['MAILWEIR_URL'] ?? named;
    if (url === undefined || !URL.canParse(url)) {
      throw new CommandError(
        'where is the daemon? Give --config with serve.http in it, or set MAILWEIR_URL',
        Exit.usage,
      );
    }
    this.#base = new URL(url);
    // A certificate that signs itself is trusted where its file is known.
    this.#ca = tls === undefined ? undefined : readFileSync(tls.cert);
  }

  /** The object that the daemon answers with; a `CommandError` with its own words otherwise. */
  async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const { status, text } = await this.#send(method, path, body);
    const answer = parsed(text);
    if (status >= 200 && status < 300 && answer !== null) return answer as T;
    const detail = (answer as { detail?: unknown } | null)?.detail;
    const said = typeof detail === 'string' ? detail : `it answered ${status}`;
    const hint = status === 401 ? '; set MAILWEIR_TOKEN' : '';
    throw new CommandError(`${this.#base.host}: ${said}${hint}`);
  }

  #send(method: string, path: string, body?: object): Promise<{ status: number; text: string }> {
    const token = process.env['MAILWEIR_TOKEN'];
    const options: RequestOptions = {
      method,
      timeout: patience_ms,
      headers: {
        accept: 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(this.#ca !== undefined && { ca: this.#ca }),
    };
    const send = this.#base.protocol === 'https:' ? secure : plain;
    return new Promise((resolve, reject) => {
      const fail = (reason: string) =>
        reject(
          new CommandError(
            `cannot reach the daemon at ${this.#base.host} (${reason}); is mailweir run there?`,
          ),
        );
      const asking = send(new URL(path, this.#base), options, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
          if (text.length > answerMax) asking.destroy(new Error('its answer is too long'));
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
        answer.on('error', (error) => fail(error.message));
      });
      asking.on('timeout', () => asking.destroy(new Error('no answer')));
      asking.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      asking.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

/** Where all addresses are listened on, the one of this machine is asked. */
function reachable(listener: string): string {
  return listener.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');
}

function parsed(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
