// The page of whoever is listed: enter an address or the id of an entry, read why it is so, and say
// that it is wrong. No script, no cookie, nothing from elsewhere; it works in any browser.

import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Entry } from '../../block/entry.js';
import { asked } from './entries.js';
import { moment } from './entry-view.js';
import { Problem } from './problem.js';
import type { Served } from './server.js';

const query = Type.Object({ entry: Type.Optional(Type.String({ maxLength: 60 })) });
const form = { entry: 60, text: 2000, contact: 200 } as const;

export function addAppealPage(app: FastifyInstance, served: Served): void {
  const { list } = served;
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 16_384 },
    (_, body, done) => done(null, Object.fromEntries(new URLSearchParams(body as string))),
  );
  const open = { scope: null, rateLimit: { max: 30, timeWindow: 60_000 } } as const;
  app.get<{ Querystring: { entry?: string } }>(
    '/appeal',
    { config: open, schema: { hide: true, querystring: query } },
    (request, reply) => {
      const asks = request.query.entry?.trim() ?? '';
      const entries = asks === '' ? [] : about(served, asks);
      return reply.type('text/html; charset=utf-8').send(page(served, asks, entries, ''));
    },
  );
  app.post<{ Body: Record<string, string> }>(
    '/appeal',
    {
      config: { scope: null, rateLimit: { max: 10, timeWindow: 60_000 } },
      schema: { hide: true },
    },
    async (request, reply) => {
      const { entry = '', text = '', contact = '' } = request.body ?? {};
      const isLong =
        entry.length > form.entry || text.length > form.text || contact.length > form.contact;
      if (isLong) throw new Problem('bad-request', 'that is too long');
      if (!/^bl_[0-9a-f]{20}$/.test(entry)) throw new Problem('bad-request', 'which entry?');
      const appeal = await asked(list.appeal(entry, text, contact));
      const said =
        `Your appeal is filed. A person answers by ${moment(appeal.due)}; ` +
        `if nobody does, the entry is removed on ${moment(appeal.last)}.`;
      const found = list.entry(entry);
      const html = page(served, entry, found === undefined ? [] : [found], said);
      return reply.type('text/html; charset=utf-8').send(html);
    },
  );
}

/** The entries of an id, or those that cover an address. */
function about({ list }: Served, asks: string): Entry[] {
  if (asks.startsWith('bl_')) {
    const entry = list.entry(asks);
    return entry === undefined ? [] : [entry];
  }
  return list.covering(asks).filter(({ action }) => action !== 'allow');
}

function page(served: Served, asks: string, entries: readonly Entry[], said: string): string {
  const none = asks === '' ? '' : `<p>${text(asks)} is not on the list.</p>`;
  const { contact } = served.appeal;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Is my address blocked?</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }
:root { color-scheme: light dark; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input, textarea { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; }
button { font: inherit; margin-top: 1rem; padding: .4rem 1rem; }
article { border: 1px solid #8888; border-radius: .5rem; padding: 0 1rem 1rem; margin: 1rem 0; }
</style>
</head>
<body>
<main>
<h1>Is my address blocked?</h1>
<form method="get" action="/appeal">
<label for="entry">Your address, or the id of an entry (bl_...)</label>
<input id="entry" name="entry" required maxlength="50" value="${text(asks)}">
<button>Look</button>
</form>
${said === '' ? '' : `<p role="status"><strong>${text(said)}</strong></p>`}
${entries.length === 0 ? none : entries.map((entry) => article(served, entry)).join('\n')}
${contact === undefined ? '' : `<p>You can also write to ${text(contact)}.</p>`}
</main>
</body>
</html>
`;
}

function article({ list }: Served, entry: Entry): string {
  const { id, cidr, action, ended, explanation, until, origin } = entry;
  const what = action === 'block' ? 'Mail from it is blocked' : 'Mail from it is limited';
  const appeal = list.appealOf(id);
  const over = `<p>This ended on ${text(moment(ended?.time ?? null) ?? '')}.</p>`;
  const due = text(moment(appeal?.due ?? null) ?? '');
  const waits = `<p>An appeal is open; a person answers by ${due}.</p>`;
  // What a person noted about a customer is not for whoever asks.
  const why = origin === 'manual' ? 'The provider listed it by hand.' : explanation;
  const rest =
    ended !== undefined
      ? over
      : appeal?.state === 'open'
        ? waits
        : `<form method="post" action="/appeal">
<input type="hidden" name="entry" value="${text(id)}">
<label for="text-${id}">Why is this wrong? What have you repaired?</label>
<textarea id="text-${id}" name="text" rows="4" maxlength="${form.text}"></textarea>
<label for="contact-${id}">How do we reach you?</label>
<input id="contact-${id}" name="contact" maxlength="${form.contact}">
<button>Appeal</button>
</form>`;
  const end = until === null ? '' : ` It ends by itself on ${text(moment(until) ?? '')}.`;
  return `<article>
<h2>${text(cidr)}</h2>
<p>${what} (entry ${text(id)}).${ended === undefined ? end : ''}</p>
<p>${text(why)}</p>
${rest}
</article>`;
}

/** Text inside of HTML, also between quotes. */
function text(value: string): string {
  const marks: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return value.replaceAll(/[&<>"']/g, (mark) => marks[mark]!);
}
