// Sends alerts and decisions to the receivers that the configuration names, as they happen. It
// makes the messages; `notify/` carries them.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Config } from '../config.js';
import type { Alert, AlertSink, Decision, DecisionSink } from '../decide/decision.js';
import { severities } from '../detect/finding.js';
import { type Notice, Outbox, type OutboxCounters } from '../notify/outbox.js';
import { Syslog, syslogTarget } from '../notify/syslog.js';
import { webhook } from '../notify/webhook.js';
import {
  alertFields,
  decisionFields,
  eventText,
  type Fields,
  severityNumbers,
} from '../output/verdict.js';
import { CommandError } from './fail.js';

/** Events in one request, and messages in one write. */
const requestMax = 50;
const writeMax = 100;
/** A shorter key could be guessed. */
const secretMin = 16;

export class Notices implements AlertSink, DecisionSink {
  readonly #least: number;
  readonly #sensor: string | undefined;
  readonly #outboxes = new Map<string, Outbox>();
  readonly #closers: (() => void)[] = [];

  /** `tell` takes a line for the log about a receiver. Throws where a secret cannot be read. */
  constructor(config: Config, tell: (receiver: string, message: string) => void) {
    const { notify, sensor } = config;
    this.#least = severities.indexOf(notify.severity);
    this.#sensor = sensor;
    if (notify.syslog !== undefined) {
      const target = syslogTarget(notify.syslog.to);
      if (target === null) throw new CommandError(`notify.syslog.to: ${notify.syslog.to}`);
      const { facility } = notify.syslog;
      const { pid } = process;
      const syslog = new Syslog({ target, facility, hostname: sensor ?? hostname(), pid });
      this.#add('syslog', syslog.deliver, writeMax, tell);
      this.#closers.push(() => syslog.close());
    }
    if (notify.webhook !== undefined) {
      const { url, secret_file } = notify.webhook;
      this.#add('webhook', webhook({ url, secret: secretOf(secret_file) }), requestMax, tell);
    }
  }

  alert(alert: Alert): void {
    if (severities.indexOf(alert.severity) < this.#least) return;
    const fields = alertFields(alert);
    const brief = { ...fields, alert: withoutSamples(fields['alert'] as Fields) };
    const severity = severityNumbers[alert.severity];
    this.#send('alert', severity, alert.time, [fields, brief]);
  }

  decision(decision: Decision): void {
    const fields = decisionFields(decision);
    this.#send('decision', severityNumbers[decision.severity], decision.time, [fields, fields]);
  }

  /** What became of the notices, by receiver; null where there is no receiver. */
  counters(): Record<string, OutboxCounters & { waiting: number }> | null {
    if (this.#outboxes.size === 0) return null;
    const entries = [...this.#outboxes].map(([name, { counters, waiting }]) => {
      return [name, { ...counters, waiting }] as const;
    });
    return Object.fromEntries(entries);
  }

  /** Waits for what is on its way, at most so long. */
  async close(patience_ms: number): Promise<void> {
    await Promise.all([...this.#outboxes.values()].map((outbox) => outbox.close(patience_ms)));
    for (const close of this.#closers) close();
  }

  #add(
    name: string,
    deliver: ConstructorParameters<typeof Outbox>[0]['deliver'],
    portion: number,
    tell: (receiver: string, message: string) => void,
  ): void {
    const say = (message: string) => tell(name, message);
    this.#outboxes.set(name, new Outbox({ deliver, portion, tell: say }));
  }

  #send(
    kind: Notice['kind'],
    severity: Notice['severity'],
    time: number,
    [whole, brief]: readonly [Fields, Fields],
  ): void {
    if (this.#outboxes.size === 0) return;
    const text = eventText(kind, time, this.#sensor, whole);
    const notice: Notice = {
      kind,
      severity,
      time,
      text,
      brief: whole === brief ? text : eventText(kind, time, this.#sensor, brief),
    };
    for (const outbox of this.#outboxes.values()) outbox.put(notice);
  }
}

function withoutSamples(alert: Fields): Fields {
  const { samples: _, ...evidence } = alert['evidence'] as Fields;
  return { ...alert, evidence };
}

function secretOf(path: string): string {
  let secret: string;
  try {
    secret = readFileSync(path, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(`${path}: cannot read notify.webhook.secret_file (${code})`);
  }
  if (secret.length >= secretMin) return secret;
  throw new CommandError(
    `${path}: the secret of notify.webhook has fewer than ${secretMin} characters; ` +
      'write a longer one, such as openssl rand -hex 32 gives',
  );
}
