// A network feed of Cisco Security Intelligence: one prefix a line. A refresh every five minutes
// needs a checksum address: take `.cisco.md5`.

import { type Format, plainText } from '../format.js';

export const cisco: Format = {
  name: 'cisco',
  type: plainText,
  what: 'a Security Intelligence feed of Cisco; its checksum address is .cisco.md5',
  tellsApart: false,
  write(view, out) {
    view.header(out, '# ');
    while (view.next()) {
      if (view.isHost) view.address(out).newline();
      else view.cidr(out).newline();
    }
  },
};
