// Alerts and decisions as HTTP requests: POST of {"events": [...]}, each event as `--format eve`
// writes it, whole. The receiver can tell that a request is ours and fresh:
//
//   X-Mailweir-Delivery   a random name; the same when a request is tried again
//   X-Mailweir-Timestamp  seconds since 1970, when this attempt was made
//   X-Mailweir-Signature  v1= and the hexadecimal HMAC-SHA-256 (RFC 2104) of timestamp, dot, body
//
// 2xx is taken. 408, 425, 429 and 5xx are tried again later; any other answer is a refusal.

import { createHmac, randomUUID } from 'node:crypto';
import { type Deliver, type Notice, Refused } from './outbox.js';

const answer_ms = 10_000;
const again = new Set([408, 425, 429]);

export interface WebhookOptions {
  readonly url: string;
  readonly secret: string;
}

/** What proves that `body` was sent at `timestamp` (seconds) by who knows the secret. */
export function signature(secret: string, timestamp: number, body: string): string {
  return `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}

/** Posts portions to one address. */
export function webhook({ url, secret }: WebhookOptions): Deliver {
  let delivery = { portion: [] as readonly Notice[], name: '' };
  return async (portion, signal) => {
    const body = `{"events":[${portion.map(({ text }) => text.trim()).join(',')}]}`;
    if (delivery.portion !== portion) delivery = { portion, name: randomUUID() };
    const timestamp = Math.floor(Date.now() / 1000);
    const answer = await fetch(url, {
      method: 'POST',
      body,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(answer_ms)]),
      headers: {
        'Content-Type': 'application/json',
        'User-Agent': 'mailweir',
        'X-Mailweir-Delivery': delivery.name,
        'X-Mailweir-Timestamp': String(timestamp),
        'X-Mailweir-Signature': signature(secret, timestamp, body),
      },
    }).catch((error: unknown) => {
      throw new Error(reasonOf(error));
    });
    await answer.body?.cancel();
    if (answer.ok) return;
    const message = `HTTP status ${answer.status}`;
    throw answer.status >= 500 || again.has(answer.status)
      ? new Error(message)
      : new Refused(message);
  };
}

/** `fetch` says "fetch failed" and keeps the reason inside. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error) return cause.message || (cause as NodeJS.ErrnoException).code || '';
  return error.message;
}
