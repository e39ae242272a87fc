// Publishing: prints the documents of the block list and serves them, and the API, by HTTP.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { RowSink } from '../batch/row.js';
import type { BlockList } from '../block/list.js';
import type { Config } from '../config.js';
import type { Alert } from '../decide/decision.js';
import { formats } from '../export/formats.js';
import { Press } from '../export/press.js';
import { isoTime } from '../lib/iso-time.js';
import { type Figures, Metrics } from '../metrics/collect.js';
import { alertFields } from '../output/verdict.js';
import type { Finding } from '../serve/http/findings.js';
import { HttpServer, isLoopback, type SeenOnWire } from '../serve/http/server.js';
import { Tokens } from '../serve/http/tokens.js';
import { Around } from './around.js';
import { CommandError } from './fail.js';
import type { Law } from './judge.js';

/** Alerts that the API can show; older ones are in the events. */
const findingsMax = 2000;

export interface Open {
  readonly log: Logger;
  readonly seen: SeenOnWire;
  /** What a `stats` event would say at this moment, for the metrics. */
  readonly figures: () => Figures;
  readonly law: Law;
}

export class Publication implements RowSink {
  readonly #press: Press;
  readonly #server: HttpServer;
  readonly #findings: Recent;
  readonly #around: Around;

  private constructor(parts: {
    press: Press;
    server: HttpServer;
    findings: Recent;
    around: Around;
  }) {
    this.#press = parts.press;
    this.#server = parts.server;
    this.#findings = parts.findings;
    this.#around = parts.around;
  }

  /** A detector spoke: the API shows the latest of it. */
  alert(alert: Alert): void {
    this.#findings.add(alert);
  }

  /** What sources do is shown on their pages. */
  rows(area: ArrayBuffer, length: number): void {
    this.#around.rows(area, length);
  }

  /** Another law is in force. */
  use(law: Law): void {
    this.#around.use(law);
  }

  /** Listens at `serve.http`; rejects with a line for people where that cannot be. */
  static async open(config: Config, list: BlockList, open: Open): Promise<Publication> {
    const { serve, appeal } = config;
    const { log, seen } = open;
    const sensor = config.sensor ?? hostname();
    const [host, port] = hostAndPort(serve.http!);
    const trouble = (problem: string) => log.error({ problem }, 'publishing');
    const tokens = tokensOf(config, host, trouble);
    if (tokens?.size === 0) log.warn('serve.tokens has no token yet: nobody can read the list');
    const about = { version: version(), sensor, site: config.site };
    const metrics = new Metrics(open.figures, about);
    const press = new Press({
      list,
      publisher: { ...appeal, zone: serve.zone },
      trouble,
      modified: list.published,
      published: (modified) => list.publish(modified),
    });
    const findings = new Recent();
    const around = new Around(open.law, open.figures);
    try {
      const server = await HttpServer.make({
        list,
        documents: { formats, document: (order) => press.document(order) },
        tokens,
        tls: serve.tls,
        ratePerMinute: serve.rate_per_minute,
        appeal,
        seen,
        findings: () => findings.all,
        state: () => around.state(),
        around,
        version: version(),
        metrics: (accept) => metrics.scrape(accept),
        unready: () => [],
        trouble: (error) => log.error({ error: String(error) }, 'a request failed'),
      });
      const address = await server.listen(host, port);
      log.info({ http: `${host}:${address}`, tls: serve.tls !== undefined }, 'serving');
      return new Publication({ press, server, findings, around });
    } catch (error) {
      around.close();
      await press.close();
      const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      throw new CommandError(
        `serve.http "${serve.http}": cannot listen there (${reason}); check the address, and the ` +
          'files of serve.tls',
      );
    }
  }

  /** For the `stats` event. */
  stats(): object {
    const { counters, visitors, list } = this.#server.served;
    const { counters: printed, bytes } = this.#press;
    const documents = { ...printed, bytes, held: list.trips };
    return { ...counters, ...visitors.counters, documents };
  }

  /**
   * For the metrics: responses, how long changes wait, and how far each consumer is, by its name in
   * the file of tokens.
   */
  figures(): object {
    const { list, visitors, responses } = this.#server.served;
    const consumers = visitors.all.map(({ name, requests, revision, fetched }) => {
      const behind = revision === null ? null : list.revision - revision;
      const age_s = fetched === null ? null : Math.max(0, list.now - fetched) / 1e6;
      return [name, { requests, behind, age_s }];
    });
    return {
      responses: { status: responses.status, took: responses.took.figures },
      publishing: {
        delay: this.#press.delays.figures,
        held: this.#server.served.list.heldFrom === null ? 0 : 1,
      },
      consumers: Object.fromEntries(consumers),
    };
  }

  async close(): Promise<void> {
    this.#around.close();
    await this.#server.close();
    await this.#press.close();
  }
}

function tokensOf(
  { serve }: Config,
  host: string,
  trouble: (message: string) => void,
): Tokens | null {
  if (serve.tokens !== undefined) return new Tokens(serve.tokens, trouble);
  if (host === 'localhost' || isLoopback(host)) return null;
  throw new CommandError(
    `serve.http "${serve.http}": whoever reaches it could change the list; make tokens with ` +
      'mailweir block token and name their file as serve.tokens, or listen on 127.0.0.1',
  );
}

/** The latest alerts, as events, with what the API filters by. */
class Recent {
  readonly #all: Finding[] = [];

  add(alert: Alert): void {
    const { rule, subject, severity, time } = alert;
    const event = { timestamp: isoTime(time, '+0000'), event_type: 'alert', ...alertFields(alert) };
    this.#all.push({ time, rule: rule.id, cidr: subject.cidr, severity, event });
    if (this.#all.length > findingsMax) this.#all.splice(0, this.#all.length - findingsMax);
  }

  get all(): readonly Finding[] {
    return this.#all;
  }
}

/** `[::1]:8225` as host and port. */
function hostAndPort(listener: string): [string, number] {
  const colon = listener.lastIndexOf(':');
  const host = listener.slice(0, colon).replace(/^\[|\]$/g, '');
  return [host, Number(listener.slice(colon + 1))];
}

function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
