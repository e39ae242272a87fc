// A cidr_table(5) of Postfix for check_client_access: blocked sources are rejected and limited ones
// put off. Postfix does not read it again by itself: fetch it aside, move it in place, reload.

import { type Format, plainText } from '../format.js';

export const postfix: Format = {
  name: 'postfix',
  type: plainText,
  what: 'a cidr_table(5) of Postfix for check_client_access',
  tellsApart: true,
  write(view, out) {
    view.header(out, '# ');
    while (view.next()) {
      const { id } = view.entry;
      const url = view.publisher.url;
      const where = url === undefined ? `entry ${id}` : `see ${withEntry(url, id)}`;
      const code =
        view.action === 'block' ? 'REJECT 5.7.1 blocked' : 'DEFER_IF_PERMIT 4.7.1 limited';
      view.cidr(out).text(`\t${code}, `).utf8(where).newline();
    }
  },
};

/** The address of the appeal with the entry in it. */
function withEntry(url: string, id: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}entry=${id}`;
}
