// Golden cases: markdown in test/smtp/cases. A heading names the situation, a paragraph says why it
// matters, a block of `smtp` is the dialogue, a block of `json` what must come of it. Blocks of
// `json client` and `json server` say what one side alone must give, where it is not what follows
// from the rest.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConversationOptions } from '../../bench/generate/conversation.js';
import { Rng } from '../../bench/generate/rng.js';
import { clientHello } from '../../bench/generate/tls.js';
import type { Own, SmtpEvent } from './run.js';

/** Fields of one expected event, flat; `without` names fields that must not be there. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Case {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly options: ConversationOptions;
  /** The whole list of expected `smtp` events. */
  readonly smtp: readonly Fields[];
  readonly session: Fields | null;
  /** Overrides for one side alone; null: what follows from `smtp`. */
  readonly client: readonly Fields[] | null;
  readonly server: readonly Fields[] | null;
}

const folder = join(import.meta.dirname, '..', 'smtp', 'cases');

/** All cases, in the order of files and headings. */
export function allCases(): Case[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.md') && name !== 'README.md')
    .sort()
    .flatMap((file) => casesIn(file, readFileSync(join(folder, file), 'utf8')));
}

function casesIn(file: string, text: string): Case[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((section) => caseOf(file, section));
}

function caseOf(file: string, section: string): Case {
  const name = section.slice(0, section.indexOf('\n')).trim();
  const blocks = [...section.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)];
  const talk = blocks.filter((block) => block[1] === 'smtp');
  if (talk.length !== 1) throw new Error(`${file}: ${name}: one block of smtp is needed`);
  const wanted = (of: string): Fields[] | { smtp: Fields[]; session: Fields } | null => {
    const block = blocks.find(([, kind, side]) => kind === 'json' && side!.trim() === of);
    if (block === undefined) return null;
    try {
      return JSON.parse(block[3]!) as Fields[];
    } catch (error) {
      throw new Error(`${file}: ${name}: ${String(error)}`);
    }
  };
  const main = wanted('');
  if (main === null) throw new Error(`${file}: ${name}: a block of json is needed`);
  return {
    name,
    file,
    text: repeated(talk[0]![3]!),
    options: optionsOf(talk[0]![2]!),
    smtp: Array.isArray(main) ? main : main.smtp,
    session: Array.isArray(main) ? null : main.session,
    client: wanted('client') as Fields[] | null,
    server: wanted('server') as Fields[] | null,
  };
}

/**
 * `<rcpt N>` is N commands, `<reply N>` N answers to them, `<x N>` N letters, `<hello NAME>` a
 * ClientHello for a server of that name: nobody reads a thousand lines.
 */
function repeated(text: string): string {
  const longer = text
    .replace(/<x (\d+)>/g, (_, count: string) => 'x'.repeat(Number(count)))
    .replace(/<hello ([^>]+)>/g, (_, sni: string) => {
      return clientHello(new Rng(7), { sni, version: 0x0303 })
        .toString('hex')
        .replace(/../g, '\\x$&');
    });
  return longer.replace(/^<(rcpt|reply) (\d+)>$/gm, (_, kind: string, count: string) => {
    return Array.from({ length: Number(count) }, (_, i) => {
      return kind === 'rcpt' ? `C: RCPT TO:<r${i}@example.org>` : 'S: 250 ok';
    }).join('\n');
  });
}

/** `serverPort=465 mss=100 handshake=false` behind the word `smtp`. */
function optionsOf(text: string): ConversationOptions {
  const options: Record<string, unknown> = {};
  for (const word of text.trim().split(/\s+/)) {
    const [name, value] = word.split('=');
    if (name && value) options[name] = JSON.parse(value) as unknown;
  }
  return options;
}

/** The fields of an `smtp` event, flat. */
export function flat(event: SmtpEvent): Record<string, unknown> {
  const { tx_id, gaps, sides } = event;
  return { ...event.smtp, ...event.email, tx_id, gaps, sides };
}

/** What of an event a case speaks of, to be compared with the case itself. */
export function picked(event: SmtpEvent | undefined, wanted: Fields): Fields {
  if (event === undefined) return {};
  return pickedFrom(flat(event), wanted);
}

export function pickedFrom(all: Fields, wanted: Fields): Fields {
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(wanted)) {
    if (name === 'without') {
      result[name] = (wanted[name] as string[]).filter((field) => all[field] === undefined);
    } else {
      result[name] = all[name];
    }
  }
  return result;
}

/** Both lists in a form that shows at a glance what differs; whole when they differ in length. */
export function compared(
  events: readonly SmtpEvent[],
  wanted: readonly Fields[],
): [Fields[], Fields[]] {
  if (events.length !== wanted.length) return [events.map(flat), [...wanted]];
  return [events.map((event, i) => picked(event, wanted[i]!)), [...wanted]];
}

/**
 * An observation without what cutting and order of packets may change. A ClientHello in very small
 * pieces is given up, so `tls` can be left out.
 */
export function essence(own: Own, tls = true): { smtp: unknown[]; sessions: unknown[] } {
  return {
    smtp: own.smtp.map((event) => ({ ...flat(event), started: '' })),
    sessions: own.sessions.map(({ session, sides }) => {
      const all: Record<string, unknown> = { ...session, packets: 0, duration_ms: 0, sides };
      if (!tls) delete all['tls'];
      return all;
    }),
  };
}
