// The golden cases with packets missing: each one in turn, and a whole side. Nothing may be
// believed, joined or invented that was not seen; what a loss falls into says so.

import { describe, expect, it } from 'vitest';
import { allCases, compared, type Fields } from '../helper/cases.js';
import { violations } from '../helper/invariants.js';
import { runMany, type SmtpEvent } from '../helper/run.js';
import { connection, hasPayload, only, without } from '../helper/variations.js';

const cases = allCases();
const framesMax = 300;

describe.each(cases.map((one) => [`${one.file}: ${one.name}`, one] as const))('%s', (_, one) => {
  const whole = connection(one.text, one.options, 0);

  it('each packet lost', () => {
    const count = Math.min(whole.length, framesMax);
    const variants = Array.from({ length: count }, (_, at) => {
      return without(connection(one.text, one.options, at + 1), at);
    });
    const { own } = runMany([whole, ...variants]);
    const clean = own[0]!.smtp;
    const found = variants.flatMap((_, at) => {
      const loss = { times: [whole[at]!.time], bytes: hasPayload(whole[at]!) };
      const wrong = violations(clean, own[at + 1]!.smtp, loss);
      return wrong.map((what) => `without frame ${at} (${said(at)}): ${what}`);
    });
    expect(found).toEqual([]);
  });

  it('the client alone', () => {
    const { own } = runMany([only(whole, 'client'), connection(one.text, one.options, 1)]);
    const wanted = one.client ?? own[1]!.smtp.filter(hasSender).map(envelope);
    const alone = { outcome: 'unknown', sides: 'client' };
    const [got, all] = compared(
      own[0]!.smtp,
      wanted.map((fields) => ({ ...fields, ...alone })),
    );
    expect(got).toEqual(all);
  });

  it('the server alone', () => {
    const { own } = runMany([only(whole, 'server'), connection(one.text, one.options, 1)]);
    for (const event of own[0]!.smtp) {
      expect(event).toMatchObject({ smtp: { mail_from: null }, sides: 'server' });
    }
    if (one.server !== null) {
      const [got, all] = compared(own[0]!.smtp, one.server);
      expect(got).toEqual(all);
      return;
    }
    const announced = (events: readonly SmtpEvent[]) => {
      return events
        .filter((event) => event.smtp.data_code === 354)
        .map(({ smtp }) => smtp.final_code);
    };
    expect(announced(own[0]!.smtp)).toEqual(announced(own[1]!.smtp));
  });

  function said(at: number): string {
    const { dir, bytes } = whole[at]!;
    return `${dir} ${JSON.stringify(bytes.toString('latin1', 54).slice(0, 60))}`;
  }
});

function hasSender(event: SmtpEvent): boolean {
  return typeof event.smtp.mail_from === 'string';
}

function envelope({ smtp }: SmtpEvent): Fields {
  return { mail_from: smtp.mail_from, rcpt_to: smtp.rcpt_to };
}
