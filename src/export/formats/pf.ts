// A table file of pf: `pfctl -t mailweir -T replace -f FILE` takes it in one step.

import { type Format, plainText } from '../format.js';

export const pf: Format = {
  name: 'pf',
  type: plainText,
  what: 'a table file for pfctl -T replace -f',
  tellsApart: false,
  write(view, out) {
    view.header(out, '# ');
    out.text('# pfctl -t mailweir -T replace -f FILE\n');
    while (view.next()) {
      if (view.isHost) view.address(out).newline();
      else view.cidr(out).newline();
    }
  },
};
