// A list with its press and its HTTP server on a loopback port, for tests that ask over a socket.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formats } from '../../src/export/formats.js';
import { Press } from '../../src/export/press.js';
import { type HttpOptions, HttpServer } from '../../src/serve/http/server.js';
import { newToken, type Scope, Tokens } from '../../src/serve/http/tokens.js';
import { TestList } from '../block/lists.js';

/** The thread's file is compiled; so may this one be. */
const built = import.meta.url.includes('/dist/test/') ? '../../' : '../../dist/';
const threadFile = new URL(`${built}src/export/press-thread.js`, import.meta.url);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export class Site {
  readonly test: TestList;
  readonly press: Press;
  readonly server: HttpServer;
  readonly trouble: string[] = [];
  readonly #folder: string;
  readonly #tokens: Record<string, string>;
  port = 0;

  private constructor(
    parts: { test: TestList; press: Press; server: HttpServer },
    folder: string,
    tokens: Record<string, string>,
  ) {
    this.test = parts.test;
    this.press = parts.press;
    this.server = parts.server;
    this.#folder = folder;
    this.#tokens = tokens;
  }

  /** `consumers` by name with their scopes; without any, everybody on this machine may. */
  static async open(
    consumers: Record<string, Scope[]> = {},
    change: Partial<HttpOptions> = {},
    port = 0,
  ): Promise<Site> {
    const folder = mkdtempSync(join(tmpdir(), 'mailweir-site-'));
    const tokens: Record<string, string> = {};
    const lines = Object.entries(consumers).map(([name, reach]) => {
      const { token, line } = newToken(name, reach);
      tokens[name] = token;
      return line;
    });
    writeFileSync(join(folder, 'tokens'), `# who may what\n${lines.join('\n')}\n`);
    const test = new TestList();
    const trouble: string[] = [];
    const tell = (message: string) => trouble.push(message);
    const publisher = { url: 'https://isp.example/appeal', zone: 'bl.example.net' };
    const press = new Press({ list: test.list, publisher, trouble: tell, threadFile });
    const server = await HttpServer.make({
      list: test.list,
      documents: { formats, document: (order) => press.document(order) },
      tokens: lines.length === 0 ? null : new Tokens(join(folder, 'tokens'), tell),
      ratePerMinute: 600,
      appeal: publisher,
      version: '0.0.0',
      unready: () => [],
      trouble: (error) => trouble.push(String(error)),
      ...change,
    });
    const site = new Site({ test, press, server }, folder, tokens);
    site.trouble.push(...trouble);
    site.port = await server.listen('127.0.0.1', port);
    return site;
  }

  get folder(): string {
    return this.#folder;
  }

  token(name: string): string {
    return this.#tokens[name]!;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  async ask(path: string, init: RequestInit & { as?: string } = {}): Promise<Answer> {
    const { as, ...rest } = init;
    const headers = new Headers(rest.headers);
    if (as !== undefined) headers.set('authorization', `Bearer ${this.token(as)}`);
    const answer = await fetch(this.url(path), { ...rest, headers });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  }

  /** Sends an object as JSON. */
  post(path: string, body: object, as?: string, method = 'POST'): Promise<Answer> {
    const headers = { 'content-type': 'application/json' };
    const init = { method, headers, body: JSON.stringify(body) };
    return this.ask(path, as === undefined ? init : { ...init, as });
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.press.close();
    await this.test.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
