// A map of rspamd (type radix): a prefix and the entry's id as its value. rspamd keeps what it has
// when a map is empty, so there is always a comment.

import { type Format, plainText } from '../format.js';

export const rspamd: Format = {
  name: 'rspamd',
  type: plainText,
  what: 'a radix map of rspamd: prefix and id of the entry',
  tellsApart: false,
  write(view, out) {
    view.header(out, '# ');
    while (view.next()) view.cidr(out).text(' ').id(view.entry).newline();
  },
};
