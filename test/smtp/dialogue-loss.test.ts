// The golden cases with packets missing: each one in turn, and a whole side. Nothing may be
// believed, joined or invented that was not seen; what a loss falls into says so.

import { describe, expect, it } from 'vitest';
import type { Frame } from '../../bench/generate/conversation.js';
import { Flag } from '../../bench/generate/frame.js';
import { allCases, compared, essence, type Fields } from '../helper/cases.js';
import { micros, violations } from '../helper/invariants.js';
import { runMany, type SmtpEvent } from '../helper/run.js';
import { connection, hasPayload, only, segmentOf, without } from '../helper/variations.js';

const cases = allCases();
const framesMax = 300;
/** Sequence numbers are compared modulo 2^32: where they begin must not matter. */
const numbers = [
  { name: 'low sequence numbers', options: {} },
  { name: 'high ones', options: { clientIsn: 0xc000_0000, serverIsn: 0xe000_0000 } },
  { name: 'and over the end', options: { clientIsn: 0xffff_ffe0, serverIsn: 0xffff_ffe0 } },
];

describe.each(cases.map((one) => [`${one.file}: ${one.name}`, one] as const))('%s', (_, one) => {
  const whole = connection(one.text, one.options, 0);

  it('each packet lost', () => {
    const count = Math.min(whole.length, framesMax);
    const runs = numbers.flatMap(({ options }, n) => {
      const first = n * (count + 1);
      const build = (index: number) => connection(one.text, { ...one.options, ...options }, index);
      const variants = Array.from({ length: count }, (_, at) => without(build(first + 1 + at), at));
      return [build(first), ...variants];
    });
    const { own } = runMany(runs);
    const found = numbers.flatMap(({ name }, n) => {
      const clean = own[n * (count + 1)]!.smtp;
      return Array.from({ length: count }, (_, at) => {
        const { time, dir } = whole[at]!;
        // Whether a nested MAIL was taken, only its reply tells.
        const claims = dir === 'server' ? nested(clean) : [];
        const loss = { times: [time], bytes: hasPayload(whole[at]!), claims, decided };
        const wrong = violations(clean, own[n * (count + 1) + at + 1]!.smtp, loss);
        return wrong.map((what) => `${name}, without frame ${at} (${said(at)}): ${what}`);
      }).flat();
    });
    expect(found).toEqual([]);
  });

  it('seen from the middle on, or up to the middle', () => {
    const build = (index: number) => connection(one.text, one.options, index);
    const cuts = whole.slice(1, framesMax).map((_, i) => i + 1);
    const late = cuts.map((at, i) => build(2 * i + 1).slice(at));
    const early = cuts.map((at, i) => build(2 * i + 2).slice(0, at));
    const { own } = runMany([whole, ...cuts.flatMap((_, i) => [late[i]!, early[i]!])]);
    const clean = own[0]!.smtp;
    const check = (got: readonly SmtpEvent[], lost: readonly Frame[]) => {
      const times = lost.filter(hasPayload).map((frame) => frame.time);
      const loss = { times, bytes: true, claims: nested(clean), decided };
      return violations(clean, got, loss).filter((what) => !what.startsWith('unmarked'));
    };
    const found = cuts.flatMap((at, i) => [
      ...check(own[2 * i + 1]!.smtp, whole.slice(0, at)).map((what) => `from frame ${at}: ${what}`),
      ...check(own[2 * i + 2]!.smtp, whole.slice(at)).map((what) => `up to frame ${at}: ${what}`),
    ]);
    expect(found).toEqual([]);
  });

  it('a lost acknowledgement changes nothing', () => {
    const bare = whole.flatMap((frame, at) => (isBare(frame) ? [at] : []));
    const variants = bare.map((at, i) => without(connection(one.text, one.options, i + 1), at));
    const { own } = runMany([whole, ...variants]);
    for (const each of own) expect(essence(each).smtp).toEqual(essence(own[0]!).smtp);
  });

  it('one side alone', () => {
    const { own } = runMany([
      whole,
      only(connection(one.text, one.options, 1), 'client'),
      only(connection(one.text, one.options, 2), 'server'),
    ]);
    const [both, client, server] = own.map(({ smtp }) => smtp);
    // DATA without MAIL may or may not be a transaction, where no answer can be seen.
    const named = client!.filter(hasSender);
    const said = one.client ?? both!.filter(hasSender).map(envelope);
    const alone = said.map((fields) => ({ ...fields, outcome: 'unknown', sides: 'client' }));
    const [got, wanted] = compared(named, alone);
    expect(got).toEqual(wanted);
    for (const event of server!) {
      expect(event).toMatchObject({ smtp: { mail_from: null }, sides: 'server' });
    }
    if (one.server !== null) {
      const [got, wanted] = compared(server!, one.server);
      expect(got).toEqual(wanted);
      return;
    }
    const announced = (events: readonly SmtpEvent[]) => {
      const own = events.filter((event) => event.smtp.data_code === 354);
      return own.map(({ smtp }) => smtp.final_code);
    };
    expect(announced(server!)).toEqual(announced(both!));
  });

  /** A reply that was closed by the client's next command is earlier than the event. */
  function decided(event: SmtpEvent): number {
    const last = micros(event.timestamp);
    const replies = whole.filter((frame) => frame.dir === 'server' && hasPayload(frame));
    return replies.findLast((frame) => frame.time <= last)?.time ?? 0;
  }

  /** Senders that the client named without getting a transaction. */
  function nested(clean: readonly SmtpEvent[]): string[] {
    const named = [...one.text.matchAll(/C: MAIL FROM:<(.*?)>/gi)].map((match) => match[1]!);
    return named.filter((sender) => !clean.some(({ smtp }) => smtp.mail_from === sender));
  }

  function said(at: number): string {
    const { dir, bytes } = whole[at]!;
    return `${dir} ${JSON.stringify(bytes.toString('latin1', 54).slice(0, 60))}`;
  }
});

/** An acknowledgement and nothing else. */
function isBare(frame: Frame): boolean {
  const { flags, payload } = segmentOf(frame);
  return payload.length === 0 && flags === Flag.ack;
}

function hasSender(event: SmtpEvent): boolean {
  return typeof event.smtp.mail_from === 'string';
}

function envelope({ smtp }: SmtpEvent): Fields {
  return { mail_from: smtp.mail_from, rcpt_to: smtp.rcpt_to };
}
