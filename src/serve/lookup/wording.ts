// What a stranger reads whose mail is held back: that it is so, why, under which number, and where
// to say that it is wrong. One line of ASCII, because it travels in DNS records and SMTP replies.

import { reasonOf } from '../../block/return-code.js';
import type { EntryCursor } from '../../block/rows.js';

/** Who hears an appeal. */
export interface Appeal {
  readonly url?: string | undefined;
  readonly contact?: string | undefined;
}

/** `address` as people write it. */
export function wording(entry: EntryCursor, address: string, appeal: Appeal): string {
  const { action, id, rate } = entry;
  const limit = rate > 0 ? `limited to ${rate} recipients an hour` : 'limited';
  const what = action === 'block' ? 'blocked' : limit;
  const reason = reasonOf(entry.rule).text;
  return ascii(`Mail from ${address} is ${what}: ${reason}; ${way(id, appeal)}`);
}

function way(id: string, { url, contact }: Appeal): string {
  if (url !== undefined) return `see ${url}${url.includes('?') ? '&' : '?'}entry=${id}`;
  return contact === undefined ? `entry ${id}` : `ask ${contact} about entry ${id}`;
}

/** No byte that a reply or a record could not carry. */
function ascii(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}
