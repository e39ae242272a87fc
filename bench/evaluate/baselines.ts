// What simpler methods would list, on the same talks: a count an hour, the leaky bucket of refusals
// that CrowdSec's postfix-spam scenario uses, and CESNET's ratio of sent to received. They see
// everything at once and without loss, and know the register as we do.

import { hour, second } from '../world/source.js';
import type { Talk } from '../world/talk.js';

export interface Baseline {
  readonly name: string;
  /** A talk that ended, at microseconds since 1970. */
  talk(talk: Talk, time: number): void;
  /** When each source was listed. */
  readonly listed: Map<string, number>;
}

function refusedIn(talk: Talk): number {
  if (talk.greeting === 'policy' || talk.greeting === 'listed') return 1;
  let count = 0;
  for (const mail of talk.mails) {
    for (const { answer } of mail.recipients) {
      if (answer === 'unknown' || answer === 'policy' || answer === 'listed') count++;
    }
  }
  return count;
}

function seen(talk: Talk): boolean {
  return talk.serverPort === 25 && !talk.starttls && (talk.kind === 'smtp' || talk.kind === 'half');
}

/** More than so many recipients in one hour. */
export class CountAnHour implements Baseline {
  readonly name: string;
  readonly listed = new Map<string, number>();
  readonly #most: number;
  readonly #hours = new Map<string, { hour: number; count: number }>();

  constructor(most: number) {
    this.#most = most;
    this.name = `more than ${most} recipients an hour`;
  }

  talk(talk: Talk, time: number): void {
    if (!seen(talk) || this.listed.has(talk.client)) return;
    const now = Math.floor(time / hour);
    const bin = this.#hours.get(talk.client);
    const before = bin?.hour === now ? bin.count : 0;
    const count = before + talk.mails.reduce((sum, mail) => sum + mail.recipients.length, 0);
    this.#hours.set(talk.client, { hour: now, count });
    if (count > this.#most) this.listed.set(talk.client, time);
  }
}

/** Capacity 5, one leaks every 10 seconds: the sixth refusal within that overflows. */
export class LeakyRefusals implements Baseline {
  readonly name = '5 refusals, leaky bucket (10 s)';
  readonly listed = new Map<string, number>();
  readonly #levels = new Map<string, { level: number; time: number }>();

  talk(talk: Talk, time: number): void {
    if (!seen(talk) || this.listed.has(talk.client)) return;
    const refused = refusedIn(talk);
    if (refused === 0) return;
    const bucket = this.#levels.get(talk.client) ?? { level: 0, time };
    const level = Math.max(0, bucket.level - (time - bucket.time) / (10 * second)) + refused;
    this.#levels.set(talk.client, { level, time });
    if (level > 5) this.listed.set(talk.client, time);
  }
}

/** At least 20 sessions sent in a day, and 1.2 times as many as received. */
export class SentToReceived implements Baseline {
  readonly name = 'sent / (received + 1) over 1.2, from 20 sessions';
  readonly listed = new Map<string, number>();
  readonly #counts = new Map<string, { sent: number; received: number }>();

  talk(talk: Talk, time: number): void {
    if (talk.serverPort !== 25 || talk.kind !== 'smtp') return;
    this.#of(talk.server).received++;
    const own = this.#of(talk.client);
    own.sent++;
    if (this.listed.has(talk.client) || own.sent < 20) return;
    if (own.sent / (own.received + 1) > 1.2) this.listed.set(talk.client, time);
  }

  #of(address: string): { sent: number; received: number } {
    let counts = this.#counts.get(address);
    if (counts === undefined) {
      counts = { sent: 0, received: 0 };
      this.#counts.set(address, counts);
    }
    return counts;
  }
}
