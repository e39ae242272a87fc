// How the envelopes of a talk go, command by command, as far as it does not matter whether they
// become packets or rows: what is offered, what is answered in the server's words, whether DATA is
// sent and a message follows.

import type { Answer, Letter, Mail, Talk } from './talk.js';
import { announces, makeOf, refusal } from './wording.js';

export interface Step {
  readonly mail: Mail;
  /** RSET goes before it, because the one before was given up; `refused`: after a refusal. */
  readonly resets: boolean;
  readonly mailReply: string;
  readonly offered: readonly { readonly to: string; readonly reply: string }[];
  /** Null where DATA is not sent. */
  readonly dataReply: string | null;
  /** The message that follows, if any. */
  readonly letter: Letter | null;
}

/** Whether the client sends an envelope in one go. */
export function isPiped({ manners, server }: Talk): boolean {
  return manners.rash || (manners.pipelined && announces(server) && manners.verb === 'EHLO');
}

/** A refusal in the words of the talk's server. */
export function refused(talk: Talk, answer: Exclude<Answer, 'ok'>, to: string): string {
  const { client, list, server } = talk;
  return refusal(answer, { make: makeOf(server), to, client, list });
}

/** The mails of a talk in their order. */
export function courseOf(talk: Talk): Step[] {
  const make = makeOf(talk.server);
  const piped = isPiped(talk);
  let open = false;
  return talk.mails.map((mail) => {
    const answer = (what: Answer, to: string) =>
      what === 'ok' ? make.rcptOk(to) : refused(talk, what, to);
    const dead = mail.answer !== 'ok';
    const recipients = dead && !piped ? [] : mail.recipients;
    const any = !dead && recipients.some((one) => one.answer === 'ok');
    const letter = any ? mail.letter : null;
    const asks = letter !== null || (piped && mail.letter !== null);
    const resets = open;
    open = letter === null && !dead;
    return {
      mail,
      resets,
      mailReply: mail.answer === 'ok' ? make.mailOk(mail.from) : refused(talk, mail.answer, ''),
      offered: recipients.map((one) => ({
        to: one.to,
        reply: answer(dead ? 'sequence' : one.answer, one.to),
      })),
      dataReply: !asks ? null : letter !== null ? make.data : make.noRecipients,
      letter,
    };
  });
}

/** The code of a reply; its last line has it too. */
export function codeOf(reply: string): number {
  return Number(reply.slice(0, 3));
}
