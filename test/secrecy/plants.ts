// Dialogues with a canary wherever somebody's secret may stand. `never`: no output may show it.
// `local`: the local part of an address, which the operator's own capture may show.

import type { Canaries } from './leaks.js';

export interface Plants {
  readonly never: Canaries;
  readonly local: Canaries;
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** All dialogues, in the form of `dialogue`. Each is a connection of its own. */
export function plantedDialogues(plants: Plants): string[] {
  return [
    ...messages(plants),
    ...logins(plants),
    ...commands(plants),
    ...chunks(plants),
    ...afterStartTls(plants),
    ...oddAddresses(plants),
  ];
}

/** A session around what the client and the server say. */
function session({ never }: Plants, inner: string, name = 'EHLO'): string {
  return `
    S: 220 mx.example.net ESMTP ${never.at('greeting')}
    C: ${name} client.example.org
    S: 250-mx.example.net ${never.at('EHLO reply')}
    S: 250-PIPELINING
    S: 250-AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2
    S: 250 STARTTLS
    ${inner}
    C: QUIT
    S: 221 ${never.at('QUIT reply')}
    --`;
}

/** An envelope with canaries in its addresses, parameters and replies, up to the message. */
function envelope({ never, local }: Plants): string {
  const parameters = `AUTH=${never.at('AUTH=')} ENVID=${never.at('ENVID=')}`;
  return `
    C: MAIL FROM:<${local.at('sender')}@example.org> ${parameters}
    S: 250 2.1.0 ${never.at('MAIL reply')}
    C: RCPT TO:<${local.at('recipient')}@example.net> ORCPT=rfc822;${never.at('ORCPT=')}@example.net
    S: 250 2.1.5 ${never.at('RCPT reply')}
    C: RCPT TO:<${local.at('refused recipient')}@example.net>
    S: 550-5.1.1 ${never.at('RCPT refusal')}
    S: 550 5.1.1 ${never.at('RCPT refusal, last line')}`;
}

function mail(plants: Plants, lines: readonly string[]): string {
  const body = lines.map((line) => `    C: ${line}`).join('\n');
  return `${envelope(plants)}
    C: DATA
    S: 354 ${plants.never.at('DATA reply')}
${body}
    C: .
    S: 250 2.0.0 ${plants.never.at('final reply')}`;
}

function messages(plants: Plants): string[] {
  const { never } = plants;
  const word = (form: string, text: string) => `=?UTF-8?${form}?${text}?=`;
  const subjects = [
    never.at('subject'),
    `(AD) ${never.at('labelled subject')}`,
    `[QC] ${never.at('subject behind a label')}`,
    `AD${never.at('subject that begins with AD')}`,
    word('B', base64(never.at('subject in base64'))),
    word('B', base64(`\u5e7f\u544a${never.at('labelled subject in base64')}`)),
    word('Q', `(AD)_${never.at('subject quoted-printable')}`),
    `${word('B', base64('[AD] '))}\r\n ${word('Q', never.at('folded subject'))}`,
    `[AD] ABC123 ${never.at('subject behind a code')}`,
  ];
  return subjects.map((subject) => {
    const folded = subject.split('\r\n');
    return session(
      plants,
      mail(plants, [
        `From: ${never.at('From header')}@example.org`,
        `Subject: ${folded[0]}`,
        ...folded.slice(1),
        `X-Secret: ${never.at('header value')}`,
        `${never.at('header name')}: x`,
        '',
        never.at('body'),
        `..${never.at('stuffed body line')}`,
        base64(never.at('body in base64')),
        `Subject: ${never.at('subject in a body')}`,
        never.at('last body line'),
      ]),
    );
  });
}

/** Messages that quote a dialogue: behind a loss they must not be taken for one. */
export function quotingDialogues(plants: Plants): string[] {
  const { never } = plants;
  const quoted = [
    [`EHLO ${never.at('quoted EHLO')}.example`],
    [`MAIL FROM:<${never.at('quoted MAIL')}@example.org>`],
    [`RCPT TO:<${never.at('quoted RCPT')}@example.org>`],
    [`AUTH ${never.at('quoted AUTH').slice(0, 20)} ${never.at('quoted AUTH argument')}`],
    [
      `EHLO ${never.at('quoted dialogue, EHLO')}.example`,
      `MAIL FROM:<${never.at('quoted dialogue, MAIL')}@example.org>`,
      `RCPT TO:<${never.at('quoted dialogue, RCPT')}@example.org>`,
      'DATA',
      `Subject: [AD] ${never.at('quoted dialogue, subject')}`,
      '',
      never.at('quoted dialogue, body'),
      '..',
      'QUIT',
    ],
  ];
  return quoted.map((lines) => {
    const filling = Array.from({ length: 40 }, (_, n) => `line ${n} of the message, and so on`);
    return session(plants, mail(plants, ['Subject: x', '', ...filling, ...lines, ...filling]));
  });
}

function logins(plants: Plants): string[] {
  const { never } = plants;
  const reply = () => `S: 235 ${never.at('AUTH reply')}`;
  const clear = (place: string) => never.at(`${place}, not encoded`);
  const plain = (place: string) => base64(`\0${never.at(place)}\0${never.at(`${place} password`)}`);
  const oauth = (place: string) =>
    base64(`user=${never.at(place)}\x01auth=Bearer ${never.at(place)}\x01`);
  return [
    `C: AUTH PLAIN ${plain('AUTH PLAIN initial')}\n${reply()}`,
    `C: AUTH PLAIN\nS: 334 ${never.at('334')}\nC: ${plain('AUTH PLAIN')}\n${reply()}`,
    `C: AUTH PLAIN ${clear('AUTH PLAIN initial')}\nS: 535 ${never.at('AUTH refusal')}`,
    `C: AUTH PLAIN\nS: 334\nC: ${clear('AUTH PLAIN')}\nS: 501 no`,
    `C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: ${base64(never.at('user'))}\nS: 334 UGFzc3dvcmQ6\n` +
      `C: ${base64(never.at('password'))}\n${reply()}`,
    `C: AUTH LOGIN ${base64(never.at('user initial'))}\nS: 334 UGFzc3dvcmQ6\n` +
      `C: ${base64(never.at('password behind initial'))}\n${reply()}`,
    `C: AUTH LOGIN\nS: 334 a\nC: ${clear('LOGIN user')}\nS: 334 b\nC: ${clear('LOGIN')}\nS: 535 no`,
    `C: AUTH CRAM-MD5\nS: 334 ${base64(never.at('challenge'))}\n` +
      `C: ${base64(`${never.at('CRAM user')} ${never.at('CRAM digest')}`)}\n${reply()}`,
    `C: AUTH XOAUTH2 ${oauth('XOAUTH2')}\nS: 334 ${base64(never.at('XOAUTH2 error'))}\nC: \n` +
      'S: 535 no',
    `C: AUTH XOAUTH2\nS: 334\nC: ${oauth('XOAUTH2 behind 334')}\n${reply()}`,
    // All at once, as a client that does not wait.
    `C: AUTH LOGIN\nC: ${base64(never.at('pipelined user'))}\n` +
      `C: ${base64(never.at('pipelined password'))}\nS: 334 a\nS: 334 b\n${reply()}`,
    `C: AUTH PLAIN\nC: ${clear('pipelined PLAIN')}\nS: 334\n${reply()}`,
    // The mechanism is unknown, or there are two blanks, or a tab.
    `C: AUTH X-OWN ${never.at('own mechanism')}\nS: 334 go\n` +
      `C: ${clear('own mechanism')}\nS: 235 ok`,
    `C: AUTH  PLAIN  ${plain('two blanks')}\n${reply()}`,
    `C: auth\\tplain\\t${plain('tabs')}\n${reply()}`,
    `C: AUTH PLAIN ${plain('refused')}\nS: 535 no\n` +
      `C: ${clear('tried again as a line')}\nS: 500 what`,
  ].map((inner) =>
    session(plants, `${inner}\n${mail(plants, ['', never.at('body behind AUTH')])}`),
  );
}

function commands(plants: Plants): string[] {
  const { never, local } = plants;
  return [
    `C: ${never.at('unknown command')} ${never.at('its argument')}\nS: 500 ${never.at('500')}`,
    `C: VRFY ${never.at('VRFY')}\nS: 252 ${never.at('VRFY reply')}@example.net`,
    `C: EXPN ${never.at('EXPN')}\nS: 250 ${never.at('EXPN reply')}@example.net`,
    `C: HELP ${never.at('HELP')}\nS: 214 ${never.at('HELP reply')}`,
    `C: NOOP ${never.at('NOOP')}\nS: 250 ok`,
    `C: XCLIENT LOGIN=${never.at('XCLIENT')} NAME=${never.at('XCLIENT name')}\nS: 220 ok`,
    `C: XFORWARD IDENT=${never.at('XFORWARD')}\nS: 250 ok`,
    `C: ETRN ${never.at('ETRN')}\nS: 250 ok`,
    `S: ${never.at('line without a code')}\nS: 250`,
    `C: DATA${never.at('behind DATA')}\nS: 500 no`,
    `C: RCPT TO:<${local.at('recipient out of order')}@example.net>\nS: 503 ${never.at('503')}`,
    `C: ${never.at('long line')}${'x'.repeat(2500)}${never.at('end of a long line')}\nS: 500 no`,
  ].map((inner) => session(plants, `${inner}\n${mail(plants, ['', never.at('body')])}`));
}

function chunks(plants: Plants): string[] {
  const { never } = plants;
  const inner = (name: string): string => {
    const first = `Subject: ${never.at('BDAT subject')}\\r\\n\\r\\n${never.at('BDAT body')}\\r\\n`;
    const last = `${never.at('BDAT last chunk')}\\r\\n`;
    const sizeOf = (text: string) => text.replaceAll('\\r\\n', '\r\n').length;
    return `${envelope(plants)}
      C: BDAT ${sizeOf(first)}
      C| ${first}
      S: 250 ${never.at('BDAT reply')} ${name}
      C: BDAT ${sizeOf(last)} LAST
      C| ${last}
      S: 250 2.6.0 ${never.at('BDAT last reply')}`;
  };
  return [session(plants, inner('a')), session(plants, inner('b'), 'LHLO')];
}

function afterStartTls(plants: Plants): string[] {
  const { never } = plants;
  return [
    session(
      plants,
      `C: STARTTLS
      S: 220 ${never.at('STARTTLS reply')}
      C: ${never.at('text behind STARTTLS')}
      S: 500 ${never.at('reply behind STARTTLS')}
      C: AUTH PLAIN ${base64(`\0a\0${never.at('password behind STARTTLS')}`)}
      S: 235 ok
      ${mail(plants, [`Subject: ${never.at('subject behind STARTTLS')}`, '', never.at('body')])}`,
    ),
    session(
      plants,
      `C: STARTTLS\nS: 454 ${never.at('STARTTLS refusal')}\nC: ${never.at('x')}\nS: 500`,
    ),
    session(plants, `C: STARTTLS\nC: ${never.at('pipelined behind STARTTLS')}\nS: 220 go\nS: 500`),
  ];
}

function oddAddresses(plants: Plants): string[] {
  const { never, local } = plants;
  const paths = [
    `<"quoted@${local.at('quoted local part')}"@example.org>`,
    `<@${never.at('source route')}.example:${local.at('routed')}@example.org>`,
    `${local.at('no brackets')}@example.org`,
    `<${local.at('no domain')}>`,
    `<${local.at('two at signs')}@${local.at('second local part')}@example.org>`,
    `<${local.at('no end')}@example.org`,
    `<\\xff\\xfe${local.at('not UTF-8')}@example.org>`,
    `<relay.example!${local.at('bang path')}>`,
    `<${local.at('percent')}%inner.example@example.org>`,
    `<"never closed ${local.at('open quote')}@example.org>`,
  ];
  return paths.map((path) =>
    session(
      plants,
      `C: MAIL FROM:${path}\nS: 250 ok\nC: RCPT TO:${path}\nS: 250 ok\n` +
        `C: DATA\nS: 354 go\nC: \nC: ${never.at('body')}\nC: .\nS: 250 ok`,
    ),
  );
}
